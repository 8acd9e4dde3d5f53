"""The pyramid: every pixel is shown to a network, and every size of face is answered for by some level."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.private.detect.finder import VIDEO_SIZES_WH
from skyveil.private.detect.pyramid import OVERLAP_PX, AnySize, Area, FewSizes, Level, Sizes, Window, levels
from tests.private.made import steady

SIDES = st.integers(1, 4400)
SCALES = st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.77, 1.0, 1.3, 2.0, 3.0])
STARTS = st.integers(0, 500).map(lambda half: 2 * half)
AREAS = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), STARTS, STARTS, SIDES, SIDES)
KINDS = st.sampled_from([AnySize(32), AnySize(64), FewSizes(VIDEO_SIZES_WH), FewSizes(((64, 64), (96, 320)))])


def shown(windows: list[Window], area: Area) -> NDArray[np.bool_]:
    """Which pixels of the area lie in some window."""
    x1, y1, x2, y2 = area
    seen = np.zeros((y2 - y1, x2 - x1), np.bool_)
    for window in windows:
        a, b, c, d = window.xyxy
        seen[b - y1 : d - y1, a - x1 : c - x1] = True
    return seen


@steady
@given(KINDS, AREAS, SCALES)
def test_every_pixel_of_an_area_lies_in_some_window(sizes: Sizes, area: Area, scale: float) -> None:
    windows = list(sizes.windows(area, scale))
    assert shown(windows, area).all()
    for window in windows:
        x1, y1, x2, y2 = window.xyxy
        assert area[0] <= x1 < x2 <= area[2]
        assert area[1] <= y1 < y2 <= area[3]
        assert x1 % 2 == y1 % 2 == 0


@steady
@given(KINDS, AREAS, SCALES)
def test_what_a_window_shows_fits_into_it(sizes: Sizes, area: Area, scale: float) -> None:
    for window in sizes.windows(area, scale):
        x1, y1, x2, y2 = window.xyxy
        assert (x2 - x1) * scale <= window.size_wh[0] + 1
        assert (y2 - y1) * scale <= window.size_wh[1] + 1


@steady
@given(AREAS, SCALES)
def test_a_network_of_few_sizes_is_asked_for_no_other(area: Area, scale: float) -> None:
    assert {window.size_wh for window in FewSizes(VIDEO_SIZES_WH).windows(area, scale)} <= set(VIDEO_SIZES_WH)


@steady
@given(AREAS, SCALES, st.sampled_from([32, 64]))
def test_a_network_of_every_size_is_asked_for_multiples(area: Area, scale: float, multiple: int) -> None:
    for window in AnySize(multiple).windows(area, scale):
        assert all(side > 0 and side % multiple == 0 for side in window.size_wh)


@steady
@given(AREAS, SCALES, st.data())
def test_a_face_no_larger_than_the_overlap_is_whole_in_some_window(
    area: Area, scale: float, data: st.DataObject
) -> None:
    x1, y1, x2, y2 = area
    side = int(OVERLAP_PX / scale) - 2
    wide, high = min(side, x2 - x1), min(side, y2 - y1)
    x, y = data.draw(st.integers(x1, x2 - wide)), data.draw(st.integers(y1, y2 - high))
    for sizes in (AnySize(64), FewSizes(VIDEO_SIZES_WH)):
        assert any(
            a <= x and b <= y and c >= x + wide and d >= y + high
            for a, b, c, d in (window.xyxy for window in sizes.windows(area, scale))
        )


def test_a_small_area_is_shown_in_the_smallest_size_that_holds_it() -> None:
    few = FewSizes(VIDEO_SIZES_WH)
    assert [one.size_wh for one in few.windows((0, 0, 100, 100), 1.0)] == [(192, 192)]
    assert [one.size_wh for one in few.windows((0, 0, 300, 100), 1.0)] == [(320, 192)]
    assert [one.size_wh for one in few.windows((0, 0, 300, 300), 1.0)] == [(320, 320)]
    assert [one.size_wh for one in few.windows((0, 0, 300, 330), 1.0)] == [(640, 384)]


PLANS = st.tuples(
    st.integers(1, 8000), st.integers(1, 8000), st.sampled_from([1.0, 2.0, 3.0]), st.integers(250_000, 8_000_000)
)


def pyramid(width: int, height: int, finest: float, budget_px: float) -> list[Level]:
    return levels(width, height, finest=finest, most_px=64, least_px=20, budget_px=budget_px)


@steady
@given(PLANS, st.floats(0.5, 10_000))
def test_every_size_of_face_is_answered_for_by_some_level(plan: tuple[int, int, float, int], face_px: float) -> None:
    assert any(one.least_px <= face_px * one.scale < one.most_px for one in pyramid(*plan))


@steady
@given(PLANS)
def test_each_level_is_half_of_the_one_before_and_the_last_is_small(plan: tuple[int, int, float, int]) -> None:
    made = pyramid(*plan)
    assert len(made) >= 2
    assert [one.scale for one in made[1:]] == pytest.approx([one.scale / 2 for one in made[:-1]])
    assert made[0].least_px == 0
    assert made[-1].most_px == inf
    assert max(plan[:2]) * made[-1].scale <= 800


@steady
@given(PLANS, st.sampled_from([2.0, 2.75]), st.floats(0.5, 10_000))
def test_levels_further_apart_and_of_whole_steps_answer_for_every_size_too(
    plan: tuple[int, int, float, int], step: float, face_px: float
) -> None:
    width, height, finest, budget_px = plan
    made = levels(width, height, finest=finest, most_px=76, least_px=20, budget_px=budget_px, step=step, multiple_px=64)
    assert any(one.least_px <= face_px * one.scale < one.most_px for one in made)
    long_px = made[0].scale * max(width, height)
    assert made[0].scale == 1.0 or long_px == pytest.approx(max(1, round(long_px / 64)) * 64)


@steady
@given(PLANS)
def test_a_picture_is_enlarged_as_far_as_its_budget_allows_and_never_shrunk_at_first(
    plan: tuple[int, int, float, int],
) -> None:
    width, height, finest, budget_px = plan
    scale = pyramid(*plan)[0].scale
    assert 1.0 <= scale <= finest
    assert scale == 1.0 or width * height * scale**2 <= budget_px * 1.001
