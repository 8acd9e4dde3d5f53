"""What a camera's process says on the pipe beside what every worker says, and how it is read. Public side.

Apart from the rest because who writes files has no use for it. Each message is one JSON object with a closed schema.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final

from skyveil.core.camera import MOST_CORNERS, MOST_SCENES, SHARE, Corners
from skyveil.core.health import CameraState, Cause
from skyveil.public.aggregate import Aggregate
from skyveil.public.density_map import DensityMap
from skyveil.public.ruler_report import RulerReport
from skyveil.public.wire.bodies import TEXT_LIMIT, MessageType, checked
from skyveil.public.wire.fields import Fields, Json, impossible, integer, listed, number, two
from skyveil.public.wire.numbers import (
    aggregate_json,
    map_json,
    read_aggregate,
    read_map,
    read_ruler_report,
    ruler_report_json,
)

VIEW_LIMIT: Final = 4 << 10
"""Bytes of what a view is known again by: two times 96 pairs of whole numbers have under 3 KiB."""
RULERS_LIMIT: Final = 512
"""Bytes of how far a camera is with people as rulers: nine numbers and a word."""
_COUNT: Final = 2**53
_DAYS_S: Final = 10.0 * 366 * 86400
_CLOCK_S: Final = 1e11
_TRANSPORTS: Final[dict[str, Literal["tcp", "udp"]]] = {"tcp": "tcp", "udp": "udp"}
_STATES: Final = {state.value: state for state in CameraState}
_CAUSES: Final = {cause.value: cause for cause in Cause}


@final
@dataclass(frozen=True, slots=True)
class Dial:
    """A camera process asks for connection `number` to its camera; it can not make one itself.

    The parent answers on the control socket, with one connected TCP socket, or two UDP sockets for RTP and RTCP.
    """

    number: int
    transport: Literal["tcp", "udp"]


@final
@dataclass(frozen=True, slots=True)
class DialPorts:
    """The ports that the camera told for the UDP sockets of `number`, so that the parent can bind them to it."""

    number: int
    rtp_port: int
    rtcp_port: int


@final
@dataclass(frozen=True, slots=True)
class Pulse:
    """A camera process is alive, and how it does; at least once a second. Fields as in `core.health.CameraHealth`.

    behind_s: seconds from a picture's arrival to the moment it left, the newest one.
    """

    state: CameraState
    cause: Cause
    fps: float
    behind_s: float
    frames: int
    dropped: int
    whole: int
    rss_bytes: int
    descriptors: int
    clock_offset_s: float | None


@final
@dataclass(frozen=True, slots=True)
class Epoch:
    """The wall time (unix seconds) of a presentation time of the live stream; sent again when it moves by 0.5 s."""

    pts: int
    wall_s: float


@final
@dataclass(frozen=True, slots=True)
class ViewSeen:
    """By what a camera's view is known again: places of corners, as calibrated and as seen last, and nothing of what is
    seen there (docs/adr/0018-known-views.md)."""

    scenes: tuple[Corners, ...]


CameraMessage: TypeAlias = Dial | DialPorts | Pulse | Epoch | Aggregate | DensityMap | ViewSeen | RulerReport


def packed_of_camera(message: CameraMessage) -> tuple[int, bytes, bytes]:
    """Type number, body and an empty payload."""
    match message:
        case Dial():
            return 11, checked(dial_json(message), read_dial), b""
        case DialPorts():
            return 12, checked(dial_ports_json(message), read_dial_ports), b""
        case Pulse():
            return 13, checked(pulse_json(message), read_pulse), b""
        case Epoch():
            return 14, checked(epoch_json(message), read_epoch), b""
        case Aggregate():
            return 15, checked(aggregate_json(message), read_aggregate), b""
        case DensityMap():
            return 16, checked(map_json(message), read_map), b""
        case ViewSeen():
            return 18, checked(view_seen_json(message), read_view_seen), b""
        case RulerReport():
            return 19, checked(ruler_report_json(message), read_ruler_report), b""


def dial_json(message: Dial) -> dict[str, Json]:
    """The wish for a connection, as JSON."""
    return {"number": message.number, "transport": message.transport}


def read_dial(body: bytes) -> Dial:
    """The wish for a connection, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    transport = _TRANSPORTS.get(str(fields.take("transport")))
    if transport is None:
        raise impossible("transport")
    message = Dial(fields.integer("number", 0, _COUNT), transport)
    fields.end()
    return message


def dial_ports_json(message: DialPorts) -> dict[str, Json]:
    """The camera's UDP ports, as JSON."""
    return {"number": message.number, "rtp_port": message.rtp_port, "rtcp_port": message.rtcp_port}


def read_dial_ports(body: bytes) -> DialPorts:
    """The camera's UDP ports, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    ports = (fields.integer("rtp_port", 1, 65535), fields.integer("rtcp_port", 1, 65535))
    message = DialPorts(fields.integer("number", 0, _COUNT), *ports)
    fields.end()
    return message


def pulse_json(message: Pulse) -> dict[str, Json]:
    """A sign of life, as JSON."""
    return {
        "state": message.state.value,
        "cause": message.cause.value,
        "fps": message.fps,
        "behind_s": message.behind_s,
        "frames": message.frames,
        "dropped": message.dropped,
        "whole": message.whole,
        "rss_bytes": message.rss_bytes,
        "descriptors": message.descriptors,
        "clock_offset_s": message.clock_offset_s,
    }


def read_pulse(body: bytes) -> Pulse:
    """A sign of life, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    state, cause = _STATES.get(str(fields.take("state"))), _CAUSES.get(str(fields.take("cause")))
    if state is None or cause is None:
        raise impossible("state or cause")
    offset = fields.take("clock_offset_s")
    message = Pulse(
        state=state,
        cause=cause,
        fps=fields.number("fps", 0, 10_000),
        behind_s=fields.number("behind_s", 0, _DAYS_S),
        frames=fields.integer("frames", 0, _COUNT),
        dropped=fields.integer("dropped", 0, _COUNT),
        whole=fields.integer("whole", 0, _COUNT),
        rss_bytes=fields.integer("rss_bytes", 0, _COUNT),
        descriptors=fields.integer("descriptors", 0, _COUNT),
        clock_offset_s=None if offset is None else number(offset, "clock_offset_s", -_CLOCK_S, _CLOCK_S),
    )
    fields.end()
    return message


def epoch_json(message: Epoch) -> dict[str, Json]:
    """The wall time of a presentation time, as JSON."""
    return {"pts": message.pts, "wall_s": message.wall_s}


def read_epoch(body: bytes) -> Epoch:
    """The wall time of a presentation time, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    message = Epoch(fields.integer("pts", -_COUNT, _COUNT), fields.number("wall_s", 0, _CLOCK_S))
    fields.end()
    return message


def view_seen_json(message: ViewSeen) -> dict[str, Json]:
    """By what a view is known again, as JSON."""
    return {"scenes": [[list(corner) for corner in scene] for scene in message.scenes]}


def read_view_seen(body: bytes) -> ViewSeen:
    """By what a view is known again, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    message = ViewSeen(tuple(_corners(scene) for scene in fields.items("scenes", MOST_SCENES)))
    fields.end()
    return message


def _corners(value: Json) -> Corners:
    corners = [two(corner, "scenes") for corner in listed(value, "scenes", MOST_CORNERS)]
    return tuple((integer(x, "scenes", 0, SHARE), integer(y, "scenes", 0, SHARE)) for x, y in corners)


TYPES: Final = {
    11: MessageType("Dial", TEXT_LIMIT, read_dial),
    12: MessageType("DialPorts", TEXT_LIMIT, read_dial_ports),
    13: MessageType("Pulse", TEXT_LIMIT, read_pulse),
    14: MessageType("Epoch", TEXT_LIMIT, read_epoch),
    15: MessageType("Aggregate", TEXT_LIMIT, read_aggregate),
    16: MessageType("DensityMap", TEXT_LIMIT, read_map),
    18: MessageType("ViewSeen", VIEW_LIMIT, read_view_seen),
    19: MessageType("RulerReport", RULERS_LIMIT, read_ruler_report),
}
"""Message types by their number."""
