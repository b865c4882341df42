"""Metrics as pure functions of arrays.

Conventions, the same everywhere:

* **Classes come from the schema**, never from the gold labels present: an array has one column a label, so that the
  false positives of a label that the gold never has still count.
* **A mask** says which cells are annotated. Other cells are neither right nor wrong: they are left out.
* **Nothing to score is not zero.** A label with neither gold positives nor predictions has precision, recall and F1
  ``NaN``; it is left out of a macro average, which says how many were left out. A label with gold positives but no
  predictions, or with predictions but no gold positives, has F1 0, and whichever of precision and recall has the
  denominator 0 is 0 too.
* **One count per row**: `outcomes` and `choice_outcomes` give true positives, false positives and false negatives for
  every row, so that the same function scores a corpus, a slice, and every resample of a bootstrap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]

#: Bins of the calibration errors.
BINS = 15


class Rates(NamedTuple):
    """Precision, recall and F1, each of the shape of the counts without their last axis."""

    precision: Floats
    recall: Floats
    f1: Floats


class Average(NamedTuple):
    """A mean over labels.

    Attributes
    ----------
    value : float
        ``NaN`` where all were left out.
    left_out : int
        How many labels had nothing to score.
    """

    value: float
    left_out: int


# --- counts and rates ------------------------------------------------------------------------------------------------


def outcomes(gold: npt.ArrayLike, named: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> Floats:
    """True positives, false positives and false negatives of every cell.

    Parameters
    ----------
    gold, named : array_like of bool, shape (n, L)
        What the annotator and the tagger named.
    mask : array_like of bool, shape (n, L), optional
        Annotated cells; all of them by default.

    Returns
    -------
    ndarray, shape (n, L, 3)
        0 or 1; sum over the rows for counts.
    """
    y, z = np.asarray(gold, bool), np.asarray(named, bool)
    m = np.ones(y.shape, bool) if mask is None else np.asarray(mask, bool)
    return np.stack([y & z & m, ~y & z & m, y & ~z & m], axis=-1).astype(np.float64)


def choice_outcomes(gold: npt.ArrayLike, chosen: npt.ArrayLike, classes: int, *, answered: bool = False) -> Floats:
    """The same for a single choice among exclusive classes.

    Parameters
    ----------
    gold, chosen : array_like of int, shape (n,)
        Index of the class; -1 where not annotated, or where nothing was chosen.
    classes : int
        How many classes the schema has.
    answered : bool
        Leave out the rows without a choice; by default they miss the gold class.

    Returns
    -------
    ndarray, shape (n, classes, 3)
        0 or 1; rows without gold are 0.
    """
    y, z = np.asarray(gold, np.int64), np.asarray(chosen, np.int64)
    scored = (y >= 0) & ((z >= 0) | (not answered))
    index = np.arange(classes)
    return outcomes(y[:, None] == index, z[:, None] == index, np.broadcast_to(scored[:, None], (len(y), classes)))


def rates(counts: npt.ArrayLike) -> Rates:
    """Precision, recall and F1 of counts whose last axis is true positives, false positives, false negatives.

    Examples
    --------
    >>> rates([[2, 1, 1], [0, 3, 0], [0, 0, 0]]).f1.round(3).tolist()
    [0.667, 0.0, nan]
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    nothing = tp + fp + fn == 0
    return Rates(
        *(
            np.where(nothing, np.nan, top / np.maximum(bottom, 1.0))
            for top, bottom in ((tp, tp + fp), (tp, tp + fn), (2 * tp, 2 * tp + fp + fn))
        )
    )


def f1(counts: npt.ArrayLike) -> Floats:
    """F1 of counts as `rates` takes them."""
    return rates(counts).f1


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """`part` / `whole`, ``NaN`` where `whole` is 0."""
    a, b = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)


def mean_of_scored(values: npt.ArrayLike) -> Floats:
    """Mean over the last axis without the ``NaN``; ``NaN`` where nothing is left."""
    x = np.asarray(values, np.float64)
    return ratio(np.nansum(x, axis=-1), np.isfinite(x).sum(axis=-1))


def macro(values: npt.ArrayLike) -> Average:
    """Mean of the labels that had something to score, and how many had not.

    Examples
    --------
    >>> macro([0.5, 1.0, float("nan")])
    Average(value=0.75, left_out=1)
    """
    x = np.asarray(values, np.float64)
    return Average(float(mean_of_scored(x)), int(np.isnan(x).sum()))


def micro(counts: npt.ArrayLike) -> Rates:
    """Rates of the counts pooled over labels; `counts` has shape (..., L, 3)."""
    return rates(np.asarray(counts, np.float64).sum(axis=-2))


def samples_f1_rows(
    gold: npt.ArrayLike, named: npt.ArrayLike, mask: npt.ArrayLike | None = None, *, empty: float = 1.0
) -> Floats:
    """F1 of the set of labels of every passage.

    Parameters
    ----------
    gold, named, mask : array_like of bool, shape (n, L)
        As in `outcomes`.
    empty : float
        What a passage with no gold label and none named is worth. 1 by default, since naming nothing is then right
        (as in SemEval-2025 Task 10, where `Other` is a label); scikit-learn gives 0; ``NaN`` leaves them out.

    Returns
    -------
    ndarray, shape (n,)
        ``NaN`` for rows without an annotated cell.
    """
    f1 = rates(outcomes(gold, named, mask).sum(axis=1)).f1
    return np.where(_annotated(f1, mask), np.where(np.isnan(f1), empty, f1), np.nan)


def samples_f1(
    gold: npt.ArrayLike, named: npt.ArrayLike, mask: npt.ArrayLike | None = None, *, empty: float = 1.0
) -> float:
    """Mean of `samples_f1_rows`."""
    return float(mean_of_scored(samples_f1_rows(gold, named, mask, empty=empty)))


def all_right(gold: npt.ArrayLike, named: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> Floats:
    """1 for passages with all annotated cells right, else 0; ``NaN`` for rows without an annotated cell."""
    wrong = outcomes(gold, named, mask)[..., 1:].sum(axis=(1, 2))
    return np.where(_annotated(wrong, mask), wrong == 0, np.nan)


def subset_accuracy(gold: npt.ArrayLike, named: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> float:
    """Share of passages with all annotated cells right; rows without an annotated cell are left out."""
    return float(mean_of_scored(all_right(gold, named, mask)))


def _annotated(rows: Floats, mask: npt.ArrayLike | None) -> Bools:
    return np.asarray(True if mask is None else np.asarray(mask, bool).any(axis=1)) & np.ones(rows.shape, bool)


# --- no-theme texts, single choices ----------------------------------------------------------------------------------


def without_theme(gold: npt.ArrayLike, mask: npt.ArrayLike, unsure: npt.ArrayLike | None = None) -> Bools:
    """Rows annotated in every cell as carrying nothing, without a cell that the annotator was unsure of."""
    m, y = np.asarray(mask, bool), np.asarray(gold, bool)
    doubtful = np.zeros(y.shape, bool) if unsure is None else np.asarray(unsure, bool)
    return np.asarray(m.all(axis=1) & ~y.any(axis=1) & ~doubtful.any(axis=1))


def false_positive_rate(named: npt.ArrayLike, rows: npt.ArrayLike) -> float:
    """Share of `rows` (see `without_theme`) with any label named."""
    flagged = np.asarray(named, bool)[np.asarray(rows, bool)].any(axis=1)
    return float(ratio(flagged.sum(), flagged.size))


def confusion(gold: npt.ArrayLike, chosen: npt.ArrayLike, classes: int) -> Ints:
    """Counts by gold class (rows) and chosen class (columns); the last column is no choice.

    Rows without gold (-1) are left out.
    """
    y, z = np.asarray(gold, np.int64), np.asarray(chosen, np.int64)
    z = np.where(z < 0, classes, z)[y >= 0]
    table = np.zeros((classes, classes + 1), np.int64)
    np.add.at(table, (y[y >= 0], z), 1)
    return table


# --- probabilities ---------------------------------------------------------------------------------------------------


def average_precision(gold: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """Area under the precision-recall steps of one label; tied probabilities are one step.

    Parameters
    ----------
    gold, probability : array_like, shape (n,)
        Truth, and what ranks the rows.
    weights : array_like, shape (..., n), optional
        How often each row counts, as the draws of a bootstrap; once each by default.

    Returns
    -------
    ndarray, shape (...)
        ``NaN`` with no positive.
    """
    y, p = np.asarray(gold, np.float64), np.asarray(probability, np.float64)
    w = np.ones(y.shape) if weights is None else np.asarray(weights, np.float64)
    if not y.size:
        return np.full(w.shape[:-1], np.nan)
    order = np.argsort(-p, kind="stable")
    y, p, w = y[order], p[order], w[..., order]
    last_of_tie = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    found = np.cumsum(w * y, axis=-1)[..., last_of_tie]
    precision = found / np.maximum(np.cumsum(w, axis=-1)[..., last_of_tie], 1.0)
    return ratio((np.diff(found, prepend=0.0, axis=-1) * precision).sum(axis=-1), found[..., -1])


def brier(gold: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean squared difference of probability and truth; ``NaN`` with no rows."""
    y, p = np.asarray(gold, np.float64), np.asarray(probability, np.float64)
    return float(ratio(((p - y) ** 2).sum(), y.size))


def calibration_bins(
    gold: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = BINS, adaptive: bool = False
) -> Floats:
    """Rows, positives and sum of the probabilities of every bin: what a reliability diagram shows.

    Parameters
    ----------
    gold, probability : array_like, shape (n,)
        Truth (0 or 1), and the probability of 1.
    bins : int
        How many.
    adaptive : bool
        Bins of equal mass instead of equal width; equal probabilities stay in one bin, so the order of the rows is of
        no consequence.

    Returns
    -------
    ndarray, shape (bins, 3)
    """
    y, p = np.asarray(gold, np.float64), np.asarray(probability, np.float64)
    steps = np.arange(1, bins) / bins
    # Upper edges are inside their bin, as in Guo et al. 2017.
    edges = np.unique(np.quantile(p, steps, method="lower")) if adaptive and p.size else steps
    index = np.searchsorted(edges, p, side="left")
    return np.stack([np.bincount(index, part, minlength=bins) for part in (np.ones(y.shape), y, p)], axis=-1)


def calibration_error(
    gold: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = BINS, adaptive: bool = False
) -> float:
    """Expected calibration error: mean over bins, by their size, of |share of positives - mean probability|.

    Parameters are those of `calibration_bins`; ``NaN`` with no rows.
    """
    table = calibration_bins(gold, probability, bins=bins, adaptive=adaptive)
    return float(ratio(np.abs(table[:, 1] - table[:, 2]).sum(), table[:, 0].sum()))


class RiskCoverage(NamedTuple):
    """How the share of errors falls as the least confident answers are held back.

    Attributes
    ----------
    aurc : float
        Mean risk over all coverages: smaller is better, and equals the share of errors if confidence says nothing.
    risk : tuple of float
        Share of errors among the most confident answers, at each coverage asked for.
    """

    aurc: float
    risk: tuple[float, ...]


def risk_coverage(
    wrong: npt.ArrayLike, confidence: npt.ArrayLike, coverages: Sequence[float] = (0.5, 0.8, 0.9, 1.0)
) -> RiskCoverage:
    """Risk-coverage curve. Among answers of equal confidence the errors are taken to be spread evenly."""
    risk = risks(wrong, confidence)
    if not risk.size:
        return RiskCoverage(float("nan"), (float("nan"),) * len(coverages))
    at = tuple(float(risk[max(int(np.ceil(x * len(risk))), 1) - 1]) for x in coverages)
    return RiskCoverage(float(risk.mean()), at)


def risks(wrong: npt.ArrayLike, confidence: npt.ArrayLike) -> Floats:
    """Share of errors among the k most confident answers, for k from 1 to n."""
    w, c = np.asarray(wrong, np.float64), np.asarray(confidence, np.float64)
    _, tie, size = np.unique(-c, return_inverse=True, return_counts=True)
    spread = np.bincount(tie.ravel(), w, minlength=len(size)) / size
    return np.asarray(np.cumsum(spread[np.sort(tie.ravel())]) / np.arange(1, len(w) + 1))
