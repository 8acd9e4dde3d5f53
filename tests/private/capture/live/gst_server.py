"""Debian's gst-rtsp-server, run by the system's Python: another maker's server, for interop tests."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PYTHON = "/usr/bin/python3"
SERVER = """
import sys, threading, time
import gi
for name in ("Gst", "GstApp", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer

PAYERS = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au ! rtph264pay config-interval=-1",
    "h265": "video/x-h265,stream-format=byte-stream,alignment=au ! rtph265pay config-interval=-1",
    "jpeg": "image/jpeg,width=320,height=240 ! rtpjpegpay",
}
Gst.init(None)
scheme, fps = sys.argv[1], float(sys.argv[2])
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
alive = []

def pictures(path):
    data, at, found = open(path, "rb").read(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        found.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return found

def serve(name, path):
    codec, found = name.split("-")[0], pictures(path)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    source = f"appsrc name=src is-live=true format=time ! {PAYERS[codec]}"
    factory.set_launch(f"( {source} name=pay0 pt=96 )")

    def configure(_, media):
        src, ended = media.get_element().get_by_name("src"), threading.Event()
        media.connect("unprepared", lambda *_: ended.set())
        def feed():
            start, number = time.monotonic(), 0
            while not ended.wait(max(0.0, start + number / fps - time.monotonic())):
                buffer = Gst.Buffer.new_wrapped(found[number % len(found)])
                buffer.pts, buffer.duration = int(number * Gst.SECOND / fps), int(Gst.SECOND / fps)
                if src.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return
                number += 1
        threading.Thread(target=feed, daemon=True).start()

    factory.connect("media-configure", configure)
    if scheme != "open":
        factory.add_role_from_structure(Gst.Structure.from_string(
            "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true")[0])
    server.get_mount_points().add_factory("/" + name, factory)
    alive.append(factory)

for argument in sys.argv[5:]:
    serve(*argument.split("=", 1))
if scheme != "open":
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    user, password = sys.argv[3:5]
    if scheme == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


def missing() -> str:
    """Why the server can not run here; empty when it can."""
    wanted = "import gi; [gi.require_version(n, '1.0') for n in ('GstRtspServer', 'GstApp')]"
    try:
        done = subprocess.run([PYTHON, "-c", wanted], capture_output=True, text=True, timeout=60)
    except OSError as error:
        return f"the system's Python: {error.strerror}"
    return "" if done.returncode == 0 else "Debian's gir1.2-gst-rtsp-server-1.0 or python3-gi is not installed"


@contextmanager
def gst_serving(
    folder: Path,
    streams: Mapping[str, Sequence[bytes]],
    *,
    fps: float,
    scheme: str = "open",
    login: Sequence[str] = ("", ""),
) -> Iterator[int]:
    """Serve coded pictures (Annex B, or JPEG files) in a loop; names begin with h264, h265 or jpeg. Gives the port."""
    arguments = []
    for name, pictures in streams.items():
        path = folder / f"{name}.pictures"
        path.write_bytes(b"".join(len(one).to_bytes(4) + one for one in pictures))
        arguments.append(f"{name}={path}")
    command = [PYTHON, "-c", SERVER, scheme, str(fps), *login, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            line = process.stdout.readline()
            if not line.strip().isdigit():
                process.kill()
                raise AssertionError(process.stderr.read())
            yield int(line)
        finally:
            process.kill()
