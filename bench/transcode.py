"""A plain transcode, the yardstick: decode, encode with libx264 ultrafast, mux, and nothing else.

    python bench/transcode.py INPUT OUTPUT

The libraries choose their threads: on two cores that cost no more CPU than one thread each, and half the wall.
"""

import sys

import av


def transcode(source: str, target: str) -> None:
    with av.open(source) as reading, av.open(target, "w") as writing:
        video = reading.streams.video[0]
        stream = writing.add_stream("libx264", rate=video.average_rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        if video.time_base is not None:
            stream.codec_context.time_base = video.time_base
        for frame in reading.decode(video):
            frame.pict_type = av.video.frame.PictureType.NONE
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode(None))


if __name__ == "__main__":
    transcode(sys.argv[1], sys.argv[2])
