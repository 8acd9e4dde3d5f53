"""Passwords, from the secrets file and the environment. App."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import final

import yaml

from skyveil.app.config.document import Document, read
from skyveil.app.config.models import Secret as SecretRef
from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import Secret


@final
class Secrets:
    """Passwords of cameras by name: from the secrets file, which only its owner may read, and the environment."""

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._environment = os.environ if environment is None else environment
        self._known: dict[str, Secret] | None = None

    def get(self, reference: SecretRef) -> Secret:
        """The password; SettingsRefused when it is not there."""
        if reference.env is not None:
            value = self._environment.get(reference.env)
            if value is None:
                raise SettingsRefused(f"the environment variable {reference.env} holds no password: set it")
            return Secret(value)
        known = self._read()
        if reference.secret not in known:
            raise SettingsRefused(f"{self._path.name} has no secret {reference.secret!r}: add it as `name: password`")
        return known[str(reference.secret)]

    def _read(self) -> dict[str, Secret]:
        if self._known is None:
            if not self._path.is_file():
                raise SettingsRefused(f"{self._path}: there is no secrets file: make it, with `name: password` lines")
            if self._path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SettingsRefused(f"{self._path} can be read by others: chmod 600 {self._path.name}")
            self._known = _passwords(read(self._path))
        return self._known


def _passwords(document: Document) -> dict[str, Secret]:
    """Every password exactly as it is written: 007 is no number here, and `yes` no truth.

    Raises SettingsRefused with the line of one that is empty, a list or a table, or that YAML would cut off.
    """
    name, root, found = document.path.name, document.root, dict[str, Secret]()
    for line, problem in document.problems:
        raise SettingsRefused(f"{name}:{line}: {problem}")
    if root is None:
        return found
    if not isinstance(root, yaml.MappingNode):
        raise SettingsRefused(f"{name}:1: a secrets file has lines `name: password`")
    for key, value in root.value:
        where = f"{name}:{key.start_mark.line + 1}: the password of `{key.value}`"
        if not isinstance(value, yaml.ScalarNode):
            raise SettingsRefused(f"{where} is a list or a table: put it in quotes")
        if not value.value:
            raise SettingsRefused(f"{where} is empty")
        behind = document.text[value.end_mark.index :].partition("\n")[0]
        if value.style is None and "#" in behind:
            raise SettingsRefused(f"{where} ends before a #: put it in quotes, and the comment in a line of its own")
        found[str(key.value)] = Secret(value.value)
    return found
