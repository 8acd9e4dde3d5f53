"""The messages that are one JSON object, each with a closed schema, and the object's way back. Public side."""

import re
from fractions import Fraction
from typing import Final, get_args

from skyveil.core.errors import MeasureRefused
from skyveil.core.kinds import Kind
from skyveil.core.settings import Codec
from skyveil.core.stream import StreamInfo
from skyveil.public.encode.header import SIZE_LIMIT_PX, AudioCodec, AudioHeader, StreamHeader
from skyveil.public.wire.fields import Fields, Json, impossible, integer, number, text, two
from skyveil.public.wire.messages import (
    ERRORS,
    MESSAGE_LIMIT,
    Calibrated,
    Failed,
    Finished,
    ModelUsed,
    Progress,
    Suspect,
    Suspects,
    Walled,
)

_COUNT = 2**53
_DAYS_S = 10.0 * 366 * 86400
MOST_SECONDS: Final = 400_000
"""Seconds whose shares are told, four and a half days: one leap of a recorder's clock must not take all memory."""
_PRECISION = re.compile(r"[a-z0-9+]{0,79}")
"""Empty where no network looked: nothing to look for, or every frame damaged."""
_LABEL = re.compile(r"[A-Za-z0-9_.+-][A-Za-z0-9_.:+() -]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){0,65536}")
_SENTENCE = re.compile(rf"[^\x00-\x1f\x7f]{{0,{MESSAGE_LIMIT}}}")
_CALIBRATION = re.compile(r"[\x20-\x7e\n]{2,20000}")
_CODECS: Final[dict[str, Codec]] = {name: name for name in get_args(Codec)}
_AUDIO_CODECS: Final[dict[str, AudioCodec]] = {name: name for name in get_args(AudioCodec)}
_KINDS: Final = {kind.name.lower(): kind for kind in Kind}


def header_json(header: StreamHeader) -> dict[str, Json]:
    """The header of a video stream, as JSON."""
    rate = header.stream.average_rate
    return {
        "codec": header.codec,
        "width": header.stream.width,
        "height": header.stream.height,
        "time_base": _pair(header.stream.time_base),
        "average_rate": None if rate is None else _pair(rate),
        "sample_aspect": _pair(header.stream.sample_aspect),
        "bit_depth": header.stream.bit_depth,
        "full_range": header.stream.full_range,
        "color": list(header.stream.color),
        "extradata": header.extradata.hex(),
    }


def _pair(fraction: Fraction) -> Json:
    return [fraction.numerator, fraction.denominator]


def read_header(body: bytes) -> StreamHeader:
    """The header of a video stream, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    color = [integer(part, "color", 0, 255) for part in fields.items("color", 3)]
    codec = _CODECS.get(str(fields.take("codec")))
    if len(color) != 3 or codec is None:
        raise impossible("color or codec")
    stream = StreamInfo(
        width=fields.integer("width", 1, SIZE_LIMIT_PX),
        height=fields.integer("height", 1, SIZE_LIMIT_PX),
        time_base=fields.ratio("time_base"),
        average_rate=fields.ratio_or_none("average_rate"),
        sample_aspect=fields.ratio("sample_aspect"),
        bit_depth=fields.integer("bit_depth", 8, 10),
        full_range=fields.flag("full_range"),
        color=(color[0], color[1], color[2]),
    )
    header = StreamHeader(codec, stream, bytes.fromhex(fields.text("extradata", _HEX)))
    fields.end()
    return header


def audio_header_json(header: AudioHeader) -> dict[str, Json]:
    """The header of a sound stream, as JSON."""
    return {
        "codec": header.codec,
        "sample_rate": header.sample_rate,
        "channels": header.channels,
        "extradata": header.extradata.hex(),
    }


def read_audio_header(body: bytes) -> AudioHeader:
    """The header of a sound stream, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    codec = _AUDIO_CODECS.get(str(fields.take("codec")))
    if codec is None:
        raise impossible("codec")
    header = AudioHeader(
        codec=codec,
        sample_rate=fields.integer("sample_rate", 8000, 192000),
        channels=fields.integer("channels", 1, 2),
        extradata=bytes.fromhex(fields.text("extradata", _HEX)),
    )
    fields.end()
    return header


def progress_json(message: Progress) -> dict[str, Json]:
    """How far the job is, as JSON."""
    return {"frames": message.frames, "expected": message.expected}


def read_progress(body: bytes) -> Progress:
    """How far the job is, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    expected = fields.take("expected")
    message = Progress(
        fields.integer("frames", 0, _COUNT),
        None if expected is None else integer(expected, "expected", 0, _COUNT),
    )
    fields.end()
    return message


def walled_json(message: Walled) -> dict[str, Json]:
    """The wall around the worker, as JSON."""
    return {"holds": list(message.holds), "missing": list(message.missing)}


def read_walled(body: bytes) -> Walled:
    """The wall around the worker, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    holds, missing = (
        tuple(text(value, name, _SENTENCE) for value in fields.items(name, 32)) for name in ("holds", "missing")
    )
    fields.end()
    return Walled(holds, missing)


def suspects_json(message: Suspects) -> dict[str, Json]:
    """What a verify job found, as JSON."""
    return {"suspects": [_suspect_json(one) for one in message.suspects]}


def _suspect_json(suspect: Suspect) -> Json:
    return {
        "start_s": suspect.start_s,
        "end_s": suspect.end_s,
        "xyxy": list(suspect.xyxy),
        "kind": suspect.kind.name.lower(),
    }


def _suspect(value: Json) -> Suspect:
    fields = Fields(value)
    box = [integer(side, "xyxy", -SIZE_LIMIT_PX, 1 << 20) for side in fields.items("xyxy", 4)]
    kind = _KINDS.get(str(fields.take("kind")))
    start_s, end_s = (fields.number(name, -_DAYS_S, _DAYS_S) for name in ("start_s", "end_s"))
    fields.end()
    if kind is None or len(box) != 4 or box[0] >= box[2] or box[1] >= box[3] or end_s < start_s:
        raise impossible("suspect")
    return Suspect(start_s, end_s, (box[0], box[1], box[2], box[3]), kind)


def read_suspects(body: bytes) -> Suspects:
    """What a verify job found, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    found = tuple(_suspect(value) for value in fields.items("suspects", 100_000))
    fields.end()
    return Suspects(found)


def calibrated_json(message: Calibrated) -> dict[str, Json]:
    """A calibration, as JSON."""
    return {"text": message.text}


def read_calibrated(body: bytes) -> Calibrated:
    """A calibration, read; raises WorkerFailed for one that is none."""
    fields = Fields.parse(body)
    text = fields.text("text", _CALIBRATION)
    fields.end()
    from skyveil.measure.calibration_text import calibration_from  # numpy: who only writes files does not need it

    try:
        calibration_from(text)
    except MeasureRefused as error:
        raise impossible("calibration") from error
    return Calibrated(text)


def finished_json(message: Finished) -> dict[str, Json]:
    """The end of a job that succeeded, as JSON."""
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


def read_finished(body: bytes) -> Finished:
    """The end of a job that succeeded, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    fps = fields.take("source_fps")
    message = Finished(
        frames=fields.integer("frames", 0, _COUNT),
        damaged=fields.integer("damaged", 0, _COUNT),
        whole=fields.integer("whole", 0, _COUNT),
        duration_s=fields.number("duration_s", 0, _DAYS_S),
        source_fps=None if fps is None else number(fps, "source_fps", 0, 1e9),
        covered_share_per_s=tuple(
            number(share, "covered_share_per_s", 0, 1) for share in fields.items("covered_share_per_s", MOST_SECONDS)
        ),
        gaps=tuple(_gap(value) for value in fields.items("gaps", 100_000)),
        models=tuple(_model(value) for value in fields.items("models", 32)),
        precision=fields.text("precision", _PRECISION),
        dropped=tuple(text(value, "dropped", _LABEL) for value in fields.items("dropped", 1000)),
        timings_s=tuple(_timing(value) for value in fields.items("timings_s", 64)),
    )
    fields.end()
    if max(message.damaged, message.whole) > message.frames:
        raise impossible("frames")
    return message


def _gap(value: Json) -> tuple[float, float]:
    start_s, end_s = two(value, "gaps")
    return number(start_s, "gaps", -_DAYS_S, _DAYS_S), number(end_s, "gaps", -_DAYS_S, _DAYS_S)


def _model(value: Json) -> ModelUsed:
    name, sha256 = two(value, "models")
    return ModelUsed(text(name, "models", _LABEL), text(sha256, "models", _SHA256))


def _timing(value: Json) -> tuple[str, float]:
    stage, seconds = two(value, "timings_s")
    return text(stage, "timings_s", _LABEL), number(seconds, "timings_s", 0, _DAYS_S)


def failed_json(message: Failed) -> dict[str, Json]:
    """The end of a job that failed, as JSON."""
    return {"error": message.error, "message": message.message}


def read_failed(body: bytes) -> Failed:
    """The end of a job that failed, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    error = str(fields.take("error"))
    message = fields.text("message", _SENTENCE)
    fields.end()
    if error not in ERRORS:
        raise impossible("error")
    return Failed(error, message)
