"""Tsai's cameras become ours."""

import numpy as np
import pytest

from skyveil.measure.points import points_of
from skyveil.measure.tsai import Tsai, from_tsai

CAMERA = Tsai(
    size_wh=(768, 576),
    focal=5.5,
    kappa1=5e-3,
    centre_px=(324.0, 283.0),
    sx=1.09,
    dpx=5.1e-3,
    dpy=4.65e-3,
    translation=(800.0, -3200.0, 35_000.0),
    rotation=(2.04, -0.89, -0.43),
)


def projected(world_mm: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """Where Tsai's own equations (1987, eq. 4 to 8) put a point; the distorted radius is found by iteration."""
    rx, ry, rz = CAMERA.rotation
    sa, ca, sb, cb, sg, cg = np.sin(rx), np.cos(rx), np.sin(ry), np.cos(ry), np.sin(rz), np.cos(rz)
    rotation = np.array(
        [
            [cb * cg, cg * sa * sb - ca * sg, sa * sg + ca * cg * sb],
            [cb * sg, sa * sb * sg + ca * cg, ca * sb * sg - cg * sa],
            [-sb, cb * sa, ca * cb],
        ]
    )
    x, y, z = rotation @ world_mm + CAMERA.translation
    xu, yu = CAMERA.focal * x / z, CAMERA.focal * y / z
    xd, yd = xu, yu
    for _ in range(200):
        factor = 1 + CAMERA.kappa1 * (xd * xd + yd * yd)
        xd, yd = xu / factor, yu / factor
    return CAMERA.sx * xd / CAMERA.dpx + CAMERA.centre_px[0], yd / CAMERA.dpy + CAMERA.centre_px[1]


@pytest.mark.parametrize("at", [(-7.0, -8.0), (-10.0, 0.0), (3.0, -4.0)])
@pytest.mark.parametrize("over_m", [0.0, 1.7])
def test_points_are_seen_where_tsai_says(at: tuple[float, float], over_m: float) -> None:
    calibration = from_tsai(CAMERA)
    expected = projected(np.array([*at, over_m]) * 1000)
    assert calibration.pixels_of(points_of([at]), height_m=over_m)[0] == pytest.approx(expected, abs=0.02)
    if not over_m:
        assert calibration.floor_of(points_of([expected]))[0] == pytest.approx(at, abs=0.002)
