"""Runs the real command line in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def start(*arguments: str | Path, module: str = "tests.cli.stand_in", **more: str) -> "subprocess.Popen[str]":
    """Begin; the caller waits."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        env=environment(**more),
    )


def run(*arguments: str | Path, module: str = "tests.cli.stand_in", **more: str) -> Ran:
    """Run to the end."""
    with start(*arguments, module=module, **more) as process:
        out, err = process.communicate(timeout=120)
    return Ran(process.returncode, out, err)
