"""A code is painted on a face that cameras film; a whole site runs, and one thing after another fails.

The code is in no picture that left, in no file, no log, no answer, no core, no shared memory and no temporary folder;
and what was recorded before a fault is there after it, as it was written.
"""

import io
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import av
import httpx2
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from examples.live_demo import one_time_login, token_for
from examples.rtsp_server import Camera, RtspServer, load, serving
from skyveil.app.config import load as load_config
from skyveil.app.recordings import archive_of
from skyveil.core.ids import camera_id
from skyveil.public.store.roles import Scope
from tests.conftest import Picture
from tests.leak.canary import in_picture, painted

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("models")]

HALL = camera_id("hall")
FPS = 10
PATIENCE_S = 90.0
CAMERA = "import sys; sys.path[:0] = {path!r}; from tests.leak.live_faulty import main; main()"
SCRIPT = (
    "import sys; sys.path[:0] = {path!r}\n"
    "from pathlib import Path\n"
    "from skyveil.app import supervisor\n"
    "from skyveil.app.logs import log_to_stderr\n"
    "from skyveil.app.server import serve\n"
    "supervisor.SILENT_S = 3.0\n"
    "log_to_stderr()\n"
    "serve(Path({config!r}), command=(sys.executable, '-P', '-c', {camera!r}))\n"
)


def filmed(coded: Picture, path: Path, *, size: tuple[int, int] = (640, 528), codec: str = "libx264") -> Path:
    """The coded astronaut sliding to and fro over a grey scene."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0
        quiet = {"x265-params": "log-level=none:bframes=0"} if codec == "libx265" else {}
        stream.codec_context.options = {"preset": "ultrafast", "crf": "18", **quiet}
        for number, left in enumerate([*range(20, 80, 3), *range(80, 20, -3)]):
            frame = np.full((height, width, 3), 110, np.uint8)
            frame[8:520, left : left + 512] = coded
            shown = av.VideoFrame.from_ndarray(frame, format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    return path


def decoded(media: bytes) -> Iterator[Picture]:
    with av.open(io.BytesIO(media), "r") as container:
        for frame in container.decode(container.streams.video[0]):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


@dataclass
class Watching:
    """Everything that a viewer is sent, over every connection."""

    streams: list[list[bytes]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    searched: dict[int, int] = field(default_factory=dict)
    """How many pictures of each stream were searched."""
    seen: set[bytes] = field(default_factory=set)
    """Fragments that were searched."""

    @property
    def count(self) -> int:
        return sum(len(one) for one in tuple(self.streams))

    def look(self, address: str, token: str, stop: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        while not stop.is_set():
            with suppress(OSError, WebSocketException, TimeoutError):
                url = f"ws://{address}/api/v1/cameras/{HALL}/live"
                with connect(url, additional_headers=headers, max_size=None) as viewing:
                    while not stop.is_set():
                        with suppress(TimeoutError):
                            self._take(viewing.recv(timeout=0.2))
            stop.wait(0.1)

    def _take(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self.texts.append(data)
        elif data[4:8] == b"ftyp":
            self.streams.append([data])
        else:
            self.streams[-1].append(data)


@dataclass
class Secrets:
    """What must be found nowhere: rows of decoded pictures over the face, and pieces of coded pictures."""

    needles: list[bytes]

    def inside(self, data: bytes) -> bool:
        return any(needle in data for needle in self.needles)


def secrets_of(path: Path) -> Secrets:
    """Rows of luma as they lie in a decoder's memory, and the middle of every coded picture."""
    needles: list[bytes] = []
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            data = bytes(packet)
            if len(data) > 400:
                needles.append(data[len(data) // 2 : len(data) // 2 + 48])
            for frame in packet.decode():
                if not len(needles) % 4:
                    luma = frame.to_ndarray(format="gray")
                    needles += [luma[row, 240:300].tobytes() for row in (110, 150)]
    return Secrets(needles)


class Site:
    """A site with one camera, and all that it leaves behind."""

    def __init__(self, folder: Path, server: RtspServer, camera: Camera, clips: dict[str, Path]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.folder, self.server, self.camera = folder, server, camera
        self.clips = {name: load(path) for name, path in clips.items()}
        self.secrets = secrets_of(clips["h264"])
        self.address = f"127.0.0.1:{port}"
        self.config = folder / "skyveil.yaml"
        source = f"rtsp://127.0.0.1:{server.port}/{HALL}"
        self.config.write_text(
            f"version: 1\nserver: {{port: {port}}}\n"
            f"cameras: [{{id: {HALL}, name: Hall, purpose: a test, source: '{source}'}}]\n"
        )
        one_time_login(self.config)
        self.token = token_for(self.config, Scope.RECORDINGS)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.watching, self.stop = Watching(), threading.Event()
        self.answers: list[bytes] = []
        self.start()
        self.viewer = threading.Thread(
            target=self.watching.look, args=(self.address, self.token, self.stop), name="viewer", daemon=True
        )
        self.viewer.start()

    def start(self) -> None:
        script = SCRIPT.format(path=sys.path, config=str(self.config), camera=CAMERA.format(path=sys.path))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", script],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )

    def camera_process(self) -> int | None:
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with suppress(OSError, IndexError):
                return int(path.read_text().split()[0])
        return None

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the camera's process; gives its id."""
        self.wait_for(lambda: self.camera_process() is not None)
        process = self.camera_process()
        assert process is not None
        os.kill(process, number)
        return process

    def wait_for(self, happened: Callable[[], bool]) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < until_s, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)

    def wait_for_pictures(self, number: int = 6) -> None:
        """Wait until so many more fragments were sent to the viewer."""
        before = self.watching.count
        self.wait_for(lambda: self.watching.count >= before + number)

    def wait_for_pushes(self, number: int = 10) -> None:
        """Wait until the camera sent so many more pictures."""
        newest = max(self.camera.pushed.values(), default=0.0)
        self.wait_for(lambda: sum(at_s > newest for at_s in tuple(self.camera.pushed.values())) >= number)

    def ask(self, path: str) -> httpx2.Response:
        answer = httpx2.get(
            f"http://{self.address}{path}", headers={"Authorization": f"Bearer {self.token}"}, timeout=PATIENCE_S
        )
        self.answers.append(answer.content)
        return answer

    def state(self) -> str:
        with suppress(httpx2.HTTPError, KeyError, TypeError, IndexError):
            return str(self.ask("/api/v1/cameras").json()[0]["health"]["state"])
        return ""

    def stored(self) -> dict[int, str]:
        """The segments of the chain whose files are there, by number."""
        archive, _, _ = archive_of(load_config(self.config))
        return {one.number: one.sha256 for _, one in archive.entries(HALL, 0, 1e11) if one.kind == "segment"}

    def findings(self) -> list[str]:
        """What `recordings verify` finds, but the segment that is being written."""
        archive, _, holds = archive_of(load_config(self.config))
        return [one.what for one in archive.verify(HALL, holds) if "may be the one being written" not in one.what]

    def recorded(self) -> Iterator[list[bytes]]:
        """Every recorded segment: its init segment and its fragments."""
        archive, _, _ = archive_of(load_config(self.config))
        for number in self.stored():
            yield [record.data for record in archive.records(HALL, number)]


FACE_PICTURES = 12
Fault: TypeAlias = Callable[[Site], None]


def detector_raises(site: Site) -> None:
    site.signal(signal.SIGUSR1)
    site.wait_for_pictures()
    site.signal(signal.SIGUSR1)


def detector_hangs(site: Site) -> None:
    before = site.signal(signal.SIGUSR2)
    site.wait_for(lambda: site.camera_process() not in (None, before))


def detector_kills_its_process(site: Site) -> None:
    before = site.signal(signal.SIGSEGV)
    site.wait_for(lambda: site.camera_process() not in (None, before))


def camera_process_is_killed(site: Site) -> None:
    before = site.signal(signal.SIGKILL)
    site.wait_for(lambda: site.camera_process() not in (None, before))


def server_is_killed(site: Site) -> None:
    site.process.kill()
    site.process.wait(20)
    site.start()


def garbage_comes(site: Site) -> None:
    site.camera.faults.garbage = True
    site.wait_for_pushes(15)
    site.camera.faults.garbage = False


def packets_are_lost(site: Site) -> None:
    site.camera.faults.lose_every = 7
    site.wait_for_pushes(20)
    site.camera.faults.lose_every = 0


def picture_changes_its_size(site: Site) -> None:
    streams = len(site.watching.streams)
    site.camera.clip = site.clips["larger"]
    site.wait_for(lambda: len(site.watching.streams) > streams)
    site.wait_for_pictures(FACE_PICTURES)
    site.camera.clip = site.clips["h264"]
    site.wait_for(lambda: len(site.watching.streams) > streams + 1)


def camera_changes_its_codec(site: Site) -> None:
    site.camera.clip = site.clips["hevc"]
    site.wait_for_pushes(5)
    site.server.drop()
    site.wait_for_pictures(FACE_PICTURES)
    site.camera.clip = site.clips["h264"]
    site.wait_for_pushes(5)
    site.server.drop()


def source_freezes(site: Site) -> None:
    site.camera.faults.frozen = True
    site.wait_for(lambda: site.state() == "stale")
    site.camera.faults.frozen = False


def source_is_killed(site: Site) -> None:
    site.server.drop()


def disk_is_full(site: Site) -> None:
    """No file may grow: what is written fails as on a full disk."""
    _, hard = resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        site.wait_for(lambda: "recording failed" in site.ask("/api/v1/health").text)
        site.wait_for_pictures()
    finally:
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def disk_is_read_only(site: Site) -> None:
    data = site.folder / "skyveil-data"
    if os.geteuid() == 0:
        for options in (["--bind", str(data), str(data)], ["-o", "remount,ro,bind", str(data)]):
            if subprocess.run(["mount", *options], capture_output=True).returncode != 0:
                subprocess.run(["umount", str(data)], capture_output=True)
                pytest.skip("this machine lets nobody mount")
    else:
        for path in (data / "recordings").rglob("*"):
            path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        site.wait_for(lambda: "recording failed" in site.ask("/api/v1/health").text)
        site.wait_for_pictures()
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "--lazy", str(data)], capture_output=True, check=True)
        else:
            for path in (data / "recordings").rglob("*"):
                path.chmod(0o700 if path.is_dir() else 0o600)


def database_is_corrupt(site: Site) -> None:
    site.process.terminate()
    site.process.wait(20)
    database = site.folder / "skyveil-data/skyveil.sqlite"
    whole = database.read_bytes()
    database.write_bytes(whole[:100] + os.urandom(len(whole) - 100))
    try:
        site.start()
        assert site.process.wait(PATIENCE_S) != 0
        assert "can not be used" in (site.folder / "log").read_text()
    finally:
        for path in database.parent.glob("skyveil.sqlite*"):
            path.unlink()
        database.write_bytes(whole)
    site.start()


def segment_is_corrupt(site: Site) -> None:
    number = max(site.stored())
    (path,) = (site.folder / "skyveil-data/recordings" / HALL).rglob(f"*{number}.seg")
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + os.urandom(len(whole) - 200))
    try:
        assert site.findings() == [f"segment {number} was changed"]
        address = f"/api/v1/cameras/{HALL}/recordings/segments"
        assert site.ask(f"{address}/{number}.m4s").status_code == 404
        assert site.ask(f"{address}/{number - 1}.m4s").status_code == 200
    finally:
        path.write_bytes(whole)


FAULTS: tuple[Fault, ...] = (
    detector_raises,
    detector_hangs,
    detector_kills_its_process,
    camera_process_is_killed,
    server_is_killed,
    garbage_comes,
    packets_are_lost,
    picture_changes_its_size,
    camera_changes_its_codec,
    source_freezes,
    source_is_killed,
    disk_is_full,
    disk_is_read_only,
    database_is_corrupt,
    segment_is_corrupt,
)


@contextmanager
def running(folder: Path, coded: Picture) -> Iterator[Site]:
    clips = {
        "h264": filmed(coded, folder / "h264.mp4"),
        "larger": filmed(coded, folder / "larger.mp4", size=(800, 600)),
        "hevc": filmed(coded, folder / "hevc.mp4", codec="libx265"),
    }
    assert all(in_picture(next(decoded(path.read_bytes()))) for path in clips.values())
    camera = Camera(load(clips["h264"]), fps=FPS)
    kept = folder / "site"
    kept.mkdir()
    with serving({f"/{HALL}": camera}) as server:
        site = Site(kept, server, camera, clips)
        try:
            yield site
        finally:
            site.stop.set()
            site.process.terminate()
            site.process.wait(20)
            site.viewer.join(10)


@pytest.fixture(scope="module")
def site(astronaut: Picture, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("canary"), painted(astronaut)) as made:
        made.wait_for_pictures(FACE_PICTURES)
        made.wait_for(lambda: len(made.stored()) >= 2)
        yield made


def cores(site: Site) -> list[Path]:
    return [path for folder in (Path("/"), site.folder, site.temporary) for path in folder.glob("core*")]


def new_pictures(site: Site) -> Iterator[Picture]:
    """Every picture that left since the last search: what was sent, and what was recorded and not sent."""
    watching = site.watching
    for index, stream in enumerate(tuple(watching.streams)):
        before, fragments = watching.searched.get(index, 0), tuple(stream)
        if len(fragments) > max(1, before):
            watching.seen.update(one[one.index(b"mdat") :] for one in fragments[1:])
            watching.searched[index] = len(fragments)
            yield from islice(decoded(b"".join(fragments)), max(0, before - 1), None)
    for init, *stored in site.recorded():
        new = {one[one.index(b"mdat") :] for one in stored} - watching.seen
        if new:
            watching.seen |= new
            yield from decoded(b"".join([init, *stored]))


def traces(site: Site) -> list[str]:
    """Where the code was found."""
    found = [f"picture {n}" for n, picture in enumerate(new_pictures(site)) if in_picture(picture, (1.0,))]
    snapshot = site.ask(f"/api/v1/cameras/{HALL}/snapshot.jpg").content
    with Image.open(io.BytesIO(snapshot)) as shown:
        found += ["snapshot"] if in_picture(np.asarray(shown.convert("RGB"), np.uint8), (1.0,)) else []
    said = [text.encode() for text in site.watching.texts] + site.answers
    found += ["answers"] if site.secrets.inside(b"\n".join(said)) else []
    site.answers.clear()
    for path in (*site.folder.rglob("*"), *Path("/dev/shm").glob("*")):  # noqa: S108
        with suppress(FileNotFoundError):
            found += [str(path)] if path.is_file() and site.secrets.inside(path.read_bytes()) else []
    return found + [str(path) for path in site.temporary.iterdir()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_code_leaves_nowhere_and_nothing_stored_is_lost(site: Site, fault: Fault) -> None:
    dumps, stored = cores(site), site.stored()
    fault(site)
    site.wait_for(lambda: site.state() == "live")
    site.wait_for_pictures(FACE_PICTURES)
    site.wait_for(lambda: len(site.stored().keys() - stored.keys()) >= 1)
    assert traces(site) == []
    assert cores(site) == dumps
    assert stored.items() <= site.stored().items()
    assert site.findings() == []


def test_the_search_finds_the_code_where_it_is_and_the_picture_was_not_blacked_out(site: Site) -> None:
    raw = load(site.folder.parent / "h264.mp4")
    assert site.secrets.inside(b"".join(b"\0\0\0\1" + unit for unit in raw.pictures[3]))
    luma = next(decoded((site.folder.parent / "h264.mp4").read_bytes()))
    assert in_picture(luma, (1.0,))
    shown = [picture for stream in site.watching.streams[-2:] for picture in decoded(b"".join(stream))]
    assert np.mean([(picture > 60).mean() for picture in shown]) > 0.3
