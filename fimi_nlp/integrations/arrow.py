"""Tag a column of an Arrow table.

>>> import pyarrow as pa
>>> from fimi_nlp.integrations.arrow import tag_table
>>> table = pa.table({"text": ["NATO has provoked this war.", None]})
>>> tag_table(table, "text", columns=["labels", "reason"]).to_pylist()[1]
{'text': None, 'labels': None, 'reason': 'MISSING'}

Needs ``pip install "fimi-nlp[parquet]"``. The columns are those of `fimi_nlp.columns`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp.columns import append
from fimi_nlp.errors import require
from fimi_nlp.integrations._shared import resolve

require("parquet", "pyarrow")

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from fimi_nlp.integrations._shared import Model

__all__ = ["tag_table"]


def tag_table(
    table: pa.Table | pa.RecordBatch, column: str = "text", model: Model = None, *, columns: Sequence[str] | None = None
) -> pa.Table:
    """An Arrow table with typed tag columns behind its own.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch
        A table; a file that does not fit into memory is read batch by batch (``ParquetFile.iter_batches``).
    column : str
        Where the text stands.
    model : Tagger, str, Path or None
        A tagger, or what `fimi_nlp.load` takes; by default the bundled model.
    columns : sequence of str, optional
        Which of `fimi_nlp.columns.NAMES` to add; all by default.

    Returns
    -------
    pyarrow.Table
        Null texts give nulls and the reason ``MISSING``; an input column of the same name is kept as ``input_<name>``.

    Raises
    ------
    InputError
        There is no such column.
    InputTypeError
        The column holds something else than text; the message names the row.
    """
    import pyarrow as pa

    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    return append(resolve(model), table, column, columns)
