"""Classes: one class is answered for as it was among eighty, and every other network is left alone."""

import numpy as np
import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed
import pytest
from numpy.typing import NDArray

from skyveil.app.models import locate
from skyveil.core.manifest import YOLOX_NANO
from skyveil.private.detect.classes import keep_class
from skyveil.private.detect.graph import Graph

KEPT = 3


def head(*, classes: int = 80, side: int = 1, laid_out: int = 85, last: str = "sigmoid") -> Graph:
    """A network that ends as YOLOX does, with two strides."""
    ops, rng = openvino.opset13, np.random.default_rng(0)

    def convolved(picture: object, channels: int, side: int) -> object:
        weights = openvino.op.Constant(rng.normal(size=(channels, 3, side, side)).astype(np.float32))
        bias = openvino.op.Constant(rng.normal(size=channels).astype(np.float32))
        pads = [side // 2, side // 2]
        return ops.add(
            ops.convolution(picture, weights, [1, 1], pads, pads, [1, 1]), ops.reshape(bias, [1, -1, 1, 1], False)
        )

    pictures = [ops.parameter([1, 3, rows, 6], np.float32) for rows in (4, 2)]
    rows = [
        ops.reshape(
            ops.concat(
                [
                    convolved(picture, 4, 1),
                    ops.sigmoid(convolved(picture, 1, 1)),
                    getattr(ops, last)(convolved(picture, classes, side)),
                ],
                1,
            ),
            np.array([1, laid_out, -1], np.int64),
            False,
        )
        for picture in pictures
    ]
    model: Graph = openvino.Model([ops.transpose(ops.concat(rows, 2), [0, 2, 1])], pictures, "head")
    return model


def answer(model: Graph, pictures: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(pictures)[0], np.float32)


def test_one_class_scores_as_it_did_among_eighty() -> None:
    rng = np.random.default_rng(1)
    pictures = [rng.normal(size=(1, 3, rows, 6)).astype(np.float32) for rows in (4, 2)]
    model = head()
    before = answer(model, pictures)
    assert keep_class(openvino, model, KEPT)
    after = answer(model, pictures)
    assert after.shape == (1, 36, 6)
    assert np.allclose(after, before[..., [0, 1, 2, 3, 4, 5 + KEPT]], atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        head(classes=20, laid_out=25),
        head(side=3),
        head(last="relu"),
    ],
)
def test_what_ends_otherwise_stays_as_it_is(model: Graph) -> None:
    nodes = [node.get_friendly_name() for node in model.get_ops()]
    assert not keep_class(openvino, model, KEPT)
    assert [node.get_friendly_name() for node in model.get_ops()] == nodes


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_the_person_network_ends_so() -> None:
    path = locate(YOLOX_NANO)
    assert path is not None
    assert keep_class(openvino, openvino.Core().read_model(str(path)), KEPT)
