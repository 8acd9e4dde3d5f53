"""What stays visible when labelled pictures and videos are made worse: dark, grey, noisy, blurred, compressed.

    python -m bench.altered FOLDER... [--frames 400] [--every 1] [--mode strict]

Each folder holds labels.json, or a video beside gt.txt. Copies are made with each alteration, `skyveil eval` redacts
and judges them by the same labels, and a table is printed. Alterations stand in for scenes of which no lawfully usable
labels were found. They are no such scenes: the dark here is one light on everything, and nobody turned away from it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, TypedDict

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.clips import video_of
from skyveil.app.leak import Picture

SKYVEIL = Path(sys.executable).with_name("skyveil")


class Answer(TypedDict):
    leaked_share: float
    leaked_95: tuple[float, float]
    changed_share: float


"""What is read of the answer of `skyveil eval`."""
Alteration: TypeAlias = Callable[[Picture, np.random.Generator], Picture]


def unaltered(picture: Picture, _: np.random.Generator) -> Picture:
    return picture


def grey(picture: Picture, _: np.random.Generator) -> Picture:
    """Luma alone, as cameras give it by night."""
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.merge((luma, luma, luma)), np.uint8)


def dark(picture: Picture, rng: np.random.Generator) -> Picture:
    """About a twelfth of the light, with the noise of a sensor: 5 of 255."""
    light = 0.35 * (picture / 255.0) ** 2.2
    return eight_bits(255 * light + rng.normal(0, 5, picture.shape))


def grey_and_noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    """Darker, no colour, and more noise: 6 of 255, the same in all channels."""
    light = 200 * (grey(picture, rng) / 255.0) ** 1.6
    return eight_bits(light + rng.normal(0, 6, picture.shape[:2])[..., np.newaxis])


def bright(picture: Picture, _: np.random.Generator) -> Picture:
    """Overexposed: a sixth more contrast, a quarter of the range more light."""
    return eight_bits(1.2 * picture.astype(np.float64) + 60)


def blurred(picture: Picture, _: np.random.Generator) -> Picture:
    """Out of focus: Gaussian, 1.5 px."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)


def compressed(picture: Picture, _: np.random.Generator) -> Picture:
    """JPEG of quality 20."""
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


ALTERATIONS: Mapping[str, Alteration] = {
    "as it is": unaltered,
    "grey": grey,
    "dark, noise of 5": dark,
    "grey, darker, noise of 6": grey_and_noisy,
    "overexposed": bright,
    "blurred by 1.5 px": blurred,
    "JPEG of quality 20": compressed,
}


def eight_bits(samples: NDArray[np.float64]) -> Picture:
    return np.asarray(np.clip(np.rint(samples), 0, 255), np.uint8)


def altered_pictures(folder: Path, out: Path, alter: Alteration, every: int) -> None:
    """A copy of a picture set, each n-th picture of it, as PNG."""
    labels = json.loads((folder / "labels.json").read_text())
    labels["images"] = labels["images"][::every]
    rng = np.random.default_rng(1)
    for item in labels["images"]:
        pixels = cv2.imread(str(folder / item["image"]))
        if pixels is None:
            raise SystemExit(f"{folder / item['image']}: can not be read")
        item["image"] = str(Path(item["image"]).with_suffix(".png"))
        target = out / item["image"]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(cv2.imencode(".png", alter(np.asarray(pixels, np.uint8), rng))[1].tobytes())
    (out / "labels.json").write_text(json.dumps(labels))


def altered_video(folder: Path, out: Path, alter: Alteration, frames: int) -> None:
    """The first frames of a labelled video, in H.264 that takes little away."""
    rng = np.random.default_rng(1)
    (out / "gt.txt").write_bytes((folder / "gt.txt").read_bytes())
    with av.open(video_of(folder)) as reading, av.open(out / "video.mp4", "w") as writing:
        source = reading.streams.video[0]
        rate = Fraction(source.average_rate or 25)
        stream = writing.add_stream("libx264", rate=rate, options={"crf": "16", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        for _, frame in zip(range(frames), reading.decode(source), strict=False):
            pixels = alter(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), rng)
            writing.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        writing.mux(stream.encode(None))


def judged(folder: Path, mode: str) -> Answer:
    command: list[str | Path] = [SKYVEIL, "eval", "--data", folder, "--mode", mode, "--preset", "ultrafast", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"skyveil eval ended with {ended.returncode}: {ended.stderr[-500:]}")
    answer: Answer = json.loads(ended.stdout)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a labelled set")
    parser.add_argument("--frames", type=int, default=400, help="of a video")
    parser.add_argument("--every", type=int, default=1, help="take each n-th picture of a set")
    parser.add_argument("--mode", default="balanced")
    chosen = parser.parse_args()
    for folder in chosen.folders:
        print(f"\n| {folder.name}, `{chosen.mode}` | leaked | covered |\n|---|---|---|", flush=True)
        for name, alter in ALTERATIONS.items():
            with tempfile.TemporaryDirectory(prefix="skyveil-altered-") as made:
                if (folder / "labels.json").is_file():
                    altered_pictures(folder, Path(made), alter, chosen.every)
                else:
                    altered_video(folder, Path(made), alter, chosen.frames)
                answer = judged(Path(made), chosen.mode)
            low, high = answer["leaked_95"]
            row = f"{answer['leaked_share']:.1%} ({low:.1%} to {high:.1%})"
            print(f"| {name} | {row} | {answer['changed_share']:.1%} |", flush=True)


if __name__ == "__main__":
    main()
