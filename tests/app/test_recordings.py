"""Recordings of a site as its staff use them: exported without persons, held by two people, gone when they are old."""

import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skyveil.app.config import Config, Secrets, load, specs
from skyveil.app.recordings import EXPORTS, LiveRecordings
from skyveil.app.server import audit_of, database_of
from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import FrameId, SourceId, camera_id
from skyveil.core.stream import StreamInfo
from skyveil.core.time import MediaTime
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked, Why
from skyveil.private.regions import Regions
from skyveil.public.encode.header import EncodeSettings
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.live.fragments import Fragment, Fragmenter
from skyveil.public.types import RedactedFrame
from skyveil.public.web.site import ExportsFull
from tests.conftest import Picture
from tests.leak.canary import CODE, STRENGTH, in_picture
from tests.public.moving import redacted

HALL = camera_id("hall")
FPS = 10
STEP = 90_000 // FPS
INFO = StreamInfo(96, 64, Fraction(1, 90_000), Fraction(FPS), Fraction(1), 8, False, (1, 1, 1))


def configured(folder: Path, **camera: str) -> Config:
    fields = {"id": HALL, "name": "Hall", "purpose": "a test", "source": "rtsp://127.0.0.1/1"}
    given = ", ".join(f"{name}: {value}" for name, value in (fields | camera).items())
    path = folder / "skyveil.yaml"
    path.write_text(f"version: 1\ncameras: [{{{given}}}]\n")
    return load(path)


def started(config: Config) -> LiveRecordings:
    recordings = LiveRecordings(config)
    recordings.start(specs(config, Secrets(config.server.secrets)))
    return recordings


def fragments(frames: Iterator[RedactedFrame], info: StreamInfo) -> tuple[bytes, list[Fragment]]:
    encoder = VideoEncoder(EncodeSettings(preset="ultrafast", key_every_s=1.0, low_latency=True), info)
    fragmenter = Fragmenter(encoder.header)
    return fragmenter.init, [fragmenter.fragment(packet) for frame in frames for packet in encoder.encode(frame)]


def record(recordings: LiveRecordings, start_s: float, seconds: float) -> None:
    init, made = fragments(redacted([n * STEP for n in range(int(seconds * FPS))], INFO), INFO)
    recordings.begin(HALL, init)
    for number, fragment in enumerate(made):
        recordings.take(HALL, fragment, start_s + number / FPS)


def uncovered(picture: Picture, index: int, width: int, height: int) -> RedactedFrame:
    """The picture through the gate with nothing covered: what a control room sees of somebody's clothes."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format="yuv420p")
    fresh = av.VideoFrame(width, height, "yuv420p")
    for source, target in zip(frame.planes, fresh.planes, strict=True):
        target.update(bytes(source))
    name, tiles = FrameId(SourceId("hall"), index), (-(-height // 16), -(-width // 16))
    looked = Looked(name, 16, np.full(tiles, Why.LOOKED, np.uint8), np.zeros(tiles, np.float32), ("net@0",))
    raw = RawFrame(fresh, name, MediaTime(index * STEP, Fraction(1, 90_000)))
    return redact(raw, Regions(name, np.zeros((0, 4), np.int32), (), looked), Solid(), max_look_age_s=1.0)


def pictures(path: Path) -> list[Picture]:
    with av.open(str(path), "r") as container:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in container.decode(container.streams.video[0])
        ]


@pytest.mark.models
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("targets", ["[face, head]", "[face, head, person, plate]"])
def test_an_export_covers_whole_persons_whatever_the_configuration_says_since(
    tmp_path: Path, astronaut: Picture, targets: str
) -> None:
    recordings = started(configured(tmp_path, targets="[face, head]"))
    coded = astronaut.astype(np.int16)
    height, width = CODE.shape
    coded[340 : 340 + height, 150 : 150 + width] += CODE[:, :, None] * STRENGTH  # on her clothes
    shown = np.clip(coded, 0, 255).astype(np.uint8)
    info = replace(INFO, width=512, height=512)
    init, made = fragments((uncovered(shown, n, 512, 512) for n in range(24)), info)
    start_s = time.time() - 60
    recordings.begin(HALL, init)
    for number, fragment in enumerate(made):
        recordings.take(HALL, fragment, start_s + number / FPS)
    reload(recordings, configured(tmp_path, targets=targets))
    recordings.close()
    name = recordings.export(HALL, start_s - 1, start_s + 60, actor="ada", reason="a test")
    exported = recordings.exported(name)
    assert len(pictures(exported)) == 24
    assert not any(in_picture(one, (1.0,)) for one in pictures(exported))
    statement = json.loads(exported.with_suffix(".mp4.statement.json").read_text())
    assert statement["redacted_again"] is True and statement["exported_by"] == "ada"
    assert statement["chain_head"]["chain"] == "camera-hall"
    assert not list(exported.parent.glob("*.part*"))


def test_exports_are_made_one_by_one_and_no_more_wait_than_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings, going, running = started(configured(tmp_path)), threading.Event(), 0
    most, begun = 0, threading.Semaphore(0)

    def slow(*_: object, **__: object) -> Path:
        nonlocal running, most
        running += 1
        most = max(most, running)
        begun.release()
        assert going.wait(60)
        running -= 1
        return tmp_path / "made.mp4"

    def one(actor: str = "ada") -> str:
        return recordings.export(HALL, 0.0, 1.0, actor=actor, reason="a test")

    monkeypatch.setattr("skyveil.app.recordings.export", slow)
    with ThreadPoolExecutor(EXPORTS) as threads:
        taken = [threads.submit(one)]
        assert begun.acquire(timeout=60)
        with pytest.raises(ExportsFull, match="of yours"):  # one person keeps nobody out
            one()
        taken += [threads.submit(one, f"bo{number}") for number in range(1, EXPORTS)]
        until_s = time.monotonic() + 60
        while len(recordings._actors) < EXPORTS:
            assert time.monotonic() < until_s
        for _ in range(2):
            with pytest.raises(ExportsFull, match="of others"):
                one("cy")
        going.set()
        assert [made.result(60) for made in taken] == ["made.mp4"] * EXPORTS
    assert (most, one()) == (1, "made.mp4")
    recordings.close()


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_an_export_says_which_pictures_are_missing_and_why(tmp_path: Path) -> None:
    recordings = started(configured(tmp_path))
    start_s = float(int(time.time())) - 600
    record(recordings, start_s, 12)
    record(recordings, start_s + 20, 2)
    recordings.close()
    files = sorted(tmp_path.rglob("*.seg"))
    assert len(files) == 7  # of two seconds
    for number, at in ((1, files[1].stat().st_size // 2), (3, 10)):  # a picture, and what all pictures stand on
        data = bytearray(files[number].read_bytes())
        data[at] ^= 1
        files[number].write_bytes(data)
    files[4].unlink()
    name = recordings.export(HALL, start_s - 5, start_s + 22, actor="ada", reason="a test")
    exported = recordings.exported(name)
    statement = json.loads(exported.with_suffix(".mp4.statement.json").read_text())
    told = {
        what: [(round(one["from_s"] - start_s, 1), round(one["to_s"] - start_s, 1)) for one in statement[what]]
        for what in ("pictures", "gaps", "damaged")
    }
    cut = told["pictures"][0][1]
    assert 2 < cut < 4
    assert told["pictures"] == [(0, cut), (4, 6), (10, 12), (20, 22)]
    assert told["gaps"] == [(-5, 0), (cut, 4), (6, 8), (8, 10), (12, 20)]
    assert [one["cause"] for one in statement["gaps"]] == ["missing", "damaged", "damaged", "missing", "link-lost"]
    assert told["damaged"] == [(2, 4), (6, 8)]
    assert len(pictures(exported)) == round(sum(to_s - from_s for from_s, to_s in told["pictures"]) * FPS)


def reload(recordings: LiveRecordings, config: Config) -> None:
    recordings.configure(config, specs(config, Secrets(config.server.secrets)))


def test_a_reload_begins_and_ends_recording_of_a_stream_that_goes_on(tmp_path: Path) -> None:
    recordings = started(configured(tmp_path, record="false"))
    init, made = fragments(redacted([n * STEP for n in range(8 * FPS)], INFO), INFO)
    start_s = time.time() - 600
    recordings.begin(HALL, init)
    for number, fragment in enumerate(made):
        if number == 2 * FPS:
            assert recordings.days(HALL, ZoneInfo("UTC")) == []
            reload(recordings, configured(tmp_path, record="true"))
        if number == 6 * FPS:
            reload(recordings, configured(tmp_path, record="false"))
        recordings.take(HALL, fragment, start_s + number / FPS)
    segments, gaps = recordings.span(HALL, 0, 1e11)  # the last one is closed, and not left open
    assert [round(one.start_s - start_s) for one in segments] == [2, 4] and not gaps
    assert round(segments[-1].end_s - start_s) == 6
    assert recordings.segment(HALL, segments[0].number) and recordings.init(HALL, segments[0].init) == init


def test_a_disk_that_hangs_holds_up_nobody_who_tells_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = started(configured(tmp_path))
    start_s, synced, waiting = time.time() - 600, os.fsync, []

    def hangs(descriptor: int) -> None:
        """As long as the watchdog has something to tell."""
        down = CameraHealth(HALL, CameraState.REFUSED, Cause.WRONG_PASSWORD, start_s)
        watchdog = threading.Thread(target=recordings.health, args=(down,), daemon=True)
        watchdog.start()
        watchdog.join(10)
        waiting.append(watchdog.is_alive())
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", hangs)
    record(recordings, start_s, 4)
    monkeypatch.undo()
    assert waiting and not any(waiting)
    record(recordings, start_s + 60, 4)
    recordings.close()
    assert [one.cause for one in recordings.span(HALL, 0, 1e11)[1]] == ["wrong-password"]


def test_a_disk_that_fails_is_told_and_keeps_no_camera_from_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyveil.public.archive.recording._RETRY_S", 0.0)
    recordings = started(configured(tmp_path))
    start_s, made = time.time() - 600, Path.mkdir

    def full(path: Path, *args: object, **named: object) -> None:
        if path.name == HALL:
            raise OSError(errno.ENOSPC, "No space left on device")
        made(path, *args, **named)  # type: ignore[arg-type]  # as they came

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", full)
        record(recordings, start_s, 2)
        assert recordings.problems() == ["hall: recording failed: No space left on device"]
    record(recordings, start_s + 60, 3)
    recordings.close()
    assert recordings.problems() == []
    assert round(recordings.span(HALL, 0, 1e11)[0][0].start_s - start_s) == 60


def test_gaps_and_playlists_tell_what_is_there(tmp_path: Path) -> None:
    recordings = started(configured(tmp_path))
    start_s = time.time() - 600
    record(recordings, start_s, 4)
    record(recordings, start_s + 60, 4)
    recordings.close()
    segments, gaps = recordings.span(HALL, start_s, start_s + 120)
    assert sum(one.end_s - one.start_s for one in segments) == pytest.approx(8)
    assert [(round(one.start_s - start_s), round(one.end_s - start_s)) for one in gaps] == [(4, 60)]
    playlist = recordings.playlist(HALL, start_s, start_s + 120)
    assert playlist.count("#EXTINF") == len(segments) and playlist.count("#EXT-X-DISCONTINUITY\n") == 1
    assert all(f"segments/{one.number}.m4s" in playlist for one in segments)
    with pytest.raises(RecordingMissing):
        recordings.playlist(HALL, start_s + 20, start_s + 50)
    with pytest.raises(RecordingMissing):
        recordings.export(HALL, start_s + 20, start_s + 50, actor="ada", reason="nothing is there")
    assert not list((tmp_path / "skyveil-data/exports").glob("*"))


@pytest.mark.parametrize(
    ("default_hours", "own", "hours_old", "kept"),
    [
        (168, "", 100, True),  # longer than 72 h, which is the default of nobody here
        (24, "", 48, False),
        (24, "retention: {hours: 168}", 100, True),
        (168, "retention: {hours: 24}", 48, False),
    ],
)
def test_a_camera_that_was_removed_keeps_its_retention(
    tmp_path: Path, default_hours: int, own: str, hours_old: int, kept: bool
) -> None:
    path = tmp_path / "skyveil.yaml"
    camera = "{{id: {}, name: Hall, purpose: a test, source: 'rtsp://127.0.0.1/1', {}}}"
    written = f"version: 1\ndefaults: {{{{retention: {{{{hours: {default_hours}}}}}}}}}\ncameras: [{camera}]\n"
    path.write_text(written.format(HALL, own))
    recordings = started(load(path))
    record(recordings, time.time() - hours_old * 3600, 3)
    recordings.close()
    path.write_text(written.format("another", ""))
    reload(recordings, load(path))
    recordings.sweep()
    assert bool(recordings.span(HALL, 0, 1e11)[0]) is kept


def test_a_hold_takes_two_people_and_keeps_its_span_while_the_rest_expires(tmp_path: Path) -> None:
    recordings = started(configured(tmp_path, retention="{hours: 1}"))
    start_s = time.time() - 2 * 3600
    record(recordings, start_s, 10)
    recordings.close()
    hold = recordings.ask_hold(HALL, start_s + 4, start_s + 5, reason="accident", days=3, actor="ada")
    with pytest.raises(SettingsRefused):
        recordings.decide_hold(HALL, hold, approve=True, actor="ada")
    recordings.decide_hold(HALL, hold, approve=True, actor="officer")
    assert [(one.state, one.approved_by) for one in recordings.holds(HALL)] == [("active", "officer")]
    recordings.sweep()
    kept, _ = recordings.span(HALL, 0, 1e11)
    assert kept and all(one.start_s < start_s + 5 and one.end_s > start_s + 4 for one in kept)
    recordings.decide_hold(HALL, hold, approve=False, actor="officer")
    recordings.sweep()
    assert recordings.span(HALL, 0, 1e11)[0] == []


def test_after_expiry_a_days_key_is_in_no_file_of_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def generated(bits: int) -> bytes:
        made.append(os.urandom(bits // 8))
        return made[-1]

    monkeypatch.setattr(AESGCM, "generate_key", staticmethod(generated), raising=True)
    config = configured(tmp_path, retention="{hours: 24}")
    engine = database_of(config)
    audit = audit_of(config, engine)
    recordings = started(config)
    record(recordings, time.time() - 3 * 86400, 6)
    audit.record("ada", "export", HALL, {"reason": "while the key was there"})
    recordings.close()
    (wrapped,) = (path.read_bytes() for path in (tmp_path / "skyveil-keys").rglob("days/*/*.key"))
    picture = recordings.segment(HALL, 1)
    recordings.sweep()
    audit.prune(time.time() + 1)
    audit.publish()
    engine.dispose()
    assert recordings.days(HALL, ZoneInfo("UTC")) == []
    secrets = [made[0], wrapped, wrapped[12:44], made[0].hex().encode(), picture[200:264]]
    # The database too, with its log and the pages that it does not use any more.
    everything = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.startswith("skyveil.sqlite") for path in everything)
    assert not [path for path in everything for secret in secrets if secret in path.read_bytes()]
