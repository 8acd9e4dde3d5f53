"""What of `server` is used at once, and what is named because it waits for a restart."""

from pathlib import Path

import pytest

from skyveil.app.config import load, sent_on
from skyveil.app.config.passwords import Secrets
from skyveil.app.server import audit_of, database_of
from skyveil.app.site import LiveSite
from skyveil.public.live.hub import Hub
from tests.app.authority import Authority

OIDC = "issuer: 'https://id.example', client_id: c, client_secret: {secret: s}, address: 'https://console.example'"
BEFORE = f"oidc: {{{OIDC}, roles: [{{value: staff, role: admin}}]}}"


@pytest.mark.parametrize(
    ("after", "waiting"),
    [
        (BEFORE, []),
        (BEFORE.replace("admin", "viewer"), ["server.oidc.roles"]),
        ("{}", ["server.oidc"]),
        (BEFORE + ", tls: {certificate: a.pem, key: b.pem}", ["server.tls"]),
        (
            BEFORE + ", port: 9999, data: other, session_hours: 0.5, disk_floor_gigabytes: 50",
            ["server.port", "server.data", "server.session_hours", "server.disk_floor_gigabytes"],
        ),
        (BEFORE + ", audit_days: 3, timezone: Europe/Zurich, c2pa: {certificate: a.pem, key: b.pem}", []),
    ],
)
def test_what_the_server_does_not_take_over_is_named_until_it_is_gone(
    tmp_path: Path, after: str, waiting: list[str]
) -> None:
    (tmp_path / "secrets.yaml").write_text("s: x\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    path = tmp_path / "skyveil.yaml"
    before, now = (f"version: 1\nserver: {'{' + one + '}' if one != '{}' else one}\n" for one in (BEFORE, after))
    path.write_text(before)
    engine = database_of(load(path))
    site = LiveSite(path, Hub(), audit_of(load(path), engine), engine)
    settings = site.settings()
    path.write_text(now)
    told = [f"needs a restart: {', '.join(waiting)}"] if waiting else []
    assert site.reload() == "".join(told or ["nothing"])
    assert site.problems() == told
    assert site.settings() == settings | {"timezone": load(path).server.timezone}
    assert site.config.server.audit_days == load(path).server.audit_days
    path.write_text(before)
    assert site.reload() == "nothing" and site.problems() == []
    engine.dispose()


def test_streams_that_are_encrypted_from_a_reload_on_are_not_sent_in_the_clear(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("s: x\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    path = tmp_path / "skyveil.yaml"
    path.write_text("version: 1\n")
    engine = database_of(load(path))
    site = LiveSite(path, Hub(), audit_of(load(path), engine), engine)
    Authority(tmp_path).server()
    (own,) = tmp_path.glob("server*.pem")
    restream = "outputs: {restream: {username: vms, password: {secret: s}, tls: true}}"
    path.write_text(f"version: 1\nserver: {{tls: {{certificate: {own.name}, key: {own.name}}}}}\n{restream}\n")
    assert site.reload() == "needs a restart: server.tls"
    wanted = sent_on(load(path), Secrets(tmp_path / "secrets.yaml"))
    assert wanted.tls is not None and site._sent_on == wanted
    engine.dispose()
