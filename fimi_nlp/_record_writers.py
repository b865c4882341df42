"""Writers of records: a file appears whole or not at all."""

from __future__ import annotations

import abc
import contextlib
import csv
import io
import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fimi_nlp._record_csv import Rows
from fimi_nlp._record_formats import BATCH, STANDARD_STREAM, cell, dumps, resolve_format, utf8
from fimi_nlp.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    import pyarrow as pa
    from typing_extensions import Self

    from fimi_nlp._record_parquet import ParquetTable


def open_writer(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    schema: pa.Schema | None = None,
    line: Callable[[Mapping[str, Any]], str] | None = None,
    resume: bool = False,
) -> RecordWriter:
    r"""Open a writer of records, as a context manager.

    Rows go to a temporary file in the folder of the output, which takes the output's place when the block ends. On an
    exception the temporary file is removed and an earlier output stays as it was.

    Parameters
    ----------
    path : str or Path
        The output; ``-`` is standard output, flushed after each record.
    format : {"txt", "jsonl", "csv", "tsv", "parquet"}, optional
        The format, where the suffix does not say it.
    schema : pyarrow.Schema, optional
        For Parquet: types to keep, those of the input (`arrow_schema`). Other columns get the type of their values;
        where they change on the way, the narrowest type that holds all, text at last.
    line : callable, optional
        For ``txt``, and needed there: a record to its line. Line breaks in it are escaped.
    resume : bool
        For JSONL files: write to ``<path>.partial`` and keep it when something fails, so that the next writer with
        ``resume=True`` goes on behind the records that are there. `RecordWriter.written` says how many.

    Returns
    -------
    RecordWriter
        With ``write(record)``. Tables hold nested values as JSON text, and an empty cell where there is nothing.

    Raises
    ------
    InputError
        The output cannot be written, or the arguments do not go together.

    Examples
    --------
    >>> import tempfile
    >>> output = Path(tempfile.mkdtemp()) / "tags.csv"
    >>> with open_writer(output) as writer:
    ...     writer.write({"id": "a", "narratives": ["us_democracy"]})
    >>> output.read_text()
    'id,narratives\na,"[""us_democracy""]"\n'
    """
    kind = resolve_format(path, format)
    stream = str(path) == STANDARD_STREAM
    if resume and (kind != "jsonl" or stream):
        raise InputError("Only a JSONL file can be resumed.", remedy="Write to a .jsonl file, or leave resume out.")
    if kind == "txt" and line is None:
        raise InputError("Text output needs a `line` function.", remedy="Pass one, or write .jsonl, .csv or .parquet.")
    target = None if stream else _target(Path(path))
    if kind == "parquet":
        return _ParquetWriter(target, schema)
    if kind in ("csv", "tsv"):
        return _CsvWriter(target, "\t" if kind == "tsv" else ",")
    if kind == "txt":
        assert line is not None
        return _LineWriter(target, _one_line(line), resume=False)
    return _LineWriter(target, lambda record: utf8(dumps(record)), resume=resume)


def _one_line(line: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], bytes]:
    def render(record: Mapping[str, Any]) -> bytes:
        text = line(record).replace("\r", "\\r").replace("\n", "\\n")
        return text.encode("utf-8", errors="replace")

    return render


def _target(path: Path) -> Path:
    path = path.resolve()  # through a link, the file behind it is replaced and the link stays
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no regular file.", remedy="Name a file, or '-' for standard output.")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder.", remedy="Create it first.")
    return path


class RecordWriter(abc.ABC):
    """Writes records one by one; made by `open_writer`.

    Attributes
    ----------
    written : int
        Records that the output holds so far, those of a resumed file with them.
    """

    def __init__(self, target: Path | None, *, resume: bool = False) -> None:
        self.written = 0
        self._target, self._resume = target, resume
        self._temporary: Path | None = None
        self._opened = False
        if target is not None:
            name = f"{target.name}.partial" if resume else f".{target.name}.{secrets.token_hex(4)}.tmp"
            self._temporary = target.with_name(name)

    def __enter__(self) -> Self:
        try:
            self._open()
        except OSError as error:
            raise InputError(
                f"{self._target}: cannot be written: {error.strerror}.", remedy="Check the rights of its folder."
            ) from error
        self._opened = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened = False
        try:
            if kind is None:
                self._close()
                self._publish()
            else:
                self._discard()
        finally:
            if self._temporary is not None and not self._resume:
                self._temporary.unlink(missing_ok=True)

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        if not self._opened:
            raise InputError("The writer is not open.", remedy="Use it as: with open_writer(path) as writer: ...")
        self._write(record)
        self.written += 1

    def _publish(self) -> None:
        if self._target is None or self._temporary is None:
            return
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if self._target.exists():
            with contextlib.suppress(OSError):
                shutil.copymode(self._target, self._temporary)
        self._temporary.replace(self._target)

    @abc.abstractmethod
    def _open(self) -> None: ...

    @abc.abstractmethod
    def _write(self, record: Mapping[str, Any]) -> None: ...

    @abc.abstractmethod
    def _close(self) -> None: ...

    def _discard(self) -> None:
        self._close()


class _LineWriter(RecordWriter):
    """JSONL and text: a line each."""

    def __init__(
        self, target: Path | None, render: Callable[[Mapping[str, Any]], bytes], *, resume: bool = False
    ) -> None:
        super().__init__(target, resume=resume)
        self.render, self.file = render, _Output()

    def _open(self) -> None:
        if self._temporary is not None and self._resume:
            self.written = _mend(self._temporary)
        self.file.open(self._temporary, "ab" if self._resume else "xb")

    def _write(self, record: Mapping[str, Any]) -> None:
        self.file.write(self.render(record) + b"\n")
        if self._resume:
            self.file.flush()

    def _close(self) -> None:
        self.file.close()


class _CsvWriter(RecordWriter):
    """CSV and TSV. A record with a new column rewrites what is there under the longer header."""

    def __init__(self, target: Path | None, delimiter: str) -> None:
        super().__init__(target)
        self.delimiter, self.file = delimiter, _Output()
        self.columns: list[str] = []

    def _open(self) -> None:
        self.file.open(self._temporary, "xb")

    def _write(self, record: Mapping[str, Any]) -> None:
        new = [key for key in record if key not in self.columns]
        if new:
            self._widen(new)
        self.file.write(self._row([cell(record.get(column)) for column in self.columns]))

    def _close(self) -> None:
        self.file.close()

    def _row(self, values: list[str | None]) -> bytes:
        # The csv module quotes a line break only where the line terminator holds it: so CRLF there, LF in the file.
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.delimiter, lineterminator="\r\n").writerow(values)
        return (buffer.getvalue()[:-2] + "\n").encode("utf-8")

    def _widen(self, new: list[str]) -> None:
        names = [cell(name) or "" for name in new]
        if not self.columns:
            self.columns = new
            self.file.write(self._row([*names]))
            return
        if self._temporary is None:
            raise InputError(
                f"Record {self.written + 1} has a column '{new[0]}' that the header, already written, lacks.",
                remedy=f"{did_you_mean(new[0], self.columns)} Write to a file, or JSONL.",
            )
        self.file.close()
        old = self._temporary.with_name(self._temporary.name + ".old")
        self._temporary.replace(old)
        try:
            self.file.open(self._temporary, "xb")
            self._copy(old, names)
        finally:
            old.unlink(missing_ok=True)
        self.columns = [*self.columns, *new]

    def _copy(self, old: Path, names: list[str]) -> None:
        with old.open(encoding="utf-8", newline="") as lines:
            for index, (_, row) in enumerate(Rows(lines, "tsv" if self.delimiter == "\t" else "csv")):
                assert not isinstance(row, str), row  # the rows are our own
                self.file.write(self._row([*row, *(names if index == 0 else [""] * len(names))]))


class _ParquetWriter(RecordWriter):
    """Parquet, a batch at a time."""

    table: ParquetTable

    def __init__(self, target: Path | None, schema: pa.Schema | None) -> None:
        super().__init__(target)
        self.schema = schema
        self.batch: list[dict[str, Any]] = []
        from fimi_nlp import _record_parquet

        assert self._temporary is not None
        self.table = _record_parquet.ParquetTable(self._temporary, schema)

    def _open(self) -> None:
        assert self._temporary is not None
        self._temporary.open("xb").close()  # so that a folder without rights is known at once

    def _write(self, record: Mapping[str, Any]) -> None:
        self.batch.append(dict(record))
        if len(self.batch) == BATCH:
            self._flush()

    def _flush(self) -> None:
        batch, self.batch = self.batch, []
        self.table.append(batch)

    def _discard(self) -> None:
        self.table.abandon()

    def _close(self) -> None:
        if self.batch:
            self._flush()
        self.table.close()


class _Output:
    """A file, or standard output, which is flushed after each write and never closed."""

    def __init__(self) -> None:
        self.file: IO[bytes] | None = None

    def open(self, path: Path | None, mode: str) -> None:
        self.file = None if path is None else path.open(mode)

    def write(self, data: bytes) -> None:
        if self.file is not None:
            self.file.write(data)
            return
        binary = getattr(sys.stdout, "buffer", None)
        sys.stdout.flush()
        if binary is None:
            sys.stdout.write(data.decode("utf-8"))
            sys.stdout.flush()
        else:
            binary.write(data)
            binary.flush()

    def flush(self) -> None:
        if self.file is not None:
            self.file.flush()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


def _mend(path: Path) -> int:
    """Cut a last line that was torn while it was written; count the lines that stay."""
    if not path.exists():
        return 0
    count = whole = 0
    with path.open("rb+") as file:
        for line in file:
            if not line.endswith(b"\n") or not _is_json(line):
                break
            count, whole = count + 1, whole + len(line)
        file.truncate(whole)
    return count


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
