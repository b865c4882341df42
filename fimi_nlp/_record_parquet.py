"""Parquet files, through pyarrow; imported only when one is read or written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from fimi_nlp._record_formats import BATCH, cell
from fimi_nlp.errors import InputError, did_you_mean, require

require("parquet", "pyarrow")

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def schema(path: str | Path, name: str) -> pa.Schema:
    """The schema of a file; `InputError` where it is no Parquet file."""
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{name} is not a Parquet file, or is damaged: {error}.") from error


def check(path: str | Path, name: str, required: Sequence[str], text_column: str | None) -> None:
    """Check that a file has the columns, and text in `text_column`."""
    found = schema(path, name)
    for column in found.names:
        if found.names.count(column) > 1:
            raise InputError(f"{name}: column '{column}' stands twice in the schema.", remedy="Rename one of them.")
    for column in required:
        if column not in found.names:
            raise InputError(
                f"{name} has no column '{column}'; it has {', '.join(found.names)}.",
                remedy=did_you_mean(column, found.names),
            )
    if text_column is not None and not _is_text(found.field(text_column).type):
        kind = found.field(text_column).type
        raise InputError(f"{name}: column '{text_column}' holds {kind}, not text.", remedy="Name the column of texts.")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(test(kind) for test in tests)


def rows(path: str | Path, name: str, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """The rows of a file, batch by batch."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            names = None if columns is None else list(columns)
            for batch in file.iter_batches(batch_size=BATCH, columns=names):
                found: list[dict[str, Any]] = batch.to_pylist()
                yield from found if names is None else ({key: row[key] for key in names} for row in found)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{name} is damaged: {error}.") from error


class ParquetTable:
    """A Parquet file that grows batch by batch and whose schema may have to widen on the way.

    The types are those of `hint` where it has the column, else those of the first batch. A later batch with a new
    column or with values that do not fit rewrites what is there under the wider schema, batch by batch.
    """

    def __init__(self, path: Path, hint: pa.Schema | None) -> None:
        self.path = path
        self.hint = {} if hint is None else {field.name: field.type for field in hint}
        self.types: dict[str, pa.DataType] = {}
        self.writer: pq.ParquetWriter | None = None

    def append(self, batch: list[dict[str, Any]]) -> None:
        """Add rows."""
        names = list(dict.fromkeys([*self.types, *(key for row in batch for key in row)]))
        arrays = {name: _array([row.get(name) for row in batch], self._known(name)) for name in names}
        types = {name: array.type for name, array in arrays.items()}
        if self.writer is None:
            self._open(types)
        elif types != self.types:
            self._widen(types)
        self._write(arrays, len(batch))

    def close(self) -> None:
        """Finish the file; with no row at all it has the columns of the hint."""
        if self.writer is None:
            self._open(self.hint)
        self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def _known(self, name: str) -> pa.DataType | None:
        return self.types.get(name, self.hint.get(name))

    def _open(self, types: dict[str, pa.DataType]) -> None:
        self.types = types
        self.writer = pq.ParquetWriter(self.path, pa.schema(list(types.items())))

    def _write(self, arrays: dict[str, pa.Array], rows: int) -> None:
        assert self.writer is not None
        columns = [
            _cast(arrays[name], kind) if name in arrays else pa.nulls(rows, kind) for name, kind in self.types.items()
        ]
        self.writer.write_table(pa.Table.from_arrays(columns, schema=pa.schema(list(self.types.items()))))

    def _widen(self, types: dict[str, pa.DataType]) -> None:
        self.abandon()
        before, old = self.types, self.path.with_name(self.path.name + ".old")
        self.path.replace(old)
        try:
            try:
                self._rewrite(old, types)
            except pa.ArrowInvalid:  # whole numbers too large for a float (ids of posts): keep their digits as text
                self.abandon()
                changed = {name for name, kind in before.items() if kind != types[name] and pa.types.is_integer(kind)}
                self._rewrite(old, {name: pa.string() if name in changed else kind for name, kind in types.items()})
        finally:
            old.unlink(missing_ok=True)

    def _rewrite(self, old: Path, types: dict[str, pa.DataType]) -> None:
        self._open(types)
        with pq.ParquetFile(old) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                self._write({name: batch.column(name) for name in batch.schema.names}, batch.num_rows)


def _array(values: list[Any], known: pa.DataType | None) -> pa.Array:
    """Values as an array of the known type where they fit it, else of the narrowest type that holds both."""
    if known is not None and pa.types.is_null(known):
        known = None
    if known is not None and all(_fits(value, known) for value in values):
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError, OverflowError):
            return pa.array(values, known)
    try:
        array = pa.array([cell(value) if isinstance(value, (dict, list, tuple)) else value for value in values])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        array = None
    if array is not None and (known is None or array.type == known or _wider(array.type, known)):
        return array
    return pa.array([cell(value) for value in values], pa.string())


def _wider(kind: pa.DataType, known: pa.DataType) -> bool:
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(number and pa.types.is_integer(known))


def _fits(value: Any, kind: pa.DataType) -> bool:
    """Whether pyarrow keeps all of a value: it drops keys that a struct lacks, and takes 1 and 1.0 for each other."""
    if value is None:
        return True
    if pa.types.is_struct(kind):
        fields = {field.name: field.type for field in kind}
        return isinstance(value, dict) and all(k in fields and _fits(v, fields[k]) for k, v in value.items())
    if pa.types.is_map(kind):
        return isinstance(value, (dict, list))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return isinstance(value, (list, tuple)) and all(_fits(item, kind.value_type) for item in value)
    if isinstance(value, (dict, list, tuple)):
        return False
    if pa.types.is_boolean(kind):
        return isinstance(value, bool)
    if pa.types.is_integer(kind):
        return isinstance(value, int) and not isinstance(value, bool)
    return not (pa.types.is_floating(kind) and isinstance(value, bool))


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if pa.types.is_string(kind):
        return pa.array([cell(value) for value in array.to_pylist()], pa.string())
    return array.cast(kind)
