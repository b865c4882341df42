"""Intervals by cluster bootstrap: groups are drawn with replacement, not passages.

Passages of one document or account resemble each other; drawing them one by one would make intervals too narrow
(Field and Welsh 2007, *Bootstrapping clustered data*). Since every metric here is a function of sums over rows, only
the sums of each group are kept, and a thousand resamples are one matrix product.
"""

from __future__ import annotations

import math
from statistics import NormalDist
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
_NO_SPREAD = 1e-12


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
        return self._over_draws(lambda draws: draws @ sums, self.groups).reshape(self.n, *shape)

    def resampled(self, rows: npt.ArrayLike, metric: Callable[[Floats], Floats]) -> Floats:
        """A metric that is no function of sums, such as average precision, of each resample.

        Parameters
        ----------
        rows : array_like of bool, shape (rows,)
            Those that the metric is about.
        metric : callable
            From weights of shape (..., those rows), how often each is drawn, to values of shape (...).

        Returns
        -------
        ndarray, shape (n,)
        """
        index = self._index[np.asarray(rows, bool)]
        return self._over_draws(lambda draws: metric(draws[:, index])[:, None], max(self.groups, len(index))).ravel()

    def _over_draws(self, part: Callable[[Floats], Floats], width: int) -> Floats:
        rng = np.random.default_rng(self.seed)
        chunk = max(1, _CELLS // max(width, 1))
        starts = range(0, self.n, chunk)
        return np.concatenate([part(self._draws(rng, min(chunk, self.n - start))) for start in starts])

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
        return self.around(value, lambda: metric(self.totals(x)))

    def difference(
        self, first: npt.ArrayLike, second: npt.ArrayLike, metric: Callable[[Floats], Floats]
    ) -> tuple[float, float, Estimate]:
        """A metric of two sets of statistics of the same rows, and second minus first with its paired interval.

        Parameters
        ----------
        first, second : array_like, shape (rows, ...)
            As for `estimate`.
        metric : callable
            As for `estimate`.
        """
        x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
        one, two = float(metric(x.sum(axis=0))), float(metric(y.sum(axis=0)))
        return one, two, self.around(two - one, lambda: metric(self.totals(y)) - metric(self.totals(x)))

    def within(self, rows: npt.NDArray[np.int64]) -> ClusterBootstrap:
        """The bootstrap of some rows, given by their numbers, with the same settings."""
        return ClusterBootstrap(self._index[rows].tolist(), n=self.n, ci=self.ci, seed=self.seed)

    def macro_f1(self, counts: npt.ArrayLike) -> Estimate:
        """Macro-F1 with its interval.

        Parameters
        ----------
        counts : array_like, shape (rows, ..., classes, 3)
            See `metrics.outcomes`. Over axes between rows and classes, the mean is taken.
        """
        x = np.asarray(counts, np.float64)
        value = float(mean_of_scored(rates(x.sum(axis=0)).f1).mean())
        return self.around(value, lambda: self.drawn_macro_f1(x))

    def drawn_macro_f1(self, counts: npt.ArrayLike) -> Floats:
        """Macro-F1 of each resample, shape (n,); `counts` as for `macro_f1`.

        A class that the sample has but a resample lacks keeps its F1 of the sample there: were it left out, resamples
        would average over other classes than the sample does, and a rare class with a low F1 would bend the interval
        upwards.
        """
        x = np.asarray(counts, np.float64)
        drawn = rates(self.totals(x)).f1
        averages = mean_of_scored(np.where(np.isnan(drawn), rates(x.sum(axis=0)).f1, drawn))
        return np.asarray(averages.reshape(self.n, -1).mean(axis=1))

    def share(self, rows: npt.ArrayLike) -> Estimate:
        """The share of rows that are 1, with its interval.

        Where all are 0, or all are 1, resamples cannot differ: the interval is then Wilson's, with groups for trials.

        Parameters
        ----------
        rows : array_like, shape (rows,)
            From 0 to 1; ``NaN`` leaves a row out.
        """
        x = np.asarray(rows, np.float64)
        counts = parts(x)
        estimate = self.estimate(counts, share)
        if estimate.value in (0.0, 1.0):
            trials = len(np.unique(self._index[np.isfinite(x)]))
            return wilson(estimate.value * trials, trials, self.ci)
        return estimate

    def around(self, value: float, drawn: Callable[[], Floats]) -> Estimate:
        """A value with the interval of its resamples, drawn only where there can be one."""
        known = self.groups > 1 and not np.isnan(value)
        return Estimate(float(value), *self.interval(drawn())) if known else Estimate(float(value))

    def interval(self, values: npt.ArrayLike) -> tuple[float, float]:
        """Percentile interval of the values of the resamples, those that are ``NaN`` left out.

        ``NaN`` where the values never differ: they then say nothing of how much they might.
        """
        x = np.asarray(values, np.float64)
        x = x[np.isfinite(x)]
        if not x.size or np.ptp(x) < _NO_SPREAD:
            return float("nan"), float("nan")
        low, high = np.quantile(x, [(1 - self.ci) / 2, (1 + self.ci) / 2])
        return float(low), float(high)

    def _draws(self, rng: np.random.Generator, count: int) -> Floats:
        """How often each resample draws each group."""
        size = self.groups
        drawn = rng.integers(0, size, (count, size)) + np.arange(count)[:, None] * size
        return np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(np.float64)


def parts(rows: npt.ArrayLike) -> Floats:
    """Values of rows as parts of a whole, for `share`: ``NaN`` counts neither as part nor as whole."""
    x = np.asarray(rows, np.float64)
    known = np.isfinite(x)
    return np.stack([np.where(known, x, 0.0), known], axis=-1)


def share(counts: npt.ArrayLike) -> Floats:
    """Part of a whole, for sums of shape (..., 2)."""
    x = np.asarray(counts, np.float64)
    return ratio(x[..., 0], x[..., 1])


def wilson(passed: float, n: int, ci: float = 0.95) -> Estimate:
    """A share and its interval (Wilson 1927).

    >>> rate = wilson(9, 10)
    >>> round(rate.low, 2), round(rate.high, 2)
    (0.6, 0.98)
    """
    if not n:
        return Estimate(float("nan"), 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + ci) / 2)
    p = passed / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half))
