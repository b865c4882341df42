"""Tag a column of a Polars frame: importing this module registers the namespace ``pl.col("text").fimi``.

>>> import polars as pl
>>> import fimi_nlp.integrations.polars
>>> frame = pl.DataFrame({"text": ["NATO has provoked this war.", None]})
>>> tagged = frame.with_columns(tag=pl.col("text").fimi.tag(columns=["labels", "reason"]))
>>> tagged["tag"].to_list()
[{'labels': 'nato_alliances', 'reason': 'OK'}, {'labels': None, 'reason': 'MISSING'}]

Needs ``pip install "fimi-nlp[polars]"``. The fields are those of `fimi_nlp.columns`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fimi_nlp.columns import arrow_schema, kept_name, tag_column
from fimi_nlp.errors import InputError, did_you_mean, require
from fimi_nlp.integrations._shared import resolve

require("polars", "polars", "pyarrow")

import polars as pl  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimi_nlp.integrations._shared import Model

__all__ = ["FimiNamespace", "tag"]


@pl.api.register_expr_namespace("fimi")
class FimiNamespace:
    """``expression.fimi``.

    Parameters
    ----------
    expression : polars.Expr
        A column of texts.
    """

    def __init__(self, expression: pl.Expr) -> None:
        self._expression = expression

    def tag(self, model: Model = None, *, columns: Sequence[str] | None = None) -> pl.Expr:
        """Tag texts, in eager and lazy frames.

        Parameters
        ----------
        model : Tagger, str, Path or None
            A tagger, or what `fimi_nlp.load` takes; by default the bundled model.
        columns : sequence of str, optional
            Which of `fimi_nlp.columns.NAMES`; all by default.

        Returns
        -------
        polars.Expr
            A struct with a typed field for each column (``frame.unnest`` makes columns of them). A null text gives
            nulls and the reason ``MISSING``.

        Raises
        ------
        InputError
            A column is unknown.
        InputTypeError
            When it is run: the column holds something else than text; the message names the row.
        """
        tagger = resolve(model)
        dtype = pl.Struct(_frame(arrow_schema(tagger.schema, columns).empty_table()).schema)

        def run(texts: pl.Series) -> pl.Series:
            return _frame(tag_column(tagger, texts, columns)).to_struct(texts.name)

        return self._expression.map_batches(run, return_dtype=dtype, is_elementwise=True)


def tag(
    frame: pl.DataFrame, column: str = "text", model: Model = None, *, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The frame with typed tag columns behind its own.

    Parameters
    ----------
    frame : polars.DataFrame
        Any frame.
    column : str
        Where the text stands.
    model, columns
        As in `FimiNamespace.tag`.

    Returns
    -------
    polars.DataFrame
        An input column of the same name as a new one is kept as ``input_<name>``.

    Raises
    ------
    InputError
        There is no such column.
    """
    if column not in frame.columns:
        raise InputError(f"The frame has no column '{column}'.", remedy=did_you_mean(column, frame.columns))
    tags = _frame(tag_column(resolve(model), frame[column], columns))
    return pl.concat([frame.rename(lambda name: kept_name(name, tags.columns)), tags], how="horizontal")


def _frame(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
