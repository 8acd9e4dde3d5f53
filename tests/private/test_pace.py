"""The pace: a plan for every video that keeps its promises about age and memory, whatever its numbers."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyveil.core.settings import Mode, RedactSettings
from skyveil.private.pace import Coming, Pace, Pacing, as_it_comes, live_pace, pace_for
from tests.private.made import steady

HD = (1920, 1080)


def pace(mode: Mode = "balanced", size: tuple[int, int] = HD, fps: float = 25.0, age_s: float = 1.0) -> Pace:
    return pace_for(mode, width=size[0], height=size[1], fps=fps, max_look_age_s=age_s)


@steady
@given(
    st.sampled_from(["balanced", "strict"]),
    st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
    st.floats(0.01, 1000),
    st.floats(0.04, 10),
)
def test_every_plan_can_be_followed(mode: Mode, size: tuple[int, int], fps: float, age_s: float) -> None:
    plan = pace(mode, size, fps, age_s)
    assert 1 <= plan.look_every_busy <= plan.look_every
    assert plan.hindsight >= 0
    assert plan.person_long_px % 32 == 0
    assert plan.person_long_px > 0
    assert 0 < plan.person_least < 1
    assert 0 < plan.face_least < 1
    assert plan.face_scale >= 1


@steady
@given(st.floats(0.5, 240), st.floats(0.04, 10))
def test_looks_lie_no_further_apart_than_allowed(fps: float, age_s: float) -> None:
    plan = pace(fps=fps, age_s=age_s)
    assert plan.look_every == 1 or plan.look_every / fps <= age_s


@steady
@given(st.tuples(st.integers(16, 8192), st.integers(16, 8192)), st.floats(1, 240))
def test_the_ring_fits_into_memory(size: tuple[int, int], fps: float) -> None:
    plan = pace(size=size, fps=fps)
    frames = plan.hindsight + plan.look_every
    assert frames == 1 or frames * size[0] * size[1] * 3 // 2 <= 256_000_000


@steady
@given(st.floats(25, 240))
def test_a_faster_video_is_looked_at_as_often_in_time_and_believed_for_as_long(fps: float) -> None:
    usual, faster = pace(size=(640, 360)), pace(size=(640, 360), fps=fps)
    for counted in ("before", "before_weak", "gap", "around"):
        frames, usual_frames = getattr(faster.holding, counted), getattr(usual.holding, counted)
        assert frames / fps == pytest.approx(usual_frames / 25, abs=0.5 / fps + 1e-9)
    assert faster.look_every / fps == pytest.approx(usual.look_every / 25, abs=0.5 / fps + 1e-9)


@steady
@given(st.tuples(st.integers(16, 4096), st.integers(16, 4096)), st.floats(1, 120))
def test_strict_never_looks_less_than_balanced(size: tuple[int, int], fps: float) -> None:
    balanced, strict = pace("balanced", size, fps), pace("strict", size, fps)
    assert strict.look_every <= balanced.look_every
    assert strict.look_every_busy <= balanced.look_every_busy
    assert strict.person_long_px >= balanced.person_long_px
    assert strict.person_least <= balanced.person_least
    assert strict.face_least <= balanced.face_least
    assert strict.holding.before >= balanced.holding.before
    assert strict.holding.before_weak >= balanced.holding.before_weak


@steady
@given(st.floats(0.1, 60), st.integers(0, 6))
def test_a_slow_camera_ends_a_lost_track_after_a_second_or_three_looks(fps: float, hindsight: int) -> None:
    plan = live_pace(pace(), hindsight=hindsight, bodies=False)
    gap = as_it_comes(plan, fps, plan.look_every).holding.gap
    assert gap <= plan.holding.gap
    assert gap >= min(plan.holding.gap, 3 * plan.look_every)
    assert gap / fps >= min(plan.holding.gap / fps, 1 - 0.5 / fps)


def test_a_slow_camera_keeps_all_other_numbers() -> None:
    plan = live_pace(pace(), hindsight=2, bodies=False)
    slow = as_it_comes(plan, 10.0, plan.look_every)
    assert slow.holding.gap == 10
    assert replace(slow, holding=replace(slow.holding, gap=plan.holding.gap)) == plan


def test_finds_are_believed_over_two_looks_and_tracks_over_three_however_far_apart_looks_are() -> None:
    plan = live_pace(pace(), hindsight=2, bodies=False)
    assert as_it_comes(plan, 25.0, 5) == plan
    apart = as_it_comes(plan, 25.0, 22)
    assert (apart.holding.before, apart.holding.gap) == (44, 66)


@steady
@given(st.floats(0.1, 60), st.integers(0, 30), st.booleans())
def test_places_around_a_body_are_covered_unless_its_head_alone_is_and_looks_are_close(
    fps: float, apart: int, bodies: bool
) -> None:
    plan = live_pace(pace(), hindsight=2, bodies=bodies)
    close = max(apart, plan.look_every) / fps <= 0.45
    assert (as_it_comes(plan, fps, apart).holding.around_body == 0) is (close and not bodies)


def test_a_file_covers_the_places_around_a_body_as_those_around_a_face() -> None:
    assert pace().holding.around_body == pace().holding.around == 1


# How pictures are found to come.


def rates(told_fps: float | None, steps_s: Iterable[float]) -> list[float]:
    """The rate after each picture; each comes so many seconds after the one before."""
    coming, found = Coming(told_fps), []
    for seconds in itertools.accumulate(steps_s):
        before = coming.fps
        assert coming.picture(seconds) is (coming.fps != before)
        found.append(coming.fps)
    return found


@pytest.mark.parametrize("told_fps", [None, 1.0, 25.0, 60.0, 1000.0])
@pytest.mark.parametrize("fps", [5.0, 25.0, 60.0, 240.0])
def test_the_rate_is_that_at_which_pictures_come_whatever_was_told(told_fps: float | None, fps: float) -> None:
    found = rates(told_fps, [1 / fps] * 60)
    assert found[0] == (told_fps if told_fps and told_fps < 1000 else 25.0)
    assert all(rate == pytest.approx(fps) for rate in found[8:])


@steady
@given(st.sampled_from([5.0, 24.0, 25.0, 29.97, 60.0]), st.lists(st.floats(0.9, 1.1), min_size=9, max_size=80))
def test_a_sound_rate_is_kept_to_the_digit_though_pictures_come_by_fits(fps: float, fits: list[float]) -> None:
    assert set(rates(fps, [fit / fps for fit in fits])) == {fps}


def test_a_pause_is_no_slower_rate_and_a_rate_that_stays_slower_is() -> None:
    assert set(rates(60.0, [1 / 60] * 40 + [2.0] + [1 / 60] * 60)) == {60.0}
    assert rates(60.0, [1 / 60] * 40 + [1 / 10] * 80)[-1] == pytest.approx(10)


def test_the_way_to_the_next_look_is_as_far_as_looks_lately_were() -> None:
    pacing = Pacing(RedactSettings(), width=640, height=360, told_fps=None, hindsight=2, look_every=None)
    assert pacing.next_s == pytest.approx(3 / 25)
    for index in range(0, 24, 3):  # five pictures a second, which is not seen yet after three
        pacing.look(index, index / 5)
    assert pacing.next_s == pytest.approx(0.6)


def test_pictures_of_one_moment_say_no_rate() -> None:
    assert set(rates(None, [0.0] * 40)) == {25.0}
