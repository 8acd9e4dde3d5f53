"""The second look: how evidence adds up over looks and frames, and that it finds a real face and no other."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.app.models import locate
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.kinds import Kind
from skyveil.core.manifest import CENTERFACE, YOLOX_NANO, YUNET
from skyveil.core.time import MediaTime
from skyveil.private.covers_seen import FILL_RGB
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.networks import FACES, FACES_SECOND
from skyveil.private.frame import RawFrame
from skyveil.private.inspect import (
    AGREED_EVIDENCE,
    STILL,
    STILL_EVIDENCE,
    SURE_EVIDENCE,
    VIDEO,
    Inspector,
    Manner,
    Suspicion,
    _places,
    _Turn,
    _weighed,
    still_spots,
)

Picture = NDArray[np.uint8]
WEAK = AGREED_EVIDENCE * 1.05
"""Enough in two frames, not in one."""


def at(*boxes: tuple[float, float, float, float], evidence: float = 1.0) -> Scored:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Scored(xyxy, np.full(len(xyxy), evidence, np.float32))


# --- one frame --------------------------------------------------------------------------------------------------------


BOTH = [FACES, FACES, FACES_SECOND, FACES_SECOND]


def test_evidence_is_what_the_best_looks_of_both_networks_agree_on() -> None:
    box = (0, 0, 10, 10)
    looks = [at(box, evidence=0.9), at((0, 0, 10, 11), evidence=0.6), at(box, evidence=0.4), at()]
    places = _places(looks, BOTH, best=1)
    assert places.xyxy.tolist() == [[0, 0, 10, 10]]
    assert places.score.tolist() == pytest.approx([(0.9 * 0.4) ** 0.5])


def test_several_best_looks_of_each_network_count_by_their_mean() -> None:
    box = (0, 0, 10, 10)
    looks = [at(box, evidence=0.9), at(box, evidence=0.5), at(box, evidence=0.4), at()]
    assert _places(looks, BOTH, best=2).score.tolist() == pytest.approx([(0.7 * 0.2) ** 0.5])


def test_what_only_one_network_sees_is_no_evidence() -> None:
    box = (0, 0, 10, 10)
    assert _places([at(box), at(box), at(), at()], BOTH, best=1).score.tolist() == [0.0]


def test_without_a_second_network_two_looks_must_agree() -> None:
    box = (0, 0, 10, 10)
    assert _places([at(box, evidence=0.9), at(), at()], [FACES] * 3, best=1).score.tolist() == [0.0]
    looks = [at(box, evidence=0.9), at(box, evidence=0.4), at(box, evidence=0.3)]
    assert _places(looks, [FACES] * 3, best=1).score.tolist() == pytest.approx([(0.9 * 0.4) ** 0.5])


def test_without_a_second_network_the_weaker_half_of_many_looks_must_agree_with_the_better() -> None:
    looks = [at((0, 0, 10, 10), evidence=evidence) for evidence in (0.9, 0.7, 0.4, 0.2)]
    assert _places(looks, [FACES] * 4, best=4).score.tolist() == pytest.approx([(0.8 * 0.3) ** 0.5])


def test_one_look_that_says_the_same_twice_counts_once() -> None:
    assert _places([at((0, 0, 10, 10), (0, 0, 10, 11)), at()], [FACES] * 2, best=1).score.tolist() == [0.0]


def test_places_apart_stay_apart() -> None:
    places = _places([at((0, 0, 10, 10), (50, 50, 60, 60)), at()], [FACES] * 2, best=1)
    assert len(places.xyxy) == 2


def test_nothing_found_is_no_place() -> None:
    assert len(_places([at(), at()], [FACES] * 2, best=1).xyxy) == 0


def test_a_turn_and_back_returns_to_the_same_box() -> None:
    view = np.zeros((100, 160, 3), np.uint8)
    turn = _Turn.of(view, 15)
    turned = turn.turned(view)
    assert turned.shape[0] % 32 == 0
    assert turned.shape[1] % 32 == 0
    x, y = turn.forward @ np.array([40.0, 70.0, 1.0])
    back = turn.back(at((x - 8, y - 10, x + 8, y + 10)))
    assert back.xyxy[0].tolist() == pytest.approx([32, 60, 48, 80], abs=1e-3)


def test_no_turn_shows_the_view_itself() -> None:
    view = np.zeros((96, 160, 3), np.uint8)
    assert _Turn.of(view, 0).turned(view) is view


def test_a_hole_in_a_cover_needs_less_and_what_is_covered_is_no_place() -> None:
    fill = np.zeros((100, 100), np.bool_)
    fill[20:60, 20:60] = True
    fill[30:50, 30:50] = False
    weighed = _weighed(at((30, 30, 50, 50), (70, 70, 90, 90), (20, 20, 30, 30), evidence=0.1), fill, at(), VIDEO)
    assert weighed.xyxy.tolist() == [[30, 30, 50, 50], [70, 70, 90, 90]]
    assert weighed.score.tolist() == pytest.approx([0.7, 0.1])


def test_the_bare_head_of_a_person_needs_less() -> None:
    fill = np.zeros((100, 100), np.bool_)
    faces, person = at((40, 12, 50, 22), (40, 70, 50, 80), evidence=0.2), at((30, 10, 60, 90), evidence=0.8)
    assert _weighed(faces, fill, person, STILL).score.tolist() == pytest.approx([0.2 * 1.8, 0.2])


def test_evidence_in_a_still_has_to_reach_the_limit() -> None:
    assert still_spots(at((1, 1, 9, 9), evidence=STILL_EVIDENCE * 0.99)) == ()
    (spot,) = still_spots(at((-2.5, 1.5, 9.2, 9), evidence=STILL_EVIDENCE))
    assert (spot.start_s, spot.end_s, spot.xyxy, spot.kind) == (0.0, 0.0, (0, 1, 10, 9), Kind.FACE)


# --- over time --------------------------------------------------------------------------------------------------------


def over(*frames: Scored) -> list[tuple[float, float, tuple[int, int, int, int]]]:
    suspicion = Suspicion()
    for index, places in enumerate(frames):
        suspicion.add(index / 4, places)
    return [(spot.start_s, spot.end_s, spot.xyxy) for spot in suspicion.spots()]


def test_what_shows_weakly_in_one_frame_is_no_suspect() -> None:
    assert over(at((0, 0, 10, 10), evidence=WEAK), at(), at()) == []


def test_what_shows_weakly_in_two_frames_is_a_suspect() -> None:
    box = (0, 0, 10, 10)
    assert over(at(box, evidence=WEAK), at(box, evidence=WEAK), at()) == [(0.0, 0.25, box)]


def test_what_shows_strongly_in_one_frame_is_a_suspect() -> None:
    box = (0, 0, 10, 10)
    assert over(at(), at(box, evidence=SURE_EVIDENCE * 1.01), at()) == [(0.25, 0.25, box)]


def test_two_weak_places_far_apart_do_not_confirm_each_other() -> None:
    assert over(at((0, 0, 10, 10), evidence=WEAK), at((50, 50, 60, 60), evidence=WEAK)) == []


def test_two_weak_places_of_very_different_size_do_not_confirm_each_other() -> None:
    assert over(at((0, 0, 10, 10), evidence=WEAK), at((0, 0, 40, 40), evidence=WEAK)) == []


def test_a_gap_of_one_frame_does_not_end_a_place() -> None:
    box = (0, 0, 10, 10)
    assert over(at(box, evidence=WEAK), at(), at(box, evidence=WEAK)) == [(0.0, 0.5, box)]


def test_a_long_gap_ends_it() -> None:
    box = (0, 0, 10, 10)
    assert over(at(box, evidence=WEAK), at(), at(), at(), at(box, evidence=WEAK)) == []


def test_a_face_that_moves_is_several_suspects_each_with_its_time() -> None:
    spots = over(*(at((index * 8, 0, index * 8 + 10, 10)) for index in range(4)))
    assert [start_s for start_s, _, _ in spots] == sorted({start_s for start_s, _, _ in spots})
    assert spots[0][0] == 0.0
    assert spots[-1][1] == 0.75
    for index in range(4):
        assert any(
            start_s <= index / 4 <= end_s and box[0] <= index * 8 and index * 8 + 10 <= box[2]
            for start_s, end_s, box in spots
        )


def test_a_face_that_hardly_moves_is_one_suspect_that_holds_it_all_the_time() -> None:
    assert over(at((0, 0, 20, 20)), at((2, 0, 22, 20)), at((4, 1, 24, 21))) == [(0.0, 0.5, (0, 0, 24, 21))]


# --- with the networks ------------------------------------------------------------------------------------------------


def networks(*, second: bool) -> dict[str, Path]:
    found = {entry.name: locate(entry) for entry in ((CENTERFACE, YUNET) if second else (CENTERFACE,))}
    paths = {name: path for name, path in found.items() if path is not None}
    if len(paths) < len(found):
        pytest.skip(f"not on this machine: {', '.join(found.keys() - paths.keys())}")
    return paths


def portrait(astronaut: Picture) -> Picture:
    """The face and what is around it: 256 x 256, the face within x 70..185, y 70..190."""
    return np.array(astronaut[:256, 100:356])


def frame(picture: Picture) -> RawFrame:
    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return RawFrame(shown, FrameId(SourceId("test"), 0), MediaTime(0, Fraction(1, 25)))


@pytest.mark.parametrize("second", [True, False])
def test_a_bare_face_is_a_suspect_and_a_covered_one_is_not(astronaut: Picture, *, second: bool) -> None:
    inspector = Inspector(networks(second=second), STILL, precision="f32", shapes="any")
    covered = portrait(astronaut)
    (spot,) = still_spots(inspector.suspicious(frame(covered)))
    x1, y1, x2, y2 = spot.xyxy
    assert x1 < 125 < x2
    assert y1 < 130 < y2
    covered[50:210, 50:200] = FILL_RGB
    assert still_spots(inspector.suspicious(frame(covered))) == ()


def test_a_face_that_shows_in_a_gap_of_the_fill_is_a_suspect(astronaut: Picture) -> None:
    inspector = Inspector(networks(second=True), STILL, precision="f32", shapes="any")
    gap = portrait(astronaut)
    face = gap[70:190, 70:185].copy()
    gap[30:240, 30:220] = FILL_RGB
    gap[70:190, 70:185] = face
    assert len(still_spots(inspector.suspicious(frame(gap)))) == 1


def test_a_small_face_put_back_into_its_cover_is_a_suspect(astronaut: Picture) -> None:
    """Of 13 px, with nothing of the head around it: what lies around the cover says that a head is there."""
    small = np.asarray(cv2.resize(astronaut[:480, :480], (60, 60), interpolation=cv2.INTER_AREA), np.uint8)
    picture = np.full((120, 160, 3), 150, np.uint8)
    picture[40:100, 50:110] = small
    x1, y1, x2, y2 = 50 + 22, 40 + 8, 50 + 34, 40 + 24
    face = picture[y1:y2, x1:x2].copy()
    picture[y1 - 3 : y2 + 3, x1 - 3 : x2 + 3] = FILL_RGB
    inspector = Inspector(networks(second=True), STILL, precision="f32", shapes="any")
    assert still_spots(inspector.suspicious(frame(picture))) == ()
    picture[y1:y2, x1:x2] = face
    (spot,) = still_spots(inspector.suspicious(frame(picture)))
    assert spot.xyxy[0] < (x1 + x2) / 2 < spot.xyxy[2]
    assert spot.xyxy[1] < (y1 + y2) / 2 < spot.xyxy[3]


@pytest.mark.parametrize("seed", range(3))
def test_covers_over_a_scene_without_people_are_no_suspects(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rough = rng.integers(40, 220, (6, 8, 3)).astype(np.uint8)
    picture = np.array(cv2.resize(rough, (256, 192), interpolation=cv2.INTER_CUBIC), np.uint8)
    for _ in range(12):
        x, y, side = rng.integers(0, 230), rng.integers(0, 160), rng.integers(8, 50)
        picture[y : y + side, x : x + side] = FILL_RGB
    inspector = Inspector(networks(second=True), STILL, precision="f32", shapes="any")
    assert still_spots(inspector.suspicious(frame(picture))) == ()


def test_the_networks_that_looked_are_told() -> None:
    paths = networks(second=True)
    persons = locate(YOLOX_NANO)
    if persons is None:
        pytest.skip(f"not on this machine: {YOLOX_NANO.name}")

    def told(manner: Manner, paths: dict[str, Path]) -> list[str]:
        return [model.name for model in Inspector(paths, manner, precision="f32", shapes="any").models]

    both = [CENTERFACE.name, YUNET.name]
    assert told(STILL, paths) == both
    assert told(STILL, paths | {YOLOX_NANO.name: persons}) == [*both, YOLOX_NANO.name]
    assert told(VIDEO, paths | {YOLOX_NANO.name: persons}) == both


def test_persons_are_looked_for_and_a_bare_face_stays_a_suspect(astronaut: Picture) -> None:
    persons = locate(YOLOX_NANO)
    if persons is None:
        pytest.skip(f"not on this machine: {YOLOX_NANO.name}")
    paths = networks(second=True) | {YOLOX_NANO.name: persons}
    with_persons, without = (
        Inspector(one, STILL, precision="f32", shapes="any").suspicious(frame(portrait(astronaut)))
        for one in (paths, networks(second=True))
    )
    assert with_persons.score.max() > 1.2 * without.score.max()
    assert len(still_spots(with_persons)) == 1
