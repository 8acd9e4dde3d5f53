"""Who may be told: each number and notice is made for one audience, and each place that tells has one. Public side."""

from enum import StrEnum
from typing import final


@final
class Audience(StrEnum):
    """Who may have a number or a notice, from the smallest circle to the widest."""

    CONTROL_ROOM = "control_room"
    """Who sees the redacted picture anyway: exact, at most 24 h, outside differential privacy."""
    STAFF = "staff"
    """The organisation: nothing under five, rounded to five."""
    PUBLIC = "public"
    """Everybody: with noise, within a budget."""

    def within(self, circle: "Audience") -> bool:
        """Whether everybody of this audience belongs to `circle` too, and so may read what is made for it."""
        order = tuple(Audience)
        return order.index(self) <= order.index(circle)
