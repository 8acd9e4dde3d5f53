"""An export carries a C2PA manifest that says what was done, and that no byte changed since."""

import json
from pathlib import Path

import av
import c2pa  # type: ignore[import-untyped]  # it has no types
import pytest

from skyveil.app.config import Config, load
from skyveil.app.exports import export
from skyveil.core.errors import SettingsRefused
from skyveil.public.archive.provenance import ASSERTION
from tests.public.archive.credentials import credential
from tests.public.archive.test_archive import HALL, START_S, Site, Stream

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("models")]


def configured(folder: Path, more: str) -> Config:
    path = folder / "skyveil.yaml"
    path.write_text(
        f"version: 1\nserver: {{data: data, keys: keys{more}}}\ncameras:\n  - {{id: hall, name: Hall, purpose: Safety, "
        "source: 'rtsp://10.0.0.1/'}\n"
    )
    return load(path)


def exported(folder: Path, more: str) -> Path:
    site = Site(folder)
    site.record(6, Stream())
    site.recorder.close()
    config = configured(folder, more)
    return export(
        config, site.archive, HALL, START_S, START_S + 10, actor="ada", reason="an accident", to=folder / "out"
    )


def state(path: Path) -> tuple[str, dict[str, list[dict[str, object]]]]:
    with c2pa.Reader(str(path)) as reader:
        told = json.loads(reader.json())
        return str(reader.get_validation_state()), told["manifests"][told["active_manifest"]]


def test_an_export_says_what_it_is_and_shows_whether_a_byte_changed(tmp_path: Path) -> None:
    made = credential(tmp_path)
    path = exported(tmp_path, f", c2pa: {{certificate: {made.certificate.name}, key: {made.key.name}}}")
    valid, manifest = state(path)
    assert valid == "Valid"
    (assertion,) = (one["data"] for one in manifest["assertions"] if one["label"] == ASSERTION)
    statement = json.loads(path.with_suffix(".mp4.statement.json").read_text())
    assert assertion == {
        "camera": "hall",
        "from_s": START_S,
        "to_s": START_S + 10,
        "targets": ["face", "head", "person", "plate"],
        "chain_head": statement["chain_head"]["digest"],
    }
    # It names what was covered when it was made, and does not say when else.
    assert '"face, head, person, plate covered in this export"' in json.dumps(manifest)
    # Who exported it, and why, stands in the statement and the audit log, and does not travel with the file.
    assert "ada" not in json.dumps(manifest) and "accident" not in json.dumps(manifest)
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60
    data = bytearray(path.read_bytes())
    data[data.rindex(b"mdat") + 200] ^= 1
    changed = path.with_name("changed.mp4")
    changed.write_bytes(data)
    assert state(changed)[0] == "Invalid"
    assert sorted(one.suffix for one in path.parent.iterdir()) == [".json", ".json", ".mp4", ".mp4"]


def test_without_a_credential_an_export_is_not_signed(tmp_path: Path) -> None:
    path = exported(tmp_path, "")
    with pytest.raises(c2pa.C2paError):
        state(path)


def test_a_credential_that_is_wrong_gives_no_export(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        credential(tmp_path / name)
    with pytest.raises(SettingsRefused, match="is not that of its certificate"):
        exported(tmp_path, ", c2pa: {certificate: one/chain.pem, key: other/exports.key}")
    with pytest.raises(SettingsRefused, match="can not be read"):
        exported(tmp_path, ", c2pa: {certificate: nothing.pem, key: one/exports.key}")
    assert list((tmp_path / "out").iterdir()) == []
