"""Where tracks are in every frame, computed for all of them at once. Private side.

Between two finds a path is straight; before the first and after the last it goes on with the velocity of the finds
nearest to that end, and its box grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.geometry import BoxesXyxy, no_boxes


@final
@dataclass(frozen=True, slots=True)
class Finds:
    """The finds of T tracks, one track after the other, each track's in the order of time; every track has one or more.

    frames: (K,) int; boxes: (K, 4) xyxy float32; count: (T,) int, how many of the K belong to each track.
    begins, ends: (T,) int, the first and the last frame in which each is believed.
    """

    frames: NDArray[np.int64]
    boxes: BoxesXyxy
    count: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        """Where the finds of each track begin, (T,)."""
        return np.asarray(np.cumsum(self.count) - self.count, np.int64)


def finds_of(
    frames: Sequence[Sequence[int]], boxes: Sequence[Sequence[BoxesXyxy]], spans: Sequence[tuple[int, int]]
) -> Finds:
    """The finds of tracks that are given one by one."""
    return Finds(
        np.array([frame for track in frames for frame in track], np.int64),
        np.concatenate([no_boxes().reshape(-1), *(box for track in boxes for box in track)]).reshape(-1, 4),
        np.array([len(track) for track in frames], np.int64),
        *np.array(spans, np.int64).reshape(-1, 2).T,
    )


def paths(
    finds: Finds, frames: NDArray[np.int64], *, around: NDArray[np.int64], growth: float
) -> tuple[BoxesXyxy, NDArray[np.bool_]]:
    """Boxes of all tracks in `frames`, (T, F, 4), and in which of them each is there, (T, F).

    A box is the union over where the track is `around` frames (T,) earlier and later, and in the frame itself: a path
    is straight between two looks, so its ends and middle say where it was in the frames between. growth: share of the
    box's height by which each side grows per frame before the first and after the last find.
    """
    first = finds.first
    begins, ends = finds.begins[:, None], finds.ends[:, None]
    there = (frames >= begins) & (frames <= ends)
    shifts = around[:, None, None] * np.array([-1, 0, 1])[:, None]
    at = np.clip((frames + shifts).reshape(len(begins), -1), begins, ends)
    low, high = _corners(finds, first, at, growth)
    three = (len(begins), 3, len(frames), 2)
    union = [low.reshape(three).min(axis=1), high.reshape(three).max(axis=1)]
    return np.concatenate(union, axis=2).astype(np.float32), there


def _corners(
    finds: Finds, first: NDArray[np.int64], at: NDArray[np.int64], growth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both corners of each track's box at its own frames `at`, (T, A), as (T, A, 2)."""
    last = first + finds.count - 1
    boxes = finds.boxes.astype(np.float64)
    right = np.clip(_next_find(finds, at), np.minimum(first + 1, last)[:, None], last[:, None])
    left = np.maximum(right - 1, first[:, None])
    span = np.maximum(finds.frames[right] - finds.frames[left], 1)
    share = np.clip((at - finds.frames[left]) / span, 0, 1)[..., None]
    before = np.maximum(finds.frames[first][:, None] - at, 0)[..., None]
    after = np.maximum(at - finds.frames[last][:, None], 0)[..., None]
    two = np.minimum(2, finds.count - 1)
    moved = after * _velocity(finds, boxes, last - two, last)[:, None]
    moved -= before * _velocity(finds, boxes, first, first + two)[:, None]
    here = boxes[left] * (1 - share) + boxes[right] * share
    grow = (before + after) * growth * (here[..., 3:] - here[..., 1:2])
    return here[..., :2] + moved - grow, here[..., 2:] + moved + grow


def _next_find(finds: Finds, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each track and frame the first find of that track at that frame or later, as an index of all finds."""
    base = min(int(finds.frames.min()), int(at.min()))
    stride = max(int(finds.frames.max()), int(at.max())) - base + 1
    tracks = np.arange(len(finds.count))
    place = np.repeat(tracks * stride, finds.count) + (finds.frames - base)
    return np.asarray(np.searchsorted(place, tracks[:, None] * stride + (at - base)), np.int64)


def _velocity(
    finds: Finds, boxes: NDArray[np.float64], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Motion of the centre from find `one` to find `other` of each track, (T, 2) pixels a frame."""
    frames = np.maximum(finds.frames[other] - finds.frames[one], 1)
    twice = boxes[other, :2] + boxes[other, 2:] - boxes[one, :2] - boxes[one, 2:]
    return np.asarray(twice / (2 * frames)[:, None], np.float64)
