"""Changes of `skyveil.yaml` by the console and commands: values are replaced, every other byte stays. App."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, final

import yaml

from skyveil.app.config.document import Document, Plain, read
from skyveil.app.config.load import load
from skyveil.app.config.models import Config, Mask
from skyveil.core.errors import SettingsRefused

_MODE: Final = 0o640
Last: TypeAlias = Callable[[], None]
"""Called when nothing else refuses a change, before it is made, alone with the file; what it raises refuses it."""


@final
@dataclass(frozen=True, slots=True, order=True)
class _Splice:
    """Bytes of the file that another text takes the place of."""

    start: int
    end: int
    text: str


def set_masks(path: Path, camera: str, masks: Sequence[Mask], *, last: Last = lambda: None) -> Config:
    """Give a camera other masks in the file, atomically; gives the new configuration.

    Raises SettingsRefused when the file is wrong, or has no such camera; it is then as it was.
    """
    return set_keys(path, camera, {"masks": masks_value(masks)}, last=last)


def set_keys(path: Path, camera: str, values: Mapping[str, Plain], *, last: Last = lambda: None) -> Config:
    """Set these keys of a camera in the file, atomically; gives the new configuration. Raises as `set_masks` does."""
    if camera not in _cameras(read(path)):
        raise SettingsRefused(f"the configuration has no camera {camera!r}")
    return change(path, {camera: values}, last=last)


def masks_value(masks: Sequence[Mask]) -> Plain:
    """Masks as the file has them."""
    return [{"name": mask.name, "points": [list(point) for point in mask.points]} for mask in masks]


def change(path: Path, cameras: Mapping[str, Mapping[str, Plain]], *, last: Last = lambda: None) -> Config:
    """Set these keys of cameras, by id, and add cameras that are not there; atomically. Gives the new configuration.

    Raises SettingsRefused when the file is or would be wrong; it is then as it was.
    """
    real = path.resolve()  # a symbolic link stays one, and what the file names lies beside the link
    with alone(real):
        _change(real, cameras, last)
        return load(path)


def _change(path: Path, cameras: Mapping[str, Mapping[str, Plain]], last: Last) -> None:
    document = read(path)
    known = _cameras(document)
    splices = [
        _set(known[name], key, value) for name in cameras if name in known for key, value in cameras[name].items()
    ]
    new = [{"id": name, **values} for name, values in cameras.items() if name not in known]
    if new:
        splices.append(_added(document, new))
    text, line_end = document.text, "\r\n" if "\r\n" in document.text else "\n"
    for splice in sorted(splices, reverse=True):
        text = text[: splice.start] + splice.text.replace("\n", line_end) + text[splice.end :]
    _written(path, document, text, last)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Have the folder of a file alone among console and commands. Not within itself: it would wait for ever."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SettingsRefused(f"{path}: the configuration can not be read: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _set(node: yaml.MappingNode, key: str, value: Plain) -> _Splice:
    """What gives a key of a camera another value."""
    old = next((value_node for key_node, value_node in node.value if key_node.value == key), None)
    if old is not None:
        space = " " if old.start_mark.index == _end(old) else ""  # an empty value begins right behind its colon
        return _Splice(old.start_mark.index, _end(old), space + _flow(value))
    first = node.value[0][0].start_mark
    indent = ", " if node.flow_style else "\n" + " " * first.column
    return _Splice(first.index, first.index, f"{key}: {_flow(value)}{indent}")


def _added(document: Document, cameras: Sequence[dict[str, Plain]]) -> _Splice:
    """What adds cameras behind those that are there."""
    node = _section(document)
    lines = [_flow(camera) for camera in cameras]
    if isinstance(node, yaml.SequenceNode) and node.value:
        if node.flow_style:
            end = _end(node.value[-1])
            return _Splice(end, end, "".join(f", {line}" for line in lines))
        end = document.text.find("\n", _end(node.value[-1]))
        end = len(document.text) if end < 0 else end
        end -= document.text[:end].endswith("\r")
        return _Splice(end, end, "".join(f"\n{' ' * node.start_mark.column}- {line}" for line in lines))
    block = "".join(f"\n  - {line}" for line in lines)
    if node is not None:
        return _Splice(node.start_mark.index, _end(node), block)
    end = len(document.text)
    return _Splice(end, end, f"{'' if document.text.endswith(chr(10)) else chr(10)}cameras:{block}\n")


def _flow(value: Plain) -> str:
    """A value as YAML in flow style, which JSON is."""
    return json.dumps(value, ensure_ascii=False)


def _written(path: Path, document: Document, text: str, last: Last) -> None:
    """Put a text in the file's place when it is a good configuration, and nobody wrote it meanwhile."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        load(part)
        old = path.stat()
        if os.geteuid() == 0:
            os.chown(part, old.st_uid, old.st_gid)
        part.chmod(old.st_mode & 0o777 or _MODE)
        if read(path).text != document.text:
            raise SettingsRefused(f"{path.name} was changed by somebody else in this moment: try again")
        last()
        part.replace(path)
    except OSError as error:
        raise SettingsRefused(f"{path.name} can not be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _section(document: Document) -> yaml.Node | None:
    """What stands behind `cameras:`, None without it."""
    root = document.root
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == "cameras"), None)


def _cameras(document: Document) -> dict[str, yaml.MappingNode]:
    """The node of every camera by id."""
    node = _section(document)
    found: dict[str, yaml.MappingNode] = {}
    for one in node.value if isinstance(node, yaml.SequenceNode) else []:
        if isinstance(one, yaml.MappingNode):
            found |= {str(given.value): one for key, given in one.value if key.value == "id"}
    return found


def _end(node: yaml.Node) -> int:
    """Where a value ends. A block's own mark lies at the next key, behind comments that belong to the file."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    return int(node.end_mark.index)
