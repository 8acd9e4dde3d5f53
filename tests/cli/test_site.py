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
