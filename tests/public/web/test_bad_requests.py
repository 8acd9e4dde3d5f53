"""Whatever is sent, the API answers with a status that it declares, and never with an error of its own."""

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from skyveil.public.web.app import BODY_LIMIT
from tests.public.web.sites import StillSite
from tests.public.web.test_web import BODIES, PARTS, Running, running_site

EXAMPLES = 8
"""Of each kind for each operation."""


@pytest.fixture(scope="module")
def running(accounts_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_site(accounts_file, tmp_path_factory.mktemp("site"), StillSite("door")) as made:
        yield made


@pytest.fixture(scope="module")
def admin(running: Running) -> TestClient:
    return running.client("admin")


@pytest.fixture(scope="module")
def officer(running: Running) -> TestClient:
    return running.client("privacy-officer")


def sent(client: TestClient, case: object) -> int:
    """Send a generated request as it is; the status of its answer."""
    assert isinstance(case, schemathesis.Case)
    made = case.as_transport_kwargs(base_url="http://testserver")
    given_headers = dict(made.get("headers") or {})
    headers = [(str(name).encode(), str(value).encode("utf-8", "replace")) for name, value in given_headers.items()]
    body = made.get("data")
    answer = client.request(
        str(made["method"]),
        str(made["url"]),
        params=made.get("params"),
        json=made.get("json"),
        content=body if isinstance(body, bytes | str) else None,
        headers=[*headers, (b"x-csrf-token", client.headers["x-csrf-token"].encode())],
    )
    return int(answer.status_code)


# --- generated requests ---------------------------------------------------------------------------------------------


def test_every_operation_answers_what_it_declares_to_whatever_is_generated(
    running: Running, admin: TestClient, officer: TestClient
) -> None:
    schema = schemathesis.openapi.from_dict(running.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    # Pages are for people; a changed password would end the session of this test.
    asked = [one for one in operations if one.path.startswith("/api/") and one.path != "/api/v1/password"]
    assert len(asked) > 20
    for operation in asked:
        declared = {int(code) for code in operation.definition.raw["responses"] if code.isdigit()}
        requests = st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode))
        answers_what_it_declares(operation.label, requests, declared, (admin, officer))


def answers_what_it_declares(
    name: str, requests: st.SearchStrategy[object], declared: set[int], clients: tuple[TestClient, ...]
) -> None:
    @given(case=requests)
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: object) -> None:
        for client in clients:
            answer = sent(client, case)
            assert answer in declared and answer != 500, (name, answer, sorted(declared))

    ask()


# --- bodies that are no request -------------------------------------------------------------------------------------

BROKEN = [
    b"", b"{", b"\xff\xfe", b"null", b"[]", b"1e999", b'"text"', b"[" * 100_000, b'{"a":' * 50_000,
    b'{"masks": NaN}', b'{"masks": [{"name": "w", "points": [[NaN, 0], [1, 0], [1, 1]]}]}',
    b'{"from_s": NaN, "to_s": 2, "reason": "accident"}', b'{"from_s": 1e400, "to_s": 2, "reason": "a", "days": 3}',
    b'{"name": "\\ud800", "password": "plenty of goats", "role": "viewer"}', b'{"\\ud800": 1}',
    b'{"name": "\\u0000", "password": "plenty of goats", "role": "viewer"}', b'{"cameras": ["\\ud800"]}',
    b'{"old": "hidden-one", "new": "\\ud800 hidden-two"}', b'{"name": "\\ud800", "scope": "view", "days": 1}',
]  # fmt: skip


def path_of(route: str) -> tuple[str, str]:
    method, path = route.split(" ", 1)
    filled = path.replace("{camera}", "door").replace("{name}", "all")
    for part, value in PARTS.items():
        filled = filled.replace("{" + part + "}", value)
    return method, filled


@pytest.mark.parametrize("route", sorted(BODIES))
def test_a_body_that_is_no_request_is_refused_and_never_sent_back(
    admin: TestClient, officer: TestClient, route: str
) -> None:
    method, path = path_of(route)
    for client in (admin, officer):
        for body in BROKEN:
            answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (400, 403, 404, 422), (body[:60], answer.status_code)
            assert "hidden" not in answer.text and "goats" not in answer.text


@pytest.mark.parametrize("route", sorted(BODIES))
def test_a_body_that_is_too_long_is_refused_whether_its_length_is_told_or_not(admin: TestClient, route: str) -> None:
    method, path = path_of(route)

    def parts() -> Iterator[bytes]:
        for _ in range(BODY_LIMIT // 10_000 + 10):
            yield b"x" * 10_000

    for body in (b"x" * (BODY_LIMIT + 1), parts()):
        answer = admin.request(method, path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (403, 413), answer.text


# --- guessing -------------------------------------------------------------------------------------------------------


def test_ten_thousand_guesses_fill_neither_the_memory_nor_the_audit_log(running: Running) -> None:
    """By password and by link, at many names and from one address: the real routes, without a pause."""
    console = running.console
    before = len(console.audit.entries(action="login.failed", limit=1000))
    client = running.client()
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/login").text)
    assert csrf is not None
    tracemalloc.start()
    try:
        statuses = set()
        for number in range(100):
            form = {"name": f"name{number}", "password": "guess", "csrf": csrf[1]}
            statuses.add(client.post("/login", data=form).status_code)
            statuses.add(client.get(f"/login?token=guess{number}").status_code)
        for number in range(10_000):
            console.throttle.failed(f"name {number}")
            console.throttle.failed(f"address 10.0.{number // 256}.{number % 256}")
        grown_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert statuses <= {200, 401, 429} and 429 in statuses
    assert len(console.audit.entries(action="login.failed", limit=1000)) - before <= 20
    assert grown_bytes < 20 << 20
    assert len(console.throttle._failures) <= 10_000


def test_names_and_ids_lead_out_of_no_folder(admin: TestClient, tmp_path: Path) -> None:
    tricks = ("..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "%00", "%ff", "%ed%a0%80", "a%2fb", "C:%5Cx", "~", "-", "*")
    places = (
        "/api/v1/cameras/{}/masks", "/api/v1/cameras/door/exports/{}", "/api/v1/cameras/door/recordings/init/{}.mp4",
        "/api/v1/sites/{}/plan", "/static/{}", "/static/{}/app.py", "/cameras/{}", "/cameras/{}/recordings",
    )  # fmt: skip
    for place in places:
        for trick in tricks:
            answer = admin.get(place.format(trick))
            assert answer.status_code in (307, 400, 403, 404, 405, 422), (place, trick, answer.status_code)
            assert "root:" not in answer.text and "create_app" not in answer.text
