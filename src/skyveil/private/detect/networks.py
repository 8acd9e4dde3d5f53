"""How each network of the manifest is fed, and the sizes it is compiled for when it is pulled. Private side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import ModelMissing
from skyveil.core.manifest import CENTERFACE, COMPILED, PPOCR_DETECTOR, YOLOX_NANO, YUNET, ModelEntry
from skyveil.core.settings import Precision
from skyveil.private.detect.engine import ANY_SHAPE, Preprocess, Shape, Shapes
from skyveil.private.detect.engine_openvino import OpenVinoEngine, is_whole
from skyveil.private.detect.network import Backend, Network, verified_weights


@final
@dataclass(frozen=True, slots=True)
class Use:
    """One network as it is used.

    outputs: those that are computed; landmarks of faces are left out, nothing here has a use for them.
    sizes, still_sizes: (height, width) in pixels, compiled for when the weights are pulled; the latter for networks of
    any shape, which show pictures.
    ranges: a file beside this module that lets it compute in 8 bits; None where it must not.
    """

    entry: ModelEntry
    preprocess: Preprocess
    outputs: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...] = ()
    still_sizes: tuple[tuple[int, int], ...] = ()
    ranges: str | None = None

    def open(
        self,
        paths: Mapping[str, Path],
        *,
        shapes: Shapes = "fixed",
        precision: Precision = "auto",
        threads: int = 1,
        requests: int = 1,
        backend: Backend = "openvino",
    ) -> Network:
        """The network, from the path under its name; ModelMissing when there is none. See `Network.open`."""
        if self.entry.name not in paths:
            raise ModelMissing(f"{self.entry.name} is not on this machine; run: skyveil models pull {self.entry.name}")
        return Network.open(
            self.entry,
            paths[self.entry.name],
            preprocess=self.preprocess,
            outputs=self.outputs,
            shapes=shapes,
            precision=precision,
            threads=threads,
            requests=requests,
            compiled=paths.get(COMPILED),
            backend=backend,
            ranges=self.ranges,
        )

    def compiled(self, path: Path, *, present: Path, scratch: Path) -> Iterator[tuple[str, bytes | None]]:
        """For each of `sizes`, and for any size: the name and content of the compiled network's file.

        The content is None where the folder `present` holds that file already, as it was written. What is written to
        the folder `scratch` on the way is left there.
        """
        for engine, shape in self._ahead(path):
            name = engine.blob_name(shape)
            yield name, None if is_whole(present / name) else engine.export(shape, scratch=scratch)

    def compiled_names(self, path: Path) -> list[str]:
        """The files that `compiled` gives, by the same names; nothing is compiled. ModelMissing or ModelCorrupt."""
        return [engine.blob_name(shape) for engine, shape in self._ahead(path)]

    def _ahead(self, path: Path) -> Iterator[tuple[OpenVinoEngine, Shape]]:
        weights = verified_weights(self.entry, path)
        ahead: dict[Shapes, list[Shape]] = {
            "fixed": [(1, *size) for size in self.sizes],
            "any": [*((1, *size) for size in self.still_sizes), ANY_SHAPE],
        }
        for shapes, known in ahead.items():
            engine = OpenVinoEngine(
                self.entry,
                weights,
                self.preprocess,
                self.outputs,
                shapes=shapes,
                precision="auto",
                ranges=self.ranges,
            )
            for shape in known:
                yield engine, shape


FACES: Final = Use(
    CENTERFACE,
    Preprocess("rgb"),
    (0, 1, 2),
    ((384, 640), (320, 320), (320, 192), (192, 320), (192, 192)),
    (
        # A picture of up to 416 px and 16:9, 3:2 or 4:3, lying or upright, as `still_watch` shows it: finely, coarsely.
        *((384, 576), (448, 576), (576, 384), (576, 448)),
        *((192, 256), (256, 192), (256, 256)),
    ),
    "centerface_ranges.json",
)
"""Heat map (B, 1, H/4, W/4), log size (B, 2, ...) as height, width, offset (B, 2, ...) as y, x."""

PERSONS: Final = Use(
    YOLOX_NANO,
    Preprocess("bgr"),
    (0,),
    (
        (320, 416),
        (416, 320),
        (256, 416),
        (416, 416),
        (288, 480),
        (480, 640),
        (640, 480),
        (384, 640),
        (640, 640),
        (416, 736),
    ),
)
"""(1, cells, 85): centre, log size, objectness, 80 classes, for strides 8, 16, 32; of OpenVINO (1, cells, 6), see
`classes`. One picture at a time."""

TEXT: Final = Use(PPOCR_DETECTOR, Preprocess("bgr", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)), (0,))
"""Text probability (B, 1, H, W). Mean 0.5 and deviation 0.5 of the wheel's own config.yaml, on 0..255."""

FACES_SECOND: Final = Use(YUNET, Preprocess("bgr"), tuple(range(9)))
"""Class, objectness and box (B, cells, 1 | 1 | 4), each for strides 8, 16, 32."""

USES: Final = (FACES, PERSONS, TEXT, FACES_SECOND)
