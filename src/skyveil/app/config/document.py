"""A YAML file as it was written: its values, and the line of each. App."""

from pathlib import Path
from typing import Final, TypeAlias, final

import yaml

from skyveil.app.config.checks import Where
from skyveil.core.errors import SettingsRefused

SIZE_LIMIT: Final = 8 << 20
_DEPTH_LIMIT: Final = 32
_VALUES: Final = frozenset({"null", "bool", "int", "float", "str"})
_KINDS: Final = _VALUES | {"timestamp", "merge", "value"}
"""What YAML takes a scalar for by its look: dates, `<<` and `=` are text here."""
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


@final
class Document:
    """A YAML file with the line of every value. Aliases and doubled keys are refused: both hide what a file says."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.lines: dict[Where, int] = {}
        self.problems: list[tuple[int, str]] = []
        try:
            events = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader))
            self.root: yaml.Node | None = None if events else yaml.compose(text, yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if isinstance(mark, yaml.Mark) else 1
            raise SettingsRefused(f"{path.name}:{line}: this is no YAML: {getattr(error, 'problem', None)}") from error
        if events:
            raise SettingsRefused(f"{path.name}: anchors and aliases are not read: write the value twice")
        self.value: Plain = None if self.root is None else self._read(self.root, (), 0)

    def line(self, where: Where) -> int:
        """The line of a value, or of the nearest thing around it that has one."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def _read(self, node: yaml.Node, where: Where, depth: int) -> Plain:
        self.lines.setdefault(where, node.start_mark.line + 1)
        if depth > _DEPTH_LIMIT:
            raise SettingsRefused(f"{self.path.name}:{node.start_mark.line + 1}: this is nested too deeply")
        if isinstance(node, yaml.MappingNode):
            table: dict[str, Plain] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                if key in table:
                    self.problems.append((key_node.start_mark.line + 1, f"`{key}` stands here twice"))
                self.lines[(*where, key)] = key_node.start_mark.line + 1
                table[key] = self._read(value_node, (*where, key), depth + 1)
            return table
        if isinstance(node, yaml.SequenceNode):
            return [self._read(one, (*where, index), depth + 1) for index, one in enumerate(node.value)]
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if kind not in _KINDS:
            self.problems.append((node.start_mark.line + 1, f"the tag `{kind}` is not read: leave it out"))
        if kind not in _VALUES or ":" in node.value:  # YAML 1.1 reads 22:00 as a number of base 60
            return str(node.value)
        try:
            value: Plain = yaml.SafeLoader("").construct_object(node)
        except (ValueError, KeyError):  # such as a number of thousands of digits, or `!!bool` before what is none
            return str(node.value)
        return value


def read(path: Path) -> Document:
    """The YAML file at `path`; raises SettingsRefused."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise SettingsRefused(f"{path.name} is larger than {SIZE_LIMIT >> 20} MB: it is no configuration")
        return Document(path, path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise SettingsRefused(f"{path}: the configuration can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsRefused(f"{path.name} is not UTF-8 text") from error
