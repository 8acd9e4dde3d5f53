"""A network in integers of 8 bits, where the processor multiplies such. Private side; OpenVINO's graph is given.

Krishnamoorthi: Quantizing deep convolutional networks for efficient inference (2018), arXiv 1806.08342, sections 2 and
3: weights in 255 even steps for each output channel; what flows between the steps in 256, as far as it reached in
pictures that were shown before (`python -m bench.face_ranges`). The last convolutions, which answer, stay in f32.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import ModuleType
from typing import Final, TypeAlias, final

import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.private.detect.graph import Graph, Node, Value

_CHANNELS: Final = {"Convolution": 0, "GroupConvolution": 0, "ConvolutionBackpropData": 1}
"""The axis of output channels in the weights of each convolution; of groups, which hold one channel each here."""
_BEHIND_THE_LAST: Final = frozenset({"Add", "Sigmoid", "Convert", "Result"})
"""All that may stand between the last convolution and the answer."""
_PICTURE: Final = frozenset({"Parameter", "Convert", "Transpose"})
"""What gives the picture to the first convolution."""
_PIXEL: Final = 255.0
_LEAST: Final = 1e-6
"""A channel that is always zero still needs a range."""
_AVX512_VNNI: Final = 261
"""OpenCV's CV_CPU_AVX512_CLX (core/cvdef.h)."""

Numbers: TypeAlias = NDArray[np.float32]


@final
@dataclass(frozen=True, slots=True)
class Ranges:
    """How far the numbers between the steps of one network reach.

    reach: by the name of the step that gives them, the largest magnitude of all, (1,), or of each channel, (C,).
    digest: sha256 of the file they are from.
    """

    reach: Mapping[str, Numbers]
    digest: str

    @staticmethod
    def read(name: str) -> "Ranges":
        """The ranges in the file of that name beside this module."""
        written = files(__package__).joinpath(name).read_bytes()
        reach = {step: np.array(most, np.float32) for step, most in json.loads(written).items()}
        return Ranges(reach, hashlib.sha256(written).hexdigest())


def multiplies_eight_bits() -> bool:
    """Whether the processor has AVX-512 VNNI. With less, 8 bits save a fifth of the time or nothing."""
    return bool(cv2.checkHardwareSupport(_AVX512_VNNI))


def sources(graph: Graph) -> dict[str, tuple[Value, bool]]:
    """What `to_eight_bits` rounds, by the name of the step that gives it.

    With each: whether every channel has a range of its own. It may where only depthwise convolutions take it.
    """
    found: dict[str, tuple[Value, bool]] = {}
    for node in _convolutions(graph):
        value = node.input_values()[0]
        name = value.get_node().get_friendly_name()
        depthwise = node.get_type_name() == "GroupConvolution"
        found[name] = (value, depthwise and found.get(name, (value, True))[1])
    return found


def to_eight_bits(openvino: ModuleType, graph: Graph, ranges: Ranges) -> None:
    """Let the convolutions of a network multiply in 8 bits, in place; sums of two branches stay in f32.

    graph: what goes in is a picture, 0..255, and weights are constants. ValueError where a range is missing.
    """
    rounded: dict[str, Value] = {}
    for node in _convolutions(graph):
        value, weights = node.input_values()
        name = value.get_node().get_friendly_name()
        if name not in rounded:
            rounded[name] = _rounded(openvino, value, ranges)
        node.input(0).replace_source_output(rounded[name])
        axis = _CHANNELS[node.get_type_name()]
        node.input(1).replace_source_output(_rounded_weights(openvino, weights, axis))
    graph.validate_nodes_and_infer_types()


def _convolutions(graph: Graph) -> list[Node]:
    """All but the last ones."""
    return [node for node in graph.get_ordered_ops() if node.get_type_name() in _CHANNELS and not _is_last(node)]


def _is_last(node: Node) -> bool:
    """Whether nothing stands behind a convolution but its bias, a sigmoid and the answer."""
    behind = [way.get_node() for way in node.output(0).get_target_inputs()]
    if not all(step.get_type_name() in _BEHIND_THE_LAST for step in behind):
        return False
    return all(step.get_type_name() == "Result" or _is_last(step) for step in behind)


def _rounded(openvino: ModuleType, value: Value, ranges: Ranges) -> Value:
    """The numbers in 256 even steps, from 0 where none is negative, else as far below it as above."""
    node = value.get_node()
    name = node.get_friendly_name()
    if name not in ranges.reach:
        if node.get_type_name() not in _PICTURE:
            raise ValueError(f"{name} has no range")
        return _in_steps(openvino, value, np.zeros((), np.float32), np.full((), _PIXEL, np.float32), 256)
    high = np.maximum(ranges.reach[name], _LEAST).reshape(1, -1, 1, 1)
    low = 0 * high if _never_negative(node) else -high * np.float32(128 / 127)
    return _in_steps(openvino, value, low, high, 256)


def _never_negative(node: Node) -> bool:
    """Whether a ReLU gives the numbers, or a sum of such."""
    if node.get_type_name() == "Add":
        return all(_never_negative(value.get_node()) for value in node.input_values())
    return node.get_type_name() == "Relu"


def _rounded_weights(openvino: ModuleType, value: Value, axis: int) -> Value:
    weights = value.get_node().data
    others = tuple(other for other in range(weights.ndim) if other != axis)
    most = np.maximum(np.abs(weights).max(axis=others, keepdims=True), _LEAST)
    return _in_steps(openvino, value, -most, most, 255)


def _in_steps(openvino: ModuleType, value: Value, low: Numbers, high: Numbers, levels: int) -> Value:
    ends = [openvino.op.Constant(np.asarray(end, np.float32)) for end in (low, high)]
    step: Node = openvino.opset13.fake_quantize(value, *ends, *ends, levels)
    return step.output(0)
