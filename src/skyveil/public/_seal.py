"""The seal that turns painted planes into a RedactedFrame. Public side, importable by the gate only."""

from typing import Final, final


@final
class _Seal:
    __slots__ = ()


SEAL: Final = _Seal()
