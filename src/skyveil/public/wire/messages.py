"""What the worker may say to the writer. Public side.

No type has a field for raw pixels, file names, ids of people or where a person is; only `Suspects`, which a verify
job sends about media that is redacted already, holds boxes.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, final

from skyveil.core import errors
from skyveil.core.errors import SkyveilError
from skyveil.core.kinds import Kind
from skyveil.public.encode.header import AudioHeader, AudioPacket, StillImage, StreamHeader
from skyveil.public.types import RedactedPacket

if TYPE_CHECKING:
    from skyveil.public.wire.cameras import CameraMessage


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """How many frames are encoded so far, and how many the container promises in all (a hint, often wrong)."""

    frames: int
    expected: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Walled:
    """The first message of a worker: the layers of the wall around it that hold, and the others with their cause."""

    holds: tuple[str, ...]
    missing: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Suspect:
    """A place in redacted media where a detector still sees something: half-open pixels, seconds of media time."""

    start_s: float
    end_s: float
    xyxy: tuple[int, int, int, int]
    kind: Kind


@final
@dataclass(frozen=True, slots=True)
class Suspects:
    """What a verify job found in media that is redacted already. A redact job never sends it."""

    suspects: tuple[Suspect, ...]


@final
@dataclass(frozen=True, slots=True)
class Calibrated:
    """Where a camera hangs, as the text of its calibration: what a calibrate job found from people, without them."""

    text: str


@final
@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A network that decided, by the name and hash of the manifest."""

    name: str
    sha256: str


@final
@dataclass(frozen=True, slots=True)
class Finished:
    """The last message of a job that succeeded: numbers about the media, none about people in it.

    damaged: frames that the decoder had to guess; whole: frames covered wholly, damaged ones among them;
    covered_share_per_s: mean covered share, 0 to 1, of each second of media time from the first frame on;
    gaps: start and end in seconds of media time without a frame; dropped: streams and pages not carried over;
    timings_s: seconds of the worker's CPU time by stage.
    """

    frames: int
    damaged: int
    whole: int
    duration_s: float
    source_fps: float | None
    covered_share_per_s: tuple[float, ...]
    gaps: tuple[tuple[float, float], ...]
    models: tuple[ModelUsed, ...]
    precision: str
    dropped: tuple[str, ...]
    timings_s: tuple[tuple[str, float], ...]


MESSAGE_LIMIT: Final = 1000
"""Characters of the longest message; the rest is cut off."""
_PATH = re.compile(r"(?<![\w.)])/[^\s'\":;,]+")
ERRORS: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, SkyveilError)
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """The last message of a job that failed: the name of an error of `core.errors`, and its message."""

    error: str
    message: str

    @staticmethod
    def of(error: SkyveilError) -> "Failed":
        """The message that stands for `error`; anything in it that looks like an absolute path is left out."""
        text = _PATH.sub("(path)", "".join(c if c.isprintable() else " " for c in str(error)))
        return Failed(type(error).__name__, text[:MESSAGE_LIMIT])

    def raised(self) -> SkyveilError:
        """The error itself, for the writer to raise."""
        return ERRORS[self.error](self.message)


FileMessage: TypeAlias = (
    StreamHeader
    | RedactedPacket
    | StillImage
    | AudioHeader
    | AudioPacket
    | Progress
    | Suspects
    | Finished
    | Failed
    | Walled
    | Calibrated
)  # fmt: skip
"""What a worker says about files."""

Message: TypeAlias = "FileMessage | CameraMessage"
"""Those, and what cameras' processes say beside them: `cameras` is imported by who has cameras."""
