"""Labelled pictures and videos, read from the folders that people keep them in. App: files in, no media decoded.

Two formats. Pictures: `labels.json` with `{"kind": ..., "images": [{"image": "a.jpg", "boxes": [[x1, y1, x2, y2,
label]]}]}`, or `"points": [[x, y]]` instead of boxes. Video: one video file beside `gt.txt` in the MOT Challenge
format, `frame,id,x,y,width,height,...` with frames from 1. Pixels, origin at the top left.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, final

from skyveil.app.leak import BoxXyxy
from skyveil.core.errors import InputRefused
from skyveil.core.kinds import Kind
from skyveil.core.settings import DEFAULT_TARGETS

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_VIDEO_SUFFIXES: Final = frozenset({".avi", ".mkv", ".mov", ".mp4", ".webm"})
_TARGETS: Final = (("plate", frozenset({Kind.PLATE})), ("person", frozenset({Kind.PERSON})))
"""What is covered when nobody says: the first word found in a set's `kind`, else faces and heads."""


@final
@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture with boxes or points. `name` is its path below the set's folder."""

    name: str
    boxes: tuple[BoxXyxy, ...]
    points: tuple[tuple[float, float], ...]


@final
@dataclass(frozen=True, slots=True)
class PictureSet:
    """The pictures of one labels.json."""

    name: str
    folder: Path
    targets: frozenset[Kind]
    pictures: tuple[LabelledPicture, ...]


@final
@dataclass(frozen=True, slots=True)
class PersonBox:
    """A labelled person in one frame of a video, `x, y` its top left corner."""

    track: int
    x: float
    y: float
    width: float
    height: float


@final
@dataclass(frozen=True, slots=True)
class VideoSet:
    """One video with person boxes by frame, counted from 1."""

    name: str
    video: Path
    targets: frozenset[Kind]
    frames: Mapping[int, tuple[PersonBox, ...]]


LabelledSet: TypeAlias = PictureSet | VideoSet


def read_sets(folder: Path) -> tuple[LabelledSet, ...]:
    """Every labelled set in `folder`: the folder itself, or those right below it, in order of name.

    Raises InputRefused when there is none, or one is malformed.
    """
    if not folder.is_dir():
        raise InputRefused(f"{folder}: is not a folder; name one with labels.json or gt.txt in it or below it")
    found = [one for place in (folder, *sorted(folder.iterdir())) if (one := _read_set(place)) is not None]
    if not found:
        raise InputRefused(f"{folder}: holds no labels.json, and no gt.txt beside a video")
    return tuple(found)


def _read_set(folder: Path) -> LabelledSet | None:
    if (folder / "labels.json").is_file():
        return read_pictures(folder)
    if (folder / "gt.txt").is_file():
        videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEO_SUFFIXES)
        if len(videos) != 1:
            raise InputRefused(f"{folder}: expected one video beside gt.txt, got {len(videos)}")
        return read_video(videos[0], folder / "gt.txt")
    return None


def read_pictures(folder: Path) -> PictureSet:
    """The set in the labels.json of `folder`; InputRefused when it is malformed."""
    path = folder / "labels.json"
    try:
        fields: Json = json.loads(path.read_bytes())
        pictures = tuple(_picture(item) for item in _list(_table(fields)["images"]))
        name, kind = (_table(fields).get(key) for key in ("set", "kind"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputRefused(f"{path}: is not a labels.json: {type(error).__name__}: {error}") from error
    return PictureSet(str(name or folder.name), folder, _targets(str(kind)), pictures)


def read_video(video: Path, truth: Path) -> VideoSet:
    """The set of `video` and its MOT file; InputRefused when that is malformed or empty."""
    frames: defaultdict[int, list[PersonBox]] = defaultdict(list)
    try:
        for line in truth.read_text().split():
            frame, track, *box = line.split(",")
            x, y, width, height = (float(value) for value in box[:4])
            frames[int(frame)].append(PersonBox(int(track), x, y, width, height))
    except (OSError, ValueError) as error:
        raise InputRefused(f"{truth}: is not a MOT file: {error}") from error
    if not frames:
        raise InputRefused(f"{truth}: holds no box")
    return VideoSet(video.parent.name, video, DEFAULT_TARGETS, {n: tuple(boxes) for n, boxes in frames.items()})


def _targets(kind: str) -> frozenset[Kind]:
    return next((targets for word, targets in _TARGETS if word in kind), DEFAULT_TARGETS)


def _picture(item: Json) -> LabelledPicture:
    fields = _table(item)
    name = fields["image"]
    if not isinstance(name, str):
        raise TypeError("image must be a path")
    boxes = [_numbers(box, 4) for box in _list(fields.get("boxes", []))]
    points = [_numbers(point, 2) for point in _list(fields.get("points", []))]
    return LabelledPicture(name, tuple((x1, y1, x2, y2) for x1, y1, x2, y2 in boxes), tuple((x, y) for x, y in points))


def _numbers(value: Json, count: int) -> list[float]:
    """The first `count` of a list, as numbers."""
    numbers = [float(item) for item in _list(value)[:count] if isinstance(item, int | float)]
    if len(numbers) != count:
        raise TypeError(f"expected {count} numbers, got {value!r:.80}")
    return numbers


def _table(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a table, got {type(value).__name__}")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value
