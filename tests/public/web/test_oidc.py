"""Login through an identity provider that is real but for its size: its own keys, its own answers, on loopback."""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from skyveil.core.errors import LoginRefused, SettingsRefused
from skyveil.core.secret import Secret
from skyveil.public.live.hub import Hub
from skyveil.public.store import Accounts, AuditLog, open_database
from skyveil.public.store.roles import Role
from skyveil.public.web.app import create_app
from skyveil.public.web.oidc import Oidc, Provider, RoleFor
from skyveil.public.web.state import Console
from tests.public.web.sites import StillCrowd, StillRecordings, StillSite

CLIENT = "skyveil"
SECRET = "plenty of goats"  # noqa: S105 (of the provider here)


class Idp:
    """A provider; what it says next can be changed."""

    def __init__(self) -> None:
        self.kid = "one"
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.other = ECKey.generate_key("P-256", {"kid": "one"})
        self.claims: dict[str, object] = {}
        self.sign_with = self.key
        self.algorithm = "ES256"
        self.challenge = ""
        self.nonce = ""
        self.forms: list[dict[str, str]] = []
        self.token_status = 200
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.told_issuer = self.issuer
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def id_token(self) -> str:
        now_s = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "7f3a", "iat": now_s, "exp": now_s + 300, "nonce": self.nonce,
            "groups": ["staff", "control-room"], **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.algorithm == "none":
            parts = (json.dumps({"alg": "none"}), json.dumps(claims))
            return ".".join(base64.urlsafe_b64encode(one.encode()).decode().rstrip("=") for one in parts) + "."
        if self.algorithm == "HS256":
            # The trick of old libraries: the public key as the secret of an HMAC.
            public = OctKey.import_key(self.key.as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, public, algorithms=["HS256"])
        return jwt.encode({"alg": "ES256", "kid": self.kid}, claims, self.sign_with)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        idp = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def say(self, told: object, status: int = 200) -> None:
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                if self.path == "/.well-known/openid-configuration":
                    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                    self.say({"issuer": idp.told_issuer, **{name: f"{idp.issuer}/{name}" for name in names}})
                else:
                    self.say({"keys": [idp.key.as_dict(private=False)]})

            def do_POST(self) -> None:
                form = {
                    name: values[0]
                    for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
                }
                idp.forms.append(form)
                made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
                good = made.rstrip("=") == idp.challenge and form["client_secret"] == SECRET and form["code"] == "c0de"
                self.say(
                    {"id_token": idp.id_token()} if good else {"error": "invalid_grant"},
                    idp.token_status if good else 400,
                )

        return Handler


@pytest.fixture
def idp() -> Iterator[Idp]:
    made = Idp()
    yield made
    made.close()


ROLES = (RoleFor("officers", Role.PRIVACY_OFFICER), RoleFor("control-room", Role.OPERATOR, ("door",)))


class Login:
    def __init__(self, idp: Idp, folder: Path) -> None:
        self.idp = idp
        self.engine = open_database(folder / "skyveil.sqlite")
        self.accounts, self.audit = Accounts(self.engine), AuditLog(self.engine)
        provider = Provider(idp.issuer, CLIENT, Secret(SECRET), "groups", ROLES, "http://localhost/oidc/answer")
        site = StillSite("door", "stairs")
        self.voucher = Oidc(provider)
        console = Console(
            self.accounts,
            self.audit,
            Hub(),
            site,
            StillRecordings(folder),
            StillCrowd(),
            version="1",
            voucher=self.voucher,
        )
        self.app = create_app(console)
        self.client = TestClient(self.app, follow_redirects=False)

    def begin(self, client: TestClient | None = None, next: str = "/map") -> dict[str, str]:
        """Ask to log in; what the provider is asked."""
        answer = (client or self.client).get("/oidc/start", params={"next": next})
        assert answer.status_code == 303
        assert (
            "samesite=lax" in answer.headers["set-cookie"].lower()
            and "httponly" in answer.headers["set-cookie"].lower()
        )
        asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
        self.idp.challenge, self.idp.nonce = asked["code_challenge"], asked["nonce"]
        return asked

    def finish(self, state: str, code: str = "c0de") -> int:
        return int(self.client.get(f"/oidc/answer?state={state}&code={code}").status_code)

    def names(self) -> list[str]:
        return [one.name for one in self.accounts.users()]


@pytest.fixture
def login(idp: Idp, tmp_path: Path) -> Iterator[Login]:
    made = Login(idp, tmp_path)
    yield made
    made.engine.dispose()


def test_who_is_vouched_for_and_mapped_gets_a_session_with_that_role(login: Login) -> None:
    assert "/oidc/start" in login.client.get("/login").text
    asked = login.begin()
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", CLIENT)
    answer = login.client.get(f"/oidc/answer?state={asked['state']}&code=c0de")
    assert answer.status_code == 200 and "url=/map" in answer.text
    assert re.search(r"skyveil_session=[^;]+;.*HttpOnly.*SameSite=strict", answer.headers["set-cookie"], re.IGNORECASE)
    assert login.client.get("/api/v1/me").json() == {"name": "oidc:7f3a", "role": "operator"}
    assert [one["id"] for one in login.client.get("/api/v1/cameras").json()] == ["door"]
    assert {one.action for one in login.audit.entries(actor="oidc:7f3a")} == {"login.oidc"}
    # Without a password: it can not be guessed.
    assert login.accounts.login("oidc:7f3a", "") is None
    # Another role at the provider is another role here, from the next login on.
    login.idp.claims = {"groups": "officers"}
    assert login.finish(login.begin()["state"]) == 200
    assert login.client.get("/api/v1/me").json()["role"] == "privacy_officer"
    # Disabled here, the provider's word is not enough.
    login.accounts.change("oidc:7f3a", enabled=False)
    assert login.finish(login.begin()["state"]) == 403


@pytest.mark.parametrize(
    "next",
    # Browsers read a number as an address (134744072 is 8.8.8.8), and a backslash as a slash.
    [
        "//134744072",
        "//elsewhere",
        "//0x7f000001",
        "/\\elsewhere",
        "https://elsewhere.example",
        "elsewhere",
        "?/elsewhere",
    ],
)
def test_a_login_leads_to_no_other_server(login: Login, next: str) -> None:
    asked = login.begin(next=next)
    answer = login.client.get(f"/oidc/answer?state={asked['state']}&code=c0de")
    assert answer.status_code == 200 and 'content="0;url=/"' in answer.text and "href='/'" in answer.text


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": [CLIENT, "another"]}, {"aud": None},
        {"azp": "another"}, {"iss": "https://elsewhere.example"}, {"exp": 1}, {"exp": None}, {"exp": "later"},
        {"iat": 1}, {"iat": None}, {"sub": None}, {"sub": ""}, {"exp": int(time.time()) - 61},
        # no mapping, no account
        {"groups": []}, {"groups": ["staff"]}, {"groups": None}, {"groups": "control"}, {"groups": {"control-room": 1}},
    ],
)  # fmt: skip
def test_an_identity_that_does_not_hold_or_has_no_mapping_makes_no_account(
    login: Login, claims: dict[str, object]
) -> None:
    login.idp.claims = claims
    if claims.get("groups") == {"control-room": 1}:
        claims["groups"] = {"other": 1}
    assert login.finish(login.begin()["state"]) == 403
    assert login.names() == []
    assert login.client.get("/api/v1/me").status_code == 401
    assert len(login.audit.entries(action="login.failed")) == 1


@pytest.mark.parametrize("forged", ["none", "HS256", "another key"])
def test_a_forged_signature_makes_no_account(login: Login, forged: str) -> None:
    if forged == "another key":
        login.idp.sign_with = login.idp.other
    else:
        login.idp.algorithm = forged
    assert login.finish(login.begin()["state"]) == 403
    assert login.names() == []


def test_an_answer_is_good_for_the_browser_that_asked_and_once(login: Login) -> None:
    state = login.begin()["state"]
    assert login.finish("another") == 403  # the cookie is gone with it
    assert login.finish(state) == 403
    stranger = TestClient(login.app, follow_redirects=False)
    state = login.begin()["state"]
    assert stranger.get(f"/oidc/answer?state={state}&code=c0de").status_code == 403
    forged = {"cookie": "skyveil_asked=e30.0000"}
    assert stranger.get(f"/oidc/answer?state={state}&code=c0de", headers=forged).status_code == 403
    assert login.names() == []


def test_a_code_of_somebody_else_or_a_provider_that_is_another_one_is_refused(login: Login) -> None:
    assert login.finish(login.begin()["state"], code="stolen") == 403
    state = login.begin()["state"]
    login.idp.challenge = "of another browser"
    assert login.finish(state) == 403
    login.idp.told_issuer = "https://elsewhere.example"
    login.voucher._now = lambda: time.time() + 301  # what it told is not asked for again before
    assert login.client.get("/oidc/start").status_code == 403
    assert login.names() == []


def test_keys_that_change_are_asked_for_again_but_not_at_every_token(login: Login) -> None:
    assert login.finish(login.begin()["state"]) == 200
    login.idp.key = login.idp.sign_with = ECKey.generate_key("P-256", {"kid": "two"})
    login.idp.kid = "two"
    asked = login.begin()
    with pytest.raises(LoginRefused):
        login.voucher._claims(login.idp.id_token(), asked["nonce"])
    login.voucher._now = lambda: time.time() + 301
    login.idp.claims = {"iat": int(time.time()) + 301, "exp": int(time.time()) + 900}
    assert login.voucher._claims(login.idp.id_token(), asked["nonce"])["sub"] == "7f3a"


def test_the_last_administrator_is_not_lost_by_the_provider_s_word(login: Login) -> None:
    login.accounts.add("oidc:7f3a", None, Role.ADMIN)
    assert login.finish(login.begin()["state"]) == 403
    assert login.accounts.users()[0].role is Role.ADMIN


def test_strangers_make_neither_requests_nor_entries_without_end(login: Login) -> None:
    login.idp.close()
    statuses = [login.client.get("/oidc/start").status_code for _ in range(50)]
    statuses += [login.client.get("/oidc/answer?state=a&code=b").status_code for _ in range(50)]
    assert set(statuses) == {403, 429} and statuses.count(403) <= 10
    assert len(login.audit.entries(action="login.failed", limit=1000)) <= 10


def test_a_provider_without_tls_is_refused() -> None:
    for issuer, redirect in (("http://id.example", "https://here/x"), ("https://id.example", "http://here/x")):
        with pytest.raises(SettingsRefused, match="https://"):
            Provider(issuer, CLIENT, Secret("s"), "groups", ROLES, redirect)


def test_without_a_provider_there_is_no_such_login(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "skyveil.sqlite")
    console = Console(Accounts(engine), AuditLog(engine), Hub(), StillSite(), StillRecordings(tmp_path), StillCrowd())
    client = TestClient(create_app(console), follow_redirects=False)
    assert "/oidc/start" not in client.get("/login").text
    assert [client.get(f"/oidc/{one}").status_code for one in ("start", "answer")] == [404, 404]
    engine.dispose()
