"""Look again at files that are redacted already. App, parent side: the worker inspects, suspects come back as boxes."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, final

from skyveil.app.names import shown
from skyveil.app.process import COMMAND, Worker
from skyveil.app.recording import independent, suspects_in
from skyveil.app.task import Begin, Task
from skyveil.core.errors import InputRefused, SkyveilError
from skyveil.core.manifest import MODELS
from skyveil.core.settings import RedactSettings
from skyveil.public.record.output import OutputFile
from skyveil.public.wire import Finished, Progress, Suspect

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SCHEMA: Final = "skyveil.regions/1"


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """One file, inspected."""

    file: Path
    suspects: tuple[Suspect, ...]
    finished: Finished

    @property
    def independent(self) -> bool:
        """Whether a network looked that takes no part in what `balanced` and `strict` cover."""
        return independent(self.finished, of={entry.sha256 for entry in MODELS.values() if entry.required})

    def as_json(self) -> dict[str, Json]:
        """What `skyveil redact --add` reads, and with what it was found."""
        return {
            "schema": SCHEMA,
            "file": self.file.name,
            "independent": self.independent,
            "models": [{"name": model.name, "sha256": model.sha256} for model in self.finished.models],
            "precision": self.finished.precision,
            "frames": self.finished.frames,
            "suspects": [
                {
                    "start_s": round(suspect.start_s, 6),
                    "end_s": round(suspect.end_s, 6),
                    "xyxy": list(suspect.xyxy),
                    "kind": suspect.kind.name.lower(),
                }
                for suspect in self.suspects
            ],
        }


@final
@dataclass(frozen=True, slots=True)
class Unverified:
    """One file that could not be inspected."""

    file: Path
    error: SkyveilError


def verify(
    files: Sequence[Path],
    settings: RedactSettings,
    models: dict[str, Path],
    heard: Callable[[Path, Progress], None],
    *,
    command: Sequence[str] = COMMAND,
) -> Iterator[Verdict | Unverified]:
    """The verdict on each file, in order; one that can not be read does not end the others."""
    worker: Worker | None = None
    readable = tuple(sorted({file.resolve() for file in files if file.is_file()}))
    try:
        for file in files:
            try:
                if not file.is_file():
                    raise InputRefused(f"{shown(file)}: is not a file; name the redacted files themselves")
                if worker is None or not worker.idle:
                    worker = _renewed(worker, Begin(readable, models), command)
                task = Task(file.resolve(), settings, action="verify")
                found, finished = suspects_in(worker.run(task), _hearing(heard, file))
                yield Verdict(file, found, finished)
            except SkyveilError as error:
                yield Unverified(file, error)
    finally:
        if worker is not None:
            worker.close(at_once=not worker.idle)


def write_regions(path: Path, verdicts: Iterable[Verdict], *, overwrite: bool) -> None:
    """Write one verdict as one JSON object, several as one object a line. Raises OutputRefused."""
    with OutputFile(path, overwrite=overwrite) as output:
        for verdict in verdicts:
            output.write(json.dumps(verdict.as_json()).encode("ascii") + b"\n")
        output.commit()


def _renewed(worker: Worker | None, begin: Begin, command: Sequence[str]) -> Worker:
    """A new worker in place of one that is gone."""
    if worker is not None:
        worker.close(at_once=True)
    return Worker(begin, command=command)


def _hearing(heard: Callable[[Path, Progress], None], file: Path) -> Callable[[Progress], None]:
    return lambda progress: heard(file, progress)
