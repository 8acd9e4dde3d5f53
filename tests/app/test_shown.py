"""What the console shows of a configuration."""

from pathlib import Path

from skyveil.app.config import load
from skyveil.app.shown import cameras_in


def test_a_camera_is_in_the_time_zone_of_its_site_else_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "skyveil.yaml"
    path.write_text(
        "version: 1\nserver: {timezone: Europe/Zurich}\n"
        "sites:\n  - {id: port, name: Port, timezone: Pacific/Auckland}\n  - {id: hall, name: Hall}\ncameras:\n"
        + "".join(
            f"  - {{id: {name}, name: {name}, purpose: Safety, source: 'rtsp://10.0.0.1/'{site}}}\n"
            for name, site in (("quay", ", site: port"), ("door", ", site: hall"), ("street", ""))
        )
    )
    assert {one.id: one.timezone for one in cameras_in(load(path))} == {
        "quay": "Pacific/Auckland",
        "door": "Europe/Zurich",
        "street": "Europe/Zurich",
    }
