"""What is handed to an operator to run a site with: the unit is a unit, and the container is one that we would run."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = shutil.which("systemd-analyze")
MOST_EXPOSED = 45
"""Of 100, as `systemd-analyze security` counts; devices stay open for USB cameras, the network for all others."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is on this machine."""
    text = (ROOT / "deploy/skyveil.service").read_text(encoding="utf-8")
    path = tmp_path / "skyveil.service"
    path.write_text(text.replace("/opt/skyveil/.venv/bin/skyveil", shutil.which("true") or "/bin/true"))
    return path


@pytest.mark.skipif(SYSTEMD is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    done = subprocess.run([str(SYSTEMD), "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(SYSTEMD is None, reason="systemd is not installed")
def test_the_unit_leaves_little_open(unit: Path) -> None:
    command = [str(SYSTEMD), "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_service_sees_for_how_long_processes_of_cameras_were_kept_waiting() -> None:
    """They are not dumpable: with hidepid the server, which has no capabilities, finds nothing of them in /proc."""
    text = (ROOT / "deploy/skyveil.service").read_text(encoding="utf-8")
    assert re.findall(r"^(?:ProtectProc|ProcSubset)=(.*)$", text, re.MULTILINE) == ["default"]


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "deploy/Containerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def test_the_container_is_built_from_pinned_images_and_our_own_files() -> None:
    found = instructions()
    images = [value.split()[0] for name, value in found if name == "FROM"]
    assert images and all(re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", one) for one in images)
    copied = [shlex.split(value) for name, value in found if name == "COPY" and "--from" not in value]
    assert [one for parts in copied for one in parts[:-1] if not (ROOT / one).exists()] == []
    assert not [name for name, _ in found if name == "ADD"]
    assert not any(re.search(r"curl|wget|sudo|chmod 777", value) for name, value in found if name == "RUN")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"\[([\w,]+)\]\"", next(value for name, value in found if "pip install" in value))[0]
    assert [one for one in extras.split(",") if f"\n{one} = [" not in text] == []


def test_the_container_does_not_run_as_root_and_writes_to_its_volumes_only() -> None:
    found = dict(instructions())
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", found["USER"].strip())
    volumes = re.findall(r'"([^"]+)"', found["VOLUME"])
    environment = dict(one.split("=", 1) for one in found["ENV"].split())
    assert any(environment["XDG_CACHE_HOME"].startswith(f"{volume}/") for volume in volumes)
    assert found["WORKDIR"].strip() in volumes
    # Keys have a volume of their own, so that a backup of the data does not hold them.
    assert [one for one in volumes if one.endswith("-keys")]
    assert "/healthz" in found["ENV"] and "SKYVEIL_HEALTH" in found["HEALTHCHECK"]
    for name in ("ENTRYPOINT", "CMD"):
        assert found[name].strip().startswith("[")  # the program itself hears the signal that stops it
