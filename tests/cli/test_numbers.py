"""`skyveil numbers`: what was counted, as a table."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from skyveil.cli.main import app
from skyveil.public.store import open_database
from skyveil.public.store.numbers import NumberStore
from tests.public.store.made import EXACT, GATE, IN, STAFF, numbers, place

START_S = 1_777_636_800  # 2026-05-01T12:00:00Z


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "skyveil.yaml"
    path.write_text("version: 1\nserver: {data: data, keys: keys}\n")
    (tmp_path / "data").mkdir()
    engine = open_database(tmp_path / "data" / "skyveil.sqlite")
    store = NumberStore(engine)
    for minute, crossed in enumerate((12, 3)):
        one = place(GATE, {IN: crossed}, start_s=START_S + 60 * minute)
        store.put([*numbers(EXACT, one), *numbers(STAFF, one)])
    engine.dispose()
    return path


def run(
    config: Path, output: Path, *more: str, start: str = "2026-05-01T12:00:00", of: tuple[str, str] = ("north", "gate")
) -> tuple[int, str]:
    words = ["numbers", *of, start, "2026-05-01T15:00:00+02:00", "-o", str(output), "-c", str(config)]
    done = CliRunner().invoke(app, [*words, *more])
    return done.exit_code, done.output


def test_a_table_holds_what_staff_are_told_and_nothing_exact(config: Path, tmp_path: Path) -> None:
    assert run(config, tmp_path / "a.csv", "--table", "n-t")[0] == 0
    assert (tmp_path / "a.csv").read_text().splitlines() == ["frame,time,cumulative_pedestrians", "1,60,10.0", "2,120,"]
    assert run(config, tmp_path / "p.csv", "--table", "n-t", "--public")[0] == 0
    assert (tmp_path / "p.csv").read_text().splitlines() == ["frame,time,cumulative_pedestrians"]
    assert run(config, tmp_path / "a.parquet")[0] == 0
    assert (tmp_path / "a.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize(
    ("output", "more"),
    [("a.xlsx", ()), ("a.csv", ("--table", "faces")), ("a.csv", ("--period", "second"))],
)
def test_what_is_no_table_is_refused(config: Path, tmp_path: Path, output: str, more: tuple[str, ...]) -> None:
    assert run(config, tmp_path / output, *more)[0] == 2
    assert not (tmp_path / output).exists()


def test_a_file_is_never_replaced_and_a_time_is_a_time(config: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    assert run(config, tmp_path / "a.csv")[0] == 1
    assert (tmp_path / "a.csv").read_text() == "mine"
    assert run(config, tmp_path / "b.csv", start="noon")[0] == 2


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (("nrth", "gate"), "there is no camera `nrth`; did you mean `north`?"),
        (("north", "gat"), "north has no zone or line `gat`; did you mean `gate`?"),
        (("suth", "gate"), "there is no camera `suth`; did you mean `south`?"),
        (("south", "flor"), "south has no zone or line `flor`; did you mean `floor`?"),
        (("bare", "gate"), "bare has no zone or line `gate`"),
        (("../x", "gate"), "there is no camera `../x`"),
    ],
)
def test_a_camera_and_place_that_are_not_there_make_no_table(
    config: Path, tmp_path: Path, of: tuple[str, str], told: str
) -> None:
    zone = "zones: [{id: floor, name: Floor, points: [[0, 0], [1, 0], [1, 1]]}]"
    camera = "name: A, purpose: Safety, source: 'rtsp://h/a'"
    config.write_text(config.read_text() + f"cameras: [{{id: south, {camera}, {zone}}}, {{id: bare, {camera}}}]\n")
    assert run(config, tmp_path / "a.csv", of=of) == (2, f"{told}\n")
    assert not (tmp_path / "a.csv").exists()
    assert run(config, tmp_path / "a.csv", of=("south", "floor"))[0] == 0  # configured, and nothing counted yet
    assert run(config, tmp_path / "b.csv")[0] == 0  # counted, and taken out of the configuration
