"""Tracks say where a box was between looks; they join by place alone and forget what no frame needs."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy
from skyveil.core.ids import FrameId
from skyveil.core.kinds import Kind
from skyveil.private.detections import Detections, none_found
from skyveil.private.track.flow import Sight
from skyveil.private.track.hints import Hints
from skyveil.private.track.tracks import SURE, Holding, Placed, Tracks
from tests.private.made import SOURCE, Box, steady

HOLDING = Holding(before=6, before_weak=2, gap=20, around=2, around_body=2, growth=0.01, stride=0.1)
BARE = Holding(before=0, before_weak=0, gap=20, around=0, around_body=0, growth=0.0, stride=0.1)
"""Believes what was seen and what lies between, and nothing else."""


def found(frame: int, *boxes: Box, score: float = 0.9, kind: Kind = Kind.FACE) -> Detections:
    count = len(boxes)
    return Detections(
        FrameId(SOURCE, frame),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.full(count, int(kind), np.uint8),
    )


def tracks_of(*looks: tuple[int, list[Box]], holding: Holding = HOLDING, score: float = 0.9) -> Tracks:
    tracks = Tracks(holding)
    for frame, boxes in looks:
        tracks.update(found(frame, *boxes, score=score), frame=frame)
    return tracks


def at(tracks: Tracks, frame: int) -> Placed:
    return tracks.placed(frame, frame)[0]


def count_at(tracks: Tracks, frame: int) -> int:
    return len(at(tracks, frame).xyxy)


def inside(box: Box | NDArray[np.float64], covers: BoxesXyxy, slack_px: float = 0.01) -> bool:
    x1, y1, x2, y2 = (float(edge) for edge in box)
    low = (covers[:, 0] <= x1 + slack_px) & (covers[:, 1] <= y1 + slack_px)
    high = (covers[:, 2] >= x2 - slack_px) & (covers[:, 3] >= y2 - slack_px)
    return bool((low & high).any())


HERE: Box = (100, 100, 140, 150)


# Joining.


def test_boxes_that_overlap_from_look_to_look_are_one_track() -> None:
    assert count_at(tracks_of((0, [HERE]), (5, [(104, 100, 144, 150)])), 2) == 1


def test_boxes_far_apart_are_two_tracks() -> None:
    assert count_at(tracks_of((0, [HERE]), (5, [(400, 100, 440, 150)])), 2) == 2


def test_kinds_are_never_joined() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, HERE, kind=Kind.FACE), frame=0)
    tracks.update(found(5, HERE, kind=Kind.PERSON), frame=5)
    assert count_at(tracks, 2) == 0
    assert at(tracks, 0).kind.tolist() == [Kind.FACE]
    assert at(tracks, 5).kind.tolist() == [Kind.PERSON]


def test_a_strong_box_chooses_its_track_before_a_weak_one_that_lies_nearer() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, HERE), frame=0)
    strong, weak = (106, 100, 146, 150), (101, 100, 141, 150)
    look = Detections(
        FrameId(SOURCE, 4),
        np.array([weak, strong], np.float32),
        np.array([SURE / 2, 0.9], np.float32),
        np.zeros(2, np.uint8),
    )
    tracks.update(look, frame=4)
    assert inside((103, 100, 143, 150), at(tracks, 2).xyxy)
    assert count_at(tracks, 2) == 1
    assert count_at(tracks, 4) == 2


def test_a_weak_box_keeps_a_track_that_no_strong_one_chose() -> None:
    tracks = tracks_of((0, [HERE]))
    tracks.update(found(5, HERE, score=SURE / 2), frame=5)
    tracks.update(found(10, HERE), frame=10)
    assert [count_at(tracks, frame) for frame in range(11)] == [1] * 11


def test_two_that_cross_are_both_covered_all_the_way() -> None:
    def one(frame: int) -> Box:
        return (100.0 + 4 * frame, 100, 130.0 + 4 * frame, 130)

    def other(frame: int) -> Box:
        return (300.0 - 4 * frame, 105, 330.0 - 4 * frame, 135)

    tracks = tracks_of(*[(frame, [one(frame), other(frame)]) for frame in range(0, 51, 3)])
    for frame in range(0, 49):
        covers = at(tracks, frame).xyxy
        assert inside(one(frame), covers), frame
        assert inside(other(frame), covers), frame


@pytest.mark.parametrize("speed_px", [1, 3, 5])
def test_a_small_fast_box_that_never_overlaps_itself_is_one_track_once_its_speed_is_known(speed_px: int) -> None:
    def small(frame: int) -> Box:
        return (10.0 + speed_px * frame, 50, 22.0 + speed_px * frame, 62)

    # Two looks close together tell the speed; after that a look every third frame is enough.
    tracks = tracks_of((0, [small(0)]), (1, [small(1)]), *[(f, [small(f)]) for f in range(4, 61, 3)], holding=BARE)
    for frame in range(59):
        assert inside(small(frame), at(tracks, frame).xyxy), frame
        assert count_at(tracks, frame) == 1


@pytest.mark.parametrize("speed_px", [1, 4, 8])
def test_a_small_fast_face_is_one_track_from_its_second_sight_on(speed_px: int) -> None:
    def small(frame: int) -> Box:
        return (10.0 + speed_px * frame, 50, 22.0 + speed_px * frame, 64)

    tracks = tracks_of(*[(frame, [small(frame)]) for frame in range(0, 61, 5)], holding=BARE)
    for frame in range(59):
        assert inside(small(frame), at(tracks, frame).xyxy), frame
        assert count_at(tracks, frame) == 1


def test_a_body_that_is_found_several_of_its_heights_away_is_another() -> None:
    tracks = Tracks(BARE)
    for frame, box in ((0, HERE), (5, (200, 100, 240, 150))):
        tracks.update(found(frame, box, kind=Kind.PERSON), frame=frame)
    assert count_at(tracks, 2) == 0


def test_a_doubtful_box_keeps_a_track_that_nothing_was_found_of() -> None:
    tracks = tracks_of((0, [HERE]))
    tracks.update(found(20), frame=20, doubtful=found(20, HERE, score=0.05))
    tracks.update(found(40, HERE), frame=40)
    assert [count_at(tracks, frame) for frame in range(41)] == [1] * 41
    assert at(tracks, 20).score.tolist() == [np.float32(0.9)]


def test_a_doubtful_box_begins_no_track_and_takes_none_that_was_found() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0), frame=0, doubtful=found(0, HERE, score=0.05))
    assert count_at(tracks, 0) == 0
    tracks.update(found(5, HERE), frame=5, doubtful=found(5, (110, 100, 150, 150), score=0.05))
    assert at(tracks, 5).xyxy.tolist() == [list(HERE)]


def test_a_doubtful_box_further_than_its_own_side_from_where_a_track_should_be_does_not_keep_it() -> None:
    tracks = tracks_of((0, [HERE]), holding=BARE)
    tracks.update(found(5), frame=5, doubtful=found(5, (160, 100, 200, 150), score=0.05))
    assert count_at(tracks, 5) == 0


# Hints: answers too weak to begin a track.

FAINT: Box = (100, 100, 108, 110)


def hinted(*scores: float, enlarged: bool = True) -> Tracks:
    """A small face that moves 5 px between looks 5 frames apart, at which nothing but hints is found."""
    tracks = Tracks(replace(BARE, before_weak=1))
    for look, score in enumerate(scores):
        box = found(5 * look, moved(FAINT, 5 * look), score=score)
        tracks.update(found(5 * look), frame=5 * look, hints=Hints(box, np.array([enlarged])))
    return tracks


def moved(box: Box, right: float) -> Box:
    return box[0] + right, box[1], box[2] + right, box[3]


def test_hints_of_enlarged_looks_that_are_enough_together_cover_all_of_their_way() -> None:
    assert not any(count_at(hinted(0.06, 0.06), frame) for frame in range(6))
    enough = hinted(0.06, 0.06, 0.06)
    assert [count_at(enough, frame) for frame in range(11)] == [1] * 11
    assert inside(moved(FAINT, 3), at(enough, 3).xyxy)


def test_hints_of_first_looks_cover_nothing_however_many() -> None:
    assert not any(count_at(hinted(*[0.06] * 20, enlarged=False), frame) for frame in range(100))


def test_a_face_found_where_hints_were_is_covered_all_of_their_way() -> None:
    tracks = hinted(0.02, 0.02, enlarged=False)
    tracks.update(found(10, moved(FAINT, 10)), frame=10)
    assert [count_at(tracks, frame) for frame in range(11)] == [1] * 11


def test_a_weak_box_found_once_where_hints_were_is_believed_and_held_no_longer_than_without() -> None:
    tracks = hinted(0.02, 0.02, enlarged=False)
    tracks.update(found(10, moved(FAINT, 10), score=0.1), frame=10)
    assert [count_at(tracks, frame) for frame in range(11)] == [0] * 9 + [1, 1]
    tracks.hold(Kind.FACE, np.array([True]), frame=15)
    assert count_at(tracks, 15) == 0


@pytest.mark.parametrize(("hints", "face", "held"), [(3, None, 0), (5, None, 1), (2, None, 0), (2, 0.09, 1)])
def test_a_face_that_stops_is_held_when_its_hints_are_enough_twice_or_beside_a_find(
    hints: int, face: float | None, held: int
) -> None:
    tracks, frame = hinted(*[0.06] * hints), 5 * hints - 5
    if face is not None:
        frame += 5
        tracks.update(found(frame, moved(FAINT, frame), score=face), frame=frame)
    for look in range(1, 5):
        tracks.hold(Kind.FACE, np.ones(len(tracks.last(Kind.FACE)), np.bool_), frame=frame + 5 * look)
        tracks.update(found(frame + 5 * look), frame=frame + 5 * look)
    assert count_at(tracks, frame + 20) == held


def test_a_hint_beside_the_track_of_a_face_takes_nothing_from_it() -> None:
    tracks = tracks_of((0, [FAINT]), holding=BARE)
    tracks.update(found(5, FAINT), frame=5, hints=Hints(found(5, moved(FAINT, 6), score=0.06), np.array([True])))
    assert at(tracks, 5).xyxy.tolist() == [list(FAINT)]
    assert tracks.last(Kind.FACE).tolist() == [list(FAINT)]


def test_where_a_hint_goes_on_is_told_and_elsewhere_not() -> None:
    boxes = np.array([moved(FAINT, 5), moved(FAINT, 150)], np.float32)
    assert hinted(0.02).hinted(boxes, Kind.FACE, frame=5).tolist() == [True, False]
    assert Tracks(BARE).hinted(boxes, Kind.FACE, frame=5).tolist() == [False, False]


# Where a track is.


def test_a_track_is_covered_before_it_was_found_and_after_it_was_lost_in_growing_boxes() -> None:
    tracks = tracks_of((20, [HERE]), (25, [HERE]))
    areas = []
    for frame in range(20, 20 - HOLDING.before - 1, -1):
        (box,) = at(tracks, frame).xyxy
        areas.append(float((box[2] - box[0]) * (box[3] - box[1])))
        assert inside(HERE, at(tracks, frame).xyxy)
    assert areas == sorted(areas)
    assert areas[-1] > areas[0]
    assert count_at(tracks, 20 - HOLDING.before - 1) == 0
    assert [count_at(tracks, 25 + after) for after in range(HOLDING.before + 2)] == [1] * (HOLDING.before + 1) + [0]


def test_one_weak_sight_is_believed_for_less_long_than_a_strong_one() -> None:
    weak = tracks_of((20, [HERE]), score=SURE / 2)
    strong = tracks_of((20, [HERE]), score=SURE)
    reach = HOLDING.before_weak
    assert [count_at(weak, 20 + shift) for shift in (-reach - 1, -reach, 0, reach, reach + 1)] == [0, 1, 1, 1, 0]
    assert count_at(strong, 20 + reach + 1) == 1


def test_a_gap_longer_than_the_patience_makes_two_tracks() -> None:
    joined = tracks_of((0, [HERE]), (HOLDING.gap - 1, []), (HOLDING.gap, [HERE]))
    parted = tracks_of((0, [HERE]), (HOLDING.gap, []), (HOLDING.gap + 1, [HERE]))
    assert count_at(joined, HOLDING.gap // 2) == 1
    assert count_at(parted, HOLDING.gap // 2) == 0


def test_after_its_last_sight_a_track_goes_on_as_it_went() -> None:
    tracks = tracks_of((0, [HERE]), (5, [(120, 100, 160, 150)]), (10, [(140, 100, 180, 150)]))
    assert inside((152, 100, 192, 150), at(tracks, 13).xyxy)
    assert inside((92, 100, 132, 150), at(tracks, -2).xyxy)


def test_a_cover_holds_where_the_track_is_shortly_before_and_after() -> None:
    tracks = tracks_of((0, [HERE]), (10, [(130, 100, 170, 150)]))
    for frame in (2, 5, 8):
        covers = at(tracks, frame).xyxy
        for near in range(frame - HOLDING.around, frame + HOLDING.around + 1):
            assert inside((100 + 3 * near, 100, 140 + 3 * near, 150), covers)


def test_a_track_scores_as_its_best_sight() -> None:
    tracks = tracks_of((0, [HERE]), score=0.2)
    tracks.update(found(5, HERE, score=0.8), frame=5)
    tracks.update(found(10, HERE, score=0.4), frame=10)
    assert at(tracks, 1).score.tolist() == [np.float32(0.8)]


def test_nothing_found_places_nothing() -> None:
    tracks = Tracks(HOLDING)
    tracks.update(none_found(FrameId(SOURCE, 0)), frame=0)
    placed = tracks.placed(0, 4)
    assert [one.xyxy.shape for one in placed] == [(0, 4)] * 5
    assert all(len(one.score) == len(one.kind) == 0 for one in placed)


# What is told to tracks.


def test_a_held_track_stays_where_it_was_as_if_found() -> None:
    tracks = tracks_of((0, [HERE]))
    for frame in range(5, 200, 5):
        tracks.hold(Kind.FACE, np.array([True]), frame=frame)
        tracks.update(none_found(FrameId(SOURCE, frame)), frame=frame)
    assert all(inside(HERE, one.xyxy) for one in tracks.placed(0, 195))


def test_one_weak_sight_is_not_held_and_two_are() -> None:
    def held(*looks: int) -> int:
        tracks = tracks_of(*[(frame, [HERE]) for frame in looks], score=0.1)
        for frame in range(10, 40, 5):
            tracks.hold(Kind.FACE, np.ones(len(tracks.last(Kind.FACE)), np.bool_), frame=frame)
            tracks.update(found(frame), frame=frame)
        return count_at(tracks, 35)

    assert held(5) == 0
    assert held(3, 5) == 1


def test_a_track_that_is_not_held_is_lost() -> None:
    tracks = tracks_of((0, [HERE]))
    for frame in range(5, 60, 5):
        tracks.hold(Kind.FACE, np.zeros(len(tracks.last(Kind.FACE)), np.bool_), frame=frame)
        tracks.update(none_found(FrameId(SOURCE, frame)), frame=frame)
    assert tracks.last(Kind.FACE).shape == (0, 4)
    assert count_at(tracks, HOLDING.before + 1) == 0


def test_a_track_held_after_it_was_missed_is_covered_where_it_stood_and_where_it_went() -> None:
    tracks = tracks_of((0, [HERE]), (5, [(120, 100, 160, 150)]), (10, []))
    tracks.hold(Kind.FACE, np.array([True]), frame=15)
    tracks.update(none_found(FrameId(SOURCE, 15)), frame=15)
    for frame in range(5, 5 + HOLDING.before + 1):
        assert inside((120, 100, 160, 150), at(tracks, frame).xyxy)
        assert inside((100 + 4 * frame, 100, 140 + 4 * frame, 150), at(tracks, frame).xyxy)
    assert inside((120, 100, 160, 150), at(tracks, 15).xyxy)


def test_only_tracks_of_the_kind_that_is_named_are_held_or_ended() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, HERE, kind=Kind.PERSON), frame=0)
    tracks.update(found(1, HERE, kind=Kind.FACE), frame=1)
    tracks.end(Kind.FACE, np.array([True]))
    assert len(tracks.last(Kind.FACE)) == 0
    assert len(tracks.last(Kind.PERSON)) == 1


def test_an_ended_track_keeps_its_past_and_takes_no_new_box() -> None:
    tracks = tracks_of((0, [HERE]), (5, [HERE]), holding=BARE)
    tracks.end(Kind.FACE, np.array([True]))
    tracks.update(found(10, HERE), frame=10)
    assert [count_at(tracks, frame) for frame in (0, 3, 5, 7, 10)] == [1, 1, 1, 0, 1]


def test_a_cut_ends_all_and_nothing_is_joined_over_it() -> None:
    tracks = tracks_of((0, [HERE]), (5, [HERE]), holding=BARE)
    tracks.cut()
    tracks.update(found(8, HERE), frame=8)
    assert [count_at(tracks, frame) for frame in range(4, 10)] == [1, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("moving", [False, True])
def test_memory_is_bounded_over_ten_thousand_looks(moving: bool) -> None:
    tracks = Tracks(HOLDING)
    random = np.random.default_rng(7)
    sizes = []
    for frame in range(10_000):
        shift = random.uniform(0, 4000) if moving else 0.0
        tracks.update(found(frame, HERE, (shift, 500, shift + 40, 550)), frame=frame)
        tracks.forget(frame - 30)
        sizes.append(sum(len(track.frames) for track in (*tracks._alive, *tracks._ended)))
    assert max(sizes) < 200
    assert inside(HERE, at(tracks, 9_999).xyxy)


def test_forgetting_changes_no_later_cover() -> None:
    looks: list[tuple[int, list[Box]]] = [
        (f, [(10.0 + f, 50, 40.0 + f, 90)] if f < 70 else []) for f in range(0, 120, 5)
    ]
    remembering, forgetting = Tracks(HOLDING), Tracks(HOLDING)
    for frame, boxes in looks:
        for tracks in (remembering, forgetting):
            tracks.update(found(frame, *boxes), frame=frame)
        forgetting.forget(frame - 10)
        whole, kept = remembering.placed(frame - 10, frame), forgetting.placed(frame - 10, frame)
        assert [one.xyxy.tolist() for one in whole] == [one.xyxy.tolist() for one in kept]


def test_two_instances_share_nothing() -> None:
    one, other = Tracks(HOLDING), Tracks(HOLDING)
    one.update(found(0, HERE), frame=0)
    other.update(found(0, (300, 10, 320, 30)), frame=0)
    one.cut()
    one.forget(1000)
    assert one.last(Kind.FACE).shape == (0, 4)
    assert other.last(Kind.FACE).tolist() == [[300, 10, 320, 30]]
    assert count_at(other, 0) == 1
    assert count_at(one, 0) == 0


def test_a_track_is_made_of_boxes_times_and_scores_alone() -> None:
    (track,) = tracks_of((0, [HERE]))._alive
    assert set(type(track).__slots__) == {
        "best",
        "boxes",
        "evidence",
        "finds",
        "first_found",
        "found_box",
        "frames",
        "hint",
        "hints",
        "kind",
        "last_found",
        "score",
        "velocity",
    }


# Properties.

EDGES = st.integers(0, 400)
SIDES = st.integers(4, 120)
BOXES = st.builds(lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)), EDGES, EDGES, SIDES, SIDES)
LOOKS = st.lists(st.tuples(st.integers(1, 12), st.lists(BOXES, max_size=5)), min_size=1, max_size=8)
HOLDINGS = st.sampled_from([HOLDING, BARE])


def timed(steps: list[tuple[int, list[Box]]]) -> list[tuple[int, list[Box]]]:
    frame, looks = 0, []
    for step, boxes in steps:
        frame += step
        looks.append((frame, boxes))
    return looks


@steady
@given(LOOKS, HOLDINGS, st.sampled_from([0.1, 0.9]))
def test_a_found_box_is_covered_in_its_own_frame(
    steps: list[tuple[int, list[Box]]], holding: Holding, score: float
) -> None:
    looks = timed(steps)
    tracks = tracks_of(*looks, holding=holding, score=score)
    for frame, boxes in looks:
        assert all(inside(box, at(tracks, frame).xyxy) for box in boxes)


@steady
@given(LOOKS, HOLDINGS)
def test_frames_between_two_sights_of_a_track_are_covered_where_a_straight_line_leads(
    steps: list[tuple[int, list[Box]]], holding: Holding
) -> None:
    tracks = tracks_of(*timed(steps), holding=holding)
    for track in (*tracks._alive, *tracks._ended):
        sights = list(zip(track.frames, track.boxes, strict=True))
        for (start, one), (end, other) in itertools.pairwise(sights):
            for frame in range(start, end + 1):
                share = (frame - start) / (end - start)
                between = one.astype(np.float64) * (1 - share) + other.astype(np.float64) * share
                assert inside(between, at(tracks, frame).xyxy)


@steady
@given(LOOKS, HOLDINGS)
def test_many_frames_at_once_are_placed_as_one_by_one(steps: list[tuple[int, list[Box]]], holding: Holding) -> None:
    looks = timed(steps)
    tracks = tracks_of(*looks, holding=holding)
    last = looks[-1][0] + 3
    together = tracks.placed(0, last)
    for frame in range(last + 1):
        alone = at(tracks, frame)
        assert np.allclose(together[frame].xyxy, alone.xyxy)
        assert together[frame].score.tolist() == alone.score.tolist()


# Following what is seen between two looks.


def seen_at(frame: int, *, x: int) -> Sight:
    """A wall with one textured body of 40x60 px, its left edge at `x`, two pixels to a sample."""
    rng = np.random.default_rng(7)
    luma = np.repeat(np.repeat(rng.integers(60, 120, (20, 40), np.uint8), 4, axis=0), 4, axis=1)
    body = np.repeat(np.repeat(rng.integers(0, 256, (10, 10), np.uint8), 3, axis=0), 2, axis=1)
    luma[20:50, x // 2 : x // 2 + 20] = body
    return Sight(frame, luma, 2)


def body(x: float) -> Box:
    return (x, 40, x + 40, 100)


def test_a_track_goes_the_way_it_was_seen_to_go_and_not_straight() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, body(100)), frame=0)
    tracks.follow(seen_at(0, x=100), seen_at(4, x=112))
    tracks.follow(seen_at(4, x=112), seen_at(8, x=100))
    tracks.update(found(8, body(100)), frame=8)
    assert count_at(tracks, 4) == 1
    assert np.abs(at(tracks, 4).xyxy[0] - body(112)).max() < 2


def test_how_far_a_track_was_led_astray_is_shared_out_when_it_is_found_again() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, body(100), kind=Kind.PERSON), frame=0)
    tracks.follow(seen_at(0, x=100), seen_at(4, x=100))
    tracks.follow(seen_at(4, x=100), seen_at(8, x=100))
    tracks.update(found(8, body(108), kind=Kind.PERSON), frame=8)
    assert np.abs(at(tracks, 4).xyxy[0] - body(104)).max() < 2


def test_a_face_of_which_a_look_showed_a_part_keeps_its_size() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, body(100)), frame=0)
    tracks.follow(seen_at(0, x=100), seen_at(4, x=100))
    tracks.update(found(4, (100, 70, 140, 100)), frame=4)
    assert inside((102, 43, 138, 97), at(tracks, 4).xyxy, slack_px=1)


def test_a_new_track_is_traced_back_to_where_it_came_from() -> None:
    tracks = Tracks(HOLDING)
    tracks.update(found(20, body(140)), frame=20)
    tracks.trace([seen_at(frame, x=100 + 2 * frame) for frame in range(20, -1, -4)])
    for frame in range(0, 21, 4):
        assert inside(body(100 + 2 * frame), at(tracks, frame).xyxy, slack_px=2), frame


def test_a_weak_box_found_once_is_not_traced_further_than_it_is_believed() -> None:
    tracks = Tracks(HOLDING)
    tracks.update(found(20, body(140), score=SURE / 2), frame=20)
    tracks.trace([seen_at(frame, x=100 + 2 * frame) for frame in range(20, -1, -4)])
    assert [count_at(tracks, frame) for frame in (16, 18, 20)] == [0, 1, 1]


def test_a_lost_track_found_again_is_traced_back_to_where_it_was_lost() -> None:
    tracks = Tracks(BARE)
    tracks.update(found(0, body(100)), frame=0)
    tracks.update(found(16, body(116)), frame=16)
    tracks.trace([seen_at(16, x=116), seen_at(12, x=116), seen_at(8, x=116), seen_at(0, x=100)])
    assert np.abs(at(tracks, 8).xyxy[0] - body(116)).max() < 2
    assert np.abs(at(tracks, 0).xyxy[0] - body(100)).max() < 2
