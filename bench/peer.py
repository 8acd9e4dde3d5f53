"""deface 1.5.0 in an environment of its own, in its strongest setting."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.measure import Usage, measured

REQUIREMENT = "deface==1.5.0"
STRONGEST = ("--replacewith", "solid", "--boxes")
SAME_SIZE = ("--ffmpeg-config", '{"codec": "libx264", "macro_block_size": 1}')
"""As it comes it stretches a video to multiples of 16 px (1080 lines to 1088), and pixels can not be compared."""


class Deface:
    """The peer's command; its environment is made once, by pip, beside this file."""

    def __init__(self, environment: Path) -> None:
        self.command = environment / "bin" / "deface"
        if not self.command.is_file():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            python = str(environment / "bin" / "python")
            pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", REQUIREMENT], check=True)

    def video(self, source: Path, output: Path) -> Usage:
        return measured([self.command, *STRONGEST, *SAME_SIZE, "--output", output, source])

    def folder(self, sources: Path, outputs: Path) -> Usage:
        """deface writes beside its inputs, so it works on a copy; only its own time counts."""
        shutil.rmtree(outputs, ignore_errors=True)
        shutil.copytree(sources, outputs)
        used = measured([self.command, *STRONGEST, outputs])
        for made in outputs.glob("*_anonymized.*"):
            made.replace(made.with_name(made.name.replace("_anonymized", "")))
        return used
