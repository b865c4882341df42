"""Agreement beyond chance, from counts.

Methods: Cohen 1960, *A coefficient of agreement for nominal scales*; Krippendorff 2011, *Computing Krippendorff's
alpha-reliability*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.evaluation.metrics import ratio

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


def cohen_kappa(counts: npt.ArrayLike) -> Floats:
    """Cohen's kappa.

    Parameters
    ----------
    counts : array_like, shape (..., K, K)
        How often the first annotator gave the answer of the row and the second that of the column.

    Returns
    -------
    ndarray, shape (...)
        ``NaN`` where chance agreement is perfect.

    Examples
    --------
    >>> float(cohen_kappa([[20, 5], [10, 15]]).round(3))
    0.4
    """
    x = np.asarray(counts, np.float64)
    total = x.sum(axis=(-2, -1))
    same = ratio(np.trace(x, axis1=-2, axis2=-1), total)
    chance = ratio((x.sum(axis=-1) * x.sum(axis=-2)).sum(axis=-1), total**2)
    return ratio(same - chance, 1.0 - chance)


def krippendorff_alpha(answers: npt.ArrayLike) -> float:
    """Krippendorff's alpha for nominal data.

    Parameters
    ----------
    answers : array_like of int, shape (annotators, units)
        The answers as numbers from 0; negative where there is none.

    Returns
    -------
    float
        ``NaN`` where no unit has two answers, or all answers are the same.

    Examples
    --------
    Two annotators and ten units (Krippendorff 2011, section A):

    >>> a, b = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    >>> round(krippendorff_alpha([a, b]), 3)
    0.095
    """
    x = np.asarray(answers, np.int64)
    return float(alpha_of(unit_counts(x, int(x.max(initial=0)) + 1).sum(axis=0)))


def unit_counts(answers: Ints, classes: int) -> Floats:
    """For every unit with two or more answers how many there are of each, and the sum of its agreeing pairs.

    Other units are 0; sums over units are all that alpha needs.
    """
    counts = (answers[..., None] == np.arange(classes)).sum(axis=0).astype(np.float64)
    given = counts.sum(axis=1)
    counts[given < 2] = 0.0
    agreeing = (counts * (counts - 1)).sum(axis=1) / np.maximum(given - 1, 1.0)
    return np.column_stack([counts, agreeing])


def alpha_of(sums: Floats) -> Floats:
    """From sums of `unit_counts`, shape (..., classes + 1), to alpha: observed against expected disagreement."""
    counts, agreeing = sums[..., :-1], sums[..., -1]
    n = counts.sum(axis=-1)
    disagreeing, expected = n - agreeing, n**2 - (counts**2).sum(axis=-1)
    return 1.0 - ratio((n - 1) * disagreeing, expected)
