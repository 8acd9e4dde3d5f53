import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.stills import StillFormat
from skyveil.core.time import MediaTime
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame
from tests.public.moving import CANARY, MS, picture, through_the_gate

EVERY: tuple[StillFormat, ...] = ("jpeg", "png", "webp", "tiff", "heic")
INDIGO = (64, 56, 160)


def still(width: int = 96, height: int = 64) -> RedactedFrame:
    return through_the_gate(picture(0, width, height, "rgb24"), 0, MediaTime(0, MS))


def opened(data: bytes, format: StillFormat) -> Image.Image:
    if format == "heic":
        return pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("format", EVERY)
def test_the_picture_comes_back_and_the_covered_box_is_indigo(format: StillFormat) -> None:
    frame = still()
    pixels = np.asarray(opened(encode_still(frame, format=format), format).convert("RGB"), np.int16)
    assert pixels.shape == (64, 96, 3)
    assert np.abs(pixels[9:23, 9:23] - np.array(INDIGO, np.int16)).max() <= 8
    assert np.abs(pixels[32:, 32:] - frame.picture.to_ndarray().astype(np.int16)[32:, 32:]).mean() <= 3


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_lossless_formats_lose_nothing(format: StillFormat) -> None:
    frame = still(33, 21)
    assert np.array_equal(np.asarray(opened(encode_still(frame, format=format), format)), frame.picture.to_ndarray())


@pytest.mark.parametrize("format", EVERY)
def test_a_still_holds_no_metadata(format: StillFormat) -> None:
    data = encode_still(still(), format=format)
    image = opened(data, format)
    assert not dict(image.getexif()) or format == "tiff"  # the tags of a TIFF are its format
    assert not image.info.get("icc_profile")
    for word in (CANARY.encode(), b"Pillow", b"Lavc", b"Exif", b"xmp", b"tIME", b"tEXt"):
        assert word not in data


@pytest.mark.parametrize("format", EVERY)
def test_two_runs_give_equal_bytes(format: StillFormat) -> None:
    assert encode_still(still(), format=format) == encode_still(still(), format=format)


@pytest.mark.parametrize("format", EVERY)
def test_one_pixel_is_a_picture(format: StillFormat) -> None:
    assert opened(encode_still(still(1, 1), format=format), format).size == (1, 1)


def test_jpeg_keeps_colour_in_full_resolution() -> None:
    image = opened(encode_still(still(), format="jpeg"), "jpeg")
    assert image.format == "JPEG"
    assert {component[1:3] for component in getattr(image, "layer", [])} == {(1, 1)}


@pytest.mark.parametrize("quality", [0, 101])
def test_a_wrong_quality_is_refused(quality: int) -> None:
    with pytest.raises(SettingsRefused, match="quality"):
        encode_still(still(), format="jpeg", quality=quality)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="gif"):
        encode_still(still(), format="gif")  # type: ignore[arg-type]  # the mistake


def test_a_size_that_the_format_does_not_hold_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="16385x1"):
        encode_still(still(16385, 1), format="webp")


def test_only_a_redacted_frame_in_rgb_becomes_a_still() -> None:
    with pytest.raises(BoundaryViolated):
        encode_still(picture(0, 8, 8, "rgb24"), format="png")  # type: ignore[arg-type]  # the attack
    with pytest.raises(BoundaryViolated, match="rgb24"):
        encode_still(through_the_gate(picture(0, 8, 8, "yuv420p"), 0, MediaTime(0, MS)), format="png")
