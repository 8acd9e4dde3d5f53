"""Cameras as a table: exported to CSV, imported from it, and their masks copied. App.

A table holds no credential: passwords are names in the secrets file, and the query of an address, which often is a
token, is left out. A row that still says so when it is imported keeps the address that the configuration has.
"""

import csv
import dataclasses
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, final

from pydantic import TypeAdapter, ValidationError

from skyveil.app.config.checks import Where
from skyveil.app.config.document import SIZE_LIMIT, Plain
from skyveil.app.config.edit import change
from skyveil.app.config.load import checked_camera, load, said
from skyveil.app.config.models import Camera, Config
from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import SafeUrl

Row: TypeAlias = dict[str, str]
_HIDDEN_QUERY: Final = "?***"
_NESTED: Final = {
    "password_secret": ("password", "secret"),
    "password_env": ("password", "env"),
    "retention_hours": ("retention", "hours"),
    "retention_gigabytes": ("retention", "gigabytes"),
}
"""Columns that are a key of a key."""
_LISTS: Final = ("targets", "position")
"""Columns of several values with spaces between."""
_ELSEWHERE: Final = ("masks", "calibration", "zones", "lines", "density_network", "password", "retention")
_KEYS: Final = [one.name for one in dataclasses.fields(Camera) if one.name not in _ELSEWHERE]
COLUMNS: Final = (*_KEYS, *_NESTED)
"""Every column, in the order of an export. Shapes (masks, zones, lines) and what belongs to them are no table."""
_DEFAULTS: Final[dict[str, Plain]] = {"place": "", "verify_tls": True, "enabled": True, "restream": False}
"""What an empty cell means where a key can not be null."""
_ADAPTER: Final = TypeAdapter(Camera)


@final
@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: ids of cameras that came, changed, and were in the configuration only and stay."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]


def export_cameras(config: Config) -> str:
    """The cameras of a configuration as CSV (RFC 4180)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for camera in config.cameras:
        writer.writerow(_row(camera))
    return text.getvalue()


def import_cameras(path: Path, table: Path) -> Imported:
    """Write a table's cameras into the configuration at `path`; every other byte of it stays.

    A column that the table does not have stays as it is, and so does a camera. Raises SettingsRefused with every
    problem, by line and column of the table; nothing is changed then.
    """
    config = load(path)
    known = {camera.id: camera for camera in config.cameras}
    rows = _read(table)
    problems: list[str] = []
    changes: dict[str, dict[str, Plain]] = {}
    added: list[str] = []
    for line, row in rows:
        old = known.get(row["id"])
        values = _changed(row, old)
        camera, wrong = _made(values, old)
        if old is None and str(values.get("source", "")).endswith(_HIDDEN_QUERY):
            wrong.append((("source",), "the query of this address was left out of the table: write all of it"))
        if camera is not None:
            wrong += [(where, text) for where, text in checked_camera(config, camera, ())]
        problems += [f"{table.name}:{line}: {_column(where)}: {text}" for where, text in wrong]
        if old is None:
            added.append(row["id"])
        if values:
            changes[row["id"]] = values
    if problems:
        raise SettingsRefused("\n".join(problems))
    if changes:
        change(path, changes)
    named = {row["id"] for _, row in rows}
    return Imported(
        tuple(added),
        tuple(name for name in changes if name in known),
        tuple(name for name in known if name not in named),
    )


# --- out ------------------------------------------------------------------------------------------------------------


def _row(camera: Camera) -> Row:
    row: Row = {key: _cell(getattr(camera, key)) for key in _KEYS}
    row["source"] = str(SafeUrl(camera.source))
    for column, (key, part) in _NESTED.items():
        below = getattr(camera, key)
        row[column] = "" if below is None else _cell(getattr(below, part))
    return row


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(_cell(one) for one in value)
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)


# --- in -------------------------------------------------------------------------------------------------------------


def _read(table: Path) -> list[tuple[int, Row]]:
    """Every row with its line. Commas or semicolons, with or without a byte-order mark, as spreadsheets write them."""
    try:
        if table.stat().st_size > SIZE_LIMIT:
            raise SettingsRefused(f"{table.name} is larger than {SIZE_LIMIT >> 20} MB: it is no table of cameras")
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsRefused(f"{table}: the table can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsRefused(f"{table.name} is not UTF-8 text") from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        columns = [one.strip() for one in next(reader, [])]
        problems = list(_wrong_columns(table, columns))
        rows = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                problems.append(
                    f"{table.name}:{reader.line_num}: {len(cells)} cells, the first line has {len(columns)} columns"
                )
            rows.append((reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=False))))
    except csv.Error as error:
        raise SettingsRefused(f"{table.name}: this is no CSV: {error}") from error
    seen: set[str] = set()
    for line, row in rows:
        name = row.get("id", "")
        if not name or name in seen:
            problems.append(f"{table.name}:{line}: id: " + ("stands here twice" if name else "is required"))
        seen.add(name)
    if problems:
        raise SettingsRefused("\n".join(problems))
    return rows


def _wrong_columns(table: Path, columns: Sequence[str]) -> Iterator[str]:
    for index, column in enumerate(columns):
        if column not in COLUMNS:
            close = difflib.get_close_matches(column, COLUMNS, 1)
            yield f"{table.name}:1: there is no column `{column}`" + (f"; did you mean `{close[0]}`?" if close else "")
        elif column in columns[:index]:
            yield f"{table.name}:1: the column `{column}` stands here twice"
    if "id" not in columns:
        yield f"{table.name}:1: the column `id` is required"


def _changed(row: Row, old: Camera | None) -> dict[str, Plain]:
    """The keys of a camera that a row sets to something else, with their values."""
    before = {} if old is None else _row(old)
    cells = {
        column: cell
        for column, cell in row.items()
        if cell != before.get(column, "")
        and not (column == "source" and cell.endswith(_HIDDEN_QUERY) and old is not None)
    }
    values: dict[str, Plain] = {}
    for column, cell in cells.items():
        if column in _NESTED:
            key = _NESTED[column][0]
            below = {part: row.get(name, before.get(name, "")) for name, (of, part) in _NESTED.items() if of == key}
            filled: dict[str, Plain] = {part: _value(part, text) for part, text in below.items() if text}
            values[key] = filled or None
        else:
            values[column] = _value(column, cell)
    return values


def _value(column: str, cell: str) -> Plain:
    """A cell as YAML would have it; pydantic reads numbers and yes or no out of text."""
    if not cell:
        return _DEFAULTS.get(column)
    if column in _LISTS:
        return [_number_or_text(one) for one in cell.split()]
    if column in ("verify_tls", "enabled", "record", "restream") and cell.lower() in ("yes", "true", "no", "false"):
        return cell.lower() in ("yes", "true")
    return _number_or_text(cell) if column in ("hindsight", "max_fps", "hours", "gigabytes") else cell


def _number_or_text(text: str) -> Plain:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _made(values: Mapping[str, Plain], old: Camera | None) -> tuple[Camera | None, list[tuple[Where, str]]]:
    """The camera with these values, or what is wrong with them."""
    whole = {} if old is None else {one: getattr(old, one) for one in (*_KEYS, *_ELSEWHERE)}
    try:
        return _ADAPTER.validate_python({**whole, **values}, strict=False), []
    except ValidationError as error:
        return None, [(one["loc"], said(one["type"], one["msg"])) for one in error.errors()]


def _column(where: Where) -> str:
    """The column in which a wrong value stands."""
    names = [str(one) for one in where[:2]] or ["id"]
    nested = [column for column, path in _NESTED.items() if list(path)[: len(names)] == names]
    return (nested or names)[0]
