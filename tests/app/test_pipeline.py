"""The path of a frame: each one passes the gate once, with regions and evidence of its own, or nothing goes on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

from skyveil.core.errors import BoundaryViolated, DetectorFailed
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.private._pixels import look
from skyveil.private.detect.boxes import Scored
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions, whole_frame
from skyveil.private.watch import Decided, VideoWatch
from skyveil.public.wire import Progress
from tests.app.piping import COVER_LUMA, Run, luma_of
from tests.private.made import HEIGHT, WIDTH, Box, ScriptedFinder, frame_of, nobody, plain, scene, scored

FACES_ONLY = RedactSettings(frozenset({Kind.FACE}))
BLACK = 16


def walker(index: int) -> list[Box]:
    return [(40.0 + 2 * index, 60, 64.0 + 2 * index, 84)]


def watching(finder: ScriptedFinder) -> VideoWatch:
    return VideoWatch(finder, FACES_ONLY, width=WIDTH, height=HEIGHT, fps=25.0)


def box_of(luma: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], box: Box) -> set[int]:
    x1, y1, x2, y2 = (int(edge) for edge in box)
    return {int(level) for level in np.unique(luma[y1:y2, x1:x2])}


def test_every_frame_comes_out_once_in_order_and_covered() -> None:
    run = Run(watching(ScriptedFinder(walker)), scene(100, walker), FACES_ONLY).to_the_end()
    assert run.encoder.indices == list(range(100))
    for frame in run.encoder.kept:
        assert box_of(luma_of(frame), walker(frame.id.index)[0]) == {COVER_LUMA}
        assert luma_of(frame)[-1, -1] == 100


def test_messages_are_those_of_the_encoder_and_its_end_comes_last() -> None:
    run = Run(watching(ScriptedFinder()), scene(30, nobody), FACES_ONLY).to_the_end()
    assert run.messages == [*(Progress(index) for index in range(30)), Progress(30)]
    assert run.encoder.ended


def test_no_raw_frame_can_be_looked_at_once_it_went_through() -> None:
    run = Run(watching(ScriptedFinder(walker)), scene(60, walker), FACES_ONLY).to_the_end()
    assert len(run.source.given) == 60
    for raw in run.source.given:
        with pytest.raises(BoundaryViolated, match="already consumed"):
            look(raw)


def test_frames_keep_their_times() -> None:
    ms = [0, 40, 41, 700, 2500, 2501, 9000]
    run = Run(watching(ScriptedFinder(walker)), scene(len(ms), walker, ms=ms), FACES_ONLY).to_the_end()
    assert [frame.time.ticks for frame in run.encoder.kept] == ms
    assert [frame.picture.pts for frame in run.encoder.kept] == ms


def test_damaged_frames_are_black_counted_and_never_looked_at() -> None:
    damaged = {0, 10, 11, 12, 59}
    finder = ScriptedFinder(walker)
    run = Run(watching(finder), scene(60, walker, damaged=damaged), FACES_ONLY).to_the_end()
    assert run.encoder.indices == list(range(60))
    assert not damaged & set(finder.looked_at)
    for frame in run.encoder.kept:
        assert frame.whole == (frame.id.index in damaged)
        assert bool((luma_of(frame) == BLACK).all()) == frame.whole
    assert run.tally.frames == 60


@pytest.mark.parametrize("look", [0, 1, 4, 9])
def test_a_look_that_fails_ends_the_file_and_no_frame_leaves_without_evidence(look: int) -> None:
    honest = ScriptedFinder(walker)
    Run(watching(honest), scene(100, walker), FACES_ONLY).to_the_end()
    run = Run(watching(ScriptedFinder(walker, raises_at=honest.looked_at[look])), scene(100, walker), FACES_ONLY)
    with pytest.raises(DetectorFailed, match="the network failed"):
        run.to_the_end()
    assert not run.encoder.ended
    assert run.encoder.indices == list(range(len(run.encoder.kept)))
    assert len(run.encoder.kept) <= honest.looked_at[look]
    for frame in run.encoder.kept:
        assert box_of(luma_of(frame), walker(frame.id.index)[0]) == {COVER_LUMA}


@pytest.mark.parametrize("answer", [scored([(float("nan"), 1, 2, 3)]), scored([(1, 1, 2, 3)], float("nan"))])
def test_an_answer_that_is_not_a_number_ends_the_file(answer: Scored) -> None:
    run = Run(watching(ScriptedFinder(walker, answers={0: answer})), scene(10, walker), FACES_ONLY)
    with pytest.raises(DetectorFailed, match="not a finite number"):
        run.to_the_end()
    assert run.encoder.kept == []
    assert not run.encoder.ended


# Watches that do what no watch may do.

Deed: TypeAlias = Callable[[RawFrame], Iterator[Decided]]


def evidence(raw: RawFrame, *, why: Why = Why.LOOKED, age_s: float = 0.0) -> Looked:
    return Looked(raw.id, WIDTH, np.full((1, 1), why, np.uint8), np.full((1, 1), age_s, np.float32), ("net@0",))


def nothing_to_hide(raw: RawFrame, looked: Looked | None = None) -> Regions:
    return Regions(raw.id, np.zeros((0, 4), np.int32), (), looked or evidence(raw))


class Misbehaving:
    """A watch that does one deed for each frame."""

    def __init__(self, deed: Deed) -> None:
        self._deed = deed

    def see(self, raw: RawFrame) -> Iterator[Decided]:
        return self._deed(raw)

    def end(self) -> Iterator[Decided]:
        return iter(())


def regions_of_the_frame_before(raw: RawFrame) -> Iterator[Decided]:
    before = replace(raw.id, index=max(0, raw.id.index - 1))
    yield raw, Regions(before, np.zeros((0, 4), np.int32), (), replace(evidence(raw), of=before))


def evidence_of_the_frame_before(raw: RawFrame) -> Iterator[Decided]:
    before = replace(raw.id, index=max(0, raw.id.index - 1))
    yield raw, nothing_to_hide(raw, replace(evidence(raw), of=before))


def every_frame_twice(raw: RawFrame) -> Iterator[Decided]:
    yield raw, nothing_to_hide(raw)
    if raw.id.index:
        yield raw, nothing_to_hide(raw)


@pytest.mark.parametrize(
    ("deed", "left"),
    [(regions_of_the_frame_before, 1), (evidence_of_the_frame_before, 1), (every_frame_twice, 2)],
)
def test_a_watch_that_mixes_up_frames_ends_the_file(deed: Deed, left: int) -> None:
    run = Run(Misbehaving(deed), scene(5, nobody))
    with pytest.raises(BoundaryViolated):
        run.to_the_end()
    assert len(run.encoder.kept) == left
    assert not run.encoder.ended


def no_evidence(raw: RawFrame) -> Iterator[Decided]:
    yield raw, whole_frame(raw.id)


def undecided(raw: RawFrame) -> Iterator[Decided]:
    yield raw, nothing_to_hide(raw, evidence(raw, why=Why.UNDECIDED))


def too_old(raw: RawFrame) -> Iterator[Decided]:
    yield raw, nothing_to_hide(raw, evidence(raw, age_s=1.01))


def age_unknown(raw: RawFrame) -> Iterator[Decided]:
    yield raw, nothing_to_hide(raw, evidence(raw, age_s=float("nan")))


@pytest.mark.parametrize("deed", [no_evidence, undecided, too_old, age_unknown])
def test_frames_without_evidence_that_holds_leave_with_nothing_to_see(deed: Deed) -> None:
    run = Run(Misbehaving(deed), (frame_of(plain(200), index) for index in range(5))).to_the_end()
    assert run.encoder.indices == list(range(5))
    for frame in run.encoder.kept:
        assert not (luma_of(frame) == 200).any()
        assert frame.covered_share == 1.0


def test_a_watch_that_keeps_everything_lets_nothing_out() -> None:
    run = Run(Misbehaving(lambda raw: iter(())), scene(5, nobody)).to_the_end()
    assert run.encoder.kept == []
