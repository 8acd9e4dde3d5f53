"""Exact numbers as JSON, and back: on the pipe from a camera's process, and in the spool. Public side.

Only what is for the control room has this form. What a reader makes of it carries the seal: the writer took sealed
numbers only, and every field is checked.
"""

import re
from typing import Final

from skyveil.core.ids import CameraId, PlaceId
from skyveil.measure.measures import Measure
from skyveil.measure.quantity import Quality, Quantity
from skyveil.public._seal import SEAL
from skyveil.public.aggregate import Aggregate, Figure, Told, released
from skyveil.public.audience import Audience
from skyveil.public.density_map import MOST_SQUARES, SQUARES, DensityMap, sealed_map
from skyveil.public.ruler_report import (
    LEAST_PAIRS,
    MOST_ERROR,
    MOST_PAIRS,
    PAIRS_STEP,
    RulerFit,
    RulerReport,
    RulerState,
    sealed_report,
)
from skyveil.public.wire.fields import Fields, Json, impossible, integer, number, two

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MEASURES: Final = {one.value: one for one in Measure}
_QUALITIES: Final = {one.value: one for one in Quality}
_STATES: Final = {one.value: one for one in RulerState}
_LARGEST: Final = 1e12
_CLOCK_S: Final = 1e11
_DAY_S: Final = 86400.0


def aggregate_json(aggregate: Aggregate) -> dict[str, Json]:
    """The exact numbers of a place, as JSON; raises BoundaryViolated for what is for another audience."""
    one = released(aggregate, Audience.CONTROL_ROOM)
    return {
        "camera": one.camera,
        "place": one.place,
        "start_s": one.start_s,
        "end_s": one.end_s,
        "figures": [_figure_json(measure, figure.quantity) for measure, figure in one.figures.items()],
    }


def _figure_json(measure: Measure, quantity: Quantity) -> Json:
    return [measure.value, quantity.value, quantity.sigma, quantity.quality.value, quantity.age_s]


def read_aggregate(body: bytes) -> Aggregate:
    """The exact numbers of a place, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    camera, place = CameraId(fields.text("camera", _ID)), PlaceId(fields.text("place", _ID))
    start_s, end_s = fields.number("start_s", 0, _CLOCK_S), fields.number("end_s", 0, _CLOCK_S)
    figures = dict(_figure(value) for value in fields.items("figures", len(Measure)))
    fields.end()
    if not start_s < end_s <= start_s + _DAY_S:
        raise impossible("end_s")
    return Aggregate(Audience.CONTROL_ROOM, camera, place, start_s=start_s, end_s=end_s, figures=figures, seal=SEAL)


def _figure(value: Json) -> tuple[Measure, Figure]:
    if not isinstance(value, list) or len(value) != 5:
        raise impossible("figures")
    measure, quality = _MEASURES.get(str(value[0])), _QUALITIES.get(str(value[3]))
    if measure is None or quality is None or (value[1] is None) != (quality is Quality.UNKNOWN):
        raise impossible("figures")
    size = None if value[1] is None else number(value[1], "figures", -_LARGEST, _LARGEST)
    sigma = None if value[2] is None else number(value[2], "figures", 0, _LARGEST)
    quantity = Quantity(size, sigma, measure.unit, quality, number(value[4], "figures", 0, _CLOCK_S))
    return measure, Figure(Told.UNKNOWN if size is None else Told.EXACT, quantity)


def map_json(density_map: DensityMap) -> dict[str, Json]:
    """A map of density, as JSON."""
    one = sealed_map(density_map)
    return {
        "camera": one.camera,
        "place": one.place,
        "at_s": one.at_s,
        "side_m": one.side_m,
        "low_m": list(one.low_m),
        "columns": one.columns,
        "squares": one.squares,
        "floor_to_picture": list(one.floor_to_picture),
    }


def read_map(body: bytes) -> DensityMap:
    """A map of density, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    camera, place = CameraId(fields.text("camera", _ID)), PlaceId(fields.text("place", _ID))
    at_s, side_m = fields.number("at_s", 0, _CLOCK_S), fields.number("side_m", 0.01, 100)
    low_m = [number(one, "low_m", -_LARGEST, _LARGEST) for one in fields.items("low_m", 2)]
    columns, squares = fields.integer("columns", 1, MOST_SQUARES), fields.text("squares", SQUARES)
    matrix = [number(one, "floor_to_picture", -_LARGEST, _LARGEST) for one in fields.items("floor_to_picture", 9)]
    fields.end()
    if len(low_m) != 2 or len(matrix) != 9 or len(squares) % columns:
        raise impossible("squares")
    return DensityMap(
        camera,
        place,
        at_s=at_s,
        side_m=side_m,
        low_m=(low_m[0], low_m[1]),
        columns=columns,
        squares=squares,
        floor_to_picture=tuple(matrix),
        seal=SEAL,
    )


def ruler_report_json(report: RulerReport) -> dict[str, Json]:
    """How far a camera is with people as rulers, as JSON."""
    one = sealed_report(report)
    fit = one.fit
    return {
        "state": one.state.value,
        "pairs": one.pairs,
        "fit": None
        if fit is None
        else {
            "size_wh": list(fit.size_wh),
            "height_m": fit.height_m,
            "tilt_deg": fit.tilt_deg,
            "roll_deg": fit.roll_deg,
            "view_deg": fit.view_deg,
            "rms_px": fit.rms_px,
            "left_out_m": fit.left_out_m,
            "area_sigma": fit.area_sigma,
        },
    }


def read_ruler_report(body: bytes) -> RulerReport:
    """How far a camera is with people as rulers, read; raises WorkerFailed."""
    fields = Fields.parse(body)
    state, pairs, given = (
        _STATES.get(str(fields.take("state"))),
        fields.integer("pairs", 0, MOST_PAIRS),
        fields.take("fit"),
    )
    fields.end()
    fit = None if given is None else _ruler_fit(given)
    if state is None or pairs % PAIRS_STEP or (fit is not None) != (state is RulerState.FITTED):
        raise impossible("state or pairs")
    if fit is not None and pairs < LEAST_PAIRS:
        raise impossible("pairs")
    return RulerReport(state, pairs, fit, seal=SEAL)


def _ruler_fit(value: Json) -> RulerFit:
    fields = Fields(value)
    width, height = (integer(side, "size_wh", 16, 65_535) for side in two(fields.take("size_wh"), "size_wh"))
    left_out_m = fields.take("left_out_m")
    fit = RulerFit(
        (width, height),
        height_m=fields.number("height_m", 1, 100),
        tilt_deg=fields.number("tilt_deg", 0, 90),
        roll_deg=fields.number("roll_deg", -90, 90),
        view_deg=fields.number("view_deg", 1, 179),
        rms_px=fields.number("rms_px", 0, 65_535),
        left_out_m=None if left_out_m is None else number(left_out_m, "left_out_m", 0, MOST_ERROR),
        area_sigma=fields.number("area_sigma", 0, MOST_ERROR),
    )
    fields.end()
    return fit
