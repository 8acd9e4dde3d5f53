"""What is known of the views of a site's cameras, over restarts of their processes and of the server. App.

Cameras' own threads bring what changes and never wait for the database; the thread that stores numbers writes it down.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final, final

from skyveil.core.camera import CameraSpec, KnownView
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId
from skyveil.public.store.views import StoredView, ViewStore
from skyveil.public.wire.cameras import ViewSeen

_NOTHING: Final = StoredView("")


@final
class Views:
    """The views of the cameras of a site. Any thread may call it; one calls `tick`."""

    def __init__(
        self, store: ViewStore, trust: Callable[[CameraId], None], *, now: Callable[[], float] = time.time
    ) -> None:
        """trust: has a camera that runs take what it sees now for its calibrated view. Raises SQLAlchemyError."""
        self._store = store
        self._trust = trust
        self._now = now
        self._lock = threading.Lock()
        self._views = store.all()
        self._trusted = store.trusted()
        self._calibrations: dict[CameraId, str] = {}
        self._unwritten: set[CameraId] = set()
        self._kept: Collection[CameraId] | None = None
        """The cameras of another configuration, until the others are forgotten."""

    def configure(self, specs: Mapping[CameraId, CameraSpec], *, cameras: Collection[CameraId]) -> None:
        """Know these cameras; a view of another calibration is not theirs. specs: those that run."""
        with self._lock:
            self._calibrations = {name: _digest(spec) for name, spec in specs.items()}
            self._views = {name: one for name, one in self._views.items() if name in cameras}
            self._kept = frozenset(cameras)

    def of(self, camera: CameraId) -> KnownView:
        """What a process that begins is told of its camera's view."""
        with self._lock:
            one = self._of(camera)
            return KnownView(one.scenes, one.moved_s is not None)

    def seen(self, camera: CameraId, message: ViewSeen) -> None:
        """Take by what a camera says that its view is known again."""
        with self._lock:
            self._set(camera, replace(self._of(camera), scenes=message.scenes))

    def health(self, health: CameraHealth) -> None:
        """Take whether a camera whose pictures come says that it was moved."""
        if health.state is not CameraState.LIVE or health.cause in (Cause.TURNING, Cause.VIEW_UNCHECKED):
            return  # where it points is not known now; every other cause is told of a view that is in place
        moved = health.cause is Cause.MOVED
        with self._lock:
            one = self._of(health.camera)
            if moved != (one.moved_s is not None):
                self._set(health.camera, replace(one, moved_s=self._now() if moved else None))

    def trust(self, camera: CameraId) -> None:
        """Take what a camera sees now for its calibrated view, from now on and after restarts. Raises
        SQLAlchemyError."""
        self._store.trust(camera, at_s=self._now())
        self._take_trusted()

    def tick(self) -> None:
        """Write down what changed, and take what the command line said. Raises SQLAlchemyError."""
        kept = self._kept
        if kept is not None:
            self._store.keep(kept)
            with self._lock:
                self._kept = None if self._kept is kept else self._kept
        self._take_trusted()
        with self._lock:
            changed = {name: self._views[name] for name in self._unwritten if name in self._views}
            trusted = self._trusted
        self._store.put({name: replace(one, trusted_s=trusted.get(name, 0.0)) for name, one in changed.items()})
        with self._lock:
            self._unwritten -= {name for name, one in changed.items() if self._views.get(name) is one}

    def _take_trusted(self) -> None:
        trusted = self._store.trusted()
        newly = [name for name, at_s in trusted.items() if at_s != self._trusted.get(name)]
        with self._lock:
            self._trusted = trusted
            for name in newly:
                self._views.pop(name, None)
                self._unwritten.discard(name)
        for name in newly:
            self._trust(name)

    def _of(self, camera: CameraId) -> StoredView:
        one, calibration = self._views.get(camera, _NOTHING), self._calibrations.get(camera, "")
        return one if one.calibration == calibration else StoredView(calibration)

    def _set(self, camera: CameraId, view: StoredView) -> None:
        self._views[camera] = view
        self._unwritten.add(camera)


def _digest(spec: CameraSpec) -> str:
    """A name for the calibration of a camera; that of none is a name too."""
    text = "" if spec.crowd is None or spec.crowd.calibration is None else spec.crowd.calibration
    return hashlib.sha256(text.encode()).hexdigest()[:16]
