"""Words that both sides share: geometry, ids, time, kinds and errors. Imports nothing of ours."""

from skyveil.core.errors import SkyveilError
from skyveil.core.geometry import BoxesXyxy, Polygon
from skyveil.core.ids import FrameId, SourceId
from skyveil.core.kinds import Kind
from skyveil.core.time import MediaTime

__all__ = ["BoxesXyxy", "FrameId", "Kind", "MediaTime", "Polygon", "SkyveilError", "SourceId"]
