"""`skyveil numbers`: tables of what was counted, for staff and for the public. CLI.

Exact numbers are of the control room and are not exported: they are gone after a day, and copies would not be.
"""

from pathlib import Path
from typing import Annotated

import typer

from skyveil.cli.recordings import seconds_of
from skyveil.cli.site import one_line
from skyveil.core.errors import OutputRefused, SettingsRefused
from skyveil.core.ids import PlaceId
from skyveil.core.names import known_camera, nearest


def numbers(
    camera: Annotated[str, typer.Argument(metavar="CAMERA")],
    place: Annotated[str, typer.Argument(metavar="PLACE")],
    start: Annotated[str, typer.Argument(metavar="TIME", help="Like 2026-05-01T14:00:00+02:00; UTC without zone.")],
    end: Annotated[str, typer.Argument(metavar="TIME")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .csv or .parquet file.")],
    table: Annotated[str, typer.Option("--table", help="numbers, n-t, density or flow.")] = "numbers",
    period: Annotated[str, typer.Option("--period", help="minute, quarter, hour or day.")] = "minute",
    public: Annotated[bool, typer.Option("--public", help="What the public is told, with noise.")] = False,
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration of the site.")
    ] = Path("skyveil.yaml"),
) -> None:
    """Write numbers of a place as a table: what staff are told, or with --public what everybody is."""
    from skyveil.app.config import load
    from skyveil.app.server import database_of
    from skyveil.public.audience import Audience
    from skyveil.public.store.export import NEEDS, PERIODS, csv_of, table_of, write_parquet
    from skyveil.public.store.numbers import NumberStore

    with one_line():
        name = next((one for one in NEEDS if one == table), None)
        if name is None or period not in PERIODS or output.suffix not in (".csv", ".parquet"):
            raise SettingsRefused(
                "a table is numbers, n-t, density or flow, by minute, quarter, hour or day, in a .csv or .parquet file"
            )
        if output.exists():
            raise OutputRefused(f"{output} exists already")
        loaded = load(config)
        engine = database_of(loaded)
        from_s = int(seconds_of(start))
        try:
            store = NumberStore(engine)
            known = {(one.id, zone.id) for one in loaded.cameras for zone in one.zones}
            known |= {(one.id, line.id) for one in loaded.cameras for line in one.lines}
            if (camera, place) not in known:  # one that was taken out has numbers still
                known |= {(one.id, "") for one in loaded.cameras} | store.places()
            of = known_camera(camera, [one for one, _ in known])
            places = {each for one, each in known if one == of and each}
            if place not in places:
                raise SettingsRefused(f"{of} has no zone or line `{place}`{nearest(place, places)}")
            found = store.series(
                Audience.PUBLIC if public else Audience.STAFF,
                of,
                PlaceId(place),
                NEEDS[name],
                period_s=PERIODS[period],
                from_s=from_s,
                to_s=int(seconds_of(end)),
            )
        finally:
            engine.dispose()
        made = table_of(name, found, from_s=from_s)
        if output.suffix == ".csv":
            output.write_text(csv_of(made), encoding="utf-8", newline="")
        else:
            write_parquet(made, output)
        typer.echo(f"{output}: {len(made.rows)} rows")
