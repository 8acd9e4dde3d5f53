"""Places that a crowd walks through: walls, doors that close, queues and escalators, and who comes when."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from examples.simulated.crowd import SPEED_M_PER_S

Segment = tuple[tuple[float, float], tuple[float, float]]
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in metres."""


@dataclass(frozen=True, slots=True)
class Door:
    """A wall that stands only from a moment on."""

    wall: Segment
    closes_s: float


@dataclass(frozen=True, slots=True)
class Escalator:
    """A floor that moves; who rides it stands still on it."""

    box: Box
    m_per_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Group:
    """People who come in somewhere and take the same way.

    `rate_per_s` maps seconds to arrivals per second. They pass the segments of `way` one after another and then leave;
    with `stays` they go to a place of their own in that box instead.
    """

    enters: Box
    rate_per_s: Callable[[float], float]
    way: tuple[Segment, ...] = ()
    stays: Box | None = None
    speed_m_per_s: float = SPEED_M_PER_S


@dataclass(frozen=True, slots=True)
class Queue:
    """A line before a counter: `line` runs from the counter backwards; one is served at a time."""

    group: int
    line: tuple[tuple[float, float], ...]
    service_s: float
    spacing_m: float = 0.75


@dataclass(frozen=True, slots=True)
class Place:
    """All there is to know before anybody comes."""

    name: str
    about: str
    floor: Box
    walls: tuple[Segment, ...]
    groups: tuple[Group, ...]
    doors: tuple[Door, ...] = ()
    escalators: tuple[Escalator, ...] = ()
    queue: Queue | None = None
    watched: Box = (0.0, 0.0, 1.0, 1.0)
    """The zone that a test watches."""
    line: Segment | None = None
    """The line that a test counts at; its way forward is from its right to its left."""


def steadily(per_s: float, *, until_s: float = 1e9) -> Callable[[float], float]:
    """So many a second, up to a moment."""
    return lambda now_s: per_s if now_s < until_s else 0.0


def rising(per_s: float, *, over_s: float) -> Callable[[float], float]:
    """From none to so many a second over a time, and so many from then on."""
    return lambda now_s: per_s * min(1.0, now_s / over_s)


def _room(width: float, depth: float, *, gap: tuple[float, float] | None = None) -> tuple[Segment, ...]:
    """The side walls of a room that is open at its near end, and its far wall with a gap in it."""
    sides: tuple[Segment, ...] = (((0, 0), (0, depth)), ((width, 0), (width, depth)))
    if gap is None:
        return sides
    return (*sides, ((0, depth), (gap[0], depth)), ((gap[1], depth), (width, depth)))


def exit_of(width_m: float = 1.2, *, closes_s: float | None = None) -> Place:
    """A room of 8 by 10 m that empties through one door, which may close with all of them before it."""
    gap = (4 - width_m / 2, 4 + width_m / 2)
    return Place(
        "exit" if closes_s is None else "blocked-exit",
        "a room empties through one door" if closes_s is None else "the only door of a room closes while people come",
        (0, 0, 8, 13),
        _room(8, 10, gap=gap),
        (Group((0.5, 0.3, 7.5, 1.5), steadily(2.0), (((gap[0], 10.1), (gap[1], 10.1)), ((2, 12.5), (6, 12.5)))),),
        doors=() if closes_s is None else (Door(((gap[0], 10), (gap[1], 10)), closes_s),),
        watched=(2, 7.5, 6, 10),
        line=((gap[0], 10), (gap[1], 10)),
    )


def corridor(*, forward_per_s: float = 1.0, against_per_s: float = 0.0, against_from_s: float = 20.0) -> Place:
    """A corridor of 4 by 16 m; after a while people come against the stream."""
    return Place(
        "counter-flow",
        "people walk against the stream of a corridor",
        (0, 0, 4, 16),
        _room(4, 16),
        (
            Group((0.4, 0, 3.6, 1), steadily(forward_per_s), (((0, 15.8), (4, 15.8)),)),
            Group(
                (0.4, 15, 3.6, 16),
                lambda now_s: against_per_s if now_s >= against_from_s else 0.0,
                (((0, 0.2), (4, 0.2)),),
            ),
        ),
        watched=(0, 5, 4, 11),
        line=((0, 8), (4, 8)),
    )


def platform(*, per_s: float = 2.5, over_s: float = 20.0) -> Place:
    """A platform of 6 by 5 m that fills: who comes stays."""
    return Place(
        "rising-density",
        "a station platform fills and nobody leaves",
        (0, 0, 10, 12),
        _room(10, 12, gap=(5, 5)),
        (Group((1, 0.2, 9, 1.4), rising(per_s, over_s=over_s), stays=(2, 6, 8, 11)),),
        watched=(2, 6, 8, 11),
    )


def escalators(*, wrong_way_s: float = 10.0) -> Place:
    """Two escalators side by side, on which people stand on one side; somebody runs against the left one."""
    once: Callable[[float], float] = lambda now_s: 0.5 if wrong_way_s <= now_s < wrong_way_s + 2 else 0.0  # noqa: E731
    away: tuple[Segment, ...] = (((1.6, 3), (2.2, 3)), ((1, 13.2), (2.2, 13.2)), ((0, 15.8), (3, 15.8)))
    near: tuple[Segment, ...] = (((3.8, 13), (4.4, 13)), ((3.8, 2.8), (5, 2.8)), ((3, 0.2), (6, 0.2)))
    wrong: tuple[Segment, ...] = (((1, 13), (1.4, 13)), ((1, 2.8), (1.4, 2.8)), ((0, 0.2), (3, 0.2)))
    return Place(
        "escalator",
        "two escalators, and one person against their direction",
        (0, 0, 6, 16),
        (((1, 3), (1, 13)), ((2.2, 3), (2.2, 13)), ((3.8, 3), (3.8, 13)), ((5, 3), (5, 13))),
        (
            Group((0.4, 0, 2.8, 1), steadily(0.4), away),
            Group((3.2, 15, 5.6, 16), steadily(0.4), near),
            Group((1, 15, 1.4, 16), once, wrong, speed_m_per_s=2.4),
        ),
        escalators=(Escalator((1, 3, 2.2, 13), (0, 0.65)), Escalator((3.8, 3, 5, 13), (0, -0.65))),
        watched=(1, 3, 2.2, 13),
        line=((1, 8), (2.2, 8)),
    )


def counter(*, per_s: float = 0.5, service_s: float = 4.0) -> Place:
    """A queue that grows: one counter serves fewer than come."""
    return Place(
        "queue",
        "a queue before one counter",
        (0, 0, 10, 10),
        _room(10, 10, gap=(4, 6)),
        (Group((1, 0.2, 9, 1), steadily(per_s), (((4, 9.8), (6, 9.8)),)),),
        queue=Queue(0, ((5, 9), (5, 6), (2, 6), (2, 4.5), (8, 4.5), (8, 3), (2, 3)), service_s),
        watched=(1, 2, 9, 9.5),
    )


def station(*, per_s: float = 3.0) -> Place:
    """A hall of 14 by 12 m: people cross it to an exit on the far side, and others wait before the departure board."""
    return Place(
        "station",
        "a station hall: some cross it, more and more wait before the board",
        (0, 0, 14, 14),
        _room(14, 12, gap=(10, 13)),
        (
            Group((0.5, 0.2, 6, 1.2), rising(per_s, over_s=30), stays=(2, 5, 8, 10)),
            Group((8, 0.2, 13, 1.2), steadily(0.8), (((10, 12.1), (13, 12.1)), ((9, 13.8), (13.8, 13.8)))),
        ),
        watched=(2, 5, 8, 10),
        line=((10, 11.8), (13, 11.8)),
    )


def all_places() -> Iterator[Place]:
    """Every place as it is by default."""
    yield station()
    yield exit_of()
    yield exit_of(closes_s=15)
    yield corridor(against_per_s=0.7)
    yield platform()
    yield escalators()
    yield counter()
