"""Runs every attack on a raw frame of its own and prints which ones let something out, as one JSON line.

Started as a program with `open` or `walled`, and the names of the attacks' modules. Needs
OPENBLAS_NUM_THREADS=1: the wall must stand before the first thread does.
"""

import importlib
import io
import json
import os
import sys
from fractions import Fraction
from pathlib import Path

from skyveil.app import sandbox

GREY = 200
"""Every sample of the raw picture; whoever shows it has leaked."""


def main() -> None:
    mode, *modules = sys.argv[1:]
    channel, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    wall = str(sandbox.enter([Path(os.environ["LEAK_SOURCE"])])) if mode == "walled" else ""
    os.write(channel, json.dumps({"wall": wall, "outcomes": {name: outcome(name) for name in modules}}).encode())


def outcome(module: str) -> str:
    """`leaked`, or what stopped it."""
    import av
    import numpy as np
    from PIL import Image

    from skyveil.core.ids import FrameId, SourceId
    from skyveil.core.time import MediaTime
    from skyveil.private.frame import RawFrame

    picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), GREY, np.uint8), format="rgb24")
    raw = RawFrame(picture, FrameId(SourceId("camera"), 0), MediaTime(0, Fraction(1, 25)))
    try:
        left = importlib.import_module(module).leak(raw)  # noqa: TID251 (the names are data)
    except Exception as error:  # whatever stops an attack is what we want to know
        return f"{type(error).__name__}: {error}"
    if isinstance(left, bytes) and left.startswith(b"\x89PNG"):
        shown = np.asarray(Image.open(io.BytesIO(left)))
        return "leaked" if (shown == GREY).any() else "black"
    return "leaked"


if __name__ == "__main__":
    main()
