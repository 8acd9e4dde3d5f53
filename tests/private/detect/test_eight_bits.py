"""A network in 8 bits answers nearly what it answers in f32, and nothing is rounded whose reach is not known."""

from pathlib import Path

import numpy as np
import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed
import pytest
from numpy.typing import NDArray

from skyveil.app.models import locate
from skyveil.core.manifest import CENTERFACE
from skyveil.core.settings import Precision
from skyveil.private.detect import centerface, engine_openvino
from skyveil.private.detect.boxes import Scored
from skyveil.private.detect.eight_bits import Ranges, sources, to_eight_bits
from skyveil.private.detect.engine_openvino import OpenVinoEngine
from skyveil.private.detect.graph import Graph
from skyveil.private.detect.networks import FACES
from tests.private.tiny_networks import one_step, written

PICTURE = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 12)).astype(np.float32)


def tiny() -> Graph:
    """A picture, two convolutions, the second one depthwise, and a third that answers."""
    ops, rng = openvino.opset13, np.random.default_rng(0)
    ones, zeros = [1, 1], [0, 0]

    def weights(*shape: int) -> object:
        return openvino.op.Constant(rng.normal(size=shape).astype(np.float32))

    picture = ops.parameter([1, 3, 8, 12], np.float32, name="picture")
    first = ops.relu(ops.convolution(picture, weights(4, 3, 3, 3), ones, zeros, zeros, ones), name="first")
    deep = ops.group_convolution(first, weights(4, 1, 1, 3, 3), ones, zeros, zeros, ones)
    second = ops.add(deep, openvino.op.Constant(np.full((1, 4, 1, 1), -3, np.float32)), name="second")
    answer = ops.convolution(second, weights(2, 4, 1, 1), ones, zeros, zeros, ones, name="answer")
    graph: Graph = openvino.Model([ops.sigmoid(answer)], [picture], "tiny")
    return graph


def answered(graph: Graph) -> NDArray[np.float32]:
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled([PICTURE])[0], np.float32)


def reached(graph: Graph, *, times: float = 1.0) -> Ranges:
    """How far its numbers reach on the one picture."""
    named = {name: way for name, way in sources(graph).items() if name != "picture"}
    inner = openvino.Model([value for value, _ in named.values()], graph.get_parameters(), "inner")  # type: ignore[attr-defined]
    found = openvino.Core().compile_model(inner, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([PICTURE])
    axes = [(0, 2, 3) if by_channel else None for _, by_channel in named.values()]
    most = [np.abs(found[index]).max(axis=axis) for index, axis in enumerate(axes)]
    return Ranges(
        {name: np.atleast_1d(one * np.float32(times)) for name, one in zip(named, most, strict=True)}, "digest"
    )


def rounds(graph: Graph) -> list[int]:
    """How many numbers each rounding step keeps ends for."""
    steps = [node for node in graph.get_ops() if node.get_type_name() == "FakeQuantize"]
    return sorted(step.input_values()[2].get_node().data.size for step in steps)


def test_what_goes_into_a_depthwise_convolution_has_a_range_for_each_channel() -> None:
    assert {name: by_channel for name, (_, by_channel) in sources(tiny()).items()} == {"picture": False, "first": True}


def test_it_answers_nearly_the_same_and_its_last_step_is_as_it_was() -> None:
    graph = tiny()
    before = answered(graph)
    to_eight_bits(openvino, graph, reached(tiny()))
    # The picture, the four channels of "first", and the weights of both convolutions by output channel.
    assert rounds(graph) == [1, 4, 4, 4]
    difference = np.abs(answered(graph) - before)
    assert 0 < difference.max() < 0.1
    assert difference.mean() < 0.01


def test_what_goes_beyond_its_range_is_cut_off() -> None:
    near, far = tiny(), tiny()
    to_eight_bits(openvino, near, reached(tiny()))
    to_eight_bits(openvino, far, reached(tiny(), times=0.1))
    assert np.abs(answered(far) - answered(tiny())).mean() > 10 * np.abs(answered(near) - answered(tiny())).mean()


def test_a_step_without_a_range_is_refused() -> None:
    with pytest.raises(ValueError, match="first has no range"):
        to_eight_bits(openvino, tiny(), Ranges({}, "digest"))


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_the_face_network_finds_the_same_face(astronaut: NDArray[np.uint8]) -> None:
    path = locate(CENTERFACE)
    assert path is not None and FACES.ranges is not None
    found: list[Scored] = []
    for ranges in (None, Ranges.read(FACES.ranges)):
        loaded = openvino.Core().read_model(path.read_bytes())
        network = engine_openvino._with_preprocessing(openvino, loaded, FACES.preprocess, FACES.outputs)
        if ranges is not None:
            assert set(ranges.reach) == {name for name in sources(network) if not name.startswith("Transpose")}
            to_eight_bits(openvino, network, ranges)
        network.reshape([1, *astronaut.shape])
        compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        answer = compiled([astronaut[np.newaxis]])
        found += centerface.decode(tuple(np.array(answer[index]) for index in range(3)), threshold=0.3)
    exact, rounded = found
    assert len(exact.score) == len(rounded.score) == 1
    assert rounded.score[0] == pytest.approx(exact.score[0], abs=0.05)
    side_px = exact.xyxy[0, 2] - exact.xyxy[0, 0]
    assert rounded.xyxy[0] == pytest.approx(exact.xyxy[0], abs=float(side_px) / 8)


@pytest.mark.parametrize(
    ("precision", "bf16", "eight_bits", "expected"),
    [
        ("auto", True, True, "bf16"),
        ("auto", False, True, "i8"),
        ("auto", False, False, "f32"),
        ("f32", True, True, "f32"),
    ],
)
def test_what_is_computed_in(precision: Precision, bf16: bool, eight_bits: bool, expected: str) -> None:
    assert engine_openvino._computed(precision, bf16, eight_bits) == expected


def test_compiled_networks_of_other_numbers_have_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_openvino, "_computed", lambda *_: "i8")
    entry, path = written(tmp_path, one_step("Identity"))

    def name(ranges: str | None) -> str:
        engine = OpenVinoEngine(
            entry, path.read_bytes(), FACES.preprocess, None, shapes="fixed", precision="auto", ranges=ranges
        )
        return engine.blob_name((1, 32, 32))

    assert name(FACES.ranges) != name(None)
