"""Whether one origin's shares move before the other's: cross-correlation against what chance gives.

Two series that each drift slowly correlate at some lag even where they have nothing to do with each other (Yule 1926,
*Why Do We Sometimes Get Nonsense-Correlations between Time-Series?*). So every series is freed of its trend and of its
own past by an autoregression first (Haugh 1976, *Checking the Independence of Two Covariance-Stationary Time Series*);
what is left of one is shuffled in blocks, which keeps what dependence remains; and the largest correlation over all
lags and narratives is compared with the largest ones of the shuffled series (Westfall and Young 1993), so that looking
at many lags costs nothing in false alarms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.errors import InputError, require

if TYPE_CHECKING:
    import numpy.typing as npt

    from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus

    Floats = npt.NDArray[np.float64]

require("eval", "scipy")

#: The longest autoregression that is tried; the Bayesian information criterion chooses.
ORDER = 4
#: Fewer periods tell nothing, and series with more gaps than this share are not filled.
PERIODS, GAPS = 24, 0.25

CAVEAT = (
    "A lead is an order in time, not a cause: both may answer the same events at a different pace, learn from a third"
    " source, or be collected with a different delay. The p-value holds for all lags and narratives looked at here"
    " together; for whatever else was tried before, it does not."
)


class Peak(NamedTuple):
    """The lag at which two series of a narrative correlate most.

    Attributes
    ----------
    narrative : str
        Which.
    lag : int
        In periods; positive where the first origin moves first.
    correlation : float
        Of what is left of the series after their trend and own past, at that lag.
    p_value : float
        Chance of a correlation as strong at any lag of any narrative, where the two origins are independent.
    naive_p_value : float
        What one would read without these precautions: of the raw series, at the lag where they correlate most.
    """

    narrative: str
    lag: int
    correlation: float
    p_value: float
    naive_p_value: float


@dataclass(frozen=True, eq=False)
class LeadLag:
    """Cross-correlations of two origins.

    Attributes
    ----------
    origins : (str, str)
        The first is the one that moves first at positive lags.
    labels : tuple of str
        The L narratives.
    lags : ndarray of int, shape (K,)
        In periods.
    correlations : ndarray, shape (L, K)
        At each lag.
    bound : float
        Where the origins are independent, all correlations stay below it in 95 % of cases.
    peaks : tuple of Peak
        For each narrative.
    every : str
        The period.
    periods, filled : int
        How many periods there are, and how many values of both origins' series are interpolated for lack of texts.
    caveat : str
        What to keep in mind.
    """

    origins: tuple[str, str]
    labels: tuple[str, ...]
    lags: npt.NDArray[np.int64]
    correlations: Floats
    bound: float
    peaks: tuple[Peak, ...]
    every: str
    periods: int
    filled: int
    caveat: str = field(default=CAVEAT, repr=False)

    @property
    def p_value(self) -> float:
        """Of the whole: whether anything at all is out of the ordinary."""
        return min(peak.p_value for peak in self.peaks)

    def sentences(self, level: float = 0.05) -> list[str]:
        """What was found, a sentence for each narrative."""
        return [self._sentence(peak, level) for peak in self.peaks]

    def _sentence(self, peak: Peak, level: float) -> str:
        figures = f"(correlation {peak.correlation:+.2f} at lag {peak.lag:+d}, p = {peak.p_value:.3f})"
        if peak.p_value > level:
            return f"{peak.narrative}: no order in time that chance would not give {figures}."
        if peak.lag == 0:
            return f"{peak.narrative}: the shares of both move in the same {self.every} {figures}."
        first, second = self.origins if peak.lag > 0 else self.origins[::-1]
        number = f"{abs(peak.lag)} {self.every}{'s' if abs(peak.lag) > 1 else ''}"
        way = "the same way" if peak.correlation > 0 else "the opposite way"
        return f"{peak.narrative}: shares of '{first}' move first, those of '{second}' {way} {number} later {figures}."

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "origins": list(self.origins),
            "every": self.every,
            "periods": self.periods,
            "filled": self.filled,
            "lags": self.lags.tolist(),
            "correlations": dict(zip(self.labels, self.correlations.round(5).tolist(), strict=True)),
            "bound": round(self.bound, 5),
            "peaks": [peak._asdict() for peak in self.peaks],
            "caveat": self.caveat,
        }


def lead_lag(
    corpus: TaggedCorpus,
    *,
    origins: tuple[str, str] = ("russia", "china"),
    every: str = "week",
    longest: int = 8,
    permutations: int = 999,
    seed: int = 0,
) -> LeadLag:
    """Test whether the shares of one origin move before those of the other.

    Parameters
    ----------
    corpus : TaggedCorpus
        The texts.
    origins : (str, str)
        Which two origins.
    every : {"day", "week", "month"}
        The period.
    longest : int
        The longest lag looked at, in periods, either way.
    permutations, seed : int
        Of the test.

    Raises
    ------
    InputError
        An origin has no texts, there are too few periods, or too many without texts.
    """
    if len(set(origins)) != 2:
        raise InputError(f"The origins are {origins!r}.", remedy="Give two that differ.")
    for origin in origins:
        corpus.rows(origin)  # refuses one that has no texts, before it is the periods that are blamed
    starts, period = corpus.periods(every)
    if not 1 <= longest <= len(starts) // 4 or len(starts) < PERIODS:
        raise InputError(
            f"The texts span {len(starts)} {every}{'s' * (len(starts) != 1)}, for lags up to {longest}.",
            remedy=f"It takes {PERIODS} {every}s or more, and lags of at most a quarter of them.",
        )
    raw, filled = [], 0
    for origin in origins:
        values, gaps = _series(corpus, period, len(starts), origin)
        raw.append(values)
        filled += gaps
    lags = np.arange(-longest, longest + 1)
    x, y = (np.stack([_residuals(column) for column in values.T], axis=1) for values in raw)
    observed = _correlations(x, y, lags, np.arange(len(x))[None])[0]
    orders = _block_orders(len(x), permutations, np.random.default_rng(seed))
    largest = np.abs(_correlations(x, y, lags, orders)).max(axis=(1, 2))
    return LeadLag(
        origins,
        corpus.labels,
        lags,
        observed,
        float(np.quantile(largest, 0.95)),
        tuple(
            _peak(label, lags, row, largest, raw[0][:, i], raw[1][:, i])
            for i, (label, row) in enumerate(zip(corpus.labels, observed, strict=True))
        ),
        every,
        len(starts),
        filled,
    )


def _series(corpus: TaggedCorpus, period: npt.NDArray[np.int64], periods: int, origin: str) -> tuple[Floats, int]:
    """Shares (periods, L) with gaps interpolated, and how many gaps there were."""
    rows = corpus.rows(origin)
    columns = corpus.carried[rows].T
    carried = np.stack([np.bincount(period[rows], weights=column, minlength=periods) for column in columns], axis=1)
    texts = np.bincount(period[rows], minlength=periods)
    known = np.flatnonzero(texts)
    gaps = periods - len(known)
    if gaps > GAPS * periods:
        raise InputError(
            f"'{origin}' has no texts in {gaps} of {periods} periods.", remedy="Take longer periods, or a shorter span."
        )
    shares = carried[known] / texts[known, None]
    return np.stack([np.interp(np.arange(periods), known, column) for column in shares.T], axis=1), gaps


def _residuals(series: Floats) -> Floats:
    """What is left of a series after a line and an autoregression of the order that the BIC chooses."""
    time = np.linspace(-1.0, 1.0, len(series))
    line = np.stack([np.ones_like(time), time], axis=1)
    x = series - line @ np.linalg.lstsq(line, series, rcond=None)[0]
    past = np.stack([x[ORDER - k : len(x) - k] for k in range(1, ORDER + 1)], axis=1)
    now, best = x[ORDER:], (np.inf, x[ORDER:])
    for order in range(ORDER + 1):
        rest = now - past[:, :order] @ np.linalg.lstsq(past[:, :order], now, rcond=None)[0] if order else now
        variance = max(float(np.mean(rest**2)), 1e-12)
        best = min(best, (len(now) * np.log(variance) + order * np.log(len(now)), rest), key=lambda pair: pair[0])
    return np.asarray(best[1] - best[1].mean())


def _block_orders(length: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Orders of time (count, length): blocks of about the cube root of the length, cut anew each time and shuffled."""
    size = round(length ** (1 / 3))
    block = np.arange(length) // size
    rank = rng.random((count, int(block[-1]) + 1)).argsort(axis=1)
    order = rank[:, block].argsort(axis=1, kind="stable")
    return np.asarray((order + rng.integers(length, size=(count, 1))) % length)


def _correlations(x: Floats, y: Floats, lags: npt.NDArray[np.int64], orders: npt.NDArray[np.int64]) -> Floats:
    """Correlations (orders, L, lags) of ``x[order][t]`` with ``y[t + lag]``, both of mean 0, over the overlap."""
    shifted = np.arange(len(y))[:, None] + lags
    inside = (shifted >= 0) & (shifted < len(y))
    found = np.empty((len(orders), x.shape[1], len(lags)))
    for column in range(x.shape[1]):
        later = np.where(inside, y[shifted.clip(0, len(y) - 1), column], 0.0)
        earlier = x[orders, column]
        size = np.sqrt((earlier**2 @ inside) * (later**2).sum(axis=0))
        found[:, column] = np.divide(earlier @ later, size, out=np.zeros_like(size), where=size > 1e-12)
    return found


def _peak(label: str, lags: npt.NDArray[np.int64], row: Floats, largest: Floats, first: Floats, second: Floats) -> Peak:
    index = int(np.abs(row).argmax())
    strength = abs(float(row[index]))
    p_value = (1 + int((largest >= strength - 1e-12).sum())) / (1 + len(largest))
    return Peak(label, int(lags[index]), round(float(row[index]), 5), p_value, _naive(first, second, lags))


def _naive(first: Floats, second: Floats, lags: npt.NDArray[np.int64]) -> float:
    from scipy.stats import t

    length, steps = len(first), np.abs(lags)
    strength = []
    for lag in lags.tolist():
        x, y = (first[: length - lag], second[lag:]) if lag >= 0 else (first[-lag:], second[:lag])
        x, y = x - x.mean(), y - y.mean()
        strength.append(abs(float(x @ y)) / max(float(np.sqrt((x @ x) * (y @ y))), 1e-12))
    r = np.array(strength).clip(max=1 - 1e-12)
    free = length - steps - 2
    return float((2 * t.sf(r * np.sqrt(free / (1 - r**2)), free)).min())
