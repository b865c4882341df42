"""Scores that can be believed: metrics with masks and intervals, slices, reports, and a baseline to beat.

>>> from fimi_nlp.evaluation import evaluate
>>> report = evaluate(tagger, corpus.filter(split="dev"))      # doctest: +SKIP
>>> report.print()                                             # doctest: +SKIP

Scoring needs numpy only; `fit_baseline` needs the extra ``eval``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp._lazy import attach

if TYPE_CHECKING:
    from fimi_nlp.evaluation.adapters import predict
    from fimi_nlp.evaluation.baseline import fit_baseline
    from fimi_nlp.evaluation.behavioural import Suite
    from fimi_nlp.evaluation.comparison import Comparison, compare
    from fimi_nlp.evaluation.hub import metric_path
    from fimi_nlp.evaluation.masking import ShortcutReport, shortcuts
    from fimi_nlp.evaluation.predictions import Predictions
    from fimi_nlp.evaluation.report import Report
    from fimi_nlp.evaluation.scoring import evaluate, score
    from fimi_nlp.evaluation.suite_report import SuiteReport

_HOMES = {
    "Comparison": "comparison",
    "compare": "comparison",
    "Predictions": "predictions",
    "Report": "report",
    "evaluate": "scoring",
    "fit_baseline": "baseline",
    "metric_path": "hub",
    "predict": "adapters",
    "ShortcutReport": "masking",
    "Suite": "behavioural",
    "SuiteReport": "suite_report",
    "score": "scoring",
    "shortcuts": "masking",
}

__all__ = [
    "Comparison",
    "Predictions",
    "Report",
    "ShortcutReport",
    "Suite",
    "SuiteReport",
    "compare",
    "evaluate",
    "fit_baseline",
    "metric_path",
    "predict",
    "score",
    "shortcuts",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
