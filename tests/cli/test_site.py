"""`skyveil check` and `skyveil user` as an operator runs them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from skyveil.cli.main import app

CONFIG = """\
version: 1
server: {port: 8500}
cameras:
  - {id: door, name: Door, purpose: Safety, source: "rtsp://127.0.0.1/1"}
"""


def run(*arguments: str | Path, typed: str = "") -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=typed)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(CONFIG)
    return path


def test_a_configuration_is_named_as_everywhere_else_or_as_it_is(site: Path) -> None:
    told = [run("check", site), run("check", "-c", site)]
    assert [one.exit_code for one in told] == [0, 0]
    assert told[0].stdout == told[1].stdout == f"{site}: nothing wrong; cameras: 1, enabled: 1\n"


def test_an_id_that_is_refused_is_told_the_form_that_it_must_have(site: Path) -> None:
    site.write_text(CONFIG.replace("id: door", "id: front door"))
    ran = run("check", site)
    assert ran.exit_code == 1
    assert "site.yaml:4: `cameras.0.id` is not allowed here: it must match '^[a-z0-9]" in ran.stderr


def test_accounts_are_listed_with_what_they_may_see_and_a_link_leads_to_the_console(site: Path) -> None:
    added = (("ada", "admin", ""), ("bo", "operator", "door"), ("cy", "viewer", ""))
    for name, role, cameras in added:
        arguments = ("user", "add", name, "--role", role, "--cameras", cameras, "-c")
        assert run(*arguments, site, typed="plenty of goats\n").exit_code == 0
    assert run("user", "list", "-c", site).stdout.splitlines() == [
        "ada  admin  *",
        "bo  operator  door",
        "cy  viewer  -",
    ]
    link = run("user", "login-link", "bo", "-c", site).stdout
    assert link.startswith("http://127.0.0.1:8500/login?token=")
    site.write_text(CONFIG + "alarms: {link: 'https://wall.example'}\n")
    link = run("user", "login-link", "bo", "-c", site).stdout
    assert link.startswith("https://wall.example/login?token=")


@pytest.mark.parametrize("given", [("user", "add", "di", "--cameras", "door,dor"), ("user", "grant", "bo", "dor")])
def test_a_camera_that_is_not_there_is_granted_to_nobody(site: Path, given: tuple[str, ...]) -> None:
    assert run("user", "add", "bo", "--cameras", "door", "-c", site, typed="plenty of goats\n").exit_code == 0
    ran = run(*given, "-c", site, typed="plenty of goats\n")
    assert (ran.exit_code, ran.stderr) == (2, "there is no camera `dor`; did you mean `door`?\n")
    assert run("user", "list", "-c", site).stdout == "bo  viewer  door\n"
    assert run("user", "grant", "bo", "*", "-c", site).stdout == "bo may see *\n"
    assert run("user", "grant", "bo", "", "-c", site).stdout == "bo may see no camera\n"


def test_who_sees_all_cameras_is_told_so_when_some_are_granted(site: Path) -> None:
    assert run("user", "add", "ada", "--role", "admin", "-c", site, typed="plenty of goats\n").exit_code == 0
    told = run("user", "grant", "ada", "door", "-c", site)
    assert told.stdout == "ada sees all cameras, as every admin: a grant counts for viewers and operators\n"
    assert run("user", "list", "-c", site).stdout == "ada  admin  *\n"


def test_roles_of_a_login_provider_name_cameras_that_are_there(site: Path) -> None:
    gate = """  - {id: gate, name: Gate, purpose: Safety, source: "rtsp://127.0.0.1/1"}\n"""
    site.write_text(
        (CONFIG + gate).replace(
            "server: {port: 8500}",
            """\
server:
  oidc:
    issuer: https://id.example
    client_id: c
    client_secret: {env: HERE}
    address: https://console.example
    roles:
      - {value: a, role: viewer, cameras: ["*", door]}
      - {value: b, role: viewer, cameras: [door, gat]}""",
        )
    )
    ran = run("check", site)
    assert (ran.exit_code, ran.stderr) == (1, "site.yaml:10: there is no camera `gat`; did you mean `gate`?\n")
