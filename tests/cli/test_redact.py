"""`skyveil redact`: options, lines, exit codes, with the real command line in a process of its own."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from skyveil.app.additions import mask_from, masks_from_file
from skyveil.cli.main import COMMANDS, build
from skyveil.core.errors import SettingsRefused
from tests.cli.running import ROOT, Ran, environment, run
from tests.conftest import ClipMaker, Picture


def pictures(count: int = 30, height: int = 48, width: int = 64) -> list[Picture]:
    return [np.full((height, width, 3), index * 3 % 256, np.uint8) for index in range(count)]


@pytest.fixture
def clip(make_clip: ClipMaker) -> Path:
    return make_clip(pictures())


def one_line_refusal(ran: Ran, *parts: str) -> None:
    """The command said why in one line, and showed no traceback."""
    lines = ran.err.strip().splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("skyveil: ")
    assert all(part in lines[0] for part in parts), lines[0]


def test_a_clip_is_redacted_beside_its_input(clip: Path) -> None:
    before = clip.read_bytes()
    ran = run("redact", clip)
    assert (ran.code, ran.err) == (0, "")
    assert sorted(path.name for path in clip.parent.iterdir()) == [
        "clip.mp4", "clip.redacted.mp4", "clip.redacted.mp4.html", "clip.redacted.mp4.json",
    ]  # fmt: skip
    assert clip.read_bytes() == before
    assert "30 frames, 100.0 % covered" in ran.out
    with av.open(str(clip.with_name("clip.redacted.mp4"))) as container:
        assert [int(frame.to_ndarray(format="gray").max()) for frame in container.decode(video=0)] == [0] * 30


def test_the_result_tells_names_hashes_and_settings_and_no_folder_user_or_time(clip: Path) -> None:
    assert run("redact", clip, "--mode", "strict", "--mask", "0,0 9,0 9,9").code == 0
    text = clip.with_name("clip.redacted.mp4.json").read_text()
    result = json.loads(text)
    assert result["schema"] == "skyveil.result/1"
    assert result["state"] == "done"
    assert result["input"]["name"] == "clip.mp4"
    assert result["settings"]["mode"] == "strict"
    assert result["settings"]["masks"] == 1
    assert result["frames"] == result["frames_covered_wholly"] == 30
    assert {"no files", "seccomp"} <= set(result["wall"]["holds"])
    assert str(clip.parent) not in text
    assert "points" not in text


def test_no_input_hash_tells_nothing_of_the_input_but_its_name(clip: Path) -> None:
    assert run("redact", clip, "--no-input-hash").code == 0
    result = json.loads(clip.with_name("clip.redacted.mp4.json").read_text())
    assert result["input"] == {"name": "clip.mp4", "sha256": None, "size": None}
    assert len(result["output"]["sha256"]) == 64


def test_a_second_run_finds_the_work_done_and_other_settings_are_refused(clip: Path) -> None:
    assert run("redact", clip).code == 0
    made = clip.with_name("clip.redacted.mp4").stat()
    again = run("redact", clip)
    assert again.code == 0
    assert again.out == "done already clip.mp4\n"
    assert clip.with_name("clip.redacted.mp4").stat() == made
    other = run("redact", clip, "--target", "person")
    assert other.code == 1
    one_line_refusal(other, "clip.redacted.mp4", "exists", "--overwrite")
    assert run("redact", clip, "--target", "person", "--overwrite").code == 0


def test_a_changed_output_or_input_is_not_taken_for_done(clip: Path, make_clip: ClipMaker) -> None:
    assert run("redact", clip).code == 0
    make_clip(pictures(20))
    assert run("redact", clip).code == 1


def test_verify_reads_outputs_in_folders_that_are_made_on_the_way(clip: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "x.mp4").write_bytes(clip.read_bytes())
    ran = run("redact", tmp_path / "in", "-o", tmp_path / "out", "--verify", "--jobs", "1")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("suffix", [".gif", ".bmp", ".avif"])
def test_a_picture_in_a_format_that_is_not_written_becomes_a_png(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (32, 24), "green").save(tmp_path / f"a{suffix}")
    assert run("redact", tmp_path).code == 0
    with Image.open(tmp_path / f"a{suffix}.redacted.png") as made:
        assert (made.format, made.size) == ("PNG", (32, 24))


def test_an_output_gets_its_name_only_after_the_second_look(make_clip: ClipMaker) -> None:
    clip = make_clip(pictures(), name="unverifiable.mp4")
    output = clip.with_name("unverifiable.redacted.mp4")
    output.write_bytes(b"of an earlier run")
    ran = run("redact", clip, "--verify", "--overwrite")
    assert ran.code == 1
    one_line_refusal(ran, "unverifiable.mp4", "the second look failed on purpose")
    assert ran.err.count("unverifiable.mp4") == 1
    assert output.read_bytes() == b"of an earlier run"
    assert not list(clip.parent.glob("*.part"))


def test_suspects_that_are_left_count_in_every_run_and_for_files_of_one_name(clip: Path, tmp_path: Path) -> None:
    sources = [tmp_path / name / "suspect.mp4" for name in ("a", "b")]
    for source in sources:
        source.parent.mkdir()
        source.write_bytes(clip.read_bytes())
    first = run("redact", *sources, "--verify", "--json")
    assert first.code == 1
    assert len(json.loads(first.out)["suspects"]["suspect.mp4"]) == len(sources)
    assert run("redact", *sources, "--verify").code == 1
    assert run("redact", *sources).code == 0


def test_json_is_one_object_on_stdout(clip: Path) -> None:
    ran = run("redact", clip, clip.parent / "gone.mp4", "--json")
    said = json.loads(ran.out)
    assert ran.code == said["exit_code"] == 1
    assert said["schema"] == "skyveil.run/1"
    assert [result["frames"] for result in said["results"]] == [30]
    assert "gone.mp4" in said["failed"][0]["path"]


@pytest.mark.parametrize("stream", ["1>/dev/full", "1>&-", "2>&-", "0<&-", "1>&- 2>&- 0<&-", "| true"])
@pytest.mark.parametrize("as_json", [False, True])
def test_files_are_done_although_nobody_reads_of_it(clip: Path, stream: str, as_json: bool) -> None:
    other = clip.with_name("other.mp4")
    other.write_bytes(clip.read_bytes())
    command = [sys.executable, "-m", "tests.cli.stand_in", "redact", str(clip.parent), "--jobs", "1"]
    line = f"set -o pipefail; {shlex.join([*command, *(['--json'] if as_json else [])])} {stream}"
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False)
    assert "Traceback" not in ran.stderr
    assert ran.returncode == (1 if as_json and stream in {"1>/dev/full", "| true"} else 0), ran.stderr
    for one in (clip, other):
        with av.open(str(one.with_name(f"{one.stem}.redacted.mp4"))) as container:
            assert sum(1 for _ in container.decode(video=0)) == 30
    assert (clip.parent / "skyveil-report.html").is_file()


def test_a_report_of_somebody_else_stays_and_is_told(clip: Path) -> None:
    page = clip.with_name("clip.redacted.mp4.html")
    page.write_text("my notes")
    ran = run("redact", clip)
    assert ran.code == 0 and page.read_text() == "my notes"
    one_line_refusal(ran, "the report was not written", "is no report of skyveil")
    assert run("redact", clip, "--overwrite").code == 0 and "Skyveil report" in page.read_text()


def test_dry_run_writes_nothing(clip: Path) -> None:
    ran = run("redact", clip, "--dry-run")
    assert ran.code == 0
    assert ran.out == f"would redact {clip} -> {clip.with_name('clip.redacted.mp4')}\n"
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]
    told = json.loads(run("redact", clip, "--dry-run", "--json").out)
    assert told["would"][0]["kind"] == "video"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--target", "faces"], ["unknown target 'faces'", "face, head, person, plate"]),
        (["--mask", "1,2"], ["at least 3 corners"]),
        (["--mask", "1,2 3,4 5,oops"], ["--mask", "X,Y X,Y X,Y"]),
        (["--mask", "0,0 9,0 9,9@5-2"], ["end after it starts"]),
        (["--crf", "99"], ["crf of h264 must be 1 to 51"]),
        (["--preset", "warp"], ["unknown preset 'warp'", "ultrafast"]),
        (["--add", "gone.json"], ["--add gone.json", "can not be read"]),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_in_one_line(
    clip: Path, arguments: list[str], parts: list[str]
) -> None:
    ran = run("redact", clip, *arguments)
    assert ran.code == 2
    one_line_refusal(ran, *parts)
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]


def test_nothing_to_redact_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    ran = run("redact", tmp_path)
    assert ran.code == 2
    assert "nothing to redact" in ran.err
    assert "skipped" in ran.out


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from skyveil.cli.main import build; build(()); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(), cwd=ROOT
    )
    heavy = {"numpy", "cv2", "av", "openvino", "jinja2", "rich", "PIL", "urllib.request"}
    assert heavy & set(done.stdout.split()) == set()


def test_the_parent_imports_no_network_runtime_and_the_worker_no_screen() -> None:
    code = "import sys; import skyveil.app.batch, skyveil.cli.progress; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert {"cv2", "openvino", "jinja2", "rich", "onnxruntime"} & set(done.stdout.split()) == set()
    code = "import sys; import skyveil.app.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert {"typer", "rich", "jinja2", "urllib.request"} & set(done.stdout.split()) == set()


def test_the_summary_of_a_command_is_the_one_its_module_tells() -> None:
    for group in (build(COMMANDS), build(())):
        told = {
            command.name or getattr(command.callback, "__name__", ""): (command.help or command.callback.__doc__ or "")
            for command in group.registered_commands
            if command.callback is not None
        }
        for name, text in told.items():
            assert text.splitlines()[0] == COMMANDS[name][1]


def test_import_skyveil_is_light_and_its_names_are_the_api() -> None:
    code = "import sys, skyveil; print('numpy' in sys.modules, sorted(skyveil.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == "False ['__version__', 'redact_file', 'redact_image']\n"


def test_a_mask_is_read_with_and_without_a_span() -> None:
    assert mask_from("0,0 4,0 4,3").start_s is None
    mask = mask_from("0,0;4.5,0;4,3@1:02.5-1:00:00")
    assert mask.points[1] == (4.5, 0.0)
    assert (mask.start_s, mask.end_s) == (62.5, 3600.0)


def test_suspects_of_a_verify_file_become_masks_around_them(tmp_path: Path) -> None:
    suspects = tmp_path / "suspects.json"
    suspects.write_text('{"suspects": [{"start_s": 1, "end_s": 2, "xyxy": [10, 10, 30, 30], "kind": "face"}]}')
    (mask,) = masks_from_file(suspects)
    assert mask.points == ((5.0, 5.0), (35.0, 5.0), (35.0, 35.0), (5.0, 35.0))
    assert mask.covers(1.0)
    assert mask.covers(2.0)
    one = '{"suspects": [{"start_s": %s, "end_s": 2, "xyxy": [%s, 10, 30, 30], "kind": "face"}]}'
    for text in ('{"suspects": [{"start_s": 1}]}', one % ("NaN", 10), one % (-1, 10), one % (1, "Infinity"),
                 one % (1, -1e300), one % (1, "NaN")):  # fmt: skip
        suspects.write_text(text)
        with pytest.raises(SettingsRefused, match="skyveil verify --json"):
            masks_from_file(suspects)
