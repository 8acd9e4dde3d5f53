"""Ways to let raw pixels out, or numbers past their door: modules that a careless or hurried developer could write.

`leak(raw)` gives what left, or raises. They are kept as text because the point is that the checks refuse them.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Layer: TypeAlias = Literal["mypy", "ruff", "imports", "runtime", "process"]


@dataclass(frozen=True)
class Attack:
    """One module, where it lies in the package, and the layers that must catch it: these and no others."""

    name: str
    package: str
    caught_by: frozenset[Layer]
    body: str

    @property
    def module(self) -> str:
        return f"skyveil.{self.package}.attack_{self.name}"

    @property
    def path(self) -> str:
        return f"skyveil/{self.package.replace('.', '/')}/attack_{self.name}.py"

    @property
    def text(self) -> str:
        return f'"""An attack."""\n\n{self.body.lstrip()}'


def attack(name: str, package: str, caught_by: str, body: str) -> Attack:
    layers: dict[str, Layer] = {
        "mypy": "mypy",
        "ruff": "ruff",
        "imports": "imports",
        "runtime": "runtime",
        "process": "process",
    }
    return Attack(name, package, frozenset(layers[layer] for layer in caught_by.split()), body)


ATTACKS: Final = (
    attack(
        "01_encode_a_raw_frame",
        "app",
        "mypy runtime",
        """
from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    return encode_still(raw, format="png")
""",
    ),
    attack(
        "02_encode_an_array",
        "app",
        "mypy runtime",
        """
import numpy as np

from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    return encode_still(np.full((raw.height, raw.width, 3), 200, np.uint8), format="png")
""",
    ),
    attack(
        "03_borrow_the_seal",
        "app",
        "imports",
        """
from skyveil.private._pixels import take
from skyveil.private.frame import RawFrame
from skyveil.public._seal import SEAL
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame


def leak(raw: RawFrame) -> bytes:
    frame = RedactedFrame(take(raw), raw.id, raw.time, covered_share=0.0, whole=False, seal=SEAL)
    return encode_still(frame, format="png")
""",
    ),
    attack(
        "04_forge_a_seal",
        "app",
        "mypy imports runtime",
        """
from skyveil.private._pixels import take
from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame


def leak(raw: RawFrame) -> bytes:
    frame = RedactedFrame(take(raw), raw.id, raw.time, covered_share=0.0, whole=False, seal=object())
    return encode_still(frame, format="png")
""",
    ),
    attack(
        "05_open_the_frame_by_its_private_name",
        "app",
        "mypy ruff",
        """
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> object:
    return raw._RawFrame__picture.to_ndarray()
""",
    ),
    attack(
        "06_pickle_the_frame",
        "app",
        "ruff runtime",
        """
import pickle

from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    return pickle.dumps(raw)
""",
    ),
    attack(
        "07_make_a_hollow_frame",
        "app",
        "runtime",
        """
import av

from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame


def leak(raw: RawFrame) -> bytes:
    frame = object.__new__(RedactedFrame)
    object.__setattr__(frame, "_picture", av.VideoFrame(raw.width, raw.height, "rgb24"))
    return encode_still(frame, format="png")
""",
    ),
    attack(
        "08_cast_it",
        "app",
        "ruff runtime",
        """
from typing import cast

from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame


def leak(raw: RawFrame) -> bytes:
    return encode_still(cast(RedactedFrame, raw), format="png")
""",
    ),
    attack(
        "09_call_it_any",
        "app",
        "mypy runtime",
        """
from typing import Any

from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    anything: Any = raw
    return encode_still(anything, format="png")
""",
    ),
    attack(
        "10_ignore_the_type",
        "app",
        "runtime",
        """
from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    return encode_still(raw, format="png")  # type: ignore[arg-type]
""",
    ),
    attack(
        "11_open_a_file_in_a_detector",
        "private.detect",
        "ruff process",
        """
import os

from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    with open(os.environ["LEAK_TARGET"], "wb") as target:
        target.write(look(raw)[0].tobytes())
    return b"written"
""",
    ),
    attack(
        "12_write_bytes_in_a_detector",
        "private.detect",
        "process",
        """
import os
from pathlib import Path

from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    Path(os.environ["LEAK_TARGET"]).write_bytes(look(raw)[0].tobytes())
    return b"written"
""",
    ),
    attack(
        "13_print_pixels",
        "private.detect",
        "ruff",
        """
from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    print(look(raw)[0].tolist())
    return b"printed"
""",
    ),
    attack(
        "14_log_pixels",
        "private.detect",
        "imports",
        """
import logging

from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    logging.getLogger(__name__).warning("%s", look(raw)[0])
    return b"logged"
""",
    ),
    attack(
        "15_subclass_the_frame",
        "app",
        "mypy runtime",
        """
import av

from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> object:
    class Open(RawFrame):
        pass

    return Open(av.VideoFrame(raw.width, raw.height, "rgb24"), raw.id, raw.time)
""",
    ),
    attack(
        "16_import_the_seal_by_name",
        "app",
        "ruff imports",
        """
import importlib

from skyveil.private._pixels import take
from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame


def leak(raw: RawFrame) -> bytes:
    seal = importlib.import_module("skyveil.public._seal").SEAL
    frame = RedactedFrame(take(raw), raw.id, raw.time, covered_share=0.0, whole=False, seal=seal)
    return encode_still(frame, format="png")
""",
    ),
    attack(
        "17_share_memory",
        "private.detect",
        "imports process",
        """
from multiprocessing import shared_memory

from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    pixels = look(raw)[0].tobytes()
    memory = shared_memory.SharedMemory(create=True, size=len(pixels))
    if memory.buf is not None:
        memory.buf[: len(pixels)] = pixels
    memory.close()
    memory.unlink()
    return b"shared"
""",
    ),
    attack(
        "18_let_the_public_side_know_raw_frames",
        "public",
        "imports",
        """
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> str:
    return f"shown: {raw.width}"
""",
    ),
    attack(
        "19_use_the_regions_of_another_frame",
        "app",
        "runtime",
        """
import numpy as np

from skyveil.core.ids import FrameId
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked
from skyveil.private.regions import Regions
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    other = FrameId(raw.id.source, raw.id.index + 1)
    looked = Looked(other, 64, np.ones((1, 1), np.uint8), np.zeros((1, 1), np.float32), ("net@0",))
    regions = Regions(other, np.zeros((0, 4), np.int32), (), looked)
    return encode_still(redact(raw, regions, Solid(), max_look_age_s=1.0), format="png")
""",
    ),
    attack(
        "20_give_no_evidence",
        "app",
        "runtime",
        """
import numpy as np

from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private.frame import RawFrame
from skyveil.private.regions import Regions
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    regions = Regions(raw.id, np.zeros((0, 4), np.int32), (), None)
    return encode_still(redact(raw, regions, Solid(), max_look_age_s=1.0), format="png")
""",
    ),
    attack(
        "21_look_after_the_gate",
        "private.detect",
        "imports runtime",
        """
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame
from skyveil.private.regions import whole_frame


def leak(raw: RawFrame) -> bytes:
    redact(raw, whole_frame(raw.id), Solid(), max_look_age_s=1.0)
    return look(raw)[0].tobytes()
""",
    ),
    attack(
        "22_make_an_array_of_the_frame",
        "app",
        "runtime",
        """
import numpy as np

from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    return np.asarray(raw).tobytes()
""",
    ),
    attack(
        "23_paint_raw_pixels_back",
        "app",
        "imports",
        """
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame
from skyveil.private.regions import whole_frame
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    pixels = look(raw)[0].tobytes()
    frame = redact(raw, whole_frame(raw.id), Solid(), max_look_age_s=1.0)
    frame.picture.planes[0].update(pixels)
    return encode_still(frame, format="png")
""",
    ),
    attack(
        "24_swap_the_picture",
        "app",
        "mypy imports runtime",
        """
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private._pixels import take
from skyveil.private.frame import RawFrame
from skyveil.private.regions import whole_frame
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    frame = redact(raw, whole_frame(raw.id), Solid(), max_look_age_s=1.0)
    frame.picture = take(raw)
    return encode_still(frame, format="png")
""",
    ),
    # Beyond the first 24: found while this package was built.
    attack(
        "25_take_the_seal_from_who_imports_it",
        "app",
        "mypy",
        """
from skyveil.gate.redact import SEAL, take
from skyveil.private.frame import RawFrame
from skyveil.public.encode.still import encode_still
from skyveil.public.types import RedactedFrame


def leak(raw: RawFrame) -> bytes:
    frame = RedactedFrame(take(raw), raw.id, raw.time, covered_share=0.0, whole=False, seal=SEAL)
    return encode_still(frame, format="png")
""",
    ),
    attack(
        "26_get_the_picture_by_a_name_in_quotes",
        "app",
        "ruff",
        """
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> object:
    return getattr(raw, "_RawFrame__picture").to_ndarray()
""",
    ),
    attack(
        "27_rename_the_frame",
        "app",
        "runtime",
        """
import numpy as np

from skyveil.core.ids import FrameId
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.private.frame import RawFrame
from skyveil.private.looked import Looked
from skyveil.private.regions import Regions
from skyveil.public.encode.still import encode_still


def leak(raw: RawFrame) -> bytes:
    empty = FrameId(raw.id.source, raw.id.index + 1)
    looked = Looked(empty, 64, np.ones((1, 1), np.uint8), np.zeros((1, 1), np.float32), ("net@0",))
    raw.id = empty
    regions = Regions(empty, np.zeros((0, 4), np.int32), (), looked)
    return encode_still(redact(raw, regions, Solid(), max_look_age_s=1.0), format="png")
""",
    ),
    attack(
        "28_send_pixels_over_a_socket",
        "private.detect",
        "imports process",
        """
import socket

from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(look(raw)[0].tobytes()[:512], ("127.0.0.1", 9))
    return b"sent"
""",
    ),
    attack(
        "29_hand_pixels_to_a_child",
        "private.detect",
        "ruff imports process",
        """
import os
import subprocess

from skyveil.private._pixels import look
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> bytes:
    subprocess.run(["cat"], input=look(raw)[0].tobytes(), stdout=subprocess.DEVNULL, check=True)
    return b"handed"
""",
    ),
    attack(
        "30_say_that_numbers_are_released",
        "app",
        "mypy runtime",
        """
from skyveil.core.ids import CameraId, PlaceId
from skyveil.private.frame import RawFrame
from skyveil.public.aggregate import Aggregate
from skyveil.public.audience import Audience


def leak(raw: RawFrame) -> object:
    return Aggregate(Audience.PUBLIC, CameraId("c"), PlaceId("p"), start_s=0, end_s=1, figures={}, seal=object())
""",
    ),
    attack(
        "31_borrow_the_seal_for_numbers",
        "app",
        "imports",
        """
from skyveil.core.ids import CameraId, PlaceId
from skyveil.private.frame import RawFrame
from skyveil.public._seal import SEAL
from skyveil.public.aggregate import Aggregate
from skyveil.public.audience import Audience


def leak(raw: RawFrame) -> object:
    return Aggregate(Audience.PUBLIC, CameraId("c"), PlaceId("p"), start_s=0, end_s=1, figures={}, seal=SEAL)
""",
    ),
    attack(
        "32_show_the_public_what_is_for_the_control_room",
        "app",
        "runtime",
        """
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.release import ControlRoom, release
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.quantity import measured
from skyveil.private.frame import RawFrame
from skyveil.public.aggregate import released
from skyveil.public.audience import Audience
from skyveil.public.budget import Budget


def leak(raw: RawFrame, budget: Budget | None = None) -> object:
    one = PlaceMeasures(PlaceId("p"), 0, 1, {Measure.COUNT: measured(3, Measure.COUNT.unit)})
    made = release(CameraMeasures(CameraId("c"), (one,)), ControlRoom(), budget)  # type: ignore[arg-type]
    return released(made[0], Audience.PUBLIC)
""",
    ),
    attack(
        "33_make_a_hollow_aggregate",
        "app",
        "runtime",
        """
from skyveil.private.frame import RawFrame
from skyveil.public.aggregate import Aggregate, released
from skyveil.public.audience import Audience


def leak(raw: RawFrame) -> object:
    made = object.__new__(Aggregate)
    object.__setattr__(made, "audience", Audience.PUBLIC)
    return released(made, Audience.PUBLIC)
""",
    ),
    attack(
        "34_give_an_aggregate_a_field_for_tracks",
        "app",
        "mypy runtime",
        """
from skyveil.private.frame import RawFrame
from skyveil.public.aggregate import Aggregate


def leak(raw: RawFrame) -> object:
    class WithTracks(Aggregate):
        tracks: tuple[int, ...] = ()

    return WithTracks
""",
    ),
    attack(
        "35_write_a_track_into_an_alarm",
        "app",
        "runtime",
        """
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.release import release_alarm
from skyveil.measure.level import begin
from skyveil.measure.measures import PlaceMeasures
from skyveil.private.frame import RawFrame


def leak(raw: RawFrame) -> object:
    alarm = release_alarm(CameraId("c"), PlaceMeasures(PlaceId("p"), 0, 1, {}), begin(0))
    alarm.track = 17
    return alarm
""",
    ),
    attack(
        "36_release_a_second_s_numbers_to_the_public",
        "app",
        "runtime",
        """
from skyveil.core.ids import CameraId, PlaceId
from skyveil.gate.grounds import grounds
from skyveil.gate.release import Public, release
from skyveil.measure.measures import CameraMeasures, Measure, PlaceMeasures
from skyveil.measure.quantity import measured
from skyveil.private.frame import RawFrame
from skyveil.public.budget import Budget


def leak(raw: RawFrame, budget: Budget | None = None) -> object:
    line = PlaceId("p")
    one = PlaceMeasures(line, 0, 1, {Measure.CROSSED_FORWARD: measured(1, Measure.CROSSED_FORWARD.unit)})
    policy = Public(grounds({}, frozenset({line})))
    return release(CameraMeasures(CameraId("c"), (one,)), policy, budget)  # type: ignore[arg-type]
""",
    ),
)
