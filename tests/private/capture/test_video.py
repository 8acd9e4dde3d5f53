from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from skyveil.private._pixels import look, picture_format, take
from skyveil.private.capture.orientation import Orientation
from skyveil.private.capture.shape import Shaper
from skyveil.private.capture.source import open_media
from tests.private.capture.clips import CAMERA, MILLISECOND, Clip, frames_of, planes_of, same_planes, scene, ticks_of

ONE = 1 << 16


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mkv", "ffv1", {}),  # lossless, key frames only
        ("a.avi", "ffv1", {}),
        ("a.nut", "rawvideo", {}),
        ("a.mp4", "libx264", {"qp": "0", "bf": "2"}),  # lossless with reordering
        ("a.mkv", "libx264", {"qp": "0", "bf": "3"}),
        ("a.avi", "libx264", {"qp": "0", "bf": "2"}),  # no presentation times in the container
        ("a.ts", "libx264", {"qp": "0", "bf": "2"}),
        ("a.flv", "libx264", {"qp": "0", "bf": "2"}),
        ("a.webm", "libvpx-vp9", {"lossless": "1", "deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_every_container_gives_every_picture_exactly(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    pictures = [scene(index) for index in range(12)]
    source, frames = frames_of(
        Clip(tmp_path / name, codec, pictures, time_base=Fraction(1, 25), options=options).write()
    )
    assert [frame.id.index for frame in frames] == list(range(12))
    assert all(same_planes(frame, planes_of(picture)) for frame, picture in zip(frames, pictures, strict=True))
    seconds = [frame.time.seconds - frames[0].time.seconds for frame in frames]
    assert seconds == pytest.approx([index / 25 for index in range(12)], abs=0.001)
    assert not any(frame.damaged for frame in frames)
    assert not source.truncated
    assert source.gaps == ()


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "mjpeg", "libx265", "libvpx", "prores_ks"])
def test_lossy_codecs_give_every_frame(tmp_path: Path, codec: str) -> None:
    pixels = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}.get(codec, "yuv420p")
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    pictures = [scene(index, pixels=pixels) for index in range(8)]
    clip = Clip(tmp_path / "a.mkv", codec, pictures, options=options, time_base=Fraction(1, 25))
    _, frames = frames_of(clip.write())
    assert ticks_of(frames) == [index * 40 for index in range(8)]
    assert {picture_format(frame) for frame in frames} == {"yuv420p"}
    assert not any(frame.damaged for frame in frames)


def test_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 7, 40, 41, 500, 4_000, 4_033, 30_000]
    path = Clip(tmp_path / "a.mkv", frames=[scene(index) for index in range(8)], times=times).write()
    source, frames = frames_of(path)
    assert ticks_of(frames) == times
    assert source.info.stream.time_base == MILLISECOND
    assert source.gaps == ()


TURNS = [
    # a, b, c, d of the display matrix; numpy's way to the upright plane
    ((1, 0, 0, 1), lambda plane: plane),  # as it is
    ((0, 1, -1, 0), lambda plane: np.rot90(plane, -1)),  # a quarter clockwise, the usual phone
    ((-1, 0, 0, -1), lambda plane: np.rot90(plane, 2)),  # upside down
    ((0, -1, 1, 0), lambda plane: np.rot90(plane, 1)),  # a quarter counterclockwise
    ((-1, 0, 0, 1), np.fliplr),  # a mirror
    ((1, 0, 0, -1), np.flipud),
    ((0, 1, 1, 0), np.transpose),
    ((0, -1, -1, 0), lambda plane: np.rot90(np.transpose(plane), 2)),
]


@pytest.mark.parametrize(("matrix", "upright"), TURNS)
def test_display_rotation_is_applied_to_every_plane(tmp_path: Path, matrix: tuple[int, ...], upright: object) -> None:
    assert callable(upright)
    a, b, c, d = (ONE * number for number in matrix)
    picture = scene(3, 64, 48)
    path = Clip(
        tmp_path / "a.mp4",
        "libx264",
        [picture, scene(4, 64, 48)],
        options={"qp": "0"},
        matrix=[a, b, 0, c, d, 0, 0, 0, 1 << 30],
        aspect=Fraction(4, 3),
        time_base=Fraction(1, 25),
    ).write()
    source, frames = frames_of(path)
    assert same_planes(frames[0], [upright(plane) for plane in planes_of(picture)])
    sideways = matrix[0] == 0
    assert (source.info.stream.width, source.info.stream.height) == ((48, 64) if sideways else (64, 48))
    assert (frames[0].width, frames[0].height) == (source.info.stream.width, source.info.stream.height)
    assert source.info.stream.sample_aspect == (Fraction(3, 4) if sideways else Fraction(4, 3))


@pytest.mark.parametrize(("width", "height"), [(63, 47), (64, 47), (63, 48), (1, 1)])
def test_odd_sizes_are_padded_with_their_last_row_and_column(tmp_path: Path, width: int, height: int) -> None:
    picture = scene(1, width, height)
    source, frames = frames_of(Clip(tmp_path / "a.mkv", frames=[picture]).write())
    even = (width + width % 2, height + height % 2)
    assert (source.info.stream.width, source.info.stream.height) == even == (frames[0].width, frames[0].height)
    luma, *chroma = planes_of(picture)
    padded = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge").astype(np.uint8)
    assert same_planes(frames[0], [padded, *chroma])


def test_odd_and_rotated_pads_before_it_turns() -> None:
    picture = scene(1, 63, 47)
    shaper = Shaper(picture, Orientation(transposed=True, mirrored_x=True), ten_bit=False)
    luma, *chroma = planes_of(picture)
    padded = [np.pad(luma, ((0, 1), (0, 1)), mode="edge"), *chroma]
    assert (shaper.width, shaper.height) == (48, 64)
    upright = planes_of(shaper.shaped(picture))
    assert all(np.array_equal(a, np.rot90(b, -1)) for a, b in zip(upright, padded, strict=True))


@pytest.mark.parametrize(("ten_bit", "pixels", "depth"), [(True, "yuv420p10le", 10), (False, "yuv420p", 8)])
def test_ten_bits_stay_ten_when_asked_for(tmp_path: Path, ten_bit: bool, pixels: str, depth: int) -> None:
    picture = scene(2, pixels="yuv420p10le")
    source, frames = frames_of(Clip(tmp_path / "a.mkv", frames=[picture]).write(), ten_bit=ten_bit)
    assert picture_format(frames[0]) == pixels
    assert source.info.stream.bit_depth == depth
    for plane, original in zip(look(frames[0]), planes_of(picture), strict=True):
        expected = original if ten_bit else original / 4
        assert np.abs(plane.astype(np.float64) - expected).max() <= (0 if ten_bit else 1)


def test_ten_bits_are_not_invented(tmp_path: Path) -> None:
    source, frames = frames_of(Clip(tmp_path / "a.mkv").write(), ten_bit=True)
    assert source.info.stream.bit_depth == 8
    assert picture_format(frames[0]) == "yuv420p"


def test_full_range_is_told_and_kept(tmp_path: Path) -> None:
    picture = scene(2, pixels="yuvj420p")
    path = Clip(tmp_path / "a.mp4", "libx264", [picture], options={"qp": "0"}, full_range=True).write()
    source, frames = frames_of(path)
    assert source.info.stream.full_range
    assert picture_format(frames[0]) == "yuv420p"
    assert same_planes(frames[0], planes_of(picture))


@pytest.mark.parametrize("pixels", ["yuv444p", "yuv422p", "yuv411p"])
def test_other_chroma_keeps_luma_and_range(tmp_path: Path, pixels: str) -> None:
    picture = scene(2, pixels=pixels)
    source, frames = frames_of(Clip(tmp_path / "a.mkv", frames=[picture]).write())
    assert picture_format(frames[0]) == "yuv420p"
    assert not source.info.stream.full_range
    assert np.array_equal(look(frames[0])[0], planes_of(picture)[0])


def test_grey_is_full_range(tmp_path: Path) -> None:
    picture = scene(2, pixels="gray")
    source, frames = frames_of(Clip(tmp_path / "a.mkv", frames=[picture]).write())
    assert source.info.stream.full_range
    luma, blue, red = look(frames[0])
    assert np.array_equal(luma, planes_of(picture)[0])
    assert set(np.unique(blue)) == set(np.unique(red)) == {128}


def test_rgb_becomes_limited_bt709(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    picture = av.VideoFrame.from_ndarray(red, "rgb24").reformat(format="bgr0")
    source, frames = frames_of(Clip(tmp_path / "a.mkv", frames=[picture]).write())
    assert (source.info.stream.full_range, source.info.stream.color) == (False, (1, 1, 1))
    # ITU-R BT.709-6, 3: luma of pure red is 0.2126 of the range 16..235, its Cr the top of 16..240
    luma, blue, red_difference = (int(plane[10, 10]) for plane in look(frames[0]))
    assert (luma, blue, red_difference) == pytest.approx((63, 102, 240), abs=1)


def test_colour_labels_are_reported(tmp_path: Path) -> None:
    def label(stream: av.VideoStream) -> None:
        stream.color_primaries, stream.color_trc, stream.colorspace = 9, 14, 9

    source, frames = frames_of(Clip(tmp_path / "a.mkv", prepare=label).write())
    assert source.info.stream.color == (9, 14, 9)
    assert same_planes(frames[0], planes_of(scene(0)))


def test_interlaced_pictures_are_made_whole_one_for_one(tmp_path: Path) -> None:
    """Every second line of a moving bar is one field ahead: combs, which must be gone."""
    pictures = []
    for index in range(12):
        picture = scene(0, 128, 96)
        luma = planes_of(picture)[0]
        luma[:] = 40
        for field in (0, 1):
            left = 8 * index + 4 * field
            luma[field::2, left : left + 20] = 200
        av_luma = np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(96, picture.planes[0].line_size)
        av_luma[:, :128] = luma
        pictures.append(picture)
    options = {"x264-params": "tff=1:qp=10", "bf": "0"}
    clip = Clip(tmp_path / "a.mp4", "libx264", pictures, options=options, time_base=Fraction(1, 25))
    _, frames = frames_of(clip.write())
    assert len(frames) == 12
    steps = {later - earlier for earlier, later in zip(ticks_of(frames), ticks_of(frames)[1:], strict=False)}
    assert len(steps) == 1
    for frame in frames[2:-2]:
        luma = look(frame)[0].astype(int)
        combs = np.abs(luma[20:75] - (luma[19:74] + luma[21:76]) / 2) > 60
        assert combs.mean() < 0.005


@pytest.mark.parametrize("full", [True, False])
def test_interlaced_pictures_keep_their_range_and_labels(tmp_path: Path, full: bool) -> None:
    def label(stream: av.VideoStream) -> None:
        stream.color_primaries, stream.color_trc, stream.colorspace = 1, 1, 1

    pictures = [scene(5, 128, 96, "yuvj420p" if full else "yuv420p") for _ in range(6)]
    options = {"x264-params": "tff=1:qp=1", "bf": "0"}
    clip = Clip(tmp_path / "a.mp4", "libx264", pictures, options=options, full_range=full, prepare=label)
    clip.time_base = Fraction(1, 25)
    source, frames = frames_of(clip.write())
    assert (source.info.stream.full_range, source.info.stream.color) == (full, (1, 1, 1))
    middle = look(frames[3])[0].astype(int) - planes_of(pictures[0])[0]
    assert abs(np.median(middle)) <= 1


def test_everything_beside_the_first_video_is_dropped_and_listed(tmp_path: Path) -> None:
    clip = Clip(tmp_path / "a.mkv", "libx264", with_sound=True, with_second_video=True, with_chapters=True)
    source, frames = frames_of(clip.write())
    assert source.info.dropped == ("audio aac", "video stream 3", "chapters 1")
    assert len(frames) == 10


def test_subtitles_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        words = output.add_stream("ass")
        words.codec_context.extradata = b"[Script Info]\n"
        picture = scene(0)
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    source, frames = frames_of(path)
    assert source.info.dropped == ("subtitle ass",)
    assert len(frames) == 1


def test_a_change_of_size_is_scaled_to_the_first_size(tmp_path: Path) -> None:
    """Two MPEG transport streams in a row are one stream whose size changes."""
    for name, size in (("small.ts", (64, 48)), ("large.ts", (128, 96))):
        pictures = [scene(index, *size) for index in range(5)]
        Clip(tmp_path / name, "mpeg2video", pictures, time_base=Fraction(1, 25)).write()
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "small.ts").read_bytes() + (tmp_path / "large.ts").read_bytes())
    source, frames = frames_of(both)
    assert (
        {(frame.width, frame.height) for frame in frames}
        == {(source.info.stream.width, source.info.stream.height)}
        == {(64, 48)}
    )
    assert len(frames) == 10
    assert ticks_of(frames) == sorted(set(ticks_of(frames)))


def test_8k_video_comes_out(tmp_path: Path) -> None:
    picture = av.VideoFrame(7680, 4320, "yuv420p")
    source, frames = frames_of(Clip(tmp_path / "a.mkv", "rawvideo", [picture]).write())
    assert (source.info.stream.width, source.info.stream.height, len(frames)) == (7680, 4320, 1)


def test_no_side_data_rides_on_a_turned_picture(tmp_path: Path) -> None:
    path = Clip(tmp_path / "a.mp4", "libx264", [scene(0)], matrix=[0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30]).write()
    _, frames = frames_of(path)
    assert len(take(frames[0]).side_data) == 0


@pytest.mark.parametrize(
    "name", ["a b.mkv", "new\nline.mkv", "שלום.mkv", "-y.mkv", "http:x.mkv", "concat:a.mkv", "100%d.mkv"]
)
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    path = Clip(tmp_path / "plain.mkv").write().rename(tmp_path / name)
    assert len(frames_of(path)[1]) == 10


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = Clip(tmp_path / "a.mkv").write().rename(tmp_path / "a.jpg")
    assert frames_of(path)[0].info.kind == "video"


def test_frames_can_be_walked_once_and_closed_early(tmp_path: Path) -> None:
    source = open_media(Clip(tmp_path / "a.mkv").write(), CAMERA)
    walk = source.frames()
    assert next(walk).id.index == 0
    walk.close()  # type: ignore[attr-defined]  # a generator, promised as an iterator only
    source.close()


@pytest.mark.parametrize(("codec", "pixels"), [("qtrle", "rgb24"), ("cfhd", "yuv422p10le"), ("flashsv2", "bgr24")])
def test_decoders_that_tell_no_key_frames_give_whole_ones(tmp_path: Path, codec: str, pixels: str) -> None:
    name = "a.flv" if codec == "flashsv2" else "a.mov"
    pictures = [scene(index, 320, 192).reformat(format=pixels) for index in range(6)]
    source, frames = frames_of(Clip(tmp_path / name, codec, pictures, time_base=Fraction(1, 25)).write())
    assert [frame.damaged for frame in frames] == [False] * 6
    assert source.gaps == ()


def test_sound_that_is_longer_than_the_video_of_a_wmv_makes_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "a.wmv"
    with av.open(path, "w", format="asf") as container:
        video, sound = container.add_stream("wmv2", rate=25), container.add_stream("wmav2", rate=44_100)
        assert isinstance(video, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        sound.codec_context.layout, sound.codec_context.bit_rate = "stereo", 128_000
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for index in range(12):
            picture = scene(index)
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(video.encode(picture.reformat(96, 64, "yuv420p")))
        container.mux(video.encode(None))
        for start in range(0, 3 * 44_100, 4410):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 4410), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    source, frames = frames_of(path)
    assert (len(frames), source.truncated, source.gaps) == (12, False, ())
