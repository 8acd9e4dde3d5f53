"""What the parent tells a worker: one JSON line to begin, one per file. App; both sides of the wall import it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias, final, get_args

from skyveil.core.errors import WorkerFailed
from skyveil.core.kinds import Kind
from skyveil.core.settings import Codec, FillName, Mask, Mode, Mount, Precision, RedactSettings, targets_from

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Action: TypeAlias = Literal["redact", "verify", "calibrate"]
Sound: TypeAlias = Literal["aac", "opus"]

_MODES: Final[Mapping[str, Mode]] = {name: name for name in get_args(Mode)}
_MOUNTS: Final[Mapping[str, Mount]] = {name: name for name in get_args(Mount)}
_FILLS: Final[Mapping[str, FillName]] = {name: name for name in get_args(FillName)}
_CODECS: Final[Mapping[str, Codec]] = {name: name for name in get_args(Codec)}
_PRECISIONS: Final[Mapping[str, Precision]] = {name: name for name in get_args(Precision)}
_ACTIONS: Final[Mapping[str, Action]] = {name: name for name in get_args(Action)}
_SOUNDS: Final[Mapping[str, Sound]] = {name: name for name in get_args(Sound)}


@final
@dataclass(frozen=True, slots=True)
class Begin:
    """The first line: what may be read, and where the verified networks lie."""

    readable: tuple[Path, ...]
    models: Mapping[str, Path]

    def line(self) -> bytes:
        """As one line of JSON."""
        return _line(self.json())

    def json(self) -> dict[str, Json]:
        """As JSON."""
        return {"readable": [str(path) for path in self.readable], "models": _texts(self.models)}

    @staticmethod
    def of(line: bytes) -> "Begin":
        """From a line; WorkerFailed when it is not one."""
        return Begin.of_json(_fields(line))

    @staticmethod
    def of_json(value: Json) -> "Begin":
        """From what `line` holds; WorkerFailed when it is not that."""
        fields = _table(value)
        models = {name: Path(_text(path)) for name, path in _table(fields["models"]).items()}
        return Begin(tuple(Path(_text(path)) for path in _items(fields["readable"])), models)


@final
@dataclass(frozen=True, slots=True)
class Task:
    """One file. `sound` is the codec that the output's container takes, for `keep_audio`; `view_deg` is the angle from
    the left to the right edge of the picture, for `calibrate`."""

    source: Path
    settings: RedactSettings
    sound: Sound = "aac"
    action: Action = "redact"
    view_deg: float | None = None

    def line(self) -> bytes:
        """As one line of JSON."""
        fields: dict[str, Json] = {
            "source": str(self.source),
            "sound": self.sound,
            "action": self.action,
            "view_deg": self.view_deg,
            "settings": task_settings_json(self.settings),
        }
        return _line(fields)

    @staticmethod
    def of(line: bytes) -> "Task":
        """From a line; WorkerFailed when it is not one."""
        fields = _fields(line)
        settings = settings_from_json(fields["settings"])
        sound, action = _SOUNDS[_text(fields["sound"])], _ACTIONS[_text(fields["action"])]
        view = fields["view_deg"]
        view_deg = float(view) if isinstance(view, int | float) else None
        return Task(Path(_text(fields["source"])), settings, sound, action, view_deg)


def settings_json(settings: RedactSettings) -> dict[str, Json]:
    """The settings as they stand in a result: masks are counted and hashed, for they may lie where people were."""
    masks = json.dumps([mask_json(mask) for mask in settings.masks], sort_keys=True)
    return {
        "targets": [kind.name.lower() for kind in Kind if kind in settings.targets],
        "mode": settings.mode,
        "mount": settings.mount,
        "fill": settings.fill,
        "masks": len(settings.masks),
        "masks_sha256": hashlib.sha256(masks.encode()).hexdigest() if settings.masks else None,
        "codec": settings.codec,
        "preset": settings.preset,
        "crf": settings.crf,
        "keep_audio": settings.keep_audio,
        "precision": settings.precision,
        "max_look_age_s": settings.max_look_age_s,
    }


def with_masks(settings: RedactSettings, masks: tuple[Mask, ...]) -> RedactSettings:
    """The same settings with more to cover."""
    return replace(settings, masks=settings.masks + masks)


def task_settings_json(settings: RedactSettings) -> Json:
    """The settings with their masks, for a worker."""
    return {**settings_json(settings), "masks": [mask_json(mask) for mask in settings.masks]}


def settings_from_json(value: Json) -> RedactSettings:
    """The settings that a parent sent; WorkerFailed when they are none."""
    fields = _table(value)
    preset, crf = fields["preset"], fields["crf"]
    return RedactSettings(
        targets=targets_from(_text(name) for name in _items(fields["targets"])),
        mode=_MODES[_text(fields["mode"])],
        mount=_MOUNTS[_text(fields["mount"])],
        fill=_FILLS[_text(fields["fill"])],
        masks=tuple(mask_from_json(value) for value in _items(fields["masks"])),
        codec=_CODECS[_text(fields["codec"])],
        preset=None if preset is None else _text(preset),
        crf=None if crf is None else int(_number(crf)),
        keep_audio=fields["keep_audio"] is True,
        precision=_PRECISIONS[_text(fields["precision"])],
        max_look_age_s=_number(fields["max_look_age_s"]),
    )


def mask_json(mask: Mask) -> Json:
    """A mask, whole."""
    return {"points": [[x, y] for x, y in mask.points], "start_s": mask.start_s, "end_s": mask.end_s}


def mask_from_json(value: Json) -> Mask:
    """A mask; WorkerFailed when it is none."""
    fields = _table(value)
    pairs = [_items(point) for point in _items(fields["points"])]
    start_s, end_s = (None if fields[name] is None else _number(fields[name]) for name in ("start_s", "end_s"))
    return Mask(tuple((_number(x), _number(y)) for x, y in pairs), start_s, end_s)


def _texts(paths: Mapping[str, Path]) -> dict[str, Json]:
    return {name: str(path) for name, path in paths.items()}


def _line(fields: dict[str, Json]) -> bytes:
    # ASCII only: a file name that is no valid UTF-8 travels as a lone surrogate escape.
    return json.dumps(fields).encode("ascii") + b"\n"


def _fields(line: bytes) -> dict[str, Json]:
    value: Json = json.loads(line)
    return _table(value)


def _table(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise WorkerFailed("expected a table in the line from the parent")
    return value


def _items(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise WorkerFailed("expected a list in the line from the parent")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise WorkerFailed("expected text in the line from the parent")
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WorkerFailed("expected a number in the line from the parent")
    return float(value)
