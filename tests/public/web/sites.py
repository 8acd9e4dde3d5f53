"""A site that holds still, for tests of the console."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.web.site import CameraView, GapView, HoldView, NamedMask, SegmentView, SiteView


def view(name: str) -> CameraView:
    return CameraView(
        camera_id(name), name.title(), "Hall", "Safety", ("face", "head"), "balanced", "standard", 2, True, True, 72.0,
        site="hall", site_name="Hall",
    )  # fmt: skip


class StillSite:
    def __init__(self, *names: str) -> None:
        self.views = [view(name) for name in names]
        self.set: dict[str, tuple[NamedMask, ...]] = {}
        self.wrong: list[str] = []

    def cameras(self) -> Sequence[CameraView]:
        return self.views

    def sites(self) -> Sequence[SiteView]:
        return [SiteView("hall", "Hall", None)]

    def health(self) -> Mapping[CameraId, CameraHealth]:
        return {
            one.id: CameraHealth(one.id, CameraState.LIVE, Cause.OK, 1.0, fps=10.0, age_s=0.1) for one in self.views
        }

    def masks(self, camera: CameraId) -> tuple[NamedMask, ...]:
        return self.set.get(camera, ())

    def set_masks(self, camera: CameraId, masks: tuple[NamedMask, ...]) -> None:
        self.set[camera] = masks

    def reload(self) -> str:
        if self.wrong:
            raise SettingsRefused("skyveil.yaml:3: wrong")
        return "nothing"

    def settings(self) -> Mapping[str, str | int | float | None]:
        return {"timezone": "UTC", "port": 8400}

    def problems(self) -> Sequence[str]:
        return self.wrong


class StillRecordings:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def days(self, camera: CameraId) -> Sequence[str]:
        return ["2026-05-01"]

    def span(self, camera: CameraId, from_s: float, to_s: float) -> tuple[Sequence[SegmentView], Sequence[GapView]]:
        return [SegmentView(7, from_s, from_s + 2, 0.0, "00112233aabbccdd")], [GapView(from_s + 2, to_s, "link-lost")]

    def segment(self, camera: CameraId, number: int) -> bytes:
        if number != 7:
            raise RecordingMissing("there is no such recording")
        return b"segment"

    def init(self, camera: CameraId, name: str) -> bytes:
        return b"init"

    def playlist(self, camera: CameraId, from_s: float, to_s: float) -> str:
        return "#EXTM3U\n"

    def export(self, camera: CameraId, from_s: float, to_s: float, *, actor: str, reason: str) -> str:
        name = f"{camera}-1.mp4"
        (self._folder / name).write_bytes(b"export")
        return name

    def exported(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise RecordingMissing("there is no such export")
        return path

    def holds(self, camera: CameraId) -> Sequence[HoldView]:
        return [HoldView("abcd", 1.0, 2.0, "accident", "requested", 3.0, "ada", None)]

    def ask_hold(self, camera: CameraId, from_s: float, to_s: float, *, reason: str, days: int, actor: str) -> str:
        return "abcd"

    def decide_hold(self, camera: CameraId, hold: str, *, approve: bool, actor: str) -> None:
        if hold != "abcd":
            raise RecordingMissing("there is no such hold")
