"""What plots are drawn from: precision and recall over thresholds, reliability, risk over coverage.

Curves are kept at up to a hundred points or so, each of them exact, so that a saved report stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.metrics import calibration_bins, ratio, risks

if TYPE_CHECKING:
    import numpy.typing as npt

POINTS = 100
#: Bins of a reliability diagram.
BINS = 10
_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """One narrative, named from ever higher thresholds.

    Attributes
    ----------
    label : str
        The narrative.
    thresholds : tuple of float
        Rising.
    precision, recall : tuple of float
        At each threshold.
    flagged : tuple of float
        Share of texts without a narrative that reach it; ``NaN`` where there are none.
    """

    label: str
    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    flagged: tuple[float, ...]

    @property
    def f1(self) -> tuple[float, ...]:
        """At each threshold."""
        pairs = zip(self.precision, self.recall, strict=True)
        return tuple(2 * p * r / (p + r) if p + r else 0.0 for p, r in pairs)


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """Whether probabilities come true, by bins of equal width; empty bins are left out.

    Attributes
    ----------
    label : str
        A narrative, or ``confidence``.
    probability, share : tuple of float
        Mean probability of the bin, and how often it came true.
    n : tuple of int
        Passages in the bin.
    """

    label: str
    probability: tuple[float, ...]
    share: tuple[float, ...]
    n: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """Share of wrong tags among the most confident ones.

    Attributes
    ----------
    coverage, risk : tuple of float
        Share of the tags that is kept, and the share of them that is wrong.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of a report.

    Attributes
    ----------
    thresholds : tuple of ThresholdCurve
        Of the narratives that occur and have probabilities.
    reliability : tuple of ReliabilityCurve
        Of the same, and of the confidence.
    risk : RiskCurve
        Of the confidence.
    """

    thresholds: tuple[ThresholdCurve, ...]
    reliability: tuple[ReliabilityCurve, ...]
    risk: RiskCurve


def threshold_curve(
    label: str, gold: npt.ArrayLike, probability: npt.ArrayLike, plain: npt.ArrayLike
) -> ThresholdCurve:
    """The curve of a narrative.

    Parameters
    ----------
    label : str
        Its name.
    gold, probability : array_like, shape (n,)
        Truth and probability where it was annotated; at least one is true.
    plain : array_like, shape (m,)
        Probabilities of the texts without a narrative.
    """
    y, p = np.asarray(gold, np.float64), np.asarray(probability, np.float64)
    order = np.argsort(-p, kind="stable")
    y, p = y[order], p[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    found = np.cumsum(y)[last_of_tie]
    # Points evenly over what is found, and evenly over all, so that neither end of the curve is coarse.
    over_found = np.searchsorted(found, np.linspace(found[0], found[-1], POINTS // 2))
    over_all = np.linspace(0, len(found) - 1, POINTS // 2).astype(np.int64)
    kept = np.unique(np.concatenate([over_found, over_all]))[::-1]
    # Rounded downwards, lest a rounded threshold shut out the passage that it was taken from.
    thresholds = np.floor(p[last_of_tie[kept]] / _STEP) * _STEP
    low = np.sort(np.asarray(plain, np.float64))
    return ThresholdCurve(
        label,
        _floats(thresholds),
        _floats(found[kept] / (last_of_tie[kept] + 1)),
        _floats(found[kept] / found[-1]),
        _floats(ratio(len(low) - np.searchsorted(low, thresholds), np.full(len(kept), len(low)))),
    )


def choose_threshold(curve: ThresholdCurve, precision: float | None, recall: float | None) -> float:
    """See `Report.thresholds`."""
    if precision is not None and recall is not None:
        raise InputError("Both a precision and a recall are given.", remedy="Give one of them.")
    target, given, other = 0.0, curve.f1, curve.f1
    if precision is not None:
        target, given, other = precision, curve.precision, curve.recall
    elif recall is not None:
        target, given, other = recall, curve.recall, curve.precision
    reached = [i for i, value in enumerate(given) if value >= target]
    if not reached:
        raise InputError(
            f"No threshold of '{curve.label}' reaches {target:g}; the best is {max(given):.3f}.",
            remedy="Ask for less, or choose on more passages.",
        )
    return curve.thresholds[max(reached, key=lambda i: (other[i], given[i]))]


def reliability_curve(label: str, gold: npt.ArrayLike, probability: npt.ArrayLike) -> ReliabilityCurve:
    """The reliability of probabilities, in ten bins."""
    table = calibration_bins(gold, probability, bins=BINS)
    n, positives, total = table[table[:, 0] > 0].T
    return ReliabilityCurve(label, _floats(total / n), _floats(positives / n), tuple(int(count) for count in n))


def risk_curve(wrong: npt.ArrayLike, confidence: npt.ArrayLike) -> RiskCurve:
    """The risk at every hundredth of coverage."""
    risk = risks(wrong, confidence)
    if not risk.size:
        return RiskCurve((), ())
    coverage = np.arange(1, POINTS + 1) / POINTS
    at = np.maximum(np.ceil(coverage * len(risk)).astype(np.int64), 1) - 1
    return RiskCurve(_floats(coverage), _floats(risk[at]))


def _floats(values: npt.ArrayLike) -> tuple[float, ...]:
    return tuple(float(value) for value in np.asarray(values))
