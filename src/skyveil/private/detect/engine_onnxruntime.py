"""A network in ONNX Runtime, with CUDA or TensorRT where they are. Private side; needs the extra `gpu`.

On a CPU it is a comparison, not a choice: CenterFace takes twice as long as in OpenVINO with bf16, and as long as
without (docs/adr/0002-openvino.md).
"""

from types import ModuleType
from typing import Final, Literal, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed, ModelCorrupt, SettingsRefused
from skyveil.core.manifest import ModelEntry
from skyveil.private.detect.engine import Computed, Outputs, Pending, Pictures, Preprocess, Shape, checked, translated

Provider: TypeAlias = Literal["onnxruntime", "tensorrt"]

_PROVIDERS: Final[dict[Provider, tuple[str, ...]]] = {
    "onnxruntime": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider",),
}


# What we use of ONNX Runtime and onnx, which ship no py.typed.
class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Session(Protocol):
    def get_inputs(self) -> list[_Named]: ...
    def get_outputs(self) -> list[_Named]: ...
    def get_providers(self) -> list[str]: ...
    def run(self, names: list[str], inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]: ...


@final
class OnnxRuntimeEngine:
    """One network in ONNX Runtime, any input shape, in f32."""

    precision: Computed = "f32"

    def __init__(
        self,
        entry: ModelEntry,
        weights: bytes,
        preprocess: Preprocess,
        outputs: tuple[int, ...] | None,
        *,
        provider: Provider,
        threads: int,
    ) -> None:
        try:
            import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional, no py.typed
            import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]  # as above
            from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]  # as above
            from onnxruntime.capi import (  # type: ignore[import-not-found,import-untyped,unused-ignore]  # as above
                onnxruntime_pybind11_state as raised,
            )
        except ImportError as error:
            raise SettingsRefused(f"{provider} is not installed; run: pip install 'skyveil[gpu]'") from error
        providers = [name for name in _PROVIDERS[provider] if name in onnxruntime.get_available_providers()]
        if not providers:
            raise SettingsRefused(f"this ONNX Runtime has no {_PROVIDERS[provider][0]}; use another backend")
        self._describe = entry.describe
        self._preprocess = preprocess
        named = (value for value in vars(raised).values() if isinstance(value, type) and issubclass(value, Exception))
        self._raised: tuple[type[Exception], ...] = (RuntimeError, ValueError, IndexError, DecodeError, *named)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what it would log it also raises
        with translated(self._raised, ModelCorrupt, f"{self._describe} does not load"):
            self._session: _Session = onnxruntime.InferenceSession(
                _any_shape(onnx, weights), options, providers=providers
            )
        names = [output.name for output in self._session.get_outputs()]
        self._names = names if outputs is None else [names[index] for index in outputs]
        self.device = self._session.get_providers()[0].removesuffix("ExecutionProvider")

    def prepare(self, shape: Shape) -> None:
        """Look once at an empty picture: GPU providers choose their kernels, TensorRT builds its engine, then."""
        self.start(np.zeros((*shape, 3), np.uint8)).wait()

    def start(self, pictures: Pictures) -> Pending:
        """Look at (B, H, W, 3) at once: the answer is there when this returns."""
        ordered = pictures[..., ::-1] if self._preprocess.wants == "bgr" else pictures
        mean, scale = np.array(self._preprocess.mean, np.float32), np.array(self._preprocess.scale, np.float32)
        scaled = (ordered.astype(np.float32) - mean) / scale
        planes = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)
        with translated(self._raised, DetectorFailed, self._describe):
            outputs = self._session.run(self._names, {self._session.get_inputs()[0].name: planes})
        return _Answered(checked(self._describe, len(pictures), tuple(outputs)))


@final
class _Answered:
    """A look that was over when it was started."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def wait(self) -> Outputs:
        """The answer."""
        return self._outputs


def _any_shape(onnx: ModuleType, weights: bytes) -> bytes:
    """The same network with batch, height and width left open, and no weights among its inputs.

    CenterFace was exported for ten pictures of 32x32, with every weight an input that a caller may replace.
    """
    model = onnx.load_model_from_string(weights)
    constants = {constant.name for constant in model.graph.initializer}
    pictures = [given for given in model.graph.input if given.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(pictures)
    for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].Clear()
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    opened: bytes = model.SerializeToString()
    return opened
