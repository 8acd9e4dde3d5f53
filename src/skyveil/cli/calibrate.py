"""`skyveil calibrate FROM`: from pixels of a camera to metres on the floor and under heads. CLI.

Exit codes: 0 calibrated; 1 the video, the people in it or the worker did not allow it; 2 the request makes no sense.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skyveil.measure.calibration import Calibration


def calibrate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FROM",
            help="A video of people who walk near and far, a file of points (YAML or JSON), or a Tsai file (XML).",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file that a camera's `calibration` names.")
    ] = Path("calibration.json"),
    view: Annotated[
        float | None,
        typer.Option(
            help="Degrees from the left to the right edge, from the camera's data sheet. A video needs it.",
            min=5,
            max=150,
            show_default=False,
        ),
    ] = None,
    over: Annotated[
        Path | None,
        typer.Option(help="A picture of the camera: it is redacted, then the grid is drawn on it.", show_default=False),
    ] = None,
    show: Annotated[
        Path, typer.Option(help="Where the redacted picture with the grid is written, with --over.")
    ] = Path("calibration.png"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
) -> None:
    """Calibrate a camera, so that people per square metre can be measured.

    Frames of a video stay in the walled worker; what leaves it is where the camera hangs.
    """
    from skyveil.app.calibrate import GIVEN, calibration_of_video, given_calibration
    from skyveil.app.models import ensure_for
    from skyveil.app.sandbox import unsupported
    from skyveil.core.errors import MeasureRefused, SettingsRefused, SkyveilError
    from skyveil.core.kinds import Kind
    from skyveil.core.settings import RedactSettings
    from skyveil.measure.calibration_text import calibration_text
    from skyveil.public.record.output import OutputFile

    try:
        if (reason := unsupported()) is not None:
            raise SettingsRefused(reason)
        if source.suffix.lower() in GIVEN or source.suffix.lower() == ".xml":
            found = given_calibration(source)
        else:
            models = ensure_for(RedactSettings(targets=frozenset({Kind.PERSON})), verify=False)
            found = calibration_of_video(source, models, lambda _: None, view_deg=view)
        with OutputFile(output, overwrite=overwrite) as out:
            out.write(calibration_text(found).encode())
            out.commit()
        if over is not None:
            _draw(found, over, show, overwrite=overwrite)
    except (SettingsRefused, MeasureRefused) as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(2) from None
    except SkyveilError as error:
        typer.echo(f"skyveil: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join(lines(found)))


def _draw(found: "Calibration", over: Path, show: Path, *, overwrite: bool) -> None:
    """Redact the picture, whole persons with faces and heads, then draw on what came out."""
    from skyveil import redact_file
    from skyveil.app.calibration_picture import draw
    from skyveil.core.kinds import Kind
    from skyveil.core.settings import RedactSettings

    with tempfile.TemporaryDirectory() as folder:
        redacted = Path(folder) / f"redacted{over.suffix}"
        redact_file(over, redacted, settings=RedactSettings(targets=frozenset({Kind.FACE, Kind.HEAD, Kind.PERSON})))
        draw(found, redacted, show, overwrite=overwrite)


def lines(found: "Calibration") -> list[str]:
    """The calibration for a screen: where the camera hangs, and how sure that is."""
    x, y, height_m = (round(one, 2) + 0.0 for one in found.camera_m)  # + 0.0: no minus before nothing
    fit = found.fit
    told = [f"the camera hangs {height_m:.2f} m over the floor, at x {x:.2f} m, y {y:.2f} m"]
    if fit.rms_px is not None:
        told.append(f"{fit.points} points or people fit with {fit.rms_px:.1f} px (root mean square)")
    if fit.left_out_m is not None:
        told.append(f"a point that was left out is missed by {fit.left_out_m:.2f} m")
    told.append(f"areas, and so densities, are sure to {fit.area_sigma:.0%}")
    return told
