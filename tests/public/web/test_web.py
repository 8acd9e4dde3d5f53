"""The console and its API, asked as a browser and as programs ask."""

import ast
import asyncio
import html
import queue
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import skyveil
from skyveil.core.camera import AskedRulers
from skyveil.core.health import Cause
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.measure.level import Level
from skyveil.public.alarm.event import Occasion
from skyveil.public.live.hub import Hub
from skyveil.public.store import Accounts, AuditLog, open_database
from skyveil.public.store.roles import Role, Scope
from skyveil.public.web import (
    admin,
    alarms,
    calibration,
    cameras,
    density,
    drawing,
    numbers,
    open_data,
    pages,
    recordings,
    staff,
    vouching,
)
from skyveil.public.web.app import CSP, create_app
from skyveil.public.web.drawn import DrawnPlace
from skyveil.public.web.site import ExportsFull, NamedMask, version_of
from skyveil.public.web.state import FORM, SESSION, Console
from skyveil.public.web.throttle import FREE, Allowance
from tests.app.test_server import serving
from tests.public.web.sites import GOOD, StillCrowd, StillRecordings, StillSite

ORIGIN = "http://testserver"
STAFF = (Role.VIEWER, Role.OPERATOR, Role.PRIVACY_OFFICER, Role.ADMIN)


@dataclass
class Running:
    app: FastAPI
    console: Console
    site: StillSite
    crowd: StillCrowd

    def client(self, name: str | None = None) -> TestClient:
        """A browser, logged in as this account."""
        client = TestClient(self.app, follow_redirects=False)
        if name is not None:
            page = client.get("/login").text
            csrf = re.search(r'name="csrf" value="(\w+)"', page)
            assert csrf is not None
            entered = client.post("/login", data={"name": name, "password": GOOD, "csrf": csrf[1]})
            assert entered.status_code == 303, entered.text
            home = client.get("/settings").text
            token = re.search(r'"csrf": "(\w+)"', home)
            assert token is not None
            client.headers["x-csrf-token"] = token[1]
        return client


@contextmanager
def running_site(accounts_file: Path, folder: Path, site: StillSite) -> Iterator[Running]:
    """A console of its own, with the accounts of that file."""
    engine = open_database(Path(shutil.copy(accounts_file, folder / "skyveil.sqlite")))
    crowd = StillCrowd()
    console = Console(Accounts(engine), AuditLog(engine), Hub(), site, StillRecordings(folder), crowd, version="1")
    yield Running(create_app(console), console, site, crowd)
    engine.dispose()


@pytest.fixture
def running(accounts_file: Path, tmp_path: Path) -> Iterator[Running]:
    with running_site(accounts_file, tmp_path, StillSite("door", "stairs")) as made:
        yield made


@pytest.fixture(scope="module")
def refusing(accounts_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests in which nothing is granted, so that nothing of it changes."""
    with running_site(accounts_file, tmp_path_factory.mktemp("refusing"), StillSite("door", "stairs")) as made:
        yield made


@pytest.fixture(scope="module", params=[Role.VIEWER, Role.OPERATOR])
def of_the_door(request: pytest.FixtureRequest, refusing: Running) -> TestClient:
    """Somebody who may see the door and no stairs."""
    return refusing.client(Role(request.param).value)


NO_MASKS = version_of(())
MASKS = {"version": NO_MASKS, "masks": [{"name": "w", "points": [[0, 0], [1, 0], [1, 1]]}]}
SPAN = {"from_s": 1.0, "to_s": 2.0, "reason": "accident"}
ZONE = {"id": "hall", "name": "Hall", "line": False, "points": [[0, 0], [1, 0], [1, 1]]}
HUNG = {"size": [1920, 1080], "camera": {"height": 4.2, "tilt": 30, "view": 70}}
BODIES: dict[str, object] = {
    "PUT /api/v1/cameras/{camera}/calibration": {"version": "", "given": HUNG},
    "POST /api/v1/cameras/{camera}/calibration/fitted": HUNG,
    "PUT /api/v1/cameras/{camera}/calibration/people": {"version": "1", "number": 1},
    "POST /api/v1/cameras/{camera}/calibration/people": {"view": 70},
    "PUT /api/v1/cameras/{camera}/drawing": {"version": "0", "places": []},
    "POST /api/v1/cameras/{camera}/drawing/judged": {"places": [ZONE]},
    "PUT /api/v1/cameras/{camera}/masks": MASKS,
    "POST /api/v1/cameras/{camera}/exports": SPAN,
    "POST /api/v1/cameras/{camera}/holds": {**SPAN, "days": 3},
    "POST /api/v1/users": {"name": "new", "password": GOOD, "role": "viewer"},
    "PATCH /api/v1/users/{name}": {"enabled": True},
    "PUT /api/v1/users/{name}/grants": {"cameras": []},
    "POST /api/v1/password": {"old": GOOD, "new": "many more goats"},
    "POST /api/v1/tokens": {"name": "t", "scope": "view", "days": 1},
}
PARTS = {
    "name": "all", "site": "hall", "token": "1", "number": "7", "hold": "abcd", "decision": "approve",
    "place": "hall", "alarm": "alarm-1",
}  # fmt: skip
QUERY = {"/api/v1/cameras/{camera}/recordings/playlist.m3u8": "?from=1&to=2"}

V, C, P, A = STAFF
EVERYBODY = frozenset(STAFF)
MAY: dict[str, frozenset[Role]] = {
    "GET /": EVERYBODY,
    "GET /map": EVERYBODY,
    "GET /health": EVERYBODY,
    "GET /settings": EVERYBODY,
    "GET /crowd": EVERYBODY,
    "GET /alarms": frozenset({C, P, A}),
    "GET /report": frozenset({C, P, A}),
    "GET /audit": frozenset({P, A}),
    "GET /users": frozenset({A}),
    "GET /cameras/{camera}": EVERYBODY,
    "GET /cameras/{camera}/recordings": frozenset({C, P, A}),
    "GET /cameras/{camera}/replay": EVERYBODY,
    "GET /cameras/{camera}/calibrate": frozenset({P, A}),
    "GET /api/v1/cameras/{camera}/calibration": frozenset({P, A}),
    "PUT /api/v1/cameras/{camera}/calibration": frozenset({P, A}),
    "POST /api/v1/cameras/{camera}/calibration/fitted": frozenset({P, A}),
    "GET /api/v1/cameras/{camera}/calibration/people": frozenset({P, A}),
    "POST /api/v1/cameras/{camera}/calibration/people": frozenset({P, A}),
    "PUT /api/v1/cameras/{camera}/calibration/people": frozenset({P, A}),
    "DELETE /api/v1/cameras/{camera}/calibration/people": frozenset({P, A}),
    "POST /api/v1/cameras/{camera}/view/trusted": frozenset({C, P, A}),
    "GET /cameras/{camera}/places": frozenset({P, A}),
    "GET /api/v1/cameras/{camera}/drawing": frozenset({P, A}),
    "PUT /api/v1/cameras/{camera}/drawing": frozenset({P, A}),
    "POST /api/v1/cameras/{camera}/drawing/judged": frozenset({P, A}),
    "GET /api/v1/me": EVERYBODY,
    "GET /api/v1/sites": EVERYBODY,
    "GET /api/v1/health": EVERYBODY,
    "GET /api/v1/cameras": EVERYBODY,
    "GET /api/v1/cameras/{camera}": EVERYBODY,
    "GET /api/v1/cameras/{camera}/masks": frozenset({C, P, A}),
    "PUT /api/v1/cameras/{camera}/masks": frozenset({P, A}),
    "GET /api/v1/cameras/{camera}/snapshot.jpg": EVERYBODY,
    "GET /api/v1/cameras/{camera}/recordings": frozenset({C, P, A}),
    "GET /api/v1/cameras/{camera}/recordings/playlist.m3u8": frozenset({C, P, A}),
    "GET /api/v1/cameras/{camera}/recordings/segments/{number}.m4s": frozenset({C, P, A}),
    "GET /api/v1/cameras/{camera}/recordings/init/{name}.mp4": frozenset({C, P, A}),
    "POST /api/v1/cameras/{camera}/exports": frozenset({C, P}),
    "GET /api/v1/cameras/{camera}/exports/{name}": frozenset({C, P}),
    "GET /api/v1/cameras/{camera}/exports/{name}/statement": frozenset({C, P}),
    "GET /api/v1/cameras/{camera}/holds": frozenset({C, P, A}),
    "POST /api/v1/cameras/{camera}/holds": frozenset({C, P}),
    "POST /api/v1/cameras/{camera}/holds/{hold}/{decision}": frozenset({P}),
    "GET /api/v1/audit": frozenset({P, A}),
    "GET /api/v1/users": frozenset({A}),
    "POST /api/v1/users": frozenset({A}),
    "PATCH /api/v1/users/{name}": frozenset({A}),
    "DELETE /api/v1/users/{name}": frozenset({A}),
    "PUT /api/v1/users/{name}/grants": frozenset({A}),
    "GET /api/v1/settings": frozenset({A}),
    "POST /api/v1/reload": frozenset({A}),
    "GET /metrics": frozenset({A}),
    "GET /api/v1/tokens": EVERYBODY,
    "POST /api/v1/tokens": EVERYBODY,
    "DELETE /api/v1/tokens/{token}": EVERYBODY,
    "POST /api/v1/password": EVERYBODY,
    "GET /api/v1/sites/{site}/plan": EVERYBODY,
    "GET /api/v1/cameras/{camera}/places": EVERYBODY,
    "GET /api/v1/cameras/{camera}/numbers": frozenset({C, P}),
    "GET /api/v1/cameras/{camera}/density": frozenset({C, P}),
    "GET /api/v1/cameras/{camera}/density/day": frozenset({C, P}),
    "GET /api/v1/cameras/{camera}/places/{place}/numbers": EVERYBODY,
    "GET /api/v1/cameras/{camera}/places/{place}/numbers.csv": EVERYBODY,
    "GET /api/v1/cameras/{camera}/places/{place}/numbers/exact": frozenset({C, P}),
    "GET /api/v1/alarms": frozenset({C, P, A}),
    "GET /api/v1/alarms/log": frozenset({C, P, A}),
    "GET /api/v1/alarms/{alarm}/cap.xml": frozenset({C, P, A}),
    "POST /api/v1/alarms/{alarm}/acknowledge": frozenset({C, P}),
    "POST /api/v1/cameras/{camera}/places/{place}/drill": frozenset({C, P}),
}
TO_ALL = {
    "GET /open/v1",
    "GET /open/v1/cameras/{camera}/places/{place}/numbers",
    "GET /open/v1/cameras/{camera}/places/{place}/numbers.csv",
    "GET /open/v1/cameras/{camera}/ledger",
}
"""Open to everybody, where the configuration says so; else there is nothing there."""
OPEN = TO_ALL | {
    "GET /login",
    "POST /login",
    "POST /logout",
    "GET /healthz",
    "GET /readyz",
    "GET /api/v1/metrics",
    "GET /oidc/start",
    "GET /oidc/answer",
}


def routes(app: FastAPI) -> set[str]:
    ours = (
        pages,
        vouching,
        calibration,
        cameras,
        drawing,
        recordings,
        numbers,
        density,
        alarms,
        staff,
        admin,
        open_data,
    )
    routers = (app.router, *(one.router for one in ours))
    found = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}" for route in found for method in route.methods or ()}


def asked(client: TestClient, route: str, camera: str = "door") -> int:
    method, path = route.split(" ", 1)
    names = {"init": "00112233aabbccdd", "exports": f"{camera}-20260501t140500z-0123abcd.mp4"}
    name = next((value for part, value in names.items() if part in path.split("/")), PARTS["name"])
    filled = path.replace("{camera}", camera).replace("{name}", name)
    for part, value in PARTS.items():
        filled = filled.replace("{" + part + "}", value)
    return int(client.request(method, filled + QUERY.get(path, ""), json=BODIES.get(route)).status_code)


def test_every_route_is_in_the_table_of_who_may(running: Running) -> None:
    assert routes(running.app) == set(MAY) | OPEN
    sockets = {route.path for route in cameras.router.routes if isinstance(route, APIWebSocketRoute)}
    assert sockets == {"/api/v1/cameras/{camera}/live"}


@pytest.mark.parametrize("route", sorted(MAY))
def test_nobody_gets_nothing(refusing: Running, route: str) -> None:
    status = asked(refusing.client(), route)
    assert status == 401 or (status == 303 and not route.split(" ")[1].startswith("/api"))


@pytest.mark.parametrize("role", STAFF)
def test_every_role_gets_what_it_may_and_nothing_else(running: Running, role: Role) -> None:
    client = running.client(role.value.replace("_", "-"))
    for route in sorted(MAY, key=lambda one: ("password" in one, "DELETE" in one, one)):
        status = asked(client, route)
        if role in MAY[route]:
            assert status not in (401, 403) and (
                status < 400 or route.endswith(("jpg", "plan", "{name}", "statement", "{token}"))
            ), (
                route,
                status,
            )
        else:
            assert status in (403, 404), (route, status)


@pytest.mark.parametrize("route", sorted(one for one in MAY if "{camera}" in one))
def test_a_camera_that_is_not_granted_does_not_exist(of_the_door: TestClient, route: str) -> None:
    assert asked(of_the_door, route, "stairs") == 404
    assert asked(of_the_door, route, "never-was") == 404


def test_a_camera_that_is_not_granted_is_in_no_list(of_the_door: TestClient) -> None:
    for listed in ("/api/v1/cameras", "/api/v1/health"):
        found = of_the_door.get(listed).text
        assert "door" in found and "stairs" not in found


def test_exports_of_a_camera_whose_name_goes_on_are_not_given(running: Running, tmp_path: Path) -> None:
    client, after = running.client("operator"), "20260501t140500z-0123abcd"
    for camera in ("door", "door-2", f"door-{after}"):
        (tmp_path / f"{camera}-{after}.mp4").write_bytes(b"export")
        (tmp_path / f"{camera}-{after}.mp4.statement.json").write_text("{}")
    for more in ("", "/statement"):
        statuses = [
            client.get(f"/api/v1/cameras/door/exports/{camera}-{after}.mp4{more}").status_code
            for camera in ("door", "door-2", f"door-{after}")
        ]
        assert statuses == [200, 404, 404]


def test_more_exports_than_may_wait_are_refused_until_there_is_room(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise ExportsFull("exports of others are being made")

    body = {"from_s": 0.0, "to_s": 60.0, "reason": "accident"}
    with monkeypatch.context() as patched:
        patched.setattr(StillRecordings, "export", full)
        refused = running.client("operator").post("/api/v1/cameras/door/exports", json=body)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "120")
        assert refused.json()["detail"] == "exports of others are being made"
        assert running.console.audit.entries(limit=1)[0].action == "export.refused"
    assert running.client("operator").post("/api/v1/cameras/door/exports", json=body).status_code == 200


def test_a_live_view_is_refused_to_nobody_strangers_and_other_origins(running: Running) -> None:
    url = "/api/v1/cameras/{}/live"
    for client, camera, headers in (
        (running.client(), "door", {}),
        (running.client("viewer"), "stairs", {}),
        (running.client("viewer"), "../door", {}),
        (running.client("viewer"), "door", {"origin": "https://elsewhere.example"}),
    ):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(url.format(camera), headers=headers):
            pass


def test_a_live_view_begins_with_codec_init_and_the_picture_so_far(running: Running) -> None:
    hub, door = running.console.hub, camera_id("door")
    hub.start(door, b"init", "video/mp4")
    hub.publish(door, b"key", keyframe=True)
    hub.publish(door, b"next", keyframe=False)
    headers = {"origin": ORIGIN}
    with running.client("viewer").websocket_connect("/api/v1/cameras/door/live", headers=headers) as socket:
        assert socket.receive_json()["mime"] == "video/mp4"
        assert socket.receive_bytes() == b"init"
        assert socket.receive_bytes() == b"keynext"
    assert {one.action for one in running.console.audit.entries()} >= {"view.live"}


@pytest.mark.parametrize("name", ["../door", "door%2f..", "DOOR", "door%00", "a" * 100, "*", "door;drop"])
def test_tricks_in_a_camera_id_lead_nowhere(running: Running, name: str) -> None:
    client = running.client("all")
    for path in ("", "/masks", "/snapshot.jpg", "/recordings", "/recordings/segments/7.m4s"):
        assert client.get(f"/api/v1/cameras/{name}{path}").status_code in (400, 404, 422)


def test_a_write_without_its_token_is_refused(running: Running) -> None:
    client = running.client("admin")
    token = client.headers.pop("x-csrf-token")
    assert client.post("/api/v1/reload").status_code == 403
    assert client.post("/api/v1/reload", headers={"x-csrf-token": "0" * 64}).status_code == 403
    assert client.post("/api/v1/reload", headers={"x-csrf-token": token}).status_code == 200


def test_pages_that_are_open_write_on_after_a_restart_of_the_server(running: Running) -> None:
    client, other = running.client("admin"), running.client("admin")
    form = {"name": "admin", "password": GOOD}
    anonymous = TestClient(running.app, follow_redirects=False)
    csrf = re.search(r'name="csrf" value="(\w+)"', anonymous.get("/login").text)
    assert csrf is not None
    restarted = create_app(replace(running.console, seal_key=b"another"))
    with TestClient(restarted, cookies=dict(client.cookies), headers=dict(client.headers)) as again:
        assert again.post("/api/v1/reload").status_code == 200
        # The token of another session of the same account is none.
        assert again.post("/api/v1/reload", headers={"x-csrf-token": other.headers["x-csrf-token"]}).status_code == 403
    with TestClient(restarted, cookies=dict(anonymous.cookies), follow_redirects=False) as again:
        assert again.post("/login", data={**form, "csrf": csrf[1]}).status_code == 303


def test_a_logout_ends_the_session_whose_cookie_it_takes_away(running: Running) -> None:
    client = running.client("admin")
    session = client.cookies[SESSION]
    answer = client.post("/logout", data={"csrf": "of a page from before"})
    assert answer.headers["location"] == "/login" and SESSION not in client.cookies
    assert running.console.accounts.by_session(session) is None
    # Another site can not log anybody out: it sends no cookie, and takes none away.
    assert "set-cookie" not in running.client().post("/logout").headers


def test_who_is_nobody_writes_nothing_to_the_audit_log_by_logging_out(running: Running) -> None:
    client = running.client()
    client.cookies.set(SESSION, "of nobody")
    before = len(running.console.audit.entries(limit=1000))
    assert f'{SESSION}=""' in client.post("/logout").headers["set-cookie"]
    assert len(running.console.audit.entries(limit=1000)) == before


def test_a_login_form_without_its_token_is_refused(running: Running) -> None:
    client = running.client()
    client.get("/login")
    assert client.post("/login", data={"name": "admin", "password": GOOD, "csrf": "0" * 64}).status_code == 403
    assert client.post("/login", data={"name": "admin", "password": GOOD}).status_code == 403


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/cameras/hall/recordings?at=1790000000", "/cameras/hall/recordings?at=1790000000"),
        ("/health?a=1&b=2", "/health?a=1&b=2"),
        ("/health?a=%0d%0aSet-Cookie", "/health"),
        ("/health", "/health"),
    ],
)
def test_a_login_leads_to_the_page_and_the_time_that_was_asked_for(running: Running, asked: str, led_to: str) -> None:
    client = running.client()
    answer = client.get(asked)
    assert answer.status_code == 303
    form = client.get(answer.headers["location"]).text
    csrf = re.search(r'name="csrf" value="(\w+)"', form)
    assert csrf is not None and f'name="next" value="{html.escape(led_to)}"' in form
    login = {"name": "admin", "password": GOOD, "csrf": csrf[1], "next": led_to}
    assert client.post("/login", data=login).headers["location"] == led_to


def test_a_name_that_is_too_long_for_an_account_is_told_on_the_form(running: Running) -> None:
    client = running.client()
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/login").text)
    assert csrf is not None
    for form in ({"name": "a" * 65, "password": "b" * 300}, {"password": "no name"}, {"name": "admin"}):
        answer = client.post("/login", data={**form, "csrf": csrf[1], "next": "/" + "c" * 600})
        assert answer.status_code == 401 and "Name or password is wrong" in answer.text
        assert 'name="next" value="/"' in answer.text
        running.console.throttle.succeeded("name admin", "address testclient")
    assert client.post("/login", data={"name": "a", "password": "b", "csrf": "c" * 100}).status_code == 403


def test_every_cause_of_a_state_and_of_a_gap_has_words() -> None:
    from skyveil.public.archive.recording import CUT_OFF
    from skyveil.public.web.pages import words

    gaps = {CUT_OFF, "link-lost", "disk-full", "clock-jump", "process-killed"}
    assert sorted({f"cause.{one}" for one in {*Cause, *gaps}} - set(words("en"))) == []


def test_ten_thousand_wrong_passwords_cost_next_to_nothing_and_lock_nobody_out_for_good(running: Running) -> None:
    client = running.client()
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/login").text)
    assert csrf is not None
    form = {"name": "admin", "csrf": csrf[1]}
    throttle = running.console.throttle
    throttle._now = lambda: 1000.0  # on a busy machine a guess takes so long that the wait for the next is over
    answers = [client.post("/login", data={**form, "password": "guess"}).status_code for _ in range(40)]
    assert answers[:6] == [401] * 6 and set(answers[6:]) == {429}
    for number in range(10_000):
        throttle.failed(f"name {number}")
        throttle.failed("name admin")
    assert 0 < throttle.wait_s("name admin") <= 60
    assert len(running.console.audit.entries(action="login.failed", limit=1000)) == 6


def test_many_guesses_at_once_wait_as_if_they_came_one_by_one(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, throttle = running.client(), running.console.throttle
    throttle._now = lambda: 1000.0
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/login").text)
    assert csrf is not None
    form = {"name": "admin", "password": "guess", "csrf": csrf[1]}
    many, seen, all_seen = 24, queue.Queue[str](), threading.Event()

    def computing(name: str, password: str) -> None:
        del name, password
        seen.put("computed")
        assert all_seen.wait(60)

    monkeypatch.setattr(running.console.accounts, "login", computing)

    def guess(_: int) -> int:
        one = TestClient(running.app, cookies={FORM: client.cookies[FORM]})
        status = one.post("/login", data=form).status_code
        seen.put(f"answered {status}")
        return status

    with ThreadPoolExecutor(many) as pool:
        answers = [pool.submit(guess, number) for number in range(many)]
        # Each guess is either being computed now, or was answered without.
        first = [seen.get(timeout=60) for _ in range(many)]
        all_seen.set()
        statuses = [one.result() for one in answers]
    assert first.count("computed") == FREE + 1 and first.count("answered 429") == many - FREE - 1
    assert statuses.count(401) == FREE + 1


def test_a_login_forgets_the_tries_of_its_name_and_of_its_address(running: Running) -> None:
    throttle = running.console.throttle
    throttle._now = lambda: 1000.0
    for key in ("name operator", "address testclient"):
        for _ in range(FREE):
            throttle.failed(key)
    running.client("operator")
    assert not throttle._failures


def tries_until_throttled(client: TestClient, *forwarded: str) -> int:
    """How many login links are looked up before one comes too soon, each with the next of these headers in turn."""
    for number in range(100):
        headers = [("x-forwarded-for", one) for one in forwarded[number % len(forwarded)].split(";")]
        if client.get("/login?token=guess", headers=headers).status_code == 429:
            return number
    return 100


def test_who_asks_through_a_proxy_of_ours_is_throttled_by_the_address_that_the_proxy_added(running: Running) -> None:
    running.console.throttle._now = lambda: 1000.0
    behind = TestClient(create_app(replace(running.console, behind_proxy=True)))
    invented = [f"198.51.100.{number}" for number in range(50)]
    # What the client invents stands before what the proxy adds, in the same line or in one before.
    assert tries_until_throttled(behind, *(f"{one}, 203.0.113.7" for one in invented)) == FREE + 1
    assert tries_until_throttled(behind, *(f"{one};203.0.113.7" for one in invented)) == 0
    assert tries_until_throttled(behind, "203.0.113.7, 2001:db8::8") == FREE + 1
    # What is no address counts for the proxy itself.
    assert tries_until_throttled(behind, *(f"203.0.113.7, 203.0.113.9:{port}" for port in range(50))) == FREE + 1
    assert running.console.throttle.wait_s("address testclient") > 0


def test_without_a_proxy_nobody_chooses_the_address_that_is_throttled(running: Running) -> None:
    running.console.throttle._now = lambda: 1000.0
    assert tries_until_throttled(running.client(), *(f"203.0.113.{number}" for number in range(50))) == FREE + 1


def test_every_answer_carries_the_headers(running: Running) -> None:
    client = running.client("admin")
    for path in ("/", "/login", "/static/skyveil.css", "/api/v1/cameras", "/nothing", "/healthz", "/metrics"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == CSP
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_no_answer_is_kept_by_caches_but_files_of_the_console_and_open_data(running: Running) -> None:
    client = running.client("privacy-officer")
    named = "cameras/door", "cameras/door/masks", "cameras/door/recordings", "cameras/stairs", "me", "health", "audit"
    for path in ("/", "/login", "/nothing", "/crowd", *(f"/api/v1/{name}" for name in named)):
        assert "no-store" in client.get(path).headers.get_list("cache-control")[0].split(", "), path
    script = client.get("/static/wall.js")
    assert script.headers.get_list("cache-control") == ["no-cache"] and script.headers["etag"]
    running.crowd.public = True
    assert client.get("/open/v1").headers.get_list("cache-control") == ["public, max-age=60"]


def test_cookies_can_not_be_read_by_scripts_or_sent_from_elsewhere(running: Running) -> None:
    client = running.client()
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/login").text)
    assert csrf is not None
    entered = client.post("/login", data={"name": "admin", "password": GOOD, "csrf": csrf[1], "next": "//evil.example"})
    assert entered.headers["location"] == "/"
    cookie = next(one for one in entered.headers.get_list("set-cookie") if one.startswith("skyveil_session"))
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie


def test_a_body_that_is_too_long_is_refused(running: Running) -> None:
    client = running.client("admin")
    answer = client.put("/api/v1/cameras/door/masks", content=b"[" * (2 << 20))
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize(
    ("path", "kind"), [("/api/v1/users", "application/json"), ("/login", "application/x-www-form-urlencoded")]
)
def test_a_request_that_does_not_come_as_a_whole_is_told_so(
    running: Running, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    monkeypatch.setattr("skyveil.public.web.app.BODY_S", 0.3)

    async def look() -> None:
        async with serving(running.app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n"
            writer.write(head.encode() + b"name=")
            answer = await asyncio.wait_for(reader.read(), 30)
            assert b"408 Request Timeout" in answer and b"did not come as a whole within" in answer
            assert b"connection: close" in answer.lower()
            writer.close()

    asyncio.run(look())


@pytest.mark.parametrize(
    "body",
    [
        {"version": NO_MASKS, "masks": [{"name": "w", "points": [[0, 0], [1, 0]]}]},
        {"version": NO_MASKS, "masks": [{"name": "w", "points": [[0, 0], [2, 0], [1, 1]]}]},
        {"version": NO_MASKS, "masks": [{"name": "", "points": [[0, 0], [1, 0], [1, 1]]}]},
        {"version": NO_MASKS, "masks": [{"name": "w", "points": [[0, 0], [1, 0], [1, 1]], "more": 1}]},
        {"version": NO_MASKS, "masks": [{"name": "w", "points": [[0, 0]] * 100}]},
        {"version": NO_MASKS, "masks": 7},
        {"masks": []},
        [],
    ],
)
def test_masks_that_are_none_are_refused(running: Running, body: object) -> None:
    assert running.client("admin").put("/api/v1/cameras/door/masks", json=body).status_code == 422
    assert not running.site.set


def test_masks_are_set_and_audited(running: Running) -> None:
    client = running.client("privacy-officer")
    written = client.put("/api/v1/cameras/door/masks", json=MASKS).json()
    assert written == client.get("/api/v1/cameras/door/masks").json()
    assert written["masks"] == [{"name": "w", "points": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}]
    entry = running.console.audit.entries()[0]
    assert (entry.action, entry.details) == ("masks.change", {"masks": 1, "added": "w"})
    assert client.put("/api/v1/cameras/door/masks", json={**written, "masks": []}).status_code == 200
    assert running.console.audit.entries()[0].details == {"masks": 0, "removed": "w"}


def test_masks_from_a_page_that_was_loaded_before_another_change_are_refused(running: Running) -> None:
    client = running.client("privacy-officer")
    client.put("/api/v1/cameras/door/masks", json=MASKS)
    refused = client.put("/api/v1/cameras/door/masks", json={"version": NO_MASKS, "masks": []})
    assert refused.status_code == 409 and "load the page again" in refused.json()["detail"]
    assert len(running.site.masks(camera_id("door"))) == 1
    assert len(running.console.audit.entries(action="masks.change")) == 1


def test_masks_that_somebody_changes_in_that_moment_are_refused_and_no_change_is_in_the_audit_log(
    running: Running,
) -> None:
    running.site.others = (NamedMask("theirs", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),)
    refused = running.client("privacy-officer").put("/api/v1/cameras/door/masks", json=MASKS)
    assert refused.status_code == 409 and "load the page again" in refused.json()["detail"]
    assert [mask.name for mask in running.site.masks(camera_id("door"))] == ["theirs"]
    assert not running.console.audit.entries(action="masks.change")


DRAWING = "/api/v1/cameras/door/drawing"


def test_places_are_drawn_and_audited_and_a_drawing_of_an_old_version_is_refused(running: Running) -> None:
    client = running.client("admin")
    drawn = client.put(DRAWING, json={"version": "0", "places": [ZONE]}).json()
    assert (drawn["by"], drawn["version"], drawn["judged"][0]["area_m2"]) == ("admin", "1", 20.0)
    entry = running.console.audit.entries()[0]
    assert (entry.action, entry.object, entry.details) == ("places.change", "door", {"places": 1, "added": "hall"})
    again = client.put(DRAWING, json={"version": "0", "places": []})
    assert again.status_code == 409 and "load the page again" in again.json()["detail"]
    assert client.put(DRAWING, json={"version": "1", "places": []}).json()["places"] == []
    assert running.console.audit.entries()[0].details["removed"] == "hall"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "Hall"}, {"name": ""}, {"name": "a\nb"}, {"points": [[0, 0]]}, {"points": [[0, 2], [1, 0], [1, 1]]},
        {"points": [[0, 0]] * 40}, {"use": "dwell"}, {"person": 1}, {"way": [[0, 0]]}, {"thresholds": {"yellow": 1}},
    ],
)  # fmt: skip
def test_places_that_are_none_are_refused(running: Running, wrong: dict[str, object]) -> None:
    body = {"version": "0", "places": [{**ZONE, **wrong}]}
    assert running.client("admin").put(DRAWING, json=body).status_code == 422
    assert not running.site.drawn


def test_a_refused_place_is_told_and_not_saved(running: Running) -> None:
    client = running.client("admin")
    refused = client.put(DRAWING, json={"version": "0", "places": [{**ZONE, "name": "refused"}]})
    assert (refused.status_code, refused.json()["detail"]) == (422, "refused: no")
    assert client.post(DRAWING + "/judged", json={"places": [{**ZONE, "name": "refused"}]}).json()[0]["refused"]
    assert not running.site.drawn


def test_what_the_public_would_newly_be_told_of_is_for_the_privacy_officer_to_save(running: Running) -> None:
    running.site.public = True
    admin, officer = running.client("admin"), running.client("privacy-officer")
    refused = admin.put(DRAWING, json={"version": "0", "places": [ZONE]})
    assert refused.status_code == 403 and "Hall" in refused.json()["detail"]
    assert officer.put(DRAWING, json={"version": "0", "places": [ZONE]}).status_code == 200
    # The same place under another name tells nobody more; elsewhere it does.
    renamed, moved = {**ZONE, "name": "Big hall"}, {**ZONE, "points": [[0, 0], [1, 0], [1, 0.9]]}
    assert admin.put(DRAWING, json={"version": "1", "places": [renamed]}).status_code == 200
    assert admin.put(DRAWING, json={"version": "1", "places": [moved]}).status_code == 403


CALIBRATION = "/api/v1/cameras/door/calibration"


def test_a_camera_is_calibrated_and_audited_and_an_old_version_is_refused(running: Running) -> None:
    client = running.client("privacy-officer")
    assert client.get(CALIBRATION).json()["fitted"] is None
    assert client.post(CALIBRATION + "/fitted", json=HUNG).json()["fitted"]["height_m"] == 4.2
    assert not running.site.calibrated
    saved = client.put(CALIBRATION, json={"version": "", "given": HUNG}).json()
    assert (saved["version"], saved["by"]) == ("1", "privacy-officer")
    entry = running.console.audit.entries()[0]
    assert (entry.action, entry.object, entry.details["from"]) == ("calibration.change", "door", "camera")
    again = client.put(CALIBRATION, json={"version": "", "given": HUNG})
    assert again.status_code == 409 and "load the page again" in again.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": None}, {"camera": {"height": 1.0, "tilt": 30, "view": 70}}, {"size": [1, 1]}, {"more": 1},
        {"camera": {"height": 4, "tilt": 99, "view": 70}}, {"camera": {"height": 4, "tilt": 30, "view": 1}},
        {"points": [[0, 0, 0, 0]] * 4}, {"camera": None, "points": [[0, 0, 0, 0]] * 4},
        {"camera": None, "points": [[0, 0, 0, 0]] * 2000},
        {"camera": None, "rectangle": {"corners": [[0, 0]] * 4, "width": 0, "depth": 1}},
    ],
)  # fmt: skip
def test_what_a_camera_can_not_be_calibrated_from_is_refused_in_words(
    running: Running, wrong: dict[str, object]
) -> None:
    client = running.client("admin")
    looked = client.post(CALIBRATION + "/fitted", json={**HUNG, **wrong}).json()
    assert looked.get("refused") or looked["detail"]
    answer = client.put(CALIBRATION, json={"version": "", "given": {**HUNG, **wrong}})
    assert answer.status_code == 422 and answer.json()["detail"]
    assert not running.site.calibrated


PEOPLE = CALIBRATION + "/people"


def test_a_camera_is_calibrated_by_people_who_walk_by_and_all_of_it_is_audited(running: Running) -> None:
    client = running.client("privacy-officer")
    assert client.get(PEOPLE).json() == {
        "state": "none", "pairs": 0, "enough": 60, "view": None, "number": 0, "fitted": None
    }  # fmt: skip
    assert client.put(PEOPLE, json={"version": "", "number": 0}).status_code == 409
    assert client.post(PEOPLE, json={"view": 70, "head_height": 1.6}).status_code == 204
    assert running.site.asked["door"][1] == AskedRulers(70, 1.6)
    found = client.get(PEOPLE).json()
    assert (found["state"], found["number"], found["fitted"]["height_m"]) == ("fitted", 1, 5.0)
    assert not running.site.calibrated
    assert client.put(PEOPLE, json={"version": "old", "number": 1}).status_code == 409
    assert client.put(PEOPLE, json={"version": "", "number": 2}).status_code == 409
    saved = client.put(PEOPLE, json={"version": "", "number": 1}).json()
    assert (saved["version"], saved["by"], saved["fitted"]["height_m"]) == ("1", "privacy-officer", 5.0)
    assert client.get(PEOPLE).json()["state"] == "none"
    client.post(PEOPLE, json={"view": 60})
    assert client.delete(PEOPLE).status_code == 204 and not running.site.asked
    entries = [one for one in running.console.audit.entries(limit=20) if one.object == "door"]
    assert [one.action for one in reversed(entries)] == [
        "rulers.begin", "calibration.change", "rulers.begin", "rulers.drop"
    ]  # fmt: skip
    assert entries[2].details["from"] == "people before the camera"


@pytest.mark.parametrize("wrong", [{}, {"view": 1}, {"view": 170}, {"view": None}, {"view": 70, "head_height": 3}])
def test_people_are_no_rulers_without_a_view(running: Running, wrong: dict[str, object]) -> None:
    assert running.client("admin").post(PEOPLE, json=wrong).status_code == 422
    assert not running.site.asked


def test_why_people_can_not_be_rulers_is_said(running: Running) -> None:
    running.site.wrong.append("x")
    answer = running.client("admin").post(PEOPLE, json={"view": 70})
    assert answer.status_code == 422 and "targets" in answer.json()["detail"]


def test_people_say_no_calibration_with_which_a_place_can_not_be_measured(running: Running) -> None:
    client = running.client("admin")
    client.post(PEOPLE, json={"view": 70})
    running.site.drawn["door"] = (DrawnPlace("hall", "refused", line=False, points=((0, 0), (1, 0), (1, 1))),)
    answer = client.put(PEOPLE, json={"version": "", "number": 1})
    assert answer.status_code == 422 and "draw it anew" in answer.json()["detail"]
    assert running.site.asked and not running.site.calibrated


def test_who_says_that_a_view_is_right_stands_in_the_audit_log(running: Running) -> None:
    assert running.client("operator").post("/api/v1/cameras/door/view/trusted").status_code == 204
    assert running.site.trusted == ["door"]
    entry = running.console.audit.entries(limit=1)[0]
    assert (entry.actor, entry.action, entry.object) == ("operator", "view.trust", "door")
    page = running.client("operator").get("/cameras/door").text
    assert "trust-view" in page
    assert 'id="trust-view"' not in running.client("viewer").get("/cameras/door").text


def test_a_calibration_with_which_a_place_can_not_be_measured_is_refused(running: Running) -> None:
    client = running.client("admin")
    running.site.drawn["door"] = (DrawnPlace("hall", "refused", line=False, points=((0, 0), (1, 0), (1, 1))),)
    answer = client.put(CALIBRATION, json={"version": "", "given": HUNG})
    assert answer.status_code == 422 and "draw it anew" in answer.json()["detail"]


def test_a_token_does_what_its_scope_says(running: Running) -> None:
    accounts = running.console.accounts
    metrics = {"authorization": "Bearer " + accounts.new_token("admin", "p", Scope.METRICS, days=1)}
    looking = {"authorization": "Bearer " + accounts.new_token("admin", "v", Scope.VIEW, days=1)}
    client = running.client()
    assert "skyveil_camera_up" in client.get("/metrics", headers=metrics).text
    assert client.get("/metrics", headers=looking).status_code == 403
    assert client.get("/api/v1/cameras", headers=looking).json()
    assert client.post("/api/v1/reload", headers=looking).status_code == 403
    assert client.get("/api/v1/cameras", headers={"authorization": "Bearer sv_wrong"}).status_code == 401


def test_a_token_reads_makes_and_ends_no_tokens_and_changes_no_password(running: Running) -> None:
    accounts = running.console.accounts
    kept = accounts.new_token("operator", "export", Scope.EXPORT, days=1)
    stolen = accounts.new_token("operator", "metrics", Scope.METRICS, days=1)
    client = TestClient(running.app, headers={"authorization": f"Bearer {stolen}"})
    number = accounts.tokens("operator")[0].id
    answers = (
        client.get("/api/v1/tokens"),
        client.delete(f"/api/v1/tokens/{number}"),
        client.post("/api/v1/tokens", json={"name": "t", "scope": "view", "days": 1}),
        client.post("/api/v1/password", json={"old": GOOD, "new": "many more goats"}),
    )
    assert [one.status_code for one in answers] == [403] * 4
    assert accounts.by_token(kept) is not None and len(accounts.tokens("operator")) == 2
    person = running.client("operator")
    assert [one["name"] for one in person.get("/api/v1/tokens").json()] == ["export", "metrics"]
    assert person.delete(f"/api/v1/tokens/{number}").status_code == 204 and accounts.by_token(kept) is None


def test_a_camera_that_is_not_there_can_not_be_granted(running: Running) -> None:
    client = running.client("admin")
    for wanted, told in (
        (["dor"], "there is no camera `dor`; did you mean `door`?"),
        (["door", "../x"], "there is no camera `../x`"),
    ):
        answer = client.put("/api/v1/users/viewer/grants", json={"cameras": wanted})
        assert (answer.status_code, answer.json()["detail"]) == (422, told)
    assert client.put("/api/v1/users/viewer/grants", json={"cameras": ["stairs"]}).status_code == 204
    assert client.put("/api/v1/users/viewer/grants", json={"cameras": ["*"]}).status_code == 204
    granted = next(one.cameras for one in running.console.accounts.users() if one.name == "viewer")
    assert list(granted) == ["*"]


def test_metrics_and_health_hold_nothing_that_depends_on_people(running: Running) -> None:
    client = running.client("admin")
    text = client.get("/metrics").text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert names == {
        "skyveil_viewers", "skyveil_lost", *(f"skyveil_camera_{one}" for one in
        ("up", "fps", "frames", "dropped", "whole", "restarts", "rss_bytes", "descriptors", "age_seconds")),
    }  # fmt: skip
    assert set(client.get("/api/v1/health").json()["cameras"][0]) == {
        "camera", "name", "state", "cause", "since_s", "fps", "age_s", "frames", "dropped", "whole", "restarts",
        "rss_bytes", "descriptors", "clock_offset_s",
    }  # fmt: skip


def test_a_camera_that_never_came_has_no_age(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    client = running.client("admin")
    sample = re.compile(r'^skyveil_camera_age_seconds\{camera="(\w+)"\} (.*)$', re.MULTILINE)
    assert sample.findall(client.get("/metrics").text) == [("door", "0.1"), ("stairs", "0.1")]
    door, stairs = running.site.health().values()
    found = {one.camera: replace(one, age_s=age_s) for one, age_s in ((door, None), (stairs, 0.0))}
    monkeypatch.setattr(running.site, "health", lambda: found)
    text = client.get("/metrics").text
    assert sample.findall(text) == [("stairs", "0.0")]
    assert 'skyveil_camera_up{camera="door"} 1.0' in text


def test_health_names_problems_of_granted_cameras_and_those_of_the_site_to_who_may_see_its_settings(
    running: Running,
) -> None:
    wrong = ["door: the connection to the camera was lost", "stairs: the camera was moved", "the disk is full"]
    running.site.wrong += wrong
    for name, told in (("viewer", wrong[:1]), ("operator", wrong[:1]), ("all", wrong[:2]), ("admin", wrong)):
        assert running.client(name).get("/api/v1/health").json()["server"]["problems"] == told, name


def test_a_site_with_a_problem_is_not_ready_and_a_wrong_configuration_is_told(running: Running) -> None:
    client = running.client("admin")
    assert client.get("/readyz").status_code == 200
    running.site.wrong.append("door: the connection to the camera was lost")
    assert client.get("/readyz").status_code == 503
    answer = client.post("/api/v1/reload")
    assert answer.status_code == 422 and "skyveil.yaml:3" in answer.json()["detail"]


def test_pages_speak_three_languages_with_the_same_words(running: Running) -> None:
    from skyveil.public.web.pages import LANGUAGES, words

    client = running.client("admin")
    for code, text in (("en", "Full screen"), ("zh-Hant", "全螢幕"), ("zh-Hans", "全屏")):
        assert text in client.get(f"/?lang={code}").text
    assert "全屏" in client.get("/").text
    assert len({frozenset(words(code)) for code, _ in LANGUAGES}) == 1


def test_every_word_that_pages_and_modules_ask_for_is_there() -> None:
    from skyveil.public.web.pages import FOLDER, words

    known = words("en")
    asked_for = {
        key
        for path in (*(FOLDER / "pages").glob("*.html"), *(FOLDER / "static").glob("*.js"))
        for key in re.findall(r"""\bt\(\s*["']([\w.-]+)["']\s*[,)]""", path.read_text(encoding="utf-8"))
    }
    assert len(asked_for) > 100
    assert sorted(asked_for - set(known)) == []


def recorded_actions() -> set[str]:
    """Every action that the code writes into the audit log: what calls that record are given as words or constants."""
    source = Path(skyveil.__file__).parent
    found: set[str] = set()
    for path in (*source.glob("public/web/*.py"), *source.glob("app/*.py"), *source.glob("cli/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func).rpartition(".")[2]
            if name not in ("record", "_viewed", "_entered") and "audit.record" not in ast.unparse(call):
                continue
            for given in (part for one in call.args for part in ast.walk(one)):
                value = constants.get(given.id) if isinstance(given, ast.Name) else getattr(given, "value", None)
                if isinstance(value, str) and re.fullmatch(r"[a-z]+(\.[a-z-]+)+|login|logout|export", value):
                    found.add(value)
    return found


def test_every_action_of_the_audit_log_and_every_scope_has_words() -> None:
    from skyveil.public.web.pages import words

    actions = recorded_actions()
    assert {"login", "login.link", "view.live.end", "calibration.change", "hold.approve", "export"} <= actions
    wanted = {f"action.{one}" for one in actions} | {f"scope.{one.value}" for one in Scope}
    assert sorted(wanted - set(words("en"))) == []


def test_a_slow_viewer_is_dropped_to_the_next_key_frame_and_nothing_grows() -> None:
    import asyncio

    async def run() -> None:
        hub, door = Hub(), camera_id("door")
        hub.start(door, b"init", "video/mp4")
        async with hub.viewing(door) as slow:
            for number in range(1000):
                hub.publish(door, b"%d" % number, keyframe=number % 100 == 0)
            assert slow.dropped > 900
            got = []
            while slow._texts or slow._pieces or slow._init is not None:
                got.append(await slow.next())
            assert isinstance(got[0], str) and got[1] == b"init"
            numbers = [int(one) for one in got[2:] if isinstance(one, bytes)]
            assert not numbers or numbers[0] % 100 == 0
            hub.publish(door, b"1000", keyframe=True)
            assert await slow.next() == b"1000"

    asyncio.run(run())


# --- numbers and alarms -----------------------------------------------------------------------------------------------

CHART = "/api/v1/cameras/door/places/hall/numbers"


def test_each_route_reads_the_numbers_of_its_audience_only(running: Running) -> None:
    running.crowd.public = True
    client = running.client("operator")
    for path, audience, value in (
        (CHART, "staff", 45.0),
        (CHART + "/exact", "control_room", 41.0),
        ("/open/v1/cameras/door/places/hall/numbers", "public", 43.0),
    ):
        running.crowd.asked.clear()
        answer = client.get(path + "?measure=count&from=60&to=120").json()
        assert (answer["audience"], answer["period_s"]) == (audience, 60)
        assert answer["series"][0]["value"] == [value] and answer["series"][0]["start_s"] == [60]
        assert [(str(one), name) for one, name in running.crowd.asked] == [(audience, "door")]
    (now,) = client.get("/api/v1/cameras/door/numbers").json()
    assert now["place"] == "hall" and now["figures"][0]["value"] == 41
    text = client.get(CHART + ".csv?from=60&to=120").text.splitlines()
    assert text[0].startswith("start_s,period_s,place,measure")
    assert text[1].startswith("60,60,hall,count,persons,rounded,45.0")


OPEN_CHART = "/open/v1/cameras/door/places/hall/numbers"


@pytest.mark.parametrize(
    ("path", "kept_s"),
    [
        (OPEN_CHART + "?measure=count&from=60&to=120", 86400),
        (OPEN_CHART + ".csv?measure=count&from=60&to=120", 86400),
        (OPEN_CHART + "?measure=count", 60),  # up to now: more may come
        (OPEN_CHART + "?measure=count&from={now}&to={now}", 60),
        ("/open/v1/cameras/door/ledger?at=60", 86400),
        ("/open/v1/cameras/door/ledger", 60),
        ("/open/v1", 60),
        # What the route does not ask for says nothing about what it tells.
        (OPEN_CHART + "?measure=count&at=60", 60),
        ("/open/v1/cameras/door/ledger?to=60", 60),
        ("/open/v1?to=60&at=x", 60),
    ],
)
def test_open_data_may_be_kept_by_caches_and_is_not_sent_twice(
    running: Running, monkeypatch: pytest.MonkeyPatch, path: str, kept_s: int
) -> None:
    now_s = time.time()  # it stands still: up to now, another second would be another answer
    monkeypatch.setattr("skyveil.public.web.numbers.time", SimpleNamespace(time=lambda: now_s))
    running.crowd.public = True
    client, path = running.client(), path.format(now=int(now_s) - 2 * 86400)
    first = client.get(path)
    name = first.headers["etag"]
    assert (first.status_code, first.headers["cache-control"]) == (200, f"public, max-age={kept_s}")
    for had in (name, f"W/{name}", f'"other", {name}', "*"):
        again = client.get(path, headers={"if-none-match": had})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", name)
        assert again.headers["cache-control"] == first.headers["cache-control"]
    other = client.get(path, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_no_error_of_open_data_is_kept(running: Running) -> None:
    client = running.client()
    assert client.get("/open/v1").headers["cache-control"] == "no-store"
    running.crowd.public = True
    assert client.get("/open/v1/cameras/none/ledger").headers["cache-control"] == "no-store"
    answers = [client.get("/open/v1") for _ in range(100)]
    assert {one.headers["cache-control"] for one in answers if one.status_code == 429} == {"no-store"}


def test_open_data_is_not_there_unless_it_is_asked_for_and_then_needs_no_login(running: Running) -> None:
    client = running.client()
    for route in sorted(TO_ALL):
        assert asked(client, route) == 404
    running.crowd.public = True
    for route in sorted(TO_ALL):
        assert asked(client, route) == 200, route
        assert "{camera}" not in route or asked(client, route, "stairs") == 404  # of this one nothing is public
    assert client.get("/open/v1/cameras/door/places/desk/numbers").status_code == 404
    about = client.get("/open/v1").json()
    assert about["places"] == [{"camera": "door", "place": "hall", "name": "Hall", "line": False}]
    assert about["epsilon_per_visit_and_day"] == 2 and "not for each person" in about["about"]
    assert client.get("/open/v1/cameras/door/ledger").json()[0]["epsilon"] == "1/3"
    assert {audience.value for audience, _ in running.crowd.asked} == {"public"}


def test_who_asks_for_open_data_too_often_or_for_too_much_is_told_to_wait_or_to_ask_for_less(running: Running) -> None:
    running.crowd.public = True
    client = running.client()
    numbers = "/open/v1/cameras/door/places/hall/numbers"
    assert client.get(numbers, params={"from": 0, "to": 10_001 * 60, "measure": "count"}).status_code == 422
    answers = [client.get("/open/v1") for _ in range(200)]
    assert {one.status_code for one in answers[:50]} == {200}
    refused = next(one for one in answers if one.status_code == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_an_allowance_is_saved_up_for_a_minute_and_no_longer() -> None:
    now = [0.0]
    allowance = Allowance(2, lambda: now[0])
    assert [allowance.wait_s("a"), allowance.wait_s("a"), allowance.wait_s("b")] == [0.0, 0.0, 0.0]
    assert allowance.wait_s("a") == pytest.approx(30)
    now[0] = 30.0
    assert allowance.wait_s("a") == 0
    assert allowance.wait_s("a") == pytest.approx(30)
    now[0] = 3600.0
    assert [allowance.wait_s("a") > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "query", ["?measure=face", "?period=second", "?from=100&to=50", "?from=0&to=90000000000", "?from=x", "?to=-1"]
)
def test_numbers_that_can_not_be_asked_for_are_refused(running: Running, query: str) -> None:
    client = running.client("operator")
    assert client.get(CHART + query).status_code == 422
    backwards = client.get(f"{CHART}?from=5&to=1").json()["detail"]
    assert backwards == "`from` (5) is later than `to` (1)"
    assert client.get("/api/v1/cameras/door/places/attic/numbers").status_code == 404


def test_an_alarm_of_a_camera_that_is_not_granted_does_not_exist(running: Running) -> None:
    client = running.client("operator")
    assert [one["id"] for one in client.get("/api/v1/alarms").json()] == ["alarm-1"]
    assert [one["alarm"] for one in client.get("/api/v1/alarms/log").json()] == ["alarm-1"]
    assert client.get("/api/v1/alarms").json()[0]["reasons"] == ["density 5.2 per m2"]
    assert client.post("/api/v1/alarms/alarm-2/acknowledge").status_code == 404
    assert client.get("/api/v1/alarms/alarm-2/cap.xml").status_code == 404
    assert client.post("/api/v1/alarms/alarm-9/acknowledge").status_code == 404
    seen = running.client("admin").get("/api/v1/alarms").json()
    assert [one["id"] for one in seen] == ["alarm-1", "alarm-2"]
    assert seen[0]["reasons"] == []  # what messages say of it: an administrator has no exact numbers


def test_an_outage_names_granted_cameras_only_and_is_taken_on_by_who_is_granted_all(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("2 cameras without numbers: door, stairs", "the connection was lost")
    out = tuple(camera_id(one) for one in ("door", "stairs"))
    views = [replace(one, group="yard") for one in running.site.cameras()]
    monkeypatch.setattr(running.site, "cameras", lambda: views)
    running.crowd.open = [
        Occasion(
            *("alarm-3", CameraId("yard"), PlaceId(""), "Group", Level.UNKNOWN, 2, 5.0, words, words, 4.0), cameras=out
        )
    ]
    client = running.client("operator")
    (one,) = client.get("/api/v1/alarms").json()
    assert one["reasons"] == ["2 cameras without numbers: door and 1 more", "the connection was lost"]
    (logged,) = client.get("/api/v1/alarms/log").json()
    assert logged["words"] == "2 cameras without numbers: door and 1 more; the connection was lost"
    assert "stairs" not in client.get("/api/v1/alarms/alarm-3/cap.xml").text
    refused = client.post("/api/v1/alarms/alarm-3/acknowledge")
    assert refused.status_code == 403 and "stairs" not in refused.text
    assert running.client("admin").get("/api/v1/alarms").json()[0]["reasons"] == list(words)
    running.crowd.open = [replace(running.crowd.open[0], cameras=out[:1])]
    assert client.post("/api/v1/alarms/alarm-3/acknowledge").json()["id"] == "alarm-3"


def test_taking_an_alarm_on_and_drills_are_audited(running: Running) -> None:
    client = running.client("operator")
    assert client.post("/api/v1/alarms/alarm-1/acknowledge").json()["id"] == "alarm-1"
    assert client.post("/api/v1/cameras/door/places/hall/drill").json()["drill"] is True
    assert client.post("/api/v1/cameras/door/places/attic/drill").status_code == 404
    drill, taken = running.console.audit.entries()[:2]
    assert (drill.action, drill.object, drill.actor) == ("alarm.drill", "door/hall", "operator")
    assert (taken.action, taken.details["alarm"]) == ("alarm.acknowledge", "alarm-1")
    assert b"urn:oasis:names:tc:emergency:cap:1.2" in client.get("/api/v1/alarms/alarm-1/cap.xml").content


def test_the_control_room_is_told_the_level_with_its_reasons_and_where_it_is_full(running: Running) -> None:
    client = running.client("operator")
    (now,) = client.get("/api/v1/cameras/door/numbers").json()
    assert (now["level"], now["since_s"], now["reasons"]) == ("red", 5.0, ["density 5.2 per m2"])
    assert now["service"] == "D"  # 1.2 per m2 on stairs
    (full,) = client.get("/api/v1/cameras/door/density").json()
    assert full["per_m2"] == [0.0, 3.0, None, 5.0]
    assert (full["columns"], full["side_m"], full["low_m"]) == (2, 0.5, [0.0, 1.0])


def test_the_control_room_is_told_where_it_was_full_by_hour_and_by_day(running: Running) -> None:
    client = running.client("operator")
    day = client.get("/api/v1/cameras/door/density/day").json()
    assert day["hours"] == [{"start_s": 0, "measured_s": 30}, {"start_s": 3600, "measured_s": 20}]
    (hall,) = day["maps"]
    assert (hall["place"], hall["measured_s"], hall["left_out_s"]) == ("hall", 50, 0)
    assert hall["mean"] == [0.0, 1.8, None, 3.0] and hall["highest"] == [0.0, 3.0, None, 5.0]
    assert hall["thresholds"] == [2.0, 4.0]
    assert hall["over_share"] == [[0.0, 0.6, None, 0.6], [0.0, 0.0, None, 0.6]]
    assert (hall["columns"], hall["side_m"], hall["low_m"]) == (2, 0.5, [0.0, 1.0])
    (later,) = client.get("/api/v1/cameras/door/density/day?hour=3725").json()["maps"]
    assert later["mean"] == later["highest"] == [0.0, 0.0, None, 0.0] and later["measured_s"] == 20
    nothing = client.get("/api/v1/cameras/door/density/day?hour=7200").json()
    assert nothing == {"hours": day["hours"], "maps": []}
    assert client.get("/api/v1/cameras/door/density/day?hour=-1").status_code == 422


NUMBER_FIELDS = {
    "PlaceOut": {"id", "name", "line", "staff", "public", "points", "use", "thresholds", "pressure_from"},
    "CalibrationOut": {"version", "by", "at_s", "fitted", "places"},
    "Fitted": {
        "size", "points", "rms_px", "rms_m", "left_out_m", "area_sigma", "height_m", "limit_m_per_px", "grid",
        "horizon", "figures", "judged",
    },
    "FitOut": {"refused", "fitted"},
    "RulersView": {"state", "pairs", "enough", "view", "number", "fitted"},
    "GridPart": {"points", "fine"},
    "DrawingOut": {"version", "by", "at_s", "calibrated", "places", "judged", "defaults"},
    "DrawnPlace": {"id", "name", "line", "points", "use", "way", "thresholds"},
    "DrawnThresholds": {"yellow", "orange", "red", "critical", "rise_s", "fall_s"},
    "Judged": {"id", "area_m2", "length_m", "staff", "public", "refused", "code", "words", "forward"},
    "DensityOut": {"place", "at_s", "side_m", "low_m", "columns", "per_m2", "floor_to_picture"},
    "DayOut": {"hours", "maps"},
    "HourOut": {"start_s", "measured_s"},
    "DayMapOut": {
        "place", "measured_s", "left_out_s", "side_m", "low_m", "columns", "mean", "highest", "thresholds",
        "over_share", "floor_to_picture",
    },
    "FigureOut": {"measure", "unit", "told", "value", "sigma", "quality"},
    "NowOut": {"place", "service", "level", "since_s", "reasons", "start_s", "end_s", "age_s", "figures"},
    "Series": {"measure", "unit", "start_s", "value", "sigma", "told", "quality"},
    "Chart": {"camera", "place", "audience", "period_s", "series"},
    "AlarmOut": {
        "id", "camera", "place", "name", "level", "rank", "since_s", "raised_s", "reasons", "step", "acknowledged_by",
        "acknowledged_s", "drill",
    },
    "AlarmEventOut": {"id", "at_s", "alarm", "event", "camera", "place", "name", "level", "words", "actor", "drill"},
    "OpenPlace": {"camera", "place", "name", "line"},
    "OpenData": {"about", "epsilon_per_visit_and_day", "places"},
    "Cost": {"place", "measure", "period_s", "mechanism", "sensitivity", "epsilon"},
}  # fmt: skip
"""Everything that numbers and alarms may say. There is no field for a person, a track, a position or a picture."""


def test_every_field_of_numbers_and_alarms_is_on_the_list(running: Running) -> None:
    document = running.app.openapi()
    schemas = document["components"]["schemas"]
    reached = set[str]()
    for methods in document["paths"].values():
        for method in methods.values():
            if {"numbers", "alarms", "open data", "drawing"} & set(method.get("tags", ())):
                reached |= set(re.findall(r"#/components/schemas/(\w+)", str(method["responses"].get("200"))))
    for _ in range(3):
        reached |= {name for one in reached for name in re.findall(r"#/components/schemas/(\w+)", str(schemas[one]))}
    assert {name: set(schemas[name]["properties"]) for name in reached} == NUMBER_FIELDS
