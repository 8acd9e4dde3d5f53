"""How many faces `skyveil verify` finds that were put back into redacted pictures, and what it suspects without cause.

    python -m bench.verify_putback FOLDER_WITH_LABELS_JSON [--clean VIDEO...] [--out FOLDER]

Every picture of the set is redacted. In a number of them one labelled face is put back, drawn at random, by the pixels
of its box (and again with a fifth of the box around it); then everything is verified. A face is found when a suspect
holds at least half of its box. A suspect in a picture where nothing was put back is false unless it lies on a labelled
face: that one was leaked by the redaction, and rightly found. `--clean` names redacted videos in which nobody shows:
every suspect in them is false.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from skyveil.app.labelled import LabelledPicture, PictureSet, read_pictures
from skyveil.app.leak import HEIGHT_CLASSES_PX, BoxXyxy, Picture, Tally, wilson

SKYVEIL = Path(sys.executable).with_name("skyveil")
FACES = 200
HELD = 0.5
MARGINS = (0.0, 0.2)


@dataclass(frozen=True)
class PutBack:
    """One face in one picture."""

    picture: LabelledPicture
    face: BoxXyxy


def drawn(labelled: PictureSet, count: int, seed: int) -> list[PutBack]:
    """Faces drawn evenly over all labelled faces, at most one of each picture."""
    rng = np.random.default_rng(seed)
    faces = [PutBack(picture, box) for picture in labelled.pictures for box in picture.boxes]
    chosen: dict[str, PutBack] = {}
    for index in rng.permutation(len(faces)):
        if len(chosen) < count:
            chosen.setdefault(faces[index].picture.name, faces[index])
    return list(chosen.values())


def put_back(original: Picture, redacted: Picture, face: BoxXyxy, margin: float) -> Picture:
    x1, y1, x2, y2 = face
    pad_x, pad_y = margin * (x2 - x1), margin * (y2 - y1)
    left, top, right, bottom = (max(0, round(v)) for v in (x1 - pad_x, y1 - pad_y, x2 + pad_x, y2 + pad_y))
    picture = redacted.copy()
    picture[top:bottom, left:right] = original[top:bottom, left:right]
    return picture


def verified(files: Sequence[Path]) -> dict[str, list[BoxXyxy]]:
    """The boxes of all suspects by file name."""
    ended = subprocess.run([SKYVEIL, "verify", "--json", *files], capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    if len(answers) != len(files):
        raise SystemExit(f"verify answered for {len(answers)} of {len(files)} files: {ended.stderr[-500:]}")
    return {answer["file"]: [tuple(one["xyxy"]) for one in answer["suspects"]] for answer in answers}


def held(face: BoxXyxy, suspects: Sequence[BoxXyxy]) -> bool:
    """Whether one suspect holds at least half of the face."""
    x1, y1, x2, y2 = face
    return any(
        max(0.0, min(x2, b[2]) - max(x1, b[0])) * max(0.0, min(y2, b[3]) - max(y1, b[1]))
        >= HELD * (x2 - x1) * (y2 - y1)
        for b in suspects
    )


def read(path: Path) -> Picture:
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise SystemExit(f"{path}: can not be read")
    return np.asarray(pixels, np.uint8)


def write(path: Path, pixels: Picture) -> Path:
    """PNG, so that only redaction and its encoder have changed the picture."""
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path


def found_faces(labelled: PictureSet, redacted: Path, out: Path, margin: float, seed: int) -> Tally:
    """Faces that stay unfound, by height: `leaked` counts them."""
    chosen = drawn(labelled, FACES, seed)
    files = []
    for one in chosen:
        name = Path(one.picture.name).name
        picture = put_back(read(labelled.folder / one.picture.name), read(redacted / name), one.face, margin)
        files.append(write(out / f"{Path(name).stem}.png", picture))
    answers = verified(files)
    tally = Tally(HEIGHT_CLASSES_PX)
    for one, file in zip(chosen, files, strict=True):
        tally.add(leaked=not held(one.face, answers[file.name]), size=one.face[3] - one.face[1])
    return tally


def false_suspects(labelled: PictureSet, redacted: Path) -> tuple[int, int]:
    """Suspects beside labelled faces in the redacted pictures as they are, and those on such faces."""
    answers = verified([redacted / Path(picture.name).name for picture in labelled.pictures])
    false = leaks = 0
    for picture in labelled.pictures:
        for suspect in answers[Path(picture.name).name]:
            on_face = any(held(suspect, [box]) or held(box, [suspect]) for box in picture.boxes)
            leaks, false = leaks + on_face, false + (not on_face)
    return false, leaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clean", type=Path, nargs="*", default=[], help="redacted videos in which nobody shows")
    parser.add_argument("--redacted", type=Path, help="redacted pictures that are there already")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    labelled = read_pictures(chosen.folder)
    with tempfile.TemporaryDirectory(prefix="skyveil-putback-") as name:
        redacted, out = chosen.redacted or Path(name) / "redacted", Path(name) / "put-back"
        out.mkdir()
        if chosen.redacted is None:
            subprocess.run([SKYVEIL, "redact", chosen.folder / "images", "--output", redacted], check=True)
        for margin in MARGINS:
            tally = found_faces(labelled, redacted, out, margin, chosen.seed)
            low, high = wilson(tally.total - tally.leaked, tally.total)
            sizes = {f"{a}-{b}": f"{seen - lost}/{seen}" for (a, b), (lost, seen) in tally.by_size.items() if seen}
            print(f"margin {margin}: found {1 - tally.share:.1%} of {tally.total} ({low:.1%} to {high:.1%}), {sizes}")
        false, leaks = false_suspects(labelled, redacted)
        print(f"untouched pictures: {false} false suspects in {len(labelled.pictures)}, {leaks} on labelled faces")
        for video in chosen.clean:
            print(f"{video.name}: {len(verified([video])[video.name])} false suspects")


if __name__ == "__main__":
    main()
