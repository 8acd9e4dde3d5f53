"""Packets as fragments: what a player is told of times, where pictures are missing too."""

import io
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from skyveil.core.errors import SettingsRefused
from skyveil.core.stream import StreamInfo
from skyveil.public.encode.header import EncodeSettings
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.live.fragments import Fragment, Fragmenter
from skyveil.public.types import RedactedPacket
from tests.public.moving import redacted

STEP = 9_000
INFO = StreamInfo(96, 64, Fraction(1, 90_000), Fraction(10), Fraction(1), 8, False, (1, 1, 1))


def encoded(times: list[int]) -> tuple[Fragmenter, list[RedactedPacket]]:
    """A fragmenter, and the packets of frames that are shown at these ticks; a key frame only at the start."""
    encoder = VideoEncoder(EncodeSettings(preset="ultrafast", key_every_s=1000.0, low_latency=True), INFO)
    packets = [packet for frame in redacted(times, INFO) for packet in encoder.encode(frame)]
    return Fragmenter(encoder.header), packets


def demuxed(fragmenter: Fragmenter, fragments: list[Fragment]) -> list[tuple[int, int, int]]:
    """Presentation time, decoding time and duration of every picture, as a demuxer reads them."""
    media = fragmenter.init + b"".join(one.data for one in fragments)
    with av.open(io.BytesIO(media), "r") as container:
        return [
            (packet.pts, packet.dts, packet.duration or 0)
            for packet in container.demux(container.streams.video[0])
            if packet.pts is not None and packet.dts is not None and packet.size
        ]


def test_regular_pictures_are_decoded_when_they_are_shown() -> None:
    times = [STEP * n for n in range(12)]
    fragmenter, packets = encoded(times)
    fragments = [fragmenter.fragment(packet) for packet in packets]
    assert demuxed(fragmenter, fragments)[1:] == [(at, at, STEP) for at in times[1:]]
    assert [one.keyframe for one in fragments] == [True] + [False] * 11


@pytest.mark.parametrize("hole", [2, 5, 30, 600])
def test_a_hole_never_moves_decoding_by_more_than_two_pictures(hole: int) -> None:
    # Chromium and the specification drop all that follows such a step until the next key frame.
    times = [STEP * n for n in (*range(8), *range(8 + hole, 16 + hole), *range(20 + 2 * hole, 200 + 2 * hole))]
    fragmenter, packets = encoded(times)
    found = demuxed(fragmenter, [fragmenter.fragment(packet) for packet in packets])
    assert [pts for pts, _, _ in found] == times
    for (_, before, duration), (pts, dts, _) in pairwise(found):
        assert before < dts <= min(pts, before + 2 * duration)
    if hole < 30:
        assert found[-1][0] == found[-1][1]


def test_the_picture_behind_a_hole_is_not_shown_as_long_as_the_hole() -> None:
    times = [STEP * n for n in (*range(8), *range(50, 58))]
    fragmenter, packets = encoded(times)
    assert {one.duration for one in map(fragmenter.fragment, packets[2:])} == {STEP}


def test_packets_of_another_clock_or_out_of_order_are_refused() -> None:
    fragmenter, packets = encoded([0, STEP])
    with pytest.raises(SettingsRefused):
        fragmenter.fragment(replace(packets[0], time_base=Fraction(1, 1000)))
    with pytest.raises(SettingsRefused):
        fragmenter.fragment(replace(packets[0], dts=5))
    with pytest.raises(SettingsRefused):
        fragmenter.fragment(replace(packets[0], pts=-1, dts=-1))
