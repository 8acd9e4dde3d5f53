"""Accounts made once: hashing a password is slow by design, and most tests of the console want the same accounts."""

from pathlib import Path

import pytest

from skyveil.public.store import Accounts, open_database
from skyveil.public.store.roles import Role
from tests.public.web.sites import GOOD


@pytest.fixture(scope="session")
def accounts_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database to copy: an account of each role for the door, and an operator of all cameras, all of one password."""
    path = tmp_path_factory.mktemp("accounts") / "skyveil.sqlite"
    engine = open_database(path)
    accounts = Accounts(engine)
    for role in Role:
        accounts.add(role.value.replace("_", "-"), GOOD, role, cameras=["door"])
    accounts.add("all", GOOD, Role.OPERATOR, cameras=["*"])
    engine.dispose()
    return path
