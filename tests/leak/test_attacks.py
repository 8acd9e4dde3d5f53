"""Every known way to let raw pixels out is caught, by the layers that are said to catch it and by no others.

Static layers look at all attacks at once, in a copy of the package; each of the two other layers is one process.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.leak.attacks import ATTACKS, Attack, Layer

ROOT = Path(__file__).parents[2]
BOUNDARY_RULES = re.compile(r"SLF|TID|PTH|T20|S\d|PGH|ANN401|B009")
"""Only what ruff says about the boundary counts, not what it says about style."""


@dataclass(frozen=True)
class Verdicts:
    """What each layer said, by the attack's module."""

    mypy: dict[str, list[str]]
    ruff: dict[str, list[str]]
    imports: dict[str, list[str]]
    runtime: dict[str, str]
    process: dict[str, str]
    wall: str

    def caught_by(self, attack: Attack) -> set[Layer]:
        """The layers that stop this attack; the process counts where nothing in Python stops it."""
        layers: set[Layer] = set()
        if self.mypy.get(attack.module):
            layers.add("mypy")
        if self.ruff.get(attack.module):
            layers.add("ruff")
        if self.imports.get(attack.module):
            layers.add("imports")
        if self.runtime[attack.module] != "leaked":
            layers.add("runtime")
        elif self.process[attack.module] != "leaked":
            layers.add("process")
        return layers


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    work = tmp_path_factory.mktemp("attacks")
    shutil.copytree(ROOT / "src", work / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", work)
    for attack in ATTACKS:
        (work / "src" / attack.path).write_text(attack.text)
    wall, process = run_attacks(work, "walled")
    return Verdicts(mypy(work), ruff(work), imports(work), run_attacks(work, "open")[1], process, wall)


def run(work: Path, *command: str, **environment: str) -> str:
    """What the command prints; it may fail, but not die."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(work / "src"), "OPENBLAS_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def mypy(work: Path) -> dict[str, list[str]]:
    paths = [str(Path("src") / attack.path) for attack in ATTACKS]
    said = run(work, "-m", "mypy", "--no-error-summary", "--hide-error-context", *paths)
    return by_module(said, r"^(\S+?\.py):\d+: error: .*\[([\w-]+)\]$")


def ruff(work: Path) -> dict[str, list[str]]:
    said = run(work, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "src")
    found = by_module(said, r"^(\S+?\.py):\d+:\d+: (\S+) ")
    return {module: [code for code in codes if BOUNDARY_RULES.match(code)] for module, codes in found.items()}


def by_module(said: str, pattern: str) -> dict[str, list[str]]:
    """Codes of errors by module, from lines that name a file and a code."""
    found: dict[str, list[str]] = {}
    for path, code in re.findall(pattern, said, re.MULTILINE):
        module = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        found.setdefault(module, []).append(code)
    return found


def imports(work: Path) -> dict[str, list[str]]:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    said = run(work, "-c", program)
    found: dict[str, list[str]] = {}
    for module, imported in re.findall(r"(skyveil\S*attack_\w+) ->\s+(\S+)", said):
        found.setdefault(module, []).append(imported)
    return found


def run_attacks(work: Path, mode: str) -> tuple[str, dict[str, str]]:
    target = work / f"{mode}.raw"
    modules = [attack.module for attack in ATTACKS]
    runner = str(ROOT / "tests" / "leak" / "attack_runner.py")
    said = json.loads(run(work, runner, mode, *modules, LEAK_TARGET=str(target), LEAK_SOURCE=str(work / "src")))
    assert target.exists() == (mode == "open")
    return str(said["wall"]), {str(module): str(outcome) for module, outcome in said["outcomes"].items()}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_attack_is_caught_by_the_layers_said(attack: Attack, verdicts: Verdicts) -> None:
    assert verdicts.caught_by(attack) == attack.caught_by


def test_what_python_stops_is_stopped_by_a_rule_of_the_boundary(verdicts: Verdicts) -> None:
    stopped = {outcome.split(":")[0] for outcome in verdicts.runtime.values()} - {"leaked", "black"}
    assert stopped == {"BoundaryViolated"}


def test_what_only_the_process_stops_is_stopped_by_the_kernel(verdicts: Verdicts) -> None:
    for attack in ATTACKS:
        if "process" in attack.caught_by:
            assert re.match(r"(OSError|PermissionError|BlockingIOError): \[Errno", verdicts.process[attack.module])


def test_every_layer_is_needed() -> None:
    """For each layer there is an attack that only it catches, but for mypy's neighbours in code that is never run."""
    alone = {next(iter(attack.caught_by)) for attack in ATTACKS if len(attack.caught_by) == 1}
    assert alone == {"mypy", "ruff", "imports", "runtime", "process"}
