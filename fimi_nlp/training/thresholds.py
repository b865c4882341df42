"""Thresholds of the modes, chosen on calibrated probabilities of the dev split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fimi_nlp.schema import LabelSchema

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

#: Thresholds are looked for on this grid of calibrated probabilities.
GRID = np.round(np.arange(0.05, 0.96, 0.01), 2)
#: balanced: at most so much F1 is given up for fewer false alarms; a small dev split has a large standard error.
GIVEN_UP_AT_MOST = 0.05
#: high_precision: at most this share of the passages without a narrative is flagged, over all the labels together ...
FLAGGED_AT_MOST = 0.01
#: ... with this confidence over the draw of the dev passages.
CONFIDENCE = 0.9
#: high_recall: at least this share of the passages that carry a narrative is found.
RECALL_AT_LEAST = 0.9
#: A soft target above this counts as carried where a yes or no is needed.
SURE = 0.5
_RESAMPLES = 200
_STRICT = np.round(np.arange(0.99, 0.29, -0.01), 2)


def choose_thresholds(
    p: Floats, gold: Floats, mask: Bools, groups: Sequence[str], schema: LabelSchema, seed: int
) -> dict[str, dict[str, float]]:
    """One threshold for each mode and narrative; from one mode to the next they never cross.

    Parameters
    ----------
    p : ndarray, shape (n, L)
        Calibrated probabilities.
    gold : ndarray, shape (n, L)
        Labels, or a teacher's probabilities.
    mask : ndarray of bool, shape (n, L)
        Annotated cells.
    groups : sequence of str
        Document of every passage.
    schema : LabelSchema
        Names the labels.
    seed : int
        Of the resampling that steadies ``balanced``.
    """
    weights = _resamples(groups, seed)
    clean = mask.all(1) & ~(gold > SURE).any(1)
    strict = risk_controlled(p[clean]) if clean.any() else float(_STRICT[-1])
    modes: dict[str, dict[str, float]] = {mode.value: {} for mode in Mode}
    for i, label in enumerate(schema.narrative_labels):
        rows = mask[:, i]
        balanced = _best_f1(p[rows, i], gold[rows, i], weights[:, rows])
        positive = p[rows & (gold[:, i] > SURE), i]
        loose = float(np.quantile(positive, 1 - RECALL_AT_LEAST)) if len(positive) else balanced
        modes[Mode.BALANCED.value][label] = balanced
        modes[Mode.HIGH_PRECISION.value][label] = max(balanced, strict)
        modes[Mode.HIGH_RECALL.value][label] = max(0.01, min(balanced, float(np.floor(loose * 100) / 100)))
    return modes


def risk_controlled(p: Floats, *, at_most: float = FLAGGED_AT_MOST, confidence: float = CONFIDENCE) -> float:
    """The lowest threshold, one for all labels, that is proven to flag few passages without a narrative.

    Learn then test (Angelopoulos et al. 2021, *Learn then Test: Calibrating Predictive Algorithms to Achieve Risk
    Control*) with fixed sequence testing: thresholds are tried from the strictest down; each must pass the exact
    binomial test that the share flagged is at most `at_most`, and the last that passes before the first failure is
    taken. With probability `confidence` over the draw of `p`, at most that share of *further passages of the same
    kind* is flagged. Other sources are another kind: there the figure has to be measured.

    Parameters
    ----------
    p : ndarray, shape (n, L)
        Calibrated probabilities of passages that carry nothing.
    at_most, confidence : float
        The share, and how sure it is to be.

    Returns
    -------
    float
        The strictest threshold of all, 0.99, where even that is not proven: there are too few passages then.
    """
    from scipy.stats import binomtest

    top = p.max(1)
    chosen = float(_STRICT[0])
    for threshold in _STRICT:
        flagged = int((top >= threshold).sum())
        if binomtest(flagged, len(top), at_most, alternative="less").pvalue > 1 - confidence:
            break
        chosen = float(threshold)
    return chosen


def _resamples(groups: Sequence[str], seed: int) -> Floats:
    """Weights of the passages in resamples of whole groups: shape (resamples, n)."""
    generator = np.random.default_rng(seed)
    _, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    count = int(member.max()) + 1
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    return drawn[:, member].astype(np.float64)


def _best_f1(p: Floats, gold: Floats, weights: Floats) -> float:
    """The most cautious threshold whose F1 is within one standard error of the best.

    The one-standard-error rule (Breiman et al. 1984, *Classification and Regression Trees*), the error being that of
    the best F1 over resamples of whole documents. F1 is flat around its top, and the share of false alarms is not:
    among thresholds that dev cannot tell apart, the highest flags the fewest passages of people who made no such claim.
    """
    if not (gold > SURE).any():
        return 0.5
    named = (p[:, None] >= GRID).astype(np.float64)
    hit = weights @ (named * gold[:, None])
    wrong = weights @ (named * (1 - gold[:, None]))
    missed = (weights @ gold)[:, None] - hit
    f1 = 2 * hit / np.maximum(2 * hit + wrong + missed, 1e-9)
    mean = f1.mean(0)
    best = int(mean.argmax())
    given_up = min(float(f1[:, best].std()), GIVEN_UP_AT_MOST)
    return float(GRID[np.flatnonzero(mean >= mean[best] - given_up)[-1]])
