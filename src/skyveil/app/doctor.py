"""`skyveil doctor`: what is wrong with this machine or configuration, why it matters, and what to do. App."""

import ctypes
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

from skyveil.app.config import Config, Secrets, load, refuse_unusable, sent_on, specs, told
from skyveil.app.config.load import records
from skyveil.app.config.measured import network_of
from skyveil.app.config.models import Retention
from skyveil.app.density_networks import located
from skyveil.app.models import State, compiled_folder, not_compiled, verify
from skyveil.app.process import kept_waiting_s
from skyveil.app.sandbox import REQUIRED
from skyveil.app.server import database_of, is_loopback
from skyveil.app.sizing import Sizing, measured, plan, processors
from skyveil.core.errors import SettingsRefused, SkyveilError
from skyveil.core.secret import SafeUrl
from skyveil.public.notify.messages import service_of

Level: TypeAlias = Literal["ok", "warning", "error"]

_STA_UNSYNC: Final = 0x40
_PROBE: Final = (
    "import sys; from skyveil.app import sandbox; "
    "print('|'.join(sandbox.enter((), given_sockets=True).holds), flush=True); sys.stdin.read()"
)
_DESCRIPTORS_PER_CAMERA: Final = 8


@final
@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    level: Level
    what: str
    do: str = ""


def diagnose(path: Path) -> list[Diagnosis]:
    """Everything that was looked at, the worst first."""
    found: list[Diagnosis] = []
    config: Config | None = None
    try:
        config = load(path)
        secrets = Secrets(config.server.secrets)
        specs(config, secrets)
        told(config, secrets)
        sent_on(config, secrets)
        if config.server.oidc is not None:
            secrets.get(config.server.oidc.client_secret)
        refuse_unusable(config)
        found.append(Diagnosis("ok", f"{path.name} can be read; cameras: {len(config.cameras)}"))
    except SkyveilError as error:
        found += [Diagnosis("error", line, "correct it in the configuration") for line in str(error).splitlines()]
    for look in (_wall, _swap, _models, _compiled, _clock):
        found += look()
    if config is not None:
        for look_at in (_density, _disk, _keys, _port, _descriptors, _processors, _database, _extras):
            found += look_at(config)
        for look_at in (_restream, _files, _messages):
            found += look_at(config)
    order: dict[Level, int] = {"error": 0, "warning": 1, "ok": 2}
    return sorted(found, key=lambda one: order[one.level])


def _wall() -> Iterator[Diagnosis]:
    with subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-P", "-c", _PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as probe:
        assert probe.stdout is not None  # noqa: S101 (a pipe was asked for)
        holds = set(probe.stdout.readline().strip().split("|"))
        waited_s = kept_waiting_s(probe.pid)  # while it runs, behind its wall, as a camera's process does
        probe.communicate()
    missing = sorted((REQUIRED | {"landlock files", "seccomp"}) - holds)
    if missing:
        enough = holds >= REQUIRED and bool({"landlock files", "seccomp"} & holds)
        yield Diagnosis(
            "warning" if enough else "error",
            f"layers of the wall around raw pixels are missing: {', '.join(missing)}",
            "use a kernel from 5.13 on with Landlock and seccomp; in a container, allow both",
        )
    else:
        yield Diagnosis("ok", f"the wall around raw pixels holds: {len(holds)} layers")
    if waited_s is None or (os.geteuid() == 0 and hides_processes(Path("/proc/self/mountinfo").read_text("ascii"))):
        yield Diagnosis(
            "warning",
            "the server can not see for how long cameras' processes wait for a processor (hidepid of /proc, or a "
            "kernel that does not tell): on a busy machine it ends some that do not hang",
            "mount /proc without hidepid, and leave ProtectProc of the service at default",
        )


def hides_processes(mounts: str) -> bool:
    """Whether accounts see nothing of processes that are not theirs, or not dumpable; root sees them all.

    mounts: as in /proc/self/mountinfo (proc(5)).
    """
    seen = [line.split(" - ") for line in mounts.splitlines()]
    options = [
        after.split()[-1] for before, after in seen if before.split()[4] == "/proc" and after.startswith("proc ")
    ]
    hidden = re.findall(r"hidepid=(\w+)", options[-1] if options else "")
    return bool(hidden) and hidden[0] not in ("0", "off")


def _swap() -> Iterator[Diagnosis]:
    swaps = Path("/proc/swaps")
    used = len(swaps.read_text(encoding="ascii").splitlines()) - 1 if swaps.exists() else 0
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY
    if used > 0 and not locked:
        yield Diagnosis(
            "warning",
            "there is swap, and memory can not be locked: raw pictures could reach the disk",
            "set LimitMEMLOCK=infinity in the service, encrypt the swap, or switch it off",
        )
    else:
        yield Diagnosis("ok", "raw pictures can not be swapped to a disk")


def _models() -> Iterator[Diagnosis]:
    bad = [one for one in verify() if one.state is State.CORRUPT or (one.state is State.MISSING and one.entry.required)]
    for one in bad:
        yield Diagnosis("error", f"the weights {one.entry.name} are {one.state}", "run `skyveil models pull`")
    if not bad:
        yield Diagnosis("ok", "the weights are here and whole")


def _compiled() -> Iterator[Diagnosis]:
    missing, broken, wanted = not_compiled()
    again = "run `skyveil models pull`, as the user that the service runs as"
    if broken:
        what = f"compiled networks in {compiled_folder()} are not as they were written: {', '.join(broken)}"
        yield Diagnosis("error", what, again)
    if missing:
        yield Diagnosis(
            "warning",
            f"{len(missing)} of {wanted} compiled networks for this processor and these versions are missing in "
            f"{compiled_folder()}: every start compiles anew, which takes seconds",
            again,
        )
    if wanted and not broken and not missing:
        yield Diagnosis("ok", "the networks are compiled for this machine")


def _density(config: Config) -> Iterator[Diagnosis]:
    used = {one.density_network.network for one in config.cameras if one.enabled and one.density_network is not None}
    for given in config.density_networks:
        try:
            located(network_of(given))
        except SkyveilError as error:
            level: Level = "error" if given.id in used else "warning"
            yield Diagnosis(level, str(error), "until then people are counted by boxes alone")
        else:
            yield Diagnosis("ok", f"the density network {given.id} is here and whole")


def _clock() -> Iterator[Diagnosis]:
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(512)  # struct timex, modes 0: only asked
    libc.adjtimex(buffer)
    status = int.from_bytes(buffer.raw[40:44], sys.byteorder)
    if status & _STA_UNSYNC:
        yield Diagnosis(
            "warning", "the clock is not synchronised: times of recordings can not be relied on", "run an NTP client"
        )
    else:
        yield Diagnosis("ok", "the clock is synchronised")


def _disk(config: Config) -> Iterator[Diagnosis]:
    folder = config.server.data
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    recorded = [camera for camera in config.cameras if camera.enabled and records(config, camera)]
    usual = config.defaults.retention or Retention()
    needed_gb = sum(_kept_gb(camera.retention or usual) for camera in recorded)
    if free_gb < config.server.disk_floor_gigabytes:
        yield Diagnosis("error", f"{free_gb:.0f} GB are free, below the floor: nothing is recorded", "make room")
    elif free_gb < needed_gb:
        yield Diagnosis(
            "warning",
            f"{free_gb:.0f} GB are free; what {len(recorded)} cameras keep grows to about {needed_gb:.0f} GB",
            "make room, shorten `retention.hours`, or lower `retention.gigabytes`",
        )
    else:
        yield Diagnosis("ok", f"the disk has room: {free_gb:.0f} GB free")


def _kept_gb(retention: Retention) -> float:
    by_age = plan(1).disk_gb_per_day * retention.hours / 24
    return by_age if retention.gigabytes is None else min(by_age, retention.gigabytes)


def _keys(config: Config) -> Iterator[Diagnosis]:
    folder = config.server.keys
    if folder.exists() and folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Diagnosis("error", f"{folder} can be read by others", f"chmod 700 {folder}")
    else:
        yield Diagnosis("ok", "the keys of recordings are readable by their owner only")


def _port(config: Config) -> Iterator[Diagnosis]:
    server = config.server
    with socket.socket(socket.AF_INET6 if ":" in server.bind else socket.AF_INET) as probe:
        try:
            probe.bind((server.bind, server.port))
        except OSError as error:
            what = f"port {server.port} on {server.bind}: {error.strerror}"
            yield Diagnosis("warning", what, "fine while the server runs; else choose another")
            return
    if not is_loopback(server.bind) and server.tls is None and not server.behind_tls_proxy:
        yield Diagnosis(
            "warning",
            f"the console is open on {server.bind} without TLS: passwords can be overheard",
            "set `server.tls`, or a proxy and `behind_tls_proxy: true`",
        )
    else:
        yield Diagnosis("ok", f"port {server.port} is free")


def _descriptors(config: Config) -> Iterator[Diagnosis]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    needed = 256 + _DESCRIPTORS_PER_CAMERA * len(config.cameras)
    if limit < needed:
        yield Diagnosis("error", f"{limit} files may be open, {needed} are needed", "raise LimitNOFILE or ulimit -n")


def _processors(config: Config) -> Iterator[Diagnosis]:
    cameras = sum(camera.enabled for camera in config.cameras)
    if not cameras:
        return
    size = plan(cameras, measured())
    what = f"cameras: {cameras}, which want about {size.cores:g} cores of {processors()}; {told_of(size)}"
    if size.cores > processors():
        yield Diagnosis(
            "warning",
            what,
            "fewer cameras, fewer pictures a second (at the camera, or `max_fps`), or a larger machine",
        )
    else:
        yield Diagnosis("ok", what)


def told_of(size: Sizing) -> str:
    """What a plan was made from, in words."""
    cost = f"{size.cpu_ms_per_picture:g} ms of CPU for a picture"
    if size.carries is None:
        return f"not measured, {cost} are assumed: `skyveil models pull`, and it is measured on this machine"
    return f"measured on this machine: {cost}, so it carries {size.carries} such cameras"


def _database(config: Config) -> Iterator[Diagnosis]:
    if config.server.database is None and not (config.server.data / "skyveil.sqlite").exists():
        yield Diagnosis("ok", "the database is made at the first start")
        return
    try:
        database_of(config).dispose()
    except (SkyveilError, OSError) as error:
        yield Diagnosis(
            "error",
            f"the database: {error}",
            "the site does not start without it; one that runs goes on covering and recording",
        )
    else:
        yield Diagnosis("ok", "the database can be used")


def _extras(config: Config) -> Iterator[Diagnosis]:
    """Packages that a setting needs and a plain installation does not have."""
    for wanted, extra, packages in (
        (config.server.oidc is not None, "oidc", ("joserfc", "httpx")),
        (config.server.c2pa is not None, "c2pa", ("c2pa",)),
        (config.server.database is not None, "postgresql", ("psycopg",)),
        (bool(config.outputs.messages), "messages", ("apprise",)),
    ):
        if wanted and any(find_spec(package) is None for package in packages):
            yield Diagnosis(
                "error",
                f"the configuration needs the extra `{extra}`",
                f"pip install skyveil[{extra}] in its environment",
            )


def _restream(config: Config) -> Iterator[Diagnosis]:
    output = config.outputs.restream
    if output is not None and not output.tls and not is_loopback(output.bind):
        yield Diagnosis(
            "warning",
            f"streams are sent on from {output.bind} without TLS: who listens in the network between can see them",
            "set `outputs.restream.tls`, or keep that network to the server and the VMS",
        )


def _files(config: Config) -> Iterator[Diagnosis]:
    """Files that are named and not there, without which a site runs all the same."""
    for site in config.sites:
        if site.plan is not None and not _is_there(site.plan):
            yield Diagnosis(
                "warning", f"the plan of the site {site.id} is not there: {site.plan}", "correct `plan`, or take it out"
            )
    for camera in config.cameras:
        source = SafeUrl(camera.source)
        if camera.enabled and source.scheme == "file" and not _is_there(Path(source.path)):
            yield Diagnosis(
                "warning",
                f"the video of the camera {camera.id} is not there: {source.path}",
                "correct its `source`; it shows nothing until then",
            )


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that is not ours to read
        return False


def _messages(config: Config) -> Iterator[Diagnosis]:
    """Addresses of people whom nothing reaches."""
    if not config.outputs.messages or find_spec("apprise") is None:
        return  # which `_extras` tells
    secrets = Secrets(config.server.secrets)
    for one in config.outputs.messages:
        try:
            service_of(secrets.get(one.address))
        except SettingsRefused as error:
            yield Diagnosis("error", f"{one.name} is told of no alarm: {error}", "correct it where the address stands")
