"""What one command costs, all its processes together, and on which machine."""

import json
import os
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
SAMPLE_S = 0.1


@dataclass(frozen=True)
class Usage:
    """CPU of the command and of every descendant it waited for; the largest sum of their resident memory."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def measured(command: Sequence[str | Path]) -> Usage:
    """Run a command in a fresh process; SystemExit with its last words when it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as words_file:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words_file
        )
        memory = _Memory(process.pid)
        memory.start()
        _, status, used = os.wait4(process.pid, 0)
        words_file.seek(0)
        words = words_file.read()
    wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    memory.end()
    if process.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))}: exit {process.returncode}: {words[-2000:].decode(errors='replace')}"
        )
    # wait4 adds what the process itself waited for: workers and their like.
    return Usage(used.ru_utime + used.ru_stime, wall_s, max(memory.peak_mb, used.ru_maxrss / 1e3))


class _Memory(threading.Thread):
    """Samples the resident memory of a process and its descendants; shared pages count once per process."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="memory", daemon=True)
        self.peak_mb = 0.0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.peak_mb = max(self.peak_mb, sum(_resident_mb(pid) for pid in _tree(self._pid)))

    def end(self) -> None:
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            children = [Path(f"/proc/{one}/task/{task.name}/children") for task in Path(f"/proc/{one}/task").iterdir()]
            found += [int(child) for path in children for child in path.read_text().split()]
        except OSError:  # it has just ended
            continue
    return found


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB
    except OSError:  # it has just ended
        return 0.0


def machine() -> dict[str, str]:
    """What the figures belong to."""
    processor = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "processor": processor,
        "processors usable": str(len(os.sched_getaffinity(0))),
        "instruction sets": ", ".join(name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(
            f"{name} {version(name)}" for name in ("av", "numpy", "opencv-python-headless", "openvino")
        ),
        "commit": _commit(),
    }


def load() -> str:
    """Load of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _commit() -> str:
    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=here, check=True, capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (", with changes" if git("status", "--porcelain", "src") else "")


def precision_of(output: Path) -> str:
    """The number format that the result JSON beside an output names."""
    return str(json.loads(output.with_name(output.name + ".json").read_text())["precision"])
