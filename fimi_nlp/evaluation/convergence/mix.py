"""How alike the narrative mixes of two origins are: Jensen-Shannon distance with intervals and a yardstick.

The distance (Lin 1991; Endres and Schindelin 2003, *A New Metric for Probability Distributions*) is 0 for equal mixes
and 1 (base 2) for mixes that share nothing. Finite samples of one and the same mix lie some way apart; how far is
found by giving clusters to the two origins at random.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import InputError, require
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus

    Floats = npt.NDArray[np.float64]

require("eval", "scipy")

CAVEAT = (
    "Mixes may be alike by coincidence, or because authors learn from the same sources, answer the same events, or echo"
    " one another: likeness alone does not tell which. Distances of small samples are too large, and so are their"
    " intervals: compare them with what chance gives."
)


@dataclass(frozen=True, eq=False)
class MixSimilarity:
    """Two narrative mixes and the distance between them.

    Attributes
    ----------
    origins : (str, str)
        Whose mixes.
    labels : tuple of str
        The L narratives.
    mixes : mapping of str to tuple of Estimate
        For each origin the part that each narrative has in all that are carried; the parts add up to 1.
    distance : Estimate
        Jensen-Shannon distance, 0 to 1.
    chance : float
        95 % of distances lie below it where both origins draw from one mix.
    p_value : float
        How often chance gives a distance as large as the one found (permutation test).
    starts : ndarray of datetime64[D], shape (T,)
        First day of each period.
    over_time : tuple of Estimate
        The distance in each period; ``NaN`` where one origin carries nothing. Periods hold fewer texts, so that their
        distances are larger than that over all.
    chance_over_time : tuple of float
        As `chance`, in each period.
    caveat : str
        What to keep in mind.
    """

    origins: tuple[str, str]
    labels: tuple[str, ...]
    mixes: Mapping[str, tuple[Estimate, ...]]
    distance: Estimate
    chance: float
    p_value: float
    starts: npt.NDArray[np.datetime64]
    over_time: tuple[Estimate, ...]
    chance_over_time: tuple[float, ...]
    caveat: str = field(default=CAVEAT, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; what cannot be had is null."""
        return {
            "origins": list(self.origins),
            "mixes": {
                origin: {label: _plain(part) for label, part in zip(self.labels, parts, strict=True)}
                for origin, parts in self.mixes.items()
            },
            "distance": _plain(self.distance),
            "chance": round(self.chance, 5),
            "p_value": round(self.p_value, 5),
            "over_time": [
                {"from": str(start), **_plain(part), "chance": None if np.isnan(chance) else round(chance, 5)}
                for start, part, chance in zip(self.starts, self.over_time, self.chance_over_time, strict=True)
            ],
            "caveat": self.caveat,
        }


def mix_similarity(
    corpus: TaggedCorpus,
    *,
    origins: tuple[str, str] = ("russia", "china"),
    every: str = "month",
    cluster: str = "source",
    ci: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> MixSimilarity:
    """Compare the narrative mixes of two origins, over all and per period.

    Parameters
    ----------
    corpus : TaggedCorpus
        The texts.
    origins : (str, str)
        Which two origins.
    every : {"day", "week", "month"}
        The period.
    cluster : {"source", "document"}
        What is resampled and permuted; see `shares`.
    ci, resamples, seed
        Of the bootstrap and the permutations.

    Raises
    ------
    InputError
        The origins are not two that carry narratives.
    """
    if len(set(origins)) != 2:
        raise InputError(f"The origins are {origins!r}.", remedy="Give two that differ.")
    starts, period = corpus.periods(every)
    groups = corpus.clusters(cluster)
    rows = [corpus.rows(origin) for origin in origins]
    for origin, own in zip(origins, rows, strict=True):
        if not corpus.carried[own].any():
            raise InputError(f"No text of '{origin}' carries a narrative.", remedy="There is nothing to compare.")

    def within(own: list[npt.NDArray[np.int64]]) -> tuple[Estimate, list[Floats]]:
        boots = [ClusterBootstrap(groups[r].tolist(), n=resamples, ci=ci, seed=seed + i) for i, r in enumerate(own)]
        counts = [corpus.carried[r].sum(axis=0).astype(np.float64) for r in own]
        if not all(count.any() for count in counts):
            return Estimate(float("nan")), []
        totals = [boot.totals(corpus.carried[r]) for boot, r in zip(boots, own, strict=True)]
        value = float(_distance(counts[0], counts[1]))
        if min(boot.groups for boot in boots) < 2:
            return Estimate(value), totals
        return Estimate(value, *boots[0].interval(_distance(*totals))), totals

    distance, totals = within(rows)
    mixes = {
        origin: _mix(corpus.carried[own].sum(axis=0), total, ci)
        for origin, own, total in zip(origins, rows, totals, strict=True)
    }
    by_chance = _permuted(corpus, rows, groups, resamples, seed)
    parts = [[own[period[own] == t] for own in rows] for t in range(len(starts))]
    over_time = tuple(within(part)[0] for part in parts)
    return MixSimilarity(
        origins,
        corpus.labels,
        mixes,
        distance,
        _bound(by_chance),
        float((1 + (by_chance >= distance.value - 1e-12).sum()) / (1 + len(by_chance))),
        starts,
        over_time,
        tuple(
            float("nan") if np.isnan(estimate.value) else _bound(_permuted(corpus, part, groups, resamples, seed))
            for estimate, part in zip(over_time, parts, strict=True)
        ),
    )


def _distance(left: npt.ArrayLike, right: npt.ArrayLike) -> Floats:
    """Jensen-Shannon distance of counts of shape (..., L); ``NaN`` where one side has none."""
    from scipy.spatial.distance import jensenshannon

    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    empty = (a.sum(axis=-1) == 0) | (b.sum(axis=-1) == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.asarray(jensenshannon(a, b, base=2.0, axis=-1), np.float64)
    # Rounding can turn the root of nothing into NaN.
    return np.where(empty, np.nan, np.nan_to_num(distance))


def _mix(counts: npt.NDArray[np.int64], totals: Floats, ci: float) -> tuple[Estimate, ...]:
    kept = totals[totals.sum(axis=1) > 0]
    drawn = kept / kept.sum(axis=1, keepdims=True)
    edges = np.quantile(drawn, [(1 - ci) / 2, (1 + ci) / 2], axis=0)
    return tuple(
        Estimate(float(value), float(low), float(high))
        for value, low, high in zip(counts / counts.sum(), *edges, strict=True)
    )


def _bound(distances: Floats) -> float:
    return float(np.quantile(distances, 0.95)) if len(distances) else float("nan")


def _permuted(
    corpus: TaggedCorpus,
    rows: list[npt.NDArray[np.int64]],
    groups: npt.NDArray[np.str_],
    draws: int,
    seed: int,
) -> Floats:
    """Distances when clusters are given to the two origins at random, as many to each as it has."""
    blocks = []
    for own in rows:
        names, index = np.unique(groups[own], return_inverse=True)
        sums = np.zeros((len(names), len(corpus.labels)))
        np.add.at(sums, index, corpus.carried[own])
        blocks.append(sums)
    pooled, first = np.concatenate(blocks), len(blocks[0])
    rng = np.random.default_rng(seed)
    left = np.stack([pooled[rng.permutation(len(pooled))[:first]].sum(axis=0) for _ in range(draws)])
    found = _distance(left, pooled.sum(axis=0) - left)
    return found[np.isfinite(found)]


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(value, 5)
        for name, value in zip(estimate._fields, estimate, strict=True)
    }
