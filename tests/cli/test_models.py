import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from skyveil.app import models
from skyveil.cli.models import models_app
from skyveil.core.manifest import MODELS, WheelMember

HERE = {entry.name: models.locate(entry) for entry in MODELS.values()}
"""Where the weights lie on this machine, before the tests take them away."""


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights anywhere, no package index, no network."""
    monkeypatch.delenv(models.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")


@pytest.fixture
def folder_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SKYVEIL_MODELS, with the required networks."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for entry in MODELS.values():
        path = HERE[entry.name]
        if entry.required and path is None:
            pytest.skip(f"weights are missing: {entry.name}; run `skyveil models pull`")
        if entry.required and path is not None:
            shutil.copy(path, folder)
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(folder))
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(models_app, arguments)


def test_list_shows_every_network_with_its_hash_and_its_sources() -> None:
    shown = run("list")
    assert shown.exit_code == 0
    for entry in MODELS.values():
        assert entry.name in shown.stdout
        assert entry.sha256 in shown.stdout
        assert entry.licence in shown.stdout
        assert all(str(source) in shown.stdout for source in entry.sources)
        assert f"skyveil models pull {entry.name}" in shown.stdout


def test_list_says_where_a_network_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "centerface.onnx").write_bytes(b"")
    assert f"here    {tmp_path / 'centerface.onnx'}" in run("list").stdout


def test_verify_without_weights_ends_with_1() -> None:
    answer = run("verify")
    assert answer.exit_code == 1
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["missing"] * len(MODELS)


def test_verify_of_a_corrupt_optional_network_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "yunet_n_dynamic.onnx").write_bytes(b"damaged")
    answer = run("verify", "yunet_n_dynamic")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("corrupt   yunet_n_dynamic")


@pytest.mark.models
@pytest.mark.usefixtures("folder_of_weights")
def test_verify_misses_no_optional_network_unless_it_was_named() -> None:
    assert run("verify").exit_code == 0
    assert run("verify", "yunet_n_dynamic").exit_code == 1


@pytest.mark.models
@pytest.mark.usefixtures("folder_of_weights")
def test_pull_ends_with_0_without_an_optional_network_and_compiles_the_others() -> None:
    answer = run("pull")
    assert answer.exit_code == 0, answer.output
    assert "without   yunet_n_dynamic" in answer.stdout
    assert "compiled  " in answer.stdout
    assert list(models.compiled_folder().glob("centerface-*.blob"))


@pytest.mark.models
def test_pull_to_a_folder_serves_a_machine_without_a_network(
    folder_of_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("pull", "--to", str(tmp_path / "stick")).exit_code == 0
    assert not models.compiled_folder().exists()
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "stick"))
    shutil.rmtree(folder_of_weights)
    assert run("verify").exit_code == 0


def test_pull_ends_with_1_and_says_why_when_a_required_network_did_not_come() -> None:
    answer = run("pull", "centerface")
    assert answer.exit_code == 1
    assert "did not come: centerface" in answer.stderr
    (source,) = MODELS["centerface"].sources
    assert isinstance(source, WheelMember)
    assert str(source) in answer.stderr


def test_pull_of_a_named_optional_network_that_did_not_come_ends_with_1() -> None:
    answer = run("pull", "yunet_n_dynamic")
    assert answer.exit_code == 1
    assert "did not come: yunet_n_dynamic" in answer.stderr


@pytest.mark.parametrize("command", ["pull", "verify"])
def test_an_unknown_name_is_a_usage_error_in_one_line(command: str) -> None:
    answer = run(command, "arcface")
    assert answer.exit_code == 2
    assert answer.stderr == f"unknown model 'arcface': choose some of {', '.join(MODELS)}\n"


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    answer = run("pull", "--to", str(tmp_path / "file" / "folder"))
    assert answer.exit_code == 1
    assert len(answer.stderr.splitlines()) == 1
