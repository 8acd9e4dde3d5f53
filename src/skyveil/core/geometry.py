"""Pixel geometry. Core.

A pixel is the half-open square `[x, x+1) x [y, y+1)`; x grows to the right, y downwards, the origin is the top
left corner of the displayed picture. A box is `xyxy = (x1, y1, x2, y2)` with `x1 < x2`, `y1 < y2`, half-open.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

BoxesXyxy: TypeAlias = NDArray[np.float32]
"""Shape (N, 4), pixels, half-open."""

Polygon: TypeAlias = NDArray[np.float32]
"""Shape (M, 2), M >= 3, corner points (x, y) in pixels."""


def no_boxes() -> BoxesXyxy:
    """An empty set of boxes, shape (0, 4)."""
    return np.zeros((0, 4), np.float32)


def area(xyxy: BoxesXyxy) -> NDArray[np.float32]:
    """Area of each box in square pixels, shape (N,)."""
    sides = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def intersection(a: BoxesXyxy, b: BoxesXyxy) -> NDArray[np.float32]:
    """Common area of every pair, shape (len(a), len(b)), square pixels."""
    width = np.minimum.outer(a[:, 2], b[:, 2]) - np.maximum.outer(a[:, 0], b[:, 0])
    height = np.minimum.outer(a[:, 3], b[:, 3]) - np.maximum.outer(a[:, 1], b[:, 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0), np.float32)


def iou(a: BoxesXyxy, b: BoxesXyxy) -> NDArray[np.float32]:
    """Intersection over union of every pair, shape (len(a), len(b)), 0 to 1."""
    common = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - common
    return np.asarray(common / np.maximum(union, 1e-9), np.float32)


def grown(xyxy: BoxesXyxy, share: float) -> BoxesXyxy:
    """Each box grown on every side by `share` of its own width and height."""
    pad = (xyxy[:, 2:] - xyxy[:, :2]) * np.float32(share)
    return np.concatenate([xyxy[:, :2] - pad, xyxy[:, 2:] + pad], axis=1)
