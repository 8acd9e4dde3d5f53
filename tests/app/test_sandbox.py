"""Each layer of the wall, tried for real in a process of its own."""

import os
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from skyveil.app import sandbox, seccomp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wall is Linux only")

ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
"""What the batch gives its workers: numpy must not start threads that would stay outside the wall."""

BEHIND_THE_WALL = """
import ctypes, errno, fcntl, mmap, os, resource, signal, socket, struct, sys, threading
from multiprocessing import shared_memory
from pathlib import Path
from skyveil.app import sandbox
folder = Path(sys.argv[1])
report = sandbox.enter([folder])
libc = ctypes.CDLL(None, use_errno=True)
def refused(action):
    try:
        value = action()
    except OSError as error:
        print("refused", errno.errorcode.get(error.errno))
    except BaseException as error:
        print("refused", type(error).__name__)
    else:
        print("DONE", value)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
"""


def behind_the_wall(body: str, folder: Path, *, before: str = "") -> list[str]:
    """The lines printed by `body`, run in a process that entered the wall with `folder` readable, after `before`."""
    code = before + BEHIND_THE_WALL + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        env=ONE_THREAD,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_layer_holds_on_this_kernel(tmp_path: Path) -> None:
    lines = behind_the_wall("print(report.enough); print(*report.holds, sep='|'); print(*report.missing)", tmp_path)
    assert lines[0] == "True"
    held = set(lines[1].split("|"))
    assert held >= sandbox.REQUIRED
    assert {"no capabilities", "dies with parent"} <= held
    assert {"landlock files", "seccomp"} & held


ATTEMPTS = [
    # A file with content, an empty one, and every other way to leave a name behind.
    ("write a file", "(folder / 'a').write_bytes(b'x')"),
    ("create an empty file", "(folder / 'a').touch()"),
    ("append to a file that is there", "(folder / 'old').open('ab').write(b'x')"),
    ("truncate a file that is there", "os.truncate(folder / 'old', 0)"),
    ("make a folder named after a face", "(folder / 'b').mkdir()"),
    ("make a symbolic link", "(folder / 'c').symlink_to('/etc')"),
    ("make a hard link", "(folder / 'd').hardlink_to(folder / 'old')"),
    ("make a named pipe", "os.mkfifo(folder / 'e')"),
    ("rename", "(folder / 'old').rename(folder / 'new')"),
    ("remove", "(folder / 'old').unlink()"),
    ("hide bytes in the time of a file", "os.utime(folder / 'old', (1, 2))"),
    ("hide bits in the mode of a file", "(folder / 'old').chmod(0o600)"),
    ("hide bytes in an attribute", "os.setxattr(folder / 'old', 'user.x', b'x')"),
    ("write to a device", "open('/dev/null', 'wb')"),
    ("open a terminal", "os.open('/dev/tty', os.O_RDWR)"),
    # Memory that another process can reach.
    ("shared memory", "shared_memory.SharedMemory(create=True, size=4096)"),
    ("anonymous file", "os.memfd_create('x')"),
    ("system V shared memory", "call('shmget', 0x77, 4096, 0o1600)"),
    ("system V message queue", "call('msgget', 0x77, 0o1600)"),
    # The network, and sockets that need no network.
    ("tcp socket", "socket.socket()"),
    ("udp socket", "socket.socket(type=socket.SOCK_DGRAM)"),
    ("unix socket", "socket.socket(socket.AF_UNIX)"),
    ("socket pair", "socket.socketpair()"),
    (
        "connect to this machine",
        "socket.create_connection(('127.0.0.1', 9))",
    ),
    # Other processes.
    ("fork", "os.fork()"),
    ("spawn", "os.posix_spawn('/bin/true', ['true'], {})"),
    ("exec", "os.execv('/bin/true', ['true'])"),
    ("subprocess", "__import__('subprocess').run(['/bin/true'])"),
    ("signal the parent", "os.kill(os.getppid(), 0)"),
    ("let the kernel signal the parent", "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())"),
    ("let it signal a thread", "fcntl.fcntl(0, 15, struct.pack('ii', 0, os.getppid()))"),
    ("choose that signal", "fcntl.fcntl(0, 10, signal.SIGKILL)"),
    ("let it signal the parent, of a terminal", "fcntl.ioctl(0, 0x8901, struct.pack('i', os.getppid()))"),
    ("let it signal the parent, of a socket", "fcntl.ioctl(0, 0x8902, struct.pack('i', os.getppid()))"),
    ("trace", "call('ptrace', 16, os.getppid(), 0, 0)"),
    ("io_uring, which would pass the filter by", "call('syscall', 425, 8, 0)"),
    # Undoing it.
    ("raise the limit of files", "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))"),
    ("raise the limit of core dumps", "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))"),
    ("become dumpable again", "call('prctl', 4, 1, 0, 0, 0)"),
    ("outlive the parent", "call('prctl', 1, 0, 0, 0, 0)"),
    ("read what was not named", "os.listdir('/root')"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("wall")
    (folder / "old").write_bytes(b"old")
    body = "".join(f"refused(lambda: {action})\n" for _, action in ATTEMPTS)
    lines = behind_the_wall(body, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["old"]
    assert (folder / "old").read_bytes() == b"old"
    return dict(zip((name for name, _ in ATTEMPTS), lines, strict=True))


@pytest.mark.parametrize("attempt", [name for name, _ in ATTEMPTS])
def test_the_wall_refuses_to(attempt: str, answers: dict[str, str]) -> None:
    assert answers[attempt].startswith("refused"), answers[attempt]


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
def test_files_stay_unwritten_when_one_layer_is_missing(layer: str, tmp_path: Path) -> None:
    """Each of the two kernel layers refuses an empty file alone; the file size limit alone would not."""
    code = f"""
import sys, ctypes
from pathlib import Path
from skyveil.app import sandbox, {layer}
def gone(*_, **__): raise OSError("switched off")
{layer}.restrict = gone
report = sandbox.enter([Path({str(tmp_path)!r})])
print(report.enough, [name for name in report.missing])
try:
    (Path({str(tmp_path)!r}) / "empty").touch()
except OSError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=ONE_THREAD, check=True
    )
    assert done.stdout.splitlines()[0].startswith("True")
    assert "switched off" in done.stdout
    assert done.stdout.splitlines()[1] == "refused"
    assert list(tmp_path.iterdir()) == []


def test_on_older_kernels_nobody_is_ended_by_a_signal_of_the_kernel(tmp_path: Path) -> None:
    """Before Landlock could hold signals (Linux 6.12) a descriptor's owner could be anybody, and its signal any."""
    ways = [action for name, action in ATTEMPTS if "signal a thread" in name or "signal the parent, of" in name]
    ways += ["fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())", "fcntl.fcntl(0, 10, signal.SIGKILL)"]
    body = "".join(f"refused(lambda: {action})\n" for action in ways)
    lines = behind_the_wall(body, tmp_path, before="from skyveil.app import landlock\nlandlock._SCOPE_ABI = 99\n")
    assert lines == ["refused EPERM"] * len(ways)


# Ways to reach a process of the same account, by number (x86-64, aarch64): each works where there is no filter, but for
# those that the machine may lack.
REACHES = {
    "bind it to a processor": "os.sched_setaffinity(victim, {min(os.sched_getaffinity(0))})",
    "give it another policy": "os.sched_setscheduler(victim, os.SCHED_BATCH, os.sched_param(0))",
    "give it other parameters": "os.sched_setparam(victim, os.sched_param(0))",
    "give it both": "number(314, 274, victim, struct.pack('IIQiIQQQ', 48, 3, 0, 0, 0, 0, 0, 0), 0)",
    "lower its priority": "os.setpriority(os.PRIO_PROCESS, victim, 1)",
    "lower the priority of its group": "os.setpriority(os.PRIO_PGRP, victim, 1)",
    "lower that of an account": "os.setpriority(os.PRIO_USER, NOBODYS, 1)",  # never of ours: all would feel it
    "let it wait for disks": "number(251, 30, 1, victim, 3 << 13)",
    "move its memory": "number(256, 238, victim, 64, struct.pack('Q', 1), struct.pack('Q', 1))",
    "ask where its memory lies": "number(279, 239, victim, 0, None, None, None, 0)",
    "lower its limits": "resource.prlimit(victim, resource.RLIMIT_CPU, (999, 9999))",
    "read its limits": "resource.prlimit(victim, resource.RLIMIT_CPU)",
    "read its memory": "number(310, 270, victim, 0, 0, 0, 0, 0)",
    "write its memory": "number(311, 271, victim, 0, 0, 0, 0, 0)",
    "find its locks": "number(274, 100, victim, ctypes.byref(ctypes.c_long()), ctypes.byref(ctypes.c_long()))",
    "compare with it": "number(312, 272, os.getpid(), victim, 1, 0, 0)",
    "trace it": "number(101, 117, 0x4206, victim, 0, 0)",
    "get a descriptor of it": "number(434, 434, victim, 0)",
    "signal it": "os.kill(victim, 0)",
    "signal its thread": "number(234, 131, victim, victim, 0)",
    "signal a thread by number": "number(200, 130, victim, 0)",
    "queue it a signal": "number(129, 138, victim, signal.SIGCONT, struct.pack('iii116x', 0, 0, -1))",
    "queue its thread a signal": "number(297, 240, victim, victim, signal.SIGCONT, struct.pack('iii116x', 0, 0, -1))",
    "share a core with it": "call('prctl', 62, 1, victim, 0, 0)",
    "count what it does": "number(298, 241, struct.pack('IIQQQQQ64x', 1, 112, 0, 0, 0, 0, 1), victim, -1, -1, 0)",
    "hold a lock that it waits for": "fcntl.flock(model, fcntl.LOCK_EX)",
    "hold it another way": "fcntl.lockf(model, fcntl.LOCK_SH)",
    "hold it up with a lease": "fcntl.fcntl(model, fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "leave it a key": "number(248, 217, b'user', b'name', b'value', 5, -4)",
    "ask for a key": "number(250, 219, 0, -4, 0)",
    # The kernel refuses these itself (descriptors and sets that are none), so only the refusal can be seen.
    "signal it by descriptor": "number(424, 424, 0, 0, None, 0)",
    "take a descriptor of it": "number(438, 438, 0, 0, 0)",
    "advise on its memory": "number(440, 440, 0, None, 0, 0, 0)",
    "free its memory": "number(448, 448, 0, 0)",
    "wait for its semaphore": "number(220, 192, -1, None, 0, None)",
}
_NOT_EVERYWHERE = {
    *("signal it by descriptor", "take a descriptor of it", "advise on its memory", "free its memory"),
    *("wait for its semaphore", "share a core with it", "compare with it", "move its memory", "count what it does"),
    *("ask where its memory lies", "leave it a key", "ask for a key", "lower that of an account"),
}
_A_VICTIM = """
import platform, subprocess
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, process_group=0)
NOBODYS = 2**31 - 2
"""
_REACHED = """
victim, model = child.pid, os.open(folder / "old", os.O_RDONLY)
def number(x86_64, aarch64, *arguments):
    wide = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    return call("syscall", {"x86_64": x86_64, "aarch64": aarch64}[platform.machine()], *wide)
"""


def _reached(folder: Path, before: str) -> dict[str, str]:
    (folder / "old").write_bytes(b"old")
    body = _REACHED + "".join(f"refused(lambda: {action})\n" for action in REACHES.values())
    return dict(zip(REACHES, behind_the_wall(body, folder, before=_A_VICTIM + before), strict=True))


def test_no_process_of_the_account_is_reached(tmp_path: Path) -> None:
    """By seccomp alone: Landlock holds signals from Linux 6.12 on, and nothing else of these."""
    answers = _reached(tmp_path, "from skyveil.app import landlock\nlandlock._SCOPE_ABI = 99\n")
    assert {name: answer for name, answer in answers.items() if answer != "refused EPERM"} == {}


def test_without_the_filter_they_would_be_reached(tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    answers = _reached(tmp_path, "from skyveil.app import sandbox\nsandbox.enter = lambda *_: None\n")
    failed = {name for name, answer in answers.items() if not answer.startswith("DONE")}
    assert failed <= _NOT_EVERYWHERE, {name: answers[name] for name in failed}


def test_a_thread_may_bind_itself_and_lower_its_priority(tmp_path: Path) -> None:
    """OpenVINO does the one, and ours that are in no hurry the other."""
    lines = behind_the_wall(
        """
        def modest():
            os.sched_setaffinity(0, os.sched_getaffinity(0))
            before = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, 0, before + 1)
            print(os.getpriority(os.PRIO_PROCESS, 0) - before, os.getpriority(os.PRIO_PROCESS, os.getpid()) - before)
        worker = threading.Thread(target=modest)
        worker.start()
        worker.join()
        """,
        tmp_path,
    )
    assert lines == ["1 0"]


def test_threads_and_reading_go_on_working(tmp_path: Path) -> None:
    (tmp_path / "video").write_bytes(b"frames")
    lines = behind_the_wall(
        """
        seen = []
        workers = [threading.Thread(target=lambda: seen.append((folder / "video").read_bytes())) for _ in range(4)]
        [worker.start() for worker in workers]
        [worker.join() for worker in workers]
        print(seen == [b"frames"] * 4)
        print(resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0))
        print(libc.prctl(3, 0, 0, 0, 0), libc.prctl(39, 0, 0, 0, 0))
        """,
        tmp_path,
    )
    assert lines == ["True", "True True", "0 1"]


def test_a_thread_behind_the_wall_is_bound_as_well(tmp_path: Path) -> None:
    lines = behind_the_wall(
        """
        worker = threading.Thread(target=lambda: refused(lambda: (folder / "a").touch()))
        worker.start()
        worker.join()
        """,
        tmp_path,
    )
    assert lines[0].startswith("refused")
    assert list(tmp_path.iterdir()) == []


def test_a_process_with_threads_can_not_enter(tmp_path: Path) -> None:
    code = """
import threading
from skyveil.app import sandbox
stop = threading.Event()
threading.Thread(target=stop.wait, daemon=True).start()
try:
    sandbox.enter([])
except sandbox.BoundaryViolated as error:
    print(error)
stop.set()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=ONE_THREAD, check=True
    )
    assert "before the first thread" in done.stdout


def test_the_worker_dies_with_its_parent(tmp_path: Path) -> None:
    inner = (
        "import sys, time; from skyveil.app import sandbox; sandbox.enter([]); print('in', flush=True); time.sleep(600)"
    )
    outer = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {inner!r}], stdout=subprocess.PIPE, env=os.environ)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", outer], capture_output=True, text=True, timeout=60, env=ONE_THREAD, check=False
    )
    status = Path(f"/proc/{int(done.stdout)}/stat")
    for _ in range(2_000_000):
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
    pytest.fail("the worker outlived its parent")


@pytest.mark.parametrize("machine", sorted(seccomp.MACHINES))
def test_the_filter_fits_the_kernel_limit_and_every_jump_lands(machine: str) -> None:
    code = seccomp.program(seccomp.MACHINES[machine], 42)
    lines = [code[at : at + 8] for at in range(0, len(code), 8)]
    assert len(lines) <= 4096
    for at, line in enumerate(lines):
        assert at + 1 + max(line[2], line[3]) < len(lines) or line[0] == 0x06


def test_a_wall_without_kernel_layers_is_not_enough() -> None:
    assert not sandbox.WallReport(tuple(sandbox.REQUIRED), ("landlock files: none", "seccomp: none")).enough
    assert not sandbox.WallReport(("landlock files", "seccomp"), ()).enough
    assert sandbox.WallReport((*sandbox.REQUIRED, "seccomp"), ()).enough


def test_another_system_is_refused_with_the_missing_layers_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox.unsupported() is None
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    reason = sandbox.unsupported()
    assert reason is not None
    assert "Darwin" in reason
    assert "landlock" in reason
