"""What the console shows of a configuration. App."""

from collections.abc import Mapping
from pathlib import Path

from skyveil.app.config import Camera, Config
from skyveil.app.config.load import records, settings_of
from skyveil.app.config.models import Place
from skyveil.core.ids import camera_id
from skyveil.public.web.site import CameraView


def settings_in(config: Config, path: Path) -> dict[str, str | int | float | None]:
    """What a server that runs this configuration, from the file at `path`, is set to."""
    server = config.server
    return {
        "config": str(path),
        "bind": server.bind,
        "port": server.port,
        "tls": "yes" if server.tls else "no",
        "data": str(server.data),
        "database": "PostgreSQL" if server.database else "SQLite",
        "timezone": server.timezone,
        "session_hours": server.session_hours,
        "cameras": len(config.cameras),
    }


def cameras_in(config: Config) -> list[CameraView]:
    """Every camera of a configuration."""
    sites, groups = {one.id: one for one in config.sites}, {one.id: one.name for one in config.groups}
    return [_view(config, camera, sites, groups) for camera in config.cameras]


def _view(config: Config, camera: Camera, sites: Mapping[str, Place], groups: Mapping[str, str]) -> CameraView:
    settings = settings_of(config, camera)
    retention = camera.retention or config.defaults.retention
    hindsight = camera.hindsight if camera.hindsight is not None else config.defaults.hindsight
    site = sites.get(camera.site or "")
    return CameraView(
        id=camera_id(camera.id),
        name=camera.name,
        place=camera.place,
        purpose=camera.purpose,
        targets=tuple(kind.name.lower() for kind in sorted(settings.targets)),
        mode=settings.mode,
        mount=settings.mount,
        hindsight=2 if hindsight is None else hindsight,
        enabled=camera.enabled,
        record=records(config, camera),
        retention_hours=72.0 if retention is None else retention.hours,
        timezone=(site and site.timezone) or config.server.timezone,
        site=camera.site or "",
        site_name=site.name if site else "",
        group=camera.group or "",
        group_name=groups.get(camera.group or "", ""),
        position=camera.position,
    )
