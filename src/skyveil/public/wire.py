"""The messages on the pipe between the worker and the writer. Public side.

They are the only thing that crosses the process wall.

A message is `length (4 bytes, big-endian, of all that follows) | version (1) | type (1) | body`. Packets and pictures
have a packed body, everything else one JSON object with a closed schema. Nothing is pickled. No type has a field for
raw pixels, file names, ids of people or where a person is; only `Suspects`, which a verify job sends about media
that is redacted already, holds boxes.

The reader trusts nobody: the worker has parsed a file from a stranger. Whatever is not a message raises WorkerFailed.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Final, TypeAlias, final, get_args

from skyveil.core import errors
from skyveil.core.errors import SkyveilError, WorkerFailed
from skyveil.core.kinds import Kind
from skyveil.core.settings import Codec
from skyveil.public.encode.header import (
    SIZE_LIMIT_PX,
    AudioCodec,
    AudioHeader,
    AudioPacket,
    StillFormat,
    StillImage,
    StreamHeader,
)
from skyveil.public.types import RedactedPacket

VERSION: Final = 1
PACKET_LIMIT: Final = 64 << 20
"""Bytes of the largest packet: one 8K key frame at the best quality has under 40 MiB."""
STILL_LIMIT: Final = 256 << 20
TEXT_LIMIT: Final = 8 << 20
"""Bytes of the largest JSON body: a day of one share per second has under 1 MiB."""


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """How many frames are encoded so far, and how many the container promises in all (a hint, often wrong)."""

    frames: int
    expected: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Walled:
    """The first message of a worker: the layers of the wall around it that hold, and the others with their cause."""

    holds: tuple[str, ...]
    missing: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Suspect:
    """A place in redacted media where a detector still sees something: half-open pixels, seconds of media time."""

    start_s: float
    end_s: float
    xyxy: tuple[int, int, int, int]
    kind: Kind


@final
@dataclass(frozen=True, slots=True)
class Suspects:
    """What a verify job found in media that is redacted already. A redact job never sends it."""

    suspects: tuple[Suspect, ...]


@final
@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A network that decided, by the name and hash of the manifest."""

    name: str
    sha256: str


@final
@dataclass(frozen=True, slots=True)
class Finished:
    """The last message of a job that succeeded: numbers about the media, none about people in it.

    damaged: frames that the decoder had to guess; whole: frames covered wholly, damaged ones among them;
    covered_share_per_s: mean covered share, 0 to 1, of each second of media time from the first frame on;
    gaps: start and end in seconds of media time without a frame; dropped: streams and pages not carried over;
    timings_s: seconds of the worker's CPU time by stage.
    """

    frames: int
    damaged: int
    whole: int
    duration_s: float
    source_fps: float | None
    covered_share_per_s: tuple[float, ...]
    gaps: tuple[tuple[float, float], ...]
    models: tuple[ModelUsed, ...]
    precision: str
    dropped: tuple[str, ...]
    timings_s: tuple[tuple[str, float], ...]


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """The last message of a job that failed: the name of an error of `core.errors`, and its message."""

    error: str
    message: str

    @staticmethod
    def of(error: SkyveilError) -> "Failed":
        """The message that stands for `error`; anything in it that looks like an absolute path is left out."""
        text = _PATH.sub("(path)", "".join(c if c.isprintable() else " " for c in str(error)))
        return Failed(type(error).__name__, text[:_MESSAGE_LIMIT])

    def raised(self) -> SkyveilError:
        """The error itself, for the writer to raise."""
        return _ERRORS[self.error](self.message)


Message: TypeAlias = (
    StreamHeader
    | RedactedPacket
    | StillImage
    | AudioHeader
    | AudioPacket
    | Progress
    | Suspects
    | Finished
    | Failed
    | Walled
)  # fmt: skip

_MESSAGE_LIMIT = 1000
_PATH = re.compile(r"(?<![\w.)])/[^\s'\":;,]+")
_ERRORS: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, SkyveilError)
}  # fmt: skip
_PACKET = struct.Struct("!qqqIIB")
_AUDIO_PACKET = struct.Struct("!qqII")
_STILL = struct.Struct("!BII")
_STILL_FORMATS: Final = get_args(StillFormat)
_HEAD = struct.Struct("!IBB")

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@final
class WireWriter:
    """Sends messages into one pipe. One thread owns it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def send(self, message: Message) -> None:
        """Write one message and flush it; blocks while the pipe is full.

        Raises WorkerFailed when the message itself breaks a limit or its schema: a bug here, not at the reader.
        """
        number, body, payload = _packed(message)
        size = len(body) + len(payload)
        if size > _TYPES[number].limit:
            raise WorkerFailed(f"a {type(message).__name__} of {size} bytes is over the limit")
        self._write(_HEAD.pack(size + 2, VERSION, number) + body)
        self._write(payload)
        self._stream.flush()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]


@final
class WireReader:
    """Reads messages from one pipe. One thread owns it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Message]:
        """The messages until the pipe ends between two of them; WorkerFailed for everything else."""
        while (message := self.read()) is not None:
            yield message

    def read(self) -> Message | None:
        """The next message, or None when the pipe ended between two messages."""
        head = self._exactly(_HEAD.size, may_end=True)
        if not head:
            return None
        length, version, number = _HEAD.unpack(head)
        if version != VERSION:
            raise WorkerFailed(f"the worker speaks version {version} of the protocol, expected {VERSION}")
        if number not in _TYPES:
            raise WorkerFailed(f"the worker sent a message of unknown type {number}")
        kind = _TYPES[number]
        if not 0 <= length - 2 <= kind.limit:
            raise WorkerFailed(f"the worker sent a {kind.name} of {length} bytes, over the limit")
        return kind.unpack(self._exactly(length - 2))

    def _exactly(self, size: int, *, may_end: bool = False) -> bytes:
        """`size` bytes; empty when the pipe has ended and `may_end`. Memory grows with what arrives only."""
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._stream.read(min(missing, 1 << 20))
            if not part:
                if may_end and missing == size:
                    return b""
                raise WorkerFailed(f"the worker stopped inside a message, {missing} of {size} bytes missing")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@final
@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    limit: int
    unpack: Callable[[bytes], Message]


def _packed(message: Message) -> tuple[int, bytes, bytes]:
    """Type number, body and the payload behind it, which is not copied."""
    match message:
        case StreamHeader():
            return 1, _checked(_header_json(message), _header), b""
        case RedactedPacket():
            base = message.time_base
            times = (message.pts, message.dts, message.duration, base.numerator, base.denominator)
            return 2, _struct(_PACKET, *times, int(message.keyframe)), message.data
        case StillImage():
            number = _STILL_FORMATS.index(message.format)
            return 3, _struct(_STILL, number, message.width, message.height), message.data
        case AudioHeader():
            return 4, _checked(_audio_header_json(message), _audio_header), b""
        case AudioPacket():
            base = message.time_base
            fields = (message.pts, message.duration, base.numerator, base.denominator)
            return 5, _struct(_AUDIO_PACKET, *fields), message.data
        case Progress():
            return 6, _checked({"frames": message.frames, "expected": message.expected}, _progress), b""
        case Suspects():
            return 7, _checked({"suspects": [_suspect_json(one) for one in message.suspects]}, _suspects), b""
        case Finished():
            return 8, _checked(_finished_json(message), _finished), b""
        case Failed():
            return 9, _checked({"error": message.error, "message": message.message}, _failed), b""
        case Walled():
            return 10, _checked({"holds": list(message.holds), "missing": list(message.missing)}, _walled), b""


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
class _Fields:
    """One JSON object read field by field; what is missing, left over or out of range raises WorkerFailed."""

    def __init__(self, value: Json) -> None:
        if not isinstance(value, dict):
            raise WorkerFailed("the worker sent JSON that is not an object")
        self._left = dict(value)

    @staticmethod
    def parse(body: bytes) -> "_Fields":
        """The fields of a JSON body."""
        try:
            value: Json = json.loads(body, object_pairs_hook=_no_twins, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise WorkerFailed("the worker sent a body that is not JSON") from error
        return _Fields(value)

    def end(self) -> None:
        """Refuse fields that nobody asked for."""
        if self._left:
            raise WorkerFailed(f"the worker sent {len(self._left)} unknown fields")

    def take(self, name: str) -> Json:
        """The value of a field, whatever it is."""
        if name not in self._left:
            raise WorkerFailed(f"the worker left out the field {name}")
        return self._left.pop(name)

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return _integer(self.take(name), name, low, high)

    def number(self, name: str, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        return _number(self.take(name), name, low, high)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise _bad(name)
        return value

    def text(self, name: str, pattern: re.Pattern[str]) -> str:
        """Text that the pattern matches from end to end."""
        return _text(self.take(name), name, pattern)

    def items(self, name: str, limit: int) -> list[Json]:
        """A list of at most `limit` values."""
        return _items(self.take(name), name, limit)

    def ratio(self, name: str) -> Fraction:
        """A positive fraction, written as two whole numbers."""
        pair = [_integer(part, name, 1, 2**31 - 1) for part in self.items(name, 2)]
        if len(pair) != 2:
            raise _bad(name)
        return Fraction(*pair)

    def ratio_or_none(self, name: str) -> Fraction | None:
        """A positive fraction, or null."""
        if self._left.get(name, 0) is None:
            del self._left[name]
            return None
        return self.ratio(name)


def _bad(name: str) -> WorkerFailed:
    return WorkerFailed(f"the worker sent an impossible value for {name}")


def _integer(value: Json, name: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _bad(name)
    return value


def _number(value: Json, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(name)
    if not low <= value <= high or not math.isfinite(value):
        raise _bad(name)
    return float(value)


def _text(value: Json, name: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _bad(name)
    return value


def _items(value: Json, name: str, limit: int) -> list[Json]:
    if not isinstance(value, list) or len(value) > limit:
        raise _bad(name)
    return value


def _no_twins(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field appears twice")
    return fields


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no number")


_COUNT = 2**53
_DAYS_S = 10.0 * 366 * 86400
_LABEL = re.compile(r"[A-Za-z0-9_.+-][A-Za-z0-9_.:+() -]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){0,65536}")
_SENTENCE = re.compile(rf"[^\x00-\x1f\x7f]{{0,{_MESSAGE_LIMIT}}}")
_CODECS: Final[dict[str, Codec]] = {name: name for name in get_args(Codec)}
_AUDIO_CODECS: Final[dict[str, AudioCodec]] = {name: name for name in get_args(AudioCodec)}


def _header_json(header: StreamHeader) -> dict[str, Json]:
    rate = header.average_rate
    return {
        "codec": header.codec,
        "width": header.width,
        "height": header.height,
        "time_base": _pair(header.time_base),
        "average_rate": None if rate is None else _pair(rate),
        "sample_aspect": _pair(header.sample_aspect),
        "bit_depth": header.bit_depth,
        "full_range": header.full_range,
        "color": list(header.color),
        "extradata": header.extradata.hex(),
    }


def _pair(fraction: Fraction) -> Json:
    return [fraction.numerator, fraction.denominator]


def _header(body: bytes) -> StreamHeader:
    fields = _Fields.parse(body)
    color = [_integer(part, "color", 0, 255) for part in fields.items("color", 3)]
    codec = _CODECS.get(str(fields.take("codec")))
    if len(color) != 3 or codec is None:
        raise _bad("color or codec")
    header = StreamHeader(
        codec=codec,
        width=fields.integer("width", 1, SIZE_LIMIT_PX),
        height=fields.integer("height", 1, SIZE_LIMIT_PX),
        time_base=fields.ratio("time_base"),
        average_rate=fields.ratio_or_none("average_rate"),
        sample_aspect=fields.ratio("sample_aspect"),
        bit_depth=fields.integer("bit_depth", 8, 10),
        full_range=fields.flag("full_range"),
        color=(color[0], color[1], color[2]),
        extradata=bytes.fromhex(fields.text("extradata", _HEX)),
    )
    fields.end()
    return header


def _audio_header_json(header: AudioHeader) -> dict[str, Json]:
    return {
        "codec": header.codec,
        "sample_rate": header.sample_rate,
        "channels": header.channels,
        "extradata": header.extradata.hex(),
    }


def _audio_header(body: bytes) -> AudioHeader:
    fields = _Fields.parse(body)
    codec = _AUDIO_CODECS.get(str(fields.take("codec")))
    if codec is None:
        raise _bad("codec")
    header = AudioHeader(
        codec=codec,
        sample_rate=fields.integer("sample_rate", 8000, 192000),
        channels=fields.integer("channels", 1, 2),
        extradata=bytes.fromhex(fields.text("extradata", _HEX)),
    )
    fields.end()
    return header


def _progress(body: bytes) -> Progress:
    fields = _Fields.parse(body)
    expected = fields.take("expected")
    message = Progress(
        fields.integer("frames", 0, _COUNT),
        None if expected is None else _integer(expected, "expected", 0, _COUNT),
    )
    fields.end()
    return message


def _walled(body: bytes) -> Walled:
    fields = _Fields.parse(body)
    holds, missing = (
        tuple(_text(value, name, _SENTENCE) for value in fields.items(name, 32)) for name in ("holds", "missing")
    )
    fields.end()
    return Walled(holds, missing)


def _suspect_json(suspect: Suspect) -> Json:
    return {
        "start_s": suspect.start_s,
        "end_s": suspect.end_s,
        "xyxy": list(suspect.xyxy),
        "kind": suspect.kind.name.lower(),
    }


_KINDS: Final = {kind.name.lower(): kind for kind in Kind}


def _suspect(value: Json) -> Suspect:
    fields = _Fields(value)
    box = [_integer(side, "xyxy", -SIZE_LIMIT_PX, 1 << 20) for side in fields.items("xyxy", 4)]
    kind = _KINDS.get(str(fields.take("kind")))
    start_s, end_s = (fields.number(name, -_DAYS_S, _DAYS_S) for name in ("start_s", "end_s"))
    fields.end()
    if kind is None or len(box) != 4 or box[0] >= box[2] or box[1] >= box[3] or end_s < start_s:
        raise _bad("suspect")
    return Suspect(start_s, end_s, (box[0], box[1], box[2], box[3]), kind)


def _suspects(body: bytes) -> Suspects:
    fields = _Fields.parse(body)
    found = tuple(_suspect(value) for value in fields.items("suspects", 100_000))
    fields.end()
    return Suspects(found)


def _finished_json(message: Finished) -> dict[str, Json]:
    return {
        "frames": message.frames,
        "damaged": message.damaged,
        "whole": message.whole,
        "duration_s": message.duration_s,
        "source_fps": message.source_fps,
        "covered_share_per_s": list(message.covered_share_per_s),
        "gaps": [list(gap) for gap in message.gaps],
        "models": [[model.name, model.sha256] for model in message.models],
        "precision": message.precision,
        "dropped": list(message.dropped),
        "timings_s": [list(timing) for timing in message.timings_s],
    }


def _finished(body: bytes) -> Finished:
    fields = _Fields.parse(body)
    fps = fields.take("source_fps")
    message = Finished(
        frames=fields.integer("frames", 0, _COUNT),
        damaged=fields.integer("damaged", 0, _COUNT),
        whole=fields.integer("whole", 0, _COUNT),
        duration_s=fields.number("duration_s", 0, _DAYS_S),
        source_fps=None if fps is None else _number(fps, "source_fps", 0, 1e9),
        covered_share_per_s=tuple(
            _number(share, "covered_share_per_s", 0, 1) for share in fields.items("covered_share_per_s", 400_000)
        ),
        gaps=tuple(_gap(value) for value in fields.items("gaps", 100_000)),
        models=tuple(_model(value) for value in fields.items("models", 32)),
        precision=fields.text("precision", _LABEL),
        dropped=tuple(_text(value, "dropped", _LABEL) for value in fields.items("dropped", 1000)),
        timings_s=tuple(_timing(value) for value in fields.items("timings_s", 64)),
    )
    fields.end()
    if max(message.damaged, message.whole) > message.frames:
        raise _bad("frames")
    return message


def _gap(value: Json) -> tuple[float, float]:
    start_s, end_s = _two(value, "gaps")
    return _number(start_s, "gaps", -_DAYS_S, _DAYS_S), _number(end_s, "gaps", -_DAYS_S, _DAYS_S)


def _model(value: Json) -> ModelUsed:
    name, sha256 = _two(value, "models")
    return ModelUsed(_text(name, "models", _LABEL), _text(sha256, "models", _SHA256))


def _timing(value: Json) -> tuple[str, float]:
    stage, seconds = _two(value, "timings_s")
    return _text(stage, "timings_s", _LABEL), _number(seconds, "timings_s", 0, _DAYS_S)


def _two(value: Json, name: str) -> tuple[Json, Json]:
    pair = _items(value, name, 2)
    if len(pair) != 2:
        raise _bad(name)
    return pair[0], pair[1]


def _failed(body: bytes) -> Failed:
    fields = _Fields.parse(body)
    error = str(fields.take("error"))
    message = fields.text("message", _SENTENCE)
    fields.end()
    if error not in _ERRORS:
        raise _bad("error")
    return Failed(error, message)


_TYPES: Final = {
    1: _Type("StreamHeader", TEXT_LIMIT, _header),
    2: _Type("RedactedPacket", PACKET_LIMIT, _packet),
    3: _Type("StillImage", STILL_LIMIT, _still),
    4: _Type("AudioHeader", TEXT_LIMIT, _audio_header),
    5: _Type("AudioPacket", PACKET_LIMIT, _audio_packet),
    6: _Type("Progress", TEXT_LIMIT, _progress),
    7: _Type("Suspects", TEXT_LIMIT, _suspects),
    8: _Type("Finished", TEXT_LIMIT, _finished),
    9: _Type("Failed", TEXT_LIMIT, _failed),
    10: _Type("Walled", TEXT_LIMIT, _walled),
}
