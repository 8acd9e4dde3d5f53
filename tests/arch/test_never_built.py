"""What Skyveil will never do has no name in its code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "skyveil"
MODULES = sorted(SOURCE.rglob("*.py"))
NEVER = re.compile(
    r"embedding|galler(y|ies)|watch_?list|re_?id(entif\w*)?(?![a-z])|recogni[sz]|identif(y|ication)|biometric"
    r"|demograph|gender|ethnic|emotion|landmark|anpr|alpr|licen[cs]e_?plate_?(text|read)|ocr_?text"
    r"|pixelat|deblur|unblur|unmask|restore_?(face|region|pixel)|debug_?(frame|image|picture)|dump_?(frame|raw)"
    r"|thumbnail|dwell|loiter",
    re.IGNORECASE,
)
"""Words of recognition, of following one person, of reading plates, of reversible or raw output."""

ALLOWED = {
    "private/capture/video.py:timed_thumbnails": "FFmpeg's flag for streams that hold thumbnails: they are dropped",
}
"""`module:identifier` and why it is something else."""


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Every name that the code gives or uses: variables, attributes, arguments, functions, classes and keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg) or (isinstance(node, ast.keyword) and node.arg is not None):
            yield str(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.alias):
            yield node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_identifier_names_what_is_never_built(path: Path) -> None:
    module = str(path.relative_to(SOURCE))
    names = set(identifiers(ast.parse(path.read_text(encoding="utf-8"))))
    assert sorted(name for name in names if NEVER.search(name) and f"{module}:{name}" not in ALLOWED) == []


@pytest.mark.parametrize(
    "name",
    ["face_embedding", "Gallery", "watchlist", "reid_model", "re_id", "recognise_plate", "FaceRecognizer", "gender"],
)
def test_the_list_finds_what_it_should(name: str) -> None:
    assert NEVER.search(name)


@pytest.mark.parametrize(
    "name", ["frame_id", "grid", "source_id", "hidden", "required", "identity", "read_header", "re"]
)
def test_the_list_leaves_ordinary_words_alone(name: str) -> None:
    assert not NEVER.search(name)
