"""Draw ten seconds of a station square: generated people, one real face, one car with an invented plate.

    python examples/make_scene.py scene.mp4

Everything is generated except one face: the NASA portrait of Eileen Collins that ships with scikit-image as
`skimage.data.astronaut()`, a picture in the public domain. Drawn faces would prove nothing: a detector must find her.
The same arguments give the same scene.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Rgb: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Picture: TypeAlias = NDArray[np.uint8]
Canvas: TypeAlias = NDArray[np.float32]

WIDTH_PX, HEIGHT_PX, RATE_FPS = 1280, 720, 25
HORIZON_PX, VANISHING_PX = 230.0, 640.0
CAMERA_HEIGHT_M = 2.2
PHASES = 24
"""Pictures of one step cycle of a walker."""


@dataclass(frozen=True)
class Look:
    """How one generated person is dressed."""

    coat: Rgb
    trousers: Rgb
    skin: Rgb
    hair: Rgb


@dataclass(frozen=True)
class Walker:
    """Somebody crossing the square at one distance: feet at `feet_px` below the top of the picture."""

    look: Look
    feet_px: float
    start_px: float
    speed_m_per_s: float
    height_m: float
    real_face: bool = False


def pixels_per_metre(feet_px: float) -> float:
    """The scale of things that stand on the ground at this picture row."""
    return (feet_px - HORIZON_PX) / CAMERA_HEIGHT_M


# --- the empty square ---------------------------------------------------------------------------------------------


def empty_square() -> Picture:
    """The square without people, drawn at double size and shrunk, shape (720, 1280, 3)."""
    sheet = Image.fromarray(_sky_and_ground())
    draw = ImageDraw.Draw(sheet)
    _station(draw)
    _paving(draw)
    _road(draw)
    _lamps(draw)
    softened = sheet.filter(ImageFilter.GaussianBlur(0.8)).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS)
    return np.asarray(softened, np.uint8)


def _sky_and_ground() -> Picture:
    rows = np.arange(HEIGHT_PX * 2, dtype=np.float32)[:, None] / 2
    sky_top, sky_low = np.array([120, 160, 205], np.float32), np.array([226, 224, 214], np.float32)
    far, near = np.array([150, 146, 140], np.float32), np.array([176, 170, 160], np.float32)
    sky = sky_top + (sky_low - sky_top) * np.clip(rows / HORIZON_PX, 0, 1)
    ground = far + (near - far) * np.clip((rows - HORIZON_PX) / (HEIGHT_PX - HORIZON_PX), 0, 1)
    column = np.where(rows < HORIZON_PX, sky, ground)
    return np.repeat(column[:, None, :], WIDTH_PX * 2, axis=1).astype(np.uint8)


def _station(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 90, 1900, 520), fill=(188, 158, 124))
    draw.rectangle((0, 78, 1920, 104), fill=(146, 118, 92))
    draw.rectangle((0, 470, 1900, 530), fill=(128, 106, 88))
    draw.rectangle((1900, 250, 2560, 516), fill=(150, 152, 156))
    for left in range(1940, 2540, 100):
        for top in range(280, 470, 66):
            draw.rectangle((left, top, left + 62, top + 40), fill=(112, 128, 146))
    for left in range(60, 1860, 200):
        for inset, color in ((0, (96, 76, 62)), (12, (70, 84, 98))):
            draw.ellipse((left + inset, 260 + inset, left + 130 - inset, 390 - inset), fill=color)
            draw.rectangle((left + inset, 325, left + 130 - inset, 520), fill=color)
        for bar in (left + 44, left + 82):
            draw.line((bar, 280, bar, 524), fill=(96, 76, 62), width=5)
        draw.line((left + 12, 380, left + 118, 380), fill=(96, 76, 62), width=5)
    draw.rectangle((0, 518, 2560, 560), fill=(150, 146, 140))
    _sign(draw)


def _sign(draw: ImageDraw.ImageDraw) -> None:
    draw.rounded_rectangle((560, 128, 1290, 220), radius=10, fill=(34, 52, 84))
    paint = (244, 240, 226)
    for left in (700, 810, 920):
        draw.rounded_rectangle((left, 146, left + 100, 196), radius=10, fill=paint)
        for window in (left + 12, left + 56):
            draw.rectangle((window, 156, window + 32, 174), fill=(34, 52, 84))
    draw.polygon([(1030, 146), (1090, 146), (1136, 196), (1030, 196)], fill=paint)
    draw.rectangle((1044, 156, 1084, 174), fill=(34, 52, 84))
    draw.line((690, 206, 1150, 206), fill=paint, width=5)
    draw.ellipse((380, 116, 500, 236), fill=(244, 240, 230), outline=(34, 52, 84), width=10)
    draw.line((440, 176, 440, 134), fill=(30, 30, 34), width=7)
    draw.line((440, 176, 472, 192), fill=(30, 30, 34), width=7)


def _paving(draw: ImageDraw.ImageDraw) -> None:
    joint = (158, 152, 143)
    for metres in range(-40, 41):
        draw.line((_on_ground(metres, 560), _on_ground(metres, 1500)), fill=joint, width=2)
    depth_m = 2.0
    while depth_m < 40:
        row = 2 * (HORIZON_PX + CAMERA_HEIGHT_M * 620 / depth_m)
        draw.line((0, row, WIDTH_PX * 2, row), fill=joint, width=2)
        depth_m += 1.0


def _on_ground(metres: float, row: float) -> Point:
    """A point of the double-size sheet: so many metres to the right of the vanishing line, at this sheet row."""
    return (VANISHING_PX * 2 + metres * (row - HORIZON_PX * 2) / CAMERA_HEIGHT_M, row)


def _road(draw: ImageDraw.ImageDraw) -> None:
    draw.polygon(
        [_on_ground(0.55, 540), _on_ground(0.55, 1500), _on_ground(7, 1500), _on_ground(7, 540)], (96, 97, 100)
    )
    draw.line((_on_ground(0.6, 540), _on_ground(0.6, 1500)), fill=(208, 204, 194), width=12)
    for start in (560, 640, 770, 980, 1250):
        draw.line((_on_ground(3.2, start), _on_ground(3.2, start * 1.07)), fill=(226, 224, 216), width=10)


def _lamps(draw: ImageDraw.ImageDraw) -> None:
    for metres, row, tall in ((-4.2, 700, 560), (-4.2, 600, 330), (7.4, 680, 520)):
        x = _on_ground(metres, row)[0]
        draw.line((x, row, x, row - tall), fill=(58, 62, 66), width=12)
        draw.ellipse(
            (x - 26, row - tall - 40, x + 26, row - tall + 12), fill=(250, 244, 214), outline=(58, 62, 66), width=6
        )


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


# --- people --------------------------------------------------------------------------------------------------------

FIGURE_PX = (560, 1000)
"""Size of the sheet that one walker is drawn on; the crown is at row 40, the soles at row 980."""
FIGURE_HEIGHT_PX = 470
"""From crown to soles in the finished picture, which has half the size of the sheet."""


def walking(look: Look, phase: float, *, head: Image.Image | None) -> Canvas:
    """One picture of a step cycle, `phase` in 0..1, walking to the right; RGBA float32."""
    sheet = Image.new("RGBA", FIGURE_PX)
    draw = ImageDraw.Draw(sheet)
    swing = math.sin(2 * math.pi * phase)
    dark = _shaded(look.coat, 0.72)
    _leg(draw, -swing, _shaded(look.trousers, 0.7), lift=max(0.0, -math.cos(2 * math.pi * phase)))
    _arm(draw, swing, dark, _shaded(look.skin, 0.8))
    _leg(draw, swing, look.trousers, lift=max(0.0, math.cos(2 * math.pi * phase)))
    draw.rectangle((258, 150, 302, 230), fill=_shaded(look.skin, 0.8))
    draw.polygon([(206, 208), (354, 208), (366, 330), (352, 590), (208, 590), (194, 330)], fill=look.coat)
    draw.ellipse((194, 186, 366, 260), fill=look.coat)
    draw.polygon([(258, 190), (302, 190), (280, 262)], fill=_shaded(look.coat, 1.5))
    draw.line((280, 262, 280, 590), fill=dark, width=4)
    _arm(draw, -swing, _shaded(look.coat, 0.9), look.skin)
    if head is None:
        _head(draw, look)
    else:
        sheet.alpha_composite(head, (280 - head.width // 2, 186 - head.height))
    return _lit(sheet)


def _leg(draw: ImageDraw.ImageDraw, swing: float, color: Rgb, *, lift: float) -> None:
    hip, knee = (280.0, 570.0), (280 + 52 * swing + 16 * lift, 770.0 - 12 * lift)
    foot = (280 + 120 * swing, 954.0 - 34 * lift)
    _limb(draw, hip, knee, 84, color)
    _limb(draw, knee, foot, 62, color)
    draw.ellipse((foot[0] - 38, foot[1] - 22, foot[0] + 66, foot[1] + 26), fill=(38, 34, 34))


def _arm(draw: ImageDraw.ImageDraw, swing: float, color: Rgb, skin: Rgb) -> None:
    shoulder, elbow = (280 - 6 * swing, 252.0), (280 + 66 * swing, 412.0)
    hand = (elbow[0] + 34 + 62 * swing, 556 - 24 * abs(swing))
    draw.ellipse((hand[0] - 26, hand[1] - 24, hand[0] + 26, hand[1] + 30), fill=skin)
    _limb(draw, shoulder, elbow, 62, color)
    _limb(draw, elbow, hand, 50, color)


def _limb(draw: ImageDraw.ImageDraw, start: Point, end: Point, thick: float, color: Rgb) -> None:
    draw.line((start, end), fill=color, width=int(thick))
    for x, y in (start, end):
        draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=color)


def _head(draw: ImageDraw.ImageDraw, look: Look) -> None:
    draw.ellipse((224, 38, 336, 168), fill=look.hair)
    draw.ellipse((232, 56, 328, 184), fill=look.skin)
    draw.chord((226, 38, 334, 140), 180, 360, fill=look.hair)
    shade = _shaded(look.skin, 0.55)
    for x in (259, 301):
        draw.line((x - 14, 104, x + 14, 104), fill=_shaded(look.hair, 0.8), width=6)
        draw.ellipse((x - 9, 112, x + 9, 124), fill=(240, 238, 234))
        draw.ellipse((x - 5, 112, x + 5, 124), fill=(40, 30, 26))
    draw.line((280, 116, 286, 142, 276, 144), fill=shade, width=5)
    draw.arc((260, 138, 302, 166), 20, 160, fill=(150, 70, 66), width=6)


def _shaded(color: Rgb, factor: float) -> Rgb:
    return (min(255, int(color[0] * factor)), min(255, int(color[1] * factor)), min(255, int(color[2] * factor)))


def _lit(sheet: Image.Image) -> Canvas:
    """The sheet at half its size, with light from the left and above, as float32 RGBA."""
    canvas = np.array(sheet.reduce(2), np.float32)
    height, width = canvas.shape[:2]
    across = np.linspace(1.1, 0.82, width, dtype=np.float32)[None, :, None]
    down = np.linspace(1.04, 0.9, height, dtype=np.float32)[:, None, None]
    canvas[..., :3] = np.clip(canvas[..., :3] * across * down, 0, 255)
    return canvas


# --- the one real face ---------------------------------------------------------------------------------------------

HEAD_OUTLINE: tuple[Point, ...] = (
    (172, 118), (158, 112), (153, 88), (153, 62), (164, 46), (182, 36), (204, 20), (228, 14), (256, 16), (280, 32),
    (296, 54), (301, 80), (300, 104), (290, 122), (276, 134), (268, 150), (262, 172), (258, 190), (186, 190),
    (185, 160), (178, 140),
)  # fmt: skip
BODY_OUTLINE: tuple[Point, ...] = (
    *HEAD_OUTLINE[:18], (272, 180), (298, 210), (305, 236), (330, 250), (352, 290), (362, 350), (420, 344), (462, 362),
    (490, 410), (504, 460), (511, 511), (24, 511), (20, 440), (26, 360), (40, 290), (66, 246), (112, 220), (114, 190),
    (128, 164), (150, 150), (184, 152), (178, 140),
)  # fmt: skip


def astronaut(outline: tuple[Point, ...], *, scale: float) -> Image.Image:
    """The portrait inside an outline, RGBA, cut to the outline's box."""
    pixels = skimage.data.astronaut()  # type: ignore[no-untyped-call]  # scikit-image types it only in part
    portrait = Image.fromarray(np.asarray(pixels, np.uint8)).convert("RGBA")
    mask = Image.new("L", portrait.size)
    ImageDraw.Draw(mask).polygon(list(outline), fill=255)
    portrait.putalpha(mask.filter(ImageFilter.MinFilter(5)).filter(ImageFilter.GaussianBlur(1.4)))
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    cut = portrait.crop((int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1))
    return cut.resize((int(cut.width * scale), int(cut.height * scale)), Image.Resampling.LANCZOS)


# --- the car -------------------------------------------------------------------------------------------------------

CAR_PX = (900, 760)
CAR_WIDTH_M = 1.8


def car(plate: str) -> Canvas:
    """A car seen from the front with this text on its plate; RGBA float32, wheels on the last row."""
    sheet = Image.new("RGBA", CAR_PX)
    draw = ImageDraw.Draw(sheet)
    body, glass, dark = (44, 96, 148), (52, 64, 76), (26, 28, 32)
    for left in (96, 664):
        draw.rounded_rectangle((left, 560, left + 140, 756), radius=30, fill=dark)
    draw.polygon([(250, 20), (650, 20), (760, 300), (140, 300)], fill=body)
    draw.polygon([(272, 48), (628, 48), (708, 286), (192, 286)], fill=glass)
    draw.polygon([(330, 48), (420, 48), (300, 286), (210, 286)], fill=(78, 92, 106))
    draw.rounded_rectangle((60, 280, 840, 690), radius=70, fill=body)
    draw.rounded_rectangle((80, 296, 820, 420), radius=50, fill=(62, 118, 172))
    for left in (92, 628):
        draw.ellipse((left, 400, left + 180, 500), fill=(244, 244, 232), outline=dark, width=8)
        draw.ellipse((left + 56, 420, left + 124, 482), fill=(255, 255, 250))
    draw.rounded_rectangle((290, 410, 610, 500), radius=18, fill=dark)
    for bar in range(300, 610, 30):
        draw.line((bar, 414, bar, 496), fill=(70, 74, 80), width=6)
    draw.rounded_rectangle((60, 620, 840, 700), radius=30, fill=dark)
    for left in (6, 834):
        draw.rounded_rectangle((left, 230, left + 60, 296), radius=18, fill=body)
    draw.rounded_rectangle((318, 530, 582, 596), radius=8, fill=(248, 248, 244), outline=dark, width=4)
    draw.rectangle((322, 534, 350, 592), fill=(20, 60, 160))
    draw.text((464, 563), plate, font=_font(50), fill=(16, 16, 18), anchor="mm")
    return _lit(sheet)


def invented_plate(random: np.random.Generator) -> str:
    """A plate text that no registry handed out."""
    letters = "".join(random.choice(list("ABCDEFGHKLMNPRSTUVWXYZ"), 2))
    return f"XQ {letters} {random.integers(100, 1000)}"


# --- the film ------------------------------------------------------------------------------------------------------


def put(
    onto: Canvas, sprite: Canvas, *, centre_px: float, feet_px: float, scale: float, mirrored: bool = False
) -> None:
    """Blend an RGBA sprite onto the canvas, its bottom centre at the point given, at a fraction of a pixel."""
    height, width = sprite.shape[:2]
    across = -scale if mirrored else scale
    matrix = np.array([[across, 0, centre_px - across * width / 2], [0, scale, feet_px - scale * height]], np.float32)
    if scale < 0.5:
        half = cv2.resize(sprite, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        put(
            onto, np.asarray(half, np.float32), centre_px=centre_px, feet_px=feet_px, scale=scale * 2, mirrored=mirrored
        )
        return
    left = max(0, int(centre_px - scale * width / 2) - 2)
    right = min(onto.shape[1], int(centre_px + scale * width / 2) + 3)
    top, bottom = max(0, int(feet_px - scale * height) - 2), min(onto.shape[0], int(feet_px) + 3)
    if left >= right or top >= bottom:
        return
    matrix[0, 2] -= left
    matrix[1, 2] -= top
    placed = cv2.warpAffine(sprite, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    alpha = placed[..., 3:] / 255
    part = onto[top:bottom, left:right]
    part += (placed[..., :3] - part) * alpha


def shadow(onto: Canvas, *, centre_px: float, feet_px: float, width_px: float) -> None:
    """Darken the ground under something."""
    reach = int(width_px)
    top, left = int(feet_px - reach * 0.16), int(centre_px - reach)
    rows, columns = np.mgrid[0 : max(3, int(reach * 0.32)), 0 : 2 * reach].astype(np.float32)
    away = ((columns - reach) / reach) ** 2 + ((rows - rows.max() / 2) / max(1.0, rows.max() / 2)) ** 2
    strength = np.clip(1 - away, 0, 1)[..., None] * 0.38
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + len(rows), HEIGHT_PX), min(left + 2 * reach, WIDTH_PX)
    if y0 < y1 and x0 < x1:
        onto[y0:y1, x0:x1] *= 1 - strength[y0 - top : y1 - top, x0 - left : x1 - left]


def walkers() -> list[Walker]:
    """Who crosses the square, the farthest first."""
    pale, tan, brown, dark = (236, 200, 176), (214, 168, 134), (150, 104, 76), (98, 66, 50)
    black, grey, fair = (30, 26, 26), (150, 148, 146), (176, 132, 78)
    return [
        Walker(Look((92, 104, 72), (58, 58, 66), brown, black), 352, 620, -0.9, 1.68),
        Walker(Look((170, 60, 60), (44, 48, 60), pale, fair), 372, -190, 1.1, 1.72),
        Walker(Look((60, 84, 130), (70, 66, 60), dark, black), 398, 660, -0.75, 1.80),
        Walker(Look((206, 176, 92), (52, 54, 70), tan, black), 430, -60, 0.55, 1.66),
        Walker(Look((76, 120, 118), (60, 56, 70), pale, fair), 470, 620, -0.8, 1.70, real_face=True),
        Walker(Look((120, 80, 128), (40, 42, 52), tan, grey), 520, 210, 0.32, 1.64),
        Walker(Look((66, 70, 80), (92, 84, 72), dark, black), 590, 730, -0.33, 1.82),
        Walker(Look((214, 96, 40), (214, 96, 40), pale, fair), 660, -270, 0.42, 1.70, real_face=True),
    ]


class Actor:
    """A walker with the pictures of their step cycle, each drawn when it is first needed."""

    def __init__(self, walker: Walker, head: Image.Image | None) -> None:
        self.walker = walker
        self._head = head
        self._drawn: dict[int, Canvas] = {}

    def at(self, phase: int) -> Canvas:
        """The picture of one phase of the cycle."""
        if phase not in self._drawn:
            self._drawn[phase] = walking(self.walker.look, phase / PHASES, head=self._head)
        return self._drawn[phase]


def frames(seconds: float, *, seed: int = 7) -> Iterator[Picture]:
    """The scene frame by frame, RGB (720, 1280, 3)."""
    random = np.random.default_rng(seed)
    square = empty_square().astype(np.float32)
    face = astronaut(HEAD_OUTLINE, scale=0.86)
    portrait = np.asarray(astronaut(BODY_OUTLINE, scale=1.0), np.float32)
    auto = car(invented_plate(random))
    people = [Actor(walker, face if walker.real_face else None) for walker in walkers()]
    noise = random.normal(0, 2.4, (8, HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)
    for index in range(int(seconds * RATE_FPS)):
        canvas = square.copy()
        time_s = index / RATE_FPS
        for actor in people:
            _put_walker(canvas, actor, time_s)
        _put_car(canvas, auto, time_s)
        put(canvas, portrait, centre_px=90 + 58 * time_s, feet_px=724, scale=0.56 + 0.006 * time_s)
        canvas += noise[random.integers(8)]
        yield np.clip(canvas, 0, 255).astype(np.uint8)


def _put_walker(canvas: Canvas, actor: Actor, time_s: float) -> None:
    walker = actor.walker
    scale_px = pixels_per_metre(walker.feet_px)
    x = walker.start_px + walker.speed_m_per_s * scale_px * time_s
    phase = int(time_s * abs(walker.speed_m_per_s) * 0.75 * PHASES) % PHASES
    shadow(canvas, centre_px=x + 6, feet_px=walker.feet_px, width_px=0.34 * scale_px)
    scale = walker.height_m * scale_px / FIGURE_HEIGHT_PX
    drawn = actor.at(phase)
    put(canvas, drawn, centre_px=x, feet_px=walker.feet_px, scale=scale, mirrored=walker.speed_m_per_s < 0)


def _put_car(canvas: Canvas, auto: Canvas, time_s: float) -> None:
    feet_px = HORIZON_PX + 2600 / (11.0 - 0.5 * time_s)
    scale_px = pixels_per_metre(feet_px)
    x = VANISHING_PX + 2.05 * scale_px
    shadow(canvas, centre_px=x, feet_px=feet_px, width_px=1.05 * scale_px)
    put(canvas, auto, centre_px=x, feet_px=feet_px, scale=CAR_WIDTH_M * scale_px / (CAR_PX[0] / 2))


def write_scene(path: Path, seconds: float) -> None:
    """Encode the scene as H.264 at a quality that keeps its noise."""
    with av.open(path, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", RATE_FPS, options={"preset": "veryfast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.time_base = Fraction(1, RATE_FPS)
        for picture in frames(seconds):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Write the scene where the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    write_scene(arguments.path, arguments.seconds)


if __name__ == "__main__":
    main()
