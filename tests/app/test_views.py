"""What is known of views outlives processes and servers, and ends when somebody looked or calibrated anew."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from skyveil.app.views import Views
from skyveil.core.camera import CameraSpec, CrowdSpec, KnownView, ZoneSpec
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.core.secret import SafeUrl
from skyveil.public.store import open_database
from skyveil.public.store.views import StoredView, ViewStore
from skyveil.public.wire.cameras import ViewSeen
from tests.cli.running import run

HALL = camera_id("hall")
ZONE = ZoneSpec(PlaceId("floor"), "walkway", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)))
SPEC = CameraSpec(HALL, SafeUrl("rtsp://h/a"), crowd=CrowdSpec((ZONE,), calibration="first"))
SEEN = ViewSeen((((1, 2), (3, 4)), ((5, 6),)))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "skyveil.sqlite")
    yield engine
    engine.dispose()


def begun(engine: Engine, spec: CameraSpec = SPEC, told: list[CameraId] | None = None) -> Views:
    """The views of a server that begins."""
    views = Views(ViewStore(engine), ([] if told is None else told).append, now=lambda: 50.0)
    views.configure({spec.id: spec}, cameras=[spec.id])
    return views


def health(cause: Cause, state: CameraState = CameraState.LIVE) -> CameraHealth:
    return CameraHealth(HALL, state, cause, 1.0)


def test_a_view_and_that_it_was_moved_outlive_the_server(engine: Engine) -> None:
    views = begun(engine)
    assert views.of(HALL) == KnownView()
    views.seen(HALL, SEEN)
    views.health(health(Cause.MOVED))
    assert views.of(HALL) == KnownView(SEEN.scenes, moved=True)  # for a process that begins anew
    assert begun(engine).of(HALL) == KnownView()
    views.tick()
    assert begun(engine).of(HALL) == KnownView(SEEN.scenes, moved=True)


def test_only_a_picture_says_that_a_camera_is_not_moved_any_more(engine: Engine) -> None:
    views = begun(engine)
    views.health(health(Cause.MOVED))
    for other in (
        health(Cause.CONNECTING, CameraState.STARTING), health(Cause.OK, CameraState.STOPPED),
        health(Cause.FROZEN, CameraState.STALE), health(Cause.TURNING),
        health(Cause.VIEW_UNCHECKED),
    ):  # fmt: skip
        views.health(other)
        assert views.of(HALL).moved
    views.health(health(Cause.OK))
    assert not views.of(HALL).moved


def test_what_fails_beside_the_view_says_that_a_camera_is_not_moved(engine: Engine) -> None:
    views = begun(engine)
    views.health(health(Cause.MOVED))
    views.health(health(Cause.DENSITY_MISSING))
    assert not views.of(HALL).moved


def test_another_calibration_has_another_view_and_other_zones_have_the_same(engine: Engine) -> None:
    views = begun(engine)
    views.seen(HALL, SEEN)
    views.health(health(Cause.MOVED))
    views.tick()
    other_zone = replace(SPEC, crowd=CrowdSpec((replace(ZONE, use="queue"),), calibration="first"))
    assert begun(engine, other_zone).of(HALL) == KnownView(SEEN.scenes, moved=True)
    anew = replace(SPEC, crowd=CrowdSpec((ZONE,), calibration="second"))
    views.configure({HALL: anew}, cameras=[HALL])
    assert views.of(HALL) == KnownView()
    assert begun(engine, anew).of(HALL) == KnownView()


def test_who_looked_at_a_view_ends_it_for_the_process_and_for_later_ones(engine: Engine) -> None:
    told: list[CameraId] = []
    views = begun(engine, told=told)
    views.seen(HALL, SEEN)
    views.health(health(Cause.MOVED))
    views.tick()
    views.trust(HALL)
    assert told == [HALL] and views.of(HALL) == KnownView()
    views.tick()
    assert told == [HALL] and begun(engine).of(HALL) == KnownView()


def test_who_looks_at_a_view_while_it_is_written_down_is_not_overruled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, put = ViewStore(engine), ViewStore.put
    views = begun(engine)
    views.health(health(Cause.MOVED))
    views.tick()
    views.seen(HALL, SEEN)

    def trusted_meanwhile(one: ViewStore, changed: Mapping[CameraId, StoredView]) -> None:
        store.trust(HALL, at_s=60.0)
        put(one, changed)

    with monkeypatch.context() as patched:
        patched.setattr(ViewStore, "put", trusted_meanwhile)
        views.tick()
    assert begun(engine).of(HALL) == KnownView()
    views.tick()
    assert views.of(HALL) == KnownView()
    # And what is seen from then on is written down.
    views.seen(HALL, SEEN)
    views.tick()
    assert begun(engine).of(HALL) == KnownView(SEEN.scenes)


def test_the_command_line_is_heard_by_a_server_that_runs(engine: Engine, tmp_path: Path) -> None:
    told: list[CameraId] = []
    views = begun(engine, told=told)
    views.health(health(Cause.MOVED))
    views.tick()
    path = tmp_path / "skyveil.yaml"
    path.write_text(
        f"version: 1\nserver: {{data: {tmp_path}, keys: {tmp_path.parent / 'keys'}}}\n"
        "cameras: [{id: hall, name: Hall, purpose: Safety, place: Hall, source: 'rtsp://h/a'}]\n"
    )
    ran = run("cameras", "trust-view", "hall", "--config", str(path), module="skyveil.cli.main")
    assert ran.code == 0, ran.err
    views.tick()
    assert told == [HALL] and not views.of(HALL).moved
    unknown = run("cameras", "trust-view", "none", "--config", str(path), module="skyveil.cli.main")
    assert unknown.code == 2 and "no camera" in unknown.err


def test_cameras_that_are_gone_are_forgotten_and_those_switched_off_are_not(engine: Engine) -> None:
    views = begun(engine)
    views.seen(HALL, SEEN)
    views.tick()
    views.configure({}, cameras=[HALL])
    views.tick()
    assert set(ViewStore(engine).all()) == {HALL}
    views.configure({}, cameras=[])
    views.tick()
    assert ViewStore(engine).all() == {}


def test_cameras_that_are_gone_are_forgotten_though_the_database_is_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = begun(engine)
    views.seen(HALL, SEEN)
    views.tick()
    views.configure({}, cameras=[])

    def away(*_: object) -> None:
        raise SQLAlchemyError

    with monkeypatch.context() as patched:
        patched.setattr(ViewStore, "keep", away)
        with pytest.raises(SQLAlchemyError):
            views.tick()
    views.tick()
    assert ViewStore(engine).all() == {}


def test_a_database_that_is_away_loses_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    views = begun(engine)
    views.seen(HALL, SEEN)

    def away(*_: object) -> None:
        raise SQLAlchemyError

    with monkeypatch.context() as patched:
        patched.setattr(ViewStore, "put", away)
        with pytest.raises(SQLAlchemyError):
            views.tick()
    views.tick()
    assert begun(engine).of(HALL) == KnownView(SEEN.scenes)
