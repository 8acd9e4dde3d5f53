"""Kernels: the network that prefers some answers what it answered before, and computes with them."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed
import pytest
from numpy.typing import NDArray

from skyveil.private.detect import kernels
from skyveil.private.detect.graph import Graph
from skyveil.private.detect.kernels import preferred_kernels, written_with

WISH = "cpu:jit_avx2_1x1,cpu:jit_avx2_dw"
AVX2 = 11
AVX_512F = 13
FULL: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


def some(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


def network() -> Graph:
    """A network that begins as those for phones do."""
    ops, rng, ones = openvino.opset13, np.random.default_rng(0), [1, 1]
    picture = ops.parameter([1, 3, 96, 128], np.float32)
    step = ops.relu(ops.convolution(picture, some(rng, 32, 3, 3, 3), [2, 2], ones, ones, ones))
    step = ops.relu(ops.group_convolution(step, some(rng, 32, 1, 1, 3, 3), [2, 2], ones, ones, ones))
    step = ops.relu(ops.convolution(step, some(rng, 64, 32, 1, 1), ones, [0, 0], [0, 0], ones))
    model: Graph = openvino.Model([step], [picture], "small")
    return model


def answer(model: Graph, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], set[str]]:
    """What it answers, and the kernels of its convolutions, after it was exported and imported."""
    core = openvino.Core()
    exported = core.compile_model(model, "CPU", FULL).export_model().getvalue()
    compiled = core.import_model(exported, "CPU", FULL)
    steps = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    used = {info["primitiveType"].astype(str) for info in steps if "onvolution" in info["layerType"].astype(str)}
    return np.array(compiled([picture])[0], np.float32), used


@pytest.mark.skipif(not cv2.checkHardwareSupport(AVX2), reason="the processor has no AVX2")
def test_preferred_kernels_are_what_an_exported_network_computes_with(tmp_path: Path) -> None:
    model = network()
    picture = np.random.default_rng(1).normal(size=(1, 3, 96, 128)).astype(np.float32)
    before, _ = answer(model, picture)
    written = written_with(openvino, model, WISH, scratch=tmp_path)
    after, used = answer(openvino.Core().read_model(*written), picture)
    assert np.allclose(after, before, atol=1e-3)
    assert {"jit_avx2_1x1_f32", "jit_avx2_dw_f32"} <= used


@pytest.mark.parametrize(("has", "prefers"), [({AVX2}, True), ({AVX2, AVX_512F}, False), (set(), False)])
def test_kernels_are_preferred_where_avx2_is_the_best_there_is(
    has: set[int], prefers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "cv2", SimpleNamespace(checkHardwareSupport=has.__contains__))
    assert (preferred_kernels() is not None) == prefers
