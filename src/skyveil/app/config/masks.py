"""Masks of one camera given to others. App."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from skyveil.app.config.edit import change, masks_value
from skyveil.app.config.load import load
from skyveil.app.config.models import Config
from skyveil.app.recordings import archive_of
from skyveil.core.errors import RecordingMissing, SettingsRefused
from skyveil.core.ids import CameraId, camera_id
from skyveil.public.archive import Archive
from skyveil.public.live.fragments import picture_size

Size: TypeAlias = tuple[int, int]
_ALL_TIME: Final = 1e12


def copy_masks(path: Path, source: str, targets: Sequence[str], sizes: Mapping[str, Size], *, scaled: bool) -> int:
    """Give cameras the masks of another one, in place of their own; how many masks that are.

    Masks are shares of the picture, so they fit pictures of one size; to another they are stretched, which `scaled`
    allows. Raises SettingsRefused for a camera that is not there, and for sizes that differ or are not known.
    """
    known = {camera.id: camera for camera in load(path).cameras}
    for name in (source, *targets):
        if name not in known:
            raise SettingsRefused(f"the configuration has no camera {name!r}")
    for name in targets if not scaled else ():
        if sizes.get(name) is None or sizes.get(source) is None:
            unknown = name if sizes.get(source) is not None else source
            raise SettingsRefused(
                f"{unknown}: nothing of it is recorded, so the size of its picture is not known: copy with --scaled"
            )
        if sizes[name] != sizes[source]:
            shown = " and ".join(f"{one} has {sizes[one][0]}x{sizes[one][1]}" for one in (source, name))
            raise SettingsRefused(f"{shown}: their pictures differ in size; masks are stretched with --scaled")
    masks = known[source].masks
    change(path, {name: {"masks": masks_value(masks)} for name in targets})
    return len(masks)


def recorded_sizes(config: Config, names: Sequence[str]) -> dict[str, Size]:
    """Width and height of cameras' newest recorded pictures; those of which nothing is recorded are left out."""
    archive = archive_of(config)[0]
    found: dict[str, Size] = {}
    for name in names:
        size = _newest(archive, camera_id(name))
        if size is not None:
            found[name] = size
    return found


def _newest(archive: Archive, camera: CameraId) -> Size | None:
    try:
        last = None
        for _, entry in archive.entries(camera, 0, _ALL_TIME):
            last = entry if entry.kind == "segment" else last
        return None if last is None else picture_size(archive.init(camera, last.init))
    except RecordingMissing:
        return None
