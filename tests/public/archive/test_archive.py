"""Recordings of real encoded pictures: written, killed, damaged, held, expired, played."""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import pytest

from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.stream import StreamInfo
from skyveil.public.archive import Archive, Holds, KeyStore, Policy, Recorder, Stretch
from skyveil.public.encode.header import EncodeSettings
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.live.fragments import Fragment, Fragmenter
from tests.public.moving import redacted

HALL = camera_id("hall")
FPS = 10
START_S = 1_790_000_000.0
"""2026-09-21, in the afternoon."""


class Clock:
    """The time of day; it was set by `set_s` against the monotonic one."""

    def __init__(self) -> None:
        self.s = START_S
        self.set_s = 0.0

    def __call__(self) -> float:
        return self.s

    def monotonic(self) -> float:
        return self.s - self.set_s


class Site:
    """A recorder with its folders; `again` starts it anew, as after a kill."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.data, self.keys_folder = folder / "data", folder / "keys"
        self.again()

    def again(self, hours: float = 1e6) -> None:
        self.keys = KeyStore(self.keys_folder)
        self.holds = Holds(self.data, keys=self.keys_folder, now=self.clock)
        self.recorder = Recorder(
            self.data / "recordings",
            self.keys,
            self.holds,
            floor_bytes=0,
            now=self.clock,
            monotonic=self.clock.monotonic,
        )
        # As a server does at its start: it is the time that later sweeps compare with.
        self.recorder.sweep({HALL: Policy(hours=hours)})
        self.archive = Archive(self.data / "recordings", self.keys)

    def record(self, seconds: float, stream: "Stream", *, at_s: float | None = None, camera: CameraId = HALL) -> None:
        at_s = self.clock.s if at_s is None else at_s
        self.recorder.begin(camera, stream.init)
        for number in range(int(seconds * FPS)):
            self.recorder.take(camera, stream.next(), at_s + number / FPS)
        self.clock.s = at_s + seconds


class Stream:
    """Real packets of a live encoder, over and over, with ascending times."""

    def __init__(self, size: tuple[int, int] = (96, 64)) -> None:
        info = StreamInfo(*size, Fraction(1, 90_000), Fraction(FPS), Fraction(1), 8, False, (1, 1, 1))
        encoder = VideoEncoder(EncodeSettings(preset="ultrafast", key_every_s=1.0, low_latency=True), info)
        frames = redacted([n * 90_000 // FPS for n in range(FPS * 4)], info)
        self._packets = [packet for frame in frames for packet in encoder.encode(frame)]
        self._fragmenter = Fragmenter(encoder.header)
        self.init = self._fragmenter.init
        self._number = 0

    def next(self) -> Fragment:
        packet = self._packets[self._number % len(self._packets)]
        pts = self._number * 90_000 // FPS
        self._number += 1
        return self._fragmenter.fragment(replace(packet, pts=pts, dts=pts, duration=90_000 // FPS))


def played(media: bytes | Stretch) -> int:
    with av.open(io.BytesIO(media) if isinstance(media, bytes) else media, "r") as container:
        return sum(1 for _ in container.decode(container.streams.video[0]))


def stretches(site: Site, *, to_s: float = 1e11) -> list[int]:
    """How many pictures play in each stretch of everything that is recorded."""
    return [played(one) for one in site.archive.stretches(HALL, 0, to_s)]


def test_days_of_a_time_zone_are_those_in_which_a_segment_is_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    stream = Stream()
    auckland, honolulu = ZoneInfo("Pacific/Auckland"), ZoneInfo("Pacific/Honolulu")
    assert site.archive.days_in(HALL, auckland) == []
    # 21 September, 14:13 in UTC: it is 22 September at 2:13 in Auckland, and 4:13 in Honolulu.
    site.record(12, stream)
    site.recorder.close()
    assert site.archive.days_in(HALL, ZoneInfo("UTC")) == ["2026-09-21"]
    assert site.archive.days_in(HALL, auckland) == ["2026-09-22"]
    site.record(12, stream, at_s=START_S + 7 * 3600)  # 22 September, 21:13 in UTC is in none of them another day
    site.record(12, stream, at_s=START_S + 11 * 3600)  # 1:13 of the next day in UTC
    site.recorder.close()
    assert site.archive.days_in(HALL, auckland) == ["2026-09-22"]
    assert site.archive.days_in(HALL, honolulu) == ["2026-09-21"]
    assert site.archive.days_in(HALL, ZoneInfo("UTC")) == ["2026-09-21", "2026-09-22"]
    # What was deleted is on no page, though its lines stay: first its end, then all but the middle.
    first, second = sorted((tmp_path / "data/recordings" / HALL).iterdir())
    for path in second.glob("*.seg"):
        path.unlink()
    assert site.archive.days_in(HALL, ZoneInfo("UTC")) == ["2026-09-21"]
    site.record(12, stream, at_s=START_S + 21.8 * 3600)  # noon in UTC, and midnight in Auckland is behind it
    site.recorder.close()
    assert site.archive.days_in(HALL, auckland) == ["2026-09-22", "2026-09-23"]
    for path in sorted(second.glob("*.seg")):
        path.unlink()
    assert site.archive.days_in(HALL, auckland) == ["2026-09-22"]
    for path in sorted(first.glob("*.seg"))[1:]:
        path.unlink()
    assert site.archive.days_in(HALL, auckland) == ["2026-09-22"]


def everything(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def test_what_was_recorded_plays_and_verifies(site: Site, stream: Stream) -> None:
    site.record(9, stream)
    site.recorder.close()
    entries = [one for _, one in site.archive.entries(HALL, 0, 1e11)]
    assert {one.kind for one in entries} == {"segment"} and len(entries) >= 3
    assert entries[0].start_s == START_S and entries[-1].end_s == pytest.approx(START_S + 9)
    assert stretches(site) == [90]
    one = entries[1]
    assert played(site.archive.init(HALL, one.init) + site.archive.segment(HALL, one.number)) >= 20
    assert site.archive.verify(HALL, site.holds) == []
    playlist = site.archive.playlist(HALL, 0, 1e11)
    assert playlist.startswith("#EXTM3U") and playlist.count("#EXTINF") == len(entries)


def test_nothing_that_is_stored_can_be_read_without_its_key(site: Site, stream: Stream) -> None:
    site.record(3, stream)
    site.recorder.close()
    picture = site.archive.segment(HALL, 1)
    assert not any(picture[n : n + 32] in data for data in everything(site.data) for n in range(0, 400, 40))
    assert stat_modes(site.keys_folder) == {0o600, 0o700}


def stat_modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


def test_after_its_retention_a_day_and_its_key_are_in_no_file(site: Site, stream: Stream) -> None:
    site.record(3, stream)
    site.recorder.close()
    (key_file,) = (site.keys_folder / "days" / HALL).glob("*.key")
    wrapped = key_file.read_bytes()
    backup = site.folder / "backup"
    shutil.copytree(site.data, backup)
    day = site.archive.days(HALL)[0]
    site.clock.s += 73 * 3600
    site.recorder.sweep({HALL: Policy(hours=72)})
    assert site.archive.days(HALL) == []
    assert not any(wrapped[12:44] in data for folder in (site.data, site.keys_folder) for data in everything(folder))
    with pytest.raises(RecordingMissing):
        site.keys.day(HALL, day)
    with pytest.raises(RecordingMissing):
        Archive(backup / "recordings", site.keys).records(HALL, 1)


def test_young_recordings_stay_and_the_oldest_go_above_the_size(site: Site, stream: Stream) -> None:
    site.record(20, stream)
    site.recorder.close()
    before = [one.number for _, one in site.archive.entries(HALL, 0, 1e11)]
    site.recorder.sweep({HALL: Policy(hours=1)})
    assert [one.number for _, one in site.archive.entries(HALL, 0, 1e11)] == before
    size = sum(one.bytes for _, one in site.archive.entries(HALL, 0, 1e11))
    site.recorder.sweep({HALL: Policy(hours=1, gigabytes=size / 2e9)})
    after = [one.number for _, one in site.archive.entries(HALL, 0, 1e11)]
    assert after == before[-len(after) :] and 0 < len(after) < len(before)
    assert site.archive.verify(HALL, site.holds) == []


def test_a_hold_keeps_its_span_until_it_ends(site: Site, stream: Stream) -> None:
    site.record(10, stream)
    site.recorder.close()
    hold = site.holds.ask(HALL, START_S + 4, START_S + 5, reason="accident", days=5, actor="ada")
    with pytest.raises(SettingsRefused):
        site.holds.decide(HALL, hold.id, approve=True, actor="ada")
    site.holds.decide(HALL, hold.id, approve=True, actor="officer")
    site.clock.s += 4 * 86400
    site.recorder.sweep({HALL: Policy(hours=72)})
    kept = [one for _, one in site.archive.entries(HALL, 0, 1e11)]
    assert kept and all(one.start_s < START_S + 5 and one.end_s > START_S + 4 for one in kept)
    assert site.archive.segment(HALL, kept[0].number)
    site.clock.s += 2 * 86400
    site.recorder.sweep({HALL: Policy(hours=72)})
    assert site.archive.days(HALL) == []


@pytest.mark.parametrize(
    ("reason", "days", "to_s"),
    [("because", 3, 10), ("crime", 31, 10), ("crime", 0, 10), ("crime", 3, -1), ("crime", 3, 1e9)],
)
def test_holds_without_a_reason_or_an_end_are_refused(site: Site, reason: str, days: int, to_s: float) -> None:
    with pytest.raises(SettingsRefused):
        site.holds.ask(HALL, START_S, START_S + to_s, reason=reason, days=days, actor="ada")


def test_a_damaged_list_of_holds_deletes_nothing(site: Site, stream: Stream) -> None:
    site.record(3, stream)
    site.recorder.close()
    (site.data / "holds.json").write_text("{")
    site.clock.s += 100 * 3600
    site.recorder.sweep({HALL: Policy(hours=72)})
    assert any("the list of holds is damaged" in one for one in site.recorder.problems())
    assert site.archive.segment(HALL, 1)


def test_a_list_of_holds_that_a_backup_left_out_deletes_nothing(site: Site, stream: Stream) -> None:
    site.record(3, stream)
    site.recorder.close()
    site.holds.ask(HALL, START_S, START_S + 1, reason="crime", days=30, actor="ada")
    kept = (site.data / "holds.json").read_bytes()
    (site.data / "holds.json").unlink()
    site.again(hours=72)
    site.clock.s += 100 * 3600
    site.recorder.sweep({HALL: Policy(hours=72)})
    assert any("holds.json is missing: nothing is deleted" in one for one in site.recorder.problems())
    assert site.archive.segment(HALL, 1)
    # A version before this one left no mark beside the keys: the list that is there makes one.
    (site.keys_folder / "holds.mark").unlink()
    (site.data / "holds.json").write_bytes(kept)
    site.again()
    (site.data / "holds.json").unlink()
    with pytest.raises(RecordingMissing, match="is missing"):
        site.holds.of(HALL)


def test_a_hole_is_a_gap_with_its_cause(site: Site, stream: Stream) -> None:
    site.record(4, stream)
    site.recorder.note(HALL, "frozen")
    site.record(4, stream, at_s=START_S + 60)
    site.recorder.close()
    (gap,) = [one for _, one in site.archive.entries(HALL, 0, 1e11) if one.kind == "gap"]
    assert (gap.cause, gap.end_s) == ("frozen", START_S + 60)
    assert gap.start_s == pytest.approx(START_S + 4)
    assert "#EXT-X-DISCONTINUITY" in site.archive.playlist(HALL, 0, 1e11)
    assert site.archive.verify(HALL, site.holds) == []


def test_a_clock_that_is_set_back_and_midnight_break_no_chain(site: Site, stream: Stream) -> None:
    midnight = (START_S // 86400 + 1) * 86400
    site.record(6, stream, at_s=midnight - 3)
    site.record(6, stream, at_s=midnight - 100)
    site.recorder.close()
    assert len(site.archive.days(HALL)) == 2
    assert "clock-jump" in {one.cause for _, one in site.archive.entries(HALL, 0, 1e11)}
    assert site.archive.verify(HALL, site.holds) == []


def test_another_size_begins_another_stretch(site: Site, stream: Stream) -> None:
    site.record(4, stream)
    site.record(4, Stream((128, 96)))
    site.recorder.close()
    assert stretches(site) == [40, 40]


def chain_file(site: Site) -> Path:
    (path,) = (site.data / "recordings" / HALL).rglob("chain.jsonl")
    return path


def changed(lines: list[bytes], what: str) -> list[bytes]:
    """The lines of a chain after somebody was there."""
    first, second, *rest = lines
    return {
        "line": [first, second.replace(b'"number":2', b'"number":9'), *rest],
        "type": [first, second.replace(b'"number":2', b'"number":"2"'), *rest],
        "no-json": [first, b"what\n", *rest],
        "removed": [first, *rest],
        "first-removed": [second, *rest],
        "swapped": [second, first, *rest],
        "twice": [first, second, second, *rest],
        "forged": [first, second.replace(b'"signature":"', b'"signature":"00'), *rest],
        "cut-off": lines[:-1],
        "all-removed": [],
    }[what]


@pytest.mark.parametrize(
    "what",
    [
        *("line", "type", "no-json", "removed", "swapped", "twice", "forged", "cut-off", "all-removed"),
        *("byte", "stray", "segment-removed", "day-removed", "head-removed", "head-changed"),
    ],
)
def test_every_change_is_found_and_the_rest_stays_readable(site: Site, stream: Stream, what: str) -> None:
    site.record(12, stream)
    site.recorder.close()
    assert site.archive.verify(HALL, site.holds) == []
    chain, second = chain_file(site), next(chain_file(site).parent.glob("*002.seg"))
    head = site.keys_folder / "heads/camera-hall.json"
    if what == "byte":
        data = bytearray(second.read_bytes())
        data[len(data) // 2] ^= 1
        second.write_bytes(data)
    elif what == "stray":
        (second.parent / "000000000099.seg").write_bytes(b"x" * 100)
    elif what == "segment-removed":
        second.unlink()
    elif what == "day-removed":
        shutil.rmtree(chain.parent)
    elif what == "head-removed":
        head.unlink()
    elif what == "head-changed":
        head.write_bytes(head.read_bytes().replace(b'"number": ', b'"number": 1'))
    else:
        chain.write_bytes(b"".join(changed(chain.read_bytes().splitlines(keepends=True), what)))
    assert site.archive.verify(HALL, site.holds)
    if what != "day-removed":
        assert site.archive.segment(HALL, 1)


@pytest.mark.parametrize("what", ["cut-off", "all-removed", "day-removed"])
def test_an_end_that_was_removed_is_told_for_ever_and_no_nonce_is_used_twice(
    site: Site, stream: Stream, what: str
) -> None:
    site.record(12, stream)
    site.recorder.close()
    newest = max(one.number for _, one in site.archive.entries(HALL, 0, 1e11))
    chain = chain_file(site)
    if what == "day-removed":
        shutil.rmtree(chain.parent)
    else:
        chain.write_bytes(b"".join(changed(chain.read_bytes().splitlines(keepends=True), what)))
        for path in chain.parent.glob("*.seg"):
            path.unlink()
    site.again()
    site.record(6, stream, at_s=START_S + 60)
    site.recorder.sweep({HALL: Policy()})
    site.recorder.close()
    findings = [one.what for one in site.archive.verify(HALL, site.holds)]
    assert any("lines before it were removed" in one for one in findings)
    later = [one for _, one in site.archive.entries(HALL, START_S + 60, 1e11) if one.kind == "segment"]
    assert later and all(one.number > newest for one in later)


def test_starting_anew_does_not_chain_a_changed_line_again(site: Site, stream: Stream) -> None:
    site.record(12, stream)
    site.recorder.close()
    chain = chain_file(site)
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join([lines[0], lines[1].replace(b'"bytes":', b'"bytes":1'), *lines[2:]]))
    before = site.archive.verify(HALL, site.holds)
    site.again()
    site.record(4, stream, at_s=START_S + 12)
    site.recorder.close()
    assert len(chain.read_bytes().splitlines()) > len(lines)
    assert {one.what for one in before} <= {one.what for one in site.archive.verify(HALL, site.holds)}


def test_a_day_that_expires_after_one_that_is_held_breaks_no_chain(site: Site, stream: Stream) -> None:
    midnight = (START_S // 86400 + 1) * 86400
    for day in range(3):
        site.record(6, stream, at_s=midnight + day * 86400 + 100)
    hold = site.holds.ask(HALL, midnight + 100, midnight + 106, reason="accident", days=30, actor="ada")
    site.holds.decide(HALL, hold.id, approve=True, actor="officer")
    site.clock.s = midnight + 5 * 86400
    site.recorder.sweep({HALL: Policy(hours=3 * 24 + 1)})
    site.recorder.close()
    held, middle, _ = site.archive.days(HALL)
    assert site.keys.has_day(HALL, held) and not site.keys.has_day(HALL, middle)
    assert site.archive.verify(HALL, site.holds) == []
    site.holds.decide(HALL, hold.id, approve=False, actor="officer")
    site.recorder.sweep({HALL: Policy(hours=3 * 24 + 1)})
    assert len(site.archive.days(HALL)) == 1
    assert site.archive.verify(HALL, site.holds) == []


def test_the_size_limit_deletes_the_oldest_over_days_and_many_sweeps(site: Site, stream: Stream) -> None:
    midnight = (START_S // 86400 + 1) * 86400
    for day in range(2):
        site.record(10, stream, at_s=midnight + day * 86400 + 100)
    site.recorder.close()
    numbers = [one.number for _, one in site.archive.entries(HALL, 0, 1e11) if one.kind == "segment"]
    sizes = {one.number: one.bytes for _, one in site.archive.entries(HALL, 0, 1e11)}
    while len(numbers) > 1:
        limit = sum(sizes[number] for number in numbers) - 1
        site.recorder.sweep({HALL: Policy(hours=9e4, gigabytes=limit / 1e9)})
        left = [one.number for _, one in site.archive.entries(HALL, 0, 1e11) if one.kind == "segment"]
        assert left == numbers[1:]
        numbers = left
    assert site.archive.verify(HALL, site.holds) == []


def test_a_kill_in_the_middle_of_a_chain_line_is_mended(site: Site, stream: Stream) -> None:
    site.record(6, stream)
    head = site.keys_folder / "heads/camera-hall.json"
    before = head.read_bytes()
    site.recorder.close()
    head.write_bytes(before)  # a head is signed after its line is whole
    chain = chain_file(site)
    chain.write_bytes(chain.read_bytes()[:-40])
    site.again()
    site.record(4, stream, at_s=START_S + 6)
    site.recorder.close()
    assert site.archive.verify(HALL, site.holds) == []
    assert sum(stretches(site)) == 100


KILLED = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from tests.public.archive.test_archive import HALL, Site, Stream, FPS, START_S
site, stream = Site(Path({folder!r})), Stream()
site.recorder.begin(HALL, stream.init)
number = 0
while True:
    site.recorder.take(HALL, stream.next(), START_S + number / FPS)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("fragments", [1, 7, 33, 64])
def test_a_kill_loses_at_most_the_fragment_that_was_being_written(tmp_path: Path, fragments: int) -> None:
    script = KILLED.format(path=sys.path, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = 0
        while told < fragments:
            told = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in process.stdout if line.endswith(b"\n"))])
        process.wait(20)
    site = Site(tmp_path)
    stream = Stream()
    site.recorder.note(HALL, "process-killed")
    site.record(3, stream, at_s=START_S + 3600)
    site.recorder.close()
    assert site.archive.verify(HALL, site.holds) == []
    before = [one for one in site.archive.entries(HALL, 0, START_S + 1800) if one[1].kind == "segment"]
    stored = sum(len(site.archive.records(HALL, one.number)) - 1 for _, one in before)
    assert told <= stored <= told + 1
    causes = {one.cause for _, one in site.archive.entries(HALL, 0, 1e11) if one.kind == "gap"}
    assert causes == {"process-killed"}


def test_a_full_disk_is_told_and_loses_nothing_that_was_stored(
    site: Site, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.record(6, stream)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("skyveil.public.archive.recording.sealed", full)
        site.record(1, stream)
        assert any("No space left" in one for one in site.recorder.problems())
    site.again()
    site.record(4, stream, at_s=START_S + 100)
    site.recorder.close()
    assert site.recorder.problems() == []
    assert site.archive.verify(HALL, site.holds) == []
    assert sum(stretches(site, to_s=START_S + 50)) >= 59


def test_below_its_floor_the_disk_is_left_alone(tmp_path: Path, stream: Stream) -> None:
    site = Site(tmp_path)
    recorder = Recorder(site.data / "recordings", site.keys, site.holds, floor_bytes=1e18, now=site.clock)
    recorder.sweep({})
    recorder.begin(HALL, stream.init)
    recorder.take(HALL, stream.next(), START_S)
    assert site.archive.days(HALL) == []
    assert any("floor" in one for one in recorder.problems())
