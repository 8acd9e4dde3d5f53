"""The level of one place, with reasons. Public side; made by `gate.release` only."""

from typing import NoReturn, final

from skyveil.core.errors import BoundaryViolated
from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.level import Level
from skyveil.public._seal import SEAL, _Seal


@final
class Alarm:
    """The level of a place since a time, why, and the words that may leave the control room.

    rank: how urgent, 0 to 4; an unknown level keeps the rank of what was last measured. reasons: for the control room.
    notice: for messages; empty when numbers would tell of fewer than five people. drill: nothing is happening.
    """

    __slots__ = ("_seal", "camera", "drill", "level", "notice", "place", "rank", "reasons", "since_s")

    _seal: _Seal
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
        if seal is not SEAL:
            raise BoundaryViolated("an Alarm is made by gate.release only")
        put = object.__setattr__
        put(self, "_seal", seal)
        put(self, "camera", camera)
        put(self, "place", place)
        put(self, "level", level)
        put(self, "rank", rank)
        put(self, "since_s", since_s)
        put(self, "reasons", reasons)
        put(self, "notice", notice)
        put(self, "drill", drill)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse every change."""
        raise BoundaryViolated(f"Alarm.{name} can not be set")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse to lose a field."""
        raise BoundaryViolated(f"Alarm.{name} can not be deleted")

    def __init_subclass__(cls) -> NoReturn:
        """Refuse subclasses."""
        raise BoundaryViolated("Alarm can not be subclassed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy."""
        raise BoundaryViolated("Alarm can not be pickled or copied")

    def __repr__(self) -> str:
        """Place and level, without reasons."""
        return f"Alarm({self.camera}/{self.place}, {self.level})"


def sealed_alarm(alarm: object) -> Alarm:
    """The alarm itself when the gate made it; BoundaryViolated otherwise."""
    if type(alarm) is not Alarm or getattr(alarm, "_seal", None) is not SEAL:
        raise BoundaryViolated(f"expected an Alarm from gate.release, got {type(alarm).__name__}")
    return alarm
