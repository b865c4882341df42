"""What record readers and writers share: file formats, and values as JSON text."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from pathlib import Path
from typing import Any

from fimi_nlp.errors import InputError, did_you_mean

#: Stands for standard input or output where a path is asked for.
STANDARD_STREAM = "-"
#: Rows that are read from or written to a Parquet file at a time: memory stays constant.
BATCH = 1024

FORMATS = ("txt", "jsonl", "csv", "tsv", "parquet")
_SUFFIXES = {
    ".txt": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


def resolve_format(path: str | Path, format: str | None) -> str:  # noqa: A002
    """The format of a file: the one that is named, else the one of its suffix, else (for ``-``) JSONL.

    Raises
    ------
    InputError
        The format or the suffix is unknown, or the format cannot be streamed.
    """
    name = str(path)
    if format is not None:
        resolved = "jsonl" if format == "ndjson" else format
        if resolved not in FORMATS:
            raise InputError(f"Unknown format {format!r} for {name}.", remedy=did_you_mean(str(format), FORMATS))
    elif name == STANDARD_STREAM:
        resolved = "jsonl"
    else:
        suffix = Path(name).suffix.lower()
        if suffix not in _SUFFIXES:
            what = f"unknown suffix '{suffix}'" if suffix else "no suffix that says its format"
            raise InputError(f"{name}: {what}.", remedy=f"Known: {', '.join(_SUFFIXES)}; or name the format.")
        resolved = _SUFFIXES[suffix]
    if name == STANDARD_STREAM and resolved == "parquet":
        raise InputError("Parquet cannot be read from, or written to, a stream.", remedy="Give a file, or use JSONL.")
    return resolved


def dumps(value: object) -> str:
    """A value as one line of strict JSON.

    Numbers that JSON does not have (NaN, infinities) become null, dates ISO 8601 text, decimals their digits, and
    NumPy values plain ones, since Parquet tables bring all of these.

    Raises
    ------
    InputError
        Something in the value has no JSON form.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=_plain)


def utf8(text: str) -> bytes:
    r"""JSON text as UTF-8. Half a surrogate pair, which UTF-8 cannot hold, is escaped as JSON allows (``\ud83d``)."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", errors="backslashreplace")


def cell(value: object) -> str | None:
    """A value as the text of one table cell: text as it is, nothing as ``None``, everything else as JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value
    else:
        text = dumps(value)
        if text.startswith('"'):  # a date or a decimal: its text alone, without the quotes of JSON
            text = str(json.loads(text))
        elif text == "null":  # NaN
            return None
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, datetime.timedelta, Path)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", errors="backslashreplace")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        return value.tolist()
    raise InputError(f"{value!r} of type {type(value).__name__} has no JSON form.", remedy="Convert it to text first.")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
