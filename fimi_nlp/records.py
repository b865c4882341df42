r"""Records of text files, tables and streams: read one by one, written whole or not at all.

Readers hold one record (Parquet: one batch) in memory and lose nothing: what cannot be used comes back as a
`BadRecord` that says where it stands, what is wrong with it, and what it held. A fault of the file as a whole raises
`InputError`.

=============================  ========================================================================
``.txt``                       one text a line; an empty line is an empty text, so that numbers match lines
``.jsonl``, ``.ndjson``        one object a line; empty lines are passed over
``.csv``, ``.tsv``             a header, then rows; quoted fields may hold line breaks
``.parquet``                   the extra ``parquet``
``-``                          standard input or output, JSONL unless a format is named
=============================  ========================================================================

Text is UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fimi_nlp._record_csv import Rows
from fimi_nlp._record_formats import FORMATS, STANDARD_STREAM, dumps, resolve_format
from fimi_nlp._record_writers import RecordWriter, open_writer
from fimi_nlp.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import pyarrow as pa

__all__ = ["FORMATS", "BadRecord", "Record", "RecordWriter", "arrow_schema", "open_writer", "read_records"]

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes
    ----------
    number : int
        Counts the records of the source, bad ones too, from 1.
    data : dict
        Column to value, in the order of the source. CSV values are text.
    place : str
        Where it stands, for people: ``posts.csv, line 12`` (the physical line on which it starts) or
        ``posts.parquet, row 12``.
    """

    number: int
    data: dict[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be used.

    Attributes
    ----------
    number, place
        As in `Record`.
    reason : str
        What is wrong with it.
    raw : str
        What it held: its lines as they are, or the row as JSON.
    column : str or None
        The column that is at fault, where it is one.
    """

    number: int
    place: str
    reason: str
    raw: str
    column: str | None = None


def read_records(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    text_column: str | None = "text",
    columns: Sequence[str] | None = None,
) -> Iterator[Record | BadRecord]:
    """Read the records of a file or of standard input, one by one, in constant memory.

    Parameters
    ----------
    path : str or Path
        The file; ``-`` is standard input.
    format : {"txt", "jsonl", "csv", "tsv", "parquet"}, optional
        The format, where the suffix does not say it.
    text_column : str, optional
        The column that must be there and hold text. ``None``: nothing is asked of the records.
    columns : sequence of str, optional
        The columns to keep beside `text_column`; by default all of them.

    Returns
    -------
    iterator of Record or BadRecord
        In the order of the source.

    Raises
    ------
    InputError
        At once: there is no such file, its format is unknown, or its header lacks the column. While reading: it is
        not UTF-8, or is damaged.

    Notes
    -----
    JSON has no NaN, yet much software writes it: it is read as null. Infinities make a `BadRecord`.
    """
    kind = resolve_format(path, format)
    name = "standard input" if str(path) == STANDARD_STREAM else Path(path).name
    if str(path) != STANDARD_STREAM:
        _check_file(Path(path))
    wanted = None if columns is None else tuple(dict.fromkeys((*((text_column,) if text_column else ()), *columns)))
    required = wanted if wanted is not None else (text_column,) if text_column else ()
    if kind == "parquet":
        from fimi_nlp import _record_parquet

        _record_parquet.check(path, name, required, text_column)
        return _parquet_records(path, name, text_column, wanted)
    if kind in ("csv", "tsv"):
        if str(path) != STANDARD_STREAM:
            with contextlib.closing(_lines(path, name)) as lines:
                _header(Rows(lines, kind), name, required)
        return _csv_records(path, name, kind, required, wanted)
    if kind == "txt":
        return _txt_records(path, name, text_column or "text")
    return _jsonl_records(path, name, text_column, wanted)


def arrow_schema(path: str | Path, *, format: str | None = None) -> pa.Schema | None:  # noqa: A002
    """The schema of a Parquet file, for `open_writer` to keep its column types; ``None`` for any other format."""
    if str(path) == STANDARD_STREAM or resolve_format(path, format) != "parquet":
        return None
    from fimi_nlp import _record_parquet

    _check_file(Path(path))
    return _record_parquet.schema(path, Path(path).name)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder.", remedy="Name a file in it.")
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings) if siblings else ""
        raise InputError(f"{path}: no such file.", remedy=hint if hint.startswith("Did") else "Check the path.")


def _lines(path: str | Path, name: str) -> Generator[str, None, None]:
    r"""Lines with their ends. Only ``\n`` ends a line: U+2028 and other breaks may stand inside a JSON string."""
    with contextlib.ExitStack() as stack:
        if str(path) == STANDARD_STREAM:
            source: IO[Any] = getattr(sys.stdin, "buffer", sys.stdin)
        else:
            try:
                source = stack.enter_context(Path(path).open("rb"))
            except OSError as error:
                raise InputError(f"{path}: cannot be read: {error.strerror}.", remedy="Check its rights.") from error
        offset = 0
        for number, line in enumerate(source, 1):
            if isinstance(line, str):  # a standard input that some program replaced with plain text
                yield line
                continue
            if number == 1 and line[:2] in _OTHER_BOMS:
                raise _not_utf8(path, name, "it starts with the byte order mark of UTF-16", "UTF-16")
            start = len(_BOM) if number == 1 and line.startswith(_BOM) else 0
            try:
                yield line[start:].decode("utf-8")
            except UnicodeDecodeError as error:
                at = start + error.start
                where = f"byte {offset + at} of the file (line {number}, byte {at + 1} of it) is 0x{line[at]:02x}"
                raise _not_utf8(path, name, where, "WINDOWS-1252") from error
            offset += len(line)


def _not_utf8(path: str | Path, name: str, why: str, encoding: str) -> InputError:
    return InputError(
        f"{name} is not UTF-8: {why}.",
        remedy=f"Convert it, for example: iconv -f {encoding} -t UTF-8 {path} > converted{Path(path).suffix}",
    )


def _txt_records(path: str | Path, name: str, text_column: str) -> Iterator[Record | BadRecord]:
    for number, line in enumerate(_lines(path, name), 1):
        yield Record(number, {text_column: line.rstrip("\n").rstrip("\r")}, f"{name}, line {number}")


def _jsonl_records(
    path: str | Path, name: str, text_column: str | None, wanted: tuple[str, ...] | None
) -> Iterator[Record | BadRecord]:
    number = 0
    for line_number, line in enumerate(_lines(path, name), 1):
        if not line.strip():
            continue
        number += 1
        place, raw = f"{name}, line {line_number}", line.rstrip("\r\n")
        try:
            data = json.loads(line, parse_constant=_constant)
        except json.JSONDecodeError as error:
            yield BadRecord(number, place, f"not valid JSON: {error.msg} (column {error.colno})", raw)
            continue
        except (ValueError, RecursionError) as error:
            yield BadRecord(number, place, f"not usable JSON: {error}", raw)
            continue
        if not isinstance(data, dict):
            yield BadRecord(number, place, f"not a JSON object but {_kind(data)}", raw)
            continue
        if text_column is not None and (reason := _text_fault(data, text_column)):
            yield BadRecord(number, place, reason, raw, text_column)
            continue
        yield Record(number, _project(data, wanted), place)


def _constant(word: str) -> None:
    if word != "NaN":
        raise ValueError(f"{word} is no JSON number")


def _csv_records(
    path: str | Path, name: str, kind: str, required: Sequence[str], wanted: tuple[str, ...] | None
) -> Iterator[Record | BadRecord]:
    rows = Rows(_lines(path, name), kind)
    header = _header(rows, name, required)
    number = 0
    for line, row in rows:
        if not row:  # an empty line
            continue
        number += 1
        place = f"{name}, line {line}"
        if isinstance(row, str):
            yield BadRecord(number, place, row, rows.raw)
        elif len(row) != len(header):
            reason = f"{len(row)} field{'s' * (len(row) != 1)} where the header has {len(header)}"
            yield BadRecord(number, place, reason, rows.raw)
        else:
            yield Record(number, _project(dict(zip(header, row, strict=True)), wanted), place)


def _header(rows: Rows, name: str, required: Sequence[str]) -> list[str]:
    line, header = next(iter(rows), (1, []))
    if isinstance(header, str):
        raise InputError(f"{name}, line {line}: the header is malformed: {header}.")
    if not header:
        raise InputError(f"{name} has no header.", remedy="The first line must name the columns, for example: id,text")
    for column in header:
        if header.count(column) > 1:
            raise InputError(f"{name}: column '{column}' stands twice in the header.", remedy="Rename one of them.")
    for column in required:
        if column not in header:
            remedy = did_you_mean(column, header)
            other = next((d for d in (";", "\t", ",") if len(header) == 1 and d in header[0]), None)
            if other:
                remedy = f"It seems to be separated by {other!r}: use commas in .csv and tabs in .tsv."
            raise InputError(f"{name} has no column '{column}'; it has {', '.join(header)}.", remedy=remedy)
    return header


def _parquet_records(
    path: str | Path, name: str, text_column: str | None, wanted: tuple[str, ...] | None
) -> Iterator[Record | BadRecord]:
    from fimi_nlp import _record_parquet

    for number, data in enumerate(_record_parquet.rows(path, name, wanted), 1):
        place = f"{name}, row {number}"
        if text_column is not None and (reason := _text_fault(data, text_column)):
            yield BadRecord(number, place, reason, dumps(data), text_column)
        else:
            yield Record(number, data, place)


def _text_fault(data: dict[str, Any], column: str) -> str | None:
    value = data.get(column)
    if isinstance(value, str):
        return None
    if column not in data:
        return f"no '{column}'. {did_you_mean(column, data)}" if data else f"no '{column}': the record is empty"
    return f"'{column}' must be text, not {_kind(value)}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    shown = dumps(value)
    name = {bool: "the boolean", int: "the number", float: "the number", str: "the text", list: "the list"}
    return f"{name.get(type(value), 'the object')} {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _project(data: dict[str, Any], wanted: tuple[str, ...] | None) -> dict[str, Any]:
    return data if wanted is None else {column: data[column] for column in wanted if column in data}
