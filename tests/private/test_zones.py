"""Zones: what is covered for a box of each kind."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyveil.core.geometry import BoxesXyxy
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mode, Mount, RedactSettings
from skyveil.private.zones import MOVING, STILL, HeadShares, Zones
from tests.private.made import Box, covered, steady

MODES: Final[tuple[Mode, ...]] = ("balanced", "strict")
UNUSUAL: Final[tuple[Mount, ...]] = ("overhead", "fisheye", "vehicle")
UPRIGHT: Final[Box] = (100, 100, 140, 220)
EACH: Final = pytest.mark.parametrize("shares", [*MOVING.values(), *STILL.values()])


def zones(*targets: Kind, mount: Mount = "standard", shares: HeadShares = MOVING["balanced"]) -> Zones:
    return Zones(RedactSettings(frozenset(targets), mount=mount), shares)


def covers(made: Zones, kind: Kind, *boxes: Box, score: float = 0.9) -> BoxesXyxy:
    count = len(boxes)
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return made.covers(xyxy, np.full(count, score, np.float32), np.full(count, int(kind), np.uint8))


@pytest.mark.parametrize(
    ("target", "found", "shown"),
    [
        (Kind.FACE, Kind.FACE, True),
        (Kind.FACE, Kind.PERSON, False),
        (Kind.FACE, Kind.PLATE, False),
        (Kind.HEAD, Kind.FACE, True),  # a face is the front of a head
        (Kind.HEAD, Kind.PERSON, True),  # its head
        (Kind.HEAD, Kind.PLATE, False),
        (Kind.PERSON, Kind.FACE, False),
        (Kind.PERSON, Kind.PERSON, True),
        (Kind.PLATE, Kind.PLATE, True),
        (Kind.PLATE, Kind.FACE, False),
        (Kind.PLATE, Kind.PERSON, False),
    ],
)
def test_only_targets_are_covered(target: Kind, found: Kind, shown: bool) -> None:
    assert len(covers(zones(target), found, UPRIGHT)) == int(shown)


@pytest.mark.parametrize("kind", [Kind.FACE, Kind.PERSON, Kind.PLATE])
@steady
@given(
    x=st.integers(-50, 2000),
    y=st.integers(-50, 2000),
    width=st.floats(1, 800, width=32),
    height=st.floats(1, 800, width=32),
    score=st.floats(0, 1, width=32),
)
def test_the_cover_of_a_target_holds_its_box_and_a_margin(
    kind: Kind, x: int, y: int, width: float, height: float, score: float
) -> None:
    box = (float(x), float(y), x + width, y + height)
    cover = covers(zones(kind), kind, box, score=score)
    assert covered((box[0] - 0.9, box[1] - 0.9, box[2] + 0.9, box[3] + 0.9), cover)


@pytest.mark.parametrize("text", [(100, 100, 200, 130), (100, 100, 130, 200)])
def test_the_cover_of_a_plate_reaches_around_its_text_by_shares_of_the_letters(text: Box) -> None:
    cover = covers(zones(Kind.PLATE), Kind.PLATE, text)
    assert np.allclose(cover, [[text[0] - 15, text[1] - 18, text[2] + 15, text[3] + 18]])


def test_a_sure_face_takes_its_hair_along_when_heads_are_a_target_and_only_then() -> None:
    face: Box = (100, 100, 140, 150)
    (alone,) = covers(zones(Kind.FACE), Kind.FACE, face)
    (head,) = covers(zones(Kind.FACE, Kind.HEAD), Kind.FACE, face)
    (doubtful,) = covers(zones(Kind.FACE, Kind.HEAD), Kind.FACE, face, score=0.1)
    assert head[1] < alone[1]
    assert head[0] <= alone[0]
    assert doubtful.tolist() == alone.tolist()


@EACH
def test_the_head_of_someone_upright_is_the_top_of_their_box(shares: HeadShares) -> None:
    (zone,) = covers(zones(Kind.HEAD, shares=shares), Kind.PERSON, UPRIGHT)
    x1, y1, x2, y2 = UPRIGHT
    middle, eighth = (x1 + x2) / 2, (y2 - y1) / 8
    assert covered((middle - eighth / 2, y1, middle + eighth / 2, y1 + eighth), zone[None])
    assert zone[3] < y1 + 4 * eighth


@EACH
def test_the_head_reaches_lower_the_wider_a_box_is_and_whole_boxes_are_covered_at_last(shares: HeadShares) -> None:
    made = zones(Kind.HEAD, shares=shares)
    reach = [float(covers(made, Kind.PERSON, (100, 100, 100 + width, 200))[0, 3]) for width in range(20, 201, 5)]
    assert reach == sorted(reach)
    assert reach[-1] == 200


@EACH
@pytest.mark.parametrize("box", [(100, 100, 221, 220), (0, 0, 300, 40), (10, 10, 12, 11)])
def test_a_person_wider_than_high_is_covered_wholly(shares: HeadShares, box: Box) -> None:
    assert covered(box, covers(zones(Kind.HEAD, shares=shares), Kind.PERSON, box))


@EACH
@pytest.mark.parametrize("mount", UNUSUAL)
def test_under_an_unusual_mount_every_person_is_covered_wholly(shares: HeadShares, mount: Mount) -> None:
    boxes: list[Box] = [UPRIGHT, (0, 0, 20, 400), (10, 10, 90, 60)]
    cover = covers(zones(Kind.HEAD, mount=mount, shares=shares), Kind.PERSON, *boxes)
    assert all(covered(box, cover) for box in boxes)


@pytest.mark.parametrize("shares", [MOVING, STILL])
def test_strict_covers_at_least_what_balanced_covers(shares: dict[str, HeadShares]) -> None:
    balanced, strict = (covers(zones(Kind.HEAD, shares=shares[mode]), Kind.PERSON, UPRIGHT) for mode in MODES)
    assert (strict[0, :2] <= balanced[0, :2]).all()
    assert (strict[0, 2:] >= balanced[0, 2:]).all()


def test_no_boxes_give_no_covers_of_the_right_shape() -> None:
    cover = covers(zones(Kind.FACE, Kind.HEAD, Kind.PLATE), Kind.FACE)
    assert cover.shape == (0, 4)
    assert cover.dtype == np.float32


@EACH
def test_persons_as_a_target_take_nothing_from_the_cover_of_heads(shares: HeadShares) -> None:
    cover = covers(zones(Kind.HEAD, Kind.PERSON, shares=shares), Kind.PERSON, UPRIGHT)
    for alone in (Kind.HEAD, Kind.PERSON):
        for box in covers(zones(alone, shares=shares), Kind.PERSON, UPRIGHT):
            assert any(covered(tuple(box.tolist()), one[None]) for one in cover)
