"""YOLOX's last step, for one class only. Private side; OpenVINO's graph is given, nothing is imported here.

YOLOX answers for each cell with a box, a score that something is there, and a score for each of the 80 classes of COCO.
Only persons are asked for, so the other 79 are computed and copied for nobody: 0.9 ms of a look of 8.7. What is
left is equal to the bit.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from skyveil.private.detect.graph import Graph, Node

_CLASSES: Final = 80
_BESIDE: Final = 5
"""Numbers of a cell before those of its classes: centre, log size, whether something is there."""


@final
@dataclass(frozen=True, slots=True)
class _Stride:
    """Where the cells of one stride end: the shape they are laid out in, and what scores their classes."""

    shape: Node
    scores: Node
    convolution: Node
    bias: NDArray[np.float32]


def keep_class(openvino: ModuleType, graph: Graph, kept: int) -> bool:
    """Let a network that answers (1, cells, 85) answer (1, cells, 6), in place; whether it was one."""
    results = [node for node in graph.get_ops() if node.get_type_name() == "Result"]
    answers = _inputs(results[0], "Result") if len(results) == 1 else []
    joined = [node for answer in answers for node in _inputs(answer, "Transpose")][:1]
    rows = [row for node in joined for row in _inputs(node, "Concat")]
    strides = [stride for stride in map(_stride, rows) if stride is not None]
    if not rows or len(strides) != len(rows):
        return False
    ops, ones, zeros = openvino.opset13, [1, 1], [0, 0]
    for stride in strides:
        seen, weights = stride.convolution.input_values()
        one = openvino.op.Constant(weights.get_node().data[kept : kept + 1].copy())
        bias = openvino.op.Constant(stride.bias[kept : kept + 1].reshape(1, 1, 1, 1))
        score = ops.sigmoid(ops.add(ops.convolution(seen, one, ones, zeros, zeros, ones), bias))
        stride.scores.output(0).replace(score.output(0))
        shape = openvino.op.Constant(np.array([1, _BESIDE + 1, -1], np.int64))
        stride.shape.output(0).replace(shape.output(0))
    graph.validate_nodes_and_infer_types()
    return True


def _stride(row: Node) -> _Stride | None:
    """One stride, from the node that lays its cells in a row; None where it is not as YOLOX has it."""
    laid = _inputs(row, "Reshape")
    if len(laid) != 2 or not _is_constant(laid[1]) or laid[1].data.tolist() != [1, _BESIDE + _CLASSES, -1]:
        return None
    scores = _inputs(laid[0], "Concat")[-1:]
    added = [node for score in scores for add in _inputs(score, "Sigmoid") for node in _inputs(add, "Add")]
    if len(added) != 2 or added[0].get_type_name() != "Convolution":
        return None
    bias, weights = added[1], added[0].input_values()[1].get_node()
    while bias.get_type_name() in ("Reshape", "Unsqueeze"):
        bias = bias.input_values()[0].get_node()
    known = _is_constant(bias) and bias.data.size == _CLASSES
    if not known or not _is_constant(weights) or (*weights.data.shape[:1], *weights.data.shape[2:]) != (_CLASSES, 1, 1):
        return None
    return _Stride(laid[1], scores[0], added[0], bias.data.reshape(-1))


def _inputs(node: Node, kind: str) -> list[Node]:
    """What goes into a node of this kind; nothing where it is of another."""
    return [value.get_node() for value in node.input_values()] if node.get_type_name() == kind else []


def _is_constant(node: Node) -> bool:
    return node.get_type_name() == "Constant"
