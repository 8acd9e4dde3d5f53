"""How many faces `skyveil verify` finds that were put back into redacted pictures, and what it suspects without cause.

    python -m bench.verify_putback FOLDER_WITH_LABELS_JSON [--seed N] [--half 0 | 1] [--several] [--clean VIDEO...]

Every picture of the set is redacted. In a number of them labelled faces are put back, drawn at random; then everything
is verified. A face is found when a suspect holds at least half of its box. Put back are the pixels of the face's box,
those with a fifth of the box around it, or with three fifths: then its cover is missing altogether.

One face of a picture is put back, in each of the three ways in turn; with `--several` up to three faces that lie apart
at once, each in a way that is drawn as well, which takes a third of the time. Faces of the draw of seed 1, on which
limits were chosen once, are left out there. `--half` takes the pictures whose names hash to an even or an odd byte:
what was chosen on one half is confirmed on the other.

A suspect in a picture where nothing was put back is false unless it lies on a labelled face: that one was leaked by the
redaction, and rightly found. Look at the places of the others: sets leave small faces without a label. `--clean` names
redacted videos in which nobody shows: every suspect in them is false.
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from skyveil.app.labelled import LabelledPicture, PictureSet, read_pictures
from skyveil.app.leak import HEIGHT_CLASSES_PX, BoxXyxy, Picture, Tally, wilson

SKYVEIL = Path(sys.executable).with_name("skyveil")
FACES = 200
HELD = 0.5
MARGINS = (0.0, 0.2, 0.6)
SEVERAL = 3
APART, APART_PX = 2.5, 30
"""How far apart the centres of faces are that are put back together: sides of the larger, and pixels besides."""


@dataclass(frozen=True)
class PutBack:
    """One face in one picture, with a share of its sides around it."""

    picture: LabelledPicture
    face: BoxXyxy
    margin: float = 0.0


def drawn(labelled: PictureSet, count: int, seed: int) -> list[PutBack]:
    """Faces drawn evenly over all labelled faces, at most one of each picture."""
    rng = np.random.default_rng(seed)
    faces = [PutBack(picture, box) for picture in labelled.pictures for box in picture.boxes]
    chosen: dict[str, PutBack] = {}
    for index in rng.permutation(len(faces)):
        if len(chosen) < count:
            chosen.setdefault(faces[index].picture.name, faces[index])
    return list(chosen.values())


def drawn_apart(picture: LabelledPicture, seed: int, without: Collection[PutBack]) -> list[PutBack]:
    """Up to three faces of one picture that lie apart, each with a margin of its own."""
    name = hashlib.sha256(picture.name.encode()).hexdigest()
    rng = np.random.default_rng([seed, int(name[:8], 16)])
    chosen: list[PutBack] = []
    for index in rng.permutation(len(picture.boxes)):
        face = picture.boxes[int(index)]
        if PutBack(picture, face) in without or any(near(face, other.face) for other in chosen):
            continue
        chosen.append(PutBack(picture, face, MARGINS[int(rng.integers(len(MARGINS)))]))
        if len(chosen) == SEVERAL:
            break
    return chosen


def near(one: BoxXyxy, other: BoxXyxy) -> bool:
    """Whether two faces lie too near each other to be put back together."""
    (x1, y1, x2, y2), (a1, b1, a2, b2) = one, other
    side = max(x2 - x1, y2 - y1, a2 - a1, b2 - b1)
    return math.hypot(x1 + x2 - a1 - a2, y1 + y2 - b1 - b2) / 2 <= APART * side + APART_PX


def halved(labelled: PictureSet, half: int | None) -> PictureSet:
    """The pictures whose names hash to an even (0) or odd (1) byte."""
    if half is None:
        return labelled
    kept = [p for p in labelled.pictures if hashlib.sha256(Path(p.name).name.encode()).digest()[0] & 1 == half]
    return replace(labelled, pictures=tuple(kept))


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


def found_faces(labelled: PictureSet, redacted: Path, out: Path, chosen: Sequence[PutBack]) -> dict[float, Tally]:
    """Faces that stay unfound, by margin and height, all of a picture put back together: `leaked` counts them."""
    files: dict[str, Path] = {}
    for one in chosen:
        name = Path(one.picture.name).name
        before = read(files[name] if name in files else redacted / name)
        picture = put_back(read(labelled.folder / one.picture.name), before, one.face, one.margin)
        files[name] = write(out / f"{Path(name).stem}.png", picture)
    answers = verified(list(files.values()))
    tallies: dict[float, Tally] = {}
    for one in chosen:
        suspects = answers[files[Path(one.picture.name).name].name]
        tally = tallies.setdefault(one.margin, Tally(HEIGHT_CLASSES_PX))
        tally.add(leaked=not held(one.face, suspects), size=one.face[3] - one.face[1])
    return tallies


def false_suspects(labelled: PictureSet, redacted: Path) -> tuple[int, int]:
    """Suspects beside labelled faces in the redacted pictures as they are, and those on such faces."""
    answers = verified([redacted / Path(picture.name).name for picture in labelled.pictures])
    false = leaks = 0
    for picture in labelled.pictures:
        for suspect in answers[Path(picture.name).name]:
            on_face = any(held(suspect, [box]) or held(box, [suspect]) for box in picture.boxes)
            leaks, false = leaks + on_face, false + (not on_face)
    return false, leaks


def tell(tallies: dict[float, Tally]) -> None:
    for margin, tally in sorted(tallies.items()):
        low, high = wilson(tally.total - tally.leaked, tally.total)
        sizes = {f"{a}-{b}": f"{seen - lost}/{seen}" for (a, b), (lost, seen) in tally.by_size.items() if seen}
        print(f"margin {margin}: found {1 - tally.share:.1%} of {tally.total} ({low:.1%} to {high:.1%}), {sizes}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clean", type=Path, nargs="*", default=[], help="redacted videos in which nobody shows")
    parser.add_argument("--redacted", type=Path, help="redacted pictures that are there already")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--half", type=int, choices=(0, 1), help="half of the pictures, by a hash of their names")
    parser.add_argument("--several", action="store_true", help="put back up to three faces of a picture at once")
    chosen = parser.parse_args()
    every = read_pictures(chosen.folder)
    labelled = halved(every, chosen.half)
    with tempfile.TemporaryDirectory(prefix="skyveil-putback-") as name:
        redacted, out = chosen.redacted or Path(name) / "redacted", Path(name) / "put-back"
        out.mkdir()
        if chosen.redacted is None:
            subprocess.run([SKYVEIL, "redact", chosen.folder / "images", "--output", redacted], check=True)
        if chosen.several:
            known = set(drawn(every, FACES, 1))
            apart = [one for picture in labelled.pictures for one in drawn_apart(picture, chosen.seed, known)]
            tell(found_faces(labelled, redacted, out, apart))
        else:
            once = drawn(labelled, FACES, chosen.seed)
            for margin in MARGINS:
                tell(found_faces(labelled, redacted, out, [replace(one, margin=margin) for one in once]))
        false, leaks = false_suspects(labelled, redacted)
        print(f"untouched pictures: {false} false suspects in {len(labelled.pictures)}, {leaks} on labelled faces")
        for video in chosen.clean:
            print(f"{video.name}: {len(verified([video])[video.name])} false suspects")


if __name__ == "__main__":
    main()
