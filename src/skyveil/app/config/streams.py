"""Where redacted streams are sent on, in `skyveil.yaml`. App."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, final

from pydantic import Field

from skyveil.app.config.words import STRICT, Secret


@final
@dataclass(frozen=True, slots=True)
class RestreamOutput:
    """An RTSP server from which a VMS may pull the redacted streams of cameras with `restream: true`."""

    __pydantic_config__: ClassVar = STRICT
    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    password: Secret
    bind: Annotated[str, Field(max_length=253, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8554
    tls: Annotated[bool, Field(description="rtsps:// with the certificate of `server.tls`")] = False


@final
@dataclass(frozen=True, slots=True)
class PushOutput:
    """An RTSP server to which the redacted streams of cameras with `restream: true` are published."""

    __pydantic_config__: ClassVar = STRICT
    address: Annotated[str, Field(max_length=2000, description="rtsp://host/path or rtsps://; `/CAMERA` is added")]
    username: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = None
    password: Secret | None = None
    ca_file: Annotated[Path | None, Field(description="authorities to trust instead of the system's")] = None
