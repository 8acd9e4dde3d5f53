"""What is kept of views, in both databases."""

from skyveil.core.ids import camera_id
from skyveil.public.store.views import StoredView, ViewStore
from tests.public.store.conftest import Database

HALL, DOOR = camera_id("hall"), camera_id("door")
SEEN = StoredView("0123456789abcdef", (((1, 2), (10_000, 0)), ((3, 4),)), 17.5)


def test_a_view_comes_back_as_it_was_put_and_the_newest_stays(database: Database) -> None:
    store = ViewStore(database.engine)
    assert store.all() == {}
    store.put({HALL: SEEN, DOOR: StoredView("a")})
    store.put({DOOR: StoredView("b", moved_s=3.0)})
    assert ViewStore(database.engine).all() == {HALL: SEEN, DOOR: StoredView("b", moved_s=3.0)}
    store.keep([DOOR])
    assert set(store.all()) == {DOOR}


def test_trusting_a_view_forgets_what_was_known_and_stays_when_it_is_learned_anew(database: Database) -> None:
    store, at_s = ViewStore(database.engine), 1_764_193_000.123456
    store.put({HALL: SEEN})
    assert store.trusted() == {}
    store.trust(HALL, at_s=at_s)
    assert store.all() == {HALL: StoredView("", trusted_s=at_s)}
    store.put({HALL: SEEN, DOOR: SEEN})  # who says this does not know yet that it is trusted
    assert store.all() == {HALL: StoredView("", trusted_s=at_s), DOOR: SEEN}
    anew = StoredView("0123456789abcdef", SEEN.scenes, None, at_s)
    store.put({HALL: anew})
    assert store.all()[HALL] == anew
    assert store.trusted() == {HALL: at_s}
