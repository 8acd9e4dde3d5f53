"""Film a crowd through a pinhole camera: generated figures on a tiled floor, each where the truth says."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from examples.make_scene import FIGURE_HEIGHT_PX, Canvas, Look, Picture, walking
from examples.simulated.pinhole import Pinhole
from examples.simulated.places import Segment
from examples.simulated.trajectories import Metres, Trajectories

PHASES = 8
STEP_M = 1.4
"""Length of one cycle of two steps."""
SHEET_FEET_PX, SHEET_HALF_PX = 490.0, 140.0
"""Row of the soles and column of the middle in a figure of `make_scene.walking`."""
LOOKS = tuple(
    Look(coat, trousers, skin, hair)
    for coat, trousers in (
        ((92, 104, 72), (58, 58, 66)), ((170, 60, 60), (44, 48, 60)), ((60, 84, 130), (70, 66, 60)),
        ((206, 176, 92), (52, 54, 70)), ((66, 70, 80), (92, 84, 72)), ((120, 80, 128), (40, 42, 52)),
    )
    for skin, hair in (((236, 200, 176), (176, 132, 78)), ((150, 104, 76), (30, 26, 26)), ((98, 66, 50), (30, 26, 26)))
)  # fmt: skip


class Film:
    """Draws one frame after another; the figures are drawn once and kept in falling sizes."""

    def __init__(self, camera: Pinhole, walls: tuple[Segment, ...] = (), *, seed: int = 3) -> None:
        self.camera = camera
        self._random = np.random.default_rng(seed)
        self._ground = _ground(camera, walls)
        self._noise = self._random.normal(0, 1.2, (4, camera.height, camera.width, 1)).astype(np.float32)
        self._sheets: dict[tuple[int, int, int], Canvas] = {}

    def frame(
        self, xy: Metres, height_m: Metres, person: NDArray[np.int64], walked_m: Metres, heading: Metres
    ) -> Picture:
        """One picture, RGB (H, W, 3), of people at places (N, 2) with heights, dress and way walked (N,).

        `heading` (N, 2) is where each one goes; the farthest are drawn first.
        """
        canvas = self._ground.copy()
        feet = self.camera.pixels(xy, np.zeros(len(xy)))
        heads = self.camera.pixels(xy, height_m)
        ahead = self.camera.axes[0, :2]
        for row in np.argsort(-feet[:, 2]):
            if feet[row, 2] > 0.3 and heads[row, 2] > 0.3:
                phase = int(walked_m[row] / STEP_M * PHASES) % PHASES
                mirrored = float(heading[row] @ ahead) < 0
                px_per_m = self.camera.focal_px / ((feet[row, 2] + heads[row, 2]) / 2)
                self._put(canvas, int(person[row]), phase, feet[row, :2], heads[row, :2], px_per_m, mirrored=mirrored)
        canvas += self._noise[self._random.integers(len(self._noise))]
        return np.clip(canvas, 0, 255).astype(np.uint8)

    def _put(
        self, canvas: Canvas, person: int, phase: int, feet: Metres, head: Metres, px_per_m: float, *, mirrored: bool
    ) -> None:
        """Stand a figure on its feet so that its crown is at `head`; foreshortened as the camera sees it."""
        up = (head - feet) / FIGURE_HEIGHT_PX
        length = max(float(np.linalg.norm(up)), 1e-6)
        across = px_per_m * 1.7 / FIGURE_HEIGHT_PX
        size = int(np.clip(np.floor(-np.log2(max(length, across, 1e-3))), 0, 4))
        sheet, shrunk = self._sheet(person % len(LOOKS), phase, size), 0.5**size
        right = np.array([-up[1], up[0]]) / length * across * (-1 if mirrored else 1)
        columns = np.column_stack([right, -up]) / shrunk
        origin = feet - columns @ (np.array([SHEET_HALF_PX, SHEET_FEET_PX]) * shrunk)
        height, width = sheet.shape[:2]
        corners = (columns @ np.array([[0, width, width, 0], [0, 0, height, height]])).T + origin
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, [canvas.shape[1], canvas.shape[0]])
        if (high <= low).any():
            return
        matrix = np.column_stack([columns, origin - low])
        placed = cv2.warpAffine(sheet, matrix, (int(high[0] - low[0]), int(high[1] - low[1])), flags=cv2.INTER_LINEAR)
        part = canvas[low[1] : high[1], low[0] : high[0]]
        part += (placed[..., :3] - part) * (placed[..., 3:] / 255)

    def _sheet(self, look: int, phase: int, size: int) -> Canvas:
        """A figure at half its size `size` times over, RGBA float32."""
        key = (look, phase, size)
        if key not in self._sheets:
            if size == 0:
                self._sheets[key] = walking(LOOKS[look], phase / PHASES, head=None)
            else:
                larger = self._sheet(look, phase, size - 1)
                half = (larger.shape[1] // 2, larger.shape[0] // 2)
                self._sheets[key] = np.asarray(cv2.resize(larger, half, interpolation=cv2.INTER_AREA), np.float32)
        return self._sheets[key]


def _ground(camera: Pinhole, walls: tuple[Segment, ...]) -> Canvas:
    """The empty place: tiles of a metre, walls as bands on the floor, and a plain wall above the horizon."""
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    uv = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1).astype(np.float64)
    xy = camera.floor(uv)
    tiles = (np.floor(xy[:, 0]) + np.floor(xy[:, 1])) % 2
    far = np.linalg.norm(np.nan_to_num(xy, nan=1e3) - camera.at_m, axis=1) > 60
    shade = np.where(np.isnan(xy[:, 0]) | far, 196.0, 150 + 12 * tiles)
    tinted = shade[:, None] * np.array([1.0, 0.98, 0.94])
    canvas: Canvas = tinted.reshape(camera.height, camera.width, 3).astype(np.float32)
    for start, end in walls:
        steps = np.linspace(np.array(start), np.array(end), 65)
        band = camera.pixels(steps, np.zeros(65))
        drawn = band[band[:, 2] > 0.3, :2]
        cv2.polylines(canvas, [np.round(drawn).astype(np.int32)], isClosed=False, color=(96, 84, 72), thickness=4)
    return canvas


def pictures(trajectories: Trajectories, film: Film) -> Iterator[Picture]:
    """Every frame of a crowd's walk."""
    walked: dict[int, float] = {}
    last: dict[int, Metres] = {}
    for rows in trajectories.each_frame():
        people, xy = trajectories.person[rows], trajectories.xy[rows]
        heading = np.array([xy[i] - last.get(int(one), xy[i]) for i, one in enumerate(people)]).reshape(-1, 2)
        for i, one in enumerate(people):
            walked[int(one)] = walked.get(int(one), float(one) * 0.37) + float(np.linalg.norm(heading[i]))
        last = {int(one): xy[i] for i, one in enumerate(people)}
        way = np.array([walked[int(one)] for one in people])
        yield film.frame(xy, trajectories.height_m[rows], people, way, heading)


def write_video(trajectories: Trajectories, film: Film, path: Path) -> None:
    """Encode the walk as H.264, with a key picture every second as cameras send them."""
    rate = Fraction(trajectories.rate_fps).limit_denominator(1000)
    options = {"preset": "veryfast", "crf": "23"}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate, options=options)
        stream.width, stream.height, stream.pix_fmt = film.camera.width, film.camera.height, "yuv420p"
        stream.gop_size = max(1, round(trajectories.rate_fps))
        for picture in pictures(trajectories, film):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def write_camera(camera: Pinhole, path: Path) -> None:
    """The camera's own truth: its place, its lens, and the homographies of the floor and of the mean head's height."""
    told = {
        "at_m": camera.at_m,
        "height_m": camera.height_m,
        "tilt_deg": camera.tilt_deg,
        "heading_deg": camera.heading_deg,
        "focal_px": camera.focal_px,
        "width": camera.width,
        "height": camera.height,
        "floor_to_pixels": camera.plane(0.0).tolist(),
        "heads_to_pixels": camera.plane(1.7).tolist(),
    }
    path.write_text(json.dumps(told, indent=2) + "\n")
