"""`python -m bench.live --cameras 12 --seconds 600`: how many live cameras this machine carries, and what leaks.

Every camera plays the first 397 frames of the labelled street of PETS 2009 (people in all of them), cut and scaled to
1280x720 and timed at 10 pictures a second, encoded beforehand, from another moment on. Each picture carries its number
as 18 black or white squares at the bottom. One camera's redacted stream is decoded again: the squares tell how long a
picture took from the camera's push to the fragment in the server process, and the labels what stayed visible in it.
A browser adds the time that its player keeps in hand, 0.05 s and more (`player.js`).
"""

import argparse
import json
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

from examples.rtsp_server import Camera, load, serving
from skyveil.app import leak
from skyveil.app.labelled import PersonBox, read_video
from skyveil.app.models import ensure_for
from skyveil.app.supervisor import Supervisor
from skyveil.core.camera import CameraSpec
from skyveil.core.health import CameraHealth, CameraState
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.secret import SafeUrl
from skyveil.core.settings import RedactSettings
from skyveil.public.encode.header import StreamHeader
from skyveil.public.live.fragments import Fragmenter
from skyveil.public.types import RedactedPacket
from skyveil.public.wire import Message

WIDTH_PX, HEIGHT_PX, FPS, FRAMES = 1280, 720, 10, 397
CUT_PX, SCALE = 72, 1280 / 768
"""Rows cut off above and below to make 4:3 into 16:9, so that people keep their shape."""
SQUARE_PX, BITS = 16, 9
"""A number is written twice, the second time with each bit turned over: squares that are covered contradict."""
SETTLE_S: Final = 20.0
START_S: Final = 180.0
"""Figures are of the time from `SETTLE_S` after the last camera was live, or from `START_S` after the start on."""
Picture = NDArray[np.uint8]


def marked(picture: Picture, number: int) -> Picture:
    """The picture with its number at the bottom left."""
    made = picture.copy()
    written = number | (~number & (1 << BITS) - 1) << BITS
    for bit in range(2 * BITS):
        x = 8 + bit * SQUARE_PX
        made[-SQUARE_PX - 8 : -8, x : x + SQUARE_PX] = 235 if written >> bit & 1 else 20
    return made


def number_of(picture: Picture) -> int:
    """The number in a picture; -1 when a square is covered or torn."""
    read = 0
    for bit in range(2 * BITS):
        x = 8 + bit * SQUARE_PX
        level = float(picture[-SQUARE_PX - 4 : -12, x + 4 : x + SQUARE_PX - 4].mean())
        if 80 < level < 175:
            return -1
        read |= int(level > 128) << bit
    number, turned = read & (1 << BITS) - 1, read >> BITS
    return number if number ^ turned == (1 << BITS) - 1 else -1


def make_clip(video: Path, target: Path) -> None:
    """The clip that every camera plays."""
    with av.open(str(target), "w") as writing, av.open(str(video), "r") as reading:
        stream = writing.add_stream("libx264", rate=FPS)
        if not isinstance(stream, VideoStream):
            raise TypeError("this PyAV makes no video")
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 2 * FPS, 0
        stream.codec_context.options = {"preset": "veryfast", "crf": "23"}
        for number, frame in enumerate(reading.decode(reading.streams.video[0])):
            if number == FRAMES:
                break
            middle = np.ascontiguousarray(frame.to_ndarray(format="rgb24")[CUT_PX:-CUT_PX]).astype(np.uint8)
            larger = cv2.resize(middle, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
            shown = av.VideoFrame.from_ndarray(marked(np.asarray(larger, np.uint8), number), format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, FPS)
            writing.mux(stream.encode(shown))
        writing.mux(stream.encode(None))


def pictures_of(path: Path) -> list[Picture]:
    """The luma of every picture of the clip as a camera sends it."""
    with av.open(str(path), "r") as container:
        return [luma_of(frame) for frame in container.decode(container.streams.video[0])]


def luma_of(frame: av.VideoFrame) -> Picture:
    """The luma plane, (H, W)."""
    return np.asarray(frame.to_ndarray(format="yuv420p")[: frame.height], np.uint8)


class Watched:
    """The one camera whose redacted stream is decoded again."""

    def __init__(
        self, camera: Camera, clip: list[Picture], boxes: Mapping[int, tuple[PersonBox, ...]], phase: int
    ) -> None:
        self._camera, self._clip, self._boxes, self._phase = camera, clip, boxes, phase
        self._decoder: VideoCodecContext | None = None
        self.latencies_s: list[float] = []
        self.tally, self.runs = leak.Tally(()), leak.Runs()
        self.changed: list[float] = []
        self._waiting: list[tuple[RedactedPacket, float]] = []
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._judge, name="judge", daemon=True)
        self._thread.start()

    def header(self, header: StreamHeader) -> None:
        context = av.CodecContext.create("h264", "r")
        if isinstance(context, VideoCodecContext):
            context.extradata = header.extradata
            self._decoder = context

    def packet(self, packet: RedactedPacket) -> None:
        with self._more:
            self._waiting.append((packet, time.monotonic()))
            self._more.notify()

    def _judge(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: bool(self._waiting))
                packet, arrived_s = self._waiting.pop(0)
            if self._decoder is None:
                continue
            for frame in self._decoder.decode(av.Packet(packet.data)):
                self._one(luma_of(frame), arrived_s)

    def _one(self, picture: Picture, arrived_s: float) -> None:
        number = number_of(picture)
        if not 0 <= number < FRAMES:
            return
        pushed_s = self._pushed_s(number, arrived_s)
        if pushed_s is not None:
            self.latencies_s.append(arrived_s - pushed_s)
        before = self._clip[number]
        mask = leak.hidden(before, picture)
        self.changed.append(float(leak.differing(before, picture).mean()))
        for box in self._boxes.get(number, ()):
            zone = leak.head_zone(box.x, box.y, box.width, box.height)
            leaked = not leak.is_covered(mask, zone)
            self.tally.add(leaked=leaked, size=box.height)
            self.runs.add(box.track, number, leaked=leaked)

    def _pushed_s(self, number: int, before_s: float) -> float | None:
        """When the camera last sent picture `number`."""
        for ticks, at_s in reversed(list(self._camera.pushed.items())):
            step = round(ticks * self._camera.fps / 90_000)
            if (step + self._phase) % FRAMES == number and at_s <= before_s:
                return at_s
        return None


def cpu_s(pid: int | None) -> float:
    """Processor seconds of a process so far; none of one that is gone."""
    if pid is None or not Path(f"/proc/{pid}").exists():
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [one for child in task.read_text(encoding="ascii").split() for one in family(int(child))]
    return found


def hasten(nice: int) -> None:
    """Give this process and all that it started, with all their threads, a nice value."""
    for pid in family(os.getpid()) if nice else ():
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(task.name), nice)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cameras", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--hindsight", type=int, default=2)
    parser.add_argument("--preset", default="ultrafast")
    parser.add_argument("--nice", type=int, default=0, help="nice value on a machine with other programs; needs root")
    parser.add_argument("--out", type=Path, default=Path("bench/out"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    folder = Path(os.environ["SKYVEIL_EVAL_DATA"]) / "video_pets09_s2l1"
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "live-1280x720-twice.mp4"
    if not path.is_file():
        make_clip(folder / "vtest.avi", path)
    labelled = read_video(folder / "vtest.avi", folder / "gt.txt")
    boxes: dict[int, tuple[PersonBox, ...]] = defaultdict(tuple)
    for number, people in labelled.frames.items():
        boxes[number - 1] = tuple(
            PersonBox(one.track, one.x * SCALE, (one.y - CUT_PX) * SCALE, one.width * SCALE, one.height * SCALE)
            for one in people
            if one.y - CUT_PX >= 0 and one.y + 0.17 * one.height - CUT_PX <= HEIGHT_PX / SCALE
        )
    clip = load(path)
    phases = [37 * n % FRAMES for n in range(arguments.cameras)]
    names = [camera_id(f"c{n}") for n in range(arguments.cameras)]
    cameras = {f"/{name}": Camera(clip, phase=phase) for name, phase in zip(names, phases, strict=True)}
    watched = Watched(cameras[f"/{names[0]}"], pictures_of(path), boxes, phases[0])
    packets: dict[CameraId, int] = defaultdict(int)
    fragmenters: dict[CameraId, Fragmenter] = {}
    stale: set[CameraId] = set()

    def heard(camera: CameraId, message: Message) -> None:
        if isinstance(message, StreamHeader):
            fragmenters[camera] = Fragmenter(message)
            if camera == names[0]:
                watched.header(message)
        elif isinstance(message, RedactedPacket):
            fragmenters[camera].fragment(message)
            packets[camera] += 1
            if camera == names[0]:
                watched.packet(message)

    def health(one: CameraHealth) -> None:
        if measuring.is_set() and one.state not in ("live", "stopped"):
            stale.add(one.camera)

    measuring = threading.Event()
    settings = RedactSettings()
    with serving(cameras) as server:
        supervisor = Supervisor(ensure_for(settings, verify=False), on_message=heard, on_health=health)
        specs = {
            name: CameraSpec(
                name,
                SafeUrl(f"rtsp://127.0.0.1:{server.port}/{name}"),
                settings=settings,
                hindsight=arguments.hindsight,
                preset=arguments.preset,
            )
            for name in names
        }
        supervisor.apply(specs)
        started_s = settled_s = time.monotonic()
        while time.monotonic() < min(settled_s + SETTLE_S, started_s + START_S):
            hasten(arguments.nice)
            time.sleep(1)
            if any(one.state is CameraState.STARTING for one in supervisor.health().values()):
                settled_s = time.monotonic()
        measuring.set()
        pids = {name: supervisor.process_id(name) for name in names}
        before = {name: (packets[name], cpu_s(pids[name])) for name in names}
        rss_before = {name: one.rss_bytes for name, one in supervisor.health().items()}
        watched.latencies_s.clear()
        began_s, own_s = time.monotonic(), time.process_time()
        time.sleep(arguments.seconds)
        lasted_s, own_s = time.monotonic() - began_s, time.process_time() - own_s
        after = {name: (packets[name], cpu_s(pids[name])) for name in names}
        now = supervisor.health()
        measuring.clear()
        supervisor.close()
    frames = {name: after[name][0] - before[name][0] for name in names}
    cpu = {name: after[name][1] - before[name][1] for name in names}
    shown = sorted(count / lasted_s for count in frames.values())
    latencies_ms = np.array(watched.latencies_s or [0.0]) * 1000
    share, (low, high) = watched.tally.share, leak.wilson(watched.tally.leaked, watched.tally.total)
    figures = {
        "cameras": arguments.cameras,
        "hindsight": arguments.hindsight,
        "preset": arguments.preset,
        "seconds": round(lasted_s),
        "seconds_until_all_were_live": round(settled_s - started_s),
        "fps_lowest": round(shown[0], 2),
        "fps_mean": round(sum(shown) / len(shown), 2),
        "push_to_server_ms_p50": round(float(np.percentile(latencies_ms, 50))),
        "push_to_server_ms_p95": round(float(np.percentile(latencies_ms, 95))),
        "cpu_ms_per_frame": round(1000 * sum(cpu.values()) / max(1, sum(frames.values())), 2),
        "cores_used": round(sum(cpu.values()) / lasted_s, 2),
        "cores_used_by_sources_and_judge": round(own_s / lasted_s, 2),
        "rss_mb_per_camera": round(sum(one.rss_bytes for one in now.values()) / len(now) / 1e6),
        "rss_growth_mb": round(max(now[name].rss_bytes - rss_before[name] for name in names) / 1e6, 1),
        "wholly_covered_share": round(
            sum(one.whole for one in now.values()) / max(1, sum(one.frames for one in now.values())), 5
        ),
        "dropped_share": round(
            sum(one.dropped for one in now.values()) / max(1, sum(one.frames for one in now.values())), 4
        ),
        "stale_cameras": len(stale),
        "restarts": sum(one.restarts for one in now.values()),
        "leaked_share": round(share, 4),
        "leaked_95": [round(low, 4), round(high, 4)],
        "head_frames": watched.tally.total,
        "covered_share": round(float(np.mean(watched.changed or [0.0])), 4),
        "load": os.getloadavg()[0],
        "nice": arguments.nice,
    }
    text = json.dumps(figures, indent=1)
    (arguments.out / f"live-{arguments.cameras}-k{arguments.hindsight}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
