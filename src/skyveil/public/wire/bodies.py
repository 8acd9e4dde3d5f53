"""Every message as the bytes behind its type number, and back; the table of types is closed. Public side."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, final, get_args

from skyveil.core.errors import WorkerFailed
from skyveil.core.stills import StillFormat
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.types import RedactedPacket
from skyveil.public.wire.documents import (
    audio_header_json,
    calibrated_json,
    failed_json,
    finished_json,
    header_json,
    progress_json,
    read_audio_header,
    read_calibrated,
    read_failed,
    read_finished,
    read_header,
    read_progress,
    read_suspects,
    read_walled,
    suspects_json,
    walled_json,
)
from skyveil.public.wire.fields import Json
from skyveil.public.wire.messages import (
    Calibrated,
    Failed,
    Finished,
    Message,
    Progress,
    Suspects,
    Walled,
)

PACKET_LIMIT: Final = 64 << 20
"""Bytes of the largest packet: one 8K key frame at the best quality has under 40 MiB."""
STILL_LIMIT: Final = 256 << 20
TEXT_LIMIT: Final = 8 << 20
"""Bytes of the largest JSON body: a day of one share per second has under 1 MiB."""
_PACKET = struct.Struct("!qqqIIB")
_AUDIO_PACKET = struct.Struct("!qqII")
_STILL = struct.Struct("!BII")
_STILL_FORMATS: Final = get_args(StillFormat)


def packed(message: Message) -> tuple[int, bytes, bytes]:
    """Type number, body and the payload behind it, which is not copied."""
    match message:
        case StreamHeader():
            return 1, checked(header_json(message), read_header), b""
        case RedactedPacket():
            base = message.time_base
            times = (message.pts, message.dts, message.duration, base.numerator, base.denominator)
            return 2, _struct(_PACKET, *times, int(message.keyframe)), message.data
        case StillImage():
            number = _STILL_FORMATS.index(message.format)
            return 3, _struct(_STILL, number, message.width, message.height), message.data
        case AudioHeader():
            return 4, checked(audio_header_json(message), read_audio_header), b""
        case AudioPacket():
            base = message.time_base
            fields = (message.pts, message.duration, base.numerator, base.denominator)
            return 5, _struct(_AUDIO_PACKET, *fields), message.data
        case Progress():
            return 6, checked(progress_json(message), read_progress), b""
        case Suspects():
            return 7, checked(suspects_json(message), read_suspects), b""
        case Finished():
            return 8, checked(finished_json(message), read_finished), b""
        case Failed():
            return 9, checked(failed_json(message), read_failed), b""
        case Walled():
            return 10, checked(walled_json(message), read_walled), b""
        case Calibrated():
            return 17, checked(calibrated_json(message), read_calibrated), b""
    # Imported here: who writes files has no use for cameras, and what is said of them takes 20 ms of CPU to import.
    from skyveil.public.wire.cameras import packed_of_camera

    return packed_of_camera(message)


def type_of(number: int) -> "MessageType | None":
    """The type of message that has this number; None where none has."""
    if number in _OF_FILES or number not in _OF_CAMERAS:
        return _OF_FILES.get(number)
    from skyveil.public.wire.cameras import TYPES

    return TYPES[number]


def _struct(layout: struct.Struct, *values: int) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise WorkerFailed(f"a number does not fit its field on the wire: {error}") from error


def checked(fields: dict[str, Json], unpack: Callable[[bytes], Message]) -> bytes:
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
class MessageType:
    """How messages of one type are read. limit: bytes of the largest body."""

    name: str
    limit: int
    unpack: Callable[[bytes], Message]


_OF_FILES: Final = {
    1: MessageType("StreamHeader", TEXT_LIMIT, read_header),
    2: MessageType("RedactedPacket", PACKET_LIMIT, _packet),
    3: MessageType("StillImage", STILL_LIMIT, _still),
    4: MessageType("AudioHeader", TEXT_LIMIT, read_audio_header),
    5: MessageType("AudioPacket", PACKET_LIMIT, _audio_packet),
    6: MessageType("Progress", TEXT_LIMIT, read_progress),
    7: MessageType("Suspects", TEXT_LIMIT, read_suspects),
    8: MessageType("Finished", TEXT_LIMIT, read_finished),
    9: MessageType("Failed", TEXT_LIMIT, read_failed),
    10: MessageType("Walled", TEXT_LIMIT, read_walled),
    17: MessageType("Calibrated", TEXT_LIMIT, read_calibrated),
}
_OF_CAMERAS: Final = frozenset({11, 12, 13, 14, 15, 16, 18, 19})
"""Message types by their number, and the numbers of those in `cameras`: the two tables are closed."""
