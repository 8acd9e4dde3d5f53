"""What a camera says of its clock in RTCP sender reports (RFC 3550, 6.4.1). Private side: bytes from a stranger."""

import struct
from typing import Final

_SENDER_REPORT: Final = 200
_TO_UNIX_S: Final = 2_208_988_800
"""From 1900, where NTP begins, to 1970 (RFC 868)."""
_ERA_S: Final = 1 << 32
"""Where the count begins anew, in February 2036; what is said after it is taken for no clock."""
_LEAST_UNIX_S: Final = 946_684_800
"""The year 2000. A camera without a clock may send zero, or the time since it was switched on (RFC 3550, 4)."""


def sender_time_s(data: bytes) -> float | None:
    """Unix time on the camera's clock when it sent `data`; None when no report is in it, or it has no clock.

    `data` is a compound of packets; those that are no report are passed over, and what is cut off is not read.
    """
    at = 0
    while len(data) >= at + 4 and data[at] >> 6 == 2:
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] == _SENDER_REPORT and len(data) >= max(end, at + 28):
            seconds, fraction = struct.unpack_from(">II", data, at + 8)
            unix_s = seconds - _TO_UNIX_S + fraction / _ERA_S
            return unix_s if unix_s >= _LEAST_UNIX_S else None
        at = end
    return None
