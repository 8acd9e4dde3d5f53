"""A camera as the JSON that crosses the control socket, and back. App; both sides of the wall import it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from skyveil.app.task import Json, mask_from_json, mask_json, settings_from_json, task_settings_json
from skyveil.core.camera import (
    AskedRulers,
    CameraSpec,
    CrowdSpec,
    KnownView,
    LineSpec,
    Shares,
    Transport,
    ZoneSpec,
    ZoneUse,
)
from skyveil.core.density import Channels, Density, DensityNetwork, Scaling
from skyveil.core.errors import WorkerFailed
from skyveil.core.ids import PlaceId, camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.core.settings import Mask

_TRANSPORTS: Final[dict[str, Transport]] = {"auto": "auto", "tcp": "tcp", "udp": "udp"}
_USES: Final[dict[str, ZoneUse]] = {
    "walkway": "walkway",
    "stairs": "stairs",
    "queue": "queue",
    "standing": "standing",
}
_CHANNELS: Final[dict[str, Channels]] = {name: name for name in get_args(Channels)}
_SCALINGS: Final[dict[str, Scaling]] = {name: name for name in get_args(Scaling)}


def spec_json(spec: CameraSpec) -> dict[str, Json]:
    """The camera with its password in clear: for the control socket, and nothing else."""
    return {
        "id": spec.id,
        "source": spec.source.reveal(),
        "username": spec.username,
        "password": None if spec.password is None else spec.password.reveal(),
        "transport": spec.transport,
        "settings": task_settings_json(spec.settings),
        "hindsight": spec.hindsight,
        "preset": spec.preset,
        "crf": spec.crf,
        "max_fps": spec.max_fps,
        "key_every_s": spec.key_every_s,
        "ca_file": None if spec.ca_file is None else str(spec.ca_file),
        "verify_tls": spec.verify_tls,
        "crowd": crowd_json(spec.crowd),
        "density": _density_json(spec.density),
        "view": {
            "scenes": [[list(corner) for corner in scene] for scene in spec.view.scenes],
            "moved": spec.view.moved,
        },
    }


def spec_from(value: Json) -> CameraSpec:
    """The camera; WorkerFailed when it is none."""
    if not isinstance(value, dict):
        raise WorkerFailed("expected a camera on the control socket")
    password, crf, max_fps, ca_file = value["password"], value["crf"], value["max_fps"], value["ca_file"]
    return CameraSpec(
        id=camera_id(str(value["id"])),
        source=SafeUrl(str(value["source"])),
        username=None if value["username"] is None else str(value["username"]),
        password=None if password is None else Secret(str(password)),
        transport=_TRANSPORTS[str(value["transport"])],
        settings=settings_from_json(value["settings"]),
        hindsight=int(_number(value["hindsight"])),
        preset=str(value["preset"]),
        crf=None if crf is None else int(_number(crf)),
        max_fps=None if max_fps is None else _number(max_fps),
        key_every_s=_number(value["key_every_s"]),
        ca_file=None if ca_file is None else Path(str(ca_file)),
        verify_tls=value["verify_tls"] is True,
        crowd=crowd_from(value["crowd"]),
        density=_density_from(value["density"]),
        view=_view_from(_table(value["view"])),
    )


def _view_from(table: dict[str, Json]) -> KnownView:
    scenes = [_list(one) for one in _list(table["scenes"])]
    corners = tuple(tuple((int(x), int(y)) for x, y in _points_from(scene)) for scene in scenes)
    return KnownView(corners, table["moved"] is True)


def crowd_json(crowd: CrowdSpec | None) -> Json:
    """What is measured, for the control socket."""
    if crowd is None:
        return None
    return {
        "calibration": crowd.calibration,
        "zones": [
            {
                "id": zone.id,
                "use": zone.use,
                "corners": _points_json(zone.corners),
                "way": None if zone.way is None else _points_json(zone.way),
                "orange": zone.orange,
                "critical": zone.critical,
            }
            for zone in crowd.zones
        ],
        "lines": [{"id": line.id, "ends": _points_json((line.start, line.end))} for line in crowd.lines],
    }


def crowd_from(value: Json) -> CrowdSpec | None:
    """What is measured, from the control socket; WorkerFailed when it is none."""
    if value is None:
        return None
    table = _table(value)
    calibration = table["calibration"]
    return CrowdSpec(
        tuple(_zone_from(_table(one)) for one in _list(table["zones"])),
        tuple(_line_from(_table(one)) for one in _list(table["lines"])),
        None if calibration is None else str(calibration),
    )


def _density_json(density: Density | None) -> Json:
    if density is None:
        return None
    network = density.network
    return {
        "name": network.name,
        "file": network.file,
        "sha256": network.sha256,
        "size_wh": list(network.size_wh),
        "channels": network.channels,
        "scaling": network.scaling,
        "persons": network.persons,
        "error": density.error,
        "path": None if density.path is None else str(density.path),
    }


def _density_from(value: Json) -> Density | None:
    if value is None:
        return None
    table = _table(value)
    width, height = (int(_number(side)) for side in _list(table["size_wh"]))
    network = DensityNetwork(
        name=str(table["name"]),
        file=str(table["file"]),
        sha256=str(table["sha256"]),
        size_wh=(width, height),
        channels=_CHANNELS[str(table["channels"])],
        scaling=_SCALINGS[str(table["scaling"])],
        persons=_number(table["persons"]),
    )
    return Density(network, _number(table["error"]), None if table["path"] is None else Path(str(table["path"])))


def _zone_from(table: dict[str, Json]) -> ZoneSpec:
    way = None if table["way"] is None else _points_from(table["way"])
    if way is not None and len(way) != 2:
        raise WorkerFailed("expected two points on the control socket")
    both = None if way is None else (way[0], way[1])
    orange, critical = (None if table[key] is None else _number(table[key]) for key in ("orange", "critical"))
    return ZoneSpec(
        PlaceId(str(table["id"])), _USES[str(table["use"])], _points_from(table["corners"]), both, orange, critical
    )


def _line_from(table: dict[str, Json]) -> LineSpec:
    start, end = _points_from(table["ends"])
    return LineSpec(PlaceId(str(table["id"])), start, end)


def _points_json(points: Sequence[Shares]) -> Json:
    return [[x, y] for x, y in points]


def _points_from(value: Json) -> tuple[Shares, ...]:
    pairs = [_list(one) for one in _list(value)]
    return tuple((_number(x), _number(y)) for x, y in pairs)


def masks_json(masks: tuple[Mask, ...]) -> Json:
    """Masks, for the control socket."""
    return [mask_json(mask) for mask in masks]


def masks_from(value: Json) -> tuple[Mask, ...]:
    """Masks from the control socket; WorkerFailed when they are none."""
    if not isinstance(value, list):
        raise WorkerFailed("expected masks on the control socket")
    return tuple(mask_from_json(one) for one in value)


def rulers_json(asked: AskedRulers | None) -> Json:
    """The wish that people be rulers, for the control socket; None ends it."""
    return None if asked is None else {"view_deg": asked.view_deg, "head_m": asked.head_m}


def rulers_from(value: Json) -> AskedRulers | None:
    """The wish from the control socket; WorkerFailed when it is none."""
    if value is None:
        return None
    table = _table(value)
    return AskedRulers(_number(table["view_deg"]), _number(table["head_m"]))


def _table(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise WorkerFailed("expected a table on the control socket")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise WorkerFailed("expected a list on the control socket")
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WorkerFailed("expected a number on the control socket")
    return float(value)
