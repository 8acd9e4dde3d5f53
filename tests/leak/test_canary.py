"""A code is painted on a face; the whole product runs; the code is in nothing that it leaves behind."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.running import Ran, run
from tests.conftest import ClipMaker, Picture
from tests.leak.canary import in_bytes, in_picture, painted, pictures_in


def moving(picture: Picture, count: int = 24) -> list[Picture]:
    """The coded astronaut sliding over a grey scene, 640x528: the face moves 3 px a frame."""
    frames = []
    for index in range(count):
        frame = np.full((528, 640, 3), 110, np.uint8)
        frame[8:520, 20 + 3 * index : 532 + 3 * index] = picture
        frames.append(frame)
    return frames


@pytest.fixture
def coded(astronaut: Picture) -> Picture:
    return painted(astronaut)


def traces(folder: Path, inputs: set[str], ran: Ran, source: Picture) -> list[str]:
    """Where the code was found: files by name, `stdout` or `stderr`."""
    found = [
        name
        for name, text in (("stdout", ran.out), ("stderr", ran.err))
        if in_bytes(text.encode("utf-8", "surrogateescape"), source)
    ]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in inputs:
            seen = path.suffix not in {".json"} and any(in_picture(picture) for picture in pictures_in(path))
            if seen or in_bytes(path.read_bytes(), source):
                found.append(path.name)
    return found


def shared_memory() -> set[str]:
    """The segments of this machine but those of programs that other tests start meanwhile."""
    segments = Path("/dev/shm")  # noqa: S108
    names = {path.name for path in segments.iterdir()} if segments.is_dir() else set()
    return {name for name in names if not name.startswith(("PostgreSQL.", ".org.chromium."))}


def test_the_search_finds_the_code_where_it_is_and_nowhere_else(
    astronaut: Picture, coded: Picture, make_clip: ClipMaker, tmp_path: Path
) -> None:
    clip = make_clip(moving(coded, 3))
    assert all(in_picture(picture) for picture in pictures_in(clip))
    Image.fromarray(coded).save(tmp_path / "a.jpg")
    assert all(in_picture(picture) for picture in pictures_in(tmp_path / "a.jpg"))
    assert not in_picture(astronaut)
    assert in_bytes(b"log" + coded.tobytes(), coded)
    assert not in_bytes(astronaut.tobytes(), coded)
    small = np.asarray(Image.fromarray(moving(coded, 1)[0]).resize((320, 264)), np.uint8)
    assert in_picture(small)


@pytest.mark.models
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("fill", ["solid", "background", "mosaic"])
def test_the_code_leaves_nowhere_when_a_video_is_redacted(
    coded: Picture, make_clip: ClipMaker, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, fill: str
) -> None:
    temporary, memory = tmp_path_factory.mktemp("temporary"), shared_memory()
    clip = make_clip(moving(coded))
    ran = run("redact", clip, "--fill", fill, "--json", module="skyveil.cli.main", TMPDIR=str(temporary))
    assert ran.code == 0, ran.err
    assert (tmp_path / "clip.redacted.mp4.html").is_file()
    assert traces(tmp_path, {"clip.mp4"}, ran, coded) == []
    assert list(temporary.iterdir()) == []
    assert shared_memory() <= memory
    uncovered = np.mean([(picture > 60).mean() for picture in pictures_in(tmp_path / "clip.redacted.mp4")])
    assert uncovered > 0.3  # the picture was not simply blacked out


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_the_code_leaves_nowhere_when_pictures_are_redacted(coded: Picture, tmp_path: Path) -> None:
    names = {"a.jpg", "b.png", "c.webp"}
    for name in names:
        Image.fromarray(coded).save(tmp_path / name)
    ran = run("redact", *(tmp_path / name for name in sorted(names)), module="skyveil.cli.main")
    assert ran.code == 0, ran.err
    assert {"a.redacted.jpg", "b.redacted.png", "c.redacted.webp"} <= {path.name for path in tmp_path.iterdir()}
    assert traces(tmp_path, names, ran, coded) == []


@pytest.mark.parametrize("name", ["raises.mp4", "bug.mp4", "dies.mp4", "speaks.mp4", "hangs.mp4"])
def test_the_code_leaves_nowhere_when_the_worker_fails(
    coded: Picture, make_clip: ClipMaker, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    clip = make_clip(moving(coded, 14), name=name)
    ran = run("redact", clip, TMPDIR=str(temporary), SKYVEIL_TEST_SILENT_S="4")
    assert ran.code == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert traces(tmp_path, {name}, ran, coded) == []
    assert list(temporary.iterdir()) == []
