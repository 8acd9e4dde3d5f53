"""A calibration as the text of a file, and back. Measure."""

import json
from dataclasses import replace
from typing import Final

import numpy as np

from skyveil.core.errors import MeasureRefused
from skyveil.measure.calibration import Calibration, Fit
from skyveil.measure.lens import Lens

FORMAT: Final = "skyveil-calibration-1"


def calibration_text(calibration: Calibration) -> str:
    """The calibration as JSON, ending with a newline. It holds numbers of the camera and nothing of the picture."""
    lens, fit = calibration.lens, calibration.fit
    value = {
        "format": FORMAT,
        "size_wh": list(calibration.size_wh),
        "floor": np.asarray(calibration.floor).tolist(),
        "floor_errors": calibration.floor_errors.tolist(),
        "camera_m": list(calibration.camera_m),
        "head_m": calibration.head_m,
        "lens": None
        if lens is None
        else {
            "focal_px": list(lens.focal_px),
            "centre_px": list(lens.centre_px),
            "coefficients": list(lens.coefficients),
        },
        "fit": {
            "points": fit.points,
            "rms_px": fit.rms_px,
            "rms_m": fit.rms_m,
            "left_out_m": fit.left_out_m,
            "area_sigma": fit.area_sigma,
        },
    }
    return json.dumps(value, indent=2) + "\n"


def calibration_from(text: str, *, size_wh: tuple[int, int] | None = None) -> Calibration:
    """The calibration that a text holds; raises MeasureRefused when it is none, or not of pictures of this shape.

    A picture of another size but the same shape is the same view: pixels are scaled.
    """
    try:
        value = json.loads(text)
        if value["format"] != FORMAT:
            raise MeasureRefused(f"this is no calibration of the format {FORMAT}: make one with `skyveil calibrate`")
        lens = value["lens"]
        calibration = Calibration(
            _pair(value["size_wh"]),
            np.array(value["floor"], np.float64),
            (float(value["camera_m"][0]), float(value["camera_m"][1]), float(value["camera_m"][2])),
            None if lens is None else _lens(lens["focal_px"], lens["centre_px"], lens["coefficients"]),
            _fit(value["fit"]),
            float(value["head_m"]),
            # Older files have none.
            np.array(value.get("floor_errors", []), np.float64).reshape(-1, 3, 3),
        )
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise MeasureRefused("the calibration can not be read: make it again with `skyveil calibrate`") from error
    return calibration if size_wh is None else _scaled(calibration, size_wh)


def _pair(value: list[float]) -> tuple[int, int]:
    return int(value[0]), int(value[1])


def _lens(focal: list[float], centre: list[float], coefficients: list[float]) -> Lens:
    k1, k2, p1, p2, k3 = (float(one) for one in coefficients)
    return Lens((float(focal[0]), float(focal[1])), (float(centre[0]), float(centre[1])), (k1, k2, p1, p2, k3))


def _fit(value: dict[str, float | None]) -> Fit:
    return Fit(
        int(value["points"] or 0),
        value["rms_px"],
        value["rms_m"],
        value["left_out_m"],
        float(value["area_sigma"] or 0.0),
    )


def _scaled(calibration: Calibration, size_wh: tuple[int, int]) -> Calibration:
    (width, height), (to_width, to_height) = calibration.size_wh, size_wh
    x, y = to_width / width, to_height / height
    if abs(x / y - 1) > 0.02:
        raise MeasureRefused(
            f"the calibration is of pictures of {width}x{height}, not of {to_width}x{to_height}: calibrate again"
        )
    lens = calibration.lens
    if lens is not None:
        lens = Lens(
            (lens.focal_px[0] * x, lens.focal_px[1] * y),
            (lens.centre_px[0] * x, lens.centre_px[1] * y),
            lens.coefficients,
        )
    back = np.diag([1 / x, 1 / y, 1.0])
    return replace(
        calibration,
        size_wh=size_wh,
        floor=calibration.floor @ back,
        lens=lens,
        floor_errors=calibration.floor_errors @ back,
    )
