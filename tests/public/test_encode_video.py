from fractions import Fraction
from itertools import pairwise

import av
import pytest

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.settings import Codec
from skyveil.core.time import MediaTime
from skyveil.private._pixels import plane_array
from skyveil.public.encode.header import EncodeSettings
from skyveil.public.encode.units import annex_b_units, without_banner
from skyveil.public.encode.video import VideoEncoder
from skyveil.public.types import RedactedFrame
from tests.public.moving import MS, encoded, info, picture, redacted, through_the_gate

EVERY: tuple[Codec, ...] = ("h264", "h265", "av1")
UNEVEN_MS = (0, 40, 41, 300, 301, 302, 900, 2000, 2033, 2034)


@pytest.mark.parametrize("codec", EVERY)
def test_times_of_a_variable_rate_come_out_exactly(codec: Codec) -> None:
    _, packets = encoded(UNEVEN_MS, info(), EncodeSettings(codec=codec, preset="veryfast"))
    assert sorted(packet.pts for packet in packets) == list(UNEVEN_MS)
    by_time = {packet.pts: packet.duration for packet in packets}
    gaps = [later - sooner for sooner, later in pairwise(UNEVEN_MS)]
    assert [by_time[ticks] for ticks in UNEVEN_MS] == [*gaps, gaps[-1]]


def test_a_picture_after_a_hole_in_time_is_not_as_long_as_the_hole() -> None:
    times = (0, 100, 200, 300, 2600, 2700)
    _, packets = encoded(times, info(rate=Fraction(10)), EncodeSettings(preset="ultrafast", low_latency=True))
    assert [packet.pts for packet in packets] == list(times)
    assert [packet.duration for packet in packets] == [100] * 6


@pytest.mark.parametrize("codec", EVERY)
def test_decoding_order_never_runs_ahead_of_showing(codec: Codec) -> None:
    _, packets = encoded(range(0, 2000, 40), info(), EncodeSettings(codec=codec))
    decoding = [packet.dts for packet in packets]
    assert decoding == sorted(set(decoding))
    assert all(packet.dts <= packet.pts for packet in packets)


def test_the_default_preset_reorders_frames() -> None:
    _, packets = encoded(range(0, 2000, 40), info(), EncodeSettings())
    shown = [packet.pts for packet in packets]
    assert shown != sorted(shown)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("preset", ["ultrafast", "fast"])
@pytest.mark.parametrize("codec", EVERY)
def test_the_shortest_streams_have_decoding_times_too(codec: Codec, preset: str, count: int) -> None:
    times = range(100, 100 + 40 * count, 40)
    _, packets = encoded(times, info(), EncodeSettings(codec=codec, preset=preset))
    decoding = [packet.dts for packet in packets]
    assert sorted(packet.pts for packet in packets) == list(times)
    assert decoding == sorted(set(decoding))
    assert all(-1000 <= packet.dts <= packet.pts for packet in packets)


@pytest.mark.parametrize("codec", EVERY)
def test_two_runs_give_equal_bytes(codec: Codec) -> None:
    settings = EncodeSettings(codec=codec, preset="veryfast")
    # not the smallest size: x265 reads memory that it never wrote when a picture is one row of its blocks high
    runs = [encoded(UNEVEN_MS, info(320, 192), settings) for _ in range(4)]
    assert runs == [runs[0]] * 4


def test_two_runs_of_a_live_stream_give_equal_bytes() -> None:
    settings = EncodeSettings(preset="ultrafast", low_latency=True)
    runs = [encoded(UNEVEN_MS, info(320, 192), settings) for _ in range(4)]
    assert runs == [runs[0]] * 4


@pytest.mark.parametrize("codec", EVERY)
def test_a_key_frame_comes_at_least_every_ten_seconds_of_media_time(codec: Codec) -> None:
    # one frame a second although the header promises 25: only the clock can ask for the key frame
    _, packets = encoded(range(0, 24_000, 1000), info(), EncodeSettings(codec=codec, preset="ultrafast"))
    keys = sorted(packet.pts for packet in packets if packet.keyframe)
    assert keys[0] == 0
    assert len(keys) >= 3
    assert all(later - sooner <= EncodeSettings().key_every_s * 1000 for sooner, later in pairwise(keys))


@pytest.mark.parametrize("codec", ["h265", "av1"])
def test_ten_bits_stay_ten_bits(codec: Codec) -> None:
    header, packets = encoded(
        (0, 40, 80), info(bit_depth=10), EncodeSettings(codec=codec, preset="veryfast"), "yuv420p10le"
    )
    assert header.stream.bit_depth == 10
    assert len(packets) == 3


@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "rgb24"])
def test_a_picture_of_another_format_than_the_stream_s_is_refused(pixel_format: str) -> None:
    frame = through_the_gate(picture(0, 96, 64, pixel_format), 0, MediaTime(0, MS))
    with pytest.raises(BoundaryViolated, match=f"frame 0 is not of this stream: {pixel_format}, not yuv420p"):
        VideoEncoder(EncodeSettings(), info()).encode(frame)


def test_full_range_samples_pass_unsqueezed() -> None:
    made = av.VideoFrame(96, 64, "yuv420p")
    made.color_range = 2
    for number, value in enumerate((250, 128, 128)):
        plane_array(made, number)[:] = value
    frame = through_the_gate(made, 0, MediaTime(0, MS))
    encoder = VideoEncoder(EncodeSettings(crf=10), info(full_range=True))
    packets = encoder.encode(frame) + encoder.end()
    shown = _decoded("h264", encoder.header.extradata, packets[0].data)
    assert shown.color_range == 2
    assert abs(int(plane_array(shown, 0)[60, 90]) - 250) <= 1
    assert abs(int(plane_array(shown, 0)[16, 16]) - 70) <= 1  # the covered box: indigo of the full range


def test_no_sei_and_no_banner_of_the_encoder_leave() -> None:
    header, packets = encoded(range(0, 400, 40), info(), EncodeSettings())
    everything = header.extradata + b"".join(packet.data for packet in packets)
    assert b"x264" not in everything
    assert 6 not in {unit[0] & 31 for packet in packets for unit in annex_b_units(packet.data)}


def test_h265_carries_no_banner_of_the_encoder() -> None:
    header, packets = encoded(range(0, 400, 40), info(), EncodeSettings(codec="h265", preset="ultrafast"))
    assert b"x265" not in header.extradata + b"".join(packet.data for packet in packets)


def test_a_packet_without_sei_is_left_as_it_is() -> None:
    data = b"\x00\x00\x00\x01\x65abc\x00\x00\x01\x41de"
    assert without_banner(data) is data


@pytest.mark.parametrize(
    ("codec", "preset"),
    [("h264", "7"), ("h264", "Fast"), ("h265", "p4"), ("av1", "14"), ("av1", "-1"), ("av1", "²")],
)
def test_a_wrong_preset_is_refused_before_anything_is_encoded(codec: Codec, preset: str) -> None:
    with pytest.raises(SettingsRefused, match="preset"):
        EncodeSettings(codec=codec, preset=preset)


@pytest.mark.parametrize(("codec", "crf"), [("h264", 0), ("h264", 52), ("h265", 52), ("av1", 64)])
def test_a_crf_outside_the_codec_is_refused(codec: Codec, crf: int) -> None:
    with pytest.raises(SettingsRefused, match="crf"):
        EncodeSettings(codec=codec, crf=crf)


@pytest.mark.parametrize("threads", [0, 65])
def test_a_wrong_number_of_threads_is_refused(threads: int) -> None:
    with pytest.raises(SettingsRefused, match="threads"):
        EncodeSettings(threads=threads)


def test_av1_takes_a_preset_of_its_own() -> None:
    _, packets = encoded((0, 40), info(), EncodeSettings(codec="av1", preset="12"))
    assert len(packets) == 2


@pytest.mark.parametrize("codec", ["h265", "av1"])
def test_a_size_that_the_encoder_does_not_take_is_refused(codec: Codec) -> None:
    with pytest.raises(SettingsRefused, match="2x2"):
        VideoEncoder(EncodeSettings(codec=codec), info(2, 2))


def test_the_smallest_picture_encodes_in_h264() -> None:
    _, packets = encoded((0, 40, 80), info(2, 2), EncodeSettings())
    assert sorted(packet.pts for packet in packets) == [0, 40, 80]


def test_only_a_redacted_frame_is_encoded() -> None:
    encoder = VideoEncoder(EncodeSettings(), info())
    for forged in (picture(0, 96, 64, "yuv420p"), object.__new__(RedactedFrame), None):
        with pytest.raises(BoundaryViolated):
            encoder.encode(forged)  # type: ignore[arg-type]  # the attack


def test_a_frame_of_another_stream_is_refused() -> None:
    encoder = VideoEncoder(EncodeSettings(), info())
    (other_size,) = redacted((0,), info(64, 64))
    (other_clock,) = redacted((0,), info(time_base=Fraction(1, 90_000)))
    for frame in (other_size, other_clock):
        with pytest.raises(BoundaryViolated, match="not of this stream"):
            encoder.encode(frame)


def test_time_that_does_not_go_forward_is_refused() -> None:
    encoder = VideoEncoder(EncodeSettings(), info())
    first, again = redacted((40, 40), info())
    encoder.encode(first)
    with pytest.raises(BoundaryViolated, match="ascend"):
        encoder.encode(again)


@pytest.mark.parametrize("rate", [None, Fraction(1, 3600), Fraction(90_000), Fraction(30_000, 1001)])
@pytest.mark.parametrize("codec", EVERY)
def test_an_odd_nominal_rate_changes_no_time(codec: Codec, rate: Fraction | None) -> None:
    _, packets = encoded((5, 38, 72), info(rate=rate), EncodeSettings(codec=codec, preset="ultrafast"))
    assert sorted(packet.pts for packet in packets) == [5, 38, 72]


def _decoded(codec: str, extradata: bytes, data: bytes) -> av.VideoFrame:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = extradata
    frames = decoder.decode(av.Packet(data)) + decoder.decode(None)
    (frame,) = frames
    return frame


def test_a_live_encoder_keeps_nothing_of_packets_that_left() -> None:
    # It kept the duration of each: 0.1 MB a minute, for ever.
    encoder = VideoEncoder(EncodeSettings(preset="ultrafast", low_latency=True), info())
    for frame in redacted([40 * n for n in range(60)], info()):
        assert len(encoder.encode(frame)) == 1
    assert len(encoder._clock._durations) <= 1
