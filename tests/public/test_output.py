import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from skyveil.core.errors import OutputRefused
from skyveil.public.record.output import OutputFile, refuse_target


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_nothing_has_the_name_before_commit_and_nothing_else_after(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "a.bin", overwrite=False) as output:
        output.write(b"bytes")
        assert names(tmp_path) == ["a.bin.skyveil.part"]
        assert (tmp_path / "a.bin.skyveil.part").stat().st_mode & 0o777 == 0o600
        output.commit()
    assert names(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"bytes"


def test_the_output_has_the_mode_that_the_umask_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with OutputFile(tmp_path / "a.bin", overwrite=False) as output:
            output.commit()
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_whatever_is_raised_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), OutputFile(tmp_path / "a.bin", overwrite=False) as output:
        output.write(b"bytes")
        raise error
    assert names(tmp_path) == []


def test_leaving_without_commit_leaves_nothing(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "a.bin", overwrite=False) as output:
        output.write(b"bytes")
    assert names(tmp_path) == []


def test_an_output_that_exists_is_refused_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(OutputRefused, match="--overwrite"):
        OutputFile(target, overwrite=False)
    assert names(tmp_path) == ["a.bin"]
    with OutputFile(target, overwrite=True) as output:
        output.write(b"new")
        assert target.read_bytes() == b"old"
        output.commit()
    assert target.read_bytes() == b"new"


def test_an_output_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with pytest.raises(OutputRefused, match="appeared"), OutputFile(target, overwrite=False) as output:
        target.write_bytes(b"somebody else's")
        output.commit()
    assert names(tmp_path) == ["a.bin"]
    assert target.read_bytes() == b"somebody else's"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_never_written_through(tmp_path: Path, overwrite: bool, dangling: bool) -> None:
    original = tmp_path / "original.bin"
    if not dangling:
        original.write_bytes(b"original")
    (tmp_path / "a.bin").symlink_to(original)
    with pytest.raises(OutputRefused, match="symbolic link"):
        OutputFile(tmp_path / "a.bin", overwrite=overwrite)
    assert dangling or original.read_bytes() == b"original"


def test_a_link_that_appears_meanwhile_is_not_written_through(tmp_path: Path) -> None:
    original = tmp_path / "original.bin"
    original.write_bytes(b"original")
    with (
        pytest.raises(OutputRefused, match="symbolic link"),
        OutputFile(tmp_path / "a.bin", overwrite=True) as output,
    ):
        (tmp_path / "a.bin").symlink_to(original)
        output.commit()
    assert original.read_bytes() == b"original"


def test_a_link_in_place_of_the_part_is_refused(tmp_path: Path) -> None:
    original = tmp_path / "original.bin"
    original.write_bytes(b"original")
    (tmp_path / "a.bin.skyveil.part").symlink_to(original)
    with pytest.raises(OutputRefused, match="not a file"):
        OutputFile(tmp_path / "a.bin", overwrite=True)
    assert original.read_bytes() == b"original"


def test_a_part_that_somebody_replaced_gets_no_name_and_stays(tmp_path: Path) -> None:
    part = tmp_path / "a.bin.skyveil.part"
    with pytest.raises(OutputRefused, match="replaced"), OutputFile(tmp_path / "a.bin", overwrite=False) as output:
        part.unlink()
        part.write_bytes(b"somebody else's")
        output.commit()
    assert part.read_bytes() == b"somebody else's"
    assert names(tmp_path) == ["a.bin.skyveil.part"]


def test_a_run_that_is_killed_leaves_a_part_that_the_next_run_over_the_same_target_removes(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from skyveil.public.record.output import OutputFile\n"
        "with OutputFile(Path(sys.argv[1]), overwrite=False) as output:\n"
        "    output.write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.bin")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == ["a.bin.skyveil.part"]
    with OutputFile(tmp_path / "a.bin", overwrite=False) as output:
        output.write(b"whole")
        output.commit()
    assert names(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"whole"


def test_two_writers_of_one_output_do_not_meet(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "a.bin", overwrite=True) as output:
        output.write(b"first")
        with pytest.raises(OutputRefused, match="another process"):
            OutputFile(tmp_path / "a.bin", overwrite=True)
        output.commit()
    assert (tmp_path / "a.bin").read_bytes() == b"first"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_or_a_device_is_no_output(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "folder", Path("/dev/null")):
        with pytest.raises(OutputRefused, match="not a file"):
            refuse_target(target, overwrite=overwrite)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match="no such folder"):
        OutputFile(tmp_path / "missing" / "a.bin", overwrite=False)


def test_names_with_spaces_newlines_and_right_to_left_script_are_names(tmp_path: Path) -> None:
    target = tmp_path / "a b\n\u05e9\u05dc\u05d5\u05dd .bin"
    with OutputFile(target, overwrite=False) as output:
        output.commit()
    assert names(tmp_path) == [target.name]


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "a.bin"
    with OutputFile(target, overwrite=False) as output:
        output.write(b"new")
        if taken:
            target.write_bytes(b"old")
            with pytest.raises(OutputRefused, match="appeared"):
                output.commit()
        else:
            output.commit()
    assert target.read_bytes() == (b"old" if taken else b"new")
    assert names(tmp_path) == ["a.bin"]
