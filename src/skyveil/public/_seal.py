"""The seal on what the gate made, and what every sealed thing refuses. Public side, importable by the gate only.

Types stop mistakes, the seal stops `# type: ignore` and `object.__new__`.
"""

from typing import ClassVar, Final, NoReturn, TypeVar, final

from skyveil.core.errors import BoundaryViolated


@final
class _Seal:
    __slots__ = ()


SEAL: Final = _Seal()


class Sealed:
    """What one door of the gate made: filled once, under the seal, and never changed, copied, pickled or subclassed.

    A class names its door: `class Alarm(Sealed, made_by="gate.release")`. It has slots only.
    """

    __slots__ = ("_seal",)

    _seal: _Seal
    made_by: ClassVar[str]

    def __init_subclass__(cls, *, made_by: str = "") -> None:
        """Refuse subclasses of sealed classes: they could add a field, or open one."""
        if cls.__bases__ != (Sealed,) or not made_by:
            raise BoundaryViolated(f"{cls.__bases__[0].__name__} can not be subclassed")
        cls.made_by = made_by

    def _fill(self, seal: _Seal, **fields: object) -> None:
        """Set the fields; BoundaryViolated for another seal than the gate's."""
        if seal is not SEAL:
            raise BoundaryViolated(f"{_with_article(type(self))} is made by {self.made_by} only")
        object.__setattr__(self, "_seal", seal)
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse every change."""
        raise BoundaryViolated(f"{type(self).__name__}.{name} can not be set")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse to lose a field."""
        raise BoundaryViolated(f"{type(self).__name__}.{name} can not be deleted")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickle and copy."""
        raise BoundaryViolated(f"{type(self).__name__} can not be pickled or copied")


_Thing = TypeVar("_Thing", bound=Sealed)


def made_by_gate(thing: object, kind: type[_Thing]) -> _Thing:
    """The thing itself when it is exactly of this kind and carries the seal; BoundaryViolated otherwise."""
    if type(thing) is not kind or getattr(thing, "_seal", None) is not SEAL:
        raise BoundaryViolated(f"expected {_with_article(kind)} from {kind.made_by}, got {type(thing).__name__}")
    return thing


def _with_article(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
