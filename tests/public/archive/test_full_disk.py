"""Recordings on a disk without room, or that fails: nothing that was stored is lost, and no chain breaks."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skyveil.core.ids import CameraId, camera_id
from skyveil.public.archive import Heads, Policy, chain
from skyveil.public.archive.chain import Entry
from skyveil.public.archive.keys import KeyStore
from tests.public.archive.test_archive import HALL, START_S, Site, Stream, chain_file, stretches

DAY_S = 86400.0


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows past this size: the system writes what fits and refuses the rest, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_room_for_lines(room: int = 100) -> Iterator[None]:
    """Of each line of a chain only so many bytes fit."""
    append = chain.append

    def cut(folder: Path, entry: Entry, before: str, keys: KeyStore) -> str:
        path = folder / chain.NAME
        with room_for((path.stat().st_size if path.exists() else 0) + room):
            return append(folder, entry, before, keys)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "append", cut)
        yield


def test_a_line_that_does_not_fit_leaves_no_part_of_it(site: Site) -> None:
    one, two = Entry("gap", 0, 1.0, 2.0, cause="a"), Entry("gap", 0, 2.0, 3.0, cause="b")
    first = chain.append(site.folder, one, chain.FIRST, site.keys)
    stored = (site.folder / chain.NAME).read_bytes()
    with no_room_for_lines(), pytest.raises(OSError, match="large"):
        chain.append(site.folder, two, first, site.keys)
    assert (site.folder / chain.NAME).read_bytes() == stored
    chain.append(site.folder, two, first, site.keys)
    lines = list(chain.read(site.folder, site.keys.public))
    assert [line.entry.cause for line in lines if line.entry is not None and line.signed] == ["a", "b"]


@pytest.mark.parametrize("torn", [b'{"bytes":1', b'"}\n', b"\0" * 500])
def test_a_torn_last_line_is_cut_off_when_a_chain_is_opened(site: Site, stream: Stream, torn: bytes) -> None:
    site.record(5, stream)
    site.recorder.close()
    with chain_file(site).open("ab") as file:
        file.write(torn)
    site.again()
    site.record(4, stream)
    site.recorder.close()
    assert site.archive.verify(HALL, site.holds) == []


def test_a_disk_that_was_full_for_a_line_loses_nothing(
    site: Site, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.public.archive.recording._RETRY_S", 0.0)
    site.record(5, stream)
    with no_room_for_lines():
        site.recorder.begin(HALL, stream.init)
        site.record(4, stream)
        assert any("hall: recording failed" in one for one in site.recorder.problems())
    site.record(4, stream)
    site.recorder.close()
    assert site.recorder.problems() == []
    assert site.archive.verify(HALL, site.holds) == []
    # What came while the disk was full is gone, what was stored before is there.
    assert sum(stretches(site)) == 90


def test_what_could_not_be_chained_is_chained_by_housekeeping(
    site: Site, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.public.archive.recording._RETRY_S", 0.0)
    site.record(5, stream)
    with no_room_for_lines():
        site.recorder.close()
    site.recorder.sweep({HALL: Policy()})
    assert sum(stretches(site)) == 50
    assert site.archive.verify(HALL, site.holds) == []


def test_a_file_of_an_earlier_day_is_chained_after_what_was_written_last(site: Site, stream: Stream) -> None:
    site.record(5, stream)
    with no_room_for_lines():
        site.recorder.close()
    left = max((site.data / "recordings" / HALL).rglob("*.seg"))
    data = left.read_bytes()
    left.unlink()
    site.again()
    site.record(5, stream, at_s=START_S + DAY_S)
    site.recorder.close()
    left.write_bytes(data)
    site.again()
    site.recorder.sweep({HALL: Policy()})
    assert site.archive.verify(HALL, site.holds) == []
    stored = [one.number for _, one in site.archive.entries(HALL, 0, 1e11) if one.kind == "segment"]
    assert sum(len(site.archive.records(HALL, number)) - 1 for number in stored) == 100


def test_a_folder_that_can_not_be_made_stops_no_camera(
    site: Site, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.public.archive.recording._RETRY_S", 0.0)
    folder = site.data / "recordings"
    (folder / HALL).write_text("a file in its place")
    site.recorder.note(HALL, "frozen")
    site.record(3, stream)
    assert any("hall: recording failed" in one for one in site.recorder.problems())
    (folder / HALL).unlink()
    # The stream goes on: its init segment came while nothing could be written.
    for number in range(50):
        site.recorder.take(HALL, stream.next(), START_S + 100 + number / 10)
    site.recorder.close()
    assert site.recorder.problems() == []
    assert 40 <= sum(stretches(site)) <= 50


def test_a_key_that_is_damaged_stops_no_camera(site: Site, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyveil.public.archive.recording._RETRY_S", 0.0)
    site.record(3, stream)
    (key,) = (site.keys_folder / "days" / HALL).glob("*.key")
    key.write_bytes(b"damaged")
    other = camera_id("door")
    site.record(3, stream)
    site.record(3, stream, camera=other)
    assert any("the key of hall" in one for one in site.recorder.problems())
    site.recorder.close()
    assert site.archive.days(other)


@pytest.mark.parametrize("what", ["deleting", "heads"])
def test_a_camera_that_can_not_be_cleared_keeps_no_other_ones_recordings(
    site: Site, stream: Stream, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    first, second = camera_id("aa"), camera_id("zz")
    for camera in (first, second):
        site.record(5, stream, camera=camera, at_s=START_S)
    site.recorder.close()
    site.record(5, stream, camera=first)
    site.recorder.begin(first, stream.init)
    (site.data / "recordings" / "lost+found").mkdir()
    site.clock.s += 100 * DAY_S
    destroy = KeyStore.destroy

    def bad(keys: KeyStore, camera: CameraId, day: str) -> None:
        if camera == first:
            raise OSError(5, "Input/output error")
        destroy(keys, camera, day)

    with monkeypatch.context() as patch:
        if what == "deleting":
            patch.setattr(KeyStore, "destroy", bad)
        else:
            patch.setattr(Heads, "publish", lambda *_, **__: bad(site.keys, first, ""))
        site.recorder.sweep({})
        assert any("aa: recordings can not be cleared" in one for one in site.recorder.problems())
    assert site.archive.cameras() == [first, second]
    assert site.archive.days(second) == []
    site.recorder.sweep({})
    assert site.recorder.problems() == []
    assert site.archive.days(first) == []
