"""The page to look at: what it shows is taken from the redacted file, and it needs nothing else."""

import base64
import io
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from skyveil.core.kinds import Kind
from skyveil.public.encode.header import EncodeSettings
from skyveil.public.record import report
from skyveil.public.record.report import SHEET_PICTURES, Entry, contact_sheet, curve_points, curve_top, render
from skyveil.public.record.report_page import Picture
from skyveil.public.record.result import FileSide, Result
from skyveil.public.wire import Finished, Suspect, Walled
from tests.public.moving import encoded, info, recorded

INDIGO = (64, 56, 160)


def clip(folder: Path, *, seconds: float, rate: int = 25) -> Path:
    """A redacted file; a key frame comes every ten seconds."""
    times = range(0, round(seconds * 1000), 1000 // rate)
    recorded(folder / "a.mp4", *encoded(times, info(96, 64, rate=Fraction(rate)), EncodeSettings(preset="ultrafast")))
    return folder / "a.mp4"


def result(shares: Sequence[float] = (0.02, 0.04)) -> Result:
    finished = Finished(50, 0, 0, 2.0, 25.0, tuple(shares), (), (), "f32", (), ())
    sides = FileSide("in.mp4", None, None), FileSide("a.mp4", "0" * 64, 1)
    return Result(*sides, {"mode": "balanced", "preset": None, "targets": ["face", "head"]}, finished, Walled((), ()))


@pytest.mark.parametrize("seconds", [1, 4, 15])
def test_a_short_file_has_a_whole_sheet_of_pictures(tmp_path: Path, seconds: int) -> None:
    times = [picture.time_s for picture in contact_sheet(clip(tmp_path, seconds=seconds))]
    wanted = [seconds * index / SHEET_PICTURES for index in range(SHEET_PICTURES)]
    assert len(times) == SHEET_PICTURES
    assert all(0 <= time - want <= 0.05 for time, want in zip(times, wanted, strict=True))


def test_a_long_file_is_shown_by_its_key_frames(tmp_path: Path) -> None:
    times = [picture.time_s for picture in contact_sheet(clip(tmp_path, seconds=64, rate=5))]
    assert times == sorted(set(times))
    assert len(times) == SHEET_PICTURES
    assert all(time % 10 < 0.5 for time in times)


def test_one_frame_is_one_picture_of_the_redacted_file(tmp_path: Path) -> None:
    recorded(tmp_path / "a.mp4", *encoded([0], info(96, 64), EncodeSettings(crf=5)))
    (picture,) = contact_sheet(tmp_path / "a.mp4")
    head, _, data = picture.address.partition(",")
    assert (picture.time_s, head) == (0.0, "data:image/jpeg;base64")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), np.int16)
    assert np.abs(pixels[12:20, 12:20] - np.array(INDIGO, np.int16)).max() <= 16


@pytest.mark.parametrize(("seconds", "rate", "made"), [(0.04, 25, 1), (64, 5, SHEET_PICTURES)])
def test_no_frame_is_made_a_picture_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, rate: int, made: int
) -> None:
    times: list[float | None] = []

    def noted(frame: av.VideoFrame) -> Picture:
        times.append(frame.time)
        return Picture(frame.time or 0.0, "")

    monkeypatch.setattr(report, "_picture", noted)
    contact_sheet(clip(tmp_path, seconds=seconds, rate=rate))
    assert len(times) == len(set(times)) == made


def test_what_is_no_video_has_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no media")
    assert contact_sheet(tmp_path / "a.mp4") == ()


@pytest.mark.parametrize(
    ("shares", "top"), [((), 0.05), ((0.0,), 0.05), ((0.05,), 0.05), ((0.02, 0.051), 0.1), ((0.3,), 0.5), ((1.0,), 1.0)]
)
def test_the_curve_is_as_high_as_its_highest_share_needs(shares: tuple[float, ...], top: float) -> None:
    assert curve_top(shares) == top


def test_the_curve_keeps_the_peak_of_every_part() -> None:
    shares = [0.0] * 6000
    shares[4321] = 0.5
    heights = [float(point.split(",")[1]) for point in curve_points(shares, top=0.5).split()]
    assert len(heights) == 600
    assert (min(heights), heights.count(0.0)) == (0.0, 1)


def test_the_page_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    page = render([Entry("in.mp4", result(), clip(tmp_path, seconds=1))])
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert set(re.findall(r'src="([^:"]*):', page)) == {"data"}
    assert "@import" not in page
    assert "0 to 5 %" in page
    assert "not set" in page
    assert "None" not in page


def test_suspects_are_told_by_time_and_box_and_names_are_only_text() -> None:
    suspect = Suspect(1.0, 1.5, (10, 20, 30, 40), Kind.FACE)
    page = render([Entry("<b>\n.mp4", result(), None, (suspect,)), Entry("b.mp4", None, note="was refused")])
    assert "10, 20, 30, 40" in page
    assert "1.00 s" in page
    assert "<b>" not in page
    assert "&lt;b&gt;\\x0a.mp4" in page
    assert "was refused" in page
    assert "<img" not in page
