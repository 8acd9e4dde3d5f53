"""YOLOX's first step, made one convolution. Private side; OpenVINO's graph is given, nothing is imported here.

YOLOX begins by laying every second pixel of every second row aside as four small pictures (Focus), and convolves those
with kernels of 3x3. OpenVINO copies pixel by pixel for that, 0.7 ms of a look of 4.7. One convolution of the picture
itself with kernels of 6x6 in steps of two sums the same products: equal to the bit in bf16, to 3e-5 px in f32.
"""

from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skyveil.private.detect.graph import Graph, Node, Value

_KERNEL: Final = 3
_STEP: Final = 2
_ROWS: Final = 2
"""The axis of rows in batch, channel, row, column."""


def fold_focus(openvino: ModuleType, graph: Graph) -> bool:
    """Replace a Focus and the convolution behind it by one convolution, in place; whether there was one."""
    for node in graph.get_ops():
        if node.get_type_name() == "Convolution":
            patches = _patches(node.input_values()[0].get_node())
            weights = node.input_values()[1].get_node()
            if patches is not None and weights.get_type_name() == "Constant" and _is_plain(node, weights.data):
                picture, corners = patches
                kernels = openvino.op.Constant(_spread(weights.data, corners))
                two, one = [_STEP, _STEP], [1, 1]
                whole: Node = openvino.opset13.convolution(picture, kernels, two, two, two, one)
                node.output(0).replace(whole.output(0))
                return True
    return False


def _patches(joined: Node) -> tuple[Value, list[tuple[int, int]]] | None:
    """The picture that the four inputs of `joined` are taken from and the row and column each begins at; else None."""
    if joined.get_type_name() != "Concat":
        return None
    corners: list[tuple[int, int]] = []
    pictures: list[Value] = []
    for value in joined.input_values():
        corner = [0, 0]
        while value.get_node().get_type_name() == "Slice":
            value, *limits = value.get_node().input_values()
            if len(limits) != 4 or any(limit.get_node().get_type_name() != "Constant" for limit in limits):
                return None
            starts, _, steps, axes = (limit.get_node().data.tolist() for limit in limits)
            for axis, start, step in zip(axes, starts, steps, strict=True):
                if axis not in (_ROWS, _ROWS + 1) or step != _STEP or start not in (0, 1):
                    return None
                corner[axis - _ROWS] = start
        corners.append((corner[0], corner[1]))
        pictures.append(value)
    every = {(row, column) for row in range(_STEP) for column in range(_STEP)}
    # By name: OpenVINO wraps a node anew each time it is asked for.
    same = len({(picture.get_node().get_friendly_name(), picture.get_index()) for picture in pictures}) == 1
    return (pictures[0], corners) if len(corners) == len(every) and set(corners) == every and same else None


def _is_plain(convolution: Node, weights: NDArray[np.float32]) -> bool:
    """Whether a convolution has kernels of 3x3, a border of one and steps of one."""
    settings = convolution.get_attributes()
    ones = all(settings.get(name) == [1, 1] for name in ("strides", "dilations", "pads_begin", "pads_end"))
    return ones and weights.shape[1] % _STEP**2 == 0 and weights.shape[2:] == (_KERNEL, _KERNEL)


def _spread(weights: NDArray[np.float32], corners: list[tuple[int, int]]) -> NDArray[np.float32]:
    """Kernels of 3x3 for the four small pictures as kernels of 6x6 for the whole one."""
    channels = weights.shape[1] // len(corners)
    whole = np.zeros((weights.shape[0], channels, _STEP * _KERNEL, _STEP * _KERNEL), np.float32)
    for index, (row, column) in enumerate(corners):
        whole[:, :, row::_STEP, column::_STEP] = weights[:, index * channels : (index + 1) * channels]
    return whole
