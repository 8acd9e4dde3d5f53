"""Redact one file from Python, persons and plates included, and tell how it went.

python examples/redact_file.py holiday.mp4 covered.mp4
"""

import sys

import skyveil
from skyveil.core.errors import SkyveilError
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings


def main(source: str, target: str) -> int:
    """Redact `source` into `target`; the exit code is that of the command line."""
    settings = RedactSettings(targets=frozenset(Kind), mode="strict")
    try:
        done = skyveil.redact_file(source, target, settings=settings)
    except SkyveilError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{done.path}: {done.frames} frames; what was done stands in {done.result}")
    return 3 if done.damaged else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/redact_file.py INPUT OUTPUT")
    sys.exit(main(sys.argv[1], sys.argv[2]))
