import io
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from skyveil.core.errors import InputRefused
from skyveil.private._pixels import look, picture_format
from skyveil.private.capture.source import Source, open_media
from tests.private.capture.clips import CAMERA, cut, frames_of, rgb

ORIENTATION = 0x0112


def pixels_of(path: Path) -> NDArray[np.uint8]:
    source, frames = frames_of(path)
    assert len(frames) == 1
    assert not frames[0].damaged
    assert picture_format(frames[0]) == "rgb24"
    assert (source.info.kind, source.info.stream.width, source.info.stream.height) == (
        "still",
        frames[0].width,
        frames[0].height,
    )
    return np.asarray(look(frames[0])[0], np.uint8)


@pytest.mark.parametrize(
    ("name", "written_as"), [("a.png", "png"), ("a.tif", "tiff"), ("a.webp", "webp"), ("a.bmp", "png")]
)
def test_lossless_pictures_come_out_exactly(tmp_path: Path, name: str, written_as: str) -> None:
    picture = rgb(37, 23)
    Image.fromarray(picture).save(tmp_path / name, lossless=True)
    assert np.array_equal(pixels_of(tmp_path / name), picture)
    assert frames_of(tmp_path / name)[0].info.still_format == written_as


@pytest.mark.parametrize("name", ["a.jpg", "a.heic"])
def test_lossy_pictures_come_out_closely(tmp_path: Path, name: str) -> None:
    picture = np.full((48, 64, 3), (200, 120, 40), np.uint8)
    if name == "a.heic":
        pillow_heif.from_pillow(Image.fromarray(picture)).save(tmp_path / name, quality=90)
    else:
        Image.fromarray(picture).save(tmp_path / name, quality=95)
    assert np.abs(pixels_of(tmp_path / name).astype(int) - picture).max() <= 4
    assert frames_of(tmp_path / name)[0].info.still_format == {"a.jpg": "jpeg", "a.heic": "heic"}[name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_listed(tmp_path: Path, orientation: int) -> None:
    picture = rgb(40, 24)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    upright = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, -1),
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(picture, 1),
    }
    assert np.array_equal(pixels_of(tmp_path / "a.png"), upright[orientation])
    assert "EXIF" in frames_of(tmp_path / "a.png")[0].info.dropped


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    assert pixels_of(tmp_path / "a.png").tolist() == [[[1, 2, 3]]]


def test_8k_is_a_picture(tmp_path: Path) -> None:
    Image.new("RGB", (7680, 4320), (9, 8, 7)).save(tmp_path / "a.png", compress_level=1)
    assert pixels_of(tmp_path / "a.png").shape == (4320, 7680, 3)


def test_more_pixels_than_memory_should_hold_are_refused_unread(tmp_path: Path) -> None:
    """A header that claims 100,000 x 100,000 pixels."""
    with io.BytesIO() as memory:
        Image.new("1", (8, 8)).save(memory, "PNG")
        data = bytearray(memory.getvalue())
    data[16:24] = (100_000).to_bytes(4) * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputRefused, match="million pixels"):
        open_media(tmp_path / "a.png", CAMERA)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    picture = np.zeros((2, 3, 4), np.uint8)
    picture[0] = (255, 0, 0, 255)
    picture[1] = (0, 0, 255, 0)
    Image.fromarray(picture).save(tmp_path / "a.png")
    pixels = pixels_of(tmp_path / "a.png")
    assert (pixels[0] == (255, 0, 0)).all()
    assert (pixels[1] == (255, 255, 255)).all()


MODES = [
    # mode, a value, what it is in 8-bit RGB
    ("L", 77, (77, 77, 77)),
    ("LA", (77, 255), (77, 77, 77)),
    ("1", 1, (255, 255, 255)),
    ("P", 0, (10, 20, 30)),
    ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
    ("I;16", 0x8000, (128, 128, 128)),
    ("I", 200, (200, 200, 200)),
    ("F", 0.5, (128, 128, 128)),
    ("RGBA", (4, 5, 6, 255), (4, 5, 6)),
    ("LAB", (0, 128, 128), (0, 0, 0)),
]


@pytest.mark.parametrize(("mode", "value", "expected"), MODES)
def test_every_mode_becomes_rgb(
    tmp_path: Path, mode: str, value: float | tuple[int, ...], expected: tuple[int, ...]
) -> None:
    image = Image.new(mode, (4, 4), value)
    if mode == "P":
        image.putpalette([10, 20, 30, *([0] * 765)])
    image.save(tmp_path / "a.tif")
    assert np.abs(pixels_of(tmp_path / "a.tif").astype(int) - expected).max() <= 1


def test_sixteen_bit_png_grey_is_scaled_and_not_cut(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert np.array_equal(pixels_of(tmp_path / "a.png")[..., 0], (grey / 257).round().astype(np.uint8))


def exchanged_profile() -> bytes:
    """The profile of sRGB, renamed, with its tags for the colours of red and green exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = profile.replace("sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be"))
    return renamed.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_colour_profile_is_converted_to_srgb(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (16, 16), (255, 0, 0)).save(tmp_path / name, icc_profile=exchanged_profile())
    assert np.abs(pixels_of(tmp_path / name)[8, 8].astype(int) - (0, 255, 0)).max() <= 3


def test_a_profile_under_transparency_is_converted_too(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(tmp_path / "a.png", icc_profile=exchanged_profile())
    assert np.abs(pixels_of(tmp_path / "a.png")[0, 0].astype(int) - (0, 255, 0)).max() <= 3


def test_a_profile_that_does_not_fit_is_ignored(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (200, 30, 30)).save(tmp_path / "a.png", icc_profile=b"no profile at all")
    assert pixels_of(tmp_path / "a.png")[0, 0].tolist() == [200, 30, 30]


@pytest.mark.parametrize(
    ("name", "word"),
    [("a.gif", "frames 2 to 3"), ("a.webp", "frames 2 to 3"), ("a.png", "frames 2 to 3"), ("a.tif", "pages 2 to 3")],
)
def test_only_the_first_of_several_pictures_comes_out(tmp_path: Path, name: str, word: str) -> None:
    first, *others = (Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (50, 150, 250))
    first.save(tmp_path / name, save_all=True, append_images=others, lossless=True)
    assert set(np.unique(pixels_of(tmp_path / name))) == {50}
    assert word in frames_of(tmp_path / name)[0].info.dropped


def test_a_second_page_is_listed(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), "red")
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    assert frames_of(tmp_path / "a.tif")[0].info.dropped == ("page 2",)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_a_cut_picture_is_black_damaged_and_of_its_displayed_size(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    if name == "a.jpg":
        Image.fromarray(noise).save(tmp_path / name, exif=exif)
    else:
        Image.fromarray(noise).save(tmp_path / name)
    source, frames = frames_of(cut(tmp_path / name, 0.5))
    assert source.truncated
    assert frames[0].damaged
    assert (frames[0].width, frames[0].height) == ((64, 96) if name == "a.jpg" else (96, 64))
    assert not look(frames[0])[0].any()


def test_a_picture_whose_size_is_not_known_is_refused(tmp_path: Path) -> None:
    Image.fromarray(rgb(64, 48)).save(tmp_path / "a.webp")
    with pytest.raises(InputRefused, match=r"^a\.webp is not a readable picture"):
        open_media(cut(tmp_path / "a.webp", 0.5), CAMERA)


def test_motion_jpeg_is_video_and_not_its_first_picture(tmp_path: Path) -> None:
    with io.BytesIO() as memory:
        Image.fromarray(rgb(64, 48)).save(memory, "JPEG")
        (tmp_path / "a.jpg").write_bytes(memory.getvalue() * 5)
    source: Source
    source, frames = frames_of(tmp_path / "a.jpg")
    assert (source.info.kind, len(frames)) == ("video", 5)


def test_a_picture_is_handed_out_once(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    source = open_media(tmp_path / "a.png", CAMERA)
    assert len(list(source.frames())) == 1
    assert list(source.frames()) == []
    source.close()
