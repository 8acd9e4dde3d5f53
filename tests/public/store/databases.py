"""A SQLite file, and a real PostgreSQL where its programs are installed."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def postgresql_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if Path("/usr/lib/postgresql").is_dir() else []
    return found[-1].parent if found else None


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database of a server of our own, which ends with the block."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # PostgreSQL refuses to run as root: then it runs as the account that Debian gives files of nobody else.
    as_other = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    data = folder / "pg"
    data.mkdir()
    if as_other:
        for one in (data, *data.parents):
            if one.is_relative_to("/tmp") and one != Path("/tmp"):  # noqa: S108
                one.chmod(0o755)
        shutil.chown(data, "nobody", "nogroup")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    subprocess.run(
        [*as_other, str(programs / "initdb"), "-D", str(data), "-U", "skyveil", "-A", "trust", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    control = [*as_other, str(programs / "pg_ctl"), "-D", str(data)]
    subprocess.run(
        [*control, "-w", "-l", str(data / "log"), "-o", options, "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    try:
        yield f"postgresql://skyveil@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
