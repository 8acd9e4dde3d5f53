"""Reads `skyveil.yaml`; every problem at once, with line, key and nearest name. App."""

import dataclasses
import json
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from skyveil.app.config import models
from skyveil.app.config.checks import Where, checked_outputs, checked_secret, checked_server
from skyveil.app.config.document import Document, read
from skyveil.app.config.measured import checked_density, crowd_of, density_of
from skyveil.app.config.models import Camera, Config
from skyveil.app.config.models import Secret as SecretRef
from skyveil.app.config.passwords import Secrets
from skyveil.app.floor import checked_floor
from skyveil.core.camera import SCHEMES, UDP_IN_CLEAR, CameraSpec, CrowdSpec
from skyveil.core.errors import CalibrationRefused, SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.kinds import Kind
from skyveil.core.names import nearest, no_such
from skyveil.core.secret import SafeUrl
from skyveil.core.settings import Mask, RedactSettings, targets_from
from skyveil.measure.points import crosses_itself, points_of, polygon_area

_LEAST_SHARE: Final = 1e-6
"""Of the picture, the least that a zone can be: about a pixel."""
_OF_FILES: Final = frozenset({"Factory", "localtime", "posixrules"})
"""Names of files beside the time zones, which no browser knows as one."""
_ADAPTER: Final = TypeAdapter(Config)
_WORDS: Final = {
    "missing": "is required",
    "literal_error": "is not one of the choices",
}


_KEYS: Final = {
    "": [one.name for one in dataclasses.fields(Config)],
    "server": [one.name for one in dataclasses.fields(models.Server)],
    "sites": [one.name for one in dataclasses.fields(models.Place)],
    "groups": [one.name for one in dataclasses.fields(models.Group)],
    "defaults": [one.name for one in dataclasses.fields(models.Defaults)],
    "cameras": [one.name for one in dataclasses.fields(Camera)],
    "masks": [one.name for one in dataclasses.fields(models.Mask)],
    "zones": [one.name for one in dataclasses.fields(models.Zone)],
    "lines": [one.name for one in dataclasses.fields(models.Line)],
    "thresholds": [one.name for one in dataclasses.fields(models.Thresholds)],
    "retention": [one.name for one in dataclasses.fields(models.Retention)],
    "password": [one.name for one in dataclasses.fields(SecretRef)],
    "tls": [one.name for one in dataclasses.fields(models.Tls)],
    "oidc": [one.name for one in dataclasses.fields(models.Oidc)],
    "roles": [one.name for one in dataclasses.fields(models.OidcRole)],
    "c2pa": [one.name for one in dataclasses.fields(models.C2pa)],
    "outputs": [one.name for one in dataclasses.fields(models.Outputs)],
    "restream": [one.name for one in dataclasses.fields(models.RestreamOutput)],
    "push": [one.name for one in dataclasses.fields(models.PushOutput)],
    "mqtt": [one.name for one in dataclasses.fields(models.MqttOutput)],
    "webhooks": [one.name for one in dataclasses.fields(models.WebhookOutput)],
    "messages": [one.name for one in dataclasses.fields(models.MessageOutput)],
    "numbers": [one.name for one in dataclasses.fields(models.Numbers)],
    "alarms": [one.name for one in dataclasses.fields(models.Alarms)],
    "density_networks": [one.name for one in dataclasses.fields(models.DensityNetwork)],
    "density_network": [one.name for one in dataclasses.fields(models.DensityUse)],
    "quiet": [one.name for one in dataclasses.fields(models.Quiet)],
    "address": [one.name for one in dataclasses.fields(SecretRef)],
    "secret": [one.name for one in dataclasses.fields(SecretRef)],
}
"""The keys that may stand below each key, for nearest names."""


def schema() -> str:
    """The JSON Schema (draft 2020-12) of `skyveil.yaml`, for editors that check it while one types."""
    made = _ADAPTER.json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "skyveil.yaml"}
    return json.dumps({**made, **head}, indent=2, sort_keys=True) + "\n"


def load(path: Path) -> Config:
    """The configuration; SettingsRefused names every problem, one line each."""
    document = read(path)
    problems = list(document.problems)
    config: Config | None = None
    try:
        config = _ADAPTER.validate_python(document.value or {}, strict=False)
    except ValidationError as error:
        problems += [_problem(document, one["loc"], one["type"], one["msg"]) for one in error.errors()]
    if config is not None:
        problems += [(document.line(where), text) for where, text in _checked(config)]
    if problems or config is None:
        raise SettingsRefused("\n".join(f"{path.name}:{line}: {text}" for line, text in sorted(set(problems))))
    folder = path.absolute().parent
    return _placed(config, folder)


def _problem(document: Document, where: Where, kind: str, text: str) -> tuple[int, str]:
    name = ".".join(str(one) for one in where)
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return document.line(where), f"`{where[-1]}` is not known here{_nearest(str(where[-1]), where)}"
    return document.line(where), f"`{name}` {said(kind, text)}"


def said(kind: str, text: str) -> str:
    """What pydantic says of a value, in our words."""
    if kind == "string_pattern_mismatch":  # "String should match pattern '...'"
        return f"is not allowed here: it must match {text.partition('pattern ')[2]}"
    return _WORDS.get(kind, text[:1].lower() + text[1:])


def _nearest(name: str, where: Where) -> str:
    keys = [one for one in where[:-1] if isinstance(one, str)]
    return nearest(name, _KEYS.get(keys[-1] if keys else "", ()))


def _checked(config: Config) -> Iterator[tuple[Where, str]]:
    """What no single value shows."""
    for kind, ids in (
        ("sites", [one.id for one in config.sites]),
        ("groups", [one.id for one in config.groups]),
        ("density_networks", [one.id for one in config.density_networks]),
        ("cameras", [one.id for one in config.cameras]),
    ):
        for index, name in enumerate(ids):
            if name in ids[:index]:
                yield (kind, index, "id"), f"the id `{name}` stands here twice"
    for index, camera in enumerate(config.cameras):
        yield from checked_camera(config, camera, ("cameras", index))
    yield from checked_secret(config.defaults.password, ("defaults", "password"))
    yield from checked_server(config.server, [one.id for one in config.cameras])
    quiet = config.alarms.quiet
    if quiet is not None and quiet.start == quiet.end:
        yield ("alarms", "quiet", "end"), "quiet hours begin and end at different times"
    yield from checked_outputs(config.outputs, has_tls=config.server.tls is not None)
    zones: list[tuple[Where, str]] = [(("server", "timezone"), config.server.timezone)]
    zones += [(("sites", n, "timezone"), one.timezone) for n, one in enumerate(config.sites) if one.timezone]
    known = zoneinfo.available_timezones() - _OF_FILES
    for where, zone in zones:
        if zone not in known:
            yield where, f"`{zone}` is no time zone; write one like Europe/Zurich"
    data, keys = config.server.data.absolute(), config.server.keys.absolute()
    if keys == data or data in keys.parents:
        yield ("server", "keys"), "the folder of keys must not lie inside `data`: a backup of both would undo deletion"


def checked_camera(config: Config, camera: Camera, where: Where) -> Iterator[tuple[Where, str]]:
    """What is wrong with a camera that no single value of it shows."""
    try:
        scheme = SafeUrl(camera.source).scheme
    except SettingsRefused as error:
        yield (*where, "source"), str(error)
    else:
        if scheme not in SCHEMES:
            yield (*where, "source"), f"a source starts with one of {', '.join(SCHEMES)}"
        if scheme == "rtsps" and (camera.transport or config.defaults.transport) == "udp":
            yield (*where, "transport"), UDP_IN_CLEAR
    for key, name, known in (
        ("site", camera.site, [one.id for one in config.sites]),
        ("group", camera.group, [one.id for one in config.groups]),
    ):
        if name is not None and name not in known:
            yield (*where, key), no_such(key, name, known)
    yield from checked_secret(camera.password, (*where, "password"))
    yield from _checked_places(camera, where)
    yield from checked_density(config, camera, where)
    if (camera.zones or camera.lines) and not settings_of(config, camera).targets & {Kind.HEAD, Kind.PERSON}:
        yield (*where, "targets"), "zones and lines count persons: `head` or `person` must be among the targets"
    if camera.restream and config.outputs.restream is None and config.outputs.push is None:
        yield (*where, "restream"), "nothing sends it on: write `outputs.restream` or `outputs.push`"
    missing = sorted(kind.name.lower() for kind in set(Kind) - settings_of(config, camera).targets)
    if camera.restream and missing and camera.restream_reason is None:
        yield (
            (*where, "restream"),
            "what leaves the control room covers face, head, person and plate: "
            f"add {', '.join(missing)} to `targets`, or write in `restream_reason` why less is enough",
        )


def _checked_places(camera: Camera, where: Where) -> Iterator[tuple[Where, str]]:
    seen: set[str] = set()
    for key, ids in (("zones", [one.id for one in camera.zones]), ("lines", [one.id for one in camera.lines])):
        for index, name in enumerate(ids):
            if name in seen:
                yield (*where, key, index, "id"), f"the id `{name}` stands here twice"
            seen.add(name)
    for index, zone in enumerate(camera.zones):
        limits = zone.thresholds
        if polygon_area(points_of(zone.points)) < _LEAST_SHARE:
            yield (*where, "zones", index, "points"), "a zone needs 3 corners that do not lie in line"
        elif crosses_itself(points_of(zone.points)):
            yield (*where, "zones", index, "points"), "the outline of a zone must not cross itself"
        if limits is not None and not limits.yellow < limits.orange < limits.red < limits.critical:
            yield (*where, "zones", index, "thresholds"), "thresholds rise from yellow over orange and red to critical"
        if zone.way is not None and zone.way[0] == zone.way[1]:
            yield (*where, "zones", index, "way"), "a way has two different points"
    for index, line in enumerate(camera.lines):
        if line.points[0] == line.points[1]:
            yield (*where, "lines", index, "points"), "a line has two different ends"


def _placed(config: Config, folder: Path) -> Config:
    """The same with every path absolute, from the folder of the file."""
    server = config.server
    tls = server.tls and dataclasses.replace(
        server.tls, certificate=folder / server.tls.certificate, key=folder / server.tls.key
    )
    c2pa = server.c2pa and models.C2pa(folder / server.c2pa.certificate, folder / server.c2pa.key)
    placed = dataclasses.replace(
        server,
        c2pa=c2pa,
        data=folder / server.data,
        keys=folder / server.keys,
        secrets=folder / server.secrets,
        tls=tls,
    )
    sites = tuple(
        dataclasses.replace(one, plan=None if one.plan is None else folder / one.plan) for one in config.sites
    )
    cameras = tuple(
        dataclasses.replace(
            one, calibration=one.calibration and folder / one.calibration, ca_file=one.ca_file and folder / one.ca_file
        )
        for one in config.cameras
    )
    mqtt, push = config.outputs.mqtt, config.outputs.push
    outputs = dataclasses.replace(
        config.outputs,
        push=push and dataclasses.replace(push, ca_file=push.ca_file and folder / push.ca_file),
        mqtt=mqtt and dataclasses.replace(mqtt, ca_file=mqtt.ca_file and folder / mqtt.ca_file),
        webhooks=tuple(
            dataclasses.replace(one, ca_file=one.ca_file and folder / one.ca_file) for one in config.outputs.webhooks
        ),
    )
    return dataclasses.replace(config, server=placed, sites=sites, outputs=outputs, cameras=cameras)


# --- secrets ----------------------------------------------------------------------------------------------------------


# --- what runs --------------------------------------------------------------------------------------------------------


def specs(config: Config, secrets: Secrets) -> dict[CameraId, CameraSpec]:
    """The cameras that run; SettingsRefused for a password that is not there or a calibration that does not fit."""
    made = {camera_id(one.id): _spec(config, one, secrets, crowd_of(one)) for one in config.cameras if one.enabled}
    return checked_floor(made)


def reloaded(
    config: Config, secrets: Secrets, before: Mapping[CameraId, CameraSpec]
) -> tuple[dict[CameraId, CameraSpec], dict[CameraId, str]]:
    """The same for a site that runs, and why the calibration of each camera was refused whose was.

    Such a camera goes on with the places that it has, one that is new with none; everything else of it, masks first of
    all, is as the configuration says. Raises SettingsRefused for a password that is not there.
    """
    made: dict[CameraId, CameraSpec] = {}
    refused: dict[CameraId, str] = {}
    for camera in (one for one in config.cameras if one.enabled):
        name = camera_id(camera.id)
        try:
            one = _spec(config, camera, secrets, crowd_of(camera))
            made |= checked_floor({name: one})
        except CalibrationRefused as error:
            crowd, density = (before[name].crowd, before[name].density) if name in before else (None, None)
            made[name] = dataclasses.replace(_spec(config, camera, secrets, crowd), density=density)
            refused[name] = str(error)
    return made, refused


def settings_of(config: Config, camera: Camera) -> RedactSettings:
    """How a camera is redacted; masks stay in shares of the picture."""
    defaults = config.defaults
    return RedactSettings(
        targets=targets_from(camera.targets or defaults.targets or ("face", "head")),
        mode=camera.mode or defaults.mode or "balanced",
        mount=camera.mount or defaults.mount or "standard",
        fill=camera.fill or defaults.fill or "solid",
        masks=tuple(Mask(mask.points) for mask in camera.masks),
    )


def records(config: Config, camera: Camera) -> bool:
    """Whether a camera is recorded; it is, unless it says otherwise."""
    if camera.record is not None:
        return camera.record
    return config.defaults.record is not False


def _spec(config: Config, camera: Camera, secrets: Secrets, crowd: CrowdSpec | None) -> CameraSpec:
    defaults = config.defaults
    reference = camera.password or defaults.password
    hindsight = camera.hindsight if camera.hindsight is not None else defaults.hindsight
    return CameraSpec(
        id=camera_id(camera.id),
        source=SafeUrl(camera.source),
        username=camera.username or defaults.username,
        password=None if reference is None else secrets.get(reference),
        transport=camera.transport or defaults.transport or "auto",
        settings=settings_of(config, camera),
        hindsight=2 if hindsight is None else hindsight,
        max_fps=camera.max_fps or defaults.max_fps,
        ca_file=camera.ca_file,
        verify_tls=camera.verify_tls,
        crowd=crowd,
        density=density_of(config, camera),
    )
