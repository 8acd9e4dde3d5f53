"""The real command line, with the worker of `tests.app.stand_in`: run as `python -m tests.cli.stand_in redact ...`.

SKYVEIL_TEST_SILENT_S shortens the watchdog; it means nothing outside this module.
"""

import os
import sys
from functools import partial
from pathlib import Path

from skyveil.app import batch, models
from skyveil.cli.main import main
from skyveil.core.settings import RedactSettings


def _no_networks(_: RedactSettings, *, verify: bool) -> dict[str, Path]:
    return {}


if __name__ == "__main__":
    command = (sys.executable, "-P", "-m", "tests.app.stand_in")
    silent_s = float(os.environ.get("SKYVEIL_TEST_SILENT_S", "60"))
    setattr(batch, "Options", partial(batch.Options, command=command, silent_s=silent_s))  # noqa: B010
    setattr(models, "ensure_for", _no_networks)  # noqa: B010
    main()
