"""`skyveil run`: cameras, console and API in one process beside the cameras' own. App."""

import asyncio
import gc
import ipaddress
import logging
import signal
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Final, final

import h11
import uvicorn
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from uvicorn.protocols.http.h11_impl import H11Protocol

from skyveil import __version__
from skyveil.app.certificate import Certificate
from skyveil.app.config import Config, load, refuse_unusable_server
from skyveil.app.owner import only_server, refuse_for_root
from skyveil.app.site import LiveSite, log_refused
from skyveil.app.supervisor import COMMAND
from skyveil.app.voucher import voucher_of
from skyveil.core.errors import SettingsRefused, SkyveilError
from skyveil.public.archive import Heads, KeyStore
from skyveil.public.live.hub import Hub
from skyveil.public.store import Accounts, AuditLog, open_database
from skyveil.public.store.audit import SYSTEM
from skyveil.public.web.app import create_app
from skyveil.public.web.state import Console

log: Final = logging.getLogger(__name__)
_STOP_S: Final = 2
_HOUSEKEEPING_S: Final = 60.0
_HEADER_LIMIT: Final = 32 << 10
FIRST_REQUEST_S: Final = 10.0
"""Within this a connection must have brought the whole head of its first request."""
REQUEST_S: Final = 40.0
"""Within this a request must be whole: longer than `BODY_S`, after which whoever reads its body is told so."""


def database_of(config: Config) -> Engine:
    """The database of a configuration; StoreFailed, and SettingsRefused for root where it is another account's."""
    refuse_for_root(config)
    if config.server.database is not None:
        return open_database(config.server.database)
    config.server.data.mkdir(parents=True, exist_ok=True, mode=0o750)
    return open_database(config.server.data / "skyveil.sqlite")


def accounts_of(config: Config, engine: Engine) -> Accounts:
    """The accounts in a database."""
    return Accounts(engine, session_s=config.server.session_hours * 3600)


def audit_of(config: Config, engine: Engine) -> AuditLog:
    """The audit log in a database, with its signed head beside the keys of the recordings."""
    return AuditLog(engine, Heads(KeyStore(config.server.keys)))


def is_loopback(bind: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return bind == "localhost" or ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def address_of(config: Config) -> str:
    """Where the console is reached: as the configuration says, else where the server listens."""
    server = config.server
    if config.alarms.link:
        return config.alarms.link
    host = f"[{server.bind}]" if ":" in server.bind else server.bind
    return f"{'http' if server.tls is None else 'https'}://{host}:{server.port}"


@final
class _Uvicorn(uvicorn.Server):
    """Serves until told to stop; signals are ours."""

    def install_signal_handlers(self) -> None:
        """None: see `_serve`."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # it is a generator there
        """None."""
        return nullcontext()


@final
class ImpatientProtocol(H11Protocol):
    """Closes a connection whose request is not there in time: uvicorn itself waits for it for ever.

    Only the event loop's thread touches it. uvicorn's `limit_concurrency` is no help here, and is left out on purpose:
    it closes nothing, counts connections that ask nothing, and answers 503 to everybody else, `/healthz` included.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(FIRST_REQUEST_S, self._too_late)
        self._begun = False

    def data_received(self, data: bytes) -> None:
        """Go on with a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with the next request, which may have come meanwhile."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Give a request that has begun its time, and its answer all that it takes."""
        begun: object = self.cycle  # uvicorn types it as if it were never None
        if begun is None:
            return  # the head of the first one has its time since the connection
        theirs = self.conn.their_state
        half = theirs is h11.SEND_BODY or (theirs is h11.IDLE and bool(self.conn.trailing_data[0]))
        if not half:
            self._deadline.cancel()
        elif self._deadline.cancelled() or not self._begun:
            self._deadline.cancel()
            self._deadline = self.loop.call_later(REQUEST_S, self._too_late)
        self._begun = True

    def _too_late(self) -> None:
        # A WebSocket has a protocol of its own, and is no connection of this one any more.
        if self in self.connections:
            self.transport.close()


def serve(path: Path, *, command: Sequence[str] = COMMAND) -> None:
    """Run the site of a configuration until SIGTERM or SIGINT. SIGHUP reads the configuration again.

    Raises SettingsRefused, ModelMissing or StoreFailed when it can not begin.
    """
    config = load(path)
    refuse_for_root(config)
    refuse_unusable_server(config.server)
    with only_server(config), ExitStack() as stack:
        engine = database_of(config)
        stack.callback(engine.dispose)
        accounts = accounts_of(config, engine)
        if not is_loopback(config.server.bind) and not accounts.any():
            raise SettingsRefused(
                f"the server would listen on {config.server.bind} without an account: run `skyveil user add` first"
            )
        asyncio.run(_serve(path, config, engine, accounts, command))


async def _serve(path: Path, config: Config, engine: Engine, accounts: Accounts, command: Sequence[str]) -> None:
    hub, audit = Hub(), audit_of(config, engine)
    site = LiveSite(path, hub, audit, engine, command=command)
    secure = config.server.tls is not None or config.server.behind_tls_proxy
    console = Console(
        accounts,
        audit,
        hub,
        site,
        site.recordings,
        site.crowd,
        secure=secure,
        behind_proxy=config.server.behind_tls_proxy,
        version=__version__,
        started_s=time.time(),
        voucher=voucher_of(config),
    )
    tls = config.server.tls
    server = _Uvicorn(
        uvicorn.Config(
            create_app(console),
            host=config.server.bind,
            port=config.server.port,
            http=ImpatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_STOP_S,
            h11_max_incomplete_event_size=_HEADER_LIMIT,
            ws_max_size=1 << 16,
            ws_per_message_deflate=False,  # video does not shrink
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else tls.key,
        )
    )
    if tls is not None:
        server.config.load()
        site.certificate = Certificate(tls.certificate, tls.key, server.config.ssl)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server)
    reloads: set[asyncio.Task[None]] = set()

    def again() -> None:
        task = asyncio.create_task(_reload(site, audit))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, again)
    audit.record(SYSTEM, "server.start", "", {"version": __version__, "cameras": len(config.cameras)})
    site.start(loop)
    keeping = asyncio.create_task(_keep_house(site, audit))
    log.info("listening on %s port %d", config.server.bind, config.server.port)
    if not accounts.any():
        log.warning("there is no account yet, so nobody can log in: run `skyveil user add NAME --role admin`")
    gc.freeze()  # what is loaded by now stays; looking through it for garbage stopped all pictures for 120 ms
    try:
        await server.serve()
    finally:
        keeping.cancel()
        await asyncio.to_thread(site.close)
        site.restreaming.close()
        await site.telling.close()
        audit.record(SYSTEM, "server.stop")
        audit.publish()


def _stop(server: _Uvicorn) -> None:
    server.should_exit = True


async def _reload(site: LiveSite, audit: AuditLog) -> None:
    site.renew_certificates()
    try:
        changed = await asyncio.to_thread(site.reload)
    except SkyveilError as error:
        log_refused(error)
        return
    await asyncio.to_thread(audit.record, SYSTEM, "config.reload", "", {"changed": changed[:200]})


async def _keep_house(site: LiveSite, audit: AuditLog) -> None:
    """Delete what is too old, and look for a renewed certificate, once a minute."""
    while True:
        site.renew_certificates()
        await asyncio.to_thread(site.recordings.sweep)
        try:
            oldest_s = time.time() - site.config.server.audit_days * 86400
            await asyncio.to_thread(audit.prune, oldest_s)
            await asyncio.to_thread(site.crowd.prune, oldest_s)
            await asyncio.to_thread(audit.publish)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the audit log can not be kept: %s", type(error).__name__)
        await asyncio.sleep(_HOUSEKEEPING_S)
