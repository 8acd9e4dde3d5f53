"""Every case of bad and of strange input: refused in one line, or done, or done with damage covered and told."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.cli.running import Ran, environment, run
from tests.conftest import ClipMaker, Picture


def pictures(count: int = 40, height: int = 96, width: int = 128) -> list[Picture]:
    """Noise, so that there are bytes to break."""
    random_ = np.random.default_rng(1)
    return [random_.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def refused(ran: Ran, folder: Path, *parts: str, code: int = 1) -> None:
    """One line that says what, where and what to do; nothing beside what was there."""
    assert ran.code == code, (ran.out, ran.err)
    lines = ran.err.strip().splitlines()
    assert len(lines) == 1, ran.err
    assert all(part in lines[0] for part in parts), lines[0]
    assert not [path for path in folder.rglob("*") if ".redacted" in path.name or path.suffix in {".part", ".html"}]


def test_a_missing_input_is_refused(tmp_path: Path) -> None:
    refused(run("redact", tmp_path / "gone.mp4"), tmp_path, "gone.mp4", "no such file", "check the path")


def test_an_empty_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    refused(run("redact", tmp_path / "empty.mp4"), tmp_path, "empty.mp4", "is empty")


@pytest.mark.parametrize("name", ["text.mp4", "text.jpg"])
def test_what_is_no_media_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("not a picture at all, nor a video\n" * 20)
    refused(run("redact", tmp_path / name), tmp_path, name)


def test_a_file_without_a_video_stream_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "sound.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("aac", 16000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    refused(run("redact", source), tmp_path, "sound.mp4", "video")


def test_a_video_of_no_frames_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "none.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg4", 25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    refused(run("redact", source), tmp_path, "none.avi")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere; the next test covers root")
def test_a_read_only_target_is_refused(make_clip: ClipMaker, tmp_path: Path) -> None:
    source = make_clip(pictures(3))
    (tmp_path / "out").mkdir(mode=0o500)
    refused(run("redact", source, "-o", tmp_path / "out"), tmp_path, "can not be written")


def test_a_target_where_nobody_may_write_is_refused(make_clip: ClipMaker, tmp_path: Path) -> None:
    source = make_clip(pictures(3))
    refused(run("redact", source, "-o", "/proc/a.mp4"), tmp_path, "/proc/a.mp4")


def test_a_full_target_is_refused_and_left_clean(make_clip: ClipMaker, tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that fills while frames are written."""
    source = make_clip(pictures(10))
    code = (
        "import os, resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'tests.cli.stand_in', 'redact', sys.argv[1]])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source)], capture_output=True, text=True, env=environment(), check=False
    )
    refused(Ran(done.returncode, done.stdout, done.stderr), tmp_path, "can not be written", "File too large")
    assert source.stat().st_size > 512


def test_an_output_whose_result_can_not_be_written_does_not_stay(make_clip: ClipMaker, tmp_path: Path) -> None:
    """Something else stands under the name that the result has meanwhile."""
    source = make_clip(pictures(3))
    taken = tmp_path / "out" / "clip.mp4.json.skyveil.part"
    taken.mkdir(parents=True)
    ran = run("redact", source, "-o", tmp_path / "out" / "clip.mp4")
    assert ran.code == 1 and "is not a file" in ran.err
    assert list((tmp_path / "out").iterdir()) == [taken]


def test_two_inputs_to_one_output_are_refused(make_clip: ClipMaker, tmp_path: Path) -> None:
    first = make_clip(pictures(3))
    (tmp_path / "b").mkdir()
    second = tmp_path / "b" / "clip.mp4"
    second.write_bytes(first.read_bytes())
    ran = run("redact", first, second, "-o", f"{tmp_path}/out/")
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 2
    assert "redact them apart" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_symlink_loop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    refused(run("redact", tmp_path / "loop.mp4"), tmp_path, "loop.mp4", "symbolic links")


def test_an_output_onto_the_input_is_refused_even_with_overwrite(make_clip: ClipMaker, tmp_path: Path) -> None:
    source = make_clip(pictures(3))
    before = source.read_bytes()
    refused(run("redact", source, "-o", source, "--overwrite"), tmp_path, "is itself an input")
    assert source.read_bytes() == before


def test_a_playlist_that_names_other_files_is_refused(make_clip: ClipMaker, tmp_path: Path) -> None:
    """A stranger's file must not pull in, and publish, what else lies on the machine."""
    secret = make_clip(pictures(3), name="secret.ts", codec="mpeg2video")
    (tmp_path / "a.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n")
    (tmp_path / "b.mp4").write_text(f"ffconcat version 1.0\nfile '{secret.name}'\n")
    named = [tmp_path / "a.m3u8", tmp_path / "b.mp4"]
    for options in ((), ("--keep-audio",)):
        ran = run("redact", *named, *options)
        assert ran.code == 1, ran.err
        lines = [line for line in ran.err.splitlines() if "voices identify people" not in line]
        assert len(lines) == 2, ran.err
        assert all("name the media itself" in line for line in lines)
        assert all(any(path.name in line for line in lines) for path in named)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.m3u8", "b.mp4", "secret.ts"]


# ---- done -----------------------------------------------------------------------------------------------------------


STRANGE = ("two words", "new\nline", "\u05e9\u05dc\u05d5\u05dd", "-o", "\u202egnp", "'; rm x")


def test_strange_names_are_done(make_clip: ClipMaker, tmp_path: Path) -> None:
    data = make_clip(pictures(3)).read_bytes()
    sources = [tmp_path / f"{stem}.mp4" for stem in STRANGE]
    for source in sources:
        source.write_bytes(data)
    ran = run("redact", "--", *sources)
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) == len(STRANGE) + 1, ran.out
    for source in sources:
        assert source.with_suffix(".redacted.mp4").is_file()
        result = json.loads(source.with_suffix(".redacted.mp4.json").read_text())
        assert result["input"]["name"] == source.name


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_pictures_of_one_pixel_and_of_8k_are_done(tmp_path: Path, kind: str) -> None:
    sizes = ((1, 1), (1, 300), (7680, 4320))
    for size in sizes:
        Image.new("RGB", size, (200, 30, 90)).save(tmp_path / f"{size[1]}.{kind}")
    assert run("redact", tmp_path, "-o", tmp_path / "out").code == 0
    for size in sizes:
        with Image.open(tmp_path / "out" / f"{size[1]}.{kind}") as image:
            assert image.size == size


def test_pictures_of_every_orientation_come_out_upright(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (40, 20), (200, 30, 90)).save(tmp_path / f"{orientation}.jpg", exif=exif)
    assert run("redact", tmp_path, "-o", tmp_path / "out").code == 0
    for orientation in range(1, 9):
        with Image.open(tmp_path / "out" / f"{orientation}.jpg") as image:
            assert image.size == ((40, 20) if orientation <= 4 else (20, 40))
            assert len(image.getexif()) == 0


def test_odd_sizes_are_done_and_padded_to_even(make_clip: ClipMaker, tmp_path: Path) -> None:
    sizes = ((49, 65), (48, 65), (2, 2), (17, 16))
    for height, width in sizes:
        make_clip(pictures(4, height, width), name=f"{height}x{width}.mkv", codec="ffv1", pixel_format="yuv444p")
    assert run("redact", tmp_path, "-o", tmp_path / "out").code == 0
    for height, width in sizes:
        with av.open(str(tmp_path / "out" / f"{height}x{width}.mkv")) as container:
            assert container.streams.video[0].width == width + width % 2
            assert container.streams.video[0].height == height + height % 2


def test_a_variable_rate_keeps_every_time(make_clip: ClipMaker, tmp_path: Path) -> None:
    times = [0, 33, 66, 500, 533, 1700, 1733, 4000]
    source = make_clip(pictures(len(times)), name="a.mkv", times_ms=times)
    assert run("redact", source).code == 0
    assert times_of(tmp_path / "a.redacted.mkv") == times_of(source)


def times_of(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [Fraction(frame.pts or 0) * (frame.time_base or Fraction(1)) for frame in frames]


# ---- damaged --------------------------------------------------------------------------------------------------------


def test_a_truncated_video_is_done_up_to_there_and_exits_3(make_clip: ClipMaker, tmp_path: Path) -> None:
    whole = make_clip(pictures(40), name="a.mkv").read_bytes()
    source = tmp_path / "a.mkv"
    source.write_bytes(whole[: len(whole) * 6 // 10])
    ran = run("redact", source)
    assert ran.code == 3, (ran.out, ran.err)
    result = json.loads((tmp_path / "a.redacted.mkv.json").read_text())
    assert result["state"] == "damaged"
    assert 10 < result["frames"] <= 40


def test_an_mp4_without_its_index_is_refused(make_clip: ClipMaker, tmp_path: Path) -> None:
    whole = make_clip(pictures(40)).read_bytes()
    (tmp_path / "clip.mp4").write_bytes(whole[: len(whole) // 2])
    refused(run("redact", tmp_path / "clip.mp4"), tmp_path, "clip.mp4")


def test_overwritten_bytes_are_covered_counted_and_exit_3(make_clip: ClipMaker, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv", "c.avi"):
        source = make_clip(pictures(40), name=name, codec="mpeg4" if name.endswith("avi") else "libx264")
        data = bytearray(source.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 3000] = b"\x55" * 3000
        source.write_bytes(data)
    ran = run("redact", tmp_path, "-o", tmp_path / "out")
    assert ran.code == 3, (ran.out, ran.err)
    results = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")]
    assert len(results) == 3
    for result in results:
        assert result["state"] == "damaged"
        assert result["frames_damaged"] + len(result["gaps_s"]) > 0


def test_a_truncated_picture_is_covered_and_exits_3_or_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    Image.fromarray(pictures(1)[0]).save(source)
    source.write_bytes(source.read_bytes()[:-2000])
    ran = run("redact", source)
    if ran.code == 3:
        with Image.open(tmp_path / "a.redacted.jpg") as image:
            assert np.asarray(image).max() < 16
    else:
        refused(ran, tmp_path, "a.jpg")


# ---- fuzzed ---------------------------------------------------------------------------------------------------------


def mutated(data: bytes, seed: int) -> bytes:
    """Some bytes changed, a piece cut out, or a piece doubled, headers included."""
    chance = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    out = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(out))
        match chance.randrange(4):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                out[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"])
            case 2:
                del out[at : at + chance.randint(1, 64)]
            case _:
                out[at:at] = out[at : at + chance.randint(1, 64)]
    return bytes(out) or b"\x00"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of broken files, every container and still format, eight of each."""
    folder = tmp_path_factory.mktemp("fuzz")
    make = ClipMaker(tmp_path_factory.mktemp("seeds"))
    small = pictures(6, 32, 48)
    seeds = {
        "mp4": make(small, name="a.mp4").read_bytes(),
        "mkv": make(small, name="a.mkv").read_bytes(),
        "avi": make(small, name="a.avi", codec="mpeg4").read_bytes(),
    }
    for kind in ("jpeg", "png", "webp", "tiff"):
        path = folder / f"seed.{kind}"
        Image.fromarray(small[0]).save(path)
        seeds[kind] = path.read_bytes()
        path.unlink()
    for kind, data in seeds.items():
        for seed in range(8):
            (folder / f"{seed}.{kind}").write_bytes(mutated(data, seed))
    yield folder


def test_fuzzed_containers_never_break_anything(fuzzed: Path, tmp_path: Path) -> None:
    """Each is refused in one line or done with a valid output; no traceback, no leftover, no original touched."""
    before = {path.name: path.read_bytes() for path in fuzzed.iterdir()}
    ran = run("redact", fuzzed, "-o", tmp_path / "out", "--jobs", "2", "--json")
    assert ran.code in {0, 1, 3}
    assert "Traceback" not in ran.err
    told = json.loads(ran.out)
    assert all(line.startswith("skyveil: ") for line in ran.err.splitlines())
    outputs = {path.name for path in (tmp_path / "out").iterdir() if path.suffix not in {".json", ".html"}}
    assert outputs == {result["output"]["name"] for result in told["results"]}
    assert len(outputs) + len(told["failed"]) == len(before)
    assert {path.name: path.read_bytes() for path in fuzzed.iterdir()} == before
    assert not any("unexpected" in failed["why"] for failed in told["failed"]), told["failed"]
    for name in outputs:
        decodes(tmp_path / "out" / name)


def decodes(path: Path) -> None:
    if path.suffix in {".mp4", ".mkv"}:
        with av.open(str(path)) as container:
            assert len(list(container.decode(video=0))) > 0
    else:
        with Image.open(path) as image:
            image.load()
