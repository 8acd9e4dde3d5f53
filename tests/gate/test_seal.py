"""Only the gate makes redacted frames, and nobody changes them."""

import copy
import pickle  # noqa: TID251 (that it fails is what is tested)
import types

import pytest

from skyveil.core.errors import BoundaryViolated
from skyveil.core.time import MediaTime
from skyveil.gate.fill import Solid
from skyveil.gate.redact import redact
from skyveil.public._seal import SEAL, Sealed, _Seal
from skyveil.public.aggregate import Aggregate
from skyveil.public.alarm.alarm import Alarm
from skyveil.public.density_map import DensityMap
from skyveil.public.ruler_report import RulerReport
from skyveil.public.types import RedactedFrame, sealed
from tests.gate.pictures import TIME_BASE, looked_at, name, noise, raw_frame, regions_of


def a_frame() -> RedactedFrame:
    return redact(raw_frame(noise("yuv420p", 32, 18, 1)), regions_of(looked_at(32, 18)), Solid(), max_look_age_s=1.0)


def test_the_gate_s_frame_passes_the_check_as_it_is() -> None:
    frame = a_frame()
    assert sealed(frame) is frame
    assert repr(frame) == "RedactedFrame(camera:0, 32x18)"


def test_a_seal_of_one_s_own_making_is_refused() -> None:
    with pytest.raises(BoundaryViolated, match=r"made by gate\.redact only"):
        RedactedFrame(
            noise("yuv420p", 16, 16, 1), name(), MediaTime(0, TIME_BASE), covered_share=0.0, whole=False, seal=_Seal()
        )


@pytest.mark.parametrize("thing", [None, 5, noise("yuv420p", 16, 16, 1), object.__new__(RedactedFrame)])
def test_anything_but_a_frame_of_the_gate_is_refused(thing: object) -> None:
    with pytest.raises(BoundaryViolated, match="expected a RedactedFrame"):
        sealed(thing)


def test_a_hollow_frame_with_a_picture_but_no_seal_is_refused() -> None:
    hollow = object.__new__(RedactedFrame)
    object.__setattr__(hollow, "_picture", noise("yuv420p", 16, 16, 1))
    with pytest.raises(BoundaryViolated, match="expected a RedactedFrame"):
        sealed(hollow)


def test_no_field_can_be_set_or_deleted() -> None:
    frame = a_frame()
    for field in ("picture", "_picture", "covered_share", "whole", "_seal", "new"):
        with pytest.raises(BoundaryViolated, match="can not be set"):
            setattr(frame, field, SEAL)
        with pytest.raises(BoundaryViolated, match="can not be deleted"):
            delattr(frame, field)


@pytest.mark.parametrize("escape", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_can_not_be_pickled_or_copied(escape: object) -> None:
    assert callable(escape)
    with pytest.raises(BoundaryViolated, match="pickled or copied"):
        escape(a_frame())


def test_it_can_not_be_subclassed() -> None:
    with pytest.raises(BoundaryViolated, match="subclassed"):
        type("Open", (RedactedFrame,), {})


@pytest.mark.parametrize("kind", [RedactedFrame, Aggregate, Alarm, DensityMap, RulerReport])
def test_no_sealed_class_has_a_way_in(kind: type[Sealed]) -> None:
    """Not by a subclass that names a door, nor beside the base that all of them have, nor by a field of one's own."""
    for bases in ((kind,), (kind, Sealed)):
        with pytest.raises(BoundaryViolated, match=f"{kind.__name__} can not be subclassed"):
            types.new_class("Open", bases, {"made_by": "me"})
    assert not hasattr(object.__new__(kind), "__dict__")


def test_a_sealed_class_names_its_door() -> None:
    with pytest.raises(BoundaryViolated, match="subclassed"):
        type("Doorless", (Sealed,), {})
