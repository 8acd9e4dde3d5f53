"""Which of oneDNN's kernels a network computes with, where its own choice is slow. Private side; OpenVINO is given.

With AVX2 and no AVX-512 oneDNN takes `brgconv` kernels, and lays channels last. Its older `jit` kernels, which take
channels eight by eight, need 12 to 22 % less for the face network, 3 % less for the person network and 6 to 18 % less
for the text network (Zen 3, one thread, in turns); answers differ by 2e-5 at most.
"""

from pathlib import Path
from types import ModuleType
from typing import Final
from xml.etree import ElementTree

import cv2

from skyveil.private.detect.graph import Graph

_AVX2: Final = 11
_AVX_512F: Final = 13
"""OpenCV's CV_CPU_AVX2 and CV_CPU_AVX_512F (core/cvdef.h)."""
_KERNELS: Final = "cpu:jit_avx2_1x1,cpu:jit_avx2_dw,cpu:jit_avx2"
_STEPS: Final = frozenset({"Convolution", "GroupConvolution"})


def preferred_kernels() -> str | None:
    """The kernels to prefer on this processor; None where oneDNN chooses well, or was not measured."""
    return _KERNELS if cv2.checkHardwareSupport(_AVX2) and not cv2.checkHardwareSupport(_AVX_512F) else None


def written_with(openvino: ModuleType, graph: Graph, kernels: str, *, scratch: Path) -> tuple[bytes, bytes]:
    """The network, preferring those kernels, in OpenVINO's own format: its text and its weights.

    Python reads a step's preference and can not set it, so it is set in the text, which OpenVINO gives as a file only:
    in the folder `scratch`, where it is left. So this is for who compiles ahead; workers write nothing.
    """
    text, weights = scratch / "network.xml", scratch / "network.bin"
    openvino.serialize(graph, text, weights)
    tree = ElementTree.parse(text)  # noqa: S314 - written one line above
    for layer in tree.iter("layer"):
        if layer.get("type") in _STEPS:
            known = layer.find("rt_info")
            known = ElementTree.SubElement(layer, "rt_info") if known is None else known
            ElementTree.SubElement(known, "attribute", name="primitives_priority", version="0", value=kernels)
    return ElementTree.tostring(tree.getroot()), weights.read_bytes()
