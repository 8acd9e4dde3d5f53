"""Names of sources and frames. Core: no pixels, no people."""

from dataclasses import dataclass
from typing import NewType, final

SourceId = NewType("SourceId", str)


@final
@dataclass(frozen=True, slots=True)
class FrameId:
    """One frame of one source; `index` counts shown frames from 0."""

    source: SourceId
    index: int
