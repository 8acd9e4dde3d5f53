"""A SQLite file, and a real PostgreSQL where its programs are installed."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


def postgresql_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if Path("/usr/lib/postgresql").is_dir() else []
    return found[-1].parent if found else None


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server of our own that can be killed and started again."""

    control: tuple[str, ...]
    options: str
    log: Path

    def start(self) -> None:
        self._run("-w", "-l", str(self.log), "-o", self.options, "start")

    def kill(self) -> None:
        """End it as a power cut would: nothing is written any more."""
        self._run("-m", "immediate", "stop")

    def _run(self, *words: str) -> None:
        subprocess.run([*self.control, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def server() -> Iterator[tuple[str, Server]]:
    """The URL of an empty database of a server that ends with the block, and the server.

    Its files do not lie in pytest's own folder, which every other run of pytest closes to other accounts.
    """
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # PostgreSQL refuses to run as root: then it runs as the account that Debian gives files of nobody else.
    as_other = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="skyveil-pg-") as name:
        data = Path(name) / "data"
        data.mkdir()
        if as_other:
            Path(name).chmod(0o755)
            shutil.chown(data, "nobody", "nogroup")
        made, url = _new_server(programs, as_other, data)
        made.start()
        try:
            yield url, made
        finally:
            made.kill()


def _new_server(programs: Path, as_other: list[str], data: Path) -> tuple[Server, str]:
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
    made = Server((*as_other, str(programs / "pg_ctl"), "-D", str(data)), options, data / "log")
    return made, f"postgresql://skyveil@127.0.0.1:{port}/postgres"


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database of a server of our own, which ends with the block."""
    with server() as (url, _):
        yield url
