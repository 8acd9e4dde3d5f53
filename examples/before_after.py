"""Put one frame of a video beside the same frame of its redacted copy. For generated scenes only.

python examples/before_after.py scene.mp4 scene.redacted.mp4 picture.jpg --at 4.0
"""

import argparse
from pathlib import Path

import av
from PIL import Image

GAP_PX = 8


def frame_at(path: Path, seconds: float) -> Image.Image:
    """The first frame at or after this media time."""
    with av.open(path) as container:
        for frame in container.decode(video=0):
            if frame.time >= seconds:
                return Image.fromarray(frame.to_ndarray(format="rgb24"))
    raise SystemExit(f"{path}: ends before {seconds} s")


def beside(before: Image.Image, after: Image.Image, *, width_px: int) -> Image.Image:
    """Two pictures in one row of this width."""
    each_px = (width_px - GAP_PX) // 2
    size = (each_px, round(before.height * each_px / before.width))
    row = Image.new("RGB", (2 * each_px + GAP_PX, size[1]), "white")
    row.paste(before.resize(size, Image.Resampling.LANCZOS), (0, 0))
    row.paste(after.resize(size, Image.Resampling.LANCZOS), (each_px + GAP_PX, 0))
    return row


def main() -> None:
    """Write the picture where the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--at", type=float, default=4.0, help="media time in seconds")
    parser.add_argument("--width", type=int, default=1600, help="of the whole picture, in pixels")
    arguments = parser.parse_args()
    row = beside(
        frame_at(arguments.before, arguments.at), frame_at(arguments.after, arguments.at), width_px=arguments.width
    )
    row.save(arguments.picture, quality=88, optimize=True)


if __name__ == "__main__":
    main()
