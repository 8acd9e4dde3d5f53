"""A density network of the operator answers with exactly one map of heads, or is not used."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from skyveil.core.density import DensityNetwork
from skyveil.core.errors import DetectorFailed, ModelCorrupt, ModelMissing, SettingsRefused
from skyveil.core.manifest import COMPILED
from skyveil.private.detect.density import HeadMapper, compiled_of, network_map, preprocess_of, shown, summed
from skyveil.private.detect.engine import Preprocess
from skyveil.private.detect.view import Rgb, blank
from tests.private.made import frame_of
from tests.private.tiny_networks import axis, bright_spots, constant, network, one_step, step

SIZE_WH = (128, 64)


def given(weights: bytes, folder: Path, **more: object) -> tuple[DensityNetwork, Path]:
    path = folder / "crowd.onnx"
    path.write_bytes(weights)
    persons = more.get("persons", 1.0)
    assert isinstance(persons, float)
    sha256 = hashlib.sha256(weights).hexdigest()
    return DensityNetwork("crowd", path.name, sha256, SIZE_WH, scaling="unit", persons=persons), path


def picture(*spots: tuple[int, int]) -> Rgb:
    """Black, with a white spot of 4x4 px at each of these upper left corners."""
    made = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    for x, y in spots:
        made[y : y + 4, x : x + 4] = 255
    return made


def opened(folder: Path, weights: bytes, **more: object) -> HeadMapper:
    return HeadMapper.open(*given(weights, folder, **more))


def test_the_sum_of_the_map_is_the_number_of_people(tmp_path: Path) -> None:
    heads = opened(tmp_path, bright_spots()).look(picture((8, 8), (40, 16), (42, 40), (120, 60)))
    assert heads.shape == (8, 16)
    assert heads.sum() == pytest.approx(4, rel=1e-5)
    assert heads[1, 1] == pytest.approx(1, rel=1e-5)


def test_maps_of_other_units_are_turned_into_people(tmp_path: Path) -> None:
    mapper = opened(tmp_path, bright_spots(persons=100.0), persons=0.01)
    assert mapper.look(picture((8, 8), (64, 32))).sum() == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize(("cell_px", "shape"), [(1, (8, 16)), (2, (8, 16)), (4, (8, 16)), (16, (4, 8)), (64, (1, 2))])
def test_fine_maps_are_summed_and_coarse_ones_are_taken_as_they_are(
    tmp_path: Path, cell_px: int, shape: tuple[int, int]
) -> None:
    heads = opened(tmp_path, bright_spots(cell_px=cell_px)).look(picture((8, 8), (66, 33)))
    assert heads.shape == shape
    assert heads.sum() == pytest.approx(2, rel=1e-5)


def test_cells_that_eight_pixels_do_not_hold_are_summed_as_far_as_they_go() -> None:
    assert summed(np.ones((8, 16), np.float32), cell_px=3).shape == (4, 8)
    assert summed(np.ones((7, 16), np.float32), cell_px=3).shape == (7, 16)


def test_a_map_without_its_axis_of_channels_is_a_map(tmp_path: Path) -> None:
    squeezed = network(
        [
            step("Conv", ["x", "sums"], "grey", kernel_shape=[8, 8], strides=[8, 8]),
            step("Squeeze", ["grey", "axis"], "y"),
        ],
        [constant("sums", (1, 3, 8, 8), [1 / 64] * 192), axis("axis", 1)],
    )
    assert opened(tmp_path, squeezed).shape == (8, 16)


ONES = [1.0] * 192


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        # three maps in one answer, as a picture is
        (one_step("Identity"), r"expected a map \(1, 1, rows, columns\)"),
        # a count and no map: one number for each channel
        (network([step("GlobalAveragePool", ["x"], "y")]), "expected a map"),
        # a map, and something else that nobody asked for
        (
            network(
                [
                    step("Conv", ["x", "k"], "y", kernel_shape=[8, 8], strides=[8, 8]),
                    step("GlobalAveragePool", ["x"], "z"),
                ],
                [constant("k", (1, 3, 8, 8), ONES)],
                outputs=("y", "z"),
            ),
            "expected one map of heads, got 2 answers",
        ),
        # cells that are no squares
        (
            network(
                [step("Conv", ["x", "k"], "y", kernel_shape=[8, 8], strides=[8, 16])],
                [constant("k", (1, 3, 8, 8), ONES)],
            ),
            "cells are squares of 1 to 64 whole pixels",
        ),
        # an edge that is left out: 15 columns do not divide 128
        (
            network(
                [step("Conv", ["x", "k"], "y", kernel_shape=[16, 16], strides=[8, 8])],
                [constant("k", (1, 3, 16, 16), [1.0] * 768)],
            ),
            "cells are squares of 1 to 64 whole pixels",
        ),
        # the logarithm of 0
        (bright_spots(last="Log"), "not finite"),
    ],
    ids=["channels", "a number", "two answers", "oblong cells", "no whole ratio", "infinite"],
)
def test_whatever_is_not_one_map_of_heads_is_refused_when_it_is_loaded(
    tmp_path: Path, weights: bytes, says: str
) -> None:
    with pytest.raises(DetectorFailed, match=says):
        opened(tmp_path, weights)


def test_an_answer_that_is_wrong_later_is_refused_then(tmp_path: Path) -> None:
    mapper = opened(tmp_path, bright_spots(last="Neg"))  # of nobody it says -0, which is 0
    with pytest.raises(DetectorFailed, match="finite numbers of 0 or more"):
        mapper.look(picture((8, 8)))


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([np.zeros((1, 1, 8, 16), np.float32)], ""),
        ([np.zeros((1, 8, 16), np.float32)], ""),
        ([], "got 0 answers"),
        ([np.zeros((8, 16), np.float32)], "expected a map"),
        ([np.zeros((1, 1, 1, 8, 16), np.float32)], "expected a map"),
        ([np.zeros((1, 2, 8, 16), np.float32)], "expected a map"),
        ([np.full((1, 1, 8, 16), np.nan, np.float32)], "finite numbers"),
        ([np.full((1, 1, 8, 16), np.inf, np.float32)], "finite numbers"),
        ([np.full((1, 1, 8, 16), -1e-6, np.float32)], "finite numbers of 0 or more"),
    ],
)
def test_an_answer_is_one_map_or_nothing(
    answers: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float32]]], says: str
) -> None:
    network_of = DensityNetwork("crowd", "crowd.onnx", "0" * 64, SIZE_WH)
    if not says:
        assert network_map(tuple(answers), network_of).shape == (8, 16)
        return
    with pytest.raises(DetectorFailed, match=says):
        network_map(tuple(answers), network_of)


def test_numbers_that_no_picture_shows_are_refused(tmp_path: Path) -> None:
    mapper = opened(tmp_path, bright_spots(persons=1e6))
    with pytest.raises(DetectorFailed, match="more than 1e\\+06 people: check `persons`"):
        mapper.look(picture((8, 8), (64, 32)))


@pytest.mark.parametrize("weights", [b"no network", b""])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, weights: bytes) -> None:
    with pytest.raises(ModelCorrupt, match="does not load"):
        opened(tmp_path, weights)
    with pytest.raises(SettingsRefused, match="ONNX files"):
        _ = DensityNetwork("crowd", "crowd.pt", "0" * 64, SIZE_WH).entry


def test_a_file_that_was_changed_or_is_gone_is_refused_at_every_load(tmp_path: Path) -> None:
    known, path = given(bright_spots(), tmp_path)
    HeadMapper.open(known, path)
    path.write_bytes(bright_spots(persons=0.5))
    with pytest.raises(ModelCorrupt, match="sha256"):
        HeadMapper.open(known, path)
    path.unlink()
    with pytest.raises(ModelMissing):
        HeadMapper.open(known, path)


def test_a_network_that_was_compiled_ahead_answers_the_same_and_is_hashed_too(tmp_path: Path) -> None:
    known, path = given(bright_spots(), tmp_path)
    compiled = tmp_path / COMPILED
    compiled.mkdir()
    name, content = compiled_of(known, path)
    (compiled / name).write_bytes(content)
    seen = picture((8, 8), (40, 16))
    plain, ahead = (HeadMapper.open(known, path, compiled=one) for one in (None, compiled))
    assert np.array_equal(plain.look(seen), ahead.look(seen))
    (compiled / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelCorrupt, match="not as it was written"):
        HeadMapper.open(known, path, compiled=compiled)


def test_the_whole_frame_is_shown_at_the_size_of_the_network() -> None:
    luma = np.full((240, 320), 16, np.uint8)
    luma[120:, 160:] = 235
    seen = shown(frame_of(luma), DensityNetwork("crowd", "crowd.onnx", "0" * 64, SIZE_WH))
    assert seen.shape == (*blank(SIZE_WH).shape,)
    assert seen[16, 32].max() < 10 and seen[48, 96].min() > 245


def test_colours_are_in_the_order_of_the_network() -> None:
    known = DensityNetwork("crowd", "crowd.onnx", "0" * 64, SIZE_WH, channels="bgr")
    assert preprocess_of(known) == Preprocess("bgr", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
