"""Redact labelled media with the product itself, then count what it left visible. App, parent side.

Outputs go to a temporary folder and are compared with their originals pixel by pixel (`app.leak`), so the figures are
those of the whole product, encoder included. Originals are read here: labelled data are somebody's test set, not
footage in production.
"""

import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Final, TypeAlias, final

import av
import cv2
import numpy as np

from skyveil.app.batch import Batch, Done, Event, Lost, Options
from skyveil.app.jobs import plan
from skyveil.app.labelled import LabelledPicture, LabelledSet, PictureSet, VideoSet
from skyveil.app.leak import (
    COVERED_FROM,
    HEIGHT_CLASSES_PX,
    BoxXyxy,
    Mask,
    Picture,
    Runs,
    Tally,
    changed,
    differing,
    head_zone,
    hidden,
    is_covered,
    is_point_covered,
    mean,
    needless,
    part,
    wilson,
)
from skyveil.core.errors import InputRefused, OutputWrong
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SCHEMA: Final = "skyveil.eval/1"
CROWD_CLASSES: Final = ((0, 50), (50, 100), (100, 200), (200, 100_000))
"""Labelled points in a picture."""
EXPOSED_FRAMES: Final = 3
"""Leaked frames in a row from which a track counts as exposed."""


@final
@dataclass(slots=True)
class Cover:
    """How much was changed, in all and away from labels, as means over pictures or frames."""

    _changed: list[float] = field(default_factory=list)
    _needless: list[float] = field(default_factory=list)

    def add(self, mask: Mask, boxes: Sequence[BoxXyxy] | None) -> None:
        """Take what was changed in one picture; None where labels do not say where nothing need be covered."""
        self._changed.append(float(mask.mean()))
        if boxes is not None:
            self._needless.append(needless(mask, boxes))

    @property
    def count(self) -> int:
        """How many were taken."""
        return len(self._changed)

    @property
    def needless_share(self) -> float:
        """Mean share of a picture changed away from labels."""
        return mean(self._needless)

    @property
    def changed_share(self) -> float:
        """Mean share of a picture changed."""
        return mean(self._changed)


@final
@dataclass(slots=True)
class PictureScore:
    """What is visible in a set of pictures: boxes leaked by height, points left uncovered by size of the crowd."""

    boxes: Tally = field(default_factory=lambda: Tally(HEIGHT_CLASSES_PX))
    points: Tally = field(default_factory=lambda: Tally(CROWD_CLASSES))
    cover: Cover = field(default_factory=Cover)
    missing: int = 0

    def add(self, labels: LabelledPicture, before: Picture, after: Picture | None) -> None:
        """Count one picture; without a redacted one of the same size, everything in it is visible."""
        whole = after is not None and after.shape == before.shape
        self.missing += not whole
        after = after if after is not None and whole else before
        mask = changed(before, after)
        self.cover.add(mask, labels.boxes if labels.boxes or not labels.points else None)
        for box in labels.boxes:
            self.boxes.add(leaked=not is_covered(mask, box), size=box[3] - box[1])
        for point in labels.points:
            self.points.add(leaked=not is_point_covered(before, after, point), size=len(labels.points))

    def as_json(self) -> dict[str, Json]:
        """The figures, in the words of the glossary."""
        figures: dict[str, Json] = {"images": self.cover.count, "missing_or_resized": self.missing}
        if self.boxes.total or not self.points.total:
            figures |= {"boxes": self.boxes.total, **tally_json(self.boxes)}
            figures |= {"by_height_px": classes_json(self.boxes, "boxes"), "needless_share": self.cover.needless_share}
        if self.points.total:
            figures |= {"points": self.points.total, **tally_json(self.points)}
            figures |= {"by_crowd_size": classes_json(self.points, "points")}
        return {**figures, "changed_share": self.cover.changed_share}


@final
@dataclass(slots=True)
class VideoScore:
    """What is visible in a video with person boxes: head-frames leaked, and for how long in a row."""

    heads: Tally = field(default_factory=lambda: Tally(HEIGHT_CLASSES_PX))
    runs: Runs = field(default_factory=Runs)
    cover: Cover = field(default_factory=Cover)

    def add(self, labels: VideoSet, number: int, before: Picture, after: Picture) -> None:
        """Count frame `number`, from 1; a frame without labels is not counted."""
        persons = labels.frames.get(number)
        if persons is None:
            return
        mask, away = hidden(before, after), differing(before, after)
        zones = [head_zone(person.x, person.y, person.width, person.height) for person in persons]
        self.cover.add(away, zones)
        for person, zone in zip(persons, zones, strict=True):
            if part(mask, zone).size:
                leaked = not is_covered(mask, zone, COVERED_FROM)
                self.heads.add(leaked=leaked, size=zone[3] - zone[1])
                self.runs.add(person.track, number, leaked=leaked)

    def as_json(self) -> dict[str, Json]:
        """The figures, in the words of the glossary."""
        return {
            "frames": self.cover.count,
            "head_frames": self.heads.total,
            **tally_json(self.heads),
            "by_height_px": classes_json(self.heads, "head_frames"),
            "tracks": len(self.runs.longest),
            "tracks_with_a_leak": self.runs.tracks_with(1),
            "tracks_with_3_leaked_in_a_row": self.runs.tracks_with(EXPOSED_FRAMES),
            "needless_share": self.cover.needless_share,
            "changed_share": self.cover.changed_share,
        }


@final
@dataclass(frozen=True, slots=True)
class Cost:
    """Time spent on redaction alone: CPU of all processes, start-up included, and wall."""

    frames: int
    cpu_s: float
    wall_s: float

    def as_json(self) -> dict[str, Json]:
        """In milliseconds a frame or picture, too."""
        count = max(self.frames, 1)
        return {
            "frames": self.frames,
            "cpu_s": round(self.cpu_s, 3),
            "wall_s": round(self.wall_s, 3),
            "cpu_ms_per_frame": round(self.cpu_s / count * 1000, 3),
            "wall_ms_per_frame": round(self.wall_s / count * 1000, 3),
        }


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """One set, measured."""

    name: str
    settings: RedactSettings
    score: PictureScore | VideoScore
    cost: Cost
    models: tuple[str, ...]
    precision: tuple[str, ...]
    failed: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        """Everything, as plain values."""
        return {
            "schema": SCHEMA,
            "set": self.name,
            "targets": [kind.name.lower() for kind in Kind if kind in self.settings.targets],
            "mode": self.settings.mode,
            **self.score.as_json(),
            "cost": self.cost.as_json(),
            "models": list(self.models),
            "precision": list(self.precision),
            "failed": list(self.failed),
        }


def evaluate(
    labelled: LabelledSet, settings: RedactSettings, options: Options, heard: Callable[[Event], None]
) -> Evaluation:
    """Redact one set into a temporary folder and score it; `heard` is told how it goes.

    Raises OutputWrong when the redacted video has not as many frames of the same size as the original, and whatever
    ends a run. A picture that fails counts as missing: all of it is visible.
    """
    with tempfile.TemporaryDirectory(prefix="skyveil-eval-") as folder:
        run = _redact(labelled, settings, options, heard, Path(folder))
        if isinstance(labelled, PictureSet):
            score: PictureScore | VideoScore = score_pictures(labelled, run.outputs)
        elif run.lost:
            raise run.lost[0].error
        else:
            score = score_video(labelled, run.outputs[labelled.video.resolve()])
    return Evaluation(
        labelled.name,
        settings,
        score,
        run.cost,
        tuple(
            sorted({f"{model.name}@{model.sha256[:12]}" for done in run.done for model in done.result.finished.models})
        ),
        tuple(sorted({done.result.finished.precision for done in run.done})),
        tuple(f"{lost.job.source.name}: {lost.error}" for lost in run.lost),
    )


def score_pictures(labelled: PictureSet, redacted: Mapping[Path, Path]) -> PictureScore:
    """Compare every picture of the set with its redacted one, by the resolved path of the original.

    Raises InputRefused when an original can not be read.
    """
    score = PictureScore()
    for labels in labelled.pictures:
        original = labelled.folder / labels.name
        before = read_picture(original)
        if before is None:
            raise InputRefused(f"{original}: can not be read, but is in labels.json")
        output = redacted.get(original.resolve())
        score.add(labels, before, None if output is None else read_picture(output))
    return score


def score_video(labelled: VideoSet, redacted: Path) -> VideoScore:
    """Compare the labelled frames with the redacted ones; OutputWrong when their number or size differs."""
    score = VideoScore()
    for number, (before, after) in enumerate(luma_pairs(labelled.video, redacted), 1):
        score.add(labelled, number, before, after)
    return score


def luma_pairs(original: Path, redacted: Path) -> Iterator[tuple[Picture, Picture]]:
    """The luma of both videos frame by frame; OutputWrong when they differ in number or size of frames."""
    with av.open(original) as one, av.open(redacted) as two:
        for number, (before, after) in enumerate(zip_longest(one.decode(video=0), two.decode(video=0)), 1):
            if before is None or after is None:
                raise OutputWrong(
                    f"{redacted.name}: another number of frames than the original, from frame {number} on"
                )
            pair = tuple(np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in (before, after))
            if pair[0].shape != pair[1].shape:
                raise OutputWrong(f"{redacted.name}: frame {number} is {pair[1].shape}, expected {pair[0].shape}")
            yield pair[0], pair[1]


def read_picture(path: Path) -> Picture | None:
    """A picture as BGR, upright; None when it is not there or can not be read."""
    pixels = cv2.imread(str(path)) if path.is_file() else None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def tally_json(tally: Tally) -> dict[str, Json]:
    """Leaked count and share with its interval."""
    low, high = wilson(tally.leaked, tally.total)
    return {"leaked": tally.leaked, "leaked_share": tally.share, "leaked_95": [low, high]}


def classes_json(tally: Tally, unit: str) -> dict[str, Json]:
    """Leaked and seen by class of size."""
    return {f"{low}-{high}": {"leaked": k, unit: n} for (low, high), (k, n) in tally.by_size.items()}


@final
@dataclass(slots=True)
class _Run:
    """What a run over one set left behind."""

    outputs: dict[Path, Path] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    cost: Cost = Cost(0, 0, 0)


def _redact(
    labelled: LabelledSet, settings: RedactSettings, options: Options, heard: Callable[[Event], None], folder: Path
) -> _Run:
    """Run the product over the set."""
    run, started, cpu_s = _Run(), time.monotonic(), _cpu_s()
    for sources in _without_like_names(_sources(labelled)):
        planned = plan(
            [str(path) for path in sources], output=f"{folder / str(len(run.outputs))}/", codec=settings.codec
        )
        for left in (*planned.refused, *planned.skipped):
            raise InputRefused(f"{left.path}: {left.why}")
        for event in Batch(planned, settings, replace(options, verify=False)).run():
            heard(event)
            if isinstance(event, Done):
                run.done.append(event)
                run.outputs[event.job.source.resolve()] = event.job.output
            elif isinstance(event, Lost):
                run.lost.append(event)
    frames = sum(done.result.finished.frames for done in run.done)
    run.cost = Cost(frames, _cpu_s() - cpu_s, time.monotonic() - started)
    return run


def _sources(labelled: LabelledSet) -> Sequence[Path]:
    if isinstance(labelled, VideoSet):
        return [labelled.video]
    return [labelled.folder / picture.name for picture in labelled.pictures]


def _without_like_names(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """The paths in groups in which each file name comes once: an output folder holds each name once."""
    waiting = list(paths)
    while waiting:
        names: dict[str, Path] = {}
        for path in waiting:
            names.setdefault(path.name.casefold(), path)
        yield list(names.values())
        chosen = set(names.values())
        waiting = [path for path in waiting if path not in chosen]


def _cpu_s() -> float:
    """CPU seconds of this process and of those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
