"""Which networks the cameras of a site need, at its start and after a reload. App."""

from collections.abc import Mapping
from pathlib import Path

from skyveil.app.models import ensure_for
from skyveil.core.camera import CameraSpec
from skyveil.core.errors import ModelMissing, SettingsRefused
from skyveil.core.ids import CameraId
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings


def needed(specs: Mapping[CameraId, CameraSpec]) -> dict[str, Path]:
    """The networks of every target of these cameras, of the default ones where there is no camera.

    Raises ModelMissing.
    """
    return ensure_for(RedactSettings(_targets(specs) or RedactSettings().targets), verify=False)


def newly_needed(specs: Mapping[CameraId, CameraSpec], before: Mapping[CameraId, CameraSpec]) -> dict[str, Path]:
    """The same after a reload that adds a target to what all cameras had before; empty where it adds none.

    Raises SettingsRefused, as what was asked for can not run here.
    """
    if _targets(specs) <= _targets(before):
        return {}
    try:
        return needed(specs)
    except ModelMissing as error:
        raise SettingsRefused(str(error)) from error


def _targets(specs: Mapping[CameraId, CameraSpec]) -> frozenset[Kind]:
    return frozenset(kind for spec in specs.values() for kind in spec.settings.targets)
