"""What is measured of the crowd before a camera, from its configuration. App."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from skyveil.app.config.checks import Where
from skyveil.app.config.models import Camera, Config, Zone
from skyveil.app.config.networks import DensityNetwork
from skyveil.app.floor import checked_text
from skyveil.app.models import locate
from skyveil.core.camera import CrowdSpec, LineSpec, ZoneSpec
from skyveil.core.density import Density
from skyveil.core.density import DensityNetwork as Network
from skyveil.core.errors import CalibrationRefused
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.core.names import no_such

PUBLIC_REFUSED: Final = (
    "the public can not be told of a zone that a density network counts: take out `density_network` or `numbers.public`"
)


def crowd_of(camera: Camera) -> CrowdSpec | None:
    """Its places; raises CalibrationRefused when its calibration can not be read."""
    calibration = None
    if camera.calibration is not None:
        try:
            calibration = camera.calibration.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CalibrationRefused(f"{camera.calibration}: the calibration of {camera.id} can not be read") from error
    if not camera.zones and not camera.lines:
        if calibration is not None:
            checked_text(camera.id, calibration)
        return None
    return CrowdSpec(
        tuple(_zone(one) for one in camera.zones),
        tuple(LineSpec(PlaceId(line.id), *line.points) for line in camera.lines),
        calibration,
    )


def _zone(zone: Zone) -> ZoneSpec:
    own = zone.thresholds
    orange, critical = (None, None) if own is None else (own.orange, own.critical)
    return ZoneSpec(PlaceId(zone.id), zone.kind, zone.points, zone.way, orange, critical)


def with_places(config: Config, before: Config, refused: Collection[CameraId]) -> Config:
    """A configuration with the places of before for cameras whose calibration was refused."""
    old = {camera_id(one.id): one for one in before.cameras}

    def placed(one: Camera) -> Camera:
        if camera_id(one.id) not in refused:
            return one
        kept = old.get(camera_id(one.id))
        if kept is None:
            return replace(one, zones=(), lines=(), calibration=None, density_network=None)
        return replace(
            one,
            zones=kept.zones,
            lines=kept.lines,
            calibration=kept.calibration,
            density_network=kept.density_network,
        )

    return replace(config, cameras=tuple(placed(one) for one in config.cameras))


def density_of(config: Config, camera: Camera) -> Density | None:
    """Its density network, with the file on this machine; one that is not here never keeps a camera from running."""
    use = camera.density_network
    if use is None:
        return None
    network = next(network_of(one) for one in config.density_networks if one.id == use.network)
    return Density(network, use.error, locate(network.entry))


def network_of(given: DensityNetwork) -> Network:
    """A density network as the camera's process knows it."""
    return Network(given.id, given.file, given.sha256, given.size, given.channels, given.scaling, float(given.persons))


def checked_density(config: Config, camera: Camera, where: Where) -> Iterator[tuple[Where, str]]:
    """What is wrong with the density network of a camera that no single value of it shows."""
    use, known = camera.density_network, [one.id for one in config.density_networks]
    if use is None:
        return
    if use.network not in known:
        yield (*where, "density_network", "network"), no_such("density network", use.network, known)
    if camera.calibration is None:
        yield (*where, "density_network"), "it counts heads over the floor, in metres: add a `calibration`"
    if config.numbers.public and camera.enabled:
        # A network's sum may change by more than 1 with one visit, and the noise is made for 1. Zones that are too
        # small to be told of are refused as well: how large one is depends on the file of a calibration, and one that
        # was changed must keep nobody from setting a mask.
        for index in range(len(camera.zones)):
            yield (*where, "zones", index), PUBLIC_REFUSED
