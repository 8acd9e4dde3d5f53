"""JSON from a worker that nobody trusts, read field by field. Public side."""

import json
import math
import re
from fractions import Fraction
from typing import TypeAlias, final

from skyveil.core.errors import WorkerFailed

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@final
class Fields:
    """One JSON object read field by field; what is missing, left over or out of range raises WorkerFailed."""

    def __init__(self, value: Json) -> None:
        if not isinstance(value, dict):
            raise WorkerFailed("the worker sent JSON that is not an object")
        self._left = dict(value)

    @staticmethod
    def parse(body: bytes) -> "Fields":
        """The fields of a JSON body."""
        try:
            value: Json = json.loads(body, object_pairs_hook=_no_twins, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise WorkerFailed("the worker sent a body that is not JSON") from error
        return Fields(value)

    def end(self) -> None:
        """Refuse fields that nobody asked for."""
        if self._left:
            raise WorkerFailed(f"the worker sent {len(self._left)} unknown fields")

    def take(self, name: str) -> Json:
        """The value of a field, whatever it is."""
        if name not in self._left:
            raise WorkerFailed(f"the worker left out the field {name}")
        return self._left.pop(name)

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return integer(self.take(name), name, low, high)

    def number(self, name: str, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        return number(self.take(name), name, low, high)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise impossible(name)
        return value

    def text(self, name: str, pattern: re.Pattern[str]) -> str:
        """Text that the pattern matches from end to end."""
        return text(self.take(name), name, pattern)

    def items(self, name: str, limit: int) -> list[Json]:
        """A list of at most `limit` values."""
        return listed(self.take(name), name, limit)

    def ratio(self, name: str) -> Fraction:
        """A positive fraction, written as two whole numbers."""
        pair = [integer(part, name, 1, 2**31 - 1) for part in self.items(name, 2)]
        if len(pair) != 2:
            raise impossible(name)
        return Fraction(*pair)

    def ratio_or_none(self, name: str) -> Fraction | None:
        """A positive fraction, or null."""
        if self._left.get(name, 0) is None:
            del self._left[name]
            return None
        return self.ratio(name)


def impossible(name: str) -> WorkerFailed:
    """The error for a value out of its range or of another type."""
    return WorkerFailed(f"the worker sent an impossible value for {name}")


def integer(value: Json, name: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise impossible(name)
    return value


def number(value: Json, name: str, low: float, high: float) -> float:
    """A finite number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise impossible(name)
    if not low <= value <= high or not math.isfinite(value):
        raise impossible(name)
    return float(value)


def text(value: Json, name: str, pattern: re.Pattern[str]) -> str:
    """Text that the pattern matches from end to end."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise impossible(name)
    return value


def listed(value: Json, name: str, limit: int) -> list[Json]:
    """A list of at most `limit` values."""
    if not isinstance(value, list) or len(value) > limit:
        raise impossible(name)
    return value


def two(value: Json, name: str) -> tuple[Json, Json]:
    """A list of exactly two values."""
    pair = listed(value, name, 2)
    if len(pair) != 2:
        raise impossible(name)
    return pair[0], pair[1]


def _no_twins(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field appears twice")
    return fields


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no number")
