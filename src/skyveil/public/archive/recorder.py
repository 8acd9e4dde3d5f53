"""Records all cameras of a site, and deletes what is too old. Public side."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from skyveil.core.errors import RecordingMissing
from skyveil.core.ids import CameraId
from skyveil.public.archive.chain import cameras_of
from skyveil.public.archive.clock import Clock
from skyveil.public.archive.heads import Heads, of_camera
from skyveil.public.archive.holds import Holds
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.recording import Recording
from skyveil.public.archive.retention import Policy, Retention
from skyveil.public.live.fragments import Fragment

log: Final = logging.getLogger(__name__)
_USUAL: Final = Policy()


@final
class Recorder:
    """Records all cameras of a site. `take` comes on each camera's own thread; one lock per camera orders it all."""

    def __init__(
        self,
        folder: Path,
        keys: KeyStore,
        holds: Holds,
        *,
        floor_bytes: float,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._holds = holds
        self._floor_bytes = floor_bytes
        self._now = now
        self._clock = Clock(now, monotonic)
        self._doubt = ""
        self._heads = Heads(keys, now=self._clock.believed_s)
        self._lock = threading.Lock()
        self._cameras: dict[CameraId, Recording] = {}
        self._retentions: dict[CameraId, Retention] = {}
        self._full = False
        self._uncleared: dict[CameraId, str] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    def begin(self, camera: CameraId, init: bytes) -> None:
        """A camera's stream begins, or begins anew with another size."""
        one = self._camera(camera)
        with one.lock:
            one.begin(init)

    def take(self, camera: CameraId, fragment: Fragment, wall_s: float) -> None:
        """Store a fragment of a camera, shown at this unix time."""
        if self._full:
            return
        one = self._camera(camera)
        with one.lock:
            one.take(fragment, wall_s)

    def note(self, camera: CameraId, cause: str) -> None:
        """Why the next gap of this camera, if there is one, began."""
        one = self._camera(camera)
        with one.lock:
            one.cause = one.cause or cause

    def sweep(self, policies: dict[CameraId, Policy], default: Policy = _USUAL) -> None:
        """Delete what is too old or too much (`default`: of other cameras); record nothing below the disk's floor.

        Nothing is deleted while the clock is not to be believed. What fails is one of the `problems`: a camera whose
        recordings can not be deleted keeps no other's.
        """
        self._full = shutil.disk_usage(self._folder).free < self._floor_bytes
        names = cameras_of(self._folder)
        heads = [head for name in names if (head := self._heads.of(of_camera(name))) is not None]
        longest_h = max(one.hours for one in (*policies.values(), default))
        self._doubt = self._clock.check(max((head.at_s for head in heads), default=None), longest_h * 3600)
        if self._doubt:
            log.warning("%s", self._doubt)
        uncleared: dict[CameraId, str] = {}
        for name in names:
            try:
                self._sweep_camera(name, policies.get(name, default))
            except (OSError, RecordingMissing) as error:
                uncleared[name] = f"recordings can not be cleared: {error}"
                log.warning("%s: %s", name, uncleared[name])
        self._uncleared = uncleared

    def _sweep_camera(self, name: CameraId, policy: Policy) -> None:
        one, now_s = self._camera(name), self._now()
        with one.lock:
            if self._full:
                one.close()
                one.cause = "disk-full"
            one.tidy(now_s)
            try:
                if not self._doubt:
                    self._retention(name).sweep(now_s, policy, one.writing)
            finally:
                # After deleting: a head can not be written on a full disk, and deleting is what makes room.
                one.publish()

    def problems(self) -> list[str]:
        """What keeps recordings from being made, or from being deleted."""
        found = [f"{name}: {one.trouble}" for name, one in tuple(self._cameras.items()) if one.trouble]
        found += [f"{name}: {what}" for name, what in self._uncleared.items()]
        found += [self._doubt] if self._doubt else []
        return [*(["the disk is full to its floor: nothing is recorded"] if self._full else []), *found]

    def close(self) -> None:
        """Close every open segment, and sign how far each chain has come."""
        for one in tuple(self._cameras.values()):
            with one.lock:
                one.close()
                with suppress(OSError):  # the next start signs it
                    one.publish()

    def _camera(self, camera: CameraId) -> Recording:
        with self._lock:
            if camera not in self._cameras:
                self._cameras[camera] = Recording(self._folder / camera, camera, self._keys, self._heads)
            return self._cameras[camera]

    def _retention(self, camera: CameraId) -> Retention:
        """What one camera's deleting remembers; only `sweep` asks for it, on one thread."""
        if camera not in self._retentions:
            self._retentions[camera] = Retention(self._folder / camera, camera, self._keys, self._holds)
        return self._retentions[camera]
