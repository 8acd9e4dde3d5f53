"""Names of sources, cameras and frames. Core: no pixels, no people."""

import re
from dataclasses import dataclass
from typing import Final, NewType, final

from skyveil.core.errors import SettingsRefused

SourceId = NewType("SourceId", str)
CameraId = NewType("CameraId", str)
"""A camera of the configuration; also a folder name and a part of addresses, hence the narrow alphabet."""

PlaceId = NewType("PlaceId", str)
"""A zone or line of one camera that numbers are about; same narrow alphabet."""

_CAMERA_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def camera_id(text: str) -> CameraId:
    """The text as a camera's id; SettingsRefused unless it is 1 to 63 of a to z, 0 to 9 and inner hyphens."""
    if not _CAMERA_ID.fullmatch(text):
        raise SettingsRefused("a camera's id is 1 to 63 of a-z, 0-9 and -, and starts with a letter or digit")
    return CameraId(text)


@final
@dataclass(frozen=True, slots=True)
class FrameId:
    """One frame of one source; `index` counts shown frames from 0."""

    source: SourceId
    index: int
