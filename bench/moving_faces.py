"""A video of labelled faces that move, made from labelled pictures, and the score of a redactor on it.

    python bench/moving_faces.py make FOLDER_WITH_LABELS_JSON OUT.mp4        also writes OUT.labels.json
    python bench/moving_faces.py score OUT.labels.json OUT.mp4 REDACTED.mp4

Half of the scenes stand still (pictures whose faces were painted out, with sensor noise) while cut-outs of faces with
head and shoulders cross them at 1 to 8 px a frame, bounce, pause, overlap, enter and leave. The other half are pans at
1 to 8 px a frame over mosaics of whole pictures. Scenes follow each other in hard cuts. The same seed gives the same
pictures. The faces are real people's: keep the video where the data set is, never in a repository.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from skyveil.app.leak import HEIGHT_CLASSES_PX, Runs, Tally, differing, hidden, is_covered, mean, needless, wilson

Bgr: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]
Label: TypeAlias = tuple[float, float, float, float, int]
Frame: TypeAlias = tuple[Bgr, list[Label]]

WIDTH, HEIGHT, FPS = 1280, 720, 25
FRAMES_A_SCENE = 125
VISIBLE_FROM = 0.5
"""A face of which less than this share is in the picture, or not behind another cut-out, has no label there."""
NOISE_SIGMA = 1.2


@dataclass(frozen=True)
class Labelled:
    """One picture of the set with its face boxes."""

    path: Path
    width: int
    height: int
    boxes: list[Box]

    @property
    def face_share(self) -> float:
        return sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in self.boxes) / (self.width * self.height)

    def pixels(self) -> Bgr:
        pixels = cv2.imread(str(self.path))
        if pixels is None:
            raise SystemExit(f"{self.path}: not a picture")
        return np.asarray(pixels, np.uint8)


def read_set(folder: Path) -> list[Labelled]:
    items = json.loads((folder / "labels.json").read_text())["images"]
    return [
        Labelled(folder / item["image"], item["width"], item["height"], [tuple(box[:4]) for box in item["boxes"]])
        for item in items
    ]


def fitted(pixels: Bgr, *, width: int, height: int) -> tuple[Bgr, float]:
    """The picture scaled to fill width x height, cut from the top left; and the scale."""
    scale = max(width / pixels.shape[1], height / pixels.shape[0])
    size = (max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)[:height, :width], np.uint8), scale


def empty_scene(rng: np.random.Generator, pictures: list[Labelled]) -> Bgr:
    """A still background: two pictures side by side, the labelled heads painted out."""
    scene = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    few = [picture for picture in pictures if picture.face_share < 0.06]
    for column in range(2):
        picture = few[int(rng.integers(len(few)))]
        pixels = picture.pixels()
        holes = np.zeros(pixels.shape[:2], np.uint8)
        for x1, y1, x2, y2 in picture.boxes:
            grow_x, grow_y = 0.3 * (x2 - x1), 0.4 * (y2 - y1)
            holes[max(0, int(y1 - grow_y)) : int(y2 + grow_y), max(0, int(x1 - grow_x)) : int(x2 + grow_x)] = 255
        whole = np.asarray(cv2.inpaint(pixels, holes, 3, cv2.INPAINT_TELEA), np.uint8)
        left = column * WIDTH // 2
        scene[:, left : left + WIDTH // 2], _ = fitted(whole, width=WIDTH // 2, height=HEIGHT)
    return scene


@dataclass
class Walker:
    """A cut-out on its way: faces are boxes inside the cut-out, with their track numbers."""

    pixels: Bgr
    opacity: NDArray[np.float32]
    faces: list[Label]
    x: float
    y: float
    step_x: float
    step_y: float
    bounces: bool
    starts: int
    pause: range

    def move(self, frame: int) -> None:
        if frame < self.starts or frame in self.pause:
            return
        self.x += self.step_x
        self.y += self.step_y
        tall, wide = self.pixels.shape[:2]
        if self.bounces and ((self.x < 0 and self.step_x < 0) or (self.x + wide > WIDTH and self.step_x > 0)):
            self.step_x = -self.step_x
        if (self.y < -0.2 * tall and self.step_y < 0) or (self.y + 0.6 * tall > HEIGHT and self.step_y > 0):
            self.step_y = -self.step_y


def feathered(height: int, width: int) -> NDArray[np.float32]:
    """Opacity of a cut-out: 1 inside, falling to 0 over the outer 6 % (2 px at least)."""
    edge = max(2.0, 0.06 * min(height, width))
    down = np.minimum(np.arange(height) + 0.5, np.arange(height)[::-1] + 0.5) / edge
    across = np.minimum(np.arange(width) + 0.5, np.arange(width)[::-1] + 0.5) / edge
    return np.asarray(np.clip(np.minimum(down[:, None], across[None, :]), 0, 1), np.float32)


def walker(rng: np.random.Generator, pictures: list[Labelled], first_track: int) -> Walker:
    """A face with head and shoulders, and whoever else is in that cut-out."""
    faces_of = [(one, box) for one in pictures for box in one.boxes if 8 <= box[3] - box[1] <= 100]
    picture, (x1, y1, x2, y2) = faces_of[int(rng.integers(len(faces_of)))]
    pixels = picture.pixels()
    wide, tall = x2 - x1, y2 - y1
    left, top = max(0, int(x1 - rng.uniform(0.6, 1.0) * wide)), max(0, int(y1 - rng.uniform(0.5, 0.8) * tall))
    right, bottom = int(x2 + rng.uniform(0.6, 1.0) * wide), int(y2 + 2.0 * tall)
    cut = pixels[top:bottom, left:right]
    scale = float(rng.uniform(0.9, 1.4))
    cut = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    faces: list[Label] = []
    for a1, b1, a2, b2 in picture.boxes:
        inside = (max(a1, left) - left, max(b1, top) - top, min(a2, right) - left, min(b2, bottom) - top)
        common = max(0.0, inside[2] - inside[0]) * max(0.0, inside[3] - inside[1])
        if common >= 0.7 * (a2 - a1) * (b2 - b1):
            faces.append((*(value * scale for value in inside), first_track + len(faces)))  # type: ignore[arg-type]  # 4
    return on_its_way(rng, cut, faces)


def on_its_way(rng: np.random.Generator, cut: Bgr, faces: list[Label]) -> Walker:
    speed, slope = rng.uniform(1, 8), rng.uniform(-0.3, 0.3)
    leftwards, bounces = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    tall, wide = cut.shape[:2]
    inside = bool(rng.random() < 0.25)
    x = float(rng.uniform(0, WIDTH - wide)) if inside else float(WIDTH if leftwards else -wide)
    pause_from = int(rng.integers(20, FRAMES_A_SCENE))
    pause = range(pause_from, pause_from + int(rng.integers(10, 40))) if rng.random() < 0.4 else range(0)
    return Walker(
        pixels=cut,
        opacity=feathered(tall, wide),
        faces=faces,
        x=x,
        y=float(rng.uniform(0, max(1, HEIGHT - 0.8 * tall))),
        step_x=float(-speed if leftwards else speed),
        step_y=float(speed * slope),
        bounces=bounces,
        starts=0 if inside else int(rng.integers(0, FRAMES_A_SCENE // 2)),
        pause=pause,
    )


def drawn(scene: Bgr, one: Walker) -> tuple[Bgr, NDArray[np.float32]]:
    """The scene with the cut-out at its place between pixels, and the cut-out's opacity there."""
    tall, wide = one.opacity.shape
    left, top = max(0, int(np.floor(one.x)) - 1), max(0, int(np.floor(one.y)) - 1)
    right, bottom = min(WIDTH, int(np.ceil(one.x)) + wide + 1), min(HEIGHT, int(np.ceil(one.y)) + tall + 1)
    opacity = np.zeros((HEIGHT, WIDTH), np.float32)
    if right <= left or bottom <= top:
        return scene, opacity
    shift, size = np.array([[1, 0, one.x - left], [0, 1, one.y - top]], np.float32), (right - left, bottom - top)
    here = cv2.warpAffine(one.opacity, shift, size)
    opacity[top:bottom, left:right] = here
    picture = cv2.warpAffine(one.pixels, shift, size, borderMode=cv2.BORDER_REPLICATE)
    behind = scene[top:bottom, left:right]
    mixed = scene.copy()
    mixed[top:bottom, left:right] = behind + (picture.astype(np.float32) - behind) * here[..., None] + 0.5
    return mixed, opacity


def in_picture(label: Label) -> Label | None:
    """The label cut to the picture, or None where too little of it is left."""
    x1, y1, x2, y2, track = label
    cut = (max(0.0, x1), max(0.0, y1), min(float(WIDTH), x2), min(float(HEIGHT), y2))
    left = max(0.0, cut[2] - cut[0]) * max(0.0, cut[3] - cut[1])
    return (*cut, track) if left >= VISIBLE_FROM * (x2 - x1) * (y2 - y1) else None


def still_free(label: Label, over: NDArray[np.float32]) -> bool:
    x1, y1, x2, y2 = (round(value) for value in label[:4])
    part = over[y1:y2, x1:x2]
    return part.size > 0 and float((part < 0.5).mean()) >= 1 - (1 - VISIBLE_FROM) / 2


def walk(rng: np.random.Generator, pictures: list[Labelled], first_track: int) -> Iterator[Frame]:
    """People who cross a scene that stands still."""
    scene = empty_scene(rng, pictures)
    walkers: list[Walker] = []
    for _ in range(int(rng.integers(5, 11))):
        walkers.append(walker(rng, pictures, first_track))
        first_track += len(walkers[-1].faces)
    for frame in range(FRAMES_A_SCENE):
        picture, labels = scene, list[Label]()
        for one in walkers:
            picture, opacity = drawn(picture, one)
            labels = [label for label in labels if still_free(label, opacity)]
            for x1, y1, x2, y2, track in one.faces:
                label = in_picture((x1 + one.x, y1 + one.y, x2 + one.x, y2 + one.y, track))
                labels += [label] if label else []
            one.move(frame)
        yield picture, labels


def mosaic(rng: np.random.Generator, pictures: list[Labelled], first_track: int) -> tuple[Bgr, list[Label]]:
    """Whole pictures side by side, 2 to 4 a row, larger than the window, with all their labels."""
    columns = int(rng.integers(2, 6))
    tile = (int(WIDTH * 1.6 / columns), int(WIDTH * 1.6 / columns * 0.66))
    rows = int(np.ceil(HEIGHT * 1.5 / tile[1]))
    canvas = np.zeros((rows * tile[1], columns * tile[0], 3), np.uint8)
    labels: list[Label] = []
    for row in range(rows):
        for column in range(columns):
            picture = pictures[int(rng.integers(len(pictures)))]
            left, top = column * tile[0], row * tile[1]
            pixels, scale = fitted(picture.pixels(), width=tile[0], height=tile[1])
            canvas[top : top + tile[1], left : left + tile[0]] = pixels
            for x1, y1, x2, y2 in picture.boxes:
                if y2 * scale <= tile[1] + 1 and x2 * scale <= tile[0] + 1:
                    track = first_track + len(labels)
                    labels.append((x1 * scale + left, y1 * scale + top, x2 * scale + left, y2 * scale + top, track))
    return canvas, labels


def pan(rng: np.random.Generator, pictures: list[Labelled], first_track: int) -> Iterator[Frame]:
    """A camera that pans over pictures, and turns round at their edges."""
    canvas, placed = mosaic(rng, pictures, first_track)
    limit = np.array([canvas.shape[1] - WIDTH, canvas.shape[0] - HEIGHT], np.float64)
    at = rng.uniform(0, 1, 2) * limit
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(1, 8)
    step = np.array([np.cos(angle), np.sin(angle)]) * speed
    for _ in range(FRAMES_A_SCENE):
        shift = np.array([[1, 0, -at[0]], [0, 1, -at[1]]], np.float32)
        window = np.asarray(cv2.warpAffine(canvas, shift, (WIDTH, HEIGHT)), np.uint8)
        moved = ((x1 - at[0], y1 - at[1], x2 - at[0], y2 - at[1], track) for x1, y1, x2, y2, track in placed)
        yield window, [label for label in map(in_picture, moved) if label]
        turn = (at + step < 0) | (at + step > limit)
        step = np.where(turn, -step, step)
        at = np.clip(at + step, 0, limit)


def noisy(rng: np.random.Generator, picture: Bgr, grain: NDArray[np.int16]) -> Bgr:
    """The picture as a sensor would give it: the grain at a place drawn anew for each frame."""
    down, across = int(rng.integers(grain.shape[0])), int(rng.integers(grain.shape[1]))
    rolled = np.roll(grain, (down, across), (0, 1))
    return np.asarray(np.clip(picture.astype(np.int16) + rolled[..., None], 0, 255), np.uint8)


def frames(pictures: list[Labelled], *, scenes: int, seed: int) -> Iterator[tuple[str, Frame]]:
    rng = np.random.default_rng(seed)
    grain = np.rint(rng.normal(0, NOISE_SIGMA, (HEIGHT, WIDTH))).astype(np.int16)
    for scene in range(scenes):
        make = walk if scene % 2 == 0 else pan
        for picture, labels in make(rng, pictures, first_track=scene * 10_000):
            yield make.__name__, (noisy(rng, picture, grain), labels)


def make_video(folder: Path, out: Path, *, scenes: int, seed: int) -> None:
    labels: list[list[Label]] = []
    parts: list[str] = []
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "10", "preset": "veryfast", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for name, (picture, boxes) in frames(read_set(folder), scenes=scenes, seed=seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            labels.append([(*(round(value, 1) for value in box[:4]), box[4]) for box in boxes])  # type: ignore[misc]
            parts.append(name)
        container.mux(stream.encode(None))
    about = {"width": WIDTH, "height": HEIGHT, "fps": FPS, "seed": seed, "parts": parts, "frames": labels}
    out.with_suffix(".labels.json").write_text(json.dumps(about))
    print(json.dumps({"frames": len(labels), "face_frames": sum(map(len, labels)), "video": out.name}))


def grey_pairs(original: Path, redacted: Path) -> Iterator[tuple[Bgr, Bgr]]:
    with av.open(str(original)) as one, av.open(str(redacted)) as two:
        for before, after in zip_longest(one.decode(video=0), two.decode(video=0)):
            if before is None or after is None:
                raise SystemExit("the two videos have different numbers of frames")
            yield tuple(np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in (before, after))  # type: ignore[misc]


def score(labels: Path, original: Path, redacted: Path) -> dict[str, object]:
    """Leaked face-frames with their interval, by size and part, and the longest time a face stays uncovered."""
    about = json.loads(labels.read_text())
    tally, runs = Tally(HEIGHT_CLASSES_PX), Runs()
    by_part: dict[str, Tally] = {name: Tally(HEIGHT_CLASSES_PX) for name in sorted(set(about["parts"]))}
    covered_share: list[float] = []
    needless_share: list[float] = []
    for index, (before, after) in enumerate(grey_pairs(original, redacted)):
        mask = hidden(before, after)
        changed = differing(before, after)
        boxes = about["frames"][index]
        covered_share.append(float(changed.mean()))
        needless_share.append(needless(changed, [tuple(box[:4]) for box in boxes]))
        for x1, y1, x2, y2, track in boxes:
            leaked = not is_covered(mask, (x1, y1, x2, y2))
            tally.add(leaked=leaked, size=y2 - y1)
            by_part[about["parts"][index]].add(leaked=leaked, size=y2 - y1)
            runs.add(track, index, leaked=leaked)
    if len(covered_share) != len(about["frames"]):
        raise SystemExit(f"{len(about['frames'])} labelled frames, {len(covered_share)} in the video")
    return {
        "frames": len(covered_share),
        "face_frames": tally.total,
        "leaked": tally.leaked,
        "leaked_share": tally.share,
        "leaked_95": wilson(tally.leaked, tally.total),
        "by_height_px": {f"{low}-{high}": counts for (low, high), counts in tally.by_size.items()},
        "by_part": {name: (part.leaked, part.total) for name, part in by_part.items()},
        "tracks": len(runs.longest),
        "tracks_with_3_leaked_in_a_row": runs.tracks_with(3),
        "faces_uncovered_longer_than_1_s": runs.tracks_with(about["fps"] + 1),
        "longest_uncovered_s": max(runs.longest.values(), default=0) / about["fps"],
        "worst_tracks_s": {
            str(track): run / about["fps"]
            for track, run in sorted(runs.longest.items(), key=lambda item: -item[1])[:8]
            if run
        },
        "changed_share": mean(covered_share),
        "needless_share": mean(needless_share),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("folder", type=Path)
    make.add_argument("out", type=Path)
    make.add_argument("--scenes", type=int, default=10, help=f"of {FRAMES_A_SCENE} frames each, walks and pans in turn")
    make.add_argument("--seed", type=int, default=1)
    judge = commands.add_parser("score")
    for name in ("labels", "original", "redacted"):
        judge.add_argument(name, type=Path)
    chosen = parser.parse_args()
    if chosen.command == "make":
        make_video(chosen.folder, chosen.out, scenes=chosen.scenes, seed=chosen.seed)
    else:
        print(json.dumps(score(chosen.labels, chosen.original, chosen.redacted), indent=1))


if __name__ == "__main__":
    main()
