"""Texts to measure with: made-up passages of realistic lengths, new ones in every round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Functions of the behavioural suite whose texts carry nothing and are of another world: what most of a stream is.
_ORDINARY = ("other_domain", "general_news", "crime_report", "horse_race", "unrelated_debunk")
_CARRYING = ("plain_claim", "headline_sentence", "paraphrase", "two_narratives")


class Workload:
    """Texts cut from, and joined of, the passages of the behavioural suite that ships with the package.

    Parameters
    ----------
    seed : int
        Two workloads of the same seed give the same texts in the same order.
    median, spread : float
        Of the lengths in words, which are log-normal: the median, and the standard deviation of the logarithm.
    shortest, longest : int
        Lengths outside are clipped.
    carrying : float, optional
        For a stream: the share of texts made of passages that carry a narrative, the others being of ordinary
        passages. By default all passages are drawn from alike.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        median: float = 35,
        spread: float = 0.7,
        shortest: int = 10,
        longest: int = 200,
        carrying: float | None = None,
    ) -> None:
        from fimi_nlp.evaluation import Suite

        cases = [case for case in Suite.read().cases if len(case.text.split()) >= 6]
        self._random = np.random.default_rng(seed)
        self._lengths = (np.log(median), spread, shortest, longest)
        self._carrying = carrying
        everything = [case.text for case in cases]
        of = {name: [c.text for c in cases if c.function in kinds] for name, kinds in _KINDS.items()}
        self._pools = [everything] if carrying is None else [of["ordinary"], of["carrying"]]

    def texts(self, count: int) -> list[str]:
        """New texts."""
        return [self._text() for _ in range(count)]

    def stream(self, count: int) -> Iterator[str]:
        """New texts, one by one."""
        return (self._text() for _ in range(count))

    def _text(self) -> str:
        middle, spread, shortest, longest = self._lengths
        length = int(np.clip(np.exp(self._random.normal(middle, spread)), shortest, longest))
        pool = self._pools[int(self._carrying is not None and self._random.random() < self._carrying)]
        words: list[str] = []
        while len(words) < length:
            words += pool[self._random.integers(len(pool))].split()
        return " ".join(words[:length])


_KINDS = {"ordinary": _ORDINARY, "carrying": _CARRYING}
