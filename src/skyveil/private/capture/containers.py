"""The containers that are read, and how a file is opened as one of them. Private side.

An allow-list: FFmpeg reads none but these. Each holds its media itself. Left out are what names other files or hosts
(hls, dash, concat, sdp, rtsp, rtp, imf, image2 sequences, vobsub, mlv, webm_dash_manifest), devices and generators
(lavfi, v4l2, alsa, fbdev, kmsgrab, x11grab), what has no header to tell it by (rawvideo), sound and subtitles.
"""

from pathlib import Path
from typing import Final, Protocol

import av
from av.container import InputContainer
from av.error import ArgumentError

from skyveil.core.errors import InputRefused
from skyveil.private.capture.refusal import shown, translated
from skyveil.private.capture.sniff import named_container_of

CONTAINERS: Final = (
    # phones, cameras, editors, the web
    *("mov", "mp4", "matroska", "webm", "avi", "asf", "asf_o", "flv", "live_flv", "kux", "ogg", "nut", "ivf", "rm"),
    # broadcast, discs, recorders
    *("mpegts", "mpeg", "mxf", "gxf", "lxf", "dv", "wtv", "ty", "pva", "nuv", "nsv", "pmp", "mgsts", "r3d", "cine"),
    # surveillance cameras and their recorders
    *("dhav", "hxvs", "ifv", "ipmovie", "iv8", "ivr", "lmlm4", "lvf", "mpjpeg", "smjpeg", "ingenient", "nc", "moflex"),
    # streams without a container
    *("h261", "h263", "h264", "hevc", "vvc", "evc", "av1", "obu", "m4v", "mpegvideo", "cavsvideo", "avs2", "avs3"),
    *("mjpeg", "mjpeg_2000", "dirac", "dnxhd", "vc1", "vc1test", "yuv4mpegpipe", "jpegxl_anim"),
    # old computers and games
    *("swf", "flic", "4xm", "anm", "avs", "bethsoftvid", "bfi", "bink", "bmv", "c93", "cdxl", "dsicin", "dxa", "ea"),
    *("epaf", "film_cpk", "filmstrip", "frm", "gdv", "hnm", "idcin", "iff", "ipu", "jv", "mm", "msnwctcp", "mtv"),
    *("musx", "mv", "mvi", "paf", "pdv", "psxstr", "rl2", "roq", "rpl", "siff", "smk", "smush", "thp", "tiertexseq"),
    *("tmv", "usm", "vividas", "vivo", "vmd", "wc3movie", "wsvqa", "xmv", "yop"),
)
"""Names of FFmpeg's demuxers."""


STREAMED: Final = ("mpegts", "mov", "mp4", "matroska", "webm", "flv")
"""Names of the demuxers that may read what a camera sends over HTTP."""


class ByteReader(Protocol):
    """Bytes that come one after another."""

    def read(self, limit: int, /) -> bytes:
        """At most `limit` bytes, waiting for the first; empty at the end."""
        ...


def open_streamed(reader: ByteReader, name: Path) -> InputContainer:
    """What `reader` reads, open; raises InputRefused for what is no video, and what `reader` raises.

    Little is probed: each second of it is a second without a picture.
    """
    probing = {"fpsprobesize": "0", "analyzeduration": "1000000"}
    options = {"format_whitelist": ",".join(STREAMED), "protocol_whitelist": "none", **probing}
    with translated(name, doing="reading the stream"):
        return av.open(reader, "r", container_options=options, metadata_errors="replace")


def open_container(path: Path, *, doing: str) -> InputContainer:
    """The file at `path`, open; raises InputRefused for every other kind of file. `doing` says what for.

    The only door to FFmpeg's demuxers: pictures and sound of one file go through it alike.
    """
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
    name = named_container_of(path)
    with translated(path, doing=doing):
        try:
            # The prefix makes a name with a colon a name, not a protocol.
            return av.open(f"file:{path}", "r", name, container_options=options, metadata_errors="replace")
        except ArgumentError as error:
            raise InputRefused(
                f"{shown(path)} is a playlist, a link or another kind of file that is not read: name the media itself"
            ) from error
