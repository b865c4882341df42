"""Reading TOML on every Python that we support, with errors that name the file."""

from __future__ import annotations

import re
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


_TABLE = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*([\w.-]+|"[^"]*"|'[^']*')\s*=""")


def key_lines(source: str) -> dict[str, int]:
    """The line, counted from 1, on which each table (``training``) and key (``training.epochs``) first stands.

    For error messages: `tomllib` keeps no positions. Lines inside of texts that span several are passed over.
    """
    lines: dict[str, int] = {}
    table, quote = "", ""
    for number, line in enumerate(source.splitlines(), 1):
        if not quote:
            if found := _TABLE.match(line):
                table = found[1]
                lines.setdefault(table, number)
            elif found := _KEY.match(line):
                key = found[1].strip("\"'")
                lines.setdefault(f"{table}.{key}" if table else key, number)
        for mark in ('"""', "'''"):
            if quote in ("", mark) and line.count(mark) % 2:
                quote = "" if quote else mark
    return lines
