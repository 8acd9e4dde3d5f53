"""What alpha hides in a video stays hidden: it is laid on white, and what is opaque passes as before."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from skyveil.private._pixels import look
from skyveil.private.capture.orientation import Orientation
from skyveil.private.capture.shape import Shaper
from skyveil.private.capture.transparency import may_be_transparent
from tests.private.capture.clips import Clip, frames_of, planes_of, rgb

SIZE = (64, 48)
WHITE = (235, 128, 128)


def layered(alpha: NDArray[np.uint8] | int) -> av.VideoFrame:
    """A colourful rgba picture with `alpha`."""
    pixels = np.dstack([rgb(*SIZE), np.zeros(SIZE[::-1], np.uint8)])
    pixels[..., 3] = alpha
    return av.VideoFrame.from_ndarray(pixels, "rgba")


def half_clear() -> NDArray[np.uint8]:
    """Opaque above row 24, clear below."""
    alpha = np.zeros(SIZE[::-1], np.uint8)
    alpha[:24] = 255
    return alpha


def written(path: Path, codec: str, picture: av.VideoFrame, **options: str) -> Path:
    return Clip(path, codec, [picture], time_base=Fraction(1, 25), options=options).write()


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mov", "png", "rgba"),
        ("a.mov", "qtrle", "argb"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mkv", "ffv1", "yuva420p"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.avi", "utvideo", "gbrap"),
        ("a.nut", "rawvideo", "ya8"),
    ],
)
@pytest.mark.parametrize("ten_bit", [False, True])
def test_what_is_clear_comes_out_white(tmp_path: Path, name: str, codec: str, pixels: str, ten_bit: bool) -> None:
    options = {"profile": "4444"} if codec == "prores_ks" else {}
    path = written(tmp_path / name, codec, layered(half_clear()).reformat(format=pixels), **options)
    source, frames = frames_of(path, ten_bit=ten_bit)
    scale = 4 if source.info.stream.bit_depth == 10 else 1
    assert not frames[0].damaged
    for index, (plane, white) in enumerate(zip(look(frames[0]), WHITE, strict=True)):
        clear = plane[30 // (1 + (index > 0)) :].astype(float) / scale
        assert np.abs(clear - (255 if pixels == "ya8" and not index else white)).max() < 1
    assert np.std(look(frames[0])[0][:20]) > 20 * scale


def test_a_palette_hides_as_well(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (256, 4), np.uint8)
    colours[:, 0] = np.where(np.arange(256) < 100, 255, 0)  # alpha, red, green, blue
    numbers = np.random.default_rng(2).integers(100, 256, SIZE[::-1], np.uint8)
    numbers[:24] %= 100
    picture = av.VideoFrame.from_ndarray((numbers, colours), "pal8")  # type: ignore[arg-type]  # takes a pair as well
    _, frames = frames_of(written(tmp_path / "a.mov", "png", picture))
    luma = look(frames[0])[0]
    assert (luma[30:] == WHITE[0]).all()
    assert np.std(luma[:20]) > 20


@pytest.mark.parametrize("pixels", ["rgba", "yuva420p", "gbrap", "ya8", "yuva444p10le"])
def test_opaque_pictures_pass_as_they_did_without_alpha(pixels: str) -> None:
    picture = layered(255).reformat(format=pixels)
    without = picture.reformat(
        format={"rgba": "rgb24", "gbrap": "gbrp", "ya8": "gray"}.get(pixels, pixels[:3] + pixels[4:])
    )
    shaped = [Shaper(each, Orientation(), ten_bit=False).shaped(each) for each in (picture, without)]
    assert all(np.array_equal(a, b) for a, b in zip(planes_of(shaped[0]), planes_of(shaped[1]), strict=True))


def test_half_transparent_is_half_white_and_nobody_writes_into_the_decoders_picture() -> None:
    picture = layered(128).reformat(format="gbrap")
    before = planes_of(picture)
    luma = planes_of(Shaper(picture, Orientation(), ten_bit=False).shaped(picture))[0]
    opaque = layered(255)
    expected = planes_of(Shaper(opaque, Orientation(), ten_bit=False).shaped(opaque))[0]
    assert np.abs(luma - (expected / 2 + WHITE[0] / 2)).max() <= 2
    assert all(np.array_equal(a, b) for a, b in zip(planes_of(picture), before, strict=True))


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", "yuv422p10le", "nv12", "rgb24", "bgr0", "gray", "gbrp"])
def test_what_has_no_alpha_is_not_looked_at_for_it(pixels: str) -> None:
    assert not may_be_transparent(pixels)
