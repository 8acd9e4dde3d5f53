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
    store = ViewStore(database.engine)
    store.put({HALL: SEEN})
    assert store.trusted() == {}
    store.trust(HALL, at_s=20.0)
    assert store.all() == {HALL: StoredView("", trusted_s=20.0)}
    store.put({HALL: StoredView("0123456789abcdef", SEEN.scenes)})
    assert store.all()[HALL] == StoredView("0123456789abcdef", SEEN.scenes, None, 20.0)
    assert store.trusted() == {HALL: 20.0}
