"""Accounts and audit log on SQLite and on PostgreSQL."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from argon2.exceptions import VerificationError
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from skyveil.core.errors import SettingsRefused, StoreFailed
from skyveil.core.ids import camera_id
from skyveil.public.archive import Heads, KeyStore
from skyveil.public.store import Accounts, AuditLog, open_database
from skyveil.public.store.accounts import AT_ONCE
from skyveil.public.store.roles import Permission, Role, Scope
from skyveil.public.store.tables import audit, metadata, tokens, users
from tests.public.store.databases import postgresql

GOOD = "plenty of goats"


class Clock:
    def __init__(self) -> None:
        self.s = 1_790_000_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("store")
    if request.param == "sqlite":
        made = open_database(folder / "a.sqlite")
        yield made
        made.dispose()
        return
    with postgresql() as url:
        made = open_database(url)
        yield made
        made.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(engine: Engine, clock: Clock) -> Accounts:
    with engine.begin() as connection:
        connection.execute(delete(users))
        connection.execute(delete(audit))
    return Accounts(engine, session_s=3600, now=clock)


def test_the_migrations_make_exactly_the_tables_that_the_code_names(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_an_error_does_not_say_what_the_statement_was_given(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as caught:
        connection.execute(text("SELECT name FROM nowhere WHERE name = :name"), {"name": "a secret"})
    assert "nowhere" in str(caught.value) and "a secret" not in str(caught.value)


def test_no_column_can_hold_who_was_seen(engine: Engine) -> None:
    del engine
    assert {table.name: sorted(table.columns.keys()) for table in metadata.sorted_tables} == {
        "users": ["created_s", "enabled", "id", "last_login_s", "name", "password", "role"],
        "sessions": ["created_s", "digest", "expires_s", "user_id"],
        "login_links": ["digest", "expires_s", "user_id"],
        "tokens": ["digest", "expires_s", "id", "name", "scope", "user_id"],
        "grants": ["camera", "user_id"],
        "audit": ["action", "actor", "at_s", "details", "digest", "id", "object"],
        **{
            f"{audience}_numbers": [
                "camera",
                "measure",
                "period_s",
                "place",
                "quality",
                "sigma",
                "start_s",
                "told",
                "value",
            ]
            for audience in ("control_room", "staff", "public")
        },
        "ledger": ["camera", "day", "epsilon", "measure", "mechanism", "period_s", "place", "sensitivity"],
        "noise": ["camera", "measure", "noise", "period_s", "place", "serial", "start_s"],
        "hour_maps": ["about", "camera", "layout", "measured_s", "place", "squares", "start_s", "until_s"],
        "views": ["calibration", "camera", "moved_s", "scenes", "trusted_s"],
        "alarm_log": [
            "actor",
            "alarm",
            "at_s",
            "camera",
            "cameras",
            "drill",
            "event",
            "id",
            "level",
            "place",
            "words",
        ],
    }


def test_a_password_opens_a_session_until_it_ends(accounts: Accounts, clock: Clock, engine: Engine) -> None:
    assert not accounts.any()
    accounts.add("ada", GOOD, Role.OPERATOR, cameras=["door"])
    assert accounts.any()
    assert accounts.login("ada", "wrong " + GOOD) is None
    assert accounts.login("bob", GOOD) is None
    session = accounts.login("ada", GOOD)
    assert session is not None
    found = accounts.by_session(session)
    assert found is not None and found.name == "ada" and found.role is Role.OPERATOR
    assert found.may(Permission.PLAYBACK, camera_id("door"))
    assert not found.may(Permission.PLAYBACK, camera_id("stairs"))
    assert not found.may(Permission.USERS)
    with engine.connect() as connection:
        stored = " ".join(str(row) for row in connection.execute(text("select * from users")))
    assert GOOD not in stored and "argon2id" in stored
    clock.s += 3601
    assert accounts.by_session(session) is None


def test_logout_password_change_and_disabling_end_sessions(accounts: Accounts) -> None:
    accounts.add("root", GOOD, Role.ADMIN)
    accounts.add("ada", GOOD, Role.VIEWER)
    ends: list[Callable[[str], None]] = [
        accounts.logout,
        lambda _: accounts.set_password("ada", GOOD),
        lambda _: accounts.change("ada", role=Role.OPERATOR),
        lambda _: accounts.change("ada", enabled=False),
    ]
    for end in ends:
        session = accounts.login("ada", GOOD)
        assert session is not None and accounts.by_session(session) is not None
        end(session)
        assert accounts.by_session(session) is None
    assert accounts.login("ada", GOOD) is None


def test_two_passwords_at_most_are_computed_at_a_time(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    all_in, many, computing = threading.Barrier(6), [0], threading.Lock()
    most = []

    class Hasher:
        def verify(self, hashed: str, password: str) -> None:
            del hashed, password
            with computing:
                many[0] += 1
                most.append(many[0])
            with suppress(threading.BrokenBarrierError):
                all_in.wait(0.5)  # were nothing held back, all would meet here
            with computing:
                many[0] -= 1
            raise VerificationError

    monkeypatch.setattr(accounts, "_hasher", Hasher())
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda number: accounts.login(f"name{number}", "guess"), range(6))) == [None] * 6
    assert len(most) == 6 and max(most) <= AT_ONCE == 2


def test_a_login_link_works_once_and_for_ten_minutes(accounts: Accounts, clock: Clock) -> None:
    accounts.add("ada", GOOD, Role.VIEWER)
    link = accounts.new_link("ada")
    assert accounts.login_by_link(link) is not None
    assert accounts.login_by_link(link) is None
    late = accounts.new_link("ada")
    clock.s += 601
    assert accounts.login_by_link(late) is None


def test_a_login_link_of_a_disabled_account_opens_nothing(accounts: Accounts) -> None:
    accounts.add("ada", GOOD, Role.VIEWER)
    link = accounts.new_link("ada")
    accounts.change("ada", enabled=False)
    assert accounts.login_by_link(link) is None
    assert accounts.users()[0].last_login_s is None


def test_another_password_ends_links_and_tokens_of_that_account_alone(accounts: Accounts) -> None:
    for name in ("ada", "bob"):
        accounts.add(name, GOOD, Role.VIEWER)
    links = {name: accounts.new_link(name) for name in ("ada", "bob")}
    made = {name: accounts.new_token(name, "t", Scope.VIEW, days=1) for name in ("ada", "bob")}
    accounts.set_password("ada", "many more goats")
    assert accounts.by_token(made["ada"]) is None and accounts.tokens("ada") == []
    assert accounts.login_by_link(links["ada"]) is None
    assert accounts.by_token(made["bob"]) is not None and accounts.login_by_link(links["bob"]) is not None


def test_an_account_is_made_with_all_its_cameras_or_not_at_all(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsRefused):
        accounts.add("ada", GOOD, Role.VIEWER, cameras=["door", "Bad Id"])
    assert accounts.users() == []

    def away(*_: object) -> None:
        raise SQLAlchemyError("away")

    monkeypatch.setattr("skyveil.public.store.accounts._grant", away)
    with pytest.raises(SQLAlchemyError):
        accounts.add("ada", GOOD, Role.VIEWER, cameras=["door"])
    assert accounts.users() == []


def test_a_token_allows_what_both_it_and_its_owner_may(accounts: Accounts, clock: Clock, engine: Engine) -> None:
    accounts.add("ada", GOOD, Role.VIEWER, cameras=["*"])
    token = accounts.new_token("ada", "prometheus", Scope.RECORDINGS, days=2)
    found = accounts.by_token(token)
    assert found is not None and found.token
    assert found.may(Permission.VIEW, camera_id("door")) and not found.may(Permission.PLAYBACK, camera_id("door"))
    with engine.connect() as connection:
        assert token.encode() not in b"".join(
            bytes(one) for one in connection.execute(select(tokens.c.digest)).scalars()
        )
    (listed,) = accounts.tokens("ada")
    assert accounts.remove_token("ada", listed.id) and not accounts.remove_token("ada", listed.id)
    again = accounts.new_token("ada", "x", Scope.VIEW, days=1)
    clock.s += 86401
    assert accounts.by_token(again) is None


@pytest.mark.parametrize("password", ["short", "passwordpassword", "adaadaadaada1", "aaaaaaaaaaaaaaaa", "x" * 300])
def test_easy_passwords_are_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(SettingsRefused):
        accounts.add("ada", password, Role.VIEWER)


@pytest.mark.parametrize("name", ["", " ada", "a\nb", "(system)", "x" * 65])
def test_names_that_would_confuse_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(SettingsRefused):
        accounts.add(name, GOOD, Role.VIEWER)


def test_a_name_is_taken_once(accounts: Accounts) -> None:
    accounts.add("ada", GOOD, Role.VIEWER)
    with pytest.raises(SettingsRefused):
        accounts.add("ada", GOOD, Role.ADMIN)


def test_the_last_administrator_stays(accounts: Accounts) -> None:
    accounts.add("root", GOOD, Role.ADMIN)
    with pytest.raises(SettingsRefused):
        accounts.remove("root")
    with pytest.raises(SettingsRefused):
        accounts.change("root", enabled=False)
    with pytest.raises(SettingsRefused):
        accounts.change("root", role=Role.VIEWER)
    accounts.add("second", GOOD, Role.ADMIN)
    accounts.remove("root")
    assert [one.name for one in accounts.users()] == ["second"]


def test_an_entry_that_was_changed_removed_or_put_in_is_found(accounts: Accounts, engine: Engine, clock: Clock) -> None:
    del accounts
    log = AuditLog(engine, now=clock)
    for number in range(6):
        log.record("ada", "view.live", "door", {"seconds": number})
    assert log.broken_at() is None
    assert [one.details["seconds"] for one in log.entries(limit=2)] == [5, 4]
    with engine.begin() as connection:
        connection.execute(update(audit).where(audit.c.id == 3).values(actor="bob"))
    assert log.broken_at() == 3
    with engine.begin() as connection:
        connection.execute(update(audit).where(audit.c.id == 3).values(actor="ada"))
    assert log.broken_at() is None
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.id == 4))
    assert log.broken_at() in (4, 5)


@pytest.mark.parametrize("what", ["removed", "rewritten", "emptied"])
def test_an_end_of_the_log_that_was_removed_or_rewritten_is_found(
    accounts: Accounts, engine: Engine, clock: Clock, tmp_path: Path, what: str
) -> None:
    del accounts
    log = AuditLog(engine, Heads(KeyStore(tmp_path / "keys")), now=clock)
    for _ in range(6):
        log.record("ada", "view.live", "door")
    log.publish()
    assert log.broken_at() is None
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.id > {"removed": 5, "rewritten": 3, "emptied": 0}[what]))
    if what != "removed":
        # Who can write the database can make a new chain, and not sign it.
        for _ in range(4):
            AuditLog(engine, now=clock).record("bob", "login")
    assert log.broken_at() == 6
    log.publish()
    log.record("ada", "logout")
    assert log.broken_at() == 6


def test_a_log_whose_signed_entry_was_pruned_is_whole(
    accounts: Accounts, engine: Engine, clock: Clock, tmp_path: Path
) -> None:
    del accounts
    log = AuditLog(engine, Heads(KeyStore(tmp_path / "keys")), now=clock)
    log.record("ada", "login")
    log.publish()
    clock.s += 1000
    log.record("ada", "login")
    log.prune(clock.s - 10)
    assert log.broken_at() is None
    log.publish()
    assert log.broken_at() is None


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("last", [3, 8, 9])
def test_a_beginning_that_was_removed_is_not_taken_for_pruning(
    accounts: Accounts, engine: Engine, clock: Clock, tmp_path: Path, pruned: bool, last: int
) -> None:
    del accounts
    log = AuditLog(engine, Heads(KeyStore(tmp_path / "keys")), now=clock)
    for _ in range(8):
        log.record("ada", "view.live", "door")
        clock.s += 100
    log.publish()
    for _ in range(2):
        log.record("ada", "logout")
    if pruned:
        assert log.prune(clock.s - 650) == 2
        assert log.broken_at() is None
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.id <= last))
    first = 3 if pruned else 1
    assert log.broken_at() == first
    log.publish()
    with engine.begin() as connection:
        connection.execute(update(audit).where(audit.c.id == last + 1).values(at_s=0.0))
    assert log.prune(clock.s - 650) == 0
    assert log.broken_at() == first


def test_a_clock_that_was_set_back_makes_pruning_leave_no_hole(
    accounts: Accounts, engine: Engine, clock: Clock, tmp_path: Path
) -> None:
    del accounts
    log = AuditLog(engine, Heads(KeyStore(tmp_path / "keys")), now=clock)
    for step_s in (5000, -4900, 100, 5000):
        log.record("ada", "login")
        clock.s += step_s
    assert log.prune(clock.s - 5050) == 1  # the third is as old, and stays until the second is
    assert log.broken_at() is None
    log.publish()
    assert log.prune(clock.s - 10) == 2
    assert log.broken_at() is None


def test_pruning_keeps_the_rest_verifiable(accounts: Accounts, engine: Engine, clock: Clock) -> None:
    del accounts
    log = AuditLog(engine, now=clock)
    for _ in range(5):
        log.record("ada", "login")
        clock.s += 100
    assert log.prune(clock.s - 250) == 3
    assert log.broken_at() is None
    log.record("ada", "logout")
    assert log.broken_at() is None and log.prune(clock.s + 1000) == 2


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreFailed):
        open_database(path)
    with pytest.raises(SettingsRefused):
        open_database("mysql://host/name")


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    made = open_database(path)
    with made.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    made.dispose()
    before = path.read_bytes()
    with pytest.raises(StoreFailed, match=r"a\.sqlite is of a newer version: install that"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_server_that_is_not_there_or_says_nothing_is_told_as_that() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=1"
        with pytest.raises(StoreFailed, match="check that PostgreSQL runs, and lets Skyveil in"):
            open_database(url)
        silent.listen()
        with pytest.raises(StoreFailed, match="check that PostgreSQL runs, and lets Skyveil in"):
            open_database(url)


def test_commands_and_the_server_write_to_one_log(engine: Engine, clock: Clock, accounts: Accounts) -> None:
    logs = [AuditLog(engine, now=clock) for _ in range(4)]
    with ThreadPoolExecutor(len(logs)) as pool:
        list(pool.map(lambda turn: logs[turn % len(logs)].record("ada", "view.live", str(turn)), range(60)))
    assert logs[0].broken_at() is None
    assert {entry.object for entry in logs[0].entries()} == {str(turn) for turn in range(60)}
