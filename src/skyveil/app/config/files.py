"""Certificates and folders that a configuration names: whether they can be used, before they are needed. App."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from skyveil.app.config.models import Config, Server
from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import SafeUrl


def refuse_unusable(config: Config) -> None:
    """Raise SettingsRefused, a line for each, for certificates and folders that can not be used. Nothing is made."""
    _refuse([*_of_server(config.server), *_of_authorities(config)])


def refuse_unusable_server(server: Server) -> None:
    """The same for what the server itself needs: a camera's certificate must not keep the others from starting."""
    _refuse(list(_of_server(server)))


def refuse_unusable_tls(server: Server) -> None:
    """The same for its certificate, where streams that are sent on begin to be encrypted with it."""
    _refuse(list(_of_certificate(server)))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SettingsRefused("\n".join(problems))


def _of_server(server: Server) -> Iterator[str]:
    for key, folder in (("data", server.data), ("keys", server.keys)):
        try:
            there = next(one for one in (folder, *folder.parents) if one.exists())
        except OSError as error:
            yield _told(f"server.{key}", folder, error)
        else:
            if not there.is_dir():
                yield f"`server.{key}`: {there} is no folder: name one, or a place where one can be made"
    yield from _of_certificate(server)


def _of_certificate(server: Server) -> Iterator[str]:
    if server.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # With a passphrase, so that nobody is asked for one: nobody could be when the service starts.
            context.load_cert_chain(server.tls.certificate, server.tls.key, password="")
        except (OSError, ValueError) as error:
            yield _told("server.tls", f"{server.tls.certificate} with {server.tls.key}", error)


def _of_authorities(config: Config) -> Iterator[str]:
    outputs = config.outputs
    named = [
        (f"ca_file` of the camera `{one.id}", one.ca_file)
        for one in config.cameras
        if one.enabled and SafeUrl(one.source).scheme in ("rtsps", "https")
    ]
    named += [] if outputs.push is None else [("outputs.push.ca_file", outputs.push.ca_file)]
    named += [] if outputs.mqtt is None else [("outputs.mqtt.ca_file", outputs.mqtt.ca_file)]
    named += [(f"outputs.webhooks.{index}.ca_file", one.ca_file) for index, one in enumerate(outputs.webhooks)]
    for key, path in named:
        if path is not None:
            try:
                ssl.create_default_context(cafile=path)
            except OSError as error:
                yield _told(key, path, error)


def _told(key: str, what: Path | str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return f"`{key}`: {what} can not be used: {why}"
