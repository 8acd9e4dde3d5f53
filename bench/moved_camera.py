"""How a camera that was moved is noticed, and how often one that was not is blamed.

`python -m bench.moved_camera FOLDER`, with the folder of SKYVEIL_EVAL_DATA. PETS09 (vtest, in a loop) and a generated
station, both at 768x576, are checked every five seconds of made time, with light that changes, noise of night, rain,
and the pulses of a codec; nobody is covered, so that people hide and imitate marks as in a crowd that no detector
finds. Then each view is shifted, turned and zoomed.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.measure import load, machine
from examples.simulated.film import Film, pictures
from examples.simulated.pinhole import Pinhole
from examples.simulated.places import station
from examples.simulated.walk import walked
from skyveil.app.calibrate import given_calibration
from skyveil.measure.calibrating import from_height
from skyveil.measure.calibration import Calibration
from skyveil.measure.points import points_of
from skyveil.measure.shifted import Steadiness
from skyveil.private.observe.view_check import EVERY_S, View, ViewCheck

Grey: TypeAlias = NDArray[np.uint8]
Weather: TypeAlias = Callable[[Grey, float], Grey]
"""A picture and its time, seconds, to what a camera makes of it."""
SIZE_WH = (768, 576)
SHRINK = 2
DAY_S = 86400.0
NOISE = np.random.default_rng(1).standard_normal((SIZE_WH[1] + 7, SIZE_WH[0] + 11), np.float32)
"""Of a sensor: cut out at another place each time."""
LEARNED_S, WATCHED_S = 45.0, 60.0


def pets(folder: Path) -> tuple[list[Grey], Calibration]:
    with av.open(str(folder / "vtest.avi")) as container:
        frames = [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in container.decode(video=0)]
    return frames, given_calibration(folder / "View_001.xml")


def generated() -> tuple[list[Grey], Calibration]:
    camera = Pinhole((0.0, 0.0), 6.0, 30.0, focal_px=700.0, width=SIZE_WH[0], height=SIZE_WH[1])
    crowd = walked(station(), seconds=40, rate_fps=5)
    frames = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in pictures(crowd, Film(camera))]
    calibration = from_height(size_wh=SIZE_WH, height_m=6.0, tilt_deg=30.0, focal_px=700.0)
    return [np.asarray(one, np.uint8) for one in frames[25:]], calibration


def coded(frames: list[Grey]) -> list[Grey]:
    """The same through x264 at CRF 38: blocks, and a pulse at each key frame."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = SIZE_WH[0], SIZE_WH[1], "yuv420p"
    codec.time_base = Fraction(1, 10)
    codec.options = {"crf": "38", "preset": "veryfast", "g": "20"}
    decoder = av.CodecContext.create("h264", "r")
    packets = [one for grey in frames for one in codec.encode(av.VideoFrame.from_ndarray(grey, format="gray"))]
    packets += codec.encode(None)
    shown = [one for packet in packets for one in decoder.decode(packet)] + decoder.decode(None)
    return [np.asarray(one.to_ndarray(format="yuv420p")[: SIZE_WH[1]], np.uint8) for one in shown]


def clear(grey: Grey, at_s: float) -> Grey:
    del at_s
    return grey


def day(grey: Grey, at_s: float) -> Grey:
    """Six hours from noon into night and back, in an hour of it a shadow that crosses, and clouds."""
    width = grey.shape[1]
    gain = 0.55 + 0.45 * np.cos(2 * np.pi * at_s / 21600) + 0.1 * np.sin(at_s / 40)
    edge = (at_s % 3600) / 3600 * width
    shadow = np.where(np.abs(np.arange(width) - edge) < width / 8, 0.5, 1.0)
    lit = np.asarray(grey * max(gain, 0.08) * shadow[None], np.float64)
    return noisy(lit, 2.0 + 4.0 * (gain < 0.4), at_s)


def night(grey: Grey, at_s: float) -> Grey:
    return noisy(grey * 0.12 + 10, 8.0, at_s)


def switched(grey: Grey, at_s: float) -> Grey:
    """Lights that go off and on every ten minutes, and lamps from the other side while they are off."""
    if at_s % 1200 < 600:
        return grey
    side = np.linspace(0.6, 0.08, grey.shape[1])[None]
    return noisy(grey * side, 5.0, at_s)


def rain(grey: Grey, at_s: float) -> Grey:
    random = np.random.default_rng(int(at_s * 10))
    drops = np.zeros(grey.shape, np.float32)
    for x, y in random.integers(0, SIZE_WH, (400, 2)).tolist():
        cv2.line(drops, (x, y), (x + 3, y + 25), 70.0, 1)
    return noisy(np.asarray(grey * 0.6 + 40 + drops, np.float64), 3.0, at_s)


def noisy(samples: NDArray[np.float64] | NDArray[np.float32], sigma: float, at_s: float) -> Grey:
    noise = NOISE[
        int(at_s * 10) % 7 : int(at_s * 10) % 7 + SIZE_WH[1], int(at_s * 3) % 11 : int(at_s * 3) % 11 + SIZE_WH[0]
    ]
    return np.asarray(np.clip(samples + sigma * noise, 0, 255), np.uint8)


def small(grey: Grey, shrink: int) -> Grey:
    size_wh = SIZE_WH[0] // shrink, SIZE_WH[1] // shrink
    return np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def checked(check: ViewCheck, grey: Grey, at_s: float) -> None:
    check.glance(small(grey, 16), at_s=at_s)
    if check.due(at_s):
        luma = small(grey, SHRINK)
        check.check(luma, np.ones(luma.shape, np.bool_), at_s=at_s)


def steady(calibration: Calibration) -> Steadiness:
    """A zone over the middle of the picture."""
    low, high = np.array(SIZE_WH) * 0.25, np.array(SIZE_WH) * (0.75, 0.9)
    zone = points_of([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    return Steadiness([zone], [], calibration, long_px=float(max(SIZE_WH)))


def times(seconds: float, step_s: float, count: int) -> Iterator[tuple[float, int]]:
    """Times, and which frame of the loop is seen; a prime step lets the pairs go on for long."""
    for index in range(int(seconds / step_s)):
        yield index * step_s, (index * 37) % count


def alarms(frames: list[Grey], calibration: Calibration, weather: Weather, seconds: float) -> str:
    check, blamed, unsure, shifts, cost_s, count = ViewCheck(steady(calibration), shrink=SHRINK), 0, 0, [0.0], 0.0, 0
    before = View.LEARNING
    for at_s, index in times(seconds, EVERY_S, len(frames)):
        grey = weather(frames[index], at_s)
        began_s = time.process_time()
        checked(check, grey, at_s)
        cost_s, count = cost_s + time.process_time() - began_s, count + 1
        blamed += before is not check.view and check.view in (View.MOVED, View.TURNING)
        unsure += not check.trusted
        before = check.view
        if check.shift_px is not None:
            shifts.append(check.shift_px)
    share = unsure * EVERY_S / seconds
    return (
        f"{blamed * DAY_S / seconds:.1f} false alarms a day, unknown {share:.1%} of the time; "
        f"shift {np.median(shifts):.2f} px (p99 {np.quantile(shifts, 0.99):.2f}); {cost_s / count * 1e3:.1f} ms a check"
    )


def moves() -> Iterator[tuple[str, NDArray[np.float64]]]:
    middle = SIZE_WH[0] / 2, SIZE_WH[1] / 2
    for px in (1, 2, 5, 10, 30, 60):
        yield f"shift {px} px", np.array([[1.0, 0.0, px * 0.8], [0.0, 1.0, px * 0.6]])
    for degrees in (0.5, 1.0, 2.0):
        yield f"turn {degrees} degrees", np.asarray(cv2.getRotationMatrix2D(middle, degrees, 1.0), np.float64)
    for zoom in (1.02, 1.05):
        yield f"zoom {zoom}", np.asarray(cv2.getRotationMatrix2D(middle, 0.0, zoom), np.float64)


def detected(frames: list[Grey], calibration: Calibration, motion: NDArray[np.float64], weather: Weather) -> str:
    judge = steady(calibration)
    check, told_s, found = ViewCheck(judge, shrink=SHRINK), None, []
    for at_s, index in times(LEARNED_S + WATCHED_S, 0.5, len(frames)):
        grey = weather(frames[index], at_s)
        if at_s >= LEARNED_S:
            wide = cv2.warpAffine(grey, motion, SIZE_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            grey = np.asarray(wide, np.uint8)
        checked(check, grey, at_s)
        if at_s >= LEARNED_S + 5 and check.shift_px is not None:
            found.append(check.shift_px)
        if at_s >= LEARNED_S and told_s is None and check.view is View.MOVED:
            told_s = at_s - LEARNED_S
    true = judge.judged(motion)
    seen = f"{np.median(found):.2f}" if found else "not measured"
    told = "not told" if told_s is None else f"told after {told_s:.0f} s"
    metres = f"places {true.m:.2f} m, areas {true.area:.0%} wrong"
    return f"{true.px:.2f} px, measured {seen}; {metres}; too far: {true.too_far}; {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("PETS09", "station"))
    parser.add_argument("--hours", type=float, default=6.0, help="made time of each run without a move")
    asked = parser.parse_args()
    print(f"{machine()}; load {load()}")
    scenes = {"PETS09": lambda: pets(asked.data / "video_pets09_s2l1"), "station": generated}
    for name in [asked.only] if asked.only else scenes:
        frames, calibration = scenes[name]()
        for weather in (clear, day, night, switched, rain):
            print(f"{name}, {weather.__name__}: {alarms(frames, calibration, weather, asked.hours * 3600)}", flush=True)
        print(f"{name}, codec: {alarms(coded(frames), calibration, clear, asked.hours * 3600)}", flush=True)
        for weather in (clear, night):
            for move, motion in moves():
                told = detected(frames, calibration, motion, weather)
                print(f"{name}, {weather.__name__}, {move}: {told}", flush=True)


if __name__ == "__main__":
    main()
