"""The watch: every frame leaves once, in order, with evidence of its own and with what must be covered in it."""

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

from skyveil.core.errors import DetectorFailed
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mask, Mode, Mount, RedactSettings
from skyveil.private.detect.boxes import Scored
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions
from skyveil.private.still_watch import StillWatch
from skyveil.private.watch import VideoWatch, Watch
from tests.private.made import (
    HEIGHT,
    WIDTH,
    Box,
    Script,
    ScriptedFinder,
    covered,
    frame_of,
    nobody,
    painted,
    plain,
    scene,
    scored,
)

MODES: tuple[Mode, ...] = ("balanced", "strict")
MOUNTS: tuple[Mount, ...] = ("overhead", "fisheye", "vehicle")
FACES_ONLY = RedactSettings(frozenset({Kind.FACE}))
FACES_STRICT = RedactSettings(frozenset({Kind.FACE}), mode="strict")
HEADS_ONLY = RedactSettings(frozenset({Kind.HEAD}))
SIDE_PX = 24


def walker(index: int) -> Sequence[Box]:
    """A face that walks 2 pixels to the right in each frame."""
    return [(40.0 + 2 * index, 60, 40.0 + 2 * index + SIDE_PX, 60 + SIDE_PX)]


def appears_at(first: int, there: Script = walker) -> Script:
    return lambda index: there(index) if index >= first else ()


def video_watch(
    finder: ScriptedFinder, settings: RedactSettings = FACES_ONLY, *, fps: float | None = 25.0
) -> VideoWatch:
    return VideoWatch(finder, settings, width=WIDTH, height=HEIGHT, fps=fps)


def decided(watch: Watch, frames: Iterable[RawFrame]) -> list[Regions]:
    """What is to be covered in each frame, once the whole video was seen."""
    return [regions for _, regions in itertools.chain(*map(watch.see, frames), watch.end())]


def evidence(regions: Regions) -> Looked:
    assert regions.looked is not None
    return regions.looked


def reasons(regions: Regions) -> set[Why]:
    return {Why(int(why)) for why in np.unique(evidence(regions).why)}


# Every frame leaves once, in order.


@pytest.mark.parametrize("settings", [FACES_ONLY, FACES_STRICT], ids=MODES)
@pytest.mark.parametrize("count", [1, 2, 5, 31, 200])
def test_frames_come_out_in_order_each_exactly_once(settings: RedactSettings, count: int) -> None:
    regions = decided(video_watch(ScriptedFinder(walker), settings), scene(count, walker))
    assert [one.of.index for one in regions] == list(range(count))


def test_a_frame_leaves_with_regions_of_its_own() -> None:
    watch = video_watch(ScriptedFinder(walker))
    for raw, regions in itertools.chain(*map(watch.see, scene(90, walker)), watch.end()):
        assert regions.of == raw.id == evidence(regions).of


def test_a_video_without_frames_gives_none() -> None:
    assert list(video_watch(ScriptedFinder()).end()) == []


def test_the_end_gives_up_all_that_wait_and_looks_at_the_last() -> None:
    finder = ScriptedFinder(walker)
    watch = video_watch(finder)
    out = [regions.of.index for raw in scene(9, walker) for _, regions in watch.see(raw)]
    rest = [regions.of.index for _, regions in watch.end()]
    assert out + rest == list(range(9))
    assert rest
    assert finder.looked_at[-1] == 8
    assert list(watch.end()) == []


@pytest.mark.parametrize("damaged", [(), range(20, 1500), range(1500)], ids=["whole", "mostly damaged", "damaged"])
def test_the_ring_does_not_grow_with_the_length(damaged: Iterable[int]) -> None:
    watch = video_watch(ScriptedFinder(walker))
    inside, most = 0, []
    for raw in scene(1500, nobody, damaged=damaged):
        inside += 1 - len(list(watch.see(raw)))
        most.append(inside)
    assert max(most) == max(most[:200])
    assert max(most) <= 64


# What shows between two looks only.


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("begins", range(33, 41))
def test_a_face_that_shows_between_two_looks_only_is_covered_in_every_frame(begins: int, length: int) -> None:
    def flash(index: int) -> Sequence[Box]:
        return [(100, 60, 100 + SIDE_PX, 60 + SIDE_PX)] if begins <= index < begins + length else ()

    regions = decided(video_watch(ScriptedFinder(flash)), scene(80, flash))
    for index in range(begins, begins + length):
        assert covered(flash(index)[0], regions[index].boxes)


def test_a_face_that_runs_through_between_two_looks_is_covered_in_every_frame() -> None:
    def runner(index: int) -> Sequence[Box]:
        x = 16.0 * (index - 33)
        return [(x, 60, x + SIDE_PX, 60 + SIDE_PX)] if 33 <= index < 39 else ()

    regions = decided(video_watch(ScriptedFinder(runner)), scene(80, runner))
    for index in range(33, 39):
        assert covered(runner(index)[0], regions[index].boxes)


@pytest.mark.parametrize(("reach", "period"), [(160, 16)])
def test_a_face_that_turns_between_two_looks_is_covered_where_it_turns(reach: int, period: int) -> None:
    def zigzag(index: int) -> Sequence[Box]:
        x = 60 + round(reach * abs(index % period - period // 2) / (period // 2))
        return [(x, 60, x + SIDE_PX, 60 + SIDE_PX)]

    regions = decided(video_watch(ScriptedFinder(zigzag)), scene(80, zigzag))
    for index in range(80):
        x1, y1, x2, y2 = zigzag(index)[0]
        hidden = np.zeros((HEIGHT, WIDTH), np.bool_)
        for left, top, right, bottom in np.maximum(regions[index].boxes, 0).tolist():
            hidden[top:bottom, left:right] = True
        assert hidden[int(y1) : int(y2), int(x1) : int(x2)].mean() >= 0.8, index  # less is a leak, by the glossary


def test_what_passes_and_is_known_and_leaves_that_flicker_get_no_look_of_their_own() -> None:
    def leaf(index: int) -> Sequence[Box]:
        return [(104, 64, 112, 72)] if index % 8 == 3 else ()

    calm = ScriptedFinder()
    decided(video_watch(calm), scene(80, nobody))
    for there in (walker, leaf):
        finder = ScriptedFinder(walker)
        decided(video_watch(finder), scene(80, there))
        assert finder.looked_at == calm.looked_at


# The evidence of a frame.


def test_a_frame_that_was_looked_at_says_so_of_every_tile() -> None:
    finder = ScriptedFinder(walker)
    regions = decided(video_watch(finder), scene(60, walker))
    assert len(finder.looked_at) > 5
    for index in finder.looked_at:
        assert reasons(regions[index]) == {Why.LOOKED}
        assert not evidence(regions[index]).age_s.any()


def test_between_looks_unchanged_tiles_are_unchanged_and_changed_ones_bracketed() -> None:
    def strider(index: int) -> Sequence[Box]:
        """A box that is somewhere else in every frame, on the squares of the motion test."""
        return [(8.0 * (index % 30), 64, 8.0 * (index % 30) + 16, 80)]

    finder = ScriptedFinder(strider)
    regions = decided(video_watch(finder), scene(60, strider))
    # The frame of a look at everything; a look at what passes by says nothing of the rest.
    looks = [one.of.index for one in regions if reasons(one) == {Why.LOOKED}]
    between = [one for one in regions if one.of.index not in looks]
    assert between
    for one in between:
        looked = evidence(one)
        seen = max(index for index in looks if index < one.of.index)
        moved = painted(strider(one.of.index)) != painted(strider(seen))
        rows, columns = np.nonzero(moved)
        changed = np.zeros(looked.why.shape, np.bool_)
        changed[rows // looked.tile_px, columns // looked.tile_px] = True
        assert np.array_equal(looked.why, np.where(changed, Why.BRACKETED, Why.UNCHANGED))
        nearest = min(abs(index - one.of.index) for index in looks)
        assert np.allclose(looked.age_s, nearest * 0.04)


def test_no_evidence_is_older_than_allowed_at_any_rate() -> None:
    for rate_fps, told in itertools.product((1, 5, 25, 60), (None, 1.0, 25.0, 60.0)):
        ms = [index * 1000 // rate_fps for index in range(3 * rate_fps + 2)]
        no_look_is_too_old(ms, told, max_look_age_s=1.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("max_look_age_s", [0.04, 0.3, 1.0])
def test_no_evidence_is_older_than_allowed_at_a_variable_rate(seed: int, max_look_age_s: float) -> None:
    random = np.random.default_rng(seed)
    gaps = random.choice([1, 17, 40, 300, 890, 1001, 5000], 80, p=[0.2, 0.3, 0.3, 0.1, 0.05, 0.03, 0.02])
    no_look_is_too_old(np.cumsum(gaps).tolist(), 25.0, max_look_age_s=max_look_age_s)


def no_look_is_too_old(ms: Sequence[int], fps: float | None, *, max_look_age_s: float) -> None:
    settings = RedactSettings(frozenset({Kind.FACE}), max_look_age_s=max_look_age_s)
    finder = ScriptedFinder(walker)
    regions = decided(video_watch(finder, settings, fps=fps), scene(len(ms), walker, ms=ms))
    assert len(regions) == len(ms)
    for one in regions:
        assert not evidence(one).undecided(max_look_age_s=max_look_age_s).any()
    looks_s = [ms[index] / 1000 for index in finder.looked_at]
    for index, at_ms in enumerate(ms):
        assert min(abs(at_ms / 1000 - look) for look in looks_s) <= max_look_age_s, index


# Damaged frames.


@pytest.mark.parametrize("damaged", [range(5), range(11, 14), range(35, 40), range(1, 40, 2), range(40)])
def test_damaged_frames_are_never_looked_at_and_come_out_in_order(damaged: range) -> None:
    finder = ScriptedFinder(walker)
    regions = decided(video_watch(finder), scene(40, walker, damaged=damaged))
    assert [one.of.index for one in regions] == list(range(40))
    assert not set(finder.looked_at) & set(damaged)
    assert not any(Why.LOOKED in reasons(regions[index]) for index in damaged if not regions[index].whole)


def test_frames_before_the_first_look_are_hidden_wholly() -> None:
    regions = decided(video_watch(ScriptedFinder(walker)), scene(20, walker, damaged=range(3)))
    assert [one.whole for one in regions] == [True] * 3 + [False] * 17


def test_what_moved_since_the_last_look_is_undecided_when_no_look_follows() -> None:
    honest = ScriptedFinder(walker)
    decided(video_watch(honest), scene(40, walker))
    last, following = honest.looked_at[3:5]
    assert following > last + 1
    finder = ScriptedFinder(walker)
    regions = decided(video_watch(finder), scene(40, walker, damaged=range(following, 40)))
    assert finder.looked_at[-1] == last
    moved = regions[following - 1]
    assert reasons(moved) == {Why.UNDECIDED, Why.UNCHANGED}
    _, top, right, _ = (int(edge) for edge in walker(following - 1)[0])
    side = evidence(moved).tile_px
    assert evidence(moved).why[top // side, (right - 1) // side] == Why.UNDECIDED


def test_the_frame_after_damage_is_looked_at_when_a_look_was_due() -> None:
    finder = ScriptedFinder(walker)
    decided(video_watch(finder), scene(60, walker, damaged=range(10, 30)))
    assert 30 in finder.looked_at


# Failing finders.


@pytest.mark.parametrize("look", [0, 1, 3, 8])
def test_a_look_that_fails_ends_the_file_and_no_frame_without_evidence_left_before(look: int) -> None:
    honest = ScriptedFinder(walker)
    decided(video_watch(honest), scene(80, walker))
    failing = ScriptedFinder(walker, raises_at=honest.looked_at[look])
    watch, left = video_watch(failing), []
    with pytest.raises(DetectorFailed, match="failed at frame"):
        for raw in scene(80, walker):
            left += [regions for _, regions in watch.see(raw)]
    assert [one.of.index for one in left] == list(range(len(left)))
    assert len(left) <= honest.looked_at[look]
    assert not any(Why.UNDECIDED in reasons(one) for one in left)
    assert all(covered(walker(one.of.index)[0], one.boxes) for one in left)


NOT_A_NUMBER = float("nan")


@pytest.mark.parametrize(
    "answer",
    [
        scored([(NOT_A_NUMBER, 1, 2, 3)]),
        scored([(1, 1, float("inf"), 3)]),
        scored([(1, 1, 2, 3)], NOT_A_NUMBER),
        Scored(np.zeros((1, 4), np.float64), np.zeros(1, np.float32)),
    ],
    ids=["nan box", "inf box", "nan score", "dtype"],
)
def test_an_answer_that_is_no_boxes_ends_the_file(answer: Scored) -> None:
    for watch in (video_watch(ScriptedFinder(answers={0: answer})), still_watch(ScriptedFinder(answers={0: answer}))):
        with pytest.raises(DetectorFailed):
            list(watch.see(frame_of(plain())))


# What is covered.


@pytest.mark.parametrize("settings", [FACES_ONLY, FACES_STRICT, HEADS_ONLY])
def test_a_face_found_at_every_look_is_covered_in_every_frame(settings: RedactSettings) -> None:
    for one in decided(video_watch(ScriptedFinder(walker), settings), scene(120, walker)):
        assert covered(walker(one.of.index)[0], one.boxes), one.of.index


@pytest.mark.parametrize("onset", range(20, 32))
def test_a_face_found_late_is_covered_since_the_look_before(onset: int) -> None:
    finder = ScriptedFinder(appears_at(onset))
    regions = decided(video_watch(finder), scene(60, appears_at(onset)))
    missed = max((index for index in finder.looked_at if index < onset), default=-1)
    for index in range(missed + 1, 60):
        assert covered(walker(index)[0], regions[index].boxes), index
    assert not regions[0].boxes.size


def test_a_face_that_turns_between_two_looks_is_covered_on_its_way() -> None:
    grain = np.random.default_rng(1).integers(0, 256, (12, 12), np.uint8).repeat(4, axis=0).repeat(4, axis=1)

    def turning(index: int) -> Box:
        x = 100.0 + 4 * (9 - abs(index % 18 - 9))
        return (x, 100, x + 48, 148)

    def frame(index: int) -> RawFrame:
        luma, x = plain(), int(turning(index)[0])
        luma[100:148, x : x + 48] = grain
        return frame_of(luma, index)

    finder = ScriptedFinder(lambda index: [turning(index)])
    for one in decided(video_watch(finder), map(frame, range(60))):
        assert covered(turning(one.of.index), one.boxes), one.of.index


def test_a_face_is_covered_between_two_looks_that_found_it_and_a_few_that_did_not() -> None:
    regular = ScriptedFinder(walker)
    decided(video_watch(regular), scene(120, walker))
    blinded = set(regular.looked_at[8:10])
    finder = ScriptedFinder(lambda index: () if index in blinded else walker(index))
    for one in decided(video_watch(finder), scene(120, walker)):
        assert covered(walker(one.of.index)[0], one.boxes), one.of.index


@pytest.mark.parametrize("lost_after", range(36, 46))
def test_a_lost_face_is_covered_where_it_went_until_the_next_look(lost_after: int) -> None:
    finder = ScriptedFinder(lambda index: walker(index) if index <= lost_after else ())
    regions = decided(video_watch(finder), scene(90, walker))
    last = max(index for index in finder.looked_at if index <= lost_after)
    following = min(index for index in finder.looked_at if index > last)
    for index in range(last, following):
        assert covered(walker(index)[0], regions[index].boxes), index


def test_a_face_that_stands_still_stays_covered_until_everything_is_looked_at_again() -> None:
    def standing(_: int) -> Sequence[Box]:
        return [(100, 100, 124, 124)]

    finder = ScriptedFinder(lambda index: standing(index) if index == 0 else ())
    regions = decided(video_watch(finder), scene(13, standing))
    assert all(not areas for index, areas in finder.asked.items() if index)
    assert all(covered(standing(0)[0], one.boxes) for one in regions)


def test_a_cut_ends_the_scene_and_nothing_is_joined_over_it() -> None:
    cut, later = 33, (220.0, 150.0, 244.0, 174.0)

    def there(index: int) -> Sequence[Box]:
        return walker(index) if index < cut else [later]

    finder = ScriptedFinder(there)
    frames = [frame_of(painted(there(i), background=60 if i < cut else 140, level=220), i) for i in range(80)]
    regions = decided(video_watch(finder), frames)
    assert {cut - 1, cut} <= set(finder.looked_at)
    assert finder.asked[cut] == [(0, 0, WIDTH, HEIGHT)]
    assert [one.of.index for one in regions] == list(range(80))
    for index, one in enumerate(regions):
        assert covered(there(index)[0], one.boxes), index
        reaching = [box for box in one.boxes.tolist() if box[2] > later[0] and box[3] > later[1]]
        assert bool(reaching) == (index >= cut), index


def test_no_track_has_sights_on_both_sides_of_a_cut() -> None:
    cut, standing = 33, (100.0, 100.0, 124.0, 124.0)
    watch = video_watch(ScriptedFinder(lambda _: [standing]))
    for index in range(60):
        luma = painted([standing], background=60 if index < cut else 140, level=220)
        list(watch.see(frame_of(luma, index)))
        for track in (*watch._tracks._alive, *watch._tracks._ended):
            assert (track.frames[0] < cut) == (track.frames[-1] < cut)


def test_a_cut_at_damaged_frames_hides_them_and_goes_on() -> None:
    frames = [frame_of(plain(60 if index < 30 else 200), index, damaged=index in range(28, 32)) for index in range(60)]
    finder = ScriptedFinder()
    regions = decided(video_watch(finder), frames)
    assert [one.of.index for one in regions] == list(range(60))
    assert not set(finder.looked_at) & set(range(28, 32))
    assert [index for index, one in enumerate(regions) if one.whole] == [30, 31]


TRIANGLE = ((10.0, 10.0), (50.0, 10.0), (30.0, 40.0))


def test_a_mask_holds_for_its_span_of_media_time_and_both_its_ends() -> None:
    masks = (Mask(TRIANGLE, 0.4, 0.8), Mask(((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))))
    regions = decided(video_watch(ScriptedFinder(), RedactSettings(masks=masks)), scene(40, nobody))
    for index, one in enumerate(regions):
        assert [len(polygon) for polygon in one.polygons] == ([3, 4] if 10 <= index <= 20 else [4])
    assert regions[10].polygons[0].tolist() == [list(corner) for corner in TRIANGLE]


def test_the_span_of_a_mask_begins_with_the_first_frame_whatever_its_time_is() -> None:
    frames = scene(4, nobody, ms=[10_000, 10_400, 10_800, 11_200])
    regions = decided(video_watch(ScriptedFinder(), RedactSettings(masks=(Mask(TRIANGLE, 0.0, 0.5),))), frames)
    assert [len(one.polygons) for one in regions] == [1, 1, 0, 0]


def test_a_mask_covers_stills_too() -> None:
    settings = RedactSettings(masks=(Mask(TRIANGLE),))
    (regions,) = decided(still_watch(ScriptedFinder(), settings), [frame_of(plain())])
    assert [polygon.tolist() for polygon in regions.polygons] == [[list(corner) for corner in TRIANGLE]]


def still_watch(finder: ScriptedFinder, settings: RedactSettings = FACES_ONLY) -> StillWatch:
    return StillWatch(finder, settings, width=WIDTH, height=HEIGHT)


TURNED: Box = (200, 30, 230, 60)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_people_who_lie_or_stand_on_their_heads_in_a_still_get_looks_of_their_own(quarters: int) -> None:
    finder = ScriptedFinder(turned={quarters: [TURNED]})
    (regions,) = decided(still_watch(finder), [frame_of(plain())])
    assert covered(TURNED, regions.boxes)
    assert sorted(one for one, threshold in finder.turns_asked if threshold > 0.5) == [1, 2, 3]
    assert {one for one, threshold in finder.turns_asked if threshold < 0.5} == {quarters}


def test_a_face_in_a_turned_look_leaves_no_head_bare() -> None:
    finder = ScriptedFinder(standing=lambda _: [UPRIGHT], turned={1: [(146, 70, 164, 90)]})
    (regions,) = decided(still_watch(finder, RedactSettings(frozenset({Kind.FACE, Kind.HEAD}))), [frame_of(plain())])
    assert covered((148, 60, 162, 75), regions.boxes)


def test_a_still_in_which_people_are_upright_is_looked_at_once() -> None:
    finder = ScriptedFinder(walker, turned={1: [TURNED]})
    decided(still_watch(finder), [frame_of(plain())])
    assert finder.turns_asked == []


def test_one_sure_face_among_many_doubtful_ones_makes_no_still_upright() -> None:
    boxes = scored([(x, 60.0, x + 20.0, 85.0) for x in range(10, 250, 40)])
    few = Scored(boxes.xyxy, np.array([0.9, *[0.25] * 5], np.float32))
    finder = ScriptedFinder(answers={0: few}, turned={2: [TURNED], 3: [(10, 60, 30, 85)]})
    (regions,) = decided(still_watch(finder), [frame_of(plain())])
    assert covered(TURNED, regions.boxes)
    assert {one for one, threshold in finder.turns_asked if threshold < 0.5} == {
        2
    }  # what was seen upright turns nothing


WATCHES: tuple[Callable[[ScriptedFinder, RedactSettings], Watch], ...] = (video_watch, still_watch)
UPRIGHT: Box = (140, 60, 170, 150)
LYING: Box = (100, 100, 220, 140)


@pytest.mark.parametrize("watch", WATCHES)
@pytest.mark.parametrize("mode", MODES)
def test_the_head_of_a_person_is_covered_without_a_face_and_the_feet_are_not(
    watch: Callable[[ScriptedFinder, RedactSettings], Watch], mode: Mode
) -> None:
    settings = RedactSettings(frozenset({Kind.HEAD}), mode=mode)
    regions = decided(watch(ScriptedFinder(standing=lambda _: [UPRIGHT]), settings), [frame_of(plain())])
    assert covered((148, 60, 162, 75), regions[0].boxes)
    assert not covered(UPRIGHT, regions[0].boxes)


@pytest.mark.parametrize("watch", WATCHES)
@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("faces", [[], [(148, 62, 162, 76)]], ids=["no face", "a face"])
def test_under_an_unusual_mount_persons_are_covered_wholly(
    watch: Callable[[ScriptedFinder, RedactSettings], Watch], mount: Mount, faces: list[Box]
) -> None:
    settings = RedactSettings(frozenset({Kind.FACE, Kind.HEAD}), mount=mount)
    finder = ScriptedFinder(lambda _: faces, standing=lambda _: [UPRIGHT])
    assert covered(UPRIGHT, decided(watch(finder, settings), [frame_of(plain())])[0].boxes)


@pytest.mark.parametrize("watch", WATCHES)
def test_a_person_wider_than_high_is_covered_wholly(
    watch: Callable[[ScriptedFinder, RedactSettings], Watch],
) -> None:
    finder = ScriptedFinder(standing=lambda _: [LYING])
    assert covered(LYING, decided(watch(finder, HEADS_ONLY), [frame_of(plain())])[0].boxes)


@pytest.mark.parametrize("watch", WATCHES)
def test_only_the_targets_are_asked_for_and_covered(
    watch: Callable[[ScriptedFinder, RedactSettings], Watch],
) -> None:
    plate: Box = (30, 200, 90, 220)
    for kind, shown in ((Kind.FACE, walker(0)[0]), (Kind.PERSON, UPRIGHT), (Kind.PLATE, plate)):
        finder = ScriptedFinder(walker, standing=lambda _: [UPRIGHT], plated=lambda _: [plate])
        (regions,) = decided(watch(finder, RedactSettings(frozenset({kind}))), [frame_of(plain())])
        assert covered(shown, regions.boxes)
        assert len(np.unique(regions.boxes, axis=0)) == 1
        assert bool(finder.asked) == (kind is Kind.FACE)
        assert bool(finder.persons_asked) == (kind is Kind.PERSON)
        assert bool(finder.plates_asked) == (kind is Kind.PLATE)


def test_a_plate_is_covered_in_every_frame_also_while_it_stands() -> None:
    def plate(index: int) -> Sequence[Box]:
        x = 30.0 + 2 * max(0, min(index, 60) - 30)
        return [(x, 200, x + 60, 220)]

    finder = ScriptedFinder(plated=plate)
    for one in decided(video_watch(finder, RedactSettings(frozenset({Kind.PLATE}))), scene(90, plate)):
        assert covered(plate(one.of.index)[0], one.boxes), one.of.index


def test_a_large_face_in_a_still_needs_a_higher_score_than_a_small_one() -> None:
    small, large = (20, 20, 30, 32), (100, 100, 130, 136)
    finder = ScriptedFinder(lambda _: [small, large], score=0.07)
    (regions,) = decided(still_watch(finder), [frame_of(plain())])
    assert covered(small, regions.boxes)
    assert not covered(large, regions.boxes)


def test_a_still_is_evidence_of_itself() -> None:
    watch = still_watch(ScriptedFinder(walker))
    ((raw, regions),) = watch.see(frame_of(plain()))
    assert regions.of == raw.id
    assert reasons(regions) == {Why.LOOKED}
    assert list(watch.end()) == []


def strolling(index: int) -> Sequence[Box]:
    """Someone far away who walks a pixel to the right in each frame."""
    return [(40.0 + index, 100, 54.0 + index, 140)]


def test_someone_whose_head_is_covered_explains_what_moves_and_no_face_is_looked_for() -> None:
    finder = ScriptedFinder(standing=strolling)
    regions = decided(video_watch(finder, HEADS_ONLY), scene(60, strolling))
    # Once more where they stood at the first look, which saw them there, after they have left it.
    first, *later = [(index, areas) for index, areas in finder.asked.items() if areas]
    assert first == (0, [(0, 0, WIDTH, HEIGHT)])
    assert all(area[2] < strolling(index)[0][2] for index, areas in later for area in areas)
    assert len(later) == 1
    for one in regions:
        x1, y1, x2, _ = strolling(one.of.index)[0]
        assert covered((x1 + 2, y1, x2 - 2, y1 + 8), one.boxes), one.of.index


def test_someone_near_explains_nothing_and_a_face_is_looked_for_where_they_move() -> None:
    def near(index: int) -> Sequence[Box]:
        return [(40.0 + 2 * index, 30, 100.0 + 2 * index, 230)]

    finder = ScriptedFinder(standing=near)
    decided(video_watch(finder, HEADS_ONLY), scene(60, near))
    assert len(finder.asked) > 5
    assert all(finder.asked[index] for index in finder.looked_at[:-1])


def weak_face(score: float) -> Scored:
    """On the legs of `strolling`, as they stand at frame 11, which is looked at."""
    x1, _, x2, y2 = strolling(11)[0]
    return scored([(x1, y2 - 12, x2, y2 - 2)], score)


@pytest.mark.parametrize("score, counts", [(0.2, False), (0.4, True)])
def test_a_weak_face_on_the_legs_of_a_far_body_begins_no_track(score: float, counts: bool) -> None:
    finder = ScriptedFinder(standing=strolling, answers={11: weak_face(score)})
    regions = decided(video_watch(finder, HEADS_ONLY), scene(14, strolling))
    x1, y1, x2, y2 = weak_face(score).xyxy[0].tolist()
    assert covered((x1, y1, x2, y2), regions[11].boxes) == counts


def test_a_weak_face_before_a_near_body_counts() -> None:
    def near(_: int) -> Sequence[Box]:
        return [(100, 20, 180, 230)]

    finder = ScriptedFinder(standing=near, answers={11: scored([(130, 190, 145, 205)], 0.2)})
    regions = decided(video_watch(finder, HEADS_ONLY), scene(14, walker))
    assert covered((130, 190, 145, 205), regions[11].boxes)


def test_where_an_answer_is_in_doubt_a_second_look_decides() -> None:
    def small(index: int) -> Sequence[Box]:
        return [(60.0 + 2 * index, 100, 67.0 + 2 * index, 107)]

    def decisions(score: float) -> list[bool]:
        finder = ScriptedFinder(small, first=0.1, score=score)
        regions = decided(video_watch(finder), scene(30, small))
        return [covered(small(index)[0], one.boxes) for index, one in enumerate(regions)]

    assert all(decisions(0.6))
    assert not any(decisions(0.01))


def test_a_face_that_every_look_answers_to_too_weakly_is_covered_from_its_first_frame_on() -> None:
    def small(index: int) -> Sequence[Box]:
        return [(60.0 + 2 * index, 100, 67.0 + 2 * index, 107)]

    def decisions(first: float, enlarged: float) -> list[bool]:
        finder = ScriptedFinder(small, first=first, score=enlarged)
        regions = decided(video_watch(finder), scene(60, small))
        return [covered(small(index)[0], one.boxes) for index, one in enumerate(regions)]

    assert all(decisions(0.02, 0.06))
    assert not any(decisions(0.02, 0.03))
    assert not any(decisions(0.01, 0.06))


def test_a_face_that_turned_away_is_covered_where_a_doubtful_answer_says_it_went() -> None:
    there = {index: scored(walker(index), 0.9 if index < 10 else 0.06) for index in range(60)}
    regions = decided(video_watch(ScriptedFinder(answers=there)), scene(60, walker))
    assert all(covered(walker(index)[0], one.boxes) for index, one in enumerate(regions))


def test_doubtful_answers_alone_cover_nothing() -> None:
    there = {index: scored(walker(index), 0.06) for index in range(60)}
    regions = decided(video_watch(ScriptedFinder(answers=there)), scene(60, walker))
    assert not any(len(one.boxes) for one in regions)


def test_a_face_that_became_the_head_of_a_person_is_not_held_where_it_was() -> None:
    first = strolling(0)[0]
    face: Box = (first[0] + 3, first[1] + 1, first[2] - 3, first[1] + 9)
    finder = ScriptedFinder(lambda index: [face] if index == 0 else (), standing=strolling)
    regions = decided(video_watch(finder, HEADS_ONLY), scene(80, strolling))
    assert covered(face, regions[0].boxes)
    assert not any(box[0] < face[2] for box in regions[-1].boxes.tolist())


def test_memory_does_not_grow_with_the_length() -> None:
    watch, sights = video_watch(ScriptedFinder(walker)), []
    for raw in scene(1200, lambda index: walker(index % 100)):
        list(watch.see(raw))
        tracks = (*watch._tracks._alive, *watch._tracks._ended)
        sights.append(sum(len(track.frames) for track in tracks) + len(watch._looks))
    assert max(sights) <= 2 * max(sights[:300])


def test_two_watches_share_nothing() -> None:
    alone = [one.boxes.tolist() for one in decided(video_watch(ScriptedFinder(walker)), scene(50, walker))]
    one, other = video_watch(ScriptedFinder(walker)), video_watch(ScriptedFinder(nobody))
    together: list[Regions] = []
    for raw, empty in zip(scene(50, walker), scene(50, nobody), strict=True):
        together += [regions for _, regions in one.see(raw)]
        assert not any(regions.boxes.size for _, regions in other.see(empty))
    together += [regions for _, regions in one.end()]
    assert [regions.boxes.tolist() for regions in together] == alone


# A live camera says no rate, or one that it does not keep.


def gaps_of_live(fps: float) -> list[int]:
    """For how many frames a live watch believes a lost track, after each of 60 pictures."""
    watch = VideoWatch(ScriptedFinder(walker), FACES_ONLY, width=WIDTH, height=HEIGHT, fps=None, hindsight=2)
    found = []
    for raw in scene(60, walker, ms=[round(1000 * n / fps) for n in range(60)]):
        list(watch.see(raw))
        found.append(watch._tracks._holding.gap)
    return found


def test_a_live_camera_is_believed_by_the_rate_that_its_pictures_come_at() -> None:
    found = gaps_of_live(10.0)
    assert found[0] == 25
    assert found[-1] == 10
    assert gaps_of_live(25.0)[-1] == 25


# A live camera that the machine is too slow for: newer pictures are there already.


def live_watch(finder: ScriptedFinder, hindsight: int = 2) -> VideoWatch:
    return VideoWatch(finder, FACES_ONLY, width=WIDTH, height=HEIGHT, fps=None, hindsight=hindsight)


def in_groups(watch: VideoWatch, frames: Iterable[RawFrame], sizes: Sequence[int], room: int) -> list[list[Regions]]:
    """What leaves after each group of frames that came together."""
    waiting = iter(frames)
    found = []
    for size in sizes:
        group = list(itertools.islice(waiting, size))
        left = [watch.see(raw, newer=raw is not group[-1], room=lambda: room) for raw in group]
        found.append([regions for _, regions in itertools.chain(*left)])
    return found


def hundredths(count: int) -> list[int]:
    return [100 * n for n in range(count)]


def test_a_look_waits_for_the_newest_frame_and_all_up_to_it_leave_at_once() -> None:
    finder = ScriptedFinder(walker)
    left = in_groups(live_watch(finder), scene(13, walker, ms=hundredths(13)), [1, 4, 4, 4], 9)
    assert [[one.of.index for one in some] for some in left] == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert finder.looked_at == [0, 4, 8, 12]
    assert reasons(left[2][-1]) == {Why.LOOKED}
    assert all(reasons(one) == {Why.UNCHANGED, Why.BRACKETED} for one in left[2][:-1])


@pytest.mark.parametrize(
    ("room", "shown"), [(1, [8]), (2, [6, 8]), (3, [5, 6, 8]), (4, [5, 6, 7, 8]), (9, [5, 6, 7, 8])]
)
def test_no_more_leave_than_there_is_room_for_evenly_spaced_and_the_others_never_do(
    room: int, shown: list[int]
) -> None:
    left = in_groups(live_watch(ScriptedFinder(walker)), scene(13, walker, ms=hundredths(13)), [1, 4, 4, 4], room)
    assert [one.of.index for one in left[2]] == shown
    assert min(one.of.index for one in left[3]) > 8


@pytest.mark.parametrize("room", [1, 2, 4])
def test_what_leaves_is_covered_where_the_face_is_however_few_leave(room: int) -> None:
    groups = in_groups(live_watch(ScriptedFinder(walker)), scene(33, walker, ms=hundredths(33)), [1, *[8] * 4], room)
    for regions in itertools.chain(*groups):
        assert covered(walker(regions.of.index)[0], regions.boxes)


@pytest.mark.parametrize("missed", [{4}, {4, 5}])
@pytest.mark.parametrize(("fps", "size"), [(10, 9), (25, 16), (25, 22), (30, 27)])
def test_a_head_that_is_missed_once_or_twice_stays_covered_however_far_looks_are_apart(
    missed: set[int], fps: int, size: int
) -> None:
    def there(index: int) -> list[Box]:
        return [(100 + 0.1 * index, 60.0, 140 + 0.1 * index, 180.0)]  # hardly moves

    missing = {size * look for look in missed}
    finder = ScriptedFinder(standing=lambda index: [] if index in missing else there(index), score=0.6)
    watch = VideoWatch(finder, HEADS_ONLY, width=WIDTH, height=HEIGHT, fps=None, hindsight=2)
    count = 8 * size + 1
    frames = scene(count, there, ms=[round(1000 * n / fps) for n in range(count)])
    for regions in itertools.chain(*in_groups(watch, frames, [1, *[size] * 8], 3)):
        (x1, y1, x2, _) = there(regions.of.index)[0]
        assert covered((x1 + 14, y1, x2 - 14, y1 + 20), regions.boxes)
    assert missing <= set(finder.looked_at)


def test_no_more_leave_than_there_is_room_for_at_a_cut_and_where_the_newest_frame_is_damaged() -> None:
    frames = [frame_of(plain(40 if n < 7 else 200), n, ms=100 * n) for n in range(9)]
    left = in_groups(live_watch(ScriptedFinder(nobody)), frames, [1, 4, 4], 1)
    assert [[one.of.index for one in some] for some in left] == [[0], [4], [6, 7]]
    damaged = scene(13, walker, ms=hundredths(13), damaged=[8])
    left = in_groups(live_watch(ScriptedFinder(walker)), damaged, [1, 4, 4, 4], 1)
    assert [[one.of.index for one in some] for some in left] == [[0], [4], [6], [12]]


def test_hindsight_of_several_looks_is_kept() -> None:
    left = in_groups(live_watch(ScriptedFinder(walker), 10), scene(25, walker, ms=hundredths(25)), [1, 8, 8, 8], 99)
    assert [[one.of.index for one in some] for some in left] == [[], [], list(range(7)), list(range(7, 15))]


def test_a_cut_among_frames_that_waited_is_looked_at_from_its_first_frame_on() -> None:
    finder = ScriptedFinder(nobody)
    frames = [frame_of(plain(40 if n < 7 else 200), n, ms=100 * n) for n in range(9)]
    left = list(itertools.chain(*in_groups(live_watch(finder), frames, [1, 4, 4], 9)))
    assert [one.of.index for one in left] == list(range(8))
    assert not any(one.whole for one in left)
    assert {6, 7} <= set(finder.looked_at)


def test_a_cut_right_after_all_have_left_is_one() -> None:
    finder = ScriptedFinder(nobody)
    frames = [frame_of(plain(40 if n < 5 else 200), n, ms=100 * n) for n in range(9)]
    left = in_groups(live_watch(finder), frames, [1, 4, 4], 9)
    assert [one.of.index for one in left[2]] == [5, 6, 7, 8]
    assert 5 in finder.looked_at
