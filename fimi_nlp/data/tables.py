"""Corpora as Arrow tables: Parquet files and Hugging Face datasets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fimi_nlp._record_formats import BATCH, dumps
from fimi_nlp.data.corpus import PLAIN_FIELDS
from fimi_nlp.errors import require
from fimi_nlp.records import open_writer

if TYPE_CHECKING:
    from pathlib import Path

    import datasets
    import pyarrow as pa

    from fimi_nlp.data.corpus import Corpus, Passage

#: The column that holds, as one JSON object, extra columns whose values have no common plain type.
PACKED = "extra"


def write_parquet(corpus: Corpus, path: str | Path) -> None:
    """See `Corpus.to_parquet`."""
    require("parquet", "pyarrow")
    extra = _extra_types(corpus)
    with open_writer(path, format="parquet", schema=_schema(extra)) as writer:
        for passage in corpus:
            writer.write(_row(passage, extra))


def to_dataset(corpus: Corpus) -> datasets.Dataset:
    """See `Corpus.to_dataset`."""
    require("train", "datasets", "pyarrow")
    import datasets
    import pyarrow as pa

    extra = _extra_types(corpus)
    schema = _schema(extra)
    rows = [_row(passage, extra) for passage in corpus]
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    table = pa.Table.from_batches([pa.RecordBatch.from_pylist(batch, schema) for batch in batches], schema)
    return datasets.Dataset(datasets.table.InMemoryTable(table))


def _schema(extra: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    text, labels = pa.string(), pa.list_(pa.string())
    # A list of label and sub, and not a struct with a field per label: so that null, empty and absent stay apart.
    carried = pa.list_(pa.struct([("label", text), ("sub", text)]))
    fields = [("id", text), ("text", text), ("narratives", carried), ("not_annotated", labels), ("unsure", labels)]
    fields += [(key, text) for key in PLAIN_FIELDS]
    types = {"str": text, "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), PACKED: text}
    fields += [(key, types[kind]) for key, kind in extra.items() if kind != PACKED]
    if PACKED in extra.values():
        fields.append((PACKED, text))
    return pa.schema(fields)


def _extra_types(corpus: Corpus) -> dict[str, str]:
    """For every extra column, the plain type that all its values have, or `PACKED`."""
    kinds: dict[str, set[str]] = {}
    for passage in corpus:
        for key, value in passage.extra.items():
            kinds.setdefault(key, set()).add(_kind(value))
    return {key: PACKED if len(found) > 1 or key == PACKED else found.pop() for key, found in kinds.items()}


def _kind(value: object) -> str:
    plain = isinstance(value, (str, bool, float)) or (isinstance(value, int) and -(2**63) <= value < 2**63)
    if not plain or (isinstance(value, float) and not math.isfinite(value)):
        return PACKED
    return type(value).__name__ if type(value) in (str, bool, int, float) else PACKED


def _row(passage: Passage, extra: dict[str, str]) -> dict[str, Any]:
    carried = passage.narratives
    row: dict[str, Any] = {
        "id": passage.id,
        "text": passage.text,
        "narratives": None if carried is None else [{"label": label, "sub": sub} for label, sub in carried.items()],
        "not_annotated": sorted(passage.not_annotated),
        "unsure": sorted(passage.unsure),
    }
    row |= {key: getattr(passage, key) for key in PLAIN_FIELDS}
    packed = {key: value for key, value in passage.extra.items() if extra[key] == PACKED}
    row |= {key: value for key, value in passage.extra.items() if key not in packed}
    if PACKED in extra.values():
        row[PACKED] = dumps(packed) if packed else None
    return row
