"""Which share of an origin's texts carries each narrative, over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import InputError, require
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus

    Floats = npt.NDArray[np.float64]

require("eval", "scipy")

CAVEAT = (
    "A share is one of the texts collected, not of all that was published: it moves with what was collected, and with"
    " the tagger's errors. Intervals resample {clusters}; with few of them they are too narrow."
)


@dataclass(frozen=True, eq=False)
class Shares:
    """Narrative shares per origin and period.

    Attributes
    ----------
    starts : ndarray of datetime64[D], shape (T,)
        First day of each period.
    labels : tuple of str
        The L narratives.
    value, low, high : mapping of str to ndarray, shape (T, L)
        For each origin, the share and its interval; ``NaN`` where there are no texts, or a single cluster.
    texts, clusters : mapping of str to ndarray, shape (T,)
        How many texts and clusters stand behind them.
    every, ci, caveat
        The period, the coverage of the intervals, and what to keep in mind.
    """

    starts: npt.NDArray[np.datetime64]
    labels: tuple[str, ...]
    value: Mapping[str, Floats]
    low: Mapping[str, Floats]
    high: Mapping[str, Floats]
    texts: Mapping[str, npt.NDArray[np.int64]]
    clusters: Mapping[str, npt.NDArray[np.int64]]
    every: str
    ci: float
    caveat: str = field(repr=False)

    def to_records(self) -> list[dict[str, Any]]:
        """One row for each origin, period and narrative, for a table."""
        return [
            {
                "origin": origin,
                "from": str(start),
                "narrative": label,
                "share": _number(self.value[origin][t, column]),
                "low": _number(self.low[origin][t, column]),
                "high": _number(self.high[origin][t, column]),
                "texts": int(self.texts[origin][t]),
                "clusters": int(self.clusters[origin][t]),
            }
            for origin in self.value
            for t, start in enumerate(self.starts)
            for column, label in enumerate(self.labels)
        ]


def shares(
    corpus: TaggedCorpus,
    *,
    origins: Sequence[str] = ("russia", "china"),
    every: str = "month",
    cluster: str = "source",
    ci: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Shares:
    """The share of texts that carry each narrative, per origin and period, with cluster-bootstrap intervals.

    Parameters
    ----------
    corpus : TaggedCorpus
        The texts.
    origins : sequence of str
        Which origins.
    every : {"day", "week", "month"}
        The period.
    cluster : {"source", "document"}
        What is resampled: texts of one cluster resemble each other. Take sources where there are twenty or more of
        them, documents otherwise.
    ci : float
        Coverage of the intervals.
    resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        An origin has no texts, or an argument is unknown.
    """
    if not origins:
        raise InputError("No origin is given.", remedy="Name one or more.")
    starts, period = corpus.periods(every)
    groups = corpus.clusters(cluster)
    shape = (len(starts), len(corpus.labels))
    value, low, high = ({origin: np.full(shape, np.nan) for origin in origins} for _ in range(3))
    texts, clusters = ({origin: np.zeros(len(starts), np.int64) for origin in origins} for _ in range(2))
    for origin in origins:
        rows = corpus.rows(origin)
        for t in np.unique(period[rows]):
            cell = rows[period[rows] == t]
            boot = ClusterBootstrap(groups[cell].tolist(), n=resamples, ci=ci, seed=seed)
            texts[origin][t], clusters[origin][t] = len(cell), boot.groups
            value[origin][t] = corpus.carried[cell].mean(axis=0)
            low[origin][t], high[origin][t] = _intervals(corpus.carried[cell], boot)
    caveat = CAVEAT.format(clusters=f"{cluster}s")
    return Shares(starts, corpus.labels, value, low, high, texts, clusters, every, ci, caveat)


def _intervals(carried: npt.NDArray[np.bool_], boot: ClusterBootstrap) -> tuple[Floats, Floats]:
    from scipy.stats import binomtest

    totals = boot.totals(np.column_stack([carried, np.ones(len(carried))]))
    drawn = totals[:, :-1] / totals[:, -1:]
    edges = []
    for column, share in zip(drawn.T, carried.mean(axis=0), strict=True):
        if boot.groups < 2:
            edges.append((np.nan, np.nan))
        elif share in (0.0, 1.0):
            # Resamples cannot differ here: Wilson's interval, with clusters for trials.
            wilson = binomtest(int(share * boot.groups), boot.groups).proportion_ci(boot.ci, method="wilson")
            edges.append((float(wilson.low), float(wilson.high)))
        else:
            edges.append(boot.interval(column))
    pairs = np.array(edges, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)
