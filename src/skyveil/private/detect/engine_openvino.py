"""A network in OpenVINO on the CPU. Private side; with `engine_onnxruntime` the only module that touches a runtime.

Colour order, mean and scale are steps of the compiled graph: a picture goes in as it is, uint8, rows first.
"""

import hashlib
import json
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.abc import MetaPathFinder
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import DetectorFailed, ModelCorrupt
from skyveil.core.manifest import ModelEntry
from skyveil.core.settings import Precision
from skyveil.private.detect.classes import keep_class
from skyveil.private.detect.eight_bits import Ranges, multiplies_eight_bits, to_eight_bits
from skyveil.private.detect.engine import (
    ANY_SHAPE,
    Computed,
    Outputs,
    Pending,
    Pictures,
    Preprocess,
    Shape,
    Shapes,
    checked,
    translated,
)
from skyveil.private.detect.focus import fold_focus
from skyveil.private.detect.graph import Graph
from skyveil.private.detect.kernels import preferred_kernels, written_with
from skyveil.private.detect.yolox import PERSON

LONGEST_LOOK_S: Final = 120.0
"""A look at an 8K picture takes under 10 s on one core; one that takes this long hangs. Where one look at a time is
asked for it computes in the caller's thread, and who watches the process sees it hang (`app.process.SILENT_S`)."""

_SHAPES_KEPT: Final = 5
"""Compiled shapes kept by one network: a compiled CenterFace holds some 20 MB."""

_SHAPES_KEPT_OF_ANY: Final = 10
"""The same where any shape may come: those that were compiled ahead, while a folder shows few, and the one for any."""

_PRIMITIVES_KEPT: Final = 300
"""Compiled steps kept for shapes seen before, when any shape may come. OpenVINO's default of 5000 grew to 616 MB
after 100 shapes of CenterFace; 300 stays at 375 MB (most of it the largest picture) at the same speed."""

_GRAPH_VERSION: Final = 3
"""Raise it whenever `_with_preprocessing` changes what it adds to a network, so that no older compiled form is used."""

_RAISED: Final = (RuntimeError, TypeError, ValueError)
"""What OpenVINO raises: RuntimeError from C++, the others from its Python binding."""


# What we use of OpenVINO, which ships no py.typed.
class _Tensor(Protocol):
    @property
    def data(self) -> NDArray[np.float32]: ...


class _Request(Protocol):
    def infer(self, inputs: list[Pictures], share_inputs: bool, share_outputs: bool) -> object: ...
    def start_async(self, inputs: list[Pictures]) -> None: ...
    def wait_for(self, timeout: int) -> bool: ...
    def wait(self) -> None: ...
    @property
    def output_tensors(self) -> Sequence[_Tensor]: ...


class _Compiled(Protocol):
    def create_infer_request(self) -> _Request: ...
    def export_model(self) -> BytesIO: ...


class _Model(Graph, Protocol):
    def reshape(self, shape: list[int]) -> None: ...


class _Loaded(_Model, Protocol):
    @property
    def outputs(self) -> Sequence[object]: ...
    def output(self, index: int) -> object: ...
    def get_parameters(self) -> Sequence[object]: ...


class _Core(Protocol):
    def read_model(self, model: bytes, weights: bytes = b"") -> _Loaded: ...
    def get_property(self, device: str, name: str) -> str | Sequence[str]: ...
    def compile_model(self, model: _Model, device: str, config: dict[str, str | int]) -> _Compiled: ...
    def import_model(self, blob: bytes, device: str, config: dict[str, str | int]) -> _Compiled: ...


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
class OpenVinoEngine:
    """One network in OpenVINO.

    Parsing and compiling wait for the first shape that is not in the folder of compiled networks.
    """

    device: Final = "CPU"

    def __init__(
        self,
        entry: ModelEntry,
        weights: bytes,
        preprocess: Preprocess,
        outputs: tuple[int, ...] | None,
        *,
        shapes: Shapes,
        precision: Precision,
        threads: int = 1,
        requests: int = 1,
        compiled: Path | None = None,
        ranges: str | None = None,
    ) -> None:
        with _without_converter():
            import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed

        self._openvino: ModuleType = openvino
        self._core: _Core = openvino.Core()
        self._entry = entry
        self._weights = weights
        self._preprocess = preprocess
        self._outputs = outputs
        self._shapes = shapes
        self._requests = requests
        self._compiled = compiled
        self._model: _Model | None = None
        self._idle: OrderedDict[Shape, list[_Request]] = OrderedDict()
        self._served: dict[Shape, Shape] = {}
        can = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Networks of any shape show pictures: in 8 bits as few faces leaked, and 5.1 % was covered in vain, not 4.9 %.
        rounds = ranges is not None and shapes == "fixed" and multiplies_eight_bits()
        self._precision = _computed(precision, "BF16" in can, rounds)
        self._kernels = preferred_kernels() if self._precision == "f32" else None
        self._ranges = Ranges.read(ranges) if ranges is not None and self._precision == "i8" else None
        self._config: dict[str, str | int] = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": requests,
            # OpenVINO binds the looking thread to the machine's first core, and so do all processes: the workers of a
            # folder, and the cameras of a site, shared that core while the others were idle.
            "ENABLE_CPU_PINNING": "NO",
        }
        if shapes == "any":
            self._config["CPU_RUNTIME_CACHE_CAPACITY"] = _PRIMITIVES_KEPT

    @property
    def precision(self) -> Computed:
        """With "auto" bf16 where the CPU computes in it, else i8 where it can and the network has ranges for it."""
        return self._precision

    def prepare(self, shape: Shape) -> None:
        """Compile for (B, H, W) unless that was done; "any" compiles once for all that is not compiled ahead."""
        self._requests_for(shape)

    def start(self, pictures: Pictures) -> Pending:
        """Start a look at (B, H, W, 3)."""
        batch, height_px, width_px, _ = pictures.shape
        idle = self._requests_for((batch, height_px, width_px))
        if not idle:
            raise DetectorFailed(f"{self._entry.describe}: {self._requests} looks are under way; wait for one first")
        what = f"{self._entry.describe} on {width_px}x{height_px}"
        if self._requests == 1:
            return _LookWaitedFor(what, pictures, idle.pop(), idle)
        with translated(_RAISED, DetectorFailed, what):
            idle[-1].start_async([pictures])
        return _Look(self._entry.describe, batch, idle.pop(), idle)

    def export(self, shape: Shape, *, scratch: Path | None = None) -> bytes:
        """The compiled network as `verified_blob` reads it, for this CPU and this version of OpenVINO.

        With a folder `scratch` to write to it computes with the kernels of `preferred_kernels`.
        """
        with translated(_RAISED, DetectorFailed, f"{self._entry.describe} can not be exported"):
            model = self._shaped(shape)
            if self._kernels is not None and scratch is not None:
                model = self._core.read_model(*written_with(self._openvino, model, self._kernels, scratch=scratch))
            return sealed_blob(self._core.compile_model(model, "CPU", self._config).export_model().getvalue())

    def blob_name(self, shape: Shape) -> str:
        """The file name of the compiled network: it changes with everything that the compiled form depends on."""
        recipe = {
            "graph": _GRAPH_VERSION,
            "weights": self._entry.sha256,
            "openvino": str(self._openvino.get_version()),
            "cpu": self._core.get_property("CPU", "FULL_DEVICE_NAME"),
            "can": sorted(self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
            "precision": self._precision,
            "shape": shape,
            "outputs": self._outputs,
            "preprocess": asdict(self._preprocess),
            "ranges": self._ranges and self._ranges.digest,
            "kernels": self._kernels,
        }
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        return f"{self._entry.name}-{digest[:16]}.blob"

    def _key(self, shape: Shape) -> Shape:
        """What `shape` is served by: where any may come, only those that were compiled ahead have their own network."""
        if self._shapes == "fixed":
            return shape
        if shape not in self._served:
            self._served[shape] = shape if self._is_ahead(shape) else ANY_SHAPE
        return self._served[shape]

    def _is_ahead(self, shape: Shape) -> bool:
        """Whether `shape` is in the folder, and there is room for it: none makes way for another and comes back."""
        room = len(self._idle) < _SHAPES_KEPT_OF_ANY
        return room and self._compiled is not None and (self._compiled / self.blob_name(shape)).exists()

    def _requests_for(self, shape: Shape) -> list[_Request]:
        key = self._key(shape)
        if key not in self._idle:
            compiled = self._imported(key) or self._compile(key)
            self._idle[key] = [compiled.create_infer_request() for _ in range(self._requests)]
            if self._shapes == "fixed" and len(self._idle) > _SHAPES_KEPT:
                self._idle.popitem(last=False)
        self._idle.move_to_end(key)
        return self._idle[key]

    def _imported(self, key: Shape) -> _Compiled | None:
        """The compiled network from the folder where it is there; ModelCorrupt when it is not as it was written."""
        if self._compiled is None or not (self._compiled / self.blob_name(key)).exists():
            return None
        path = self._compiled / self.blob_name(key)
        blob = verified_blob(path)
        with translated(_RAISED, ModelCorrupt, f"{path} does not load; delete it"):
            return self._core.import_model(blob, "CPU", self._config)

    def _compile(self, key: Shape) -> _Compiled:
        model = self._shaped(key)
        with translated(_RAISED, DetectorFailed, f"{self._entry.describe} does not take {key[2]}x{key[1]} pixels"):
            return self._core.compile_model(model, "CPU", self._config)

    def _shaped(self, key: Shape) -> _Model:
        if self._model is None:
            with translated(_RAISED, ModelCorrupt, f"{self._entry.describe} does not load"):
                self._model = _with_preprocessing(
                    self._openvino, self._core.read_model(self._weights), self._preprocess, self._outputs
                )
                if self._ranges is not None:
                    to_eight_bits(self._openvino, self._model, self._ranges)
        with translated(_RAISED, DetectorFailed, f"{self._entry.describe} does not take {key[2]}x{key[1]} pixels"):
            self._model.reshape([*key, 3])
        return self._model


@final
class _Look:
    """One started request, which goes back to the idle ones when its answer was taken."""

    def __init__(self, describe: str, batch: int, request: _Request, idle: list[_Request]) -> None:
        self._describe = describe
        self._batch = batch
        self._request = request
        self._idle = idle
        self._answered = False

    def wait(self) -> Outputs:
        """Copies of the outputs: the request writes its next answer into the same memory."""
        if self._answered:
            raise DetectorFailed(f"{self._describe}: this look was answered before")
        self._answered = True
        return checked(self._describe, self._batch, self._answer())

    def _answer(self) -> Outputs:
        ended = True
        try:
            with translated(_RAISED, DetectorFailed, self._describe):
                ended = self._request.wait_for(int(LONGEST_LOOK_S * 1000))
                if not ended:
                    raise DetectorFailed(f"{self._describe}: no answer within {LONGEST_LOOK_S:.0f} s")
                self._request.wait()  # raises what the look raised
                return tuple(np.array(tensor.data, np.float32) for tensor in self._request.output_tensors)
        finally:
            if ended:  # one that hangs is never used again
                self._idle.append(self._request)


@final
class _LookWaitedFor:
    """The only look of a network: it computes when it is waited for, in the caller's thread.

    Handing it to OpenVINO's own thread and back cost 0.2 to 0.6 ms of CPU a look (YOLOX 416x320 6.0 against 5.4).
    """

    def __init__(self, what: str, pictures: Pictures, request: _Request, idle: list[_Request]) -> None:
        self._what = what
        self._pictures: Pictures | None = pictures
        self._request = request
        self._idle = idle

    def wait(self) -> Outputs:
        """Copies of the outputs: the request writes its next answer into the same memory."""
        pictures, self._pictures = self._pictures, None
        if pictures is None:
            raise DetectorFailed(f"{self._what}: this look was answered before")
        try:
            with translated(_RAISED, DetectorFailed, self._what):
                for tensor in self._request.output_tensors:
                    # OpenVINO 2026.4 loses what the network raises here, and leaves the answer to the look before.
                    tensor.data.fill(np.nan)
                self._request.infer([pictures], True, True)
                outputs = tuple(np.array(tensor.data, np.float32) for tensor in self._request.output_tensors)
        finally:
            self._idle.append(self._request)
        return checked(self._what, len(pictures), outputs)


def _computed(precision: Precision, has_bf16: bool, has_eight_bits: bool) -> Computed:
    if precision == "f32":
        return "f32"
    return "bf16" if has_bf16 else "i8" if has_eight_bits else "f32"


def sealed_blob(blob: bytes) -> bytes:
    """What is written for a compiled network: its sha256 (32 bytes), then the network."""
    return hashlib.sha256(blob).digest() + blob


def verified_blob(path: Path) -> bytes:
    """The compiled network in a file made of `sealed_blob`; ModelCorrupt when it is not as it was written.

    OpenVINO does not check this itself: a blob with flipped bytes loads, and answers wrongly.
    """
    try:
        with path.open("rb", buffering=0) as file:  # read into one place: each copy is 3 ms of CPU
            digest, blob = file.read(32), file.readall()
    except OSError as error:
        raise ModelCorrupt(f"{path} can not be read; run: skyveil models pull") from error
    if hashlib.sha256(blob).digest() != digest:
        raise ModelCorrupt(f"{path} is not as it was written; run: skyveil models pull")
    return blob


def is_whole(path: Path) -> bool:
    """Whether a compiled network is there and as it was written."""
    try:
        verified_blob(path)
    except ModelCorrupt:
        return False
    return True


def _with_preprocessing(
    openvino: ModuleType, loaded: _Loaded, preprocess: Preprocess, outputs: tuple[int, ...] | None
) -> _Model:
    """The model, taking u8 NHWC RGB and answering f32."""
    fold_focus(openvino, loaded)
    keep_class(openvino, loaded, PERSON)
    kept = [loaded.output(index) for index in (range(len(loaded.outputs)) if outputs is None else outputs)]
    steps = openvino.preprocess.PrePostProcessor(openvino.Model(kept, loaded.get_parameters(), "kept"))
    taken = steps.input()
    taken.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    taken.model().set_layout(openvino.Layout("NCHW"))
    planes = taken.preprocess().convert_element_type(openvino.Type.f32).convert_layout(openvino.Layout("NCHW"))
    if preprocess.wants == "bgr":
        planes.reverse_channels()  # of whole planes: 8 % less of a YOLOX look than convert_color on pixels
    if preprocess != Preprocess(preprocess.wants):
        planes.mean(list(preprocess.mean)).scale(list(preprocess.scale))
    for index in range(len(kept)):
        steps.output(index).tensor().set_element_type(openvino.Type.f32)
    prepared: _Model = steps.build()
    return prepared
