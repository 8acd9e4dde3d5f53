"""What a process that holds raw pixels is started with. App."""

import subprocess
import sys
from pathlib import Path

import pytest

from skyveil.app import process
from skyveil.app.process import Worker, child_environment
from skyveil.app.task import Begin, Task
from skyveil.core.errors import WorkerFailed
from skyveil.core.settings import RedactSettings


def test_libraries_that_compute_keep_to_one_thread() -> None:
    asked = "import cv2; print(cv2.getNumThreads())"
    told = subprocess.run([sys.executable, "-c", asked], env=child_environment(), capture_output=True, check=True)
    assert told.stdout.strip() == b"1"


def test_a_silent_worker_is_ended_but_not_for_the_time_that_the_machine_kept_it_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It waits for a processor all of the first 0.2 s of its silence, half of the next, and then no more: it hangs.
    said = [5.0, 5.2, 5.3, 5.3, 5.3]
    monkeypatch.setattr(process, "kept_waiting_s", lambda _: said.pop(0) if len(said) > 1 else said[0])
    hangs = (sys.executable, "-c", "import time; time.sleep(60)")
    worker = Worker(Begin((), {}), command=hangs, silent_s=0.2)
    try:
        with pytest.raises(WorkerFailed, match=r"said nothing for 0\.2 s"):
            next(worker.run(Task(tmp_path / "a.mp4", RedactSettings())))
    finally:
        worker.close(at_once=True)
    assert len(said) == 1
