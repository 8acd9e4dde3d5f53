"""Changes of `skyveil.yaml` by the console: one value is replaced, every other byte of the file stays. App."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from skyveil.app.config.load import Document, load, read
from skyveil.app.config.models import Config, Mask
from skyveil.core.errors import SettingsRefused

_MODE: Final = 0o640


def set_masks(path: Path, camera: str, masks: Sequence[Mask]) -> Config:
    """Give a camera other masks in the file, atomically; gives the new configuration.

    Raises SettingsRefused when the file is wrong, or has no such camera; it is then as it was.
    """
    document = read(path)
    node = _camera(document, camera)
    points = [{"name": mask.name, "points": [list(point) for point in mask.points]} for mask in masks]
    value = json.dumps(points, ensure_ascii=False)  # YAML in flow style
    old = next((value_node for key, value_node in node.value if key.value == "masks"), None)
    if old is not None:
        text = document.text[: old.start_mark.index] + value + document.text[_end(old) :]
    else:
        first = node.value[0][0].start_mark
        indent = ", " if node.flow_style else "\n" + " " * first.column
        text = document.text[: first.index] + f"masks: {value}{indent}" + document.text[first.index :]
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        changed = load(part)
        part.chmod(path.stat().st_mode & 0o777 or _MODE)
        if path.read_text(encoding="utf-8") != document.text:
            raise SettingsRefused(f"{path.name} was changed by somebody else in this moment: try again")
        part.replace(path)
    except OSError as error:
        raise SettingsRefused(f"{path.name} can not be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return changed


def _camera(document: Document, wanted: str) -> yaml.MappingNode:
    """The node of a camera."""
    root = document.root
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value != "cameras" or not isinstance(value, yaml.SequenceNode):
                continue
            for node in value.value:
                if isinstance(node, yaml.MappingNode) and any(
                    one.value == "id" and given.value == wanted for one, given in node.value
                ):
                    return node
    raise SettingsRefused(f"the configuration has no camera {wanted!r}")


def _end(node: yaml.Node) -> int:
    """Where a value ends. A block's own mark lies at the next key, behind comments that belong to the file."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    return int(node.end_mark.index)
