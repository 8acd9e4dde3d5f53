"""What `skyveil recordings verify` tells: everything that was removed, and nothing that is in order."""

import os
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skyveil.cli.main import app
from skyveil.public.archive import Archive, Holds, KeyStore, Policy, Recorder
from skyveil.public.archive.chain import day_of
from tests.public.archive.test_archive import FPS, HALL, START_S, Site, Stream

DAY_S = 86400.0
POLICY = Policy(hours=72)


def told(site: Site, policy: Policy | None = POLICY) -> list[tuple[str, str]]:
    archive = Archive(site.data / "recordings", site.keys, now=site.clock)
    return [(one.day, one.what) for one in archive.verify(HALL, site.holds, policy)]


def folder(site: Site, at_s: float = START_S) -> Path:
    return site.data / "recordings" / HALL / day_of(at_s)


def two_days(site: Site, stream: Stream) -> None:
    site.record(6, stream)
    site.record(6, stream, at_s=START_S + DAY_S)
    site.recorder.close()
    assert told(site) == []


@pytest.mark.parametrize("left", ["no folder", "an empty folder"])
def test_a_whole_day_that_was_removed_is_told_by_its_key(site: Site, stream: Stream, left: str) -> None:
    two_days(site, stream)
    shutil.rmtree(folder(site))
    if left == "an empty folder":
        folder(site).mkdir()
    assert told(site) == [(day_of(START_S), "the recordings of this day were removed: its key is still there")]


@pytest.mark.parametrize("traces", ["keys and head", "keys", "head"])
def test_a_whole_camera_that_was_removed_is_told(site: Site, stream: Stream, traces: str) -> None:
    two_days(site, stream)
    shutil.rmtree(folder(site).parent)
    (site.data / "recordings" / "lost+found").mkdir()
    if traces == "keys":
        shutil.rmtree(site.keys_folder / "heads")
    if traces == "head":
        (site.keys_folder / "days" / HALL / f"{day_of(START_S)}.key").unlink()
    assert site.archive.cameras() == [] and site.archive.traces() == [HALL]
    assert told(site)


def test_segments_that_were_removed_before_their_retention_was_over_are_told(site: Site, stream: Stream) -> None:
    two_days(site, stream)
    for path in folder(site).glob("*.seg"):
        path.unlink()
    what = [f"segment {number} was removed before its retention was over" for number in (1, 2, 3)]
    assert told(site) == [(day_of(START_S), one) for one in what]
    site.clock.s = START_S + 4 * DAY_S
    assert told(site) == []
    assert told(site, Policy(hours=72, gigabytes=1)) == []  # the size may have deleted them


def test_a_segment_that_was_removed_though_a_hold_keeps_it_is_told(site: Site, stream: Stream) -> None:
    two_days(site, stream)
    hold = site.holds.ask(HALL, START_S + 2.5, START_S + 3, reason="crime", days=30, actor="ada")
    site.holds.decide(HALL, hold.id, approve=True, actor="officer")
    site.clock.s = START_S + 20 * DAY_S
    site.recorder.sweep({HALL: POLICY})
    assert told(site) == []
    (left,) = folder(site).glob("*.seg")
    left.unlink()
    for policy in (POLICY, None):
        assert told(site, policy) == [(day_of(START_S), "segment 2 was removed, though a hold keeps it")]


def test_what_was_deleted_before_somebody_asked_to_hold_it_is_in_order(site: Site, stream: Stream) -> None:
    two_days(site, stream)
    site.clock.s = START_S + 3.5 * DAY_S
    early = site.holds.ask(HALL, START_S + DAY_S, START_S + DAY_S + 3, reason="crime", days=30, actor="ada")
    site.holds.decide(HALL, early.id, approve=True, actor="officer")
    site.recorder.sweep({HALL: POLICY})
    late = site.holds.ask(HALL, START_S, START_S + 3, reason="crime", days=30, actor="ada")
    site.holds.decide(HALL, late.id, approve=True, actor="officer")
    assert told(site) == []


def test_what_was_deleted_with_a_clock_that_was_ahead_is_in_order(site: Site, stream: Stream) -> None:
    site.record(6, stream, at_s=START_S + 3650 * DAY_S)
    site.record(6, stream, at_s=START_S)
    site.record(6, stream, at_s=START_S + 4 * DAY_S)
    site.recorder.close()
    site.recorder.sweep({HALL: POLICY})
    assert len(list((site.data / "recordings").rglob("*.seg"))) == 3
    assert told(site) == []


def test_the_segment_that_is_being_written_is_no_finding(site: Site, stream: Stream) -> None:
    site.record(5, stream)
    assert told(site) == []
    (*_, being_written) = sorted(folder(site).glob("*.seg"))
    site.clock.s = time.time() + 3600
    os.utime(being_written)
    found = [what for _, what in told(site, None)]
    assert found == [f"{being_written.name} is in no line of the chain (it may be the one being written)"]
    site.recorder.close()


def test_a_file_that_is_not_of_this_site_is_told_however_new_it_is(site: Site, stream: Stream) -> None:
    site.record(5, stream)
    site.recorder.close()
    made = folder(site) / "000000000099.seg"
    shutil.copy(folder(site) / "000000000001.seg", made)
    os.utime(made)
    assert [what for _, what in told(site)] == [
        f"{made.name} is in no line of the chain (it may be the one being written)"
    ]


CONFIG = """\
version: 1
server: {data: data, keys: keys}
cameras:
  - {id: hall, name: Hall, purpose: Safety, source: "rtsp://127.0.0.1/1"}
"""


def test_the_command_tells_days_and_cameras_that_are_gone(tmp_path: Path, stream: Stream) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(CONFIG.replace("data: data, keys: keys", f"data: {tmp_path}/data, keys: {tmp_path}/keys"))
    keys = KeyStore(tmp_path / "keys")
    recorder = Recorder(
        tmp_path / "data/recordings", keys, Holds(tmp_path / "data", keys=tmp_path / "keys"), floor_bytes=0
    )
    start_s = time.time() - 60
    recorder.begin(HALL, stream.init)
    for number in range(60):
        recorder.take(HALL, stream.next(), start_s + number / FPS)
    beside = CliRunner().invoke(app, ["recordings", "verify", "-c", str(config)])
    assert (beside.exit_code, beside.stdout) == (0, "1 cameras, 0 findings\n")
    recorder.close()
    (tmp_path / "data/recordings/hall" / day_of(start_s) / "000000000002.seg").unlink()
    removed = CliRunner().invoke(app, ["recordings", "verify", "-c", str(config)])
    assert removed.exit_code == 1 and "segment 2 was removed before its retention was over" in removed.stdout
    shutil.rmtree(tmp_path / "data/recordings/hall")
    gone = CliRunner().invoke(app, ["recordings", "verify", "-c", str(config)])
    assert gone.exit_code == 1 and "the recordings of this day were removed" in gone.stdout
