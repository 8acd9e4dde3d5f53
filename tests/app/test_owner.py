import os
import subprocess
import sys
from pathlib import Path

import pytest

from skyveil.app.config import load
from skyveil.app.owner import only_server
from skyveil.app.recordings import archive_of
from skyveil.app.server import database_of, serve
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


def test_one_server_at_a_time_has_the_data_of_a_site(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text("version: 1\ncameras: []\n")
    config = load(path)
    with only_server(config), pytest.raises(SettingsRefused, match=r"another server runs on .*: stop it first"):
        serve(path)
    assert sorted(one.name for one in config.server.data.iterdir()) == ["server.lock"]
    with only_server(config):
        pass


def test_a_server_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text("version: 1\ncameras: []\n")
    holding = """
import os, sys
from pathlib import Path
from skyveil.app.config import load
from skyveil.app.owner import only_server
with only_server(load(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", holding, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(SettingsRefused), only_server(load(path)):
            pass
        other.kill()
    with only_server(load(path)):
        pass
