"""Intervals by cluster bootstrap: groups are drawn with replacement, not passages.

Passages of one document or account resemble each other; drawing them one by one would make intervals too narrow
(Field and Welsh 2007, *Bootstrapping clustered data*). Since every metric here is a function of sums over rows, only
the sums of each group are kept, and a thousand resamples are one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.metrics import mean_of_scored, rates, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Cells of the matrix of draws that are held at once (8 bytes each).
_CELLS = 4_000_000


class Estimate(NamedTuple):
    """A value and its percentile interval; ``NaN`` where it cannot be had."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


class ClusterBootstrap:
    """Resamples of groups, the same for every metric.

    Parameters
    ----------
    groups : sequence of hashable
        The group of every row; each row whose group is ``None`` or empty is a group by itself.
    n : int
        How many resamples.
    ci : float
        Coverage of the intervals.
    seed : int
        Same seed, same intervals.

    Notes
    -----
    A resample that has nothing to score for a metric is left out of its interval. With fewer than two groups there is
    nothing to resample, and no interval is given. With few groups (under about 20) percentile intervals are too
    narrow: look at `groups` before reading them.
    """

    def __init__(self, groups: Sequence[object], *, n: int = 1000, ci: float = 0.95, seed: int = 0) -> None:
        if not 0.0 < ci < 1.0:
            raise InputError(f"ci is {ci}.", remedy="Give the coverage of the intervals, such as 0.95.")
        self.n, self.ci, self.seed = n, ci, seed
        known: dict[object, int] = {}
        keys = ((i,) if group is None or group == "" else group for i, group in enumerate(groups))
        self._index = np.fromiter((known.setdefault(key, len(known)) for key in keys), np.int64, len(groups))
        self.groups = len(known)

    def totals(self, rows: npt.ArrayLike) -> Floats:
        """Sums over the rows of each resample.

        Parameters
        ----------
        rows : array_like, shape (rows, ...)
            Statistics of every row.

        Returns
        -------
        ndarray, shape (n, ...)
        """
        x = np.asarray(rows, np.float64)
        shape, flat = x.shape[1:], x.reshape(len(x), -1)
        sums = np.zeros((self.groups, flat.shape[1]))
        np.add.at(sums, self._index, flat)
        out = np.empty((self.n, flat.shape[1]))
        rng = np.random.default_rng(self.seed)
        chunk = max(1, _CELLS // max(self.groups, 1))
        for start in range(0, self.n, chunk):
            out[start : start + chunk] = self._draws(rng, min(chunk, self.n - start)) @ sums
        return out.reshape(self.n, *shape)

    def estimate(self, rows: npt.ArrayLike, metric: Callable[[Floats], Floats]) -> Estimate:
        """A metric of the sums over rows, with its interval.

        Parameters
        ----------
        rows : array_like, shape (rows, ...)
            Statistics of every row.
        metric : callable
            From sums of shape (..., *statistics) to values of shape (...).
        """
        x = np.asarray(rows, np.float64)
        value = float(metric(x.sum(axis=0)))
        if self.groups < 2 or np.isnan(value):
            return Estimate(value)
        return Estimate(value, *self.interval(metric(self.totals(x))))

    def macro_f1(self, counts: npt.ArrayLike) -> Estimate:
        """Macro-F1 with its interval.

        A class that the sample has but a resample lacks keeps its F1 of the sample there: were it left out, resamples
        would average over other classes than the sample does, and a rare class with a low F1 would bend the interval
        upwards.

        Parameters
        ----------
        counts : array_like, shape (rows, ..., classes, 3)
            See `metrics.outcomes`. Over axes between rows and classes, the mean is taken.
        """
        x = np.asarray(counts, np.float64)
        f1 = rates(x.sum(axis=0)).f1
        value = float(mean_of_scored(f1).mean())
        if self.groups < 2 or np.isnan(value):
            return Estimate(value)
        drawn = rates(self.totals(x)).f1
        averages = mean_of_scored(np.where(np.isnan(drawn), f1, drawn))
        return Estimate(value, *self.interval(averages.reshape(self.n, -1).mean(axis=1)))

    def interval(self, values: npt.ArrayLike) -> tuple[float, float]:
        """Percentile interval of the values of the resamples, those that are ``NaN`` left out."""
        x = np.asarray(values, np.float64)
        x = x[np.isfinite(x)]
        if not x.size:
            return float("nan"), float("nan")
        low, high = np.quantile(x, [(1 - self.ci) / 2, (1 + self.ci) / 2])
        return float(low), float(high)

    def _draws(self, rng: np.random.Generator, count: int) -> Floats:
        """How often each resample draws each group."""
        size = self.groups
        drawn = rng.integers(0, size, (count, size)) + np.arange(count)[:, None] * size
        return np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(np.float64)


def share(counts: npt.ArrayLike) -> Floats:
    """Part of a whole, for sums of shape (..., 2)."""
    x = np.asarray(counts, np.float64)
    return ratio(x[..., 0], x[..., 1])
