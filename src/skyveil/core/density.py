"""A density-map network of the operator: what it is and how it is fed. Core: data only.

It answers one picture with one map of how many heads each part shows. Nothing is built in; see docs/adr for why, and
docs/guide/density-network.md for how to bring one.
"""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, final

from skyveil.core.manifest import ModelEntry

Channels: TypeAlias = Literal["rgb", "bgr"]
Scaling: TypeAlias = Literal["none", "unit", "centred", "imagenet"]
Colour: TypeAlias = tuple[float, float, float]

SCALINGS: Final = MappingProxyType[Scaling, tuple[Colour, Colour]](
    {
        "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
        "centred": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    }
)
"""Mean and scale of red, green and blue by name: the network sees (x - mean) / scale of x in 0..255, which is 0..255,
0..1, -1..1, or what networks trained on ImageNet see."""


@final
@dataclass(frozen=True, slots=True)
class DensityNetwork:
    """One network.

    file, sha256: an ONNX file in a folder of models. size_wh: every picture is made this large for it, pixels.
    persons: how many people a sum of 1 in its map stands for.
    """

    name: str
    file: str
    sha256: str
    size_wh: tuple[int, int]
    channels: Channels = "rgb"
    scaling: Scaling = "imagenet"
    persons: float = 1.0

    @property
    def entry(self) -> ModelEntry:
        """The network as every other one is named, hashed and compiled; SettingsRefused for a file that is no ONNX."""
        return ModelEntry(
            name=f"density-{self.name}",  # compiled files begin with it
            file=self.file,
            purpose="tells how many heads are where",
            kinds=frozenset(),
            sha256=self.sha256,
            size_bytes=0,
            licence="the operator's",
            required=False,
            sources=(),
        )


@final
@dataclass(frozen=True, slots=True)
class Density:
    """A network as one camera uses it.

    error: standard error of its counts as a share, as the operator measured it on this camera's own scenes.
    path: where the file lies, None when it is not on this machine.
    """

    network: DensityNetwork
    error: float
    path: Path | None
