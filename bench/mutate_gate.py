"""Changes the gate one small step at a time and runs its tests: a change that no test notices is printed.

    python bench/mutate_gate.py [--jobs N] [--only MODULE ...] [--again FILE]

Each change is made in the syntax tree and run in a forked child that has all libraries loaded, against the tests that
concern its module: its own first, those of the door after them, each to the first failure. A change that makes an
endless loop is stopped, counts as noticed, and is printed as such. `--again` repeats the changes that FILE, what a
former run printed, names as survivors. Exit code 1 when a change survives that docs/design/gate.md does not list.
Those that it lists and that were noticed are printed too: something else may have failed, and hidden real survivors.

One maintained tool was tried: mutmut 3.8 leaves out functions with decorators, which are half of what matters here
(properties of frozen values), and runs a copy of the tree. cosmic-ray was not tried.
"""

import argparse
import ast
import copy
import gc
import math
import os
import resource
import signal
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings

ROOT: Final = Path(__file__).parents[1]
GATE: Final = ROOT / "src" / "skyveil" / "gate"
TESTS: Final = {
    "differencing": ("differencing", "release"),
    "fill": ("fill", "redact"),
    "grounds": ("grounds", "release"),
    "hidden": ("hidden", "redact"),
    "laplace": ("laplace", "release"),
    "planes": ("redact", "fill", "streams"),
    "redact": ("redact", "streams"),
    "release": ("release",),
    "release_maps": ("release_maps",),
    "release_rulers": ("release_rulers",),
    "staff": ("staff", "release"),
}
"""The tests that concern a module, by what stands behind `test_`. The property over whole streams is not among them:
it takes half a minute, and whatever only it would notice has no test that says why it matters."""
SPARE_CPU_S: Final = 10.0
"""A child may take twice the CPU time that the tests of the gate as it is take, and this."""
WALL_PER_CPU: Final = 60
"""A child may take that many times its limit of CPU time by the clock: it waits for other programs, or for ever. With
10, changes that tests notice at once were stopped on a machine on which 20 others ran."""
LIMIT_BYTES: Final = 4 << 30
PLUGINS: Final = ("pytest_timeout", "_hypothesis_pytestplugin")
"""All that the tests of the gate need; to load the others takes longer than most of these tests."""
PYTEST: Final = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", *(f"-p{name}" for name in PLUGINS))

BINARY: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.MatMult: ast.Mult,
}
COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}


@dataclass(frozen=True)
class Change:
    """One small step away from the gate as it is."""

    label: str
    path: Path
    tree: ast.Module


@dataclass(frozen=True)
class Child:
    """A running child: what it tests, with which files, and when it is stopped."""

    change: Change
    stage: int
    ends_s: float


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """The node, changed in every way that is tried; each answer is a fresh copy."""
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        other = copy.deepcopy(node)
        other.op = BINARY[type(node.op)]()
        yield other
    elif isinstance(node, ast.Compare):
        for replacement in COMPARED.get(type(node.ops[0]), ()):
            compared = copy.deepcopy(node)
            compared.ops[0] = replacement()
            yield compared
    elif isinstance(node, ast.BoolOp):
        joined = copy.deepcopy(node)
        joined.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield joined
        yield from (copy.deepcopy(value) for value in node.values)
    elif isinstance(node, ast.UnaryOp):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.IfExp):
        yield copy.deepcopy(node.body)
        yield copy.deepcopy(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or (
        isinstance(node, ast.Assign | ast.AugAssign)
        and not isinstance(node.targets[0] if isinstance(node, ast.Assign) else node.target, ast.Name | ast.Tuple)
    ):
        yield ast.Pass()
    elif isinstance(node, ast.If):
        always, never = copy.deepcopy(node), copy.deepcopy(node)
        always.test, never.test = ast.Constant(True), ast.Constant(False)
        yield always
        yield never
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"max", "min"}:
        extreme = copy.deepcopy(node)
        extreme.func = ast.Name("min" if node.func.id == "max" else "max", ast.Load())
        yield extreme


def mutants(path: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every changed tree of a module, with the place, the step and the line as it is."""
    source = path.read_text(encoding="utf-8")
    tree, lines = ast.parse(source), source.splitlines()
    for parent in list(ast.walk(tree)):
        for name, value in ast.iter_fields(parent):
            places = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, node in list(places):
                if not isinstance(node, ast.AST) or name in {"annotation", "returns", "decorator_list"}:
                    continue
                for other in changed(node):
                    ast.copy_location(other, node)
                    put(parent, name, index, other)
                    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
                    if (before := words(node)) != (after := words(other)):
                        step = f"{before} -> {after} in {lines[line - 1].strip()}"
                        yield f"{path.stem}:{line}:{column}: {step}", ast.fix_missing_locations(copy.deepcopy(tree))
                    put(parent, name, index, node)


def words(node: ast.AST) -> str:
    """How a node is written, on one line and not too long; of a condition what it asks."""
    shown = f"if {ast.unparse(node.test)}" if isinstance(node, ast.If) else ast.unparse(node)
    return " ".join(shown.split())[:70]


def put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def install(change: Change) -> None:
    """Make the import of one module of the gate run the changed tree."""
    for loaded in [name for name in sys.modules if name.startswith(("skyveil", "tests."))]:
        del sys.modules[loaded]
    for needed in [
        "skyveil.gate",
        *(str(node.module) for node in change.tree.body if isinstance(node, ast.ImportFrom)),
    ]:
        __import__(needed)
    name = f"skyveil.gate.{change.path.stem}"
    module = types.ModuleType(name)
    module.__file__, module.__package__ = str(change.path), "skyveil.gate"
    sys.modules[name] = module
    exec(compile(change.tree, str(change.path), "exec"), module.__dict__)  # noqa: S102 (that is what this is for)
    setattr(sys.modules["skyveil.gate"], change.path.stem, module)


def run_in_child(change: Change, tests: str, cpu_s: float, nowhere: int) -> int:
    """Start a child that exits with 0 when no test of one file fails on the changed module; gives its number.

    What it prints goes to the open file `nowhere`, opened once: a child that could not open it counts as a test that
    fails.
    """
    child = os.fork()
    if child != 0:
        return child
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(cpu_s), math.ceil(cpu_s) + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        install(change)
        code = int(pytest.main([*PYTEST, f"tests/gate/test_{tests}.py"]))
    finally:
        os._exit(min(code, 99))  # also after an exception: whatever a changed module raises, it was noticed


@dataclass
class Run:
    """Children at work, what they survived, and how much CPU time the tests of each file take on the gate as it is."""

    jobs: int
    nowhere: int
    cpu_s: dict[str, float] = field(default_factory=dict)
    running: dict[int, Child] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    stopped: int = 0

    def survivors(self, changes: list[Change]) -> list[Change]:
        """The changes that no test notices, in order."""
        for change in changes:
            while len(self.running) >= self.jobs:
                self._wait()
            self._start(change, 0)
        while self.running:
            self._wait()
        return [change for change in changes if change.label in self.alive]

    def _start(self, change: Change, stage: int) -> None:
        tests = TESTS[change.path.stem][stage]
        cpu_s = 2 * self.cpu_s.get(tests, 60.0) + SPARE_CPU_S
        ends_s = time.monotonic() + WALL_PER_CPU * cpu_s
        self.running[run_in_child(change, tests, cpu_s, self.nowhere)] = Child(change, stage, ends_s)

    def _wait(self) -> None:
        """Wait until a child ends, and start it on its next tests when it passed; one past its time is stopped."""
        number, status, usage = os.wait4(-1, os.WNOHANG)
        if number == 0:
            for child in (child for child, one in self.running.items() if one.ends_s < time.monotonic()):
                os.killpg(child, signal.SIGXCPU)
            time.sleep(0.05)
            return
        one = self.running.pop(number)
        tests = TESTS[one.change.path.stem]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
            self.stopped += 1
            print("stopped at its time limit", one.change.label, flush=True)
        elif status == 0:
            self.cpu_s.setdefault(tests[one.stage], usage.ru_utime + usage.ru_stime)
            if one.stage + 1 < len(tests):
                self._start(one.change, one.stage + 1)
            else:
                self.alive.add(one.change.label)
                print("survived", one.change.label, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=sorted(TESTS), choices=sorted(TESTS), metavar="MODULE")
    parser.add_argument("--again", type=Path)
    arguments = parser.parse_args()
    again = arguments.again and set(arguments.again.read_text(encoding="utf-8").splitlines())
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    # A change is noticed by any failure: nobody needs the smallest one.
    settings.register_profile("any failure", phases=[Phase.explicit, Phase.reuse, Phase.generate])
    settings.load_profile("any failure")
    # All libraries are loaded once, here; a child loads only what is skyveil's again.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    files = {f"tests.gate.test_{name}" for names in TESTS.values() for name in names}
    for name in ("av.filter", "_pytest.python", *PLUGINS, *sorted(files)):
        __import__(name)
    gc.freeze()  # pytest collects garbage at its end, which would look at all of this in every child
    paths = [GATE / f"{name}.py" for name in arguments.only]
    untouched = [Change(path.stem, path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]
    run = Run(arguments.jobs, os.open(os.devnull, os.O_WRONLY))
    if len(run.survivors(untouched)) != len(paths):
        sys.exit("the tests fail on the gate as it is")
    changes = [Change(label, path, tree) for path in paths for label, tree in mutants(path)]
    if again is not None:
        changes = [change for change in changes if f"survived {change.label}" in again]
    alive = run.survivors(changes)
    listed = (ROOT / "docs" / "design" / "gate.md").read_text(encoding="utf-8")
    steps = {change.label: f"`{change.label.split(': ', 1)[1]}`" for change in changes}
    unlisted = [change.label for change in alive if steps[change.label] not in listed]
    survived = {steps[change.label] for change in alive}
    false = sorted({step for step in steps.values() if step in listed} - survived)
    noticed = len(changes) - len(alive)
    print(f"{len(changes)} changes, {noticed} noticed ({run.stopped} by time), {len(alive)} survived, not listed:")
    print("\n".join(unlisted))
    if false:
        print("listed as survivors, but noticed: the list is wrong there, or tests failed without a reason here:")
        print("\n".join(false))
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
