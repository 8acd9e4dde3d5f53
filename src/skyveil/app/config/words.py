"""Words that several models of `skyveil.yaml` share. App."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeAlias, final

from pydantic import ConfigDict, Field

STRICT: Final = ConfigDict(extra="forbid")
Id: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


@final
@dataclass(frozen=True, slots=True)
class Secret:
    """Where a password stands: a name in the secrets file, or an environment variable. Never the password itself."""

    __pydantic_config__: ClassVar = STRICT
    secret: Annotated[str | None, Field(max_length=100, description="name in the secrets file")] = None
    env: Annotated[str | None, Field(max_length=100, description="name of an environment variable")] = None
