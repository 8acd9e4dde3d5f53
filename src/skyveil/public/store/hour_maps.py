"""Where zones were full in the last 24 hours, for the control room, in the database. Public side.

What was measured since the last time is added to the row of its hour in one transaction. A part that is in the row
already is not added again, so that whoever is not sure whether it was stored may store it again.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Final, final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from skyveil.core.ids import CameraId, PlaceId
from skyveil.public.hour_map import HOUR_S, HourMap, Layout
from skyveil.public.store.numbers import CONTROL_ROOM_KEPT_S
from skyveil.public.store.tables import hour_maps

_SQUARE: Final = np.dtype([("steps", "<i4"), ("highest", "u1")])


@final
class HourMapStore:
    """The hour maps of a site. Any thread may call it; one thread adds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, maps: Sequence[HourMap]) -> None:
        """Add what was measured since the last time, in one transaction."""
        with self._engine.begin() as connection:
            for one in maps:
                _add(connection, one)

    def day(self, camera: CameraId, now_s: float) -> list[HourMap]:
        """The hours of a camera that have not been over for 24 hours, oldest first."""
        since_s = now_s - CONTROL_ROOM_KEPT_S - HOUR_S
        wanted = (
            select(hour_maps)
            .where(hour_maps.c.camera == camera, hour_maps.c.start_s > since_s)
            .order_by(hour_maps.c.start_s, hour_maps.c.place)
        )
        with self._engine.connect() as connection:
            return [_map(row) for row in connection.execute(wanted)]

    def sweep(self, now_s: float) -> None:
        """Delete hours that have been over for 24 hours, as exact numbers are."""
        with self._engine.begin() as connection:
            connection.execute(delete(hour_maps).where(hour_maps.c.start_s <= now_s - CONTROL_ROOM_KEPT_S - HOUR_S))


def _add(connection: Connection, one: HourMap) -> None:
    key = {"camera": one.camera, "place": one.place, "start_s": one.start_s, "layout": one.layout.key}
    here = tuple(hour_maps.c[name] == value for name, value in key.items())
    stored = connection.execute(select(hour_maps).where(*here)).one_or_none()
    if stored is None:
        connection.execute(insert(hour_maps).values(**key, about=_about(one.layout), **_counted(one)))
    elif stored.until_s < one.until_s:
        connection.execute(update(hour_maps).where(*here).values(**_counted(_map(stored) + one)))


def _about(layout: Layout) -> str:
    """Everything but the squares that are inside, which the numbers say as well."""
    return json.dumps(
        {
            "side_m": layout.side_m,
            "low_m": layout.low_m,
            "columns": layout.columns,
            "floor_to_picture": layout.floor_to_picture,
            "thresholds": layout.thresholds,
        }
    )


def _counted(one: HourMap) -> dict[str, float | int | bytes]:
    squares = np.empty(len(one.steps), _SQUARE)
    squares["steps"], squares["highest"] = one.steps, one.highest
    data = zlib.compress(squares.tobytes() + one.over_s.astype("<i4").tobytes())
    return {"until_s": one.until_s, "measured_s": one.measured_s, "squares": data}


def _map(row: "Row[str, str, int, str, str, float, int, bytes]") -> HourMap:
    """A row in the order of the table's columns."""
    camera, place, start_s, _, text, until_s, measured_s, packed = row
    about, data = json.loads(text), zlib.decompress(packed)
    thresholds = tuple(about["thresholds"])
    many = len(data) // (_SQUARE.itemsize + 4 * len(thresholds))
    squares: NDArray[np.void] = np.frombuffer(data, _SQUARE, many)
    over_s = np.frombuffer(data, "<i4", offset=many * _SQUARE.itemsize).reshape(len(thresholds), many)
    highest = squares["highest"].copy()
    inside = "".join(np.where(highest == 255, ".", "0").tolist())
    layout = Layout(
        about["side_m"], tuple(about["low_m"]), about["columns"], inside, tuple(about["floor_to_picture"]), thresholds
    )
    steps = squares["steps"].astype(np.int64)
    return HourMap(
        CameraId(camera), PlaceId(place), start_s, layout, until_s, measured_s, steps, highest, over_s.astype(np.int64)
    )
