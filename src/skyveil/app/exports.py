"""Exports: a span of recordings as one MP4 for outside, and a statement of what it holds. App."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Final, final

import av
from av.video.stream import VideoStream

from skyveil import __version__
from skyveil.app.api import redact_file
from skyveil.app.config import Config
from skyveil.core.errors import RecordingMissing, SkyveilError
from skyveil.core.ids import CameraId
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.public.archive import Archive, Stretch
from skyveil.public.archive.provenance import Credential, Made, sign

_EXPORT_TARGETS: Final = frozenset({Kind.FACE, Kind.HEAD, Kind.PERSON, Kind.PLATE})
"""What leaves the control room shows no person and no plate."""
_CLOCK_HZ: Final = 90_000
_GAP_S: Final = 1.5
"""As in the chain: a shorter hole is two slow pictures."""


def export(
    config: Config, archive: Archive, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str, to: Path
) -> Path:
    """Write a span as one MP4 into the folder `to`, with a statement beside it.

    What was recorded is always redacted once more, with whole persons and plates: today's configuration does not tell
    what was covered when it was recorded.
    """
    to.mkdir(parents=True, exist_ok=True, mode=0o750)
    start = datetime.fromtimestamp(from_s, UTC).strftime("%Y%m%dt%H%M%Sz")
    target = to / f"{camera}-{start}-{secrets.token_hex(4)}.mp4"
    part = target.with_suffix(".part.mp4")
    try:
        contents = _contents(archive, camera, from_s, to_s)
        readable = archive.stretches(camera, from_s, to_s, but=contents.unreadable)
        _joined(readable, part)
        redact_file(part, target, settings=RedactSettings(targets=_EXPORT_TARGETS), input_hash=False)
    finally:
        part.unlink(missing_ok=True)
    head = archive.head(camera)
    if config.server.c2pa is not None:
        targets = tuple(kind.name.lower() for kind in sorted(_EXPORT_TARGETS))
        made = Made(camera, from_s, to_s, targets, None if head is None else head.digest, __version__)
        try:
            sign(target, made, Credential(config.server.c2pa.certificate, config.server.c2pa.key))
        except SkyveilError:
            for path in (target, target.with_suffix(".mp4.json")):
                path.unlink(missing_ok=True)
            raise
    statement = {
        "camera": camera,
        "from_s": from_s,
        "to_s": to_s,
        "exported_by": actor,
        "reason": reason,
        "redacted_again": True,
        **contents.told(from_s, to_s),
        "chain_head": None if head is None else asdict(head),
    }
    target.with_suffix(".mp4.statement.json").write_text(json.dumps(statement, indent=1) + "\n", encoding="utf-8")
    return target


@final
@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a span, in unix seconds. cause: why no pictures are there; empty where there are some."""

    from_s: float
    to_s: float
    cause: str = ""


@final
@dataclass(slots=True)
class _Contents:
    """What of a span can be read. damaged: segments that are not as they were written; unreadable: their numbers
    where nothing of them can be read."""

    parts: list[_Part] = field(default_factory=list)
    damaged: list[_Part] = field(default_factory=list)
    unreadable: set[int] = field(default_factory=set)

    def told(self, from_s: float, to_s: float) -> dict[str, list[dict[str, float | str]]]:
        """As it stands in a statement: stretches with pictures, the rest of the span with its causes, and damage."""
        whole: list[_Part] = []
        at_s = from_s
        for part in sorted([*self.parts, _Part(to_s, to_s)], key=lambda one: (one.from_s, one.to_s)):
            if part.from_s - at_s > _GAP_S:
                whole.append(_Part(at_s, part.from_s, "missing"))
            last = whole[-1] if whole else None
            if last is not None and not last.cause and not part.cause and part.from_s - last.to_s <= _GAP_S:
                whole[-1] = _Part(last.from_s, max(last.to_s, part.to_s))
            elif part.to_s > part.from_s:
                whole.append(part)
            at_s = max(at_s, part.to_s)
        gaps = [_Part(max(one.from_s, from_s), min(one.to_s, to_s), one.cause) for one in whole if one.cause]
        return {
            "pictures": [{"from_s": one.from_s, "to_s": one.to_s} for one in whole if not one.cause],
            "gaps": [{"from_s": one.from_s, "to_s": one.to_s, "cause": one.cause} for one in gaps],
            "damaged": [{"from_s": one.from_s, "to_s": one.to_s} for one in self.damaged],
        }


def _contents(archive: Archive, camera: CameraId, from_s: float, to_s: float) -> _Contents:
    """Read every segment of a span and compare it with its line."""
    found = _Contents()
    for day, entry in archive.entries(camera, from_s, to_s):
        if entry.kind == "gap":
            found.parts.append(_Part(entry.start_s, entry.end_s, entry.cause))
            continue
        end_s = entry.start_s
        try:
            last = archive.records(camera, entry.number)[-1]
            end_s = last.wall_s + last.duration / _CLOCK_HZ
            found.parts.append(_Part(entry.start_s, end_s))
        except (RecordingMissing, OSError):
            found.unreadable.add(entry.number)
        if entry.number in found.unreadable or not archive.is_whole(camera, day, entry):
            found.damaged.append(_Part(entry.start_s, entry.end_s))
            found.parts.append(_Part(end_s, entry.end_s, "damaged"))
    return found


def _joined(stretches: Iterable[Stretch], target: Path) -> None:
    """Redacted packets of one or more MP4s in one file; a hole in their times is closed to one picture.

    Raises RecordingMissing when there is none, or when their pictures differ in size.
    """
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as output:
        stream: VideoStream | None = None
        last, step = -1, 1
        for media in stretches:
            with av.open(media, "r", format="mp4") as container:
                source = container.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(source)
                    stream.time_base = source.time_base or Fraction(1, 90_000)
                if (stream.width, stream.height) != (source.width, source.height):
                    raise RecordingMissing(
                        "the camera's picture changes its size in this span: export the parts one by one"
                    )
                offset: int | None = None
                for packet in container.demux(source):
                    if packet.pts is None or not packet.size:
                        continue
                    offset = last + step - packet.pts if offset is None else offset
                    packet.pts = packet.dts = max(last + 1, packet.pts + offset)
                    step = max(1, packet.pts - last) if last >= 0 else step
                    last = packet.pts
                    packet.stream = stream
                    output.mux(packet)
        if stream is None:
            raise RecordingMissing("nothing is recorded there")
