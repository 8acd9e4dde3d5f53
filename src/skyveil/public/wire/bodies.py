"""Every message as the bytes behind its type number, and back; the table of types is closed. Public side."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, final, get_args

from skyveil.core.errors import WorkerFailed
from skyveil.core.stills import StillFormat
from skyveil.public.aggregate import Aggregate
from skyveil.public.density_map import DensityMap
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.ruler_report import RulerReport
from skyveil.public.types import RedactedPacket
from skyveil.public.wire.documents import (
    audio_header_json,
    calibrated_json,
    dial_json,
    dial_ports_json,
    epoch_json,
    failed_json,
    finished_json,
    header_json,
    progress_json,
    pulse_json,
    read_audio_header,
    read_calibrated,
    read_dial,
    read_dial_ports,
    read_epoch,
    read_failed,
    read_finished,
    read_header,
    read_progress,
    read_pulse,
    read_suspects,
    read_view_seen,
    read_walled,
    suspects_json,
    view_seen_json,
    walled_json,
)
from skyveil.public.wire.fields import Json
from skyveil.public.wire.messages import (
    Calibrated,
    Dial,
    DialPorts,
    Epoch,
    Failed,
    Finished,
    Message,
    Progress,
    Pulse,
    Suspects,
    ViewSeen,
    Walled,
)
from skyveil.public.wire.numbers import (
    aggregate_json,
    map_json,
    read_aggregate,
    read_map,
    read_ruler_report,
    ruler_report_json,
)

PACKET_LIMIT: Final = 64 << 20
"""Bytes of the largest packet: one 8K key frame at the best quality has under 40 MiB."""
STILL_LIMIT: Final = 256 << 20
TEXT_LIMIT: Final = 8 << 20
"""Bytes of the largest JSON body: a day of one share per second has under 1 MiB."""
VIEW_LIMIT: Final = 4 << 10
"""Bytes of what a view is known again by: two times 96 pairs of whole numbers have under 3 KiB."""
RULERS_LIMIT: Final = 512
"""Bytes of how far a camera is with people as rulers: nine numbers and a word."""
_PACKET = struct.Struct("!qqqIIB")
_AUDIO_PACKET = struct.Struct("!qqII")
_STILL = struct.Struct("!BII")
_STILL_FORMATS: Final = get_args(StillFormat)


def packed(message: Message) -> tuple[int, bytes, bytes]:
    """Type number, body and the payload behind it, which is not copied."""
    match message:
        case StreamHeader():
            return 1, _checked(header_json(message), read_header), b""
        case RedactedPacket():
            base = message.time_base
            times = (message.pts, message.dts, message.duration, base.numerator, base.denominator)
            return 2, _struct(_PACKET, *times, int(message.keyframe)), message.data
        case StillImage():
            number = _STILL_FORMATS.index(message.format)
            return 3, _struct(_STILL, number, message.width, message.height), message.data
        case AudioHeader():
            return 4, _checked(audio_header_json(message), read_audio_header), b""
        case AudioPacket():
            base = message.time_base
            fields = (message.pts, message.duration, base.numerator, base.denominator)
            return 5, _struct(_AUDIO_PACKET, *fields), message.data
        case Progress():
            return 6, _checked(progress_json(message), read_progress), b""
        case Suspects():
            return 7, _checked(suspects_json(message), read_suspects), b""
        case Finished():
            return 8, _checked(finished_json(message), read_finished), b""
        case Failed():
            return 9, _checked(failed_json(message), read_failed), b""
        case Walled():
            return 10, _checked(walled_json(message), read_walled), b""
        case Dial():
            return 11, _checked(dial_json(message), read_dial), b""
        case DialPorts():
            return 12, _checked(dial_ports_json(message), read_dial_ports), b""
        case Pulse():
            return 13, _checked(pulse_json(message), read_pulse), b""
        case Epoch():
            return 14, _checked(epoch_json(message), read_epoch), b""
        case Aggregate():
            return 15, _checked(aggregate_json(message), read_aggregate), b""
        case DensityMap():
            return 16, _checked(map_json(message), read_map), b""
        case Calibrated():
            return 17, _checked(calibrated_json(message), read_calibrated), b""
        case ViewSeen():
            return 18, _checked(view_seen_json(message), read_view_seen), b""
        case RulerReport():
            return 19, _checked(ruler_report_json(message), read_ruler_report), b""


def _struct(layout: struct.Struct, *values: int) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise WorkerFailed(f"a number does not fit its field on the wire: {error}") from error


def _checked(fields: dict[str, Json], unpack: Callable[[bytes], Message]) -> bytes:
    """The JSON body, read back once so that no message leaves that the reader would refuse."""
    try:
        body = json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise WorkerFailed(f"a number on the wire is not finite: {error}") from error
    unpack(body)
    return body


def _packet(body: bytes) -> RedactedPacket:
    pts, dts, duration, numerator, denominator, key = _unstruct(_PACKET, body)
    if key > 1 or duration < 0:
        raise WorkerFailed("the worker sent a packet with an impossible flag or duration")
    base = _fraction(numerator, denominator)
    return RedactedPacket(body[_PACKET.size :], pts, dts, duration, base, bool(key))


def _audio_packet(body: bytes) -> AudioPacket:
    pts, duration, numerator, denominator = _unstruct(_AUDIO_PACKET, body)
    if duration < 0:
        raise WorkerFailed("the worker sent an audio packet with an impossible duration")
    return AudioPacket(body[_AUDIO_PACKET.size :], pts, duration, _fraction(numerator, denominator))


def _still(body: bytes) -> StillImage:
    number, width, height = _unstruct(_STILL, body)
    if number >= len(_STILL_FORMATS) or not 1 <= width <= 1 << 20 or not 1 <= height <= 1 << 20:
        raise WorkerFailed("the worker sent a picture of an unknown format or impossible size")
    return StillImage(_STILL_FORMATS[number], width, height, body[_STILL.size :])


def _unstruct(layout: struct.Struct, body: bytes) -> tuple[int, ...]:
    if len(body) < layout.size:
        raise WorkerFailed(f"the worker sent a body of {len(body)} bytes, at least {layout.size} expected")
    return layout.unpack_from(body)


def _fraction(numerator: int, denominator: int) -> Fraction:
    if not 1 <= numerator <= 2**31 - 1 or not 1 <= denominator <= 2**31 - 1:
        raise WorkerFailed(f"the worker sent an impossible time base {numerator}/{denominator}")
    return Fraction(numerator, denominator)


@final
@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    limit: int
    unpack: Callable[[bytes], Message]


TYPES: Final = {
    1: _Type("StreamHeader", TEXT_LIMIT, read_header),
    2: _Type("RedactedPacket", PACKET_LIMIT, _packet),
    3: _Type("StillImage", STILL_LIMIT, _still),
    4: _Type("AudioHeader", TEXT_LIMIT, read_audio_header),
    5: _Type("AudioPacket", PACKET_LIMIT, _audio_packet),
    6: _Type("Progress", TEXT_LIMIT, read_progress),
    7: _Type("Suspects", TEXT_LIMIT, read_suspects),
    8: _Type("Finished", TEXT_LIMIT, read_finished),
    9: _Type("Failed", TEXT_LIMIT, read_failed),
    10: _Type("Walled", TEXT_LIMIT, read_walled),
    11: _Type("Dial", TEXT_LIMIT, read_dial),
    12: _Type("DialPorts", TEXT_LIMIT, read_dial_ports),
    13: _Type("Pulse", TEXT_LIMIT, read_pulse),
    14: _Type("Epoch", TEXT_LIMIT, read_epoch),
    15: _Type("Aggregate", TEXT_LIMIT, read_aggregate),
    16: _Type("DensityMap", TEXT_LIMIT, read_map),
    17: _Type("Calibrated", TEXT_LIMIT, read_calibrated),
    18: _Type("ViewSeen", VIEW_LIMIT, read_view_seen),
    19: _Type("RulerReport", RULERS_LIMIT, read_ruler_report),
}
"""Message types by their number, with the largest body of each."""
