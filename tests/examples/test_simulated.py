"""Simulated cameras: crowds that obey physics, and films that show them where the truth says."""

from pathlib import Path

import av
import numpy as np
import pytest

from examples.simulated.crowd import SPEED_M_PER_S, Crowd
from examples.simulated.film import Film, pictures, write_video
from examples.simulated.pinhole import Pinhole
from examples.simulated.places import (
    Place,
    all_places,
    corridor,
    counter,
    escalators,
    exit_of,
    platform,
    steadily,
)
from examples.simulated.trajectories import Trajectories, read, write
from examples.simulated.walk import walked

CAMERA = Pinhole((4.0, -2.0), 5.0, 30.0, focal_px=700.0)


def single(xy: list[tuple[float, float]], height_m: float = 1.7) -> Trajectories:
    """One person at these places, a picture each."""
    count = len(xy)
    return Trajectories(
        10.0, np.arange(count), np.zeros(count, np.int64), np.array(xy, np.float64), np.full(count, height_m)
    )


# --- the crowd -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", list(all_places()), ids=lambda place: place.name)
def test_every_place_gives_the_same_crowd_twice(place: Place) -> None:
    first, second = (walked(place, seconds=6, rate_fps=8, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.xy, second.xy)
    assert first.frames == 48
    assert np.isfinite(first.xy).all()


def test_another_seed_gives_another_crowd() -> None:
    first, second = (walked(exit_of(), seconds=6, rate_fps=8, seed=seed) for seed in (1, 2))
    assert first.xy.shape != second.xy.shape or not np.allclose(first.xy, second.xy)


def test_who_walks_alone_walks_at_the_free_speed() -> None:
    crowd = Crowd(seed=1)
    crowd.enter(np.array([[0.0, 0.0]]))
    goal = np.array([[100.0, 0.0]])
    for _ in range(500):
        crowd.step(goal, np.zeros((0, 2, 2)), np.zeros((1, 2)))
    assert np.linalg.norm(crowd.velocity[0]) == pytest.approx(crowd.speed_m_per_s[0], rel=0.01)
    assert 0.5 * SPEED_M_PER_S <= crowd.speed_m_per_s[0] <= 1.6 * SPEED_M_PER_S


def test_bodies_do_not_pass_through_each_other_nor_through_walls() -> None:
    crowd = walked(exit_of(closes_s=5), seconds=25, rate_fps=5)
    for rows in crowd.each_frame():
        x, y = crowd.xy[rows].T
        inside = y < 10
        assert ((x[inside] > -0.05) & (x[inside] < 8.05)).all()
        apart = np.linalg.norm(crowd.xy[rows][:, None] - crowd.xy[rows][None], axis=2) + 9 * np.eye(len(x))
        assert apart.min(initial=9) > 0.15


def test_a_closed_door_lets_nobody_through_and_the_crowd_before_it_thickens() -> None:
    place = exit_of(closes_s=12)
    assert place.line is not None
    crowd = walked(place, seconds=30, rate_fps=8)
    times = crowd.crossings(np.array(place.line))[:, 0]
    assert (times < 13).any()
    assert (times < 13).all()
    assert _inside(crowd, place, 29.0) > 2 * _inside(crowd, place, 12.0)


def test_a_platform_fills() -> None:
    place = platform(per_s=3, over_s=10)
    crowd = walked(place, seconds=30, rate_fps=5)
    assert _inside(crowd, place, 29) > _inside(crowd, place, 15) > _inside(crowd, place, 6)


def test_people_come_against_the_stream_only_from_then_on() -> None:
    place = corridor(forward_per_s=0.6, against_per_s=0.6, against_from_s=8)
    assert place.line is not None
    found = walked(place, seconds=25, rate_fps=8).crossings(np.array(place.line))
    against = found[found[:, 1] < 0, 0]
    assert len(against) >= 2
    assert against.min() > 8 + 5 / (1.6 * SPEED_M_PER_S)
    assert (found[:, 1] > 0).any()


def test_who_rides_an_escalator_moves_as_it_does_and_one_runs_against_it() -> None:
    place = escalators(wrong_way_s=4)
    crowd = walked(place, seconds=25, rate_fps=5)
    speeds = []
    for person in np.unique(crowd.person):
        y = crowd.xy[crowd.person == person, 1]
        x = crowd.xy[crowd.person == person, 0]
        on = (y > 5) & (y < 11) & (x > 1) & (x < 2.2)
        if on.sum() > 3:
            speeds.append(float(np.median(np.diff(y[on])) * 5))
    assert sum(speed < -0.5 for speed in speeds) == 1
    assert np.median([speed for speed in speeds if speed > 0]) == pytest.approx(0.65, abs=0.1)


def test_a_counter_serves_one_at_a_time() -> None:
    place = counter(per_s=0.8, service_s=3)
    crowd = walked(place, seconds=50, rate_fps=5)
    left = sorted(crowd.frame[crowd.person == one].max() / 5 for one in np.unique(crowd.person))
    done = [time for time in left if time < 49]
    assert len(done) >= 5
    assert np.diff(done).min() > 1.5
    waiting = crowd.person[crowd.rows(crowd.frames - 1)]
    assert len(waiting) > 10


def test_nobody_comes_after_the_last_arrival() -> None:
    assert steadily(2.0, until_s=5)(4.9) == 2.0
    assert steadily(2.0, until_s=5)(5.0) == 0.0


def _inside(crowd: Trajectories, place: Place, at_s: float) -> int:
    x1, y1, x2, y2 = place.watched
    x, y = crowd.xy[crowd.rows(int(at_s * crowd.rate_fps))].T
    return int(((x > x1) & (x < x2) & (y > y1) & (y < y2)).sum())


# --- trajectories --------------------------------------------------------------------------------------------------


def test_a_crossing_has_its_time_and_its_direction() -> None:
    there_and_back = single([(1.0, -1.0), (1.0, -0.2), (1.0, 0.6), (1.0, -0.2)])
    found = there_and_back.crossings(np.array([[0.0, 0.0], [2.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.2, 1.0], [0.3, -1.0]])


def test_who_passes_beside_a_line_does_not_cross_it() -> None:
    assert not len(single([(3.0, -1.0), (3.0, 1.0)]).crossings(np.array([[0.0, 0.0], [2.0, 0.0]])))


def test_trajectories_are_read_as_they_were_written(tmp_path: Path) -> None:
    crowd = walked(exit_of(), seconds=4, rate_fps=8)
    write(crowd, tmp_path / "crowd.txt")
    again = read(tmp_path / "crowd.txt", rate_fps=8)
    np.testing.assert_array_equal(again.person, crowd.person[np.lexsort((crowd.person, crowd.frame))])
    np.testing.assert_allclose(again.xy.sum(), crowd.xy.sum(), atol=1e-4 * crowd.xy.size)
    assert again.rate_fps == 8


def test_centimetres_are_told_from_metres(tmp_path: Path) -> None:
    (tmp_path / "cm.txt").write_text("# id frame x y z\n1 7 250 -40 176\n1 8 260 -40 176\n")
    crowd = read(tmp_path / "cm.txt", rate_fps=16)
    np.testing.assert_allclose(crowd.xy, [[2.5, -0.4], [2.6, -0.4]])
    np.testing.assert_allclose(crowd.height_m, 1.76)
    assert crowd.frames == 2


# --- the camera ----------------------------------------------------------------------------------------------------


def test_pixels_of_the_floor_lead_back_to_it() -> None:
    xy = np.array([[4.0, 3.0], [0.5, 9.0], [7.5, 20.0]])
    uv = CAMERA.pixels(xy, np.zeros(3))[:, :2]
    np.testing.assert_allclose(CAMERA.floor(uv), xy, atol=1e-9)


def test_a_level_plane_maps_as_the_projection_does() -> None:
    xy = np.array([[1.0, 4.0], [6.0, 8.0]])
    mapped = np.column_stack([xy, np.ones(2)]) @ CAMERA.plane(1.7).T
    np.testing.assert_allclose(mapped[:, :2] / mapped[:, 2:], CAMERA.pixels(xy, np.full(2, 1.7))[:, :2])


def test_what_is_ahead_lies_in_the_middle_and_up_is_up() -> None:
    level = Pinhole((0.0, 0.0), 2.0, 0.0, heading_deg=90.0, focal_px=500)
    low, high, right = level.pixels(np.array([[0.0, 10.0], [0.0, 10.0], [1.0, 10.0]]), np.array([2.0, 3.0, 2.0]))
    np.testing.assert_allclose(low, [640, 360, 10])
    np.testing.assert_allclose(high, [640, 310, 10])
    np.testing.assert_allclose(right, [690, 360, 10])


def test_above_the_horizon_there_is_no_floor() -> None:
    horizon_px = 360 - 700 * np.tan(np.deg2rad(30))
    above, below = CAMERA.floor(np.array([[640.0, horizon_px - 2], [640.0, horizon_px + 2]]))
    assert np.isnan(above).all()
    assert np.isfinite(below).all()


# --- the film ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tilt_deg", [15.0, 40.0])
@pytest.mark.parametrize("xy", [(4.0, 6.0), (2.5, 4.0)])
def test_a_figure_stands_where_the_truth_says(tilt_deg: float, xy: tuple[float, float]) -> None:
    camera = Pinhole((4.0, -2.0), 5.0, tilt_deg, focal_px=700.0)
    empty = next(pictures(_nobody(), Film(camera))).astype(int)
    shown = next(pictures(single([xy]), Film(camera))).astype(int)
    changed = np.abs(shown - empty).max(axis=2) > 12
    rows, columns = np.nonzero(changed)
    head, feet = camera.pixels(np.array([xy, xy]), np.array([1.7, 0.0]))
    assert rows.min() == pytest.approx(head[1], abs=4)
    assert rows.max() == pytest.approx(feet[1], abs=6)
    top = columns[rows < rows.min() + 0.08 * np.ptp(rows)]
    assert top.mean() == pytest.approx(head[0], abs=5)


def test_a_film_has_a_picture_for_every_frame_of_the_walk(tmp_path: Path) -> None:
    crowd = walked(exit_of(), seconds=2, rate_fps=8)
    write_video(crowd, Film(Pinhole((4.0, -2.0), 5.0, 30.0, focal_px=350, width=640, height=360)), tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == 8
        assert sum(1 for _ in container.decode(video=0)) == crowd.frames


def _nobody() -> Trajectories:
    return single([(4.0, -50.0)])
