"""The health of a camera as a notice: what a technician needs, and nothing that depends on people. Public side."""

import json
from dataclasses import dataclass
from typing import final

from skyveil.core.health import SENTENCES, CameraHealth
from skyveil.public.audience import Audience


@final
@dataclass(frozen=True, slots=True)
class HealthNotice:
    """How one camera is doing. Counters of pictures stay out: how many are covered wholly can hang on a scene."""

    health: CameraHealth

    @property
    def kind(self) -> str:
        """`health`."""
        return "health"

    @property
    def about(self) -> str:
        """The camera."""
        return self.health.camera

    @property
    def audience(self) -> Audience:
        """Technical staff."""
        return Audience.STAFF

    @property
    def kept(self) -> bool:
        """A state."""
        return True

    @property
    def at_s(self) -> float:
        """Since when it is so."""
        return self.health.since_s

    def body(self) -> str:
        """camera, state, cause and its sentence, since_s, fps, age_s, restarts and clock_offset_s."""
        one = self.health
        return json.dumps(
            {
                "camera": one.camera,
                "state": one.state,
                "cause": one.cause,
                "message": SENTENCES[one.cause],
                "since_s": round(one.since_s, 3),
                "fps": round(one.fps, 1),
                "age_s": None if one.age_s is None else round(one.age_s, 1),
                "restarts": one.restarts,
                "clock_offset_s": None if one.clock_offset_s is None else round(one.clock_offset_s, 1),
            }
        )
