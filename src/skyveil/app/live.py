"""What a camera process does with one picture after another. App, behind the wall."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from skyveil.app.cadence import Cadence
from skyveil.app.observing import Observing, ViewWatch
from skyveil.app.pipeline import Door
from skyveil.app.rulers import Rulers
from skyveil.core.camera import AskedRulers, CameraSpec, CrowdSpec, KnownView
from skyveil.core.density import Density
from skyveil.core.errors import BoundaryViolated
from skyveil.core.health import Cause
from skyveil.core.settings import Mask
from skyveil.core.stream import StreamInfo
from skyveil.gate.fill import make_fill
from skyveil.private.capture.live.connection import Dial
from skyveil.private.capture.live.given import Arrived, Given, LiveSource, Shape
from skyveil.private.capture.live.source import open_live
from skyveil.private.capture.live.timeline import TIME_BASE
from skyveil.private.detect.finds import Finds
from skyveil.private.regions import whole_frame
from skyveil.private.watch import Decided, VideoWatch
from skyveil.public.encode.header import EncodeSettings
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.types import RedactedFrame
from skyveil.public.wire import Message

if TYPE_CHECKING:
    from skyveil.app.density import HeadMaps

log: Final = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True)
class Left:
    """A frame that left: when its picture arrived and when it left (monotonic), and whether all of it was covered."""

    pts: int
    arrival_s: float
    left_s: float
    whole: bool


@final
class _Chain:
    """Watch, gate and encoder for pictures of one shape."""

    def __init__(self, spec: CameraSpec, finder: Finds, shape: Shape, tally: "Live") -> None:
        settings = replace(spec.settings, masks=_scaled(spec.settings.masks, shape))
        self.shape = shape
        self.encoder = VideoEncoder(
            EncodeSettings("h264", spec.preset, spec.crf, key_every_s=spec.key_every_s, low_latency=True),
            StreamInfo(
                width=shape.width,
                height=shape.height,
                time_base=TIME_BASE,
                average_rate=None if spec.max_fps is None else Fraction(spec.max_fps).limit_denominator(100),
                sample_aspect=shape.sample_aspect,
                bit_depth=8,
                full_range=shape.full_range,
                color=shape.color,
            ),
        )
        self.door = Door(make_fill(settings.fill), self.encoder, tally, settings)
        self.view = ViewWatch(spec, shape)
        self._finder, self._hindsight = finder, spec.hindsight
        self._masks = settings.masks
        self._spec = spec
        self._heads, self._rulers = tally.heads, tally.rulers
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything that was seen and measured, but not where the camera pointed; frames that waited never
        leave."""
        if self._heads is not None:
            self._heads.forget()
        self.observing = Observing(self._spec, self.shape, self.view, self._heads, self._rulers)
        self.watch = VideoWatch(
            self._finder,
            replace(self.door.settings, masks=self._masks),
            width=self.shape.width,
            height=self.shape.height,
            fps=None,
            hindsight=self._hindsight,
            observer=self.observing,
            # Who crosses a line is found 8 times a second or more, or crossings are lost.
            look_every=1 if self._spec.crowd is not None and self._spec.crowd.lines else None,
        )

    def mask(self, masks: tuple[Mask, ...]) -> None:
        self._masks = _scaled(masks, self.shape)
        self.watch.mask(self._masks)

    def measure(self, spec: CameraSpec) -> None:
        """Measure other places; under another calibration the view that is seen now is the calibrated one."""
        if _calibration(spec) == _calibration(self._spec):
            self.view.measure(spec)
        else:
            self.view = ViewWatch(spec, self.shape)
        self._spec = spec
        self.begin_anew()

    def trust_view(self, spec: CameraSpec) -> None:
        self._spec = spec
        self.view = ViewWatch(spec, self.shape)
        self.begin_anew()


@final
class Live:
    """Sees, covers and encodes the pictures of one camera. One thread owns it."""

    def __init__(
        self,
        spec: CameraSpec,
        finder: Finds,
        *,
        compiled: Path | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """compiled: the folder of networks that were compiled ahead; now: the clock, in seconds."""
        self._spec = spec
        self.heads = None if spec.density is None else _head_maps(spec.density, compiled)
        self.rulers = Rulers()
        self._finder = finder
        self._given = Given(spec)
        self._chain: _Chain | None = None
        self._source: LiveSource | None = None
        self._arrivals: dict[int, float] = {}
        self._left: list[Left] = []
        self._now = now
        # Without hindsight no picture waits for a look at another: the newest one leaves alone.
        self._cadence = Cadence(now, most=1 if spec.hindsight == 0 else sys.maxsize)
        self._left_out = 0
        self._dropped_before = 0
        self.trouble: Cause | None = None
        """Why whole pictures are covered, when it is not for lack of time."""

    def opened(self, dial: Dial) -> LiveSource:
        """Reach the camera; raises CameraUnavailable. What was seen before is forgotten: the scene may have changed."""
        self.rulers.forget()
        if self._source is not None:
            self._dropped_before += self._source.dropped
            self._source = None
        self._source = open_live(self._spec, self._given, dial)
        if self._chain is not None:
            self._chain.begin_anew()
            self._arrivals.clear()
        return self._source

    @property
    def clock_offset_s(self) -> float | None:
        """The camera's clock minus ours, where it tells its own."""
        return self._given.clock_offset_s

    @property
    def dropped(self) -> int:
        """Pictures that were not shown, of all connections."""
        return self._left_out + self._dropped_before + (0 if self._source is None else self._source.dropped)

    @property
    def late(self) -> int:
        """Those of them that were left out because a newer one was there."""
        return self.dropped - self._given.too_soon

    @property
    def beside(self) -> Cause:
        """What is to be said of a camera whose pictures come and are covered as they should."""
        cause = Cause.OK if self._chain is None else self._chain.view.cause
        return self.heads.cause if cause is Cause.OK and self.heads is not None else cause

    def mask(self, masks: tuple[Mask, ...]) -> None:
        """Cover these polygons (shares of the picture) from the next frame on."""
        self._spec = replace(self._spec, settings=replace(self._spec.settings, masks=masks))
        if self._chain is not None:
            self._chain.mask(masks)

    def measure(self, crowd: CrowdSpec | None) -> None:
        """Measure these places from the next frame on. What was seen is forgotten: how often is looked may change."""
        other = replace(self._spec, crowd=crowd)
        self._spec = other if _calibration(other) == _calibration(self._spec) else replace(other, view=KnownView())
        if self._chain is not None:
            self._chain.measure(self._spec)
            self._arrivals.clear()

    def trust_view(self) -> None:
        """Take the view that is seen now for the calibrated one: somebody has looked at it."""
        self._spec = replace(self._spec, view=KnownView())
        if self._chain is not None:
            self._chain.trust_view(self._spec)
            self._arrivals.clear()

    def measure_by_people(self, asked: AskedRulers | None) -> None:
        """Take people for rulers from now on until there is a camera; None: no more, and forget them."""
        if asked is None:
            self.rulers.drop()
        else:
            self.rulers.begin(asked)

    def seen(self, arrived: Arrived) -> Iterator[Message]:
        """Take a picture; gives the messages that are ready to leave."""
        chain = self._chain
        if chain is None or chain.shape != arrived.shape:
            if chain is not None:
                self._spec = replace(self._spec, view=chain.view.known)
            chain = self._chain = _Chain(self._spec, self._finder, arrived.shape, self)
            self._arrivals.clear()
            yield chain.encoder.header
        self._arrivals[arrived.raw.id.index] = arrived.arrival_s
        at_s = arrived.raw.time.seconds
        yield from chain.door.passed(self._decided(chain, arrived))
        if not arrived.newer:
            self._cadence.ended()
        yield from chain.observing.told(wall_s=time.time(), at_s=at_s)
        yield from chain.view.told()
        yield from self.rulers.told()

    def _decided(self, chain: _Chain, arrived: Arrived) -> Iterator[Decided]:
        """What the watch decides; a watch that fails decides nothing, and the picture is covered wholly."""
        raw = arrived.raw
        try:
            for decided in chain.watch.see(
                raw, newer=arrived.newer, room=self._cadence.room if arrived.behind else None
            ):
                chain.view.see(*decided)
                chain.observing.picture(decided[0])
                yield decided
        except BoundaryViolated:
            raise
        except Exception as error:
            # A detector may fail in any way that its libraries know. It never yields a clear picture.
            log.warning("the detector failed: %s", type(error).__name__)
            self.trouble = Cause.DETECTOR_FAILED
            chain.begin_anew()
            yield raw, whole_frame(raw.id)
        else:
            self.trouble = None

    def count(self, frame: RedactedFrame, *, damaged: bool) -> None:
        """Take a frame that passed the gate."""
        del damaged  # covered wholly, and counted as such
        for index in [one for one in self._arrivals if one < frame.id.index]:
            del self._arrivals[index]
            self._left_out += 1
        arrival_s = self._arrivals.pop(frame.id.index, self._now())
        self._left.append(Left(frame.time.ticks, arrival_s, self._now(), frame.whole))
        self._cadence.left()

    def left(self) -> list[Left]:
        """The frames that left since this was asked last."""
        left, self._left = self._left, []
        return left


def _head_maps(given: Density, compiled: Path | None) -> "HeadMaps":
    """The maps of a camera with a density network."""
    from skyveil.app.density import HeadMaps  # what few cameras have

    return HeadMaps(given, compiled=compiled)


def _calibration(spec: CameraSpec) -> str | None:
    return None if spec.crowd is None else spec.crowd.calibration


def _scaled(masks: tuple[Mask, ...], shape: Shape) -> tuple[Mask, ...]:
    """Masks in shares of the picture as masks in pixels."""
    return tuple(
        replace(mask, points=tuple((x * shape.width, y * shape.height) for x, y in mask.points)) for mask in masks
    )
