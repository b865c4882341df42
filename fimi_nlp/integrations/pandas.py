"""Tag a column of a data frame: importing this module registers the accessor ``frame.fimi``.

>>> import pandas as pd
>>> import fimi_nlp.integrations.pandas
>>> frame = pd.DataFrame({"text": ["NATO has provoked this war.", None]}, index=["a", "b"])
>>> tagged = frame.fimi.tag("text")
>>> tagged["labels"].tolist(), tagged["reason"].tolist()
(['nato_alliances', <NA>], ['OK', 'MISSING'])

Needs ``pip install "fimi-nlp[pandas]"``. The columns are those of `fimi_nlp.columns`, as Arrow types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp.columns import kept_name, tag_column
from fimi_nlp.errors import InputError, did_you_mean, require
from fimi_nlp.integrations._shared import resolve

require("pandas", "pandas", "pyarrow")

import pandas as pd  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimi_nlp.integrations._shared import Model

__all__ = ["FimiAccessor"]


@pd.api.extensions.register_dataframe_accessor("fimi")
class FimiAccessor:
    """``frame.fimi``.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any data frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def tag(self, column: str = "text", model: Model = None, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The frame with typed tag columns behind its own.

        Parameters
        ----------
        column : str
            Where the text stands.
        model : Tagger, str, Path or None
            A tagger, or what `fimi_nlp.load` takes; by default the bundled model.
        columns : sequence of str, optional
            Which of `fimi_nlp.columns.NAMES` to add; all by default.

        Returns
        -------
        pandas.DataFrame
            A new frame with the same index. Null texts give nulls and the reason ``MISSING``; an input column of the
            same name is kept as ``input_<name>``.

        Raises
        ------
        InputError
            There is no such column, or it is there twice.
        InputTypeError
            The column holds something else than text; the message names the row.
        """
        names = list(self._frame.columns)
        if names.count(column) != 1:
            what = "no column" if column not in names else "more than one column"
            hint = did_you_mean(column, map(str, names)) if column not in names else "Rename one of them."
            raise InputError(f"The frame has {what} '{column}'.", remedy=hint)
        tags = tag_column(resolve(model), self._frame[column], columns)
        tagged = tags.to_pandas(types_mapper=pd.ArrowDtype).set_index(self._frame.index)
        kept = self._frame.rename(columns=lambda name: kept_name(name, tags.column_names))
        return pd.concat([kept, tagged], axis=1)
