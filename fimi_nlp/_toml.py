"""Reading TOML on every Python that we support, with errors that name the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

if TYPE_CHECKING:
    from fimi_nlp.errors import FimiError


def read_text(path: str | Path, error: type[FimiError], what: str = "the file") -> str:
    """The text of a file, or an error of the given kind that names it."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{path}: cannot read {what}: {cause}.", remedy="Check the path.") from cause


def parse_toml(source: str, name: str, error: type[FimiError]) -> dict[str, Any]:
    """The tables of a TOML text; `name` stands for the file in errors."""
    try:
        tables: dict[str, Any] = tomllib.loads(source)
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{name}: not valid TOML: {cause}.") from cause
    return tables


def read_toml(path: str | Path, error: type[FimiError], what: str = "the file") -> dict[str, Any]:
    """The tables of a TOML file."""
    return parse_toml(read_text(path, error, what), str(path), error)
