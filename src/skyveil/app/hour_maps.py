"""Maps of density on their way to the hours of a day. App.

The seconds since the last time are kept in memory and added to the row of their hour once a minute, so that a kill
loses a minute at most. They are for the control room, and deleted with the exact numbers.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from skyveil.app.numbers import ASIDE_S
from skyveil.core.ids import CameraId, PlaceId
from skyveil.public.density_map import DensityMap, sealed_map
from skyveil.public.hour_map import HOUR_S, HourMap, Layout
from skyveil.public.store.hour_maps import HourMapStore
from skyveil.public.store.numbers import CONTROL_ROOM_KEPT_S

EVERY_S: Final = 60.0
LONGEST_S: Final = 2
"""A map stands for the time since the one before it; after a longer gap it stands for one second."""
MOST_LAYOUTS: Final = 8
"""How often a zone can be drawn anew within an hour; what comes after that is not kept."""
_Key: TypeAlias = tuple[CameraId, PlaceId, int, Layout]


@final
@dataclass(slots=True)
class _Newest:
    """The newest map of a place, and how many layouts it had within its hour."""

    at_s: int
    start_s: int
    layout: Layout
    layouts: int = 1


@final
class HourMaps:
    """Takes maps on cameras' threads (`heard`), and stores them from one thread (`tick`)."""

    def __init__(self, store: HourMapStore, *, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._lock = threading.Lock()  # of all below
        self._newest: dict[tuple[CameraId, PlaceId], _Newest] = {}
        self._waiting: dict[_Key, HourMap] = {}
        self._unsure: list[HourMap] = []
        """What was given to the store last, until it is known to be there."""
        self._stored_s = now()

    def heard(self, density_map: DensityMap, thresholds: Sequence[float]) -> None:
        """Count a released map for the time since the one before it."""
        one = sealed_map(density_map)
        if abs(one.at_s - self._now()) > ASIDE_S:
            return  # a camera's process must not write to other hours
        layout, start_s = Layout.of(one, thresholds), int(one.at_s) // HOUR_S * HOUR_S
        with self._lock:
            seconds = self._seconds(one, start_s, layout)
            if seconds:
                key = (one.camera, one.place, start_s, layout)
                found = self._waiting.setdefault(key, HourMap.empty(one.camera, one.place, start_s, layout))
                found.add(one, seconds)

    def _seconds(self, one: DensityMap, start_s: int, layout: Layout) -> int:
        """For how many seconds a map stands; 0 for one that is not taken."""
        last = self._newest.get((one.camera, one.place))
        if last is None:
            self._newest[one.camera, one.place] = _Newest(int(one.at_s), start_s, layout)
            return 1
        seconds = int(one.at_s) - last.at_s
        if seconds <= 0:
            return 0  # told again, or the clock was set back
        if start_s > last.start_s:
            last.layouts = 0
        if layout != last.layout or not last.layouts:
            if last.layouts >= MOST_LAYOUTS:
                return 0
            last.layouts += 1
        last.at_s, last.start_s, last.layout = int(one.at_s), start_s, layout
        return seconds if seconds <= LONGEST_S else 1

    def day(self, camera: CameraId) -> list[HourMap]:
        """The hours of a camera that have not been over for 24 hours: what is stored, and what waits."""
        now_s = self._now()
        with self._lock:
            waiting = [one + HourMap.empty(*_key(one)) for one in self._waiting.values() if one.camera == camera]
            unsure = [one for one in self._unsure if one.camera == camera]
        found = {_key(one): one for one in self._store.day(camera, now_s)}
        for one in (*unsure, *waiting):
            there = found.get(_key(one))
            if there is None or there.until_s < one.until_s:  # else it was stored in between
                found[_key(one)] = one if there is None else there + one
        return sorted(found.values(), key=lambda one: (one.start_s, one.place))

    def tick(self) -> None:
        """Once a minute, store what waits and delete what is too old; after an SQLAlchemyError it still waits."""
        if self._now() - self._stored_s >= EVERY_S:
            self.store()

    def store(self) -> None:
        """Do so now."""
        self._stored_s = now_s = self._now()
        with self._lock:
            if not self._unsure:
                self._unsure, self._waiting = list(self._waiting.values()), {}
        self._store.add([one for one in self._unsure if not _old(one, now_s)])
        with self._lock:
            self._unsure = []
            self._waiting = {key: one for key, one in self._waiting.items() if not _old(one, now_s)}
        self._store.sweep(now_s)


def _key(one: HourMap) -> _Key:
    return one.camera, one.place, one.start_s, one.layout


def _old(one: HourMap, now_s: float) -> bool:
    return one.start_s + HOUR_S <= now_s - CONTROL_ROOM_KEPT_S
