"""The wall around the process that holds raw pixels. App, called by the worker before it imports or opens anything.

Each layer is one sentence that the kernel enforces; a report names those that hold and those that do not:

- `no files`            RLIMIT_FSIZE 0: no byte can be written to any file, shared memory or memfd
- `no core`             RLIMIT_CORE 0: a crash leaves no memory image
- `not dumpable`        nobody but root can read this process's memory
- `no new privileges`   no set-user-id program gives back what is taken here
- `no capabilities`     root keeps the right to read every file and loses all others (raising limits, for one)
- `landlock ...`        no file or folder can be made, changed or removed, not even an empty one; no TCP; no signals
                        to others; reading only what is named
- `seccomp`             no socket, no new process, no memory that can be handed on, no extended attributes
- `dies with parent`    the kernel ends this process when the one that started it is gone

The limits are of the process, the rest is of the thread and what it starts later: hence the call comes first.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from skyveil.app import landlock, seccomp
from skyveil.core.errors import BoundaryViolated

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522
_CAP_DAC_READ_SEARCH: Final = 2
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4

REQUIRED: Final = frozenset({"no files", "no core", "not dumpable", "no new privileges"})
"""Without these no raw pixel is decoded; of `landlock files` and `seccomp` one must hold as well."""

_SYSTEM: Final = tuple(
    Path(name)
    for name in (
        # Libraries and what they ask about the machine. /proc/self is this process only.
        "/usr",
        "/lib",
        "/lib64",
        "/opt",
        "/etc/ld.so.cache",
        "/etc/ld.so.preload",
        "/etc/localtime",
        "/etc/OpenCL",
        "/dev/null",
        "/dev/urandom",
        "/proc/self",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/sys/vm",
        "/sys/devices/system",
        "/sys/fs/cgroup",
    )
)


@final
@dataclass(frozen=True, slots=True)
class WallReport:
    """Which layers hold, and which do not with the cause, as `layer: cause`."""

    holds: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether raw pixels may be decoded behind this wall."""
        return set(self.holds) >= REQUIRED and bool({"landlock files", "seccomp"} & set(self.holds))


def enter(readable: Iterable[Path], *, given_sockets: bool = False) -> WallReport:
    """Raise every layer that this kernel has, allow reading `readable`, Python and its libraries, and report.

    With `given_sockets` the process may use, and only use, sockets that its parent connected for it.
    Can not be undone. Call it in the main thread before another thread exists; BoundaryViolated when one does, since
    it would stay outside.
    """
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 (names only, before pathlib's cost matters)
        raise BoundaryViolated("the wall must be raised before the first thread is started")
    libc = ctypes.CDLL(None, use_errno=True)
    paths = (*_SYSTEM, *(Path(entry) for entry in sys.path if entry), Path(sys.prefix), Path(sys.base_prefix))
    steps: tuple[tuple[str, Callable[[], tuple[str, ...]]], ...] = (
        ("no files", _no_files),
        ("no core", _no_core),
        ("no new privileges", lambda: _prctl(libc, "no new privileges", _PR_SET_NO_NEW_PRIVS, 1)),
        ("no capabilities", lambda: _no_capabilities(libc)),
        ("landlock files", lambda: landlock.restrict(libc, (*paths, *readable))),
        ("not dumpable", lambda: _prctl(libc, "not dumpable", _PR_SET_DUMPABLE, 0)),
        ("dies with parent", lambda: _prctl(libc, "dies with parent", _PR_SET_PDEATHSIG, signal.SIGKILL)),
        ("seccomp", lambda: seccomp.restrict(libc, given_sockets=given_sockets)),
    )
    holds: list[str] = []
    missing: list[str] = []
    for name, raise_layer in steps:
        try:
            holds.extend(raise_layer())
        except (OSError, ValueError) as error:
            missing.append(f"{name}: {error.strerror if isinstance(error, OSError) and error.strerror else error}")
    return WallReport(tuple(holds), tuple(missing))


def lock_memory() -> str:
    """Keep this process's memory out of swap, as far as it is allowed; empty, or why it is not. Before `enter`.

    With a limit, every library loaded after the wall would fail at the limit: so it is all or nothing.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if limit != resource.RLIM_INFINITY:
        return f"the limit of locked memory is {limit} bytes"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(ctypes.c_int(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)) == 0:
        return ""
    return os.strerror(ctypes.get_errno())


def unsupported() -> str | None:
    """Why redaction is refused on this kind of system, naming the layers that it lacks; None on Linux."""
    if platform.system() == "Linux":
        return None
    return (
        f"{platform.system()} is not supported: these layers of the wall around raw pixels are missing there: "
        "landlock files, seccomp, no new privileges, not dumpable; run skyveil on Linux or in a Linux container"
    )


def _no_files() -> tuple[str, ...]:
    """Nothing can be written to a file; the signal that comes with it is ignored so that the error is seen."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return ("no files",)


def _no_core() -> tuple[str, ...]:
    """A crash writes no memory image."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return ("no core",)


def _prctl(libc: ctypes.CDLL, name: str, option: int, value: int) -> tuple[str, ...]:
    """One call of prctl(2); OSError when the kernel refuses."""
    if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return (name,)


def _no_capabilities(libc: ctypes.CDLL) -> tuple[str, ...]:
    """Give up every capability but reading all files, which root needs to read its users' videos.

    The bounding set needs CAP_SETPCAP to shrink; without it there is nothing to give up and no_new_privs holds.
    """
    zero = ctypes.c_ulong(0)
    for number in range(64):
        if (
            number != _CAP_DAC_READ_SEARCH
            and libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(number), zero, zero, zero) == 1
        ):
            libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), zero, zero, zero)
    libc.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL), zero, zero, zero)
    header = struct.pack("@Ii", _CAPABILITY_VERSION_3, 0)
    now = ctypes.create_string_buffer(24)
    if libc.capget(header, now) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    keep = struct.unpack("@6I", now.raw)[1] & (1 << _CAP_DAC_READ_SEARCH)
    if libc.capset(header, struct.pack("@6I", keep, keep, 0, 0, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ("no capabilities",)
