"""The story that the folders tell is true."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "skyveil"
MODULES = sorted(SOURCE.rglob("*.py"))
PUBLIC = sorted(SOURCE.joinpath("public").rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def name_of(path: Path) -> str:
    return dotted(path).removeprefix("skyveil").removeprefix(".") or "skyveil"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_import_contracts_hold() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def loaded_after_importing(modules: list[str], *, package: str = "skyveil") -> list[str]:
    """The modules of a package, ours unless told, that a fresh interpreter has loaded after it imported `modules`."""
    program = (
        f"import json, sys\nimport {', '.join(modules)}\n"
        f"print(json.dumps([name for name in sys.modules if name.startswith('{package}')]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [str(name) for name in json.loads(done.stdout)]


def test_importing_all_of_the_public_side_loads_nothing_private() -> None:
    loaded = loaded_after_importing([dotted(path) for path in PUBLIC])
    assert "skyveil.public.types" in loaded
    assert [name for name in loaded if name.startswith(("skyveil.private", "skyveil.gate", "skyveil.app"))] == []


def test_importing_core_loads_nothing_else_of_ours() -> None:
    loaded = loaded_after_importing([dotted(path) for path in sorted(SOURCE.joinpath("core").rglob("*.py"))])
    assert [name for name in loaded if not re.match(r"skyveil($|\.core)", name)] == []


def test_a_camera_without_numbers_loads_no_scipy() -> None:
    """It is 50 MB of each camera's process, and a second of CPU of each start."""
    live = ["skyveil.app.camera", "skyveil.app.live", "skyveil.private.detect.finder"]
    assert loaded_after_importing(live, package="scipy") == []


def test_a_redaction_loads_nothing_of_cameras_and_no_pydantic() -> None:
    """Each took 0.02 to 0.1 s of CPU of each start, in the command line, the worker, or both."""
    program = (
        "import json, sys\nfrom skyveil.cli.main import build\n"
        "try:\n    build(['redact'])(['redact', '--dry-run', 'missing.mp4'])\nexcept SystemExit:\n    pass\n"
        "import skyveil.app.batch, skyveil.app.worker, skyveil.app.serve\n"
        "import skyveil.public.encode.video, skyveil.private.capture.video\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"skyveil.cli.redact", "skyveil.app.serve", "skyveil.public.wire"} <= loaded
    cameras = {"skyveil.public.wire.cameras", "skyveil.core.camera", "skyveil.core.health", "skyveil.public.aggregate"}
    assert loaded & {"pydantic", "importlib.metadata", "scipy", "skyveil.measure", *cameras} == set()


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name_of)
def test_a_package_exports_sorted_names_and_nothing_else(path: Path) -> None:
    exported: list[str] = []
    imported: list[str] = []
    for node in flat(parsed(path).body):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("skyveil"):
            imported += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            exported = ast.literal_eval(node.value)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            imported.append("__version__")
        else:
            assert is_docstring(node) or is_lazy_export(node) or isinstance(node, ast.ImportFrom), ast.unparse(node)
    assert exported == sorted(imported)


def flat(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements, with those under `if TYPE_CHECKING` among them."""
    flattened: list[ast.stmt] = []
    for node in body:
        checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        flattened += node.body if isinstance(node, ast.If) and checked else [node]
    return flattened


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_lazy_export(node: ast.stmt) -> bool:
    """Whether this is the function that imports heavy modules when they are first asked for."""
    return isinstance(node, ast.FunctionDef) and node.name in {"__getattr__", "__dir__"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_named_after_what_it_holds(path: Path) -> None:
    assert not re.fullmatch(r"_?(utils?|helpers?|common|misc|tools?|stuff)", path.stem)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=name_of)
def test_a_module_says_its_side_and_duty(path: Path) -> None:
    said = (ast.get_docstring(parsed(path)) or "").lower()
    side = path.relative_to(SOURCE).parts[0]
    assert side.removesuffix(".py") in said
    assert said
