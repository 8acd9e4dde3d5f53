"""Whose the files of a site are: of one account, and of one server at a time. App."""

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def only_server(config: Config) -> Iterator[None]:
    """Hold the data of a site; SettingsRefused where another server does.

    Two of them would each go on with the other's chains of recordings, which then never fit again.
    """
    folder = config.server.data
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    held = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsRefused(
                f"another server runs on {folder}: stop it first, or give this one another folder for its data"
            ) from error
        yield
    finally:
        os.close(held)


def _named(account: int) -> str:
    try:
        return pwd.getpwuid(account).pw_name
    except KeyError:
        return f"#{account}"  # as sudo takes it
