"""Changes the gate one small step at a time and runs its tests: a change that no test notices is printed.

    python bench/mutate_gate.py [--jobs N] [--only MODULE]

Each change is made in the syntax tree and run in a forked child that has all libraries loaded, so a run of all of
them takes minutes. Exit code 1 when a change survives that docs/design/gate.md does not list. One maintained tool was
tried: mutmut 3.8 leaves out functions with decorators, which are half of what matters here (properties of frozen
values), and runs a copy of the tree. cosmic-ray was not tried.
"""

import argparse
import ast
import copy
import os
import resource
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings

ROOT: Final = Path(__file__).parents[1]
GATE: Final = ROOT / "src" / "skyveil" / "gate"
PICTURES: Final = ("redact", "hidden", "fill", "streams", "non_interference")
NUMBERS: Final = ("release", "laplace", "grounds", "differencing", "release_maps")
"""The tests of the two doors, by what stands behind `test_`; a module is held to those of its door."""
LIMIT_CPU_S: Final = 120
"""A change that makes an endless loop counts as noticed after that much CPU time, on a busy machine too."""
LIMIT_BYTES: Final = 4 << 30

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
        for field, value in ast.iter_fields(parent):
            places = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, node in list(places):
                if not isinstance(node, ast.AST) or field in {"annotation", "returns", "decorator_list"}:
                    continue
                for other in changed(node):
                    ast.copy_location(other, node)
                    put(parent, field, index, other)
                    line = getattr(node, "lineno", 0)
                    step = f"{ast.unparse(node)[:70]} -> {ast.unparse(other)[:70]} in {lines[line - 1].strip()}"
                    yield f"{path.stem}:{line}: {step}", ast.fix_missing_locations(copy.deepcopy(tree))
                    put(parent, field, index, node)


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


def run_in_child(change: Change) -> int:
    """Start a child that exits with 0 when no test fails on the changed module; gives its number.

    The module's own tests come first, in a child of the child: nearly all changes are noticed there.
    """
    child = os.fork()
    if child != 0:
        return child
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_CPU_S, LIMIT_CPU_S))
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        door = NUMBERS if change.path.stem in (*NUMBERS, "staff") else PICTURES
        first = change.path.stem if change.path.stem in door else door[0]
        grandchild = os.fork()
        if grandchild == 0 or os.waitpid(grandchild, 0)[1] == 0:
            install(change)
            names = [first] if grandchild == 0 else [name for name in door if name != first]
            files = [f"tests/gate/test_{name}.py" for name in names]
            code = int(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", *files]))
    finally:
        os._exit(min(code, 99))  # also after an exception: whatever a changed module raises, it was noticed


def survivors(changes: list[Change], jobs: int) -> list[Change]:
    """The changes that no test notices, in order."""
    running: dict[int, Change] = {}
    alive: set[str] = set()
    for change in changes:
        if len(running) == jobs:
            wait_for_one(running, alive)
        running[run_in_child(change)] = change
    while running:
        wait_for_one(running, alive)
    return [change for change in changes if change.label in alive]


def wait_for_one(running: dict[int, Change], alive: set[str]) -> None:
    child, status = os.wait()
    change = running.pop(child)
    if status == 0:
        alive.add(change.label)
        print("survived", change.label, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    # A change is noticed by any failure: nobody needs the smallest one.
    settings.register_profile("any failure", phases=[Phase.explicit, Phase.reuse, Phase.generate])
    settings.load_profile("any failure")
    # All libraries are loaded once, here; a child loads only what is skyveil's again.
    for name in ("av.filter", "_pytest.python", *(f"tests.gate.test_{name}" for name in (*PICTURES, *NUMBERS))):
        __import__(name)
    paths = [path for path in sorted(GATE.glob("*.py")) if arguments.only in path.stem and path.stem != "__init__"]
    untouched = [Change(path.stem, path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]
    if len(survivors(untouched, arguments.jobs)) != len(paths):
        sys.exit("the tests fail on the gate as it is")
    changes = [Change(label, path, tree) for path in paths for label, tree in mutants(path)]
    alive = survivors(changes, arguments.jobs)
    listed = (ROOT / "docs" / "design" / "gate.md").read_text(encoding="utf-8")
    unlisted = [change.label for change in alive if change.label.split(": ", 1)[1] not in listed]
    print(f"{len(changes)} changes, {len(changes) - len(alive)} noticed, {len(alive)} survived, not listed:")
    print("\n".join(unlisted))
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
