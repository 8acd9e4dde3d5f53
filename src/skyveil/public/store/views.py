"""By what the views of cameras are known again after a restart, in the database. Public side.

A view is a few whole numbers: where corners of the place lay in the picture. docs/adr/0018-known-views.md says why
these and no more are kept.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import final

from sqlalchemy import Engine, delete, insert, select, update

from skyveil.core.camera import Corners
from skyveil.core.ids import CameraId
from skyveil.public.store.tables import views


@final
@dataclass(frozen=True, slots=True)
class StoredView:
    """The view of a camera.

    calibration: of which calibration it is. scenes: as in `core.camera.KnownView`. moved_s: unix time since when the
    camera is known to be moved. trusted_s: when somebody last said that the view is right; 0 if nobody did.
    """

    calibration: str
    scenes: tuple[Corners, ...] = ()
    moved_s: float | None = None
    trusted_s: float = 0.0


@final
class ViewStore:
    """The views of a site. Any thread may call it; every call raises SQLAlchemyError while the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> dict[CameraId, StoredView]:
        """Every view."""
        with self._engine.connect() as connection:
            return {
                CameraId(row.camera): StoredView(row.calibration, _scenes(row.scenes), row.moved_s, row.trusted_s)
                for row in connection.execute(select(views))
            }

    def put(self, changed: Mapping[CameraId, StoredView]) -> None:
        """Store views in place of older ones, but for those that somebody trusted since the `trusted_s` they have."""
        with self._engine.begin() as connection:
            for camera, one in changed.items():
                known = {
                    "calibration": one.calibration,
                    "scenes": json.dumps(one.scenes, separators=(",", ":")),
                    "moved_s": one.moved_s,
                }
                of = views.c.camera == camera
                changes = update(views).where(of, views.c.trusted_s == one.trusted_s).values(**known)
                if connection.execute(changes).rowcount or connection.execute(select(views.c.camera).where(of)).first():
                    continue
                connection.execute(insert(views).values(camera=camera, trusted_s=one.trusted_s, **known))

    def trust(self, camera: CameraId, *, at_s: float) -> None:
        """Forget what was known of a view: what the camera sees from now on is right."""
        with self._engine.begin() as connection:
            connection.execute(delete(views).where(views.c.camera == camera))
            connection.execute(
                insert(views).values(camera=camera, calibration="", scenes="[]", moved_s=None, trusted_s=at_s)
            )

    def trusted(self) -> dict[CameraId, float]:
        """When somebody last said of each view that it is right."""
        with self._engine.connect() as connection:
            return {
                CameraId(name): at_s
                for name, at_s in connection.execute(select(views.c.camera, views.c.trusted_s))
                if at_s
            }

    def keep(self, cameras: Collection[CameraId]) -> None:
        """Forget all other cameras."""
        with self._engine.begin() as connection:
            connection.execute(delete(views).where(views.c.camera.not_in(cameras)))


def _scenes(text: str) -> tuple[Corners, ...]:
    scenes: list[list[tuple[int, int]]] = json.loads(text)
    return tuple(tuple((x, y) for x, y in scene) for scene in scenes)
