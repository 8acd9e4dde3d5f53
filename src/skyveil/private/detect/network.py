"""One verified network: pictures in, arrays of numbers out. Private side; the only module that touches a runtime.

Weights are read as bytes, hashed, and only then given to the runtime; nothing here opens a pickle, writes or connects.
Colour order, mean and scale are steps of the compiled graph, so a picture goes in as it is: uint8, RGB, rows first.
"""

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Final, Literal, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed, ModelCorrupt, ModelMissing, SkyveilError
from skyveil.core.manifest import ModelEntry
from skyveil.core.settings import Precision

Pictures: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) or (B, H, W, 3), RGB."""
Outputs: TypeAlias = tuple[NDArray[np.float32], ...]
Backend: TypeAlias = Literal["openvino", "onnxruntime"]
Computed: TypeAlias = Literal["bf16", "f32"]
Shapes: TypeAlias = Literal["fixed", "any"]

LONGEST_LOOK_S: Final = 120.0
"""A look of a 4K picture takes under 3 s on one core; one that takes this long hangs."""


@final
@dataclass(frozen=True, slots=True)
class Preprocess:
    """What a network wants of a picture: the order of its channels, then in that order `(x - mean) / scale` of 0..255."""

    wants: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Pending(Protocol):
    """A look that was started."""

    def wait(self) -> Outputs:
        """What the network answers; DetectorFailed when it raised or hangs."""


class Engine(Protocol):
    """A runtime with one network loaded: OpenVINO, or ONNX Runtime where asked for."""

    @property
    def precision(self) -> Computed:
        """The number format it computes in."""

    def prepare(self, shape: tuple[int, int, int]) -> None:
        """Compile for (B, H, W), so that the first look at it costs no more than the others."""

    def start(self, pictures: Pictures) -> Pending:
        """Start a look at (B, H, W, 3)."""


@final
class Network:
    """One network of the manifest, loaded and ready to look.

    One thread owns it. `requests` looks may be under way at once; more raise DetectorFailed.
    """

    def __init__(self, entry: ModelEntry, engine: Engine) -> None:
        self._entry = entry
        self._engine = engine

    @staticmethod
    def open(
        entry: ModelEntry,
        path: Path,
        *,
        preprocess: Preprocess,
        outputs: Sequence[int] | None = None,
        shapes: Shapes = "fixed",
        precision: Precision = "auto",
        threads: int = 1,
        requests: int = 1,
        backend: Backend = "openvino",
    ) -> "Network":
        """Load the network at `path` after its hash was checked.

        Args:
            entry: what the manifest says of it.
            path: the ONNX file.
            preprocess: what it wants of a picture.
            outputs: indices of the outputs to compute, in the order they are answered; None for all.
            shapes: "fixed" compiles for each input shape (0.1 to 0.3 s each, the fastest looks): video.
                "any" compiles once, and a new shape costs 10 to 90 ms: folders of pictures.
            precision: "auto" computes in bf16 where the CPU can, else in f32.
            threads: native threads for all looks together.
            requests: looks that may be under way at once.
            backend: "onnxruntime" needs the extra `gpu`.

        Raises:
            ModelMissing: the file is not there.
            ModelCorrupt: it is not the file the manifest names, or the runtime does not take it.
            SettingsRefused: the backend is not installed, or two settings do not go together.
        """
        weights = verified_weights(entry, path)
        engine = OpenVinoEngine(
            entry, weights, preprocess, outputs, shapes=shapes, precision=precision, threads=threads, requests=requests
        )
        return Network(entry, engine)

    @property
    def describe(self) -> str:
        """`name@sha256[:12]`, for evidence and results."""
        return self._entry.describe

    @property
    def precision(self) -> Computed:
        """The number format it computes in."""
        return self._engine.precision

    def prepare(self, height_px: int, width_px: int, *, batch: int = 1) -> None:
        """Compile for this input size now, outside the time of the first look."""
        self._engine.prepare((batch, height_px, width_px))

    def infer(self, pictures: Pictures) -> Outputs:
        """Look at one (H, W, 3) or several (B, H, W, 3) RGB pictures.

        The answer holds one float32 array per output, always with the batch as its first axis, owned by the caller.
        A number that is not finite raises DetectorFailed: compared with a threshold it would read as "nothing there".
        """
        return self.start(pictures).wait()

    def start(self, pictures: Pictures) -> Pending:
        """Begin a look and return at once; `wait()` on what it gives answers like `infer`, and must be called."""
        if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[-1] != 3 or not pictures.size:
            raise DetectorFailed(
                f"{self.describe}: expected uint8 (H, W, 3) or (B, H, W, 3), got {pictures.dtype} {pictures.shape}"
            )
        batch = pictures if pictures.ndim == 4 else pictures[np.newaxis]
        return self._engine.start(np.ascontiguousarray(batch))


def verified_weights(entry: ModelEntry, path: Path) -> bytes:
    """The bytes of the file at `path`, whose sha256 is the entry's; ModelMissing or ModelCorrupt otherwise."""
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"{entry.name}: {path} can not be read; run: skyveil models pull {entry.name}") from error
    found = hashlib.sha256(weights).hexdigest()
    if found != entry.sha256:
        raise ModelCorrupt(
            f"{entry.name}: {path} has sha256 {found[:12]}, expected {entry.sha256[:12]}; "
            f"delete it and run: skyveil models pull {entry.name}"
        )
    return weights


def finite(describe: str, outputs: Outputs) -> Outputs:
    """`outputs` unchanged; DetectorFailed when a number in them is not finite (seen through their sums)."""
    with np.errstate(over="ignore", invalid="ignore"):
        for output in outputs:
            if not np.isfinite(output.sum(dtype=np.float64)):
                raise DetectorFailed(f"{describe}: the network answered with numbers that are not finite")
    return outputs


@contextmanager
def _translated(into: type[SkyveilError], what: str) -> Iterator[None]:
    """Raise what a runtime raises (RuntimeError from C++, TypeError and ValueError from its binding) as `into`."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as error:
        raise into(f"{what}: {str(error).strip().splitlines()[-1] if str(error).strip() else error!r}") from error


# ---- OpenVINO: the surface we use, as it ships no types --------------------------------------------------------------

_SHAPES_KEPT: Final = 4
"""Compiled shapes kept by one network: a compiled CenterFace holds some 20 MB."""


class _Tensor(Protocol):
    @property
    def data(self) -> NDArray[np.float32]: ...


class _Request(Protocol):
    def start_async(self, inputs: list[Pictures]) -> None: ...
    def wait_for(self, timeout: int) -> bool: ...
    def wait(self) -> None: ...
    @property
    def output_tensors(self) -> Sequence[_Tensor]: ...


class _Compiled(Protocol):
    def create_infer_request(self) -> _Request: ...


class _Model(Protocol):
    def reshape(self, shape: list[int]) -> None: ...


class _Loaded(Protocol):
    @property
    def outputs(self) -> Sequence[object]: ...
    def output(self, index: int) -> object: ...
    def get_parameters(self) -> Sequence[object]: ...


class _Core(Protocol):
    def read_model(self, weights: bytes) -> _Loaded: ...
    def get_property(self, device: str, name: str) -> Sequence[str]: ...
    def compile_model(self, model: _Model, device: str, config: dict[str, str | int]) -> _Compiled: ...


@final
class _NoConverter(MetaPathFinder):
    """Hides OpenVINO's model converter while OpenVINO is imported.

    `import openvino` imports `openvino.tools.ovc` where it is there, and importing that sends a usage event to a
    web service (openvino/tools/ovc/__init__.py, 2026.4). Without it OpenVINO is complete for us, sends nothing,
    and is there after 0.05 s CPU in place of 0.15 s.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Refuse the converter and its telemetry; leave every other name to the finders that follow."""
        if fullname == "openvino.tools.ovc" or fullname.split(".")[0] == "openvino_telemetry":
            raise ModuleNotFoundError(f"{fullname} is not loaded: it would send usage data", name=fullname)


@contextmanager
def _without_converter() -> Iterator[None]:
    finder = _NoConverter()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@final
class _OpenVinoLook:
    """One started request, which goes back to the idle ones when its answer was taken."""

    def __init__(self, describe: str, batch: int, request: _Request, idle: list[_Request]) -> None:
        self._describe = describe
        self._batch = batch
        self._request = request
        self._idle = idle
        self._waited = False

    def wait(self) -> Outputs:
        """Copies of the outputs: the request writes its next answer into the same memory."""
        if self._waited:
            raise DetectorFailed(f"{self._describe}: this look was answered already")
        self._waited = True
        outputs = self._answer()
        if any(len(output) != self._batch for output in outputs):
            raise DetectorFailed(f"{self._describe} does not take {self._batch} pictures at once: give it one by one")
        return finite(self._describe, outputs)

    def _answer(self) -> Outputs:
        ended = True
        try:
            with _translated(DetectorFailed, self._describe):
                ended = self._request.wait_for(int(LONGEST_LOOK_S * 1000))
                if not ended:
                    raise DetectorFailed(f"{self._describe}: no answer within {LONGEST_LOOK_S:.0f} s")
                self._request.wait()  # raises what the look raised
                return tuple(np.array(tensor.data, np.float32) for tensor in self._request.output_tensors)
        finally:
            if ended:  # one that hangs is never used again
                self._idle.append(self._request)


@final
class OpenVinoEngine:
    """A network in OpenVINO on the CPU, with the preprocessing compiled into its graph."""

    def __init__(
        self,
        entry: ModelEntry,
        weights: bytes,
        preprocess: Preprocess,
        outputs: Sequence[int] | None,
        *,
        shapes: Shapes,
        precision: Precision,
        threads: int,
        requests: int,
    ) -> None:
        with _without_converter():
            import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed

        self._describe = entry.describe
        self._shapes = shapes
        self._requests = requests
        self._idle: OrderedDict[tuple[int, int, int], list[_Request]] = OrderedDict()
        with _translated(ModelCorrupt, f"{self._describe} does not load"):
            self._core: _Core = openvino.Core()
            self._model: _Model = _with_preprocessing(openvino, self._core, weights, preprocess, outputs)
        self._precision: Computed = "f32"
        if precision == "auto" and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            self._precision = "bf16"
        self._config: dict[str, str | int] = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": requests,
        }

    @property
    def precision(self) -> Computed:
        """bf16 where asked for by "auto" and the CPU computes in it."""
        return self._precision

    def prepare(self, shape: tuple[int, int, int]) -> None:
        """Compile for (B, H, W) unless that was done; "any" compiles once for all."""
        self._requests_for(shape)

    def start(self, pictures: Pictures) -> Pending:
        """Start a look at (B, H, W, 3)."""
        batch, height_px, width_px, _ = pictures.shape
        idle = self._requests_for((batch, height_px, width_px))
        if not idle:
            raise DetectorFailed(f"{self._describe}: more than {self._requests} looks at once; wait for one first")
        with _translated(DetectorFailed, f"{self._describe} on {width_px}x{height_px}"):
            idle[-1].start_async([pictures])
        return _OpenVinoLook(self._describe, batch, idle.pop(), idle)

    def _requests_for(self, shape: tuple[int, int, int]) -> list[_Request]:
        key = shape if self._shapes == "fixed" else (-1, -1, -1)
        if key not in self._idle:
            self._idle[key] = self._compile(key)
            if len(self._idle) > _SHAPES_KEPT:
                self._idle.popitem(last=False)
        self._idle.move_to_end(key)
        return self._idle[key]

    def _compile(self, key: tuple[int, int, int]) -> list[_Request]:
        with _translated(DetectorFailed, f"{self._describe} does not take {key[2]}x{key[1]} pixels"):
            self._model.reshape([*key, 3])
            compiled = self._core.compile_model(self._model, "CPU", self._config)
            return [compiled.create_infer_request() for _ in range(self._requests)]


def _with_preprocessing(
    openvino: ModuleType, core: _Core, weights: bytes, preprocess: Preprocess, outputs: Sequence[int] | None
) -> _Model:
    """The model, taking u8 NHWC RGB and answering f32."""
    model = core.read_model(weights)
    if outputs is not None:
        model = openvino.Model([model.output(index) for index in outputs], model.get_parameters(), "kept")
    colours = openvino.preprocess.ColorFormat
    steps = openvino.preprocess.PrePostProcessor(model)
    taken = steps.input()
    taken.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC")).set_color_format(colours.RGB)
    taken.model().set_layout(openvino.Layout("NCHW"))
    taken.preprocess().convert_element_type(openvino.Type.f32)
    if preprocess.wants == "bgr":
        taken.preprocess().convert_color(colours.BGR)
    if any(preprocess.mean):
        taken.preprocess().mean(list(preprocess.mean))
    if any(scale != 1 for scale in preprocess.scale):
        taken.preprocess().scale(list(preprocess.scale))
    for index in range(len(model.outputs)):
        steps.output(index).tensor().set_element_type(openvino.Type.f32)
    prepared: _Model = steps.build()
    return prepared
