"""How right a live camera is that people who walk by were rulers of.

`python -m bench.people_rulers FOLDER`, with the folder of SKYVEIL_EVAL_DATA. PETS09 S2L1 at the size of live looks, the
view of its Tsai calibration given, which is the truth as well. Looks are 2 s apart, not 10: the video is 80 s long, so
that people are in it more than once. From all boxes draws of 30 and of 60 are fitted.
"""

import argparse
import math
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.measure import load, machine
from skyveil.app.calibrate import given_calibration
from skyveil.app.models import ensure_for
from skyveil.app.rulers import PERSON_LEAST
from skyveil.core.errors import InputRefused
from skyveil.core.ids import SourceId
from skyveil.core.kinds import Kind
from skyveil.core.settings import RedactSettings
from skyveil.measure.calibration import Calibration
from skyveil.measure.points import points_of, polygon_area
from skyveil.measure.rulers import camera_of_boxes
from skyveil.private.capture.source import open_media
from skyveil.private.detect.finder import Finder
from skyveil.private.observe.ruler_people import RulerPeople
from skyveil.private.pace import USUAL_FPS, pace_for

EVERY_S, DRAWS = 2.0, 6
AREA_PX = points_of([[200, 260], [560, 260], [560, 480], [200, 480]])
"""Where people walk, in the picture of 768x576; heads there are 60 px above feet."""
HEADS_PX = 60.0


def people(video: Path) -> RulerPeople:
    """The people of the video, as a live camera collects them."""
    finder = Finder(ensure_for(RedactSettings(frozenset({Kind.PERSON})), verify=False), precision="f32", shapes="fixed")
    finder.prepare(frozenset({Kind.PERSON}))
    with closing(open_media(video, SourceId("file"))) as source:
        width, height = source.info.stream.width, source.info.stream.height
        pace = pace_for("balanced", width=width, height=height, fps=USUAL_FPS, max_look_age_s=1.0)
        found, due_s = RulerPeople(size_wh=(width, height)), 0.0
        for raw in source.frames():
            if raw.time.seconds < due_s:
                continue
            due_s = raw.time.seconds + EVERY_S
            scale = pace.person_long_px / max(width, height)
            found.add_elsewhere(finder.persons(raw, (0, 0, width, height), scale=scale, threshold=PERSON_LEAST))
    return found


def areas(calibration: Calibration) -> NDArray[np.float64]:
    """Of the place where people walk: on the floor, and under heads, m2."""
    heads = AREA_PX - np.array([0.0, HEADS_PX])
    return np.array([polygon_area(calibration.floor_of(AREA_PX)), polygon_area(calibration.under_heads(heads))])


def main() -> None:
    """Print heights, areas as shares of the truth, and the error said of people who were left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder / "video_pets09_s2l1"
    truth = given_calibration(folder / "View_001.xml")
    if truth.lens is None:
        raise InputRefused("the truth of this video has a lens")
    view_deg = math.degrees(2 * math.atan(truth.size_wh[0] / 2 / truth.lens.focal_px[0]))
    boxes = people(folder / "vtest.avi").boxes
    print(f"{machine()}, load {load()}")
    print(f"{len(boxes)} boxes; truth {truth.camera_m[2]:.2f} m, view {view_deg:.1f} degrees")
    random = np.random.default_rng(0)
    print("pairs | height m | tilt | floor | under heads | left out m")
    for pairs in (30, 60):
        for _ in range(DRAWS):
            found = camera_of_boxes(random.permutation(boxes)[:pairs], size_wh=truth.size_wh, view_deg=view_deg)
            floor, heads = areas(found.calibration(size_wh=truth.size_wh)) / areas(truth)
            left_out_m = found.fit.left_out_m or math.nan
            print(
                f"{pairs} | {found.height_m:.2f} | {found.tilt_deg:.1f} | {floor:.2f} | {heads:.2f} | {left_out_m:.2f}"
            )


if __name__ == "__main__":
    main()
