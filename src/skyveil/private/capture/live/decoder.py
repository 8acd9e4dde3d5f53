"""Coded pictures of a live stream to pictures, at once. Private side."""

from dataclasses import dataclass
from typing import Final, final

import av
from av.codec.context import Flags, ThreadType
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from skyveil.core.health import CameraUnavailable, Cause
from skyveil.private.capture.decoding import MAX_PIXELS, Decoded
from skyveil.private.capture.interlace import Deinterlacer
from skyveil.private.capture.live.rtp import Coded
from skyveil.private.capture.live.sdp import LiveCodec


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture; `damaged` when the decoder had to guess, or what it was predicted from is missing."""

    picture: av.VideoFrame
    ticks: int
    damaged: bool


@final
class LiveDecoder:
    """Decodes one stream; gives each picture without waiting for the next, but for interlaced ones, which need it.

    One thread owns it.
    """

    def __init__(self, codec: LiveCodec) -> None:
        context = av.CodecContext.create(codec, "r")
        if not isinstance(context, VideoCodecContext):
            raise CameraUnavailable(Cause.UNSUPPORTED_CODEC)
        context.thread_type = ThreadType.NONE
        context.thread_count = 1
        context.flags |= int(Flags.output_corrupt) | int(Flags.low_delay)
        context.options = {"max_pixels": str(MAX_PIXELS), "err_detect": "crccheck"}
        self._context: Final = context
        self._deinterlacer = Deinterlacer()
        self._suspect = True

    def pictures(self, coded: Coded) -> list[Picture]:
        """The pictures that are ready after this one, usually itself; nothing when it can not be decoded."""
        packet = av.Packet(coded.data)
        packet.pts = packet.dts = coded.ticks
        try:
            decoded = self._context.decode(packet)
        except FFmpegError:
            self._suspect = True
            return []
        whole: list[Decoded] = []
        for picture in decoded:
            if picture.is_corrupt or coded.damaged:
                self._suspect = True
            elif picture.key_frame:
                self._suspect = False
            ticks = coded.ticks if picture.pts is None else picture.pts
            whole += self._deinterlacer.push(Decoded(ticks, picture, damaged=self._suspect))
        return [Picture(one.picture, one.pts or 0, one.damaged) for one in whole if one.picture is not None]
