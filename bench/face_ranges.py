"""`python -m bench.face_ranges FOLDER...`: how far the numbers inside the face network reach.

Writes what lets it compute in 8 bits (`skyveil.private.detect.eight_bits`), over all pictures in folders of streets and
people. Repeat it when the network changes, and measure the leaks again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import openvino  # type: ignore[import-untyped]  # it ships stubs without py.typed
from PIL import Image, ImageOps

from skyveil.app.models import locate
from skyveil.core.manifest import CENTERFACE
from skyveil.private.detect.eight_bits import Numbers, sources
from skyveil.private.detect.networks import FACES
from skyveil.private.detect.view import letterboxed

SIZE_WH = (640, 384)
WRITTEN = Path(__file__).parents[1] / "src/skyveil/private/detect/centerface_ranges.json"


def reach(paths: list[Path]) -> dict[str, Numbers]:
    """The largest magnitude that each step's numbers have in any of the pictures: of all, or of each channel."""
    core = openvino.Core()
    path = locate(CENTERFACE)
    if path is None:
        raise SystemExit("centerface is not on this machine; run: skyveil models pull")
    whole = core.read_model(path.read_bytes())
    used = openvino.Model([whole.output(index) for index in FACES.outputs], whole.get_parameters(), "faces")
    network = openvino.preprocess.PrePostProcessor(used).build()  # folds constants, as for the network that looks
    network.reshape([1, 3, SIZE_WH[1], SIZE_WH[0]])
    given = {name: way for name, way in sources(network).items() if way[0].get_node().get_type_name() != "Parameter"}
    inner = openvino.Model([value for value, _ in given.values()], network.get_parameters(), "inner")
    request = core.compile_model(inner, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    most: dict[str, Numbers] = {}
    for path in paths:
        with Image.open(path) as picture:
            shown = ImageOps.contain(picture.convert("RGB"), SIZE_WH)
        pixels = letterboxed(np.asarray(shown, np.uint8), SIZE_WH)
        request.infer([pixels.transpose(2, 0, 1)[np.newaxis].astype(np.float32)])
        for (name, (_, by_channel)), tensor in zip(given.items(), request.output_tensors, strict=True):
            reached = np.abs(tensor.data).max(axis=(0, 2, 3) if by_channel else None, keepdims=not by_channel)
            most[name] = np.maximum(most.get(name, 0), reached.ravel()).astype(np.float32)
    return most


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    arguments = parser.parse_args()
    paths = sorted(
        path for folder in arguments.folders for path in folder.rglob("*") if path.suffix in {".jpg", ".png"}
    )
    rounded = {name: [float(f"{most:.3g}") for most in reached] for name, reached in reach(paths).items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in rounded.items())
    WRITTEN.write_text(f"{{\n{lines}\n}}\n")
    print(f"{len(paths)} pictures, {len(rounded)} steps: {WRITTEN}")


if __name__ == "__main__":
    main()
