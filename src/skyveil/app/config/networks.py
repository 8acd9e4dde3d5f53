"""Density networks of the operator in `skyveil.yaml`: what they are, and which camera uses which. App."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias, final

from pydantic import Field

from skyveil.app.config.words import STRICT, Id
from skyveil.core.density import Channels, Scaling

Side: TypeAlias = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]


@final
@dataclass(frozen=True, slots=True)
class DensityNetwork:
    """A density-map network of your own, for crowds in which people hide each other; no such network comes along."""

    __pydantic_config__: ClassVar = STRICT
    id: Annotated[Id, Field(description="short name, by which cameras choose it")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}\.onnx$", description="its name in a folder of models")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="of the file; another file is never loaded")]
    size: Annotated[
        tuple[Side, Side],
        Field(description="width and height that pictures are made to for it, pixels, multiples of 8"),
    ]
    channels: Annotated[Channels, Field(description="the order that it was trained with")] = "rgb"
    scaling: Annotated[
        Scaling, Field(description="what it sees: `none` 0 to 255, `unit` 0 to 1, `centred` -1 to 1, or `imagenet`")
    ] = "imagenet"
    persons: Annotated[
        float, Field(gt=0, le=1000, description="people that a sum of 1 in its map stands for; 0.01 for maps times 100")
    ] = 1.0


@final
@dataclass(frozen=True, slots=True)
class DensityUse:
    """The density network of a camera, and how wrong it is there."""

    __pydantic_config__: ClassVar = STRICT
    network: Annotated[Id, Field(description="the `id` of one of `density_networks`")]
    error: Annotated[
        float, Field(ge=0.01, le=1, description="standard error of its counts as a share, on this camera's own scenes")
    ]
