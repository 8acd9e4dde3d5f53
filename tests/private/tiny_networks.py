"""ONNX networks of a few steps, written byte by byte: small enough to know every answer."""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from skyveil.core.kinds import Kind
from skyveil.core.manifest import ModelEntry

Side: TypeAlias = str | int
PICTURES: tuple[Side, ...] = ("b", 3, "h", "w")


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _nested(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _nested(field, text.encode())


def _tensor(name: str, shape: Sequence[Side] = PICTURES) -> bytes:
    axes = b"".join(_nested(1, _text(2, axis) if isinstance(axis, str) else _number(1, axis)) for axis in shape)
    return _text(1, name) + _nested(2, _nested(1, _number(1, 1) + _nested(2, axes)))


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    return _text(1, name) + b"".join(_number(8, one) for one in value) + _number(20, 7)


def step(operator: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    """One step of a network: `output` is `operator` of `inputs`."""
    names = b"".join(_text(1, name) for name in inputs)
    told = b"".join(_nested(5, _attribute(name, value)) for name, value in attributes.items())
    return names + _text(2, output) + _text(4, operator) + told


def constant(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    """Numbers that a step takes."""
    sides = b"".join(_number(1, side) for side in shape)
    return sides + _number(2, 1) + _text(8, name) + _nested(9, struct.pack(f"<{len(values)}f", *values))


def axis(name: str, value: int) -> bytes:
    """The number of an axis, as steps take it."""
    return _number(1, 1) + _number(2, 7) + _text(8, name) + _nested(9, value.to_bytes(8, "little"))


def network(
    steps: Sequence[bytes],
    constants: Sequence[bytes] = (),
    *,
    inputs: Sequence[bytes] = (_tensor("x"),),
    outputs: Sequence[str] = ("y",),
) -> bytes:
    """A network that answers `outputs` for x of (B, 3, H, W)."""
    graph = b"".join(_nested(1, one) for one in steps) + _text(2, "tiny")
    graph += b"".join(_nested(5, one) for one in constants) + b"".join(_nested(11, one) for one in inputs)
    graph += b"".join(_nested(12, _text(1, name) + _nested(2, _nested(1, _number(1, 1)))) for name in outputs)
    return _number(1, 8) + _nested(7, graph) + _nested(8, _text(1, "") + _number(2, 13))


def one_step(operator: str) -> bytes:
    """A network that answers `operator(x)` for x of (B, 3, H, W)."""
    return network([step(operator, ["x"], "y")])


def bright_spots(*, cell_px: int = 8, persons: float = 1.0, last: str = "Relu") -> bytes:
    """A density network for white spots on black: each pixel whose channels sum to 1.5 and more is 1/16 of a person.

    What it sees goes from 0 to 1. A spot of 4x4 white pixels is one person, times `persons`.
    """
    side = [cell_px, cell_px]
    return network(
        [
            step("Conv", ["x", "sums"], "grey", kernel_shape=[1, 1]),
            step("Sub", ["grey", "half"], "over"),
            step("Relu", ["over"], "lit"),
            step("Conv", ["lit", "box"], "cells", kernel_shape=side, strides=side),
            step(last, ["cells"], "y"),
        ],
        [
            constant("sums", (1, 3, 1, 1), (1.0, 1.0, 1.0)),
            constant("half", (1,), (1.5,)),
            constant("box", (1, 1, cell_px, cell_px), [persons / 16 / 1.5] * cell_px**2),
        ],
    )


def written(folder: Path, weights: bytes) -> tuple[ModelEntry, Path]:
    """The file of these weights, and an entry that names it."""
    path = folder / "tiny.onnx"
    path.write_bytes(weights)
    sha256 = hashlib.sha256(weights).hexdigest()
    kinds = frozenset({Kind.FACE})
    return ModelEntry("tiny", path.name, "tests", kinds, sha256, len(weights), "MIT", required=False, sources=()), path
