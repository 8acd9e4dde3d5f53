"""`skyveil recordings` as an operator runs it: who may hold what, and cameras that are not there."""

from pathlib import Path

import pytest

from skyveil.app.config import load
from skyveil.app.server import accounts_of, database_of
from skyveil.public.store.roles import Role
from tests.app.test_recordings import HALL, record, started
from tests.cli.test_site import run

START_S = 1_777_636_800  # 2026-05-01T12:00:00Z
SPAN = ("2026-05-01T12:00:00", "2026-05-01T12:00:10")
LATER = ("2026-05-01T13:00:00", "2026-05-01T13:00:10")
CAMERA = "{{id: {name}, name: A, purpose: Safety, source: 'rtsp://h/a'}}"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a hall that was recorded, and a camera that was not; the accounts are granted the hall."""
    path = tmp_path / "skyveil.yaml"
    path.write_text(f"version: 1\ncameras: [{CAMERA.format(name=HALL)}, {CAMERA.format(name='north-door')}]\n")
    recordings = started(load(path))
    record(recordings, START_S, 4)
    recordings.close()
    engine = database_of(load(path))
    accounts = accounts_of(load(path), engine)
    for role in Role:
        accounts.add(f"{role.value}-1", "plenty of goats", role, cameras=[HALL])
    accounts.add("gone-1", "plenty of goats", Role.OPERATOR, cameras=["*"])
    accounts.change("gone-1", enabled=False)
    accounts.add("anywhere-1", "plenty of goats", Role.OPERATOR, cameras=["*"])
    engine.dispose()
    return path


def hold(site: Path, camera: str, user: str, span: tuple[str, str] = SPAN) -> tuple[int, str]:
    ran = run("recordings", "hold", "add", camera, *span, "--reason", "accident", "--user", user, "-c", site)
    assert (ran.exit_code == 0) == bool(ran.stdout)
    return ran.exit_code, ran.stderr


@pytest.mark.parametrize(
    ("camera", "user", "told"),
    [
        (HALL, "viewer-1", "no account that may do this is named 'viewer-1'"),
        (HALL, "admin-1", "no account that may do this is named 'admin-1'"),
        (HALL, "gone-1", "no account that may do this is named 'gone-1'"),
        (HALL, "operator-2", "no account that may do this is named 'operator-2'; did you mean `operator-1`?"),
        ("hal", "operator-1", "there is no camera `hal` for operator-1; did you mean `hall`?"),
        ("north-door", "operator-1", "there is no camera `north-door` for operator-1"),
        ("nrth-door", "operator-1", "there is no camera `nrth-door` for operator-1"),
        ("nrth-door", "privacy_officer-1", "there is no camera `nrth-door` for privacy_officer-1; did you mean `nort"),
        ("../keys", "anywhere-1", "there is no camera `../keys` for anywhere-1"),
    ],
)
def test_holds_are_asked_for_by_who_may_and_of_cameras_that_are_open_to_them(
    site: Path, camera: str, user: str, told: str
) -> None:
    code, said = hold(site, camera, user)
    assert code == 2 and said.startswith(told) and said.count("\n") == 1
    assert said.endswith((f"{told}\n", "?\n"))
    assert not run("recordings", "hold", "list", HALL, "-c", site).stdout


def test_a_span_that_holds_nothing_is_taken_and_said(site: Path) -> None:
    assert hold(site, HALL, "operator-1") == hold(site, HALL, "privacy_officer-1") == (0, "")
    told = (0, "nothing is recorded of hall in this span: only what still comes would be kept\n")
    assert hold(site, HALL, "operator-1", LATER) == told
    assert hold(site, "north-door", "anywhere-1") == (0, told[1].replace("hall", "north-door"))
    assert len(run("recordings", "hold", "list", HALL, "-c", site).stdout.splitlines()) == 3


def test_a_camera_that_was_taken_out_is_held_while_something_of_it_is_left(site: Path) -> None:
    site.write_text("version: 1\n")
    assert hold(site, HALL, "operator-1") == (0, "")
    (made,) = run("recordings", "hold", "list", HALL, "-c", site).stdout.splitlines()
    decided = ("recordings", "hold", "approve", HALL, made.split()[0], "-c", site, "--user")
    assert run(*decided, "operator-1").exit_code == 2
    assert run(*decided, "privacy_officer-1").stdout == "approved\n"
    assert run("recordings", "hold", "list", "north-door", "-c", site).stderr == "there is no camera `north-door`\n"


def test_an_export_of_a_camera_that_is_not_there_says_which_one_was_meant(site: Path) -> None:
    asked = (*SPAN, "--reason", "a test", "-o", site.parent / "out", "-c", site)
    ran = run("recordings", "export", "nrth-door", *asked)
    assert (ran.exit_code, ran.stderr) == (2, "there is no camera `nrth-door`; did you mean `north-door`?\n")
    ran = run("recordings", "export", "north-door", *asked)
    assert ran.exit_code == 1 and "nothing is recorded" in ran.stderr
    assert not list(site.parent.glob("out/*.mp4"))
