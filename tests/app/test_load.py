"""When a machine is too slow for a camera."""

import pytest

from skyveil.app.load import WINDOW_S, Load


def told(load: Load, shares: list[float], *, begin_s: float = 0.0, shown: int = 0, late: int = 0) -> tuple[int, int]:
    """Ten pictures a second, of which in each second such a share is left out; gives the counts."""
    for second, share in enumerate(shares):
        late += round(10 * share)
        shown += 10 - round(10 * share)
        load.note(shown=shown, late=late, now_s=begin_s + second)
    return shown, late


@pytest.mark.parametrize(
    ("share", "seconds", "overloaded"),
    [
        (0.0, 30, False),
        (0.1, 30, False),
        (0.5, 30, True),
        (1.0, 30, True),  # nothing is shown at all
        (0.5, WINDOW_S - 1, False),  # a busy moment, or a start
    ],
)
def test_it_is_told_by_the_share_that_was_left_out(share: float, seconds: float, overloaded: bool) -> None:
    load = Load()
    told(load, [share] * int(seconds))
    assert load.overloaded == overloaded


@pytest.mark.parametrize(("most_fps", "overloaded"), [(5.0, False), (6.0, False), (8.0, True), (None, True)])
def test_what_nobody_wants_is_not_left_out_by_the_machine(most_fps: float | None, overloaded: bool) -> None:
    load = Load(most_fps)
    told(load, [0.5] * 30)  # five a second are shown of ten that came
    assert load.overloaded == overloaded


def test_it_does_not_swing_and_ends_when_hardly_any_is_left_out() -> None:
    load = Load()
    shown, late = told(load, [0.5] * 20)
    shown, late = told(load, [0.1] * 30, begin_s=20, shown=shown, late=late)
    assert load.overloaded
    told(load, [0.0] * 20, begin_s=50, shown=shown, late=late)
    assert (load.overloaded, load.leaves_out) == (False, False)


def test_that_any_is_left_out_is_known_at_once() -> None:
    load, said = Load(), []
    for late in (0, 0, 1):
        load.note(shown=20, late=late, now_s=1.0 + late / 10)
        said.append((load.leaves_out, load.overloaded))
    assert said == [(False, False), (False, False), (True, False)]


def test_a_camera_that_stopped_is_not_for_the_machine_to_answer() -> None:
    load = Load()
    for second in range(30):
        load.note(shown=5, late=0, now_s=second)
    assert not load.overloaded
