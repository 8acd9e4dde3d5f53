"""What of a changed configuration waits until the server starts again. App."""

import dataclasses

from skyveil.app.config.models import Config, Server


def in_force(config: Config, running: Server) -> tuple[Config, list[str]]:
    """A configuration with what of `server` is used while it runs, and the keys whose new values wait for a restart.

    The secrets, the time zone, the credential for exports and the age of audit entries are looked up at every use.
    """
    new = config.server
    used = dataclasses.replace(
        running, secrets=new.secrets, timezone=new.timezone, c2pa=new.c2pa, audit_days=new.audit_days
    )
    waiting = _changed("server", dataclasses.asdict(used), dataclasses.asdict(new))
    return dataclasses.replace(config, server=used), waiting


def _changed(key: str, old: object, new: object) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [one for name in old for one in _changed(f"{key}.{name}", old[name], new[name])]
    return [] if old == new else [key]
