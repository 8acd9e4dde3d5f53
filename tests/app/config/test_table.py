"""Cameras as a table, and masks from one camera to others."""

import csv
import io
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner, Result

from skyveil.app.config import load, schema
from skyveil.app.config.masks import copy_masks
from skyveil.app.config.table import COLUMNS, export_cameras, import_cameras
from skyveil.cli.main import app
from skyveil.core.errors import SettingsRefused
from tests.app.config.test_config import GOOD, OUTPUTS, written

ROOT = Path(__file__).resolve().parents[3]
FULL = """
  - id: bay
    name: "Bay; \\"west\\", ünten"
    purpose: Loading
    source: rtsps://10.0.0.6/live?channel=1&token=hunter2
    username: viewer
    password: {env: BAY}
    position: [0.25, 0.5]
    transport: tcp
    mount: overhead
    max_fps: 12.5
    record: false
    retention: {hours: 24, gigabytes: 1.5}
    verify_tls: false
"""


def table(folder: Path, text: str) -> Path:
    path = folder / "cameras.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


# --- the schema -----------------------------------------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_models_and_of_the_command() -> None:
    published = (ROOT / "docs/reference/skyveil.schema.json").read_text(encoding="utf-8")
    assert published == schema(), "write it with `skyveil check --schema`"
    assert run("check", "--schema").stdout == published


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("purpose: Falls", "purpse: Falls", False),
        ("hindsight: 3", "hindsight: 30", False),
        ("targets: [face", "targets: [faces", False),
        ("version: 1", "version: 2", False),
    ],
)
def test_the_schema_takes_what_is_taken_and_refuses_what_is_refused(old: str, new: str, good: bool) -> None:
    validator = jsonschema_rs.validator_for(schema())
    assert validator.is_valid(yaml.safe_load((GOOD + FULL + OUTPUTS).replace(old, new, 1))) == good


# --- round trip -----------------------------------------------------------------------------------------------------


def test_a_table_goes_out_and_comes_back_and_every_byte_of_the_file_stays(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + FULL)
    text = export_cameras(load(path))
    done = import_cameras(path, table(tmp_path, text))
    assert (done.added, done.changed, done.kept) == ((), (), ())
    assert path.read_text() == GOOD + FULL
    # As a spreadsheet of another country writes it: a byte-order mark and semicolons.
    rows = csv.reader(io.StringIO(text))
    other = io.StringIO()
    csv.writer(other, delimiter=";").writerows(rows)
    assert import_cameras(path, table(tmp_path, "\ufeff" + other.getvalue())).changed == ()
    assert path.read_text() == GOOD + FULL


def test_no_credential_is_in_a_table(tmp_path: Path) -> None:
    text = export_cameras(load(written(tmp_path, GOOD + FULL)))
    assert "hunter2" not in text and "token" not in text
    bay = list(csv.DictReader(io.StringIO(text)))[2]
    assert bay["source"] == "rtsps://10.0.0.6/live?***"
    assert (bay["password_env"], bay["password_secret"], bay["position"]) == ("BAY", "", "0.25 0.5")
    assert "password" not in COLUMNS and "masks" not in COLUMNS


def test_a_site_can_be_moved_to_another_file_by_its_table(tmp_path: Path) -> None:
    text = export_cameras(load(written(tmp_path, GOOD))).replace("hall", "")
    there = tmp_path / "there"
    there.mkdir()
    for empty in ("version: 1\n", "version: 1\ncameras: []\n", "version: 1\n# end", "version: 1\ncameras: []"):
        path = written(there, empty)
        done = import_cameras(path, table(tmp_path, text))
        assert done.added == ("door", "stairs")
        door, stairs = load(path).cameras
        assert (door.name, door.username, stairs.hindsight) == ("Main door", None, 0)
        assert door.password is not None and door.password.secret == "door"  # noqa: S105 (its name)
        assert path.read_text().startswith("version: 1\n")


def test_rows_add_and_change_cameras_and_touch_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    done = import_cameras(
        path,
        table(
            tmp_path,
            "id,name,purpose,source,enabled,hindsight,retention_hours\n"
            "stairs,Stair well,Falls,file:///video.mp4,no,4,\n"
            "bay,Bay,Loading,rtsp://10.0.0.9/a,yes,,12\n",
        ),
    )
    assert (done.added, done.changed, done.kept) == (("bay",), ("stairs",), ("door",))
    door, stairs, bay = load(path).cameras
    assert (stairs.name, stairs.enabled, stairs.hindsight) == ("Stair well", False, 4)
    assert bay.retention is not None and bay.retention.hours == 12
    assert door.masks[0].name == "window"
    text = path.read_text()
    for comment in ("# The hall.", "# north", "# the end of the door"):
        assert comment in text


def test_an_empty_cell_takes_a_value_back(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + FULL)
    import_cameras(path, table(tmp_path, "id,position,retention_hours,retention_gigabytes,verify_tls\nbay,,,,\n"))
    bay = load(path).cameras[2]
    assert (bay.position, bay.retention, bay.verify_tls) == (None, None, True)


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,nme\ndoor,x\n", ["cameras.csv:1: there is no column `nme`; did you mean `name`?"]),
        ("name\nDoor\n", ["cameras.csv:1: the column `id` is required"]),
        ("id,name,name\ndoor,x,x\n", ["cameras.csv:1: the column `name` stands here twice"]),
        ("id,name\ndoor,a\n\ndoor,b\n", ["cameras.csv:4: id: stands here twice"]),
        ("id,name\n,a\n", ["cameras.csv:2: id: is required"]),
        ("id,name\ndoor,a,b\n", ["cameras.csv:2: 3 cells, the first line has 2 columns"]),
        # every problem at once
        (
            "id,hindsight,targets,site\ndoor,many,face,hal\nstairs,3,faces,\n",
            ["cameras.csv:2: hindsight: ", "cameras.csv:3: targets: is not one of the choices"],
        ),
        ("id,site\ndoor,hal\n", ["cameras.csv:2: site: there is no site `hal`; did you mean `hall`?"]),
        ("id,source\ndoor,rtsp://a:hunter2@h/x\n", ["cameras.csv:2: source: a source must not hold a name"]),
        ("id,retention_hours\ndoor,-1\n", ["cameras.csv:2: retention_hours: "]),
        ("id,password_secret,password_env\ndoor,a,b\n", ["cameras.csv:2: password_secret: a password is"]),
        ("id,name\nnew,New\n", ["cameras.csv:2: purpose: is required", "cameras.csv:2: source: is required"]),
        ("id,name,purpose,source\nNew!,New,x,rtsp://h/\n", ["cameras.csv:2: id: is not allowed here"]),
        ("", ["cameras.csv:1: the column `id` is required"]),
    ],
)
def test_a_wrong_table_is_refused_with_line_and_column(tmp_path: Path, text: str, says: list[str]) -> None:
    path = written(tmp_path, GOOD)
    with pytest.raises(SettingsRefused) as refused:
        import_cameras(path, table(tmp_path, text))
    lines = str(refused.value).splitlines()
    assert [one for one in says if not any(line.startswith(one) for line in lines)] == [], lines
    assert "hunter2" not in str(refused.value)
    assert path.read_text() == GOOD


def test_a_hidden_query_of_a_camera_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    with pytest.raises(SettingsRefused, match=r"cameras.csv:2: source: the query of this address was left out"):
        import_cameras(path, table(tmp_path, "id,name,purpose,source\nnew,New,x,rtsp://h/a?***\n"))


def test_the_commands_export_and_import(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    made = tmp_path / "out.csv"
    assert run("cameras", "export", made, "--config", path).exit_code == 0
    assert run("cameras", "export", made, "--config", path).exit_code == 1
    assert run("cameras", "export", made, "--config", path, "--overwrite").exit_code == 0
    assert run("cameras", "export", "-", "--config", path).stdout == made.read_text()
    made.write_text(made.read_text().replace("Main door", "Front door"))
    done = run("cameras", "import", made, "--config", path)
    assert done.exit_code == 0 and "changed: door" in done.stdout
    assert load(path).cameras[0].name == "Front door"
    made.write_text("id,hindsight\ndoor,many\n")
    done = run("cameras", "import", made, "--config", path)
    assert (done.exit_code, done.stderr.startswith("out.csv:2: hindsight: ")) == (2, True)


# --- masks ----------------------------------------------------------------------------------------------------------


def test_masks_are_copied_between_pictures_of_one_size_and_to_others_when_scaled(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + FULL)
    sizes = {"door": (1280, 720), "stairs": (1280, 720), "bay": (640, 480)}
    assert copy_masks(path, "door", ["stairs"], sizes, scaled=False) == 1
    door, stairs, bay = load(path).cameras
    assert (stairs.masks, bay.masks) == (door.masks, ())
    before = path.read_text()
    with pytest.raises(SettingsRefused, match=r"1280x720 and bay has 640x480"):
        copy_masks(path, "door", ["stairs", "bay"], sizes, scaled=False)
    with pytest.raises(SettingsRefused, match="stairs: nothing of it is recorded"):
        copy_masks(path, "door", ["stairs"], {"door": (1, 1)}, scaled=False)
    with pytest.raises(SettingsRefused, match="no camera 'nobody'"):
        copy_masks(path, "door", ["nobody"], sizes, scaled=True)
    assert path.read_text() == before
    assert copy_masks(path, "door", ["bay"], {}, scaled=True) == 1
    assert load(path).cameras[2].masks == door.masks
    # None of a camera without masks: those of the other go.
    copy_masks(path, "bay", ["door"], {}, scaled=True)
    done = run("cameras", "copy-masks", "door", "stairs", "--config", path)
    assert (done.exit_code, "nothing of it is recorded" in done.stderr) == (2, True)
    assert run("cameras", "copy-masks", "door", "stairs", "--scaled", "--config", path).exit_code == 0
