"""Many files through few workers, each output checked before it gets its name. App, parent side: no raw pixel here.

One slot is one thread with one worker process, which begins the next picture while the one before is being written. A
worker that dies or hangs fails its file with the cause, and the next file gets a new worker. A signal ends the workers
first; then nothing can be half-done, because every output is a `.part` until it is complete, checked, flushed and,
where that was asked for, verified.
"""

import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, TypeAlias, final

from skyveil.app.jobs import Job, Plan, writable
from skyveil.app.made import sha256_of, told_hash
from skyveil.app.names import shown
from skyveil.app.process import COMMAND, SILENT_S, Worker
from skyveil.app.recording import Recorded, independent, recording, suspects_in
from skyveil.app.task import Begin, Sound, Task, settings_json, with_masks
from skyveil.core.errors import OutputRefused, SkyveilError, WorkerFailed
from skyveil.core.settings import Mask, RedactSettings
from skyveil.public.record.output import flush_folders
from skyveil.public.record.result import FileSide, Result, Verified, read_result, write_result
from skyveil.public.record.writer import CONTAINERS
from skyveil.public.wire import Finished, Progress, Suspect

_BLOCK: Final = 1 << 20
_SUSPECT_GROWTH: Final = 0.25
"""A suspect is covered with this share of its sides around it: what a detector finds twice it finds shifted."""
_SUSPECT_AROUND_S: Final = 0.5
"""And for this long before and after: verify does not look at every frame."""


@final
@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about its files, beside what is covered in them."""

    overwrite: bool = False
    slots: int = 1
    input_hash: bool = True
    verify: bool = False
    models: Mapping[str, Path] = field(default_factory=dict)
    command: Sequence[str] = COMMAND
    silent_s: float = SILENT_S


@final
@dataclass(frozen=True, slots=True)
class Advanced:
    """A file has come this far; `expected` is what its container promises."""

    job: Job
    frames: int
    expected: int | None


@final
@dataclass(frozen=True, slots=True)
class Done:
    """A file is finished and checked; `suspects` are those left by --verify."""

    job: Job
    result: Result
    suspects: tuple[Suspect, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Already:
    """An earlier run did this file with the same settings, and its output is unchanged."""

    job: Job
    damaged: bool


@final
@dataclass(frozen=True, slots=True)
class Lost:
    """A file failed; nothing lies under its final name that was not there before."""

    job: Job
    error: SkyveilError


Event: TypeAlias = Advanced | Done | Already | Lost


@final
class Stopped(Exception):
    """A signal asked the run to end; everything of ours is cleared away by the time it is raised."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; nothing is left half-done")
        self.exit_code = 128 + number


@final
class Batch:
    """One run over a plan. Make it, then iterate over `run` once, in the main thread."""

    def __init__(self, plan: Plan, settings: RedactSettings, options: Options) -> None:
        self._plan = plan
        self._settings = settings
        self._options = options
        self._waiting = deque(plan.jobs)
        self._slots = max(1, min(options.slots, len(plan.jobs)))
        self._events: queue.Queue[Event | None] = queue.Queue(maxsize=64)  # a slow screen makes the slots wait
        self._stop = threading.Event()
        self._workers: set[Worker] = set()
        self._lock = threading.RLock()  # the signal handler may come while the main thread holds it

    def run(self) -> Iterator[Event]:
        """What happens, as it happens. Raises Stopped after SIGINT or SIGTERM, when all is cleared away."""
        threads = [threading.Thread(target=self._slot, name=f"slot-{index}") for index in range(self._slots)]
        with _signals(self._halt) as caught:
            for thread in threads:
                thread.start()
            try:
                yield from self._until_idle(self._slots)
            finally:
                self._end(threads)
                flush_folders(job.output.parent for job in self._plan.jobs if job.output.is_file())
        if caught:
            raise Stopped(caught[0])

    def _until_idle(self, slots: int) -> Iterator[Event]:
        running = slots
        while running:
            event = self._events.get()
            if event is None:
                running -= 1
            else:
                yield event

    def _halt(self) -> None:
        """No new file, and every worker ends now."""
        self._stop.set()
        with self._lock:
            for worker in self._workers:
                worker.kill()

    def _end(self, threads: list[threading.Thread]) -> None:
        """Wait for the slots; what they still tell is dropped."""
        self._halt()
        for thread in threads:
            while thread.is_alive():
                with suppress(queue.Empty):
                    self._events.get(timeout=0.05)
            thread.join()

    def _slot(self) -> None:
        """One slot's life: jobs until none is left, each with the worker of the one before while that lives."""
        slot = _Slot()
        try:
            job = self._next()
            while job is not None and not self._stop.is_set():
                then = self._next(behind=job)
                try:
                    self._one(job, then, slot)
                except SkyveilError as error:
                    self._lost(job, error)
                except Exception as error:  # the loop over files: one that hits a bug must not take the others along
                    self._lost(job, WorkerFailed(f"unexpected {type(error).__name__}: {error}; please report it"))
                job = then or self._next()
        finally:
            self._release(slot)
            self._events.put(None)

    def _next(self, *, behind: Job | None = None) -> Job | None:
        """Take the next file. To wait behind another: only a picture that is to be made, not behind a video, and only
        while there is one left for every slot."""
        with self._lock:
            if not self._waiting or (behind is not None and not self._may_wait(self._waiting[0], behind)):
                return None
            return self._waiting.popleft()

    def _may_wait(self, job: Job, behind: Job) -> bool:
        made = job.output.exists() and not self._options.overwrite
        enough = len(self._waiting) >= self._slots
        return enough and job.kind == behind.kind == "still" and not made and not self._options.verify

    def _lost(self, job: Job, error: SkyveilError) -> None:
        """Tell of a failure, unless it is only that we ended the workers."""
        if not self._stop.is_set():
            self._events.put(Lost(job, error))

    def _one(self, job: Job, then: Job | None, slot: "_Slot") -> None:
        """Do one job; `then` is the slot's next one."""
        earlier = self._already(job)
        if earlier is not None:
            self._events.put(earlier)
            return
        writable(job, overwrite=self._options.overwrite)
        _make_folder(job.output.parent)
        worker = self._ready(slot, self._task(job, self._settings))
        self._events.put(self._redacted(job, then, worker))

    def _redacted(self, job: Job, then: Job | None, worker: Worker) -> Done:
        """Redact, with `verify` look again and cover what was found; the output gets its name when all of it is done.

        It loses that name when its result can not be written: nothing would tell what it is.
        """
        settings = self._settings
        size, sha256 = job.source.stat().st_size, sha256_of(job.source) if self._options.input_hash else None
        source = FileSide(job.source.name, sha256, size if sha256 else None)
        with self._recorded(job, settings, worker, then) as first:
            if not self._options.verify:
                return self._named(job, worker, source, first, None)
            found, looked = self._suspects(job, first, worker)
            if not found:
                return self._named(job, worker, source, first, Verified(_independent(first, looked), 0, 0))
        with self._recorded(job, with_masks(settings, masks_over(found)), worker, None) as second:
            left, looked = self._suspects(job, second, worker)
            verified = Verified(_independent(second, looked), len(found), len(left))
            return self._named(job, worker, source, second, verified, left)

    def _named(
        self,
        job: Job,
        worker: Worker,
        source: FileSide,
        recorded: Recorded,
        verified: Verified | None,
        left: tuple[Suspect, ...] = (),
    ) -> Done:
        """Give a finished output its name, and write its result beside it."""
        if worker.wall is None:
            raise WorkerFailed("the worker never told of its wall")
        result = Result(
            input=source,
            output=FileSide(job.output.name, recorded.written.sha256, recorded.written.size),
            settings=settings_json(self._settings),
            finished=recorded.finished,
            wall=worker.wall,
            verified=verified,
        )
        recorded.output.commit()
        try:
            write_result(job.result, result)
        except BaseException:
            job.output.unlink(missing_ok=True)
            raise
        return Done(job, result, left)

    def _recorded(
        self, job: Job, settings: RedactSettings, worker: Worker, then: Job | None
    ) -> AbstractContextManager[Recorded]:
        """One pass over the input, into the `.part` of the output."""
        after = None if then is None else self._task(then, self._settings)
        messages = worker.run(self._task(job, settings), then=after)
        sound, overwrite = settings.keep_audio, self._options.overwrite
        return recording(messages, job.output, overwrite=overwrite, sound=sound, progress=self._teller(job))

    def _task(self, job: Job, settings: RedactSettings) -> Task:
        return Task(job.source, settings, _sound(job.output))

    def _suspects(self, job: Job, recorded: Recorded, worker: Worker) -> tuple[tuple[Suspect, ...], Finished]:
        """One look at an output that has no name yet."""
        task = Task(recorded.output.part, self._settings, action="verify")
        return suspects_in(worker.run(task), self._teller(job))

    def _teller(self, job: Job) -> Callable[[Progress], None]:
        return lambda progress: self._events.put(Advanced(job, progress.frames, progress.expected))

    def _already(self, job: Job) -> Already | None:
        """Whether the output is there, unchanged, made of this input with these settings."""
        if self._options.overwrite or not job.output.is_file():
            return None
        fields = read_result(job.result)
        if fields is None or fields.get("settings") != settings_json(self._settings):
            return None
        if self._options.verify and not _found_clean(fields.get("verified")):
            return None
        made, of = (told_hash(fields.get(side)) for side in ("output", "input"))
        if made is None or of is None or made != sha256_of(job.output) or of != sha256_of(job.source):
            return None
        return Already(job, damaged=fields.get("state") != "done")

    def _ready(self, slot: "_Slot", task: Task) -> Worker:
        """The slot's worker, a new one when there is none that takes this file next."""
        if slot.worker is not None and slot.worker.takes(task):
            return slot.worker
        self._release(slot)
        with self._lock:
            slot.worker = Worker(self._begin(), command=self._options.command, silent_s=self._options.silent_s)
            self._workers.add(slot.worker)
        if self._stop.is_set():
            slot.worker.kill()
        return slot.worker

    def _begin(self) -> Begin:
        """What a worker may read: the inputs of this run and, for verify, its outputs."""
        jobs = self._plan.jobs
        readable = {job.source.resolve().parent for job in jobs} if len(jobs) > 1 else {jobs[0].source.resolve()}
        if self._options.verify:
            # A folder that a later file will need is not there yet, and the kernel takes none that is not.
            readable |= {_nearest_folder(job.output.resolve()) for job in jobs}
        return Begin(tuple(sorted(readable)), self._options.models)

    def _release(self, slot: "_Slot") -> None:
        """Let the slot's worker go, and wait until it is gone; one in the middle of a file is ended."""
        if slot.worker is None:
            return
        with self._lock:
            self._workers.discard(slot.worker)
        slot.worker.close(at_once=self._stop.is_set() or not slot.worker.idle)
        slot.worker = None


@final
@dataclass(slots=True)
class _Slot:
    """The worker of one thread, None between two."""

    worker: Worker | None = None


def masks_over(suspects: Sequence[Suspect]) -> tuple[Mask, ...]:
    """Polygons that cover suspects of a redacted file, with room around them in place and time."""
    masks = []
    for suspect in suspects:
        x1, y1, x2, y2 = suspect.xyxy
        pad_x, pad_y = (x2 - x1) * _SUSPECT_GROWTH, (y2 - y1) * _SUSPECT_GROWTH
        left, top, right, bottom = x1 - pad_x, y1 - pad_y, x2 + pad_x, y2 + pad_y
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        masks.append(Mask(corners, suspect.start_s - _SUSPECT_AROUND_S, suspect.end_s + _SUSPECT_AROUND_S))
    return tuple(masks)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused(f"{shown(folder)}: can not be made: {error.strerror}") from error


def _nearest_folder(path: Path) -> Path:
    """The folder that a file lies in or, where that is still to be made, the first one above it that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def _sound(output: Path) -> Sound:
    """The codec that the output's container takes for sound."""
    container = CONTAINERS.get(output.suffix.lower())
    return "aac" if container is None else container.audio


def _found_clean(verified: object) -> bool:
    """Whether the second look of a result that was read back left no suspect."""
    return isinstance(verified, dict) and verified.get("suspects_left") == 0


def _independent(recorded: Recorded, looked: Finished) -> bool:
    return independent(looked, of={model.sha256 for model in recorded.finished.models})


@contextmanager
def _signals(halt: Callable[[], None]) -> Iterator[list[int]]:
    """Call `halt` on SIGINT, SIGTERM and SIGHUP; gives those that came. Outside the main thread it does nothing."""
    caught: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        caught.append(number)
        halt()

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
