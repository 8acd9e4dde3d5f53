"""When the process that holds raw pixels fails, in any way and at any moment, nothing appears under a final name."""

import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyveil.app.process import Worker
from skyveil.app.task import Begin, Task
from skyveil.core.errors import WorkerFailed
from skyveil.core.settings import RedactSettings
from skyveil.public.wire import Finished
from tests.cli.running import ROOT, run, start
from tests.conftest import ClipMaker

STAND_IN = (sys.executable, "-P", "-m", "tests.app.stand_in")


@pytest.fixture(autouse=True)
def _tests_can_be_imported_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def until(happened: Callable[[], bool]) -> None:
    """Wait for something outside this process; its timeout is that of the test."""
    for _ in range(6000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail("it never happened")


def clip(make_clip: ClipMaker, name: str, count: int = 40) -> Path:
    return make_clip((np.full((48, 64, 3), index * 5 % 256, np.uint8) for index in range(count)), name=name)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("raises.mp4", "the network raised on purpose"),
        ("bug.mp4", "unexpected ValueError in stand_in.py"),  # its message quotes an array: type and place only
        ("hangs.mp4", "said nothing for 4 s"),
        ("dies.mp4", "killed by signal 11"),
        ("speaks.mp4", "killed by signal 6"),
    ],
)
def test_a_failing_worker_fails_its_file_and_the_next_is_done(make_clip: ClipMaker, name: str, cause: str) -> None:
    failing, good = clip(make_clip, name), clip(make_clip, "z.mp4")
    # A busy machine may take seconds to start a worker: only one that hangs is waited for so shortly.
    silent = {"SKYVEIL_TEST_SILENT_S": "4"} if name == "hangs.mp4" else {}
    ran = run("redact", failing, good, "--jobs", "1", **silent)
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1
    assert name in ran.err
    assert cause in ran.err
    assert names(good.parent) == [
        *sorted([name, "skyveil-report.html", "z.mp4", "z.redacted.mp4", "z.redacted.mp4.json"])
    ]
    everything = ran.out + ran.err + (good.parent / "skyveil-report.html").read_text()
    assert "77 77" not in everything


def test_a_worker_without_its_wall_serves_nothing(make_clip: ClipMaker, tmp_path: Path) -> None:
    source = clip(make_clip, "a.mp4")
    script = tmp_path / "holed.py"
    script.write_text(
        "import sys\n"
        "from skyveil.app import landlock, seccomp, worker\n"
        "def gone(*_, **__): raise OSError('switched off')\n"
        "landlock.restrict = seccomp.restrict = gone\n"
        "sys.exit(worker.main())\n"
    )
    worker = Worker(Begin((source,), {}), command=(sys.executable, str(script)))
    with pytest.raises(WorkerFailed, match=r"has holes: .*landlock.*switched off.*seccomp"):
        list(worker.run(Task(source, RedactSettings())))
    worker.close(at_once=True)


def test_a_worker_reads_only_what_it_was_given(make_clip: ClipMaker, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = clip(make_clip, "a.mp4")
    worker = Worker(Begin((tmp_path_factory.mktemp("elsewhere"),), {}), command=STAND_IN)
    with pytest.raises(Exception, match="ermission"):
        list(worker.run(Task(source, RedactSettings())))
    worker.close(at_once=True)


def test_one_worker_serves_many_files(make_clip: ClipMaker) -> None:
    source = clip(make_clip, "a.mp4")
    worker = Worker(Begin((source.parent,), {}), command=STAND_IN)
    for _ in range(3):
        last = list(worker.run(Task(source, RedactSettings())))[-1]
        assert isinstance(last, Finished)
        assert worker.idle
    worker.close(at_once=False)


def test_pictures_begun_ahead_are_never_taken_for_each_other(tmp_path: Path) -> None:
    sizes = {"a": 8, "bug": 16, "c": 24, "dies": 32, "e": 40, "f": 48, "raises": 64, "z": 72}
    for name, size in sizes.items():
        Image.new("RGB", (size, 8), "green").save(tmp_path / f"{name}.png")
    ran = run("redact", tmp_path, "-o", tmp_path / "out", "--jobs", "1")
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 3
    good = [name for name in sizes if len(name) == 1]
    assert names(tmp_path / "out") == sorted(
        [*(f"{name}.png{end}" for name in good for end in ("", ".json")), "skyveil-report.html"]
    )
    for name in good:
        with Image.open(tmp_path / "out" / f"{name}.png") as made:
            assert made.width == sizes[name]


def test_a_worker_refuses_another_file_than_it_was_sent_ahead(make_clip: ClipMaker) -> None:
    first, second, other = (clip(make_clip, name) for name in ("a.mp4", "b.mp4", "c.mp4"))
    worker = Worker(Begin((first.parent,), {}), command=STAND_IN)
    tasks = [Task(source, RedactSettings()) for source in (first, second, other)]
    assert isinstance(list(worker.run(tasks[0], then=tasks[1]))[-1], Finished)
    assert not worker.idle
    assert worker.takes(tasks[1])
    assert not worker.takes(tasks[2])
    with pytest.raises(WorkerFailed, match=r"was sent b\.mp4"):
        next(worker.run(tasks[2]))
    assert isinstance(list(worker.run(tasks[1]))[-1], Finished)
    assert worker.takes(None)
    worker.close(at_once=False)


def test_a_run_that_was_left_in_the_middle_makes_the_worker_useless(make_clip: ClipMaker) -> None:
    source = clip(make_clip, "a.mp4")
    worker = Worker(Begin((source.parent,), {}), command=STAND_IN)
    next(worker.run(Task(source, RedactSettings())))
    assert not worker.idle
    worker.close(at_once=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_leaves_nothing(make_clip: ClipMaker, number: int, code: int) -> None:
    source = clip(make_clip, "hangs.mp4")
    with start("redact", source) as process:
        until(lambda: (source.parent / "hangs.redacted.mp4.skyveil.part").exists())
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "nothing is left half-done" in err
    assert out == ""
    assert names(source.parent) == ["hangs.mp4"]


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_leaves_no_output_under_its_name(make_clip: ClipMaker, seed: int) -> None:
    source = clip(make_clip, "hangs.mp4")
    before = source.read_bytes()
    with start("redact", source) as process:
        time.sleep(random.Random(seed).uniform(0.0, 1.5))  # noqa: S311 (a moment, not a secret)
        children = workers_of(process.pid)
        process.kill()
        process.communicate(timeout=60)
    for child in children:
        until(partial(gone, child))
    assert "hangs.redacted.mp4" not in names(source.parent)
    assert source.read_bytes() == before
    good = source.rename(source.with_name("good.mp4"))
    for left in source.parent.glob("*.part"):
        left.rename(source.parent / "good.redacted.mp4.skyveil.part")
    assert run("redact", good).code == 0
    assert not list(source.parent.glob("*.part"))


def workers_of(pid: int) -> list[int]:
    """The children of a process, read from the system's own tables."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (OSError, IndexError):
        return True
