"""How a camera is doing, in words a person understands. Core: nothing here depends on people in the picture."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from skyveil.core.errors import SkyveilError
from skyveil.core.ids import CameraId


@final
class CameraState(StrEnum):
    """What a viewer of this camera may expect."""

    STARTING = "starting"
    LIVE = "live"
    COVERED = "covered"
    """The whole picture has been covered for more than 5 s, because no look was made in time."""
    STALE = "stale"
    """No picture for more than 2 s."""
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
    STOPPED = "stopped"


@final
class Cause(StrEnum):
    """Why a camera is in its state."""

    OK = "ok"
    CONNECTING = "connecting"
    WRONG_ADDRESS = "wrong-address"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 (the name of a fault)
    NO_KEY_FRAME = "no-key-frame"
    NO_VIDEO = "no-video"
    UNSUPPORTED_CODEC = "unsupported-codec"
    GARBAGE = "garbage"
    FROZEN = "frozen"
    LINK_LOST = "link-lost"
    DETECTOR_LATE = "detector-late"
    DETECTOR_FAILED = "detector-failed"
    PROCESS_DIED = "process-died"
    PROCESS_SILENT = "process-silent"
    RESTART_BUDGET = "restart-budget"
    DISABLED = "disabled"
    CERTIFICATE = "certificate"
    CA_FILE = "ca-file"
    FILE_MISSING = "file-missing"
    ELSEWHERE = "elsewhere"
    UNSUPPORTED_STREAM = "unsupported-stream"
    MOVED = "moved"
    TURNING = "turning"
    VIEW_UNCHECKED = "view-unchecked"
    DENSITY_MISSING = "density-missing"
    DENSITY_WRONG = "density-wrong"
    DENSITY_LATE = "density-late"
    WAITING = "waiting-to-start"
    OVERLOADED = "overloaded"


SENTENCES: Final = {
    Cause.OK: "everything works",
    Cause.CONNECTING: "connecting to the camera",
    Cause.WRONG_ADDRESS: "nothing answers at the camera's address: check it, and that the camera is on",
    Cause.WRONG_PASSWORD: "the camera refuses the name or password",
    Cause.NO_KEY_FRAME: "the camera sends no key frame: set its I-frame interval to its frame rate",
    Cause.NO_VIDEO: "the camera offers no video at this address",
    Cause.UNSUPPORTED_CODEC: "the camera's codec is not supported: choose H.264, H.265 or MJPEG",
    Cause.GARBAGE: "what the camera sends can not be decoded",
    Cause.FROZEN: "the camera stopped sending",
    Cause.LINK_LOST: "the connection to the camera was lost",
    Cause.DETECTOR_LATE: "the detector is too slow, so the whole picture is covered: this machine has too many cameras",
    Cause.DETECTOR_FAILED: "the detector failed, so the whole picture is covered",
    Cause.PROCESS_DIED: "the camera's process ended and is started again",
    Cause.PROCESS_SILENT: "the camera's process hung and is started again",
    Cause.RESTART_BUDGET: "the camera's process ended too often; it is tried again later",
    Cause.DISABLED: "switched off in the configuration",
    Cause.CERTIFICATE: "the camera's certificate is not valid: renew it, or name its authority with ca_file",
    Cause.CA_FILE: "the camera's ca_file can not be used: name a file of certificates (PEM) that this account may read",
    Cause.FILE_MISSING: "the file is missing or can not be read",
    Cause.ELSEWHERE: "the camera points to another host, which is not followed: write that address as the source",
    Cause.MOVED: "the camera was moved, so its numbers are unknown: turn it back, or calibrate it anew",
    Cause.TURNING: "the camera turns, so its numbers are unknown until it stands where it was calibrated",
    Cause.VIEW_UNCHECKED: "whether the camera moved can not be checked, so its numbers are unknown: restart the server",
    Cause.DENSITY_MISSING: "the density network is missing or another file: people are counted by boxes alone",
    Cause.DENSITY_WRONG: "the density network gave no map of heads: people are counted by boxes alone",
    Cause.DENSITY_LATE: "the density network is too slow: people are counted by boxes alone",
    Cause.WAITING: "other cameras start first: two at a time for each processor of this machine",
    Cause.OVERLOADED: "this machine is too slow for its cameras, and leaves pictures out: have fewer of them",
    Cause.UNSUPPORTED_STREAM: "this kind of stream is not read: offer RTSP, MJPEG, HLS without encryption, TS or MP4",
}
"""Each cause as one sentence in English; the console has its own words for every language."""


@final
@dataclass(frozen=True, slots=True)
class CameraHealth:
    """The health of one camera at one moment.

    since_s: unix time since which state and cause hold; fps: pictures that left per second; age_s: seconds since the
    newest picture left, None before the first; frames: pictures that left; dropped: pictures not looked at because a
    newer one was there; whole: pictures covered wholly; restarts: of the camera's process; rss_bytes, descriptors: of
    that process; clock_offset_s: the camera's clock minus ours, where the camera tells its own.
    """

    camera: CameraId
    state: CameraState
    cause: Cause
    since_s: float
    fps: float = 0.0
    age_s: float | None = None
    frames: int = 0
    dropped: int = 0
    whole: int = 0
    restarts: int = 0
    rss_bytes: int = 0
    descriptors: int = 0
    clock_offset_s: float | None = None


class CameraUnavailable(SkyveilError):
    """The camera gives no picture now. It is tried again; the cause says what a person can do."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(SENTENCES[cause])
        self.cause = cause
