"""What no single value of an output shows. App."""

from collections.abc import Iterator
from typing import TypeAlias

from skyveil.app.config.models import Outputs, Secret
from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import SafeUrl
from skyveil.public.notify.webhook import SCHEMES as WEBHOOK_SCHEMES
from skyveil.public.restream.push import SCHEMES as PUSH_SCHEMES

Where: TypeAlias = tuple[str | int, ...]
"""The way to a value in a configuration: keys, and places in lists."""


def checked_secret(reference: Secret | None, where: Where) -> Iterator[tuple[Where, str]]:
    """What is wrong with where a password stands."""
    if reference is not None and (reference.secret is None) == (reference.env is None):
        yield where, "a password is `{secret: NAME}` or `{env: NAME}`"


def checked_outputs(outputs: Outputs, *, has_tls: bool) -> Iterator[tuple[Where, str]]:
    """What is wrong with where health is told and streams are sent."""
    if outputs.restream is not None:
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
