"""Scores that can be believed: metrics with masks and intervals, slices, reports, and a baseline to beat.

>>> from fimi_nlp.evaluation import evaluate
>>> report = evaluate(tagger, corpus.filter(split="dev"))      # doctest: +SKIP
>>> report.print()                                             # doctest: +SKIP

Scoring needs numpy only; `fit_baseline` needs the extra ``eval``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fimi_nlp.evaluation.baseline import fit_baseline
    from fimi_nlp.evaluation.predictions import Predictions, predict
    from fimi_nlp.evaluation.report import Report, evaluate, score

_HOMES = {
    "Predictions": "predictions",
    "Report": "report",
    "evaluate": "report",
    "fit_baseline": "baseline",
    "predict": "predictions",
    "score": "report",
}

__all__ = ["Predictions", "Report", "evaluate", "fit_baseline", "predict", "score"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
