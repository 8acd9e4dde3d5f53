"""seccomp: the kernel refuses system calls that would let pixels out of this process. App, inside the worker; Linux.

A list of what is refused, not of what is allowed: the libraries for decoding and inference may change what they need,
what must never happen does not. Threads go on working. Each refusal is an ordinary errno, so a library that tries
says so instead of dying. Covered beyond Landlock: sockets of every family, memory that can be handed on, file times,
modes and extended attributes (a channel of a few bytes each), new processes, and looking into other processes of the
account, sending them signals, be it by the kernel's hand, or changing where, when and how fast they run.
"""

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from typing import Final, final

_SET_MODE_FILTER: Final = 1
_FLAG_TSYNC: Final = 1  # every thread of the process, not only this one

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000

_NUMBER_AT: Final = 0  # offsets in struct seccomp_data; both machines are little endian
_MACHINE_AT: Final = 4
_ARGUMENT_AT: Final = 16
_X32_BIT: Final = 0x40000000

_CLONE_THREAD: Final = 0x00010000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SCHED_CORE: Final = 62  # it takes another process's number
_PRIO_PROCESS: Final = 0
# What lets the kernel send a signal of one's choice to another process, whenever something comes on a descriptor.
_F_SETOWN: Final = 8
_F_SETSIG: Final = 10
_F_SETOWN_EX: Final = 15
# Locks and leases, which a file opened for reading is enough for, hold up who waits for the same file.
_LOCKS: Final = (6, 7, 37, 38, 1024)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE
_FIOSETOWN: Final = 0x8901
_SIOCSPGRP: Final = 0x8902

# fmt: off
_X86_64: Final[dict[str, int]] = {
    "open": 2, "ioctl": 16, "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "connect": 42, "accept": 43,
    "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "bind": 49, "listen": 50, "socketpair": 53, "clone": 56,
    "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "semget": 64, "semop": 65, "semctl": 66, "msgget": 68,
    "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "fcntl": 72, "flock": 73, "truncate": 76, "ftruncate": 77, "rename": 82,
    "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91,
    "chown": 92, "fchown": 93, "lchown": 94, "ptrace": 101, "syslog": 103, "rt_sigqueueinfo": 129, "utime": 132,
    "mknod": 133, "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "pivot_root": 155, "prctl": 157,
    "setrlimit": 160, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
    "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "init_module": 175, "delete_module": 176,
    "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
    "tkill": 200, "sched_setaffinity": 203, "semtimedop": 220, "tgkill": 234, "utimes": 235, "mq_open": 240,
    "mq_unlink": 241, "mq_timedsend": 242, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "ioprio_set": 251, "migrate_pages": 256, "openat": 257, "mkdirat": 258, "mknodat": 259, "fchownat": 260,
    "futimesat": 261, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "fchmodat": 268,
    "unshare": 272, "get_robust_list": 274, "move_pages": 279, "utimensat": 280, "fallocate": 285, "accept4": 288,
    "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "recvmmsg": 299, "prlimit64": 302, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "sendmmsg": 307, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "kcmp": 312, "finit_module": 313, "sched_setattr": 314, "renameat2": 316, "seccomp": 317, "memfd_create": 319,
    "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323, "copy_file_range": 326,
}
_AARCH64: Final[dict[str, int]] = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
    "fcntl": 25, "ioctl": 29, "ioprio_set": 30, "flock": 32, "mknodat": 33, "mkdirat": 34, "unlinkat": 35,
    "symlinkat": 36, "linkat": 37, "renameat": 38, "umount2": 39, "mount": 40, "pivot_root": 41, "truncate": 45,
    "ftruncate": 46, "fallocate": 47, "chroot": 51, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55,
    "openat": 56, "utimensat": 88, "acct": 89, "unshare": 97, "get_robust_list": 100, "kexec_load": 104,
    "init_module": 105, "delete_module": 106, "syslog": 116, "ptrace": 117, "sched_setparam": 118,
    "sched_setscheduler": 119, "sched_setaffinity": 122, "kill": 129, "tkill": 130, "tgkill": 131,
    "rt_sigqueueinfo": 138, "setpriority": 140, "reboot": 142, "sethostname": 161, "setdomainname": 162,
    "setrlimit": 164, "prctl": 167, "settimeofday": 170, "mq_open": 180, "mq_unlink": 181, "mq_timedsend": 182,
    "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190, "semctl": 191, "semtimedop": 192,
    "semop": 193, "shmget": 194, "shmctl": 195, "shmat": 196, "socket": 198, "socketpair": 199, "bind": 200,
    "listen": 201, "accept": 202, "connect": 203, "sendto": 206, "recvfrom": 207, "sendmsg": 211, "recvmsg": 212,
    "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221, "swapon": 224, "swapoff": 225,
    "migrate_pages": 238, "move_pages": 239, "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "accept4": 242,
    "recvmmsg": 243, "prlimit64": 261, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
    "sendmmsg": 269, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
    "sched_setattr": 274, "renameat2": 276, "seccomp": 277, "memfd_create": 279, "bpf": 280, "execveat": 281,
    "userfaultfd": 282, "copy_file_range": 285, "kexec_file_load": 294,
}
_BOTH: Final[dict[str, int]] = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435,
    "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "memfd_secret": 447,
    "process_mrelease": 448, "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466,
}
# fmt: on
_NOT_KNOWN: Final = ("clone3", "openat2")  # their arguments lie behind a pointer; libc falls back to the older call
_CHECKED: Final = (
    *("clone", "open", "openat", "tgkill", "prlimit64", "prctl", "fcntl", "ioctl", "seccomp"),
    *("sched_setaffinity", "setpriority"),
)
_ON_GIVEN_SOCKETS: Final = ("recvfrom", "recvmsg")
"""What a camera process needs on the sockets it is given; it can make, connect, bind or address none."""


@final
@dataclass(frozen=True, slots=True)
class Machine:
    """What the filter must know of a processor family: its audit number and its table of system calls."""

    audit: int
    calls: dict[str, int]
    has_x32: bool


MACHINES: Final = {
    "x86_64": Machine(0xC000003E, _X86_64 | _BOTH, has_x32=True),
    "aarch64": Machine(0xC00000B7, _AARCH64 | _BOTH, has_x32=False),
}


def restrict(libc: ctypes.CDLL, *, given_sockets: bool = False) -> tuple[str, ...]:
    """Bind every thread of this process to the filter; gives the name of what holds. Needs no_new_privs.

    With `given_sockets` it may receive from, and send to the peer of, sockets that its parent connected.

    Raises OSError where the kernel has no seccomp or the processor is not one of `MACHINES`.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(f"no table of system calls for {platform.machine()}")
    code = program(machine, os.getpid(), given_sockets=given_sockets)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    result = libc.syscall(machine.calls["seccomp"], _SET_MODE_FILTER, _FLAG_TSYNC, header)
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return ("seccomp",)


def program(machine: Machine, pid: int, *, given_sockets: bool = False) -> bytes:
    """The filter as instructions of 8 bytes; `pid` is the only process that may be sent a signal."""
    lines = [_line(_LOAD, _MACHINE_AT), _line(_EQUAL, machine.audit, yes=1), _line(_RETURN, _KILL)]
    lines += [_line(_LOAD, _NUMBER_AT)]
    if machine.has_x32:
        lines += [_line(_AT_LEAST, _X32_BIT, no=1), _line(_RETURN, _ERRNO | errno.EPERM)]
    checked = (*_CHECKED, "sendto") if given_sockets else _CHECKED
    allowed = _ON_GIVEN_SOCKETS if given_sockets else ()
    for name, number in machine.calls.items():
        if name not in checked and name not in allowed:
            answer = errno.ENOSYS if name in _NOT_KNOWN else errno.EPERM
            lines += [_line(_EQUAL, number, no=1), _line(_RETURN, _ERRNO | answer)]
    for name in checked:
        if name in machine.calls:
            lines += _guarded(machine.calls[name], _check(name, pid))
    lines.append(_line(_RETURN, _ALLOW))
    return b"".join(lines)


def _check(name: str, pid: int) -> list[bytes]:
    """Instructions that answer one call by its arguments; each list ends with a return on every way."""
    refuse, allow = _line(_RETURN, _ERRNO | errno.EPERM), _line(_RETURN, _ALLOW)
    first, second, third = (_line(_LOAD, _ARGUMENT_AT + 8 * index) for index in range(3))
    fifth = _line(_LOAD, _ARGUMENT_AT + 8 * 4)
    fifth_high = _line(_LOAD, _ARGUMENT_AT + 8 * 4 + 4)
    third_high = _line(_LOAD, _ARGUMENT_AT + 8 * 2 + 4)
    checks = {
        "clone": [first, _line(_ANY_BIT, _CLONE_THREAD, no=1), allow, refuse],
        "open": [second, _line(_ANY_BIT, _WRITING, no=1), refuse, allow],
        "openat": [third, _line(_ANY_BIT, _WRITING, no=1), refuse, allow],
        "tgkill": [first, _line(_EQUAL, pid, no=1), allow, refuse],
        "prctl": _none_of(first, _PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SCHED_CORE),
        "fcntl": _none_of(second, _F_SETOWN, _F_SETSIG, _F_SETOWN_EX, *_LOCKS),
        "ioctl": _none_of(second, _FIOSETOWN, _SIOCSPGRP),
        "prlimit64": [
            *(first, _line(_EQUAL, 0, no=4)),
            *(third, _line(_EQUAL, 0, no=2), third_high, _line(_EQUAL, 0, yes=1), refuse, allow),
        ],
        # OpenVINO binds its threads to processors, and ours lower their priority: each its own, which is number 0.
        "sched_setaffinity": [first, _line(_EQUAL, 0, no=1), allow, refuse],
        "setpriority": [first, _line(_EQUAL, _PRIO_PROCESS, no=3), second, _line(_EQUAL, 0, no=1), allow, refuse],
        "seccomp": [refuse],
        # An address would reach somebody else: only the peer that the parent chose.
        "sendto": [fifth, _line(_EQUAL, 0, no=2), fifth_high, _line(_EQUAL, 0, yes=1), refuse, allow],
    }
    return checks[name]


def _none_of(load: bytes, *values: int) -> list[bytes]:
    """Instructions that refuse a call whose argument is one of the values, and allow it else."""
    left = len(values)
    tests = [_line(_EQUAL, value, yes=left - at) for at, value in enumerate(values)]
    return [load, *tests, _line(_RETURN, _ALLOW), _line(_RETURN, _ERRNO | errno.EPERM)]


def _guarded(number: int, body: list[bytes]) -> list[bytes]:
    """`body` for this call only; others jump over it with the number still loaded."""
    return [_line(_EQUAL, number, no=len(body)), *body]


def _line(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One struct sock_filter; `yes` and `no` are how many instructions a jump leaves out."""
    return struct.pack("=HBBI", code, yes, no, value & 0xFFFFFFFF)
