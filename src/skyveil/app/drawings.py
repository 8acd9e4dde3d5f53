"""Places as they were drawn, and who was told of them, from when on. App.

A number is made when its period has ended, and its zone may have been drawn anew since. So every drawing is kept with
its time, also over a restart, until no number of it can be made any more.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias, final

from skyveil.core.errors import StoreFailed
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.grounds import Grounds
from skyveil.public.budget import DAY_S

log: Final = logging.getLogger(__name__)
KEPT_S: Final = 2 * DAY_S
"""How long a drawing is kept after its end: exact numbers live for 24 hours, and a day is made of them when it ends."""


@final
@dataclass(frozen=True, slots=True)
class Drawing:
    """A place that staff are told of. drawn: names how it was drawn. area_m2: of a zone; a line has none."""

    drawn: str
    area_m2: float | None
    public: bool


_Place: TypeAlias = tuple[CameraId, PlaceId]
_Versions: TypeAlias = tuple[tuple[float, Drawing | None], ...]
"""From when on a place was what, oldest first; None: nobody outside the control room was told of it."""


@final
class Drawings:
    """Every drawing with its time, in a file. One thread at a time may change it, any may ask."""

    def __init__(self, path: Path) -> None:
        """Read the file. One that is missing or damaged means that nothing is known of the time before."""
        self._path = path
        self._versions: Mapping[_Place, _Versions] = MappingProxyType(_read(path))
        self._written = True

    def configure(self, places: Mapping[_Place, Drawing], *, at_s: float) -> None:
        """These are the places that may be told of from a time on (unix seconds), and no others."""
        kept: dict[_Place, _Versions] = {}
        for key in sorted(self._versions.keys() | places.keys()):
            before, now = self._versions.get(key, ()), places.get(key)
            after = before
            if not before or before[-1][1] != now:
                # A clock that was set back must not put the new drawing before the old one.
                after = (*before, (max(at_s, before[-1][0]) if before else at_s, now))
            ends_s = [since_s for since_s, _ in after[1:]]
            after = tuple(
                one
                for one, end_s in zip(after, [*ends_s, at_s], strict=True)
                if end_s > at_s - KEPT_S or one is after[-1]
            )
            if len(after) > 1 or after[0][1] is not None or after[0][0] > at_s - KEPT_S:
                kept[key] = after
        if kept != self._versions:
            self._versions, self._written = MappingProxyType(kept), False

    def write(self) -> None:
        """Write what changed; it survives a power cut. Raises StoreFailed, and may then be tried again."""
        if self._written:
            return
        text = json.dumps(
            {
                f"{camera}/{place}": [
                    [since_s, None if one is None else [one.drawn, one.area_m2, one.public]]
                    for since_s, one in versions
                ]
                for (camera, place), versions in self._versions.items()
            }
        )
        part = self._path.with_suffix(".part")
        try:
            with part.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise StoreFailed(f"the drawings of places can not be written to disk: {error.strerror}") from error
        self._written = True

    def staff(self, camera: CameraId, start_s: float, end_s: float) -> Grounds:
        """The places that were drawn in one way from `start_s` to `end_s`, and that staff were told of then."""
        return self._grounds(camera, start_s, end_s, alone_from_s=start_s, public=False)

    def public(self, camera: CameraId, start_s: float, end_s: float) -> Grounds:
        """The same for the public, of places that were drawn in no other way since the day began (UTC).

        A visit may cross a line twice that was moved in between, and noise is made for once.
        """
        day_s = start_s // DAY_S * DAY_S
        return self._grounds(camera, start_s, end_s, alone_from_s=day_s, public=True)

    def _grounds(self, camera: CameraId, start_s: float, end_s: float, *, alone_from_s: float, public: bool) -> Grounds:
        areas, lines = {}, set()
        for (of, place), versions in self._versions.items():
            ends_s = [*(since_s for since_s, _ in versions[1:]), float("inf")]
            met = [
                (since_s, one)
                for (since_s, one), ended_s in zip(versions, ends_s, strict=True)
                if since_s < end_s and ended_s > alone_from_s
            ]
            if of != camera or len(met) != 1 or met[0][0] > start_s:
                continue
            one = met[0][1]
            if one is None or (public and not one.public):
                continue
            if one.area_m2 is None:
                lines.add(place)
            else:
                areas[place] = one.area_m2
        return Grounds(MappingProxyType(areas), frozenset(lines))


def _read(path: Path) -> dict[_Place, _Versions]:
    try:
        found: dict[str, list[tuple[float, tuple[str, float | None, bool] | None]]] = json.loads(path.read_bytes())
        return {
            (CameraId(name.split("/")[0]), PlaceId(name.split("/")[1])): tuple(
                (float(since_s), None if one is None else Drawing(*one)) for since_s, one in versions
            )
            for name, versions in found.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
        log.warning("when places were drawn is not known any more (%s): it counts as now", type(error).__name__)
        return {}
