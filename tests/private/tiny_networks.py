"""ONNX networks of one step, written byte by byte: small enough to know every answer."""

import hashlib
from pathlib import Path

from skyveil.core.kinds import Kind
from skyveil.core.manifest import ModelEntry


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def _nested(field: int, content: bytes) -> bytes:
    assert len(content) < 1 << 14
    return bytes([field << 3 | 2, len(content) & 0x7F | 0x80, len(content) >> 7]) + content


def _text(field: int, text: str) -> bytes:
    return _nested(field, text.encode())


def _tensor(name: str) -> bytes:
    axes = b"".join(_nested(1, axis) for axis in (_text(2, "b"), _number(1, 3), _text(2, "h"), _text(2, "w")))
    return _text(1, name) + _nested(2, _nested(1, _number(1, 1) + _nested(2, axes)))


def one_step(operator: str) -> bytes:
    """A network that answers `operator(x)` for x of (B, 3, H, W)."""
    node = _text(1, "x") + _text(2, "y") + _text(4, operator)
    graph = _nested(1, node) + _text(2, "tiny") + _nested(11, _tensor("x")) + _nested(12, _tensor("y"))
    return _number(1, 8) + _nested(7, graph) + _nested(8, _text(1, "") + _number(2, 13))


def written(folder: Path, weights: bytes) -> tuple[ModelEntry, Path]:
    """The file of these weights, and an entry that names it."""
    path = folder / "tiny.onnx"
    path.write_bytes(weights)
    sha256 = hashlib.sha256(weights).hexdigest()
    kinds = frozenset({Kind.FACE})
    return ModelEntry("tiny", path.name, "tests", kinds, sha256, len(weights), "MIT", required=False, sources=()), path
