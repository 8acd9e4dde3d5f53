"""Landlock: the kernel refuses this process every write, everywhere. App, inside the worker; Linux only.

Reading stays possible below the folders that are named. The rights and numbers are those of
`include/uapi/linux/landlock.h`; the kernel answers which version (ABI) it knows, and only rights of that version are
asked for, because an unknown bit would be refused as a whole.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_RULE_PATH_BENEATH: Final = 1

_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_FIRST_ABI: Final = (1 << 13) - 1  # execute, write, read, remove, make: ABI 1
_SINCE: Final = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # refer, truncate, ioctl on devices
_NET_ABI: Final = 4
_NET: Final = 0b11  # bind and connect of TCP
_SCOPE_ABI: Final = 6
_SCOPE: Final = 0b11  # abstract unix sockets, signals


def abi(libc: ctypes.CDLL) -> int:
    """The version of Landlock that this kernel knows, 0 when it has none or it is switched off."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def restrict(libc: ctypes.CDLL, readable: Iterable[Path]) -> tuple[str, ...]:
    """Forbid this thread and its future children all but reading below `readable`; gives the names of what holds.

    Needs no_new_privs. Threads that exist already are not bound, so it is called before any is started. Paths that do
    not exist are left out. Raises OSError when the kernel refuses.
    """
    version = abi(libc)
    if not version:
        raise OSError("this kernel has no Landlock, or it is switched off")
    files = _FIRST_ABI | sum(right for since, right in _SINCE.items() if version >= since)
    net = _NET if version >= _NET_ABI else 0
    scope = _SCOPE if version >= _SCOPE_ABI else 0
    attributes = struct.pack("=QQQ", files, net, scope)[: 24 if scope else 16 if net else 8]
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    try:
        for path in readable:
            _allow_reading(libc, ruleset, path)
        _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)
    held = ["landlock files"]
    held += ["landlock tcp"] if net else []
    held += ["landlock signals"] if scope else []
    return tuple(held)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    """Add the rule for one file or folder; one that is not there needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(libc.syscall(_ADD_RULE, ctypes.c_int(ruleset), _RULE_PATH_BENEATH, rule, ctypes.c_uint32(0)))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    """The result of a system call; OSError when it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
