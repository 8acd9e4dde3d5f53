"""Scoring redacted media: cases counted by hand, and parity with independent scripts where these are at hand."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from skyveil.app.evaluate import VideoScore, score_pictures, score_video
from skyveil.app.labelled import LabelledPicture, PictureSet, VideoSet, read_pictures, read_sets, read_video
from skyveil.app.leak import Picture
from skyveil.core.errors import InputRefused, OutputWrong
from skyveil.core.kinds import Kind

Script: TypeAlias = Callable[[str, list[Path]], dict[str, float]]

HEADS = frozenset({Kind.FACE, Kind.HEAD})


def scene(seed: int = 0, height: int = 120, width: int = 160) -> Picture:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 220, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def write(path: Path, pixels: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_clip(path: Path, pictures: list[Picture]) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def covered(pixels: Picture, *boxes: tuple[int, int, int, int]) -> Picture:
    out = pixels.copy()
    for x1, y1, x2, y2 in boxes:
        out[y1:y2, x1:x2] = 0
    return out


def test_one_covered_one_bare_and_one_missing_picture_are_counted(tmp_path: Path) -> None:
    before = scene()
    boxes = ((10.0, 10.0, 30.0, 30.0), (60.0, 40.0, 70.0, 50.0))
    pictures = tuple(LabelledPicture(f"{name}.png", boxes, ()) for name in ("a", "b", "c"))
    for picture in pictures:
        write(tmp_path / picture.name, before)
    a = write(tmp_path / "out" / "a.png", covered(before, (8, 8, 32, 32)))
    b = write(tmp_path / "out" / "b.png", before[:50])
    outputs = {(tmp_path / "a.png").resolve(): a, (tmp_path / "b.png").resolve(): b}
    figures = score_pictures(PictureSet("s", tmp_path, HEADS, pictures), outputs).as_json()
    assert (figures["images"], figures["missing_or_resized"]) == (3, 2)
    assert (figures["boxes"], figures["leaked"]) == (6, 5)
    assert figures["by_height_px"] == {
        "0-12": {"leaked": 3, "boxes": 3},
        "12-20": {"leaked": 0, "boxes": 0},
        "20-32": {"leaked": 2, "boxes": 3},
        "32-64": {"leaked": 0, "boxes": 0},
        "64-10000": {"leaked": 0, "boxes": 0},
    }
    assert figures["needless_share"] == 0.0


def test_points_are_counted_by_the_size_of_their_crowd(tmp_path: Path) -> None:
    before = scene()
    points = tuple((float(x), 60.0) for x in range(10, 70))
    write(tmp_path / "a.png", before)
    out = write(tmp_path / "out" / "a.png", covered(before, (0, 0, 40, 120)))
    picture = LabelledPicture("a.png", (), points)
    score = score_pictures(PictureSet("s", tmp_path, HEADS, (picture,)), {(tmp_path / "a.png").resolve(): out})
    figures = score.as_json()
    assert figures["points"] == 60
    assert figures["leaked"] == 30
    assert figures["by_crowd_size"] == {
        "0-50": {"leaked": 0, "points": 0},
        "50-100": {"leaked": 30, "points": 60},
        "100-200": {"leaked": 0, "points": 0},
        "200-100000": {"leaked": 0, "points": 0},
    }
    assert "needless_share" not in figures


def video_set(folder: Path, *, frames: int) -> tuple[VideoSet, list[Picture]]:
    """A still scene with one labelled person 40 x 100, head zone (28, 10) to (52, 27)."""
    pictures = [scene()] * frames
    truth = folder / "gt.txt"
    truth.write_text("".join(f"{number},7,20,10,40,100,1,1,1\n" for number in range(1, frames)))
    return read_video(write_clip(folder / "clip.mp4", pictures), truth), pictures


def scored(labelled: VideoSet, redacted: Path) -> VideoScore:
    return score_video(labelled, redacted)


def test_three_bare_frames_in_a_row_expose_a_track(tmp_path: Path) -> None:
    labelled, pictures = video_set(tmp_path, frames=9)
    bare = {2, 3, 4, 6}  # from 0
    out = [picture if n in bare else covered(picture, (24, 6, 56, 32)) for n, picture in enumerate(pictures)]
    figures = scored(labelled, write_clip(tmp_path / "out.mp4", out)).as_json()
    assert (figures["frames"], figures["head_frames"], figures["leaked"]) == (8, 8, 4)  # the last frame has no label
    assert (figures["tracks"], figures["tracks_with_a_leak"], figures["tracks_with_3_leaked_in_a_row"]) == (1, 1, 1)
    assert figures["changed_share"] == pytest.approx(32 * 26 / (160 * 120) / 2, rel=0.1)


def test_a_video_that_lost_a_frame_is_refused(tmp_path: Path) -> None:
    labelled, pictures = video_set(tmp_path, frames=5)
    with pytest.raises(OutputWrong, match="from frame 5 on"):
        scored(labelled, write_clip(tmp_path / "short.mp4", pictures[:-1]))


def test_a_video_of_another_size_is_refused(tmp_path: Path) -> None:
    labelled, pictures = video_set(tmp_path, frames=3)
    with pytest.raises(OutputWrong, match="frame 1"):
        scored(labelled, write_clip(tmp_path / "small.mp4", [picture[:64, :64] for picture in pictures]))


def test_sets_are_found_in_a_folder_of_folders_with_the_targets_of_their_kind(tmp_path: Path) -> None:
    for name, kind in (("cars", "plate boxes"), ("streets", "person boxes"), ("halls", "face boxes")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.json").write_text(json.dumps({"set": name, "kind": kind, "images": []}))
    (tmp_path / "empty").mkdir()
    found = {one.name: one.targets for one in read_sets(tmp_path)}
    assert found == {"cars": {Kind.PLATE}, "streets": {Kind.PERSON}, "halls": HEADS}


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        '{"images": [{"boxes": []}]}',  # no name
        '{"images": [{"image": "a.png", "boxes": [[1, 2, 3]]}]}',  # three numbers
        '{"images": {}}',  # no list
        "[]",
    ],
)
def test_a_malformed_labels_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InputRefused, match="is not a labels"):
        read_sets(tmp_path)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="holds no labels"):
        read_sets(tmp_path)


def test_a_malformed_mot_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,2,three\n")
    with pytest.raises(InputRefused, match="MOT"):
        read_video(tmp_path / "clip.mp4", tmp_path / "gt.txt")


# --- parity with scripts written by others, read from beside the evaluation data ------------------------------------


@pytest.fixture
def independent(eval_data: Path) -> Script:
    """Runs one of the independent scripts; skips where they are not beside the evaluation data."""
    tools = eval_data.parent / "tools"
    if not tools.is_dir():
        pytest.skip("no independent tools beside SKYVEIL_EVAL_DATA")

    def run(script: str, arguments: list[Path]) -> dict[str, float]:
        command = [sys.executable, str(tools / script), *map(str, arguments)]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout
        answer: dict[str, float] = json.loads(told)
        return answer

    return run


def test_pictures_score_as_the_independent_script_says(eval_data: Path, tmp_path: Path, independent: Script) -> None:
    whole = read_pictures(eval_data / "faces_mask853")
    pictures = whole.pictures[:40]
    rng = np.random.default_rng(3)
    outputs: dict[Path, Path] = {}
    for labels in pictures:
        pixels = np.asarray(Image.open(whole.folder / labels.name).convert("RGB"), np.uint8)
        shifted = np.array([rng.normal(box, 0.15 * (box[3] - box[1])) for box in labels.boxes]).clip(0)
        boxes = [(int(x1), int(y1), int(x2), int(y2)) for x1, y1, x2, y2 in shifted]
        outputs[(whole.folder / labels.name).resolve()] = tmp_path / labels.name
        (tmp_path / labels.name).parent.mkdir(exist_ok=True)
        Image.fromarray(covered(pixels, *boxes)).save(tmp_path / labels.name, quality=90)
    listed = [{"image": labels.name, "boxes": labels.boxes} for labels in pictures]
    (tmp_path / "labels.json").write_text(json.dumps({"images": listed}))
    theirs = independent("leak_eval.py", [tmp_path / "labels.json", whole.folder, tmp_path])
    ours = score_pictures(PictureSet("s", whole.folder, HEADS, pictures), outputs).as_json()
    assert 0 < theirs["leaked"] < theirs["boxes"]
    for key in ("images", "missing_or_resized", "boxes", "leaked", "by_height_px"):
        assert ours[key] == theirs[key], key
    for key in ("leaked_share", "leaked_95", "needless_share"):
        assert ours[key] == pytest.approx(theirs[key], rel=1e-12), key


def test_video_scores_as_the_independent_script_says(eval_data: Path, tmp_path: Path, independent: Script) -> None:
    folder = eval_data / "video_pets09_s2l1"
    frames = 30
    with av.open(folder / "vtest.avi") as container:
        decoded = container.decode(video=0)
        pictures = [np.asarray(next(decoded).to_ndarray(format="rgb24"), np.uint8) for _ in range(frames)]
    lines = (folder / "gt.txt").read_text().splitlines(keepends=True)
    (tmp_path / "gt.txt").write_text("".join(line for line in lines if int(line.split(",")[0]) <= frames))
    labelled = read_video(write_clip(tmp_path / "original.mp4", pictures), tmp_path / "gt.txt")
    out = [hide_some(labelled, number, picture) for number, picture in enumerate(pictures, 1)]
    redacted = write_clip(tmp_path / "redacted.mp4", out)
    theirs = independent("leak_eval_video.py", [tmp_path / "gt.txt", labelled.video, redacted])
    ours = scored(labelled, redacted).as_json()
    assert 0 < theirs["leaked"] < theirs["head_frames"]
    assert 0 < theirs["tracks_with_3_leaked_in_a_row"] < theirs["tracks"]
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value, rel=1e-12), key


def hide_some(labelled: VideoSet, number: int, picture: Picture) -> Picture:
    """The heads of even tracks always, those of odd ones in two of seven frames."""
    boxes = [
        (max(0, int(person.x)), max(0, int(person.y)), int(person.x + person.width), int(person.y + person.height / 4))
        for person in labelled.frames[number]
        if person.track % 2 == 0 or number % 7 < 2
    ]
    return covered(picture, *boxes)
