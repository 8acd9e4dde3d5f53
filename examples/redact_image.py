"""Redact a picture that is already in memory, as an array.

python examples/redact_image.py group.jpg covered.png
"""

import sys

import numpy as np
from PIL import Image, ImageOps

import skyveil


def main(source: str, target: str) -> None:
    """Read `source`, redact the array, and write `target`, which holds pixels and nothing else."""
    with Image.open(source) as file:
        upright = ImageOps.exif_transpose(file).convert("RGB")
    redacted = skyveil.redact_image(np.asarray(upright, np.uint8))
    Image.fromarray(redacted).save(target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/redact_image.py INPUT OUTPUT")
    main(sys.argv[1], sys.argv[2])
