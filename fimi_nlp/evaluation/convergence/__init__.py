"""How the narratives of two origins develop beside each other: shares, mixes, lead and lag, echo.

>>> from fimi_nlp.evaluation.convergence import TaggedCorpus, converge
>>> corpus = TaggedCorpus.read("tags.jsonl", origin="country")       # doctest: +SKIP
>>> converge(corpus, events={"2022-02-24": "invasion"}).save("report")  # doctest: +SKIP

Everything here describes what was published when. Alike is not together: texts may resemble each other by coincidence,
because their authors learn from the same sources or answer the same events, or because one echoes the other. Each
result carries its caveat. Needs the extra ``eval``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp._lazy import attach

if TYPE_CHECKING:
    from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus
    from fimi_nlp.evaluation.convergence.echo import Echo, Echoes, echoes
    from fimi_nlp.evaluation.convergence.lags import LeadLag, lead_lag
    from fimi_nlp.evaluation.convergence.mix import MixSimilarity, mix_similarity
    from fimi_nlp.evaluation.convergence.over_time import Shares, shares
    from fimi_nlp.evaluation.convergence.report import ConvergenceReport, converge
    from fimi_nlp.evaluation.convergence.simulation import simulate

_HOMES = {
    "ConvergenceReport": "report",
    "Echo": "echo",
    "Echoes": "echo",
    "LeadLag": "lags",
    "MixSimilarity": "mix",
    "Shares": "over_time",
    "TaggedCorpus": "corpus",
    "converge": "report",
    "echoes": "echo",
    "lead_lag": "lags",
    "mix_similarity": "mix",
    "shares": "over_time",
    "simulate": "simulation",
}

__all__ = [
    "ConvergenceReport",
    "Echo",
    "Echoes",
    "LeadLag",
    "MixSimilarity",
    "Shares",
    "TaggedCorpus",
    "converge",
    "echoes",
    "lead_lag",
    "mix_similarity",
    "shares",
    "simulate",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
