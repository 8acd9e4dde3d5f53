"""Hours in which what is not red waits. Public side."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import final
from zoneinfo import ZoneInfo

from skyveil.core.errors import SettingsRefused


@final
@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, over midnight where the second is the earlier one."""

    start: time
    end: time
    zone: ZoneInfo

    def __post_init__(self) -> None:
        """Raise SettingsRefused for hours without a length."""
        if self.start == self.end:
            raise SettingsRefused("quiet hours begin and end at different times")

    def holds(self, at_s: float) -> bool:
        """Whether a unix time lies in these hours."""
        now = datetime.fromtimestamp(at_s, self.zone).time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end
