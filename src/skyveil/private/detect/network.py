"""One verified network: pictures in, arrays of numbers out. Private side.

Weights are read as bytes, hashed, and only then given to a runtime; nothing here opens a pickle, writes or connects.
"""

import hashlib
from pathlib import Path
from typing import Literal, TypeAlias, final

import numpy as np

from skyveil.core.errors import DetectorFailed, ModelCorrupt, ModelMissing
from skyveil.core.manifest import ModelEntry
from skyveil.core.settings import Precision
from skyveil.private.detect.engine import Computed, Engine, Outputs, Pending, Pictures, Preprocess, Shapes
from skyveil.private.detect.engine_openvino import OpenVinoEngine

__all__ = ["Backend", "Network", "Outputs", "Pending", "Pictures", "Preprocess", "Shapes", "verified_weights"]

Backend: TypeAlias = Literal["openvino", "onnxruntime", "tensorrt"]


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
        outputs: tuple[int, ...] | None = None,
        shapes: Shapes = "fixed",
        precision: Precision = "auto",
        threads: int = 1,
        requests: int = 1,
        compiled: Path | None = None,
        backend: Backend = "openvino",
        ranges: str | None = None,
    ) -> "Network":
        """Load the network at `path` after its hash was checked.

        Args:
            entry: what the manifest says of it.
            path: the ONNX file.
            preprocess: what it wants of a picture.
            outputs: indices of the outputs to compute, in the order they are answered; None for all.
            shapes: "fixed" compiles for each input shape (0.15 to 0.3 s each, the fastest looks): video.
                "any" takes shapes that were compiled ahead as they are, and compiles once for all others; a new one of
                those then costs 5 to 90 ms, and each look a fifth more, of small pictures a third: pictures.
            precision: "auto" computes in bf16 where the CPU can, else in i8 where it can and `ranges` are there; else,
                and with "f32", in f32.
            threads: native threads for all looks together.
            requests: looks that may be under way at once.
            compiled: a folder of compiled networks to load from (`skyveil models pull` fills it).
            ranges: a file of `eight_bits.Ranges` for this network; OpenVINO and "fixed" shapes only.
            backend: "onnxruntime" takes CUDA where it is, else the CPU; it and "tensorrt" need the extra `gpu`.

        Raises:
            ModelMissing: the file is not there.
            ModelCorrupt: it is not the file the manifest names, or the runtime does not take it.
            SettingsRefused: the backend is not installed.
        """
        weights = verified_weights(entry, path)
        if backend == "openvino":
            engine: Engine = OpenVinoEngine(
                entry,
                weights,
                preprocess,
                outputs,
                shapes=shapes,
                precision=precision,
                threads=threads,
                requests=requests,
                compiled=compiled,
                ranges=ranges,
            )
        else:
            from skyveil.private.detect.engine_onnxruntime import OnnxRuntimeEngine

            engine = OnnxRuntimeEngine(entry, weights, preprocess, outputs, provider=backend, threads=threads)
        return Network(entry, engine)

    @property
    def describe(self) -> str:
        """`name@sha256[:12]`, for evidence and results."""
        return self._entry.describe

    @property
    def precision(self) -> Computed:
        """The number format it computes in."""
        return self._engine.precision

    @property
    def device(self) -> str:
        """Where it computes: CPU, CUDA or Tensorrt."""
        return self._engine.device

    def prepare(self, height_px: int, width_px: int, *, batch: int = 1) -> None:
        """Compile for this input size now, outside the time of the first look."""
        self._engine.prepare((batch, height_px, width_px))

    def infer(self, pictures: Pictures) -> Outputs:
        """Look at one (H, W, 3) or several (B, H, W, 3) RGB pictures.

        The answer holds one float32 array per output, always with the batch as its first axis, owned by the caller.
        DetectorFailed when the network does not take that size, raises, hangs, or answers with NaN or infinity.
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
