"""The tally counts frames and covered shares as they pass the gate, and knows nothing else."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest

from skyveil.app.tally import FileTally
from skyveil.core.manifest import CENTERFACE
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions, whole_frame
from skyveil.public.types import RedactedFrame
from skyveil.public.wire import Finished
from skyveil.public.wire.documents import MOST_SECONDS
from tests.app.piping import MadeSource
from tests.private.made import HEIGHT, WIDTH, frame_of, plain


def redacted_frame(index: int, ms: int, *, share: float = 0.0, whole: bool = False) -> RedactedFrame:
    """A frame of which this share is covered, from the top."""
    raw = frame_of(plain(), index, ms=ms)
    looked = Looked(raw.id, WIDTH, np.full((1, 1), Why.LOOKED, np.uint8), np.zeros((1, 1), np.float32), ("net@0",))
    boxes = np.array([[0, 0, WIDTH, round(HEIGHT * share)]], np.int32)
    regions = whole_frame(raw.id) if whole else Regions(raw.id, boxes, (), looked)
    return redact(raw, regions, Solid(), max_look_age_s=1.0)


def finished(frames: Sequence[RedactedFrame], *, rate: Fraction | None = Fraction(25), damaged: int = 0) -> Finished:
    tally = FileTally()
    for number, frame in enumerate(frames):
        tally.count(frame, damaged=number < damaged)
    return tally.finished(MadeSource((), rate=rate), (CENTERFACE,), "f32")


def spread(times_ms: Sequence[int], share: float = 0.5) -> Iterator[RedactedFrame]:
    for index, ms in enumerate(times_ms):
        yield redacted_frame(index, ms, share=share)


def test_frames_damaged_and_whole_ones_are_counted() -> None:
    frames = [redacted_frame(index, 40 * index, whole=index < 3) for index in range(10)]
    told = finished(frames, damaged=2)
    assert (told.frames, told.damaged, told.whole) == (10, 2, 3)


def test_the_covered_share_is_a_mean_over_each_second_of_media_time() -> None:
    frames = [
        redacted_frame(index, ms, share=share) for index, (ms, share) in enumerate([(0, 0.0), (900, 0.5), (1000, 1.0)])
    ]
    assert finished(frames).covered_share_per_s == pytest.approx((0.25, 1.0))


def test_seconds_count_from_the_first_frame_whatever_its_time() -> None:
    assert finished(list(spread([5_000, 5_990, 6_000]))).covered_share_per_s == pytest.approx((0.5, 0.5))


def test_a_second_without_a_frame_shows_what_the_one_before_it_showed() -> None:
    frames = [redacted_frame(0, 0, share=0.5), redacted_frame(1, 3_100, share=1.0)]
    assert finished(frames).covered_share_per_s == pytest.approx((0.5, 0.5, 0.5, 1.0))


def test_the_duration_reaches_to_the_end_of_the_last_frame() -> None:
    assert finished(list(spread([1000, 1040, 1080]))).duration_s == pytest.approx(0.12)
    assert finished(list(spread([1000, 1040, 1080])), rate=None).duration_s == pytest.approx(0.08)


def test_no_frames_are_no_seconds() -> None:
    told = finished([])
    assert told.frames == 0
    assert told.covered_share_per_s == ()


def test_what_the_source_says_and_what_looked_is_passed_on() -> None:
    told = finished(list(spread([0])))
    assert told.source_fps == 25.0
    assert told.dropped == ("audio aac",)
    assert told.gaps == ((1.0, 2.0),)
    assert [(used.name, used.sha256) for used in told.models] == [(CENTERFACE.name, CENTERFACE.sha256)]
    assert told.precision == "f32"
    assert told.timings_s[0][0] == "cpu"
    assert told.timings_s[0][1] >= 0


def test_a_leap_of_the_clock_takes_no_memory() -> None:
    told = finished([redacted_frame(0, 0, share=0.5), redacted_frame(1, 1_700_000_000_000)])
    assert len(told.covered_share_per_s) == MOST_SECONDS
    assert told.covered_share_per_s[:2] == (0.5, 0.5) and told.covered_share_per_s[-1] == 0
