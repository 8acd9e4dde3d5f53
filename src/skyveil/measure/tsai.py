"""Import of Tsai calibrations, as public data sets ship them. Measure."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from skyveil.core.errors import MeasureRefused
from skyveil.measure.calibration import HEAD_M, Calibration, Fit, seen_through
from skyveil.measure.lens import Lens


@final
@dataclass(frozen=True, slots=True)
class Tsai:
    """A camera as R. Y. Tsai (1987) describes it; lengths in millimetres, angles in radians.

    focal, kappa1 (1/mm2), centre_px, sx: the lens and the sampling; dpx, dpy: size of a pixel. translation, rotation:
    from the world to the camera, the rotation as Rz(rz) Ry(ry) Rx(rx).
    """

    size_wh: tuple[int, int]
    focal: float
    kappa1: float
    centre_px: tuple[float, float]
    sx: float
    dpx: float
    dpy: float
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float]


def from_tsai(tsai: Tsai, *, head_m: float = HEAD_M) -> Calibration:
    """The calibration that a Tsai camera is; world in metres, z up as its authors chose it.

    Raises MeasureRefused for a camera without a lens or a picture, or one that sees the floor edge on.
    """
    if min(tsai.focal, tsai.sx, tsai.dpx, tsai.dpy, *tsai.size_wh) <= 0:
        raise MeasureRefused("focal, sx, dpx, dpy, width and height of a Tsai camera are above 0")
    fx, fy = tsai.focal * tsai.sx / tsai.dpx, tsai.focal / tsai.dpy
    lens = Lens((fx, fy), tsai.centre_px, _bending(tsai, (fx, fy)))
    rotation = _rotation(*tsai.rotation)
    metres = np.array(tsai.translation)[:, None] / 1000
    projection = lens.matrix @ np.hstack([rotation, metres])
    return seen_through(
        projection, size_wh=tsai.size_wh, lens=lens, fit=Fit(0, None, None, None, area_sigma=0.02), head_m=head_m
    )


def _rotation(rx: float, ry: float, rz: float) -> NDArray[np.float64]:
    (sx, cx), (sy, cy), (sz, cz) = ((np.sin(angle), np.cos(angle)) for angle in (rx, ry, rz))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float64)


def _bending(tsai: Tsai, focal_px: tuple[float, float]) -> tuple[float, float, float, float, float]:
    """k1, k2 and k3 that bend as kappa1 straightens, r_straight = r_bent (1 + kappa1 r_bent^2), by least squares.

    Tsai gives the way back in closed form, OpenCV the way there; over the picture they agree to some hundredths of a
    pixel.
    """
    corner = np.abs(np.array([[0, 0], tsai.size_wh]) - tsai.centre_px).max(axis=0) / focal_px
    bent = np.linspace(0.02, 1, 50) * np.linalg.norm(corner)
    straight = bent * (1 + tsai.kappa1 * (bent * tsai.focal) ** 2)
    powers = np.stack([straight**3, straight**5, straight**7], axis=1)
    (k1, k2, k3), *_ = np.linalg.lstsq(powers, bent - straight, rcond=None)
    return float(k1), float(k2), 0.0, 0.0, float(k3)
