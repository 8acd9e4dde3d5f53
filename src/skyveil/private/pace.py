"""How often a video is looked at, how finely, and how long a find is believed. Private side.

Every number was chosen by the sweeps of docs/design/engine.md, on scenes with labels: leaks first, then cover, then
cost.
"""

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from typing import Final, final

from skyveil.core.kinds import Kind
from skyveil.core.settings import Mode, RedactSettings
from skyveil.private.track.tracks import Holding

USUAL_FPS: Final = 25.0
_RING_BYTES: Final = 200_000_000
"""Raw frames that wait for hindsight may take this much memory: 64 frames of 1080p, 16 of 4K, 4 of 8K."""
_USUAL_PX: Final = 1440 * 1080
_SMALL_PX: Final = 768
"""Videos whose longer side is shorter are enlarged to it before faces are looked for."""
_MOST_PERSON_PX: Final = 1280
_GAP_LOOKS: Final = 3
"""So many looks may miss a track before it ends, however few pictures a second there are."""
_BELIEVED_LOOKS: Final = 2
"""Over so many looks a find is believed, however far apart they are."""
_MOST_TOLD_FPS: Final = 240.0
"""Recorders write files that say 1000 pictures a second: more than this says nothing until it is seen."""
_FIRST_FRAMES: Final = 8
_RATE_FRAMES: Final = 25
_OTHER: Final = 1.15
"""A rate that differs by less is the same: pictures of a file come by fits, and no number here is that exact."""
_APART_LOOKS: Final = 3
DUE: Final = 0.9
"""Share of the greatest age of looks at which the next one is due: frames come when they come."""
_CLOSE_S: Final = 0.45
"""Where looks at a live camera lie no further apart, the zone of a head is wide enough for its way between them: with
looks at every third frame of a plaza at 7 a second as many heads leaked, and a fifth less was covered; with looks at
every eighth half as many again leaked (docs/design/live.md)."""


@final
@dataclass(frozen=True, slots=True)
class Pace:
    """The plan for one video.

    look_every: frames from one look to the next in a calm scene; look_every_busy: while most of the picture moves.
    hindsight: frames that wait behind a look, so that what is found later can still cover them.
    person_long_px: longer side of what the person network is shown; person_least, face_least: scores from which a
    box counts; face_doubtful: from which a box keeps a face that was found before.
    """

    look_every: int
    look_every_busy: int
    follow_every: int
    hindsight: int
    person_long_px: int
    person_least: float
    face_least: float
    face_doubtful: float
    face_scale: float
    holding: Holding
    live: bool = False
    """Whether frames leave one by one as soon as hindsight allows, and not in the stretch between two looks."""


def live_pace(pace: Pace, *, hindsight: int, bodies: bool, most: int | None = None) -> Pace:
    """The same plan for a live camera that may wait `hindsight` frames, with looks at most `most` frames apart.

    A look every `hindsight` + 1 frames is the least that puts every frame between two looks before it leaves; what
    moved after the last look and has none behind it is not decided, and would be covered tile by tile.
    bodies: whether bodies are covered, and not only the zones of their heads.
    """
    every = min(pace.look_every, hindsight + 1, most or pace.look_every)
    around_body = pace.holding.around if bodies else 0
    return replace(
        pace,
        look_every=every,
        look_every_busy=min(every, pace.look_every_busy),
        hindsight=hindsight,
        holding=replace(pace.holding, around_body=around_body),
        live=True,
    )


@final
class Coming:
    """How pictures are found to come: what a file or a camera says of it may be anything.

    fps: pictures a second as they were told to come (25 when nothing sound was), until they are found to come
    otherwise: over the first 8, then over 25 at a time, the faster of the last two, since a pause is no slower rate.
    """

    def __init__(self, told_fps: float | None) -> None:
        self.fps = told_fps if told_fps and told_fps <= _MOST_TOLD_FPS else USUAL_FPS
        self._began_s: float | None = None
        self._count, self._wanted = 0, _FIRST_FRAMES
        self._found: deque[float] = deque(maxlen=2)
        self._looks: deque[tuple[int, float]] = deque(maxlen=_APART_LOOKS + 1)

    def picture(self, seconds: float) -> bool:
        """A picture of that media time has come; whether `fps` is another now."""
        if self._began_s is None:
            self._began_s = seconds
            return False
        self._count += 1
        if self._count < self._wanted or seconds <= self._began_s:
            return False
        self._found.append(self._count / (seconds - self._began_s))
        self._began_s, self._count, self._wanted = seconds, 0, _RATE_FRAMES
        before, fps = self.fps, max(self._found)
        if 1 / _OTHER <= fps / before <= _OTHER:
            return False
        self.fps = fps
        return True

    def look(self, index: int, seconds: float) -> None:
        """The picture of that index and media time is looked at."""
        self._looks.append((index, seconds))

    @property
    def apart(self) -> int:
        """The widest of the last three ways from look to look, in pictures; 0 before there are two looks."""
        return max((after - before for (before, _), (after, _) in pairwise(self._looks)), default=0)

    @property
    def apart_s(self) -> float:
        """The widest of the last three ways from look to look, in seconds of media time."""
        return max((after - before for (_, before), (_, after) in pairwise(self._looks)), default=0.0)


def as_it_comes(pace: Pace, fps: float, apart: int) -> Pace:
    """The plan of a live camera whose pictures are found to come so many a second, with looks so many pictures apart.

    A track that nobody finds again ends after as many seconds as at 25 a second, but not before it was missed at three
    looks, and is believed for two: a machine that is too slow looks at every twentieth picture. Below 25 a second the
    other numbers stay: with fewer frames before and after a find, or around each face, more that move leaked
    (docs/design/live.md).
    """
    usual, apart = pace.holding, max(apart, pace.look_every)
    gap = max(min(usual.gap, round(usual.gap * fps / USUAL_FPS)), _GAP_LOOKS * apart)
    before = max(usual.before, _BELIEVED_LOOKS * apart)
    around_body = usual.around_body if apart <= _CLOSE_S * fps else usual.around
    return replace(pace, holding=replace(usual, gap=gap, before=before, around_body=around_body))


def pace_for(mode: Mode, *, width: int, height: int, fps: float, max_look_age_s: float) -> Pace:
    """The plan for a video of this size and rate. Frame counts grow with rates above 25 fps; looks never lie further
    apart than `max_look_age_s`, whatever the rate."""
    faster = max(1.0, fps / USUAL_FPS)
    strict = mode == "strict"
    room = max(1, _RING_BYTES // (width * height * 3 // 2))
    most = max(1, min(int(fps * max_look_age_s), room // 2))
    look_every = min(most, round((3 if strict else 8) * faster))
    busy = min(look_every, round((2 if strict else 3) * faster))
    person = (640 if strict else 416) * min(max(1.0, sqrt(width * height / _USUAL_PX)), _MOST_PERSON_PX / 640)
    return Pace(
        look_every=look_every,
        look_every_busy=busy,
        follow_every=min(look_every, round(2 * faster)),
        hindsight=min(round(25 * faster), max(0, room - look_every)),
        person_long_px=round(person / 32) * 32,
        person_least=0.05 if strict else 0.10,
        face_least=0.08,
        face_doubtful=0.05,
        face_scale=min(2.0, max(1.0, _SMALL_PX / max(width, height))),
        holding=Holding(
            before=round(15 * faster),
            before_weak=round((7 if strict else 3) * faster),
            gap=round(25 * faster),
            around=round(faster),
            around_body=round(faster),
            growth=(0.01 if strict else 0.005) / faster,
            stride=0.1 / faster,
        ),
    )


@final
class Pacing:
    """The pace of one source, kept to how its frames are found to come."""

    def __init__(
        self,
        settings: RedactSettings,
        *,
        width: int,
        height: int,
        told_fps: float | None,
        hindsight: int | None,
        look_every: int | None,
    ) -> None:
        """hindsight, look_every: as of `VideoWatch`."""
        self._settings = settings
        self._width, self._height = width, height
        self._hindsight, self._look_every = hindsight, look_every
        self._coming = Coming(told_fps)
        self._plan = self.pace = self._planned()

    def picture(self, seconds: float) -> Pace:
        """The pace, once a frame of that media time has come."""
        if self._coming.picture(seconds):
            self._plan = self.pace = self._planned()
        return self.pace

    def look(self, index: int, seconds: float) -> Pace:
        """The pace, once it is known that the frame of that index and media time is looked at."""
        self._coming.look(index, seconds)
        if self._plan.live:
            self.pace = as_it_comes(self._plan, self._coming.fps, self._coming.apart)
        return self.pace

    @property
    def next_s(self) -> float:
        """Seconds from a look to the next one: as far apart as they may be, or lately were."""
        return max(self.pace.look_every / self._coming.fps, self._coming.apart_s)

    def _planned(self) -> Pace:
        settings, fps = self._settings, self._coming.fps
        age_s = settings.max_look_age_s
        pace = pace_for(settings.mode, width=self._width, height=self._height, fps=fps, max_look_age_s=age_s)
        if self._hindsight is None:
            return pace
        bodies = Kind.PERSON in settings.targets or settings.mount != "standard"
        return live_pace(pace, hindsight=self._hindsight, bodies=bodies, most=self._look_every)
