"""What cameras need of a machine."""

import pytest

from skyveil.app import sizing
from skyveil.app.sizing import PUBLISHED_MS, Machine, measured, plan
from skyveil.core.errors import ModelMissing


def test_a_plan_grows_with_its_cameras_and_with_what_a_picture_costs() -> None:
    small, large = plan(4), plan(40)
    assert large.cores > 9 * small.cores > 0
    assert large.disk_gb_per_day == 10 * small.disk_gb_per_day
    slow = plan(4, Machine(20.0, 2 * PUBLISHED_MS - 20.0, "f32"))
    assert slow.cores == pytest.approx(2 * small.cores, abs=0.11)
    assert (small.measured, small.carries) == (False, None)


def test_a_machine_carries_what_its_processors_do_with_room_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "processors", lambda: 4)
    size = plan(1, Machine(15.0, 5.0, "f32"))  # 0.2 cores a camera, 0.3 with room
    assert (size.measured, size.carries, size.cpu_ms_per_picture) == (True, 13, 20.0)


def test_a_picture_costs_its_share_of_a_look_and_what_grows_with_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "_networks", lambda: (10.0, "f32"))
    machine = measured()
    assert machine is not None
    assert machine.networks_ms == 10.0 and machine.precision == "f32"
    assert 0.1 < machine.beside_ms < 1000  # real codecs, on whatever machine this is
    assert machine.picture_ms == machine.networks_ms + machine.beside_ms


def test_without_networks_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(settings: object, *, verify: bool) -> dict[str, str]:
        raise ModelMissing("not on this machine")

    monkeypatch.setattr(sizing, "ensure_for", missing)
    assert measured() is None
