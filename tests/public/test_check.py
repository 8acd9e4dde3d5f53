import dataclasses
from array import array
from fractions import Fraction
from pathlib import Path

import pytest

from skyveil.core.errors import OutputWrong
from skyveil.core.stills import StillFormat
from skyveil.core.time import MediaTime
from skyveil.public.encode.header import EncodeSettings, StillImage, StreamHeader
from skyveil.public.encode.still import encode_still
from skyveil.public.record import writer as writing
from skyveil.public.record.check import Expected, check_media, check_still
from skyveil.public.record.output import OutputFile
from skyveil.public.record.writer import MediaWriter, write_still
from skyveil.public.types import RedactedPacket
from tests.public.moving import MS, encoded, info, picture, through_the_gate

TIMES = tuple(range(0, 2000, 40))


@pytest.fixture(scope="module")
def stream() -> tuple[StreamHeader, list[RedactedPacket]]:
    return encoded(TIMES, info(), EncodeSettings())


@pytest.fixture(params=[".mp4", ".mkv"])
def checked(
    request: pytest.FixtureRequest, tmp_path: Path, stream: tuple[StreamHeader, list[RedactedPacket]]
) -> tuple[Path, Expected]:
    """A good file, and what it was expected to hold."""
    path = tmp_path / f"a{request.param}"
    header, packets = stream
    with MediaWriter(path, header, audio=None, overwrite=False) as writer:
        for packet in packets:
            writer.write(packet)
        expected = writer._expected()
        writer.finish()
        writer.output.commit()
    return path, expected


def test_a_good_file_passes(checked: tuple[Path, Expected]) -> None:
    path, expected = checked
    assert check_media(str(path), expected).frames == len(TIMES)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pts": array("q", TIMES[:-1])}, "frames"),
        ({"pts": array("q", [*TIMES[:-1], TIMES[-1] + 2])}, "is at"),
        ({"content": b"\0" * 32}, "content"),
        ({"audio_packets": 1}, "streams"),
        ({"muxer": "avi"}, "can not be read back"),
    ],
)
def test_a_file_that_is_not_as_expected_is_wrong(
    checked: tuple[Path, Expected], change: dict[str, "array[int] | bytes | int | str"], complaint: str
) -> None:
    path, expected = checked
    with pytest.raises(OutputWrong, match=complaint):
        check_media(str(path), dataclasses.replace(expected, **change))  # type: ignore[arg-type]  # of mixed kinds


def test_a_picture_of_another_size_is_wrong(checked: tuple[Path, Expected]) -> None:
    path, expected = checked
    stream = dataclasses.replace(expected.header.stream, width=98)
    header = dataclasses.replace(expected.header, stream=stream)
    with pytest.raises(OutputWrong, match="size"):
        check_media(str(path), dataclasses.replace(expected, header=header))


def test_pixels_of_another_shape_are_wrong(checked: tuple[Path, Expected]) -> None:
    path, expected = checked
    stream = dataclasses.replace(expected.header.stream, sample_aspect=Fraction(16, 11))
    header = dataclasses.replace(expected.header, stream=stream)
    with pytest.raises(OutputWrong, match="as wide"):
        check_media(str(path), dataclasses.replace(expected, header=header))


def test_every_cut_of_the_file_is_wrong(checked: tuple[Path, Expected]) -> None:
    path, expected = checked
    data = path.read_bytes()
    for part in range(20):
        path.write_bytes(data[: len(data) * part // 20])
        with pytest.raises(OutputWrong):
            check_media(str(path), expected)


def test_every_changed_byte_of_a_picture_is_wrong(
    checked: tuple[Path, Expected], stream: tuple[StreamHeader, list[RedactedPacket]]
) -> None:
    path, expected = checked
    data = bytearray(path.read_bytes())
    for packet in stream[1][::7]:
        at = data.index(packet.data[-12:]) + 3
        data[at] ^= 1
        path.write_bytes(data)
        with pytest.raises(OutputWrong):
            check_media(str(path), expected)
        data[at] ^= 1


def test_a_wrong_output_is_deleted(
    tmp_path: Path, stream: tuple[StreamHeader, list[RedactedPacket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "note_content", lambda *_, **__: None)
    header, packets = stream
    with (
        pytest.raises(OutputWrong, match="content"),
        MediaWriter(tmp_path / "a.mp4", header, audio=None, overwrite=False) as writer,
    ):
        for packet in packets:
            writer.write(packet)
        writer.finish()
    assert list(tmp_path.iterdir()) == []


def test_frames_that_do_not_start_with_a_key_frame_are_wrong(
    tmp_path: Path, stream: tuple[StreamHeader, list[RedactedPacket]]
) -> None:
    header, packets = stream
    with (
        pytest.raises(OutputWrong, match="start with a key frame"),
        MediaWriter(tmp_path / "a.mp4", header, audio=None, overwrite=False) as writer,
    ):
        for packet in packets[1:]:
            writer.write(packet)
        writer.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff", "heic"])
def test_a_still_passes_and_a_cut_or_resized_one_does_not(tmp_path: Path, format: StillFormat) -> None:
    frame = through_the_gate(picture(0, 48, 32, "rgb24"), 0, MediaTime(0, MS))
    image = StillImage(format, 48, 32, encode_still(frame, format=format))
    path = tmp_path / "a"
    with OutputFile(path, overwrite=False) as output:
        assert write_still(output, image).size == len(image.data) == output.part.stat().st_size
        output.commit()
    for wrong in (dataclasses.replace(image, width=47), dataclasses.replace(image, data=image.data[:-1])):
        with pytest.raises(OutputWrong):
            check_still(str(path), wrong)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_a_large_still_is_checked_without_a_word_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: StillFormat
) -> None:
    frame = through_the_gate(picture(0, 48, 32, "rgb24"), 0, MediaTime(0, MS))
    image = StillImage(format, 48, 32, encode_still(frame, format=format))
    (tmp_path / "a").write_bytes(image.data)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 48 * 32 - 1)
    assert check_still(str(tmp_path / "a"), image).size == len(image.data)  # a warning is an error in tests


def test_the_length_is_that_of_the_media(checked: tuple[Path, Expected]) -> None:
    path, expected = checked
    assert check_media(str(path), expected).duration_s == float(Fraction(2000, 1000))
