"""A configuration that is refused at a reload changes nothing but masks, wherever in it the refusal comes."""

import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from skyveil.app.config import load
from skyveil.app.server import audit_of, database_of, serve
from skyveil.app.site import LiveSite
from skyveil.cli.main import app
from skyveil.core.errors import SettingsRefused
from skyveil.core.ids import camera_id
from skyveil.core.settings import Mask
from skyveil.public.live.hub import Hub
from skyveil.public.store import AuditLog

LINE = {"id": "gate", "name": "Gate", "points": [[0.2, 0.8], [0.8, 0.8]]}
MASK = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
OIDC = "issuer: ISSUER, client_id: c, client_secret: {env: HERE}, address: ADDRESS, roles: [{value: s, role: admin}]"


def camera(name: str, **more: object) -> dict[str, object]:
    return {"id": name, "name": name, "purpose": "Safety", "source": "rtsp://h/a", **more}


def written(folder: Path, *cameras: dict[str, object], **more: object) -> Path:
    path = folder / "skyveil.yaml"
    path.write_text(json.dumps({"version": 1, "cameras": cameras, **more}))
    return path


def state(site: LiveSite) -> tuple[object, ...]:
    """All that a reload could change."""
    crowd, recordings = site.crowd, site.recordings
    plan = crowd._config, crowd._places, crowd._thresholds, crowd._grounds, crowd._store._retention
    kept = recordings._config, recordings._recorded, dict(recordings._policies), recordings._default
    return site.config, site._specs, site._told, site._sent_on, site.problems(), plan, kept, site.views._kept


@pytest.mark.parametrize(
    "late",
    [
        "skyveil.app.prepared.told",
        "skyveil.app.prepared.sent_on",
        "skyveil.app.prepared.newly_needed",
        "skyveil.app.crowd_plan.fair_epsilon",
        "skyveil.app.crowd_plan._quiet",
        "skyveil.app.site.told_reasons",
    ],
)
def test_what_is_refused_late_has_changed_nothing_but_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    path = written(tmp_path, camera("north", lines=[LINE]), camera("south"))
    engine = database_of(load(path))
    audit = audit_of(load(path), engine)
    site = LiveSite(path, Hub(), audit, engine)
    site.recordings.configure(site.config, site._specs)
    before = state(site)
    other = camera(
        "north", targets=["face", "person"], retention={"hours": 1}, record=False, source="rtsp://h/b",
        lines=[{**LINE, "id": "other"}],
    )  # fmt: skip
    written(tmp_path, other, camera("west"), numbers={"staff_days": 2}, alarms={"escalate_s": 20})

    def refuse(*_: object) -> None:
        raise SettingsRefused("too late")

    with monkeypatch.context() as broken:
        broken.setattr(late, refuse)
        with pytest.raises(SettingsRefused, match="too late"):
            site.reload()
        assert state(site) == before
        masked = [{"name": "door", "points": MASK}]
        written(tmp_path, {**other, "masks": masked}, camera("west"), numbers={"staff_days": 2})
        with pytest.raises(SettingsRefused, match="too late"):
            site.reload()
    north = site._specs[camera_id("north")]
    assert north.settings.masks == (Mask(MASK),) and north.source.path == "/a" and len(site._specs) == 2
    assert (site.config, state(site)[2:]) == (before[0], before[2:])
    assert site.reload() == "added west; removed south; changed north"
    assert state(site) != before
    engine.dispose()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("alarms: {quiet: {start: '22:00', end: '22:00'}}", "quiet hours begin and end at different times"),
        ("server: {bind: a..b}", "'a..b' is no address to listen on: write one like 127.0.0.1, or 0.0.0.0 for all"),
        (
            "outputs: {restream: {username: vms, password: {env: HERE}, bind: a..b}}",
            "'a..b' is no address to listen on: write one like 127.0.0.1, or 0.0.0.0 for all",
        ),
        (
            f"server: {{oidc: {{{OIDC}}}}}".replace("ISSUER", "http://id.example").replace("ADDRESS", "https://a"),
            "the addresses of a login provider start with https://",
        ),
        (
            f"server: {{oidc: {{{OIDC}}}}}".replace("ISSUER", "https://id.example").replace("ADDRESS", "'https://[a'"),
            "the addresses of a login provider start with https://",
        ),
    ],
)
def test_check_reload_and_run_refuse_the_same_with_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setenv("HERE", "secret")
    path = written(tmp_path)
    engine = database_of(load(path))
    site = LiveSite(path, Hub(), audit_of(load(path), engine), engine)
    path.write_text(f"version: 1\n{text}\n")
    ran = CliRunner().invoke(app, ["check", str(path)])
    assert ran.exit_code == 1 and ran.stderr == f"skyveil.yaml:2: {told}\n"
    for refused in (site.reload, lambda: serve(path)):
        with pytest.raises(SettingsRefused) as caught:
            refused()
        assert str(caught.value) == f"skyveil.yaml:2: {told}"
    engine.dispose()


def test_check_looks_for_the_secret_of_the_login_provider(tmp_path: Path) -> None:
    oidc = OIDC.replace("ISSUER", "https://id.example").replace("ADDRESS", "https://a").replace("HERE", "NOT_SET")
    path = tmp_path / "skyveil.yaml"
    path.write_text(f"version: 1\nserver: {{oidc: {{{oidc}}}}}\n")
    ran = CliRunner().invoke(app, ["check", str(path)])
    assert ran.exit_code == 1 and "NOT_SET" in ran.stderr


def made(folder: Path) -> tuple[LiveSite, Engine]:
    """A site of a written configuration, and its database."""
    path = written(folder)
    engine = database_of(load(path))
    return LiveSite(path, Hub(), audit_of(load(path), engine), engine), engine


def test_streams_that_would_be_encrypted_with_what_is_no_certificate_are_refused_before_anything_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "secret")
    site, engine = made(tmp_path)
    before = state(site)
    restream = {"username": "vms", "password": {"env": "HERE"}, "tls": True}
    tls = {"certificate": "a.pem", "key": "a.pem"}
    written(tmp_path, camera("north"), server={"tls": tls}, outputs={"restream": restream})
    with pytest.raises(SettingsRefused, match=r"^`server\.tls`: .* can not be used: No such file"):
        site.reload()
    assert state(site) == before
    engine.dispose()


def test_an_audit_log_that_can_not_be_written_refuses_before_a_camera_is_sent_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "secret")
    site, engine = made(tmp_path)
    before = state(site)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AuditLog, "record", full)
    restream = {"username": "vms", "password": {"env": "HERE"}}
    sent = camera("north", restream=True, restream_reason="only faces are near")
    written(tmp_path, sent, outputs={"restream": restream})
    with pytest.raises(OSError, match="No space"):
        site.reload()
    assert state(site) == before
    engine.dispose()


def test_check_says_that_a_login_provider_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "secret")
    monkeypatch.setitem(sys.modules, "skyveil.public.web.oidc", None)
    oidc = OIDC.replace("ISSUER", "https://id.example").replace("ADDRESS", "https://a")
    path = tmp_path / "skyveil.yaml"
    path.write_text(f"version: 1\nserver: {{oidc: {{{oidc}}}}}\n")
    ran = CliRunner().invoke(app, ["check", str(path)])
    told = "logging in by OpenID Connect needs the extra `oidc`: pip install skyveil[oidc]\n"
    assert (ran.exit_code, ran.stderr) == (1, told)
