"""The certificate that the server shows, read again when its files were renewed. App, server process."""

import logging
import ssl
from pathlib import Path
from typing import Final, TypeAlias, final

log: Final = logging.getLogger(__name__)
_Mark: TypeAlias = "tuple[int, int, int] | None"


@final
class Certificate:
    """A certificate with its key, as new connections are shown it. Only the event loop's thread touches it, but for
    `problem`."""

    def __init__(self, certificate: Path, key: Path, context: ssl.SSLContext | None = None) -> None:
        """context: what shows it; a new one by default. Raises OSError or ValueError when it can not be used."""
        self._paths = certificate, key
        self.context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._marks = self._marked()
        self._problem = ""
        self._load(self.context)
        self._shown = self.context
        # A context keeps a certificate for each kind of key, so that one of another kind would not be shown: each
        # connection gets the context of the newest one, also where it names no server.
        self.context.sni_callback = self._show

    def renew(self) -> None:
        """Show what lies there now, where it is another; what can not be used is told, and the one of before goes on.

        Connections that are there keep theirs.
        """
        marks = self._marked()
        if marks == self._marks:
            self._problem = ""
            return
        try:
            fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._load(fresh)
        except (OSError, ValueError) as error:
            self._tell(error.strerror or str(error) if isinstance(error, OSError) else str(error))
            return
        self._shown, self._marks, self._problem = fresh, marks, ""
        log.info("%s is shown to who connects from now on", self._paths[0].name)

    def problem(self) -> str:
        """Why what lies there is not shown; empty while it is."""
        return self._problem

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._shown

    def _load(self, context: ssl.SSLContext) -> None:
        # With a passphrase, so that nobody is asked for one: nobody could be when the service runs.
        context.load_cert_chain(*self._paths, password="")

    def _marked(self) -> tuple[_Mark, ...]:
        """What tells that the files are others, behind links as well: certbot puts a link in the place of another."""
        return tuple(map(_mark, self._paths))

    def _tell(self, why: str) -> None:
        certificate, key = self._paths
        problem = f"`server.tls`: {certificate.name} with {key.name} can not be used: {why}; the one of before goes on"
        if problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem


def _mark(path: Path) -> _Mark:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
