"""Let a crowd walk through a place: who comes, where each one wants to go, and who leaves."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from examples.simulated.crowd import STEP_S, Crowd, nearest_on
from examples.simulated.places import Place, Queue
from examples.simulated.trajectories import Metres, Trajectories


@dataclass(slots=True)
class _Plans:
    """What each one means to do, in the order of the crowd's arrays."""

    group: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    stage: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    own: Metres = field(default_factory=lambda: np.zeros((0, 2)))
    """The place in the box where one stays."""

    def add(self, group: int, own: Metres) -> None:
        self.group = np.concatenate([self.group, np.full(len(own), group)])
        self.stage = np.concatenate([self.stage, np.zeros(len(own), np.int64)])
        self.own = np.concatenate([self.own, own])

    def keep(self, staying: NDArray[np.bool_]) -> None:
        self.group, self.stage, self.own = self.group[staying], self.stage[staying], self.own[staying]


class _Line:
    """Who waits, first come first served: rows of `order` are person numbers from the counter backwards."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.order: list[int] = []
        self.served: set[int] = set()
        self._since_s: float | None = None
        corners = np.array(queue.line)
        self._corners, self._lengths = corners, np.linalg.norm(np.diff(corners, axis=0), axis=1)

    def spot(self, rank: int) -> Metres:
        """Where the one of this rank stands; past the end of the line at its end."""
        left = rank * self.queue.spacing_m
        for start, end, length in zip(self._corners, self._corners[1:], self._lengths, strict=False):
            if left <= length:
                return np.asarray(start + (end - start) * left / length, np.float64)
            left -= length
        return np.asarray(self._corners[-1], np.float64)

    def step(self, now_s: float, crowd: Crowd, waiting: NDArray[np.bool_]) -> None:
        """Join those who came near their end of the line, and serve the one at the counter."""
        inside = set(self.order)
        end = self.spot(len(self.order))
        for row in np.flatnonzero(waiting):
            person = int(crowd.person[row])
            if person not in inside and np.linalg.norm(crowd.xy[row] - end) < 1.5:
                self.order.append(person)
        if not self.order:
            return
        at_counter = crowd.person == self.order[0]
        near = at_counter.any() and np.linalg.norm(crowd.xy[at_counter][0] - self.spot(0)) < 0.4
        if near and self._since_s is None:
            self._since_s = now_s
        if self._since_s is not None and now_s - self._since_s >= self.queue.service_s:
            self.served.add(self.order.pop(0))
            self._since_s = None


def walked(place: Place, *, seconds: float, rate_fps: float, seed: int = 1) -> Trajectories:
    """Let a crowd walk through a place, and note where everybody is at every picture."""
    crowd, plans = Crowd(seed=seed), _Plans()
    line = _Line(place.queue) if place.queue else None
    due = np.zeros(len(place.groups))
    noted: list[NDArray[np.float64]] = []
    for index in range(round(seconds / STEP_S)):
        now_s = index * STEP_S
        _arrive(place, crowd, plans, due, now_s)
        goal, drift = _goals(place, crowd, plans, line, now_s), _drift(place, crowd)
        riding = np.einsum("ij,ij->i", goal - crowd.xy, drift) > 0
        crowd.step(np.where(riding[:, None], crowd.xy, goal), _walls(place, now_s), drift)
        _leave(place, crowd, plans)
        frame = round(now_s * rate_fps)
        if abs(frame / rate_fps - now_s) < STEP_S / 2:
            rows = [np.full(len(crowd.xy), frame), crowd.person, *crowd.xy.T, crowd.height_m]
            noted.append(np.column_stack(rows))
    table = np.concatenate(noted)
    numbers = table[:, :2].astype(np.int64)
    return Trajectories(rate_fps, numbers[:, 0], numbers[:, 1], table[:, 2:4], table[:, 4])


def _arrive(place: Place, crowd: Crowd, plans: _Plans, due: NDArray[np.float64], now_s: float) -> None:
    for number, group in enumerate(place.groups):
        due[number] += group.rate_per_s(now_s) * STEP_S
        count = int(due[number])
        if not count:
            continue
        low, high = np.array(group.enters[:2]), np.array(group.enters[2:])
        spots = crowd.random.uniform(low, high, (count, 2))
        free = spots[crowd.free(spots)][:1]  # who finds no room comes a moment later
        due[number] -= len(free)
        crowd.enter(free, speed=group.speed_m_per_s)
        stay = group.stays or (0.0, 0.0, 0.0, 0.0)
        plans.add(number, crowd.random.uniform(stay[:2], stay[2:], (len(free), 2)))


def _goals(place: Place, crowd: Crowd, plans: _Plans, line: _Line | None, now_s: float) -> Metres:
    goal = plans.own.copy()
    for number, group in enumerate(place.groups):
        mine = plans.group == number
        if not mine.any() or group.stays:
            continue
        for stage, segment in enumerate(group.way):
            here = mine & (plans.stage == stage)
            if here.any():
                start, end = np.array(segment)
                goal[here] = nearest_on(crowd.xy[here], *_narrowed(start, end))
                plans.stage[here] += np.linalg.norm(goal[here] - crowd.xy[here], axis=1) < 0.35
    if line is not None:
        _queue_goals(line, crowd, plans, goal, now_s)
    return goal


def _narrowed(start: Metres, end: Metres) -> tuple[Metres, Metres]:
    """A segment without a quarter of a metre at both ends, so that nobody aims at a door post."""
    length = float(np.linalg.norm(end - start))
    inset = (end - start) / max(length, 1e-9) * min(0.25, length / 3)
    return start + inset, end - inset


def _queue_goals(line: _Line, crowd: Crowd, plans: _Plans, goal: Metres, now_s: float) -> None:
    served = np.isin(crowd.person, np.fromiter(line.served, np.int64, len(line.served)))
    waiting = (plans.group == line.queue.group) & ~served
    line.step(now_s, crowd, waiting)
    rank = {person: number for number, person in enumerate(line.order)}
    for row in np.flatnonzero(waiting):
        goal[row] = line.spot(rank.get(int(crowd.person[row]), len(line.order)))
        plans.stage[row] = 0


def _walls(place: Place, now_s: float) -> NDArray[np.float64]:
    walls = [*place.walls, *(door.wall for door in place.doors if now_s >= door.closes_s)]
    return np.array(walls, np.float64).reshape(-1, 2, 2)


def _drift(place: Place, crowd: Crowd) -> Metres:
    drift: Metres = np.zeros_like(crowd.xy)
    for escalator in place.escalators:
        x1, y1, x2, y2 = escalator.box
        x, y = crowd.xy.T
        drift[(x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)] = escalator.m_per_s
    return drift


def _leave(place: Place, crowd: Crowd, plans: _Plans) -> None:
    last = np.array([len(group.way) if not group.stays else 1 << 30 for group in place.groups])
    x1, y1, x2, y2 = place.floor
    x, y = crowd.xy.T
    outside = (x < x1 - 1) | (x > x2 + 1) | (y < y1 - 1) | (y > y2 + 1)
    staying = (plans.stage < last[plans.group]) & ~outside
    if not staying.all():
        crowd.keep(staying)
        plans.keep(staying)
