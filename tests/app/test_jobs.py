"""Paths become jobs: what is taken, what is left out, where outputs go, what is refused."""

import json
import os
from pathlib import Path

import pytest

from skyveil.app.jobs import Plan, plan, still_format, writable
from skyveil.app.made import is_own_output, result_of
from skyveil.app.names import shown
from skyveil.core.errors import InputRefused, OutputRefused, SettingsRefused
from skyveil.core.settings import Codec

JPEG = b"\xff\xd8\xff\xe0" + b"0" * 60
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 60
VIDEO = b"\x00\x00\x00\x20ftypisom" + b"0" * 60


def made(folder: Path, *names: str, data: bytes = VIDEO) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return paths


def planned(*paths: Path | str, output: Path | str | None = None, codec: Codec = "h264") -> Plan:
    return plan([str(path) for path in paths], output=None if output is None else str(output), codec=codec)


@pytest.mark.parametrize(
    ("name", "data", "codec", "expected"),
    [
        ("a.mp4", VIDEO, "h264", "a.redacted.mp4"),
        ("a.MKV", VIDEO, "h265", "a.redacted.MKV"),  # the container can hold it: kept, spelling and all
        ("a.mov", VIDEO, "av1", "a.mov.redacted.mp4"),  # MOV players do not take AV1
        ("a.avi", VIDEO, "h264", "a.avi.redacted.mp4"),  # AVI has no exact times; the name says what it was
        ("a.webm", VIDEO, "h264", "a.webm.redacted.mp4"),
        ("a.webm", VIDEO, "av1", "a.redacted.webm"),
        ("a.jpg", JPEG, "h264", "a.redacted.jpg"),
        ("a.png", JPEG, "h264", "a.png.redacted.jpg"),  # the name lies: the output's name does not
        ("noname", PNG, "h264", "noname.redacted.png"),
    ],
)
def test_an_output_is_named_after_its_input_and_what_it_holds(
    tmp_path: Path, name: str, data: bytes, codec: Codec, expected: str
) -> None:
    (source,) = made(tmp_path, name, data=data)
    (job,) = planned(source, codec=codec).jobs
    assert job.output == tmp_path / expected
    assert result_of(job.output).name == expected + ".json"


def test_a_folder_becomes_the_same_tree_below_the_output_folder(tmp_path: Path) -> None:
    made(tmp_path / "in", "a.mp4", "b/c.avi", "b/c.mp4", "b/d/e.mkv")
    found = planned(tmp_path / "in", output=tmp_path / "out")
    assert [str(job.output.relative_to(tmp_path / "out")) for job in found.jobs] == [
        "a.mp4", "b/c.avi.mp4", "b/c.mp4", "b/d/e.mkv",
    ]  # fmt: skip
    assert found.report == tmp_path / "out" / "skyveil-report.html"


def test_an_output_folder_inside_the_input_folder_is_no_input(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "out/a.mp4")
    found = planned(tmp_path, output=tmp_path / "out")
    assert [job.source.name for job in found.jobs] == ["a.mp4"]
    assert [left.path for left in found.skipped] == [tmp_path / "out" / "a.mp4"]


def told(path: Path) -> None:
    """Write a result beside a file that tells its name and size."""
    side = {"name": path.name, "size": path.stat().st_size}
    result_of(path).write_text(json.dumps({"schema": "skyveil.result/1", "output": side}))


def test_own_outputs_are_left_out_named_or_not(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "a.redacted.mp4")
    told(tmp_path / "a.redacted.mp4")
    found = planned(tmp_path)
    assert [job.source.name for job in found.jobs] == ["a.mp4"]
    assert [left.path.name for left in found.skipped] == ["a.redacted.mp4"]
    assert planned(tmp_path / "a.redacted.mp4").jobs == ()


@pytest.mark.parametrize("beside", [None, '{"schema": "skyveil.result/1"}', "of the file before", "renamed", "[]"])
def test_what_only_looks_like_ours_is_redacted(tmp_path: Path, beside: str | None) -> None:
    """By its name, or by a result of another file, anybody could have a raw file left out."""
    (raw,) = made(tmp_path, "raw.redacted.mp4")
    if beside == "of the file before":
        told(raw)
        raw.write_bytes(raw.read_bytes() + b"x")
    elif beside == "renamed":
        (other,) = made(tmp_path / "other", "other.mp4")
        told(other)
        result_of(other).rename(result_of(raw))
        other.unlink()
    elif beside is not None:
        result_of(raw).write_text(beside)
    assert not is_own_output(raw)
    assert [job.source for job in planned(tmp_path).jobs] == [raw]
    assert [job.source for job in planned(raw).jobs] == [raw]


@pytest.mark.parametrize("end", ["", ".json", ".skyveil.part", ".json.skyveil.part"])
def test_an_input_is_nothing_that_another_output_writes(tmp_path: Path, end: str) -> None:
    clip, taken = made(tmp_path, "a.mp4", f"a.redacted.mp4{end}")
    found = planned(clip, taken)
    assert clip not in [job.source for job in found.jobs]
    assert "is itself an input" in found.refused[0].why
    (alone,) = made(tmp_path / "alone", f"b.mp4{end}")
    assert "is itself an input" in planned(alone, output=tmp_path / "alone" / "b.mp4").refused[0].why


def test_a_sidecar_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (clip,) = made(tmp_path, "a.mp4")
    (job,) = planned(clip).jobs
    job.result.write_text('{"photo": "taken on a holiday"}')
    with pytest.raises(OutputRefused, match="is no result of skyveil"):
        writable(job, overwrite=False)
    writable(job, overwrite=True)
    job.result.write_text('{"schema": "skyveil.result/1"}')
    writable(job, overwrite=False)


def test_unknown_files_in_a_folder_are_listed_and_named_ones_tried(tmp_path: Path) -> None:
    (notes,) = made(tmp_path, "notes.txt")
    assert [left.path.name for left in planned(tmp_path).skipped] == ["notes.txt"]
    assert [job.source for job in planned(notes).jobs] == [notes]


def test_a_pattern_finds_files_below(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "b/c.mp4", "b/d.txt")
    found = planned(f"{tmp_path}/**/*.mp4", output=f"{tmp_path}/out/")
    assert {job.source.name for job in found.jobs} == {"a.mp4", "c.mp4"}


@pytest.mark.parametrize("name", ["a[1].mp4", "a*b.mp4", "a?.mp4"])
def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path, name: str) -> None:
    (source,) = made(tmp_path, name)
    assert [job.source for job in planned(source).jobs] == [source]


@pytest.mark.parametrize(
    ("path", "why"), [("missing.mp4", "no such file"), ("*.mp4", "no file matches"), ("pipe", "neither a file nor")]
)
def test_what_is_not_there_is_refused_and_the_rest_goes_on(tmp_path: Path, path: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (source,) = made(tmp_path / "there", "a.mp4")
    found = planned(tmp_path / path, source)
    assert [job.source for job in found.jobs] == [source]
    assert why in found.refused[0].why


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (source,) = made(tmp_path, "a.mp4", data=b"")
    assert "empty" in planned(source).refused[0].why


def test_a_loop_of_links_is_refused_when_named_and_skipped_when_found(tmp_path: Path) -> None:
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert "links" in planned(tmp_path / "loop.mp4").refused[0].why
    found = planned(tmp_path)
    assert found.jobs == ()
    assert {left.why for left in found.skipped} == {"is a link that leads nowhere", "is a link to a folder"}


def test_two_inputs_to_one_output_are_both_refused(tmp_path: Path) -> None:
    first, second, third = made(tmp_path, "a/x.mp4", "b/X.mp4", "b/y.mp4")
    found = planned(first, second, third, output=f"{tmp_path}/out/")
    assert [job.source for job in found.jobs] == [third]
    assert [left.path for left in found.refused] == [first, second]
    assert all("redact them apart" in left.why for left in found.refused)


def test_one_output_file_for_several_inputs_makes_no_sense(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(SettingsRefused, match="one output file for several inputs"):
        planned(tmp_path / "a.mp4", tmp_path / "b.mp4", output=tmp_path / "out.mp4")


def test_an_output_that_is_an_input_is_refused(tmp_path: Path) -> None:
    (source,) = made(tmp_path, "a.mp4")
    assert "is itself an input" in planned(source, output=source).refused[0].why
    (tmp_path / "link.mp4").symlink_to(source)
    assert "is itself an input" in planned(source, output=tmp_path / "link.mp4").refused[0].why
    assert "is itself an input" in planned(tmp_path / "link.mp4", output=source).refused[0].why


def test_an_output_name_that_can_not_hold_the_kind_is_refused(tmp_path: Path) -> None:
    (video,) = made(tmp_path, "a.mp4")
    (still,) = made(tmp_path, "a.png", data=PNG)
    assert "can not hold h264" in planned(video, output=tmp_path / "b.avi").refused[0].why
    assert "can not hold png" in planned(still, output=tmp_path / "b.jpg").refused[0].why


def test_a_file_named_twice_is_done_once(tmp_path: Path) -> None:
    (source,) = made(tmp_path, "a.mp4")
    (tmp_path / "link.mp4").symlink_to(source)
    assert len(planned(source, source, tmp_path / "link.mp4").jobs) == 1


def test_no_input_makes_no_sense() -> None:
    with pytest.raises(SettingsRefused, match="no input"):
        plan([], output=None, codec="h264")


@pytest.mark.parametrize(
    "name", ["two words.mp4", "new\nline.mp4", "\u05e9\u05dc\u05d5\u05dd.mp4", "\u202egnp.mp4", "\udcff.mp4"]
)
def test_strange_names_keep_and_are_shown_on_one_line(tmp_path: Path, name: str) -> None:
    (source,) = made(tmp_path, name)
    (job,) = planned(source).jobs
    assert job.output.name == name.removesuffix(".mp4") + ".redacted.mp4"
    text = shown(job.output)
    assert len(text.splitlines()) == 1
    assert "\u202e" not in text
    text.encode()


def test_an_existing_output_is_refused_unless_told(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "a.redacted.mp4")
    (job,) = planned(tmp_path / "a.mp4").jobs
    with pytest.raises(OutputRefused, match="--overwrite"):
        writable(job, overwrite=False)
    writable(job, overwrite=True)


def test_an_output_that_is_a_folder_or_lies_below_a_file_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "file")
    (tmp_path / "a.redacted.mp4").mkdir()
    (job,) = planned(tmp_path / "a.mp4").jobs
    with pytest.raises(OutputRefused, match="is a folder"):
        writable(job, overwrite=True)
    (job,) = planned(tmp_path / "a.mp4", output=tmp_path / "file" / "out.mp4").jobs
    with pytest.raises(OutputRefused, match="is not a folder"):
        writable(job, overwrite=True)


def test_a_file_that_is_named_is_never_skipped_for_lying_in_the_output_folder(tmp_path: Path) -> None:
    made(tmp_path, "a.avi", "b.mp4")
    plan_ = planned(tmp_path / "a.avi", tmp_path / "b.mp4", output=f"{tmp_path}/")
    assert [job.output for job in plan_.jobs] == [tmp_path / "a.avi.mp4"]
    assert [left.path for left in plan_.refused] == [tmp_path / "b.mp4"]
    assert plan_.skipped == ()


def test_the_kind_is_read_from_the_first_bytes(tmp_path: Path) -> None:
    heads = {
        "jpeg": JPEG,
        "png": PNG,
        "webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        "tiff": b"MM\x00*" + b"0" * 9,
        "heic": b"\x00\x00\x00\x18ftypmif1" + b"0" * 9,
    }
    for name, head in heads.items():
        assert still_format(made(tmp_path, name, data=head)[0]) == name
    assert still_format(made(tmp_path, "m", data=JPEG + b"\xff\xd9" + JPEG)[0]) is None  # Motion JPEG
    assert still_format(made(tmp_path, "v", data=VIDEO)[0]) is None
    with pytest.raises(InputRefused, match="can not be read"):
        still_format(tmp_path / "gone")


def test_a_name_that_would_be_too_long_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    made(tmp_path, f"{'n' * 240}.mp4", f"{'字' * 80}.mp4", f"{'m' * 220}.mp4", "a.mp4")
    found = planned(tmp_path)
    assert [job.source.name[0] for job in found.jobs] == ["a", "m"]
    assert all("--output" in left.why for left in found.refused) and len(found.refused) == 2


def test_a_named_folder_inside_the_output_folder_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "p/sub/a.mp4", "q/b.mp4")
    found = planned(tmp_path / "p" / "sub", tmp_path / "q", output=tmp_path / "p")
    assert [job.source.name for job in found.jobs] == ["b.mp4"]
    assert [(left.path.name, left.why) for left in found.refused] == [
        ("a.mp4", "lies in the output folder; name another one with --output")
    ]
    assert found.skipped == ()
