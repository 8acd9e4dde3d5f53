"""What no single value of the server or of an output shows. App."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from skyveil.app.config.models import Outputs, Secret, Server
from skyveil.core.errors import SettingsRefused
from skyveil.core.names import no_such
from skyveil.core.secret import SafeUrl, is_private
from skyveil.public.notify.webhook import SCHEMES as WEBHOOK_SCHEMES
from skyveil.public.restream.push import SCHEMES as PUSH_SCHEMES

Where: TypeAlias = tuple[str | int, ...]
"""The way to a value in a configuration: keys, and places in lists."""


def checked_secret(reference: Secret | None, where: Where) -> Iterator[tuple[Where, str]]:
    """What is wrong with where a password stands."""
    if reference is not None and (reference.secret is None) == (reference.env is None):
        yield where, "a password is `{secret: NAME}` or `{env: NAME}`"


def checked_server(server: Server, cameras: Sequence[str]) -> Iterator[tuple[Where, str]]:
    """What is wrong with where the server listens, and with who vouches for people, who may see some of `cameras`."""
    yield from _checked_bind(server.bind, ("server", "bind"))
    if server.oidc is not None:
        yield from checked_secret(server.oidc.client_secret, ("server", "oidc", "client_secret"))
        for key, address in (("issuer", server.oidc.issuer), ("address", server.oidc.address)):
            if not is_private(address):
                yield ("server", "oidc", key), "the addresses of a login provider start with https://"
        for index, role in enumerate(server.oidc.roles):
            for n, name in enumerate(role.cameras):
                if name != "*" and name not in cameras:
                    yield ("server", "oidc", "roles", index, "cameras", n), no_such("camera", name, cameras)


def _checked_bind(bind: str, where: Where) -> Iterator[tuple[Where, str]]:
    """What is no address: the system is asked for others only when the server listens."""
    try:
        wrong = b"\0" in bind.encode("idna")
    except UnicodeError:
        wrong = True
    if wrong:
        yield where, f"{bind!r} is no address to listen on: write one like 127.0.0.1, or 0.0.0.0 for all"


def checked_outputs(outputs: Outputs, *, has_tls: bool) -> Iterator[tuple[Where, str]]:
    """What is wrong with where health is told and streams are sent."""
    if outputs.restream is not None:
        yield from _checked_bind(outputs.restream.bind, ("outputs", "restream", "bind"))
        yield from checked_secret(outputs.restream.password, ("outputs", "restream", "password"))
        if outputs.restream.tls and not has_tls:
            yield ("outputs", "restream", "tls"), "there is no certificate: write `server.tls`"
    if outputs.push is not None:
        yield from checked_secret(outputs.push.password, ("outputs", "push", "password"))
        if _scheme(outputs.push.address) not in PUSH_SCHEMES:
            yield (
                ("outputs", "push", "address"),
                "write rtsp://host/path or rtsps://host/path, without a name or password",
            )
    if outputs.mqtt is not None:
        yield from checked_secret(outputs.mqtt.password, ("outputs", "mqtt", "password"))
    for index, hook in enumerate(outputs.webhooks):
        where: Where = ("outputs", "webhooks", index)
        yield from checked_secret(hook.secret, (*where, "secret"))
        if _scheme(hook.url) not in WEBHOOK_SCHEMES:
            yield (*where, "url"), "a webhook is https://host/path or http://host/path, without a name or password"
    for index, people in enumerate(outputs.messages):
        yield from checked_secret(people.address, ("outputs", "messages", index, "address"))


def _scheme(address: str) -> str:
    """The scheme of an address; empty for what is none."""
    try:
        return SafeUrl(address).scheme if address.isascii() else ""
    except SettingsRefused:
        return ""
