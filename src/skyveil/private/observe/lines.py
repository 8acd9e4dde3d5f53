"""The crossings of one line over time. Private side."""

from collections import deque
from typing import Final, final

from skyveil.core.ids import PlaceId
from skyveil.measure.calibration import Calibration
from skyveil.measure.flow import flow, specific_flow
from skyveil.measure.measures import Measure
from skyveil.measure.places import SHOWN_LEAST, SHOWN_WHOLE, Line
from skyveil.measure.quantity import Quality, Quantity, measured, unknown
from skyveil.private.observe.crossings import Crossed, Crossings
from skyveil.private.observe.linker import GAP_S, Linked

FLOW_OVER_S: Final = 60.0
"""Flow is the mean of a minute: one of a second jumps between 0 and a crowd."""
LEAST_FPS: Final = 5.0
"""Below this rate people are lost between frames: 8 to 15 % at 5 fps, 0.3 % at 8 fps."""


@final
class LineWatch:
    """Watches one line. One thread owns it."""

    def __init__(self, line: Line, calibration: Calibration) -> None:
        self.id: PlaceId = line.id
        self._line = line
        self._shown = float(calibration.shows_heads(line.points_m).mean())
        self._crossings = Crossings(line)
        self._recent: deque[Crossed] = deque()
        self._span: list[Crossed] = []
        self._frames: deque[float] = deque(maxlen=64)
        self._began_s: float | None = None

    def take(self, linked: Linked, *, at_s: float) -> None:
        """Take the tracks of the frame at `at_s`."""
        if self._began_s is None or at_s - self._frames[-1] > GAP_S:
            self._began_s = at_s
            self._recent.clear()
            self._frames.clear()
        self._frames.append(at_s)
        crossed = self._crossings.update(linked, at_s=at_s)
        self._span += crossed
        self._recent += crossed

    def values(self, *, at_s: float, known: bool) -> dict[Measure, Quantity]:
        """What crossed since this was asked last; `known` says whether there was a picture at all.

        Where less than half of the line shows heads, who is placed beside it was not seen there, and nothing is known.
        """
        while self._recent and self._recent[0].at_s < at_s - FLOW_OVER_S:
            self._recent.popleft()
        span, self._span = self._span, []
        found: dict[Measure, Quantity] = {}
        for forward, crossed, per_s, per_m_s in (
            (True, Measure.CROSSED_FORWARD, Measure.FLOW_FORWARD, Measure.SPECIFIC_FLOW_FORWARD),
            (False, Measure.CROSSED_BACKWARD, Measure.FLOW_BACKWARD, Measure.SPECIFIC_FLOW_BACKWARD),
        ):
            if not known or self._began_s is None or self._shown < SHOWN_LEAST:
                found |= {one: unknown(one.unit) for one in (crossed, per_s, per_m_s)}
                continue
            good = self._fps() >= LEAST_FPS and self._shown >= SHOWN_WHOLE
            quality = Quality.GOOD if good else Quality.DEGRADED
            count = sum(one.forward is forward for one in span)
            through = flow(
                sum(one.forward is forward for one in self._recent),
                over_s=min(FLOW_OVER_S, max(at_s - self._began_s, 1.0)),
            )
            found[crossed] = _of(measured(float(count), crossed.unit), quality)
            found[per_s] = _of(through, quality)
            found[per_m_s] = _of(specific_flow(through, width_m=self._line.width_m), quality)
        return found

    def _fps(self) -> float:
        span_s = self._frames[-1] - self._frames[0]
        return (len(self._frames) - 1) / span_s if span_s > 0 else 0.0


def _of(quantity: Quantity, quality: Quality) -> Quantity:
    return Quantity(quantity.value, quantity.sigma, quantity.unit, quality, quantity.age_s)
