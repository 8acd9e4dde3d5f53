"""The level of one place, with reasons. Public side; made by `gate.release` only."""

from typing import final

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.level import Level
from skyveil.public._seal import Sealed, _Seal, made_by_gate


@final
class Alarm(Sealed, made_by="gate.release"):
    """The level of a place since a time, why, and the words that may leave the control room.

    rank: how urgent, 0 to 4; an unknown level keeps the rank of what was last measured. reasons: for the control room.
    notice: for messages; empty when numbers would tell of fewer than five people. drill: nothing is happening.
    """

    __slots__ = ("camera", "drill", "level", "notice", "place", "rank", "reasons", "since_s")

    camera: CameraId
    place: PlaceId
    level: Level
    rank: int
    since_s: float
    reasons: tuple[str, ...]
    notice: tuple[str, ...]
    drill: bool

    def __init__(
        self,
        camera: CameraId,
        place: PlaceId,
        level: Level,
        *,
        rank: int,
        since_s: float,
        reasons: tuple[str, ...],
        notice: tuple[str, ...],
        drill: bool,
        seal: _Seal,
    ) -> None:
        self._fill(
            seal,
            camera=camera,
            place=place,
            level=level,
            rank=rank,
            since_s=since_s,
            reasons=reasons,
            notice=notice,
            drill=drill,
        )

    def __repr__(self) -> str:
        """Place and level, without reasons."""
        return f"Alarm({self.camera}/{self.place}, {self.level})"


def sealed_alarm(alarm: object) -> Alarm:
    """The alarm itself when the gate made it; BoundaryViolated otherwise."""
    return made_by_gate(alarm, Alarm)
