"""What may be told of people as rulers: four numbers of the camera, over many, rounded."""

import copy

import pytest

from skyveil.core.errors import BoundaryViolated, WorkerFailed
from skyveil.gate.release_rulers import release_camera, release_progress
from skyveil.measure.calibration import Fit
from skyveil.measure.rulers import RulerCamera
from skyveil.public.ruler_report import LEAST_PAIRS, RulerReport, RulerState, sealed_report
from skyveil.public.wire.bodies import packed
from skyveil.public.wire.cameras import TYPES

SIZE_WH = (1920, 1080)


def found(points: int = 64, *, rms_px: float | None = 10.77637, left_out_m: float | None = 0.16789) -> RulerCamera:
    return RulerCamera(5.97889, 34.91054, -0.71263, 63.80757, Fit(points, rms_px, None, left_out_m, 0.0748))


def test_a_camera_is_told_rounded_and_with_what_it_rests_on_in_tens() -> None:
    report = release_camera(found(), size_wh=SIZE_WH)
    assert (report.state, report.pairs) == (RulerState.FITTED, 60)
    fit = report.fit
    assert fit is not None and fit.size_wh == SIZE_WH
    assert (fit.height_m, fit.tilt_deg, fit.roll_deg, fit.view_deg) == (6.0, 34.9, -0.7, 63.8)
    assert (fit.rms_px, fit.left_out_m, fit.area_sigma) == (11.0, 0.17, 0.07)
    assert "6.0" not in repr(report)


def test_nobody_is_told_a_camera_that_few_were_rulers_of() -> None:
    assert release_camera(found(LEAST_PAIRS), size_wh=SIZE_WH).pairs == LEAST_PAIRS
    with pytest.raises(BoundaryViolated, match="rests on 30 pairs"):
        release_camera(found(LEAST_PAIRS - 1), size_wh=SIZE_WH)
    with pytest.raises(BoundaryViolated, match="release_camera"):
        release_progress(RulerState.FITTED, 60)


def test_a_camera_whose_error_nobody_knows_is_not_told_as_one_without_error() -> None:
    with pytest.raises(BoundaryViolated, match="has their error"):
        release_camera(found(rms_px=None), size_wh=SIZE_WH)


@pytest.mark.parametrize(("pairs", "told"), [(0, 0), (9, 0), (10, 10), (59, 50), (9999, 400)])
def test_how_many_pairs_there_are_is_told_in_tens(pairs: int, told: int) -> None:
    report = release_progress(RulerState.COLLECTING, pairs)
    assert (report.pairs, report.fit) == (told, None)


@pytest.mark.parametrize("left_out_m", [0.16789, None])
def test_a_report_crosses_the_pipe_as_it_is(left_out_m: float | None) -> None:
    for report in (
        release_camera(found(left_out_m=left_out_m), size_wh=SIZE_WH),
        *(release_progress(state, 20) for state in RulerState if state is not RulerState.FITTED),
    ):
        number, body, payload = packed(report)
        assert payload == b"" and len(body) <= TYPES[number].limit
        again = TYPES[number].unpack(body)
        assert isinstance(again, RulerReport)
        assert (again.state, again.pairs, again.fit) == (report.state, report.pairs, report.fit)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"pairs":60', b'"pairs":61'),  # not in tens
        (b'"pairs":60', b'"pairs":20'),  # too few
        (b'"pairs":60', b'"pairs":4000'),
        (b'"state":"fitted"', b'"state":"collecting"'),  # a camera before its time
        (b'"state":"fitted"', b'"state":"who"'),
        (b'"height_m":6.0', b'"height_m":0.1'),
        (b'"height_m":6.0', b'"height_m":"high"'),
        (b'"tilt_deg":34.9', b'"tilt_deg":91'),
        (b'"roll_deg":-0.7', b'"roll_deg":-91'),
        (b'"view_deg":63.8', b'"view_deg":180'),
        (b'"rms_px":11.0', b'"rms_px":-1'),
        (b'"left_out_m":0.17', b'"left_out_m":-1'),
        (b'"area_sigma":0.07', b'"area_sigma":-1'),
        (b'"size_wh":[1920,1080]', b'"size_wh":[1920]'),
        (b'"size_wh":[1920,1080]', b'"size_wh":[1920,1]'),
        (b'"rms_px"', b'"boxes":[[1,2,3,4]],"rms_px"'),  # a field that nobody asked for
        (b'"state"', b'"people":[[1,2,3,4]],"state"'),
    ],
)
def test_a_report_that_says_anything_else_is_refused(old: bytes, new: bytes) -> None:
    number, body, _ = packed(release_camera(found(), size_wh=SIZE_WH))
    assert old in body
    with pytest.raises(WorkerFailed):
        TYPES[number].unpack(body.replace(old, new))


def test_a_fitted_report_without_a_camera_is_refused() -> None:
    number, body, _ = packed(release_progress(RulerState.COLLECTING, 60))
    with pytest.raises(WorkerFailed):
        TYPES[number].unpack(body.replace(b"collecting", b"fitted"))


def test_only_the_gate_makes_a_report_and_nobody_changes_or_copies_one() -> None:
    with pytest.raises(BoundaryViolated, match=r"gate\.release_rulers"):
        RulerReport(RulerState.COLLECTING, 0, None, seal=object())  # type: ignore[arg-type]  # the attack
    one = release_progress(RulerState.COLLECTING, 30)
    assert sealed_report(one) is one
    with pytest.raises(BoundaryViolated):
        one.pairs = 31
    for act in (copy.copy, copy.deepcopy):
        with pytest.raises(BoundaryViolated):
            act(one)
    with pytest.raises(BoundaryViolated):
        sealed_report(object.__new__(RulerReport))
