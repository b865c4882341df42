"""Results as JSON, and back."""

from __future__ import annotations

import json
import math
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from fimi_nlp.errors import InputError

_DECIMALS = 6
_T = TypeVar("_T")


class Savable(Protocol):
    """What `save_report` writes."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        ...

    def to_markdown(self) -> str:
        """As Markdown."""
        ...


def save_report(report: Savable, path: str | Path) -> Path:
    """Write a report to a ``.json``, ``.md`` or, where it has ``to_html``, ``.html`` file, and give its path back.

    Raises
    ------
    InputError
        The file name ends otherwise, or the file cannot be written.
    """
    path = Path(path)
    html = getattr(report, "to_html", None)
    kinds = {".json", ".md", *([".html"] if html else [])}
    if path.suffix not in kinds:
        names = "a .html, .md or .json file" if html else "a .json or .md file"
        raise InputError(f"Cannot save a report as '{path.name}'.", remedy=f"Name {names}.")
    if path.suffix == ".json":
        text = json.dumps(report.to_dict(), indent=2, allow_nan=False)
    else:
        text = report.to_markdown() if html is None or path.suffix == ".md" else html()
    try:
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}.", remedy="Check its folder.") from error
    return path


def read_saved(path: str | Path) -> Any:
    """What `save_report` wrote as ``.json``.

    Raises
    ------
    InputError
        There is no such file, or it is no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a report: {error}.", remedy="Save one as .json.") from error


def check_format(data: Any, kind: str, name: str, version: int) -> None:
    """Refuse data of another kind or version; `name` is what they call their format."""
    if not isinstance(data, dict) or data.get("format") != name:
        raise InputError(f"The data are not those of a {kind}.", remedy=f"Give what {kind.title()}.to_dict gave.")
    if data.get("version") != version:
        raise InputError(
            f"The {kind} is of version {data.get('version')!r}; this release reads {version}.",
            remedy="Evaluate again, or use the release that saved it.",
        )


def plain(value: Any) -> Any:
    """Plain JSON types of results: ``NaN`` becomes ``None``, named tuples and dataclasses become objects."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: plain(part) for key, part in value._asdict().items()}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    return value


def restore(kind: type[_T], data: Any) -> _T:
    """The inverse of `plain`, by the annotations of `kind`; a number that is ``None`` becomes ``NaN``.

    Raises
    ------
    InputError
        The data are not those of such a result.
    """
    try:
        result: _T = _restore(kind, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__} {error}"
        raise InputError(f"The data are not those of a {kind.__name__}: {reason}.", remedy="Save it anew.") from error
    return result


def _restore(kind: Any, data: Any) -> Any:
    if kind is float:
        return math.nan if data is None else float(data)
    if kind in (int, str, bool):
        if not isinstance(data, kind):
            raise TypeError(f"{data!r:.40} is no {kind.__name__}")
        return data
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(kind) if part is not type(None))
        return None if data is None else _restore(inner, data)
    if get_origin(kind) is tuple:
        return tuple(_restore(get_args(kind)[0], part) for part in data)
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(kind._fields)
    return kind(**{name: _restore(hints[name], data[name]) for name in names})
