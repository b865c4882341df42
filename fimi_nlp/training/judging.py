"""Figures of a trained network before it is exported: what experiments are compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.decision import Decider, calibrate
from fimi_nlp.evaluation import Predictions, score
from fimi_nlp.training.calibrate import fit_calibration
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fimi_nlp.data import Corpus
    from fimi_nlp.evaluation import Report, Suite
    from fimi_nlp.training.distil import SoftTargets
    from fimi_nlp.types import Tag


class Judge:
    """Decides as the tagger would: calibration and thresholds are fitted to dev, and to nothing else.

    Parameters
    ----------
    logits : ndarray, shape (n, outputs)
        Of a network, for the passages of `dev`.
    dev : Corpus
        What is fitted to.
    mode : Mode
        Whose thresholds.
    teacher : SoftTargets, optional
        Stands in where dev has no label.
    """

    def __init__(
        self,
        logits: npt.NDArray[np.float32],
        dev: Corpus,
        mode: Mode = Mode.BALANCED,
        teacher: SoftTargets | None = None,
    ) -> None:
        self.schema = dev.schema
        self.calibration, thresholds = fit_calibration(logits, dev, teacher=teacher)
        self.decider = Decider(dev.schema, self.calibration, thresholds[mode.value], "experiment")

    def tags(self, logits: npt.NDArray[np.float32], texts: Sequence[str]) -> list[Tag]:
        """The tags of texts, each read in one window, from their logits."""
        heads = calibrate(logits, self.schema, self.calibration)
        spans = [[(0, len(text))] for text in texts]
        return [self.decider.tag(heads, slice(row, row + 1), span, "en") for row, span in enumerate(spans)]

    def probabilities(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Calibrated probabilities in the order of the outputs, as `fimi_nlp.training.write_answers` takes them."""
        heads = calibrate(logits, self.schema, self.calibration)
        return np.concatenate([heads.narratives, *heads.subs, heads.stance, heads.origin], axis=1).astype(np.float32)

    def report(self, logits: npt.NDArray[np.float32], corpus: Corpus) -> Report:
        """The figures of a corpus."""
        tags = self.tags(logits, corpus.texts)
        return score(Predictions.from_tags(tags, corpus.schema), corpus, slices=("source",))


def behaviour(judge: Judge, logits: npt.NDArray[np.float32], suite: Suite) -> dict[str, Any]:
    """Pass rates on the behavioural suite: of all cases, and of those that protect people."""
    report = suite.judge(judge.tags(logits, [case.text for case in suite.cases]))
    fair = [row for row in report.functions if row.fair]
    return {
        "all": round(report.rate.value, 4),
        "fair": round(sum(row.passed for row in fair) / sum(row.n for row in fair), 4),
        "functions": {row.name: round(row.rate.value, 4) for row in report.functions},
    }


def figures(report: Report) -> dict[str, Any]:
    """The figures that experiments are compared by."""

    def three(value: float) -> float | None:
        return None if np.isnan(value) else round(float(value), 4)

    flagged = {row.origin: three(row.rate.value) for row in report.false_alarms}
    low, high = report.narratives.macro_f1.low, report.narratives.macro_f1.high
    return {
        "n": report.n,
        "macro_f1": three(report.macro_f1),
        "interval": [three(low), three(high)],
        "average_precision": three(report.narratives.macro_average_precision.value),
        "ece": three(report.narratives.macro_ece),
        "f1": {row.label: three(row.f1.value) for row in report.labels},
        "flagged": flagged,
        "stance_f1": three(report.stance.macro_f1.value) if report.stance else None,
        "sub_f1": three(report.subs.macro_f1.value) if report.subs else None,
        "origin_f1": three(report.origin.macro_f1.value) if report.origin else None,
        "origin_coverage_carrying": three(report.origin.coverage_carrying) if report.origin else None,
        "aurc": three(report.confidence.aurc),
    }
