"""What a YAML file says, as it was written."""

from pathlib import Path

import pytest

from skyveil.app.config import load
from skyveil.core.errors import SettingsRefused


def written(folder: Path, text: str) -> Path:
    path = folder / "skyveil.yaml"
    path.write_text(f"version: 1\n{text}\n")
    return path


@pytest.mark.parametrize("start", ["22:00", "'22:00'", "06:00"])
def test_a_time_is_taken_as_it_is_written(tmp_path: Path, start: str) -> None:
    """YAML 1.1 reads 22:00 as a number of base 60."""
    quiet = load(written(tmp_path, f"alarms: {{quiet: {{start: {start}, end: 07:30}}}}")).alarms.quiet
    assert quiet is not None and (quiet.start, quiet.end) == (start.strip("'"), "07:30")


@pytest.mark.parametrize("tag", ["!ours", "!!python/name:os.system", "!!set"])
def test_a_tag_of_another_program_is_refused_with_its_line(tmp_path: Path, tag: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^skyveil.yaml:2: the tag `.*` is not read: leave it out$"):
        load(written(tmp_path, f"sites: [{{id: a, name: {tag} x}}]"))


@pytest.mark.parametrize("value", ["!!bool x", "!!timestamp x", "!!int x", "2026-02-45", "2026-02-05"])
def test_a_value_that_is_no_such_thing_is_text(tmp_path: Path, value: str) -> None:
    site = load(written(tmp_path, f"sites: [{{id: a, name: {value}}}]")).sites[0]
    assert site.name == value.rpartition(" ")[2]
