"""Samples of more than 8 bits: white is where the picture has it, in colour too, and nothing comes out near-black."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from skimage import data

from skyveil.core.errors import InputRefused
from skyveil.private._pixels import look
from skyveil.private.capture.source import open_media
from tests.private.capture.clips import CAMERA, frames_of, rgb

ORIENTATION = 0x0112
ASTRONAUT = np.asarray(data.astronaut(), np.uint8)[:300, 100:400]  # type: ignore[no-untyped-call]  # no types there
GREY = np.asarray(Image.fromarray(ASTRONAUT).convert("L"))


def shown(path: Path) -> NDArray[np.int64]:
    _, frames = frames_of(path)
    assert not frames[0].damaged
    return np.asarray(look(frames[0])[0], np.int64)


def deep_png(path: Path, samples: NDArray[np.uint16], **more: bytes) -> Path:
    """A PNG of 16 bits with 2 (grey and alpha), 3 or 4 samples a pixel, and other chunks by their names."""
    height, width, count = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = {"IHDR": struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[count], 0, 0, 0)}
    with io.BytesIO() as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in (chunks | more | {"IDAT": zlib.compress(rows), "IEND": b""}).items():
            PngImagePlugin.putchunk(file, name.encode(), content)
        path.write_bytes(file.getvalue())
    return path


def deep_tiff(path: Path, samples: NDArray[np.uint16], **more: int) -> Path:
    """An uncompressed TIFF of 16 bits, (h, w, 3 or 4), with the tags `planes`, `extra`, `tile`, `turn`, `photo`."""
    height, width, count = samples.shape
    apart, side = more.get("planes") == 2, more.get("tile", 0)
    if side:
        tiles = [samples[y : y + side, x : x + side] for y in range(0, height, side) for x in range(0, width, side)]
        parts = [tile.astype("<u2").tobytes() for tile in tiles]
    else:
        parts = [plane.astype("<u2").tobytes() for plane in (np.moveaxis(samples, 2, 0) if apart else [samples])]
    places = [8 + sum(map(len, parts[:index])) for index in range(len(parts))]
    tags = {256: [width], 257: [height], 258: [16] * count, 259: [1], 262: [more.get("photo", 2)], 277: [count]}
    tags |= {274: [more.get("turn", 1)], 284: [more.get("planes", 1)]}
    tags |= {338: [more["extra"]]} if "extra" in more else {}
    wide = {322: [side], 323: [side], 324: places, 325: [*map(len, parts)]}
    tags |= wide if side else {273: places, 278: [height], 279: [*map(len, parts)]}
    at = 8 + sum(map(len, parts))
    beyond, entries = at + 2 + 12 * len(tags) + 4, b""
    longer = b""
    for tag, numbers in sorted(tags.items()):
        value = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(value) > 4:
            value, longer = struct.pack("<I", beyond + len(longer)), longer + value
        entries += struct.pack("<HHI", tag, 4, len(numbers)) + value
    path.write_bytes(
        b"II*\0" + struct.pack("<I", at) + b"".join(parts) + struct.pack("<H", len(tags)) + entries + bytes(4) + longer
    )
    return path


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_of_any_depth_is_as_bright_as_it_is_at_eight_bits(tmp_path: Path, name: str, bits: int) -> None:
    deep = (GREY / 255 * ((1 << bits) - 1)).round().astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / name)
    assert np.abs(shown(tmp_path / name)[..., 0] - GREY).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif", "planes"])
def test_colours_of_any_depth_are_as_bright_as_they_are_at_eight_bits(tmp_path: Path, suffix: str, bits: int) -> None:
    deep = (ASTRONAUT / 255 * ((1 << bits) - 1)).round().astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        deep_png(path, deep)
    else:
        deep_tiff(path, deep, planes=2 if suffix == "planes" else 1)
    assert np.abs(shown(path) - ASTRONAUT).max() <= 1


@pytest.mark.parametrize(
    ("top", "white"), [(1.0, 1.0), (255.0, 255.0), (3.0, 3.0), (65535.0, 65535.0), (0.0157, 1 / 64)]
)
def test_one_bright_sample_darkens_no_floating_point(tmp_path: Path, top: float, white: float) -> None:
    deep = GREY.astype(np.float32) / 255 * np.float32(top)
    deep[150, 150], deep[0, 0], deep[0, 1] = 8 * top, np.nan, np.inf
    Image.fromarray(deep).save(tmp_path / "a.tif")
    pixels = shown(tmp_path / "a.tif")[..., 0]
    assert pixels[150, 150] == 255
    assert pixels[0, :2].tolist() == [0, 0]
    assert np.median(pixels) == pytest.approx(np.median(GREY) * top / white, rel=0.1)


def test_a_clock_drawn_at_full_white_darkens_no_ten_bits(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 4
    deep[5:15, 5:65] = 65535  # 0.7 % of the picture
    Image.fromarray(deep).save(tmp_path / "a.png")
    pixels = shown(tmp_path / "a.png")[..., 0]
    assert (pixels[5:15, 5:65] == 255).all()
    assert np.abs(pixels[20:] - GREY[20:]).max() <= 1


def test_integers_of_32_bits_have_a_white_of_their_own(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.int32) * 100_000).save(tmp_path / "a.tif")
    assert np.median(shown(tmp_path / "a.tif")[..., 0]) == pytest.approx(np.median(GREY), rel=0.1)


def test_deep_transparency_is_laid_on_white(tmp_path: Path) -> None:
    deep = np.full((20, 30, 4), (65535, 0, 32896, 65535), np.uint16)
    deep[:5, :, 3] = 0
    grey = deep[..., 2:]
    for path in (
        deep_png(tmp_path / "a.png", deep),
        deep_tiff(tmp_path / "a.tif", deep, extra=2),
        deep_tiff(tmp_path / "b.tif", deep * (deep[..., 3:] > 0), extra=1),
    ):
        assert (shown(path)[:5] == 255).all()
        assert (shown(path)[5:] == (255, 0, 128)).all()
    assert [*np.unique(shown(deep_png(tmp_path / "g.png", grey))[::5])] == [128, 255]
    assert (shown(deep_tiff(tmp_path / "c.tif", deep, extra=0)) == (255, 0, 128)).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_deep_colours_are_turned_upright(tmp_path: Path, turn: int) -> None:
    picture = rgb(40, 24)
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    Image.fromarray(picture).save(tmp_path / "shallow.png", exif=exif)
    deep_tiff(tmp_path / "a.tif", picture.astype(np.uint16) * 257, turn=turn)
    deep_png(tmp_path / "a.png", picture.astype(np.uint16) * 257, eXIf=exif.tobytes()[6:])
    assert np.array_equal(shown(tmp_path / "a.tif"), shown(tmp_path / "shallow.png"))
    assert np.array_equal(shown(tmp_path / "a.png"), shown(tmp_path / "shallow.png"))


def test_deep_tiles_are_read_when_they_are_bright_and_refused_when_nearly_black(tmp_path: Path) -> None:
    picture = ASTRONAUT[:256, :256].astype(np.uint16)
    assert np.abs(shown(deep_tiff(tmp_path / "a.tif", picture * 257, tile=64)) - ASTRONAUT[:256, :256]).max() <= 1
    with pytest.raises(InputRefused, match=r"^b\.tif has 16 bits a sample, of which only 8 can be read"):
        open_media(deep_tiff(tmp_path / "b.tif", picture * 16, tile=64), CAMERA)


def test_deep_inks_are_refused_where_planes_lie_apart_or_there_is_little_ink(tmp_path: Path) -> None:
    ink = np.dstack([255 - ASTRONAUT, np.zeros_like(GREY)]).astype(np.uint16)
    assert not frames_of(deep_tiff(tmp_path / "a.tif", ink * 257, photo=5))[1][0].damaged
    for name, samples, planes in (("b.tif", ink * 4, 1), ("c.tif", ink * 257, 2)):
        with pytest.raises(InputRefused, match="save it with 8 bits"):
            open_media(deep_tiff(tmp_path / name, samples, photo=5, planes=planes), CAMERA)
