"""Every key of `skyveil.yaml`, with its default, which is the safe one. App; checked by pydantic.

Plain frozen dataclasses: pydantic reads their annotations, and mypy reads them too.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, TypeAlias, final

from pydantic import Field

from skyveil.app.config.networks import DensityNetwork as DensityNetwork
from skyveil.app.config.networks import DensityUse as DensityUse
from skyveil.app.config.streams import PushOutput as PushOutput
from skyveil.app.config.streams import RestreamOutput as RestreamOutput
from skyveil.app.config.words import STRICT as STRICT
from skyveil.app.config.words import Id as Id
from skyveil.app.config.words import Secret as Secret
from skyveil.core.camera import Transport, ZoneUse
from skyveil.core.settings import FillName, Mode, Mount

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
Target: TypeAlias = Literal["face", "head", "person", "plate"]


@final
@dataclass(frozen=True, slots=True)
class Mask:
    """A part of the picture that is always covered."""

    __pydantic_config__: ClassVar = STRICT
    name: Text
    points: Annotated[
        tuple[tuple[Share, Share], ...],
        Field(min_length=3, max_length=64, description="corners as shares of width and height, 0 to 1"),
    ]


@final
@dataclass(frozen=True, slots=True)
class Thresholds:
    """Densities at which the levels of a zone begin, persons per square metre, and how long they must hold."""

    __pydantic_config__: ClassVar = STRICT
    yellow: Annotated[float, Field(gt=0, le=12)]
    orange: Annotated[float, Field(gt=0, le=12)]
    red: Annotated[float, Field(gt=0, le=12)]
    critical: Annotated[float, Field(gt=0, le=12)]
    rise_s: Annotated[float, Field(ge=0, le=600, description="a level begins when its density has held so long")] = 5.0
    fall_s: Annotated[float, Field(ge=0, le=3600, description="and ends when it has been gone so long")] = 60.0


@final
@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the floor that is counted and measured, drawn where the floor is seen in the picture."""

    __pydantic_config__: ClassVar = STRICT
    id: Annotated[Id, Field(description="short name, used in addresses and tables")]
    name: Annotated[Text, Field(description="what people call it")]
    points: Annotated[
        tuple[tuple[Share, Share], ...],
        Field(min_length=3, max_length=32, description="corners on the floor, as shares of width and height"),
    ]
    kind: Annotated[ZoneUse, Field(description="decides which thresholds hold when none are given")] = "walkway"
    way: Annotated[
        tuple[tuple[Share, Share], tuple[Share, Share]] | None,
        Field(description="two points: people should go from the first to the second"),
    ] = None
    thresholds: Thresholds | None = None


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A line on the floor whose crossings are counted; forward is to the left of who looks along it."""

    __pydantic_config__: ClassVar = STRICT
    id: Annotated[Id, Field(description="short name, used in addresses and tables")]
    name: Annotated[Text, Field(description="what people call it")]
    points: Annotated[
        tuple[tuple[Share, Share], tuple[Share, Share]],
        Field(description="its two ends on the floor, as shares of width and height"),
    ]


@final
@dataclass(frozen=True, slots=True)
class Retention:
    """How long recordings are kept."""

    __pydantic_config__: ClassVar = STRICT
    hours: Annotated[float, Field(ge=0.1, le=24 * 366, description="age at which a recording is deleted")] = 72.0
    gigabytes: Annotated[float | None, Field(gt=0, description="the oldest goes first above this")] = None


@final
@dataclass(frozen=True, slots=True)
class Defaults:
    """What cameras use where they say nothing themselves."""

    __pydantic_config__: ClassVar = STRICT
    transport: Transport | None = None
    mount: Mount | None = None
    targets: tuple[Target, ...] | None = None
    mode: Mode | None = None
    fill: FillName | None = None
    hindsight: Annotated[int | None, Field(ge=0, le=25)] = None
    max_fps: Annotated[float | None, Field(ge=0.2, le=120)] = None
    record: bool | None = None
    retention: Retention | None = None
    username: str | None = None
    password: Secret | None = None


@final
@dataclass(frozen=True, slots=True)
class Camera:
    """One camera."""

    __pydantic_config__: ClassVar = STRICT
    id: Annotated[Id, Field(description="short name, used in addresses and folders")]
    name: Annotated[Text, Field(description="what people call it")]
    purpose: Annotated[Text, Field(description="why this camera is here, in one sentence; shown and audited")]
    source: Annotated[
        str,
        Field(
            max_length=2000,
            description="rtsp://host/path, rtsps://, http://, https://, file:///video.mp4; without a password",
        ),
    ]
    place: Annotated[str, Field(max_length=200)] = ""
    site: Id | None = None
    group: Id | None = None
    position: Annotated[tuple[Share, Share] | None, Field(description="on the site's plan, 0 to 1")] = None
    username: Annotated[str | None, Field(max_length=200)] = None
    password: Secret | None = None
    transport: Transport | None = None
    mount: Annotated[Mount | None, Field(description="overhead, fisheye and vehicle cover whole persons")] = None
    targets: Annotated[tuple[Target, ...] | None, Field(min_length=1, description="what is covered")] = None
    mode: Mode | None = None
    fill: FillName | None = None
    masks: Annotated[tuple[Mask, ...], Field(max_length=64)] = ()
    hindsight: Annotated[
        int | None, Field(ge=0, le=25, description="frames that wait to be covered by a later look")
    ] = None
    max_fps: Annotated[float | None, Field(ge=0.2, le=120, description="pictures above this rate are dropped")] = None
    record: bool | None = None
    retention: Retention | None = None
    verify_tls: bool = True
    ca_file: Path | None = None
    calibration: Annotated[
        Path | None, Field(description="file of `skyveil calibrate`; without it there are counts, no densities")
    ] = None
    zones: Annotated[tuple[Zone, ...], Field(max_length=32)] = ()
    lines: Annotated[tuple[Line, ...], Field(max_length=32)] = ()
    density_network: DensityUse | None = None
    restream: Annotated[bool, Field(description="sent on by RTSP; every target must be covered then")] = False
    restream_reason: Annotated[
        str | None,
        Field(min_length=10, max_length=200, description="why less than every target is enough for that; audited"),
    ] = None
    enabled: bool = True


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A site: cameras of one place, and its plan."""

    __pydantic_config__: ClassVar = STRICT
    id: Id
    name: Text
    plan: Annotated[Path | None, Field(description="a picture of the floor plan")] = None
    timezone: Annotated[
        str | None, Field(max_length=64, description="of days and times of its recordings; the server's when empty")
    ] = None


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Cameras that are shown together."""

    __pydantic_config__: ClassVar = STRICT
    id: Id
    name: Text


@final
@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate and key of the server, as PEM files."""

    __pydantic_config__: ClassVar = STRICT
    certificate: Path
    key: Path


@final
@dataclass(frozen=True, slots=True)
class OidcRole:
    """Who has this value in the claim gets this role, and these cameras where the role needs them."""

    __pydantic_config__: ClassVar = STRICT
    value: Annotated[str, Field(min_length=1, max_length=200)]
    role: Literal["viewer", "operator", "privacy_officer", "admin"]
    cameras: Annotated[tuple[str, ...], Field(max_length=1000, description="ids, or `*` for all")] = ()


@final
@dataclass(frozen=True, slots=True)
class Oidc:
    """An identity provider (OpenID Connect) through which people log in; needs the extra `oidc`."""

    __pydantic_config__: ClassVar = STRICT
    issuer: Annotated[str, Field(max_length=500, description="https://host/path, as the provider names itself")]
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret: Secret
    address: Annotated[str, Field(max_length=500, description="of this console: https://host; browsers come back here")]
    roles: Annotated[
        tuple[OidcRole, ...], Field(min_length=1, max_length=100, description="the first that fits counts")
    ]
    claim: Annotated[str, Field(min_length=1, max_length=100, description="where groups stand in the identity")] = (
        "groups"
    )


@final
@dataclass(frozen=True, slots=True)
class C2pa:
    """The credential that exports are signed with (C2PA), as PEM files; needs the extra `c2pa`."""

    __pydantic_config__: ClassVar = STRICT
    certificate: Annotated[Path, Field(description="with those of its authorities behind it")]
    key: Annotated[Path, Field(description="without a passphrase, readable by its owner only")]


@final
@dataclass(frozen=True, slots=True)
class Server:
    """The server itself."""

    __pydantic_config__: ClassVar = STRICT
    bind: Annotated[str, Field(description="address to listen on; only loopback until there is an account")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    data: Annotated[Path, Field(description="recordings and the database")] = Path("skyveil-data")
    keys: Annotated[Path, Field(description="keys of recordings; never inside `data` or its backups")] = Path(
        "skyveil-keys"
    )
    database: Annotated[str | None, Field(description="postgresql://user@host/name; SQLite when empty")] = None
    secrets: Annotated[Path, Field(description="file with passwords of cameras, readable by its owner only")] = Path(
        "secrets.yaml"
    )
    timezone: Annotated[
        str, Field(max_length=64, description="such as Europe/Zurich; of quiet hours, and of sites that say none")
    ] = "UTC"
    tls: Tls | None = None
    oidc: Oidc | None = None
    c2pa: C2pa | None = None
    behind_tls_proxy: Annotated[
        bool, Field(description="a proxy in front speaks TLS; who asks is the last address of its X-Forwarded-For")
    ] = False
    session_hours: Annotated[float, Field(ge=0.1, le=24 * 30)] = 12.0
    audit_days: Annotated[float, Field(ge=1, le=3660)] = 365.0
    disk_floor_gigabytes: Annotated[float, Field(ge=0.1, description="recording stops below this free space")] = 2.0


@final
@dataclass(frozen=True, slots=True)
class MqttOutput:
    """A broker that is told the health of every camera."""

    __pydantic_config__: ClassVar = STRICT
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$", description="name or address of the broker")]
    port: Annotated[int | None, Field(ge=1, le=65535, description="8883, or 1883 without TLS, when empty")] = None
    tls: bool = True
    ca_file: Annotated[Path | None, Field(description="authorities to trust instead of the system's")] = None
    username: Annotated[str | None, Field(max_length=200)] = None
    password: Secret | None = None
    prefix: Annotated[
        str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", description="first part of topics")
    ] = "skyveil"
    home_assistant: Annotated[
        str | None,
        Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$", description="its discovery prefix; no discovery for null"),
    ] = "homeassistant"


@final
@dataclass(frozen=True, slots=True)
class WebhookOutput:
    """An address that is told every change of a camera's health."""

    __pydantic_config__: ClassVar = STRICT
    url: Annotated[str, Field(max_length=2000, description="https://host/path, or http:// inside one machine")]
    secret: Annotated[Secret, Field(description="key of the signature")]
    ca_file: Annotated[Path | None, Field(description="authorities to trust instead of the system's")] = None


@final
@dataclass(frozen=True, slots=True)
class MessageOutput:
    """People who are told of alarms by mail, chat, SMS and what else Apprise knows; needs the extra `messages`."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[Text, Field(description="what people call it; shown where it fails")]
    address: Annotated[Secret, Field(description="an address of Apprise, such as mailtos://user:password@host")]
    from_step: Annotated[
        int, Field(ge=0, le=100, description="told only when an alarm was escalated so often; 0 is at once")
    ] = 0


@final
@dataclass(frozen=True, slots=True)
class Outputs:
    """Where health and alarms are told, and from where redacted streams may be pulled."""

    __pydantic_config__: ClassVar = STRICT
    restream: RestreamOutput | None = None
    push: PushOutput | None = None
    mqtt: MqttOutput | None = None
    webhooks: Annotated[tuple[WebhookOutput, ...], Field(max_length=16)] = ()
    messages: Annotated[tuple[MessageOutput, ...], Field(max_length=16)] = ()


@final
@dataclass(frozen=True, slots=True)
class Numbers:
    """How long numbers are kept, and whether the public is told any. Exact numbers are kept for 24 hours."""

    __pydantic_config__: ClassVar = STRICT
    public: Annotated[bool, Field(description="give numbers with noise to everybody, at /open/v1")] = False
    stay_minutes: Annotated[
        int, Field(ge=1, le=1440, description="longest visit that public numbers protect; longer means more noise")
    ] = 60
    staff_days: Annotated[float, Field(ge=1, le=3660)] = 400.0
    public_days: Annotated[float, Field(ge=1, le=36600)] = 3660.0


@final
@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which messages of what is below red wait, in the server's time zone."""

    __pydantic_config__: ClassVar = STRICT
    start: Annotated[str, Field(pattern=CLOCK, description="such as 22:00")]
    end: Annotated[str, Field(pattern=CLOCK, description="such as 06:00, the next morning where it is earlier")]


@final
@dataclass(frozen=True, slots=True)
class Alarms:
    """How alarms are told."""

    __pydantic_config__: ClassVar = STRICT
    escalate_s: Annotated[
        float, Field(ge=10, le=3600, description="red that nobody takes on for so long is told to the next step")
    ] = 120.0
    quiet: Quiet | None = None
    link: Annotated[
        str, Field(max_length=200, pattern=r"^(https?://[A-Za-z0-9.:-]+)?$", description="the console's address")
    ] = ""
    sender: Annotated[str, Field(pattern=r"^[A-Za-z0-9@._-]{1,100}$", description="who sends messages of CAP 1.2")] = (
        "skyveil"
    )


@final
@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    __pydantic_config__: ClassVar = STRICT
    version: Literal[1]
    server: Server = field(default_factory=Server)
    sites: tuple[Place, ...] = ()
    groups: tuple[Group, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    outputs: Outputs = field(default_factory=Outputs)
    numbers: Numbers = field(default_factory=Numbers)
    alarms: Alarms = field(default_factory=Alarms)
    density_networks: Annotated[tuple[DensityNetwork, ...], Field(max_length=16)] = ()
    cameras: tuple[Camera, ...] = ()
