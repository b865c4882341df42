"""Corpora about which the truth is known: to try the methods on, and to see what they find where there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LABELS = ("multipolarity", "nato_alliances", "us_democracy", "western_hypocrisy")
#: Weeks before the first one, so that the series have forgotten how they started.
_BURN_IN = 100


def simulate(
    *,
    lag: int | None = None,
    coupling: float = 0.8,
    autocorrelation: float = 0.5,
    weeks: int = 104,
    texts: int = 40,
    sources: int = 8,
    labels: Sequence[str] = LABELS,
    base: Sequence[Sequence[float]] = (),
    origins: tuple[str, str] = ("russia", "china"),
    start: str = "2023-01-02",
    seed: int = 0,
) -> TaggedCorpus:
    """Texts of two origins whose narrative shares drift, independently or one after the other.

    Parameters
    ----------
    lag : int, optional
        After how many weeks the second origin follows the first in the first narrative; negative where it goes ahead.
        ``None``: the two are independent.
    coupling : float
        Correlation of what follows with what it follows, 0 to 1.
    autocorrelation : float
        Of each drift from week to week (a first-order autoregression), 0 to below 1.
    weeks, texts, sources : int
        How many weeks, texts a week of each origin, and sources of each origin.
    labels : sequence of str
        The narratives.
    base : sequence of two sequences of float, optional
        For each origin, the mean share of each narrative; by default 0.2 for all.
    origins : (str, str)
        Their names.
    start : str
        The first day, a Monday.
    seed : int
        Same seed, same corpus.

    Returns
    -------
    TaggedCorpus
        Without texts: only what carries what, when, and whose it is.
    """
    if not 0.0 <= autocorrelation < 1.0 or not 0.0 <= coupling <= 1.0 or abs(lag or 0) > _BURN_IN // 2:
        raise InputError(
            f"autocorrelation {autocorrelation}, coupling {coupling} or lag {lag} is out of range.",
            remedy="Give 0 to below 1, 0 to 1, and a lag of at most 50.",
        )
    rng = np.random.default_rng(seed)
    first, second = (_drift(rng, weeks, len(labels), autocorrelation) for _ in range(2))
    if lag is not None:
        # The second drift is that of the first, `lag` weeks ago, and a part of its own.
        followed = np.roll(first[:, 0], lag)
        second[:, 0] = coupling * followed + np.sqrt(1 - coupling**2) * second[:, 0]
    means = np.array(base if len(base) else [[0.2] * len(labels)] * 2)
    shape = (weeks, texts, len(labels))
    parts = []
    for drift, mean in zip((first, second), means, strict=True):
        share = 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + 0.5 * drift[_BURN_IN:])))
        parts.append((rng.random(shape) < share[:, None]).reshape(-1, len(labels)))
    week = np.repeat(np.arange(weeks), texts)
    times = np.datetime64(start, "s") + (week * 7 * 86_400 + rng.integers(7 * 86_400, size=len(week))).astype("m8[s]")
    count = len(week)
    names = [[f"{origin} source {number}" for number in range(sources)] for origin in origins]
    order = np.argsort(np.concatenate([times, times]), kind="stable")
    return TaggedCorpus(
        tuple(labels),
        np.concatenate(parts)[order],
        np.concatenate([times, times])[order],
        np.concatenate([np.array(own)[rng.integers(sources, size=count)] for own in names])[order],
        np.repeat(np.array(origins), count)[order],
        np.array([f"#{number}" for number in range(2 * count)]),
        ("",) * (2 * count),
    )


def _drift(rng: np.random.Generator, weeks: int, columns: int, autocorrelation: float) -> Floats:
    """First-order autoregressions of variance 1, with the weeks before the first."""
    shocks = rng.standard_normal((_BURN_IN + weeks, columns)) * np.sqrt(1 - autocorrelation**2)
    drift: Floats = np.zeros_like(shocks)
    for week in range(1, len(shocks)):
        drift[week] = autocorrelation * drift[week - 1] + shocks[week]
    return drift
