"""Login through an identity provider by OpenID Connect: authorisation code with PKCE. Public side; the extra `oidc`.

What is checked of an ID token is what OpenID Connect Core 1.0 (3.1.3.7) asks: signature by a key of the provider with
an algorithm of the list, issuer, audience, authorised party, expiry, time of issue and nonce. State (RFC 6749, 10.12)
and PKCE (RFC 7636, S256) bind the answer to the browser that asked. Who is in no mapping has no account.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from skyveil.core.errors import LoginRefused, SettingsRefused
from skyveil.core.secret import Secret, is_private
from skyveil.public.store.roles import Role
from skyveil.public.web.vouching import OLDEST_S, Asked, Known

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures of a key pair only: `none`, and HMAC with the client's own secret, are not among them."""
SKEW_S: Final = 60
_TIMEOUT_S: Final = 10.0
_ANSWER_LIMIT: Final = 1 << 20
_AGAIN_S: Final = 300.0
"""For so long keys and addresses are not asked for again: strangers must not make us a busy client of the provider."""


@final
@dataclass(frozen=True, slots=True)
class RoleFor:
    """Who has `value` in the claim gets this role, and these cameras."""

    value: str
    role: Role
    cameras: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider. claim: where groups or roles stand; roles: the first that fits counts."""

    issuer: str
    client_id: str
    client_secret: Secret
    claim: str
    roles: tuple[RoleFor, ...]
    redirect: str
    """The address of this console that the provider sends browsers back to."""

    def __post_init__(self) -> None:
        """Raise SettingsRefused for addresses that are not https, but for those of this machine."""
        for address in (self.issuer, self.redirect):
            if not is_private(address):
                raise SettingsRefused("the addresses of a login provider start with https://")


@final
class Oidc:
    """Asks one provider. Any thread may call it; calls wait for the provider."""

    def __init__(self, provider: Provider, *, now: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._now = now
        self._keys: tuple[KeySet, float] | None = None
        self._addresses: tuple[dict[str, Plain], float] | None = None

    def ask(self, next: str) -> tuple[str, Asked]:
        """Where to send a browser, and what to remember of it. Raises LoginRefused."""
        provider = self._provider
        asked = Asked(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), int(self._now()), next
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": provider.redirect,
            "scope": "openid profile email",
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}", asked

    def answer(self, asked: Asked, *, state: str, code: str) -> Known:
        """Who came back with `code`. Raises LoginRefused."""
        if not hmac.compare_digest(state.encode(), asked.state.encode()):
            raise LoginRefused("the answer of the login provider belongs to another browser: log in again")
        provider = self._provider
        told = self._post(
            self._endpoint("token_endpoint"),
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": provider.redirect,
                "client_id": provider.client_id,
                "client_secret": provider.client_secret.reveal(),
                "code_verifier": asked.verifier,
            },
        )
        token = told.get("id_token")
        if not isinstance(token, str):
            raise LoginRefused("the login provider gave no identity")
        return self._known(self._claims(token, asked.nonce))

    def _claims(self, token: str, nonce: str) -> Mapping[str, object]:
        """The claims of a token that holds; raises LoginRefused."""
        try:
            claims = self._decoded(token)
        except (JoseError, ValueError, KeyError) as error:
            raise LoginRefused(f"the identity does not hold: {type(error).__name__}") from error
        provider, now_s = self._provider, self._now()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires, issued, party = claims.get("exp"), claims.get("iat"), claims.get("azp", provider.client_id)
        wrong = [
            what
            for what, bad in (
                ("issuer", claims.get("iss") != provider.issuer),
                ("audience", provider.client_id not in audiences or (len(audiences) > 1 and "azp" not in claims)),
                ("party", party != provider.client_id),
                ("expiry", not isinstance(expires, int | float) or expires <= now_s - SKEW_S),
                ("time", not isinstance(issued, int | float) or not now_s - OLDEST_S <= issued <= now_s + SKEW_S),
                ("nonce", not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode())),
                ("subject", not isinstance(claims.get("sub"), str) or not claims.get("sub")),
            )
            if bad
        ]
        if wrong:
            raise LoginRefused(f"the identity does not hold: {', '.join(wrong)}")
        return claims

    def _decoded(self, token: str) -> Mapping[str, object]:
        keys = self._key_set(fresh=False)
        try:
            return jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        except (JoseError, ValueError, KeyError):
            # The provider may have another key since; it is asked once in a while only.
            newer = self._key_set(fresh=True)
            if newer is keys:
                raise
            return jwt.decode(token, newer, algorithms=list(ALGORITHMS)).claims

    def _key_set(self, *, fresh: bool) -> KeySet:
        now_s = self._now()
        if self._keys is None or (fresh and now_s - self._keys[1] >= _AGAIN_S):
            told = self._get(self._endpoint("jwks_uri"))
            try:
                self._keys = (KeySet.import_key_set(told), now_s)  # type: ignore[arg-type]  # checked by the library
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise LoginRefused("the login provider's keys can not be read") from error
        return self._keys[0]

    def _known(self, claims: Mapping[str, object]) -> Known:
        given = claims.get(self._provider.claim)
        values = set(map(str, given)) if isinstance(given, Sequence) and not isinstance(given, str) else {str(given)}
        for one in self._provider.roles:
            if given is not None and one.value in values:
                return Known(_name(str(claims["sub"])), one.role, one.cameras)
        raise LoginRefused("no role is written for you in the configuration: ask your administrator")

    # --- the provider's addresses -----------------------------------------------------------------------------------

    def _endpoint(self, name: str) -> str:
        now_s = self._now()
        if self._addresses is None or now_s - self._addresses[1] >= _AGAIN_S:
            told = self._get(f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != self._provider.issuer:
                raise LoginRefused("the login provider is another one than the configuration says")
            self._addresses = (told, now_s)
        address = self._addresses[0].get(name)
        if not isinstance(address, str):
            raise LoginRefused("the login provider does not tell its addresses")
        if urlsplit(address).scheme != urlsplit(self._provider.issuer).scheme:
            raise LoginRefused("the login provider names an address without TLS")
        return address

    def _get(self, address: str) -> dict[str, Plain]:
        return self._asked("GET", address, None)

    def _post(self, address: str, form: Mapping[str, str]) -> dict[str, Plain]:
        return self._asked("POST", address, form)

    def _asked(self, method: str, address: str, form: Mapping[str, str] | None) -> dict[str, Plain]:
        """A JSON object from the provider. No redirect is followed, no proxy of the environment used."""
        try:
            with (
                httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
                client.stream(method, address, data=form) as answer,
            ):
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > _ANSWER_LIMIT:
                        raise LoginRefused("the login provider's answer is too long")
            told = json.loads(body) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise LoginRefused(f"the login provider can not be reached: {type(error).__name__}") from error
        if not isinstance(told, dict):
            raise LoginRefused("the login provider refused")
        return told


def _name(subject: str) -> str:
    """The account's name: the provider's own word for a person, which it gives to nobody else."""
    plain = subject if subject.isascii() and subject.isprintable() and " " not in subject and len(subject) <= 56 else ""
    return f"oidc:{plain or hashlib.sha256(subject.encode()).hexdigest()[:32]}"
