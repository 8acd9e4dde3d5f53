"""Every error that Skyveil raises on purpose. Core.

SkyveilError
├── InputRefused          the input can not be redacted, and nothing was written
├── OutputRefused         the output can not be written where it was asked for
├── SettingsRefused       a setting or argument is wrong
│   └── CalibrationRefused    the calibration of a camera can not be read, or does not fit its places
├── ModelMissing          weights are not on this machine: `skyveil models pull`
├── ModelCorrupt          weights are not the ones the manifest names
├── DetectorFailed        a network raised, hung, or answered for another frame
├── BoundaryViolated      a rule of the wall between raw and redacted was broken (a bug, never a user's fault)
├── WorkerFailed          the process that holds raw pixels died, hung or broke the protocol
├── OutputWrong           a written output did not pass its check and was deleted
├── RecordingMissing      a recording, export or hold is not there
├── MeasureRefused        a number contradicts itself, or geometry can not be solved from what was given
├── LoginRefused          an identity provider does not vouch for who wants to log in
├── StoreFailed           the database can not be opened or is damaged
└── CameraUnavailable     a live camera gives no picture now (in `core.health`, with its cause)

A message says what, where, what was expected and what to do; it holds no pixels, positions or credentials.
"""


class SkyveilError(Exception):
    """Base of all errors that Skyveil raises on purpose."""


class InputRefused(SkyveilError):
    """The input is missing, empty, not media, or of a kind that is not read."""


class OutputRefused(SkyveilError):
    """The output exists, is not writable, or two inputs claim it."""


class SettingsRefused(SkyveilError):
    """A setting or argument has a value that is not allowed."""


class CalibrationRefused(SettingsRefused):
    """The calibration of a camera can not be read, or does not fit its places."""


class ModelMissing(SkyveilError):
    """Weights that are needed are not on this machine."""


class ModelCorrupt(SkyveilError):
    """Weights do not have the hash that the manifest names, or do not load."""


class DetectorFailed(SkyveilError):
    """A detector raised, hung, or answered for a frame it was not asked about."""


class BoundaryViolated(SkyveilError):
    """Raw pixels were about to cross to the public side; always a bug."""


class WorkerFailed(SkyveilError):
    """The process that holds raw pixels died, hung or broke the protocol."""


class OutputWrong(SkyveilError):
    """A written output did not pass its own check."""


class StoreFailed(SkyveilError):
    """The database of accounts and audit entries can not be opened or is damaged."""


class LoginRefused(SkyveilError):
    """An identity provider does not vouch for who wants to log in, or can not be asked."""


class RecordingMissing(SkyveilError):
    """A recording, export or hold is not there: never made, past its retention, or damaged."""


class MeasureRefused(SkyveilError):
    """A number has no value, unit or error that fits, or geometry can not be solved from what was given."""
