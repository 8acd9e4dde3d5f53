"""The containers that are read. Private side.

An allow-list: FFmpeg reads none but these. Each holds its media itself. Left out are what names other files or hosts
(hls, dash, concat, sdp, rtsp, rtp, imf, image2 sequences, vobsub, mlv, webm_dash_manifest), devices and generators
(lavfi, v4l2, alsa, fbdev, kmsgrab, x11grab), what has no header to tell it by (rawvideo), sound and subtitles.
"""

from typing import Final

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
