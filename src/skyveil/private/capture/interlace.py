"""Makes whole pictures of interlaced ones, one for one. Private side.

A face that moves between the two fields of a frame is torn into combs that no detector was trained on. bwdif in its
send_frame mode gives one picture for each frame, so number and times of the frames stay.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, final

import av
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as NothingMore
from av.filter import Graph

from skyveil.private.capture.decoding import Decoded

_SMALLEST_SIDE_PX: Final = 16
"""bwdif looks 4 rows up and down in chroma as well; smaller pictures pass as they are."""


@final
class Deinterlacer:
    """Makes frames whole. Costs nothing until the first interlaced frame, then one frame of delay."""

    def __init__(self) -> None:
        self._fields: _Fields | None = None

    def push(self, frame: Decoded) -> Iterator[Decoded]:
        """The frames that are whole now that `frame` is known."""
        picture = frame.picture
        if self._fields is not None and picture is not None and not self._fields.fits(picture):
            yield from self.end()
        if self._fields is None and picture is not None and _interlaced(picture):
            self._fields = _Fields(picture)
        if self._fields is None:
            yield frame
        else:
            yield from self._fields.merged(frame)

    def end(self) -> Iterator[Decoded]:
        """The frames that still wait."""
        fields, self._fields = self._fields, None
        if fields is not None:
            yield from fields.end()


def deinterlaced(frames: Iterable[Decoded]) -> Iterator[Decoded]:
    """The same frames, whole."""
    deinterlacer = Deinterlacer()
    for frame in frames:
        yield from deinterlacer.push(frame)
    yield from deinterlacer.end()


def _interlaced(picture: av.VideoFrame) -> bool:
    return picture.interlaced_frame and min(picture.width, picture.height) >= _SMALLEST_SIDE_PX


@final
class _Fields:
    """One filter graph for pictures of one size and format, and the frames whose picture is still inside it."""

    def __init__(self, first: av.VideoFrame) -> None:
        self._like = (first.width, first.height, first.format.name)
        self._inside: deque[Decoded] = deque()
        self._count = 0
        self._graph = Graph()
        shape = f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}:time_base=1/1"
        colour = f"range={int(first.color_range)}:colorspace={int(first.colorspace)}"
        source = self._graph.add("buffer", f"{shape}:{colour}")
        whole = self._graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
        self._graph.link_nodes(source, whole, self._graph.add("buffersink")).configure()

    def fits(self, picture: av.VideoFrame) -> bool:
        return (picture.width, picture.height, picture.format.name) == self._like

    def merged(self, frame: Decoded) -> Iterator[Decoded]:
        """The frames that are whole now that `frame` is known."""
        self._inside.append(frame)
        if frame.picture is not None:
            frame.picture.pts = self._count  # the graph's own clock: the real times wait in `_inside`
            self._count += 1
            self._graph.vpush(frame.picture)
        yield from self._ready()

    def end(self) -> Iterator[Decoded]:
        """The frames still inside."""
        self._graph.vpush(None)
        yield from self._ready()
        while self._inside:
            yield self._inside.popleft()

    def _ready(self) -> Iterator[Decoded]:
        while True:
            while self._inside and self._inside[0].picture is None:
                yield self._inside.popleft()
            try:
                whole = self._graph.vpull()
            except (NothingYet, NothingMore):
                return
            waited = self._inside.popleft()
            yield Decoded(waited.pts, whole, waited.damaged)
