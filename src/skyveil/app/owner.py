"""Root keeps its hands off the files of a service that runs as an account of its own. App."""

import os
import pwd

from skyveil.app.config import Config
from skyveil.core.errors import SettingsRefused

_ROOT = 0


def refuse_for_root(config: Config) -> None:
    """Raise SettingsRefused for root where data or keys belong to another account, or would come to lie in its folder.

    What root makes there the service can not read: a list of holds that it can not read keeps it from deleting.
    """
    if os.geteuid() != _ROOT:
        return
    for folder in (config.server.data, config.server.keys):
        there = folder if folder.exists() else folder.parent
        if there.exists() and there.stat().st_uid != _ROOT:
            name = _named(there.stat().st_uid)
            raise SettingsRefused(
                f"{there} belongs to the account {name}, which could not read what root makes there: "
                f"run this as that account, with: sudo -u {name}"
            )


def _named(account: int) -> str:
    try:
        return pwd.getpwuid(account).pw_name
    except KeyError:
        return f"#{account}"  # as sudo takes it
