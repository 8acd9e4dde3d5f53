"""Clips for the bench, made from a labelled video: looped until they are long enough, scaled, timed anew."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from skyveil.app.labelled import PersonBox, VideoSet, read_video

LEAST_FRAMES = 1500


@dataclass(frozen=True)
class Clip:
    """One input of the bench; the labels hold for its first pass through the original."""

    name: str
    labelled: VideoSet
    frames: int
    about: str


def looped(folder: Path, out: Path) -> Clip:
    """The video of a MOT set as it is: its packets, repeated."""
    video = video_of(folder)
    passes, frames = 0, 0
    with av.open(out, "w") as writing:
        stream: av.VideoStream | None = None
        shift = 0
        while frames < LEAST_FRAMES:
            with av.open(video) as reading:
                source = reading.streams.video[0]
                stream = stream or writing.add_stream_from_template(source)
                last = 0
                for packet in reading.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 1))
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    writing.mux(packet)
                    frames += 1
            shift += last
            passes += 1
    labelled = replace(read_video(video, folder / "gt.txt"), video=out)
    return Clip("as it is", labelled, frames, f"{video.name}, its packets {passes} times over")


def scaled(folder: Path, out: Path, *, width: int, height: int, fps: int) -> Clip:
    """The same frames larger and timed faster, so that the labels, scaled too, judge this clip as well."""
    video, frames, factor = video_of(folder), 0, 1.0
    with av.open(out, "w") as writing:
        stream = writing.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        while frames < LEAST_FRAMES:
            with av.open(video) as reading:
                for frame in reading.decode(video=0):
                    larger = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
                    larger.pts, larger.time_base = frames, Fraction(1, fps)
                    larger.pict_type = av.video.frame.PictureType.NONE
                    writing.mux(stream.encode(larger))
                    frames += 1
                    factor = width / frame.width
        writing.mux(stream.encode(None))
    labels = read_video(video, folder / "gt.txt")
    grown = {number: tuple(_scaled(box, factor) for box in boxes) for number, boxes in labels.frames.items()}
    about = f"{video.name} scaled to {width}x{height}, timed as {fps} fps, x264 veryfast CRF 18 without B-frames"
    return Clip(f"{width}x{height}", replace(labels, video=out, frames=grown), frames, about)


def first_frames(clip: Path, out: Path, count: int) -> Path:
    """The first frames of a clip, by their packets: its codec must not reorder frames."""
    with av.open(clip) as reading, av.open(out, "w") as writing:
        source = reading.streams.video[0]
        stream = writing.add_stream_from_template(source)
        for index, packet in enumerate(reading.demux(source)):
            if index >= count or packet.dts is None:
                break
            packet.stream = stream
            writing.mux(packet)
    return out


def video_of(folder: Path) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.suffix in {".avi", ".mp4", ".mkv"})


def _scaled(box: PersonBox, factor: float) -> PersonBox:
    return PersonBox(box.track, box.x * factor, box.y * factor, box.width * factor, box.height * factor)
