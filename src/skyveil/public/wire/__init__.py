"""The messages on the pipe between the worker and the writer. Public side.

They are the only thing that crosses the process wall. What only cameras say is in `cameras`.

A message is `length (4 bytes, big-endian, of all that follows) | version (1) | type (1) | body`. Packets and pictures
have a packed body, everything else one JSON object with a closed schema. Nothing is pickled.

The reader trusts nobody: the worker has parsed a file from a stranger. Whatever is not a message raises WorkerFailed.
"""

from skyveil.public.wire.messages import (
    Calibrated,
    Failed,
    Finished,
    Message,
    ModelUsed,
    Progress,
    Suspect,
    Suspects,
    Walled,
)
from skyveil.public.wire.pipe import WireReader, WireWriter

__all__ = [
    "Calibrated",
    "Failed",
    "Finished",
    "Message",
    "ModelUsed",
    "Progress",
    "Suspect",
    "Suspects",
    "Walled",
    "WireReader",
    "WireWriter",
]
