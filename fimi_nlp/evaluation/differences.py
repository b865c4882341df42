"""Differences of two models with paired intervals: of the whole corpus, and within its slices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.evaluation import metrics as m

# `Estimate` is needed at run time, where a comparison is read back: the types of the fields say how.
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate, parts, share
from fimi_nlp.evaluation.slices import field_values, parted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from fimi_nlp.evaluation.scored import Scored

    Floats = npt.NDArray[np.float64]

MICRO_F1 = "micro-F1"
FLAGGED = "share flagged without a narrative"


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both models.

    Attributes
    ----------
    measure : str
        In words.
    first, second : float
        Of either model.
    difference : Estimate
        Second minus first, with its paired interval.
    """

    measure: str
    first: float
    second: float
    difference: Estimate

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True, slots=True)
class SliceDifference:
    """What two models differ in within a part of the corpus.

    Attributes
    ----------
    field, value : str
        As in `SliceScore`.
    n, groups, carrying : int
        Passages, the groups that they come from, and the passages that carry a narrative.
    f1 : Difference
        Of the pooled counts of all labels; ``NaN`` where nothing is carried, as in `SliceScore`.
    false_alarms : Difference
        Of the share of texts without a narrative with any named.
    """

    field: str
    value: str
    n: int
    groups: int
    carrying: int
    f1: Difference
    false_alarms: Difference


def of_sums(
    boot: ClusterBootstrap, measure: str, first: Floats, second: Floats, metric: Callable[[Floats], Floats]
) -> Difference:
    """The difference of a metric of sums over rows, both models scored on each resample."""
    one, two = float(metric(first.sum(axis=0))), float(metric(second.sum(axis=0)))
    estimate = boot.around(two - one, lambda: metric(boot.totals(second)) - metric(boot.totals(first)))
    return Difference(measure, one, two, estimate)


def slice_differences(
    a: Scored, b: Scored, fields: Iterable[str], groups: Sequence[object], like: ClusterBootstrap
) -> Iterator[SliceDifference]:
    """Within the parts of a corpus; in each field, where the second model loses most comes first.

    Parameters
    ----------
    a, b : Scored
        Both models on the same passages.
    fields : iterable of str
        What the corpus is cut by.
    groups : sequence, length n
        The group of every passage.
    like : ClusterBootstrap
        Whose resamples, coverage and seed the intervals have.
    """
    for field in fields:
        rows = [
            _within(a, b, field, value, where, groups, like)
            for value, where in parted(field_values(a.corpus, field)).items()
        ]
        yield from sorted(rows, key=lambda row: (_loss(row), row.value))


def _within(
    a: Scored,
    b: Scored,
    field: str,
    value: str,
    rows: npt.NDArray[np.int64],
    groups: Sequence[object],
    like: ClusterBootstrap,
) -> SliceDifference:
    boot = ClusterBootstrap([groups[i] for i in rows.tolist()], n=like.n, ci=like.ci, seed=like.seed)
    carrying = int(a.carrying[rows].sum())
    counts = [s.strict[rows].sum(axis=1) for s in (a, b)]
    flagged = [parts(np.where(s.plain[rows], s.flagged[rows], np.nan)) for s in (a, b)]
    nothing = Difference(MICRO_F1, math.nan, math.nan, Estimate(math.nan))
    return SliceDifference(
        field=field,
        value=value,
        n=len(rows),
        groups=boot.groups,
        carrying=carrying,
        f1=of_sums(boot, MICRO_F1, *counts, pooled_f1) if carrying else nothing,
        false_alarms=of_sums(boot, FLAGGED, *flagged, share),
    )


def _loss(row: SliceDifference) -> tuple[float, ...]:
    """Sorts as slices are sorted: by the upper end of the interval, so that tiny slices do not come first by chance."""
    f1, flagged = row.f1.difference, row.false_alarms.difference.value
    return tuple(math.inf if math.isnan(x) else x for x in (f1.high, f1.value, -flagged))


def pooled_f1(counts: Floats) -> Floats:
    """F1 of counts of shape (..., 3)."""
    return m.rates(counts).f1
