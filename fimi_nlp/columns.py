"""Tags as columns: the same names and types in every kind of table.

========================================  ==============================================================
``labels``                                labels of the narratives named, joined by ``"; "``
``stance_label``, ``origin_label``        their labels alone, null where there is none
``confidence``, ``reason``, ``language``  as in `Tag`
``windows``, ``model``                    as in `Tag`
``narratives``, ``evidence``              lists of structs
``stance``, ``origin``                    structs, null where there is none
``scores``                                a struct with a field for each label, null where nothing was read
========================================  ==============================================================

A text that is missing (null) gives nulls, and the reason ``MISSING``. Nothing of the input is lost: a column of one of
these names is kept beside them as ``input_<name>``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fimi_nlp.errors import InputError, did_you_mean, require
from fimi_nlp.types import Reason, Tag

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.tagger import Tagger


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that a spreadsheet can sort by, beside the nested ones."""
    stance, origin = record["stance"], record["origin"]
    return {
        **record,
        "labels": "; ".join(narrative["label"] for narrative in record["narratives"]),
        "stance_label": stance["label"] if stance else None,
        "origin_label": origin["label"] if origin else None,
    }


#: The names of all the columns, in their order.
NAMES = (
    *("labels", "stance_label", "origin_label", "confidence", "reason", "language", "windows", "model"),
    *("narratives", "stance", "origin", "scores", "evidence"),
)
assert set(NAMES) == set(flatten(Tag().to_dict()))
_MISSING = {**dict.fromkeys(NAMES), "reason": Reason.MISSING.value}


def is_missing(value: object) -> bool:
    """Whether a cell is null: ``None``, NaN, or what pandas has for it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return type(value).__name__ in {"NAType", "NaTType"}  # of pandas, which need not be installed


def choose(columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns that are asked for; all by default.

    Raises
    ------
    InputError
        One is unknown.
    """
    if columns is None:
        return NAMES
    chosen = (columns,) if isinstance(columns, str) else tuple(columns)
    for name in chosen:
        if name not in NAMES:
            raise InputError(f"Tags have no column {name!r}.", remedy=did_you_mean(name, NAMES))
    return chosen


def kept_name(name: Any, columns: Collection[str] = NAMES) -> Any:
    """The name of an input column beside the tag's: one of the same name is kept as ``input_<name>``.

    What an earlier tagging kept moves on by one, so that no two columns ever meet, whatever else a record holds.

    Examples
    --------
    >>> [kept_name(name) for name in ("text", "stance", "input_stance", "input_text")]
    ['text', 'input_stance', 'input_input_stance', 'input_text']
    """
    bare = name
    while isinstance(bare, str) and bare not in columns and bare.startswith("input_"):
        bare = bare.removeprefix("input_")
    return f"input_{name}" if bare in columns else name


def tag_rows(tagger: Tagger, texts: Iterable[Any], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One row of plain values for each text, in order.

    Parameters
    ----------
    tagger : Tagger
        Any tagger.
    texts : iterable of str or null
        A column.
    columns : sequence of str, optional
        Which columns; all by default.

    Raises
    ------
    InputTypeError
        A cell is neither text nor null; the message names its position.
    InputError
        A column is unknown.

    Examples
    --------
    >>> import fimi_nlp as fn
    >>> tag_rows(fn.load(), ["NATO has provoked this war.", None], ["labels", "reason"])
    [{'labels': 'nato_alliances', 'reason': 'OK'}, {'labels': None, 'reason': 'MISSING'}]
    """
    names, gaps = choose(columns), []

    def filled() -> Iterable[Any]:
        for text in texts:
            gaps.append(is_missing(text))
            yield "" if gaps[-1] else text

    rows = []
    for index, tag in enumerate(tagger.stream(filled())):
        row = _MISSING if gaps[index] else {**flatten(tag.to_dict()), "scores": dict(tag.scores) or None}
        rows.append({name: row[name] for name in names})
    return rows


def arrow_schema(schema: LabelSchema, columns: Sequence[str] | None = None) -> pa.Schema:
    """The types of the columns as an Arrow schema.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    """
    require("parquet", "pyarrow")
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    choice = pa.struct([("label", text), ("probability", number)])
    labels = (*schema.narrative_labels, *schema.stance_labels, *schema.origin_labels)
    narrative = pa.struct([("label", text), ("sub", text), ("probability", number), ("threshold", number)])
    span = pa.struct([("label", text), ("start", whole), ("end", whole), ("probability", number)])
    types = {
        **dict.fromkeys(NAMES, text),
        "confidence": number,
        "windows": whole,
        "stance": choice,
        "origin": choice,
        "narratives": pa.list_(narrative),
        "evidence": pa.list_(span),
        "scores": pa.struct([(label, number) for label in labels]),
    }
    return pa.schema([(name, types[name]) for name in choose(columns)])


def tag_column(tagger: Tagger, texts: Iterable[Any], columns: Sequence[str] | None = None) -> pa.Table:
    """The columns as a typed Arrow table, one row for each text; parameters and errors are those of `tag_rows`."""
    schema = arrow_schema(tagger.schema, columns)
    import pyarrow as pa

    return pa.Table.from_pylist(tag_rows(tagger, texts, columns), schema=schema)


def append(tagger: Tagger, table: pa.Table, column: str, columns: Sequence[str] | None = None) -> pa.Table:
    """An Arrow table with the tag's columns behind its own.

    Raises
    ------
    InputError
        The table has no such column.
    """
    if column not in table.column_names:
        raise InputError(
            f"There is no column '{column}'; there are {', '.join(table.column_names)}.",
            remedy=did_you_mean(column, table.column_names),
        )
    tags = tag_column(tagger, table.column(column).to_pylist(), columns)
    out = table.rename_columns([kept_name(name, tags.column_names) for name in table.column_names])
    for name in tags.column_names:
        out = out.append_column(tags.schema.field(name), tags.column(name))
    return out


@dataclass(frozen=True)
class MapFunction:
    """Tags the rows of ``datasets``; made by `Tagger.as_map_fn`.

    Its hash, by which ``datasets`` caches, follows the model, the mode, the thresholds and the columns.
    """

    tagger: Tagger
    text_column: str
    columns: tuple[str, ...]
    model: str

    def __call__(self, batch: Any) -> Any:
        """Tag a batch, or one row; an Arrow table gives one."""
        if hasattr(batch, "append_column"):
            return append(self.tagger, batch, self.text_column, self.columns)
        if self.text_column not in batch:
            raise InputError(f"There is no column '{self.text_column}'.", remedy=did_you_mean(self.text_column, batch))
        texts = batch[self.text_column]
        # Only columns that move are looked at: a batch of `datasets` decodes what is asked for.
        moves = {name: kept_name(name, self.columns) for name in batch}
        kept = {new: batch[name] for name, new in moves.items() if new != name}
        if texts is None or isinstance(texts, str):
            return {**kept, **tag_rows(self.tagger, [texts], self.columns)[0]}
        tags = tag_column(self.tagger, texts, self.columns)
        return {**kept, **{name: _TypedList(tags.column(name)) for name in self.columns}}


class _TypedList(list[Any]):
    """A column that pyarrow gives its type; a plain list's would be guessed, and the first batch may be all null.

    An Arrow table would be typed as well, but ``datasets`` takes one for all the columns, and forgets `remove_columns`.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        super().__init__(column.to_pylist())
        self.kind = column.type

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:  # noqa: A002
        import pyarrow as pa

        return pa.array(list(self), type or self.kind)
