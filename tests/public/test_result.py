"""What a result says of the software that took part."""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from skyveil.public.record import result
from skyveil.public.record.result import SOFTWARE, software


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing is remembered of before, or afterwards."""
    for remembered in (result._version, result._versions):
        remembered.cache_clear()
    yield
    for remembered in (result._version, result._versions):
        remembered.cache_clear()


def test_versions_are_those_that_python_tells() -> None:
    told = software()
    assert {name: told[name] for name in ("skyveil", *SOFTWARE)} == {n: version(n) for n in ("skyveil", *SOFTWARE)}


def test_a_package_without_a_folder_of_that_form_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "_versions", dict[str, str])
    monkeypatch.setattr(result, "SOFTWARE", ("numpy", "no-such-package"))
    told = software()
    assert (told["numpy"], told["no-such-package"]) == (version("numpy"), None)


def test_what_is_imported_first_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first/numpy-9.8.dist-info", "first/No_Such-1.dist-info", "last/numpy-7.dist-info"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "last"), str(tmp_path / "gone")])
    assert result._versions() == {"numpy": "9.8", "no_such": "1"}
