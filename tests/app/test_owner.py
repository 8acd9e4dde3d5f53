import os
from pathlib import Path

import pytest

from skyveil.app.config import load
from skyveil.app.recordings import archive_of
from skyveil.app.server import database_of
from skyveil.core.errors import SettingsRefused

SOMEBODY = 12345


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an account that is not root, as root sees it."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, SOMEBODY, SOMEBODY)
    monkeypatch.setattr("skyveil.app.owner.os.geteuid", lambda: 0)
    return folder


@pytest.mark.parametrize("made", [True, False])
def test_root_makes_nothing_among_the_files_of_another_account(theirs: Path, tmp_path: Path, made: bool) -> None:
    path = tmp_path / "skyveil.yaml"
    data = theirs if made else theirs / "data"
    path.write_text(f"version: 1\nserver: {{data: {data}, keys: {tmp_path / 'keys'}}}\ncameras: []\n")
    for opened in (database_of, archive_of):
        with pytest.raises(SettingsRefused, match=r"belongs to the account #?\w+, .*sudo -u"):
            opened(load(path))
    assert list(theirs.iterdir()) == []


def test_root_works_on_its_own_files_and_others_on_all_they_may(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(f"version: 1\nserver: {{data: {theirs}, keys: {tmp_path / 'keys'}}}\ncameras: []\n")
    monkeypatch.setattr("skyveil.app.owner.os.geteuid", lambda: SOMEBODY)
    database_of(load(path)).dispose()
    assert (theirs / "skyveil.sqlite").exists()
