"""Labels as scikit-learn users give them: one column of classes, or a matrix of labels, with gaps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.columns import is_missing
from fimi_nlp.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

#: In encoded labels, and in the cells of a matrix: nobody looked.
MASKED = -1


class Targets(NamedTuple):
    """Encoded labels.

    Attributes
    ----------
    y : ndarray of int, shape (n,) or (n, L)
        Index of the class; or 1 and 0 for each label. -1 where nobody looked.
    classes : ndarray
        The classes, or the names of the labels.
    multilabel : bool
        Whether `y` is a matrix.
    """

    y: npt.NDArray[Any]
    classes: npt.NDArray[Any]
    multilabel: bool

    def annotated(self, rows: npt.NDArray[np.bool_]) -> tuple[Targets, npt.NDArray[np.intp]]:
        """The part of those rows in which something is annotated, and where it stands."""
        seen = (self.y != MASKED).any(axis=1) if self.multilabel else self.y != MASKED
        kept = np.flatnonzero(seen & rows)
        if not kept.size:
            raise InputError("No row is annotated.", remedy="Give labels; None, NaN and -1 say that nobody looked.")
        y, classes = self.y[kept], self.classes
        if not self.multilabel and not rows.all():  # rows of weight 0 bring no classes
            present, y = np.unique(y, return_inverse=True)
            classes = classes[present]
        return Targets(y, classes, self.multilabel), kept

    def abstained(self, *, required: bool) -> str | int:
        """What stands for an abstention: an empty text or -1; no class may be it where it is needed."""
        value: str | int = "" if not self.multilabel and self.classes.dtype.kind in "OU" else MASKED
        taken = not self.multilabel and (value in self.classes.tolist() or self.classes.dtype.kind in "bu")
        if required and taken:
            raise InputError(
                f"With abstain_below, {value!r} stands for an abstention, and these classes cannot hold it apart.",
                remedy="Name the classes by texts.",
            )
        return value


def read_targets(y: Any, estimator: object, *, classes: npt.NDArray[Any] | None = None) -> Targets:
    """Encode labels.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, L)
        Labels; a sparse matrix and a data frame will do.
    estimator : object
        For error messages.
    classes : ndarray, optional
        Those of a fitted classifier; a class that it does not know gets a place of its own behind them.

    Raises
    ------
    InputError
        The labels cannot be used.
    """
    if y is None:
        raise InputError(
            f"requires y to be passed, but the target y is None: {type(estimator).__name__} learns from labels.",
            remedy="Pass y.",
        )
    if _of_names(y):
        raise InputError(
            "The labels of a row are a list of names, or a mapping.",
            remedy="Give a matrix of 1 and 0: sklearn.preprocessing.MultiLabelBinarizer makes one of lists of names.",
        )
    array = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if array.dtype.kind == "U" and not hasattr(y, "dtype"):  # a list, in which NumPy would make text of a NaN
        array = np.asarray(y, dtype=object)
    if array.ndim == 2 and array.shape[1] > 1:
        names = getattr(y, "columns", range(array.shape[1]))
        return Targets(_matrix(array), np.array(list(names)), True)
    return _column(array, classes)


def _of_names(y: Any) -> bool:
    """Whether the rows hold names of labels, as ``[["roads"], ["roads", "weather"], []]``, which are no matrix."""
    rows = y.tolist() if getattr(y, "ndim", None) == 1 else y
    if not isinstance(rows, (list, tuple)):
        return False
    return any(
        isinstance(row, (dict, set, frozenset))
        or (isinstance(row, (list, tuple)) and any(isinstance(cell, str) for cell in row))
        for row in rows
    )


def _matrix(array: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    if array.dtype.kind == "O":
        array = np.array([[math.nan if is_missing(cell) else cell for cell in row] for row in array])
    if array.dtype.kind not in "biuf":
        raise InputError("A matrix of labels holds 0, 1 and, where nobody looked, NaN or -1.")
    masked = np.isnan(array) | (array == MASKED) if array.dtype.kind == "f" else array == MASKED
    if not (masked | (array == 0) | (array == 1)).all():
        odd = array[~(masked | (array == 0) | (array == 1))][0].item()
        raise InputError(
            f"A matrix of labels holds {odd!r}.", remedy="It holds 0, 1 and, where nobody looked, NaN or -1."
        )
    out = np.full(array.shape, MASKED, np.int8)
    out[~masked] = array[~masked].astype(np.int8)
    return out


def _column(array: npt.NDArray[Any], classes: npt.NDArray[Any] | None) -> Targets:
    from sklearn.utils import assert_all_finite, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets

    array = column_or_1d(array, warn=True)
    if array.dtype.kind == "f":
        masked = np.isnan(array)
    elif array.dtype.kind == "O":
        masked = np.array([is_missing(value) for value in array], bool)
    else:
        masked = np.zeros(len(array), bool)
    seen = array[~masked]
    if seen.dtype.kind == "O" and seen.size:
        seen = np.array(seen.tolist()) if len({isinstance(value, str) for value in seen}) == 1 else seen
    if seen.dtype.kind == "f":
        assert_all_finite(seen, input_name="y")
    if seen.size:
        check_classification_targets(seen)
    found, index = np.unique(seen, return_inverse=True)
    if classes is not None:
        known = classes.tolist()
        order = np.array([known.index(c) if c in known else len(known) for c in found.tolist()], np.intp)
        index, found = order[index] if found.size else index, np.array([*known, None], dtype=object)
    out = np.full(len(array), MASKED, np.intp)
    out[~masked] = index
    return Targets(out, found, False)
