"""Focus: the fold answers what the unfolded network answers, and leaves every other network alone."""

import numpy as np
import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed
import pytest
from numpy.typing import NDArray

from skyveil.app.models import locate
from skyveil.core.manifest import YOLOX_NANO
from skyveil.private.detect.focus import fold_focus
from skyveil.private.detect.graph import Graph

CORNERS = [(0, 0), (1, 0), (0, 1), (1, 1)]


def focus(corners: list[tuple[int, int]] = CORNERS, *, step: int = 2, pad: int = 1) -> Graph:
    """A network that begins as YOLOX does."""
    ops = openvino.opset13
    picture = ops.parameter([1, 3, 8, 12], np.float32)
    patches = [ops.slice(picture, [row, column], [100, 100], [step, step], [2, 3]) for row, column in corners]
    weights = np.random.default_rng(0).normal(size=(5, 3 * len(corners), 3, 3)).astype(np.float32)
    pads = [pad, pad]
    first = ops.convolution(ops.concat(patches, 1), openvino.op.Constant(weights), [1, 1], pads, pads, [1, 1])
    model: Graph = openvino.Model([ops.relu(first)], [picture], "focus")
    return model


def answer(model: Graph, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled([picture])[0], np.float32)


@pytest.mark.parametrize("corners", [CORNERS, CORNERS[::-1]])
def test_one_convolution_answers_as_the_four_patches_did(corners: list[tuple[int, int]]) -> None:
    picture = np.random.default_rng(1).normal(size=(1, 3, 8, 12)).astype(np.float32)
    model = focus(corners)
    before = answer(model, picture)
    assert fold_focus(openvino, model)
    assert not any(node.get_type_name() in {"Slice", "Concat"} for node in model.get_ops())
    assert np.allclose(answer(model, picture), before, atol=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        focus([(0, 0), (1, 0), (0, 1), (0, 1)]),  # one corner twice
        focus(CORNERS[:3]),
        focus(step=3),
        focus(pad=0),
    ],
)
def test_what_is_no_focus_stays_as_it_is(model: Graph) -> None:
    nodes = [node.get_friendly_name() for node in model.get_ops()]
    assert not fold_focus(openvino, model)
    assert [node.get_friendly_name() for node in model.get_ops()] == nodes


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_the_person_network_begins_with_one() -> None:
    path = locate(YOLOX_NANO)
    assert path is not None
    assert fold_focus(openvino, openvino.Core().read_model(str(path)))
