"""Recordings of a running site: what cameras give is stored, what the console asks is read. App."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from skyveil.app.config import Config
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import RecordingMissing
from skyveil.core.health import CameraHealth
from skyveil.core.ids import CameraId
from skyveil.public.live.fragments import Fragment
from skyveil.public.web.site import GapView, HoldView, SegmentView


@final
class LiveRecordings:
    """Nothing is stored yet: the archive is built beside this."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def start(self, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Begin."""

    def configure(self, config: Config, specs: Mapping[CameraId, CameraSpec]) -> None:
        """Take other settings."""

    def close(self) -> None:
        """End."""

    def begin(self, camera: CameraId, init: bytes) -> None:
        """A stream begins."""

    def take(self, camera: CameraId, fragment: Fragment, wall_s: float) -> None:
        """A fragment."""

    def health(self, health: CameraHealth) -> None:
        """A camera's health, for gaps."""

    def sweep(self) -> None:
        """Delete what is too old."""

    def problems(self) -> list[str]:
        """What is wrong."""
        return []

    def days(self, camera: CameraId) -> Sequence[str]:
        """Days with recordings."""
        return []

    def span(self, camera: CameraId, from_s: float, to_s: float) -> tuple[Sequence[SegmentView], Sequence[GapView]]:
        """Segments and gaps."""
        return [], []

    def segment(self, camera: CameraId, number: int) -> bytes:
        """A segment."""
        raise RecordingMissing("there is no such recording")

    def init(self, camera: CameraId, name: str) -> bytes:
        """An init segment."""
        raise RecordingMissing("there is no such recording")

    def playlist(self, camera: CameraId, from_s: float, to_s: float) -> str:
        """A playlist."""
        raise RecordingMissing("there is no such recording")

    def export(self, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str) -> str:
        """An export."""
        raise RecordingMissing("nothing is recorded there")

    def exported(self, name: str) -> Path:
        """The file of an export."""
        raise RecordingMissing("there is no such export")

    def holds(self, camera: CameraId) -> Sequence[HoldView]:
        """Holds."""
        return []

    def ask_hold(self, camera: CameraId, from_s: float, to_s: float, *, reason: str, days: int, actor: str) -> str:
        """Ask."""
        raise RecordingMissing("nothing is recorded there")

    def decide_hold(self, camera: CameraId, hold: str, *, approve: bool, actor: str) -> None:
        """Decide."""
        raise RecordingMissing("there is no such hold")
