"""`skyveil verify` as a person runs it: the real worker behind its wall, on one real face that moves."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyveil.app.additions import masks_from_file
from skyveil.app.models import locate
from skyveil.core.manifest import CENTERFACE, PPOCR_DETECTOR, YOLOX_NANO
from tests.cli.running import Ran, run
from tests.conftest import ClipMaker, Picture


def skyveil(*arguments: str | Path) -> Ran:
    return run(*arguments, module="skyveil.cli.main")


@pytest.fixture(scope="module")
def portrait(astronaut: Picture) -> Picture:
    """The face lies within x 70..185, y 70..190."""
    return np.array(astronaut[:256, 100:356])


def covered(portrait: Picture) -> Picture:
    picture = portrait.copy()
    picture[50:210, 50:200] = 0
    return picture


def still(folder: Path, picture: Picture, name: str) -> Path:
    Image.fromarray(picture).save(folder / name)
    return folder / name


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_a_covered_picture_passes_and_a_bare_one_does_not(tmp_path: Path, portrait: Picture) -> None:
    good, bad = still(tmp_path, covered(portrait), "good.png"), still(tmp_path, portrait, "bad.png")
    passed = skyveil("verify", good)
    assert (passed.code, passed.err) == (0, "")
    assert "good.png: nothing suspicious" in passed.out
    failed = skyveil("verify", good, bad)
    assert failed.code == 1
    assert "bad.png: 1 suspect" in failed.out


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_what_verify_writes_is_covered_by_add(tmp_path: Path, portrait: Picture) -> None:
    bad, regions = still(tmp_path, portrait, "bad.png"), tmp_path / "regions.json"
    assert skyveil("verify", bad, "--output", regions).code == 1
    told = json.loads(regions.read_text())
    assert (told["schema"], told["file"], told["frames"]) == ("skyveil.regions/1", "bad.png", 1)
    (mask,) = masks_from_file(regions)
    xs, ys = zip(*mask.points, strict=True)
    assert min(xs) < 80 < 180 < max(xs)
    assert min(ys) < 90 < 175 < max(ys)


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_a_face_that_shows_for_a_second_is_found_with_its_time(make_clip: ClipMaker, portrait: Picture) -> None:
    hidden = covered(portrait)
    clip = make_clip([portrait if 10 <= frame < 20 else hidden for frame in range(30)], rate_fps=10)
    told = json.loads(skyveil("verify", clip, "--json").out)
    assert told["frames"] == 30
    (suspect,) = told["suspects"]
    # A frame is inspected every quarter of a second or so, so both ends are known to about that.
    assert 0.9 <= suspect["start_s"] <= 1.3
    assert 1.6 <= suspect["end_s"] <= 2.0
    assert suspect["kind"] == "face"


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_it_says_when_the_second_look_is_not_independent(tmp_path: Path, portrait: Picture) -> None:
    bad = still(tmp_path, portrait, "bad.png")
    folder = tmp_path / "models"
    folder.mkdir()
    for entry in (CENTERFACE, YOLOX_NANO, PPOCR_DETECTOR):
        path = locate(entry)
        assert path is not None
        (folder / entry.file).symlink_to(path)
    ran = run("verify", bad, module="skyveil.cli.main", SKYVEIL_MODELS=str(folder), XDG_CACHE_HOME=str(tmp_path))
    assert ran.code == 1
    assert "not independent" in ran.out


def test_two_files_do_not_fit_one_output(tmp_path: Path) -> None:
    ran = skyveil("verify", tmp_path / "a.png", tmp_path / "b.png", "--output", tmp_path / "out.json")
    assert ran.code == 2
    assert "one file" in ran.err


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_what_is_looked_at_is_not_replaced(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"a picture")
    (tmp_path / "link.jpg").symlink_to(picture)
    for output in (picture, tmp_path / "link.jpg"):
        ran = run("verify", picture, "--output", output, "--overwrite")
        assert ran.code == 2 and "is the file that is looked at" in ran.err
    assert picture.read_bytes() == b"a picture"


def test_a_missing_file_and_one_that_is_no_media_fail_in_one_line_each(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    ran = skyveil("verify", tmp_path / "missing.mp4", text)
    assert ran.code == 1
    missing, wrong = ran.err.strip().splitlines()
    assert "missing.mp4" in missing
    assert "notes.mp4" in wrong
