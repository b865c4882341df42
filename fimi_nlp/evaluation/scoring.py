"""Score a model on a labelled corpus."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.data.corpus import Corpus
from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.adapters import predict
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate, parts, share
from fimi_nlp.evaluation.curves import Curves, reliability_curve, risk_curve, threshold_curve
from fimi_nlp.evaluation.report import Report
from fimi_nlp.evaluation.results import (
    ChoiceScore,
    ConfidenceScore,
    FalseAlarms,
    LabelScore,
    NarrativeScore,
    SubScore,
)
from fimi_nlp.evaluation.scored import Scored
from fimi_nlp.evaluation.second import agreement_score
from fimi_nlp.evaluation.slices import check_fields, check_labels, field_values, slice_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from fimi_nlp.evaluation.answers import LabelMap
    from fimi_nlp.evaluation.predictions import Predictions

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    #: Values of the labels, shape (L,), and of the resamples, shape (n, L).
    _Measured = tuple[Floats, Floats]

RESAMPLES = 1000
COVERAGES = (0.5, 0.8, 0.9, 1.0)
UNKNOWN = "unknown"


def evaluate(
    model: Any,
    corpus: Corpus | str | Path,
    *,
    slices: str | Iterable[str] = ("source",),
    group: str = "group",
    ci: float = 0.95,
    seed: int = 0,
    second: Corpus | None = None,
    labels: LabelMap | None = None,
    threshold: float = 0.5,
    name: str | None = None,
    progress: bool = False,
) -> Report:
    """Ask a model about a corpus and score its answers.

    Parameters
    ----------
    model : tagger, callable, pipeline, estimator or path
        What is scored: a `fimi_nlp.Tagger`, any function of a list of texts, a transformers pipeline, a scikit-learn
        model or a file of predictions; see `fimi_nlp.evaluation.predict`. It sees the texts alone.
    corpus : Corpus or path
        Passages with labels. Cells that are not annotated are left out. A file is read with the model's schema, where
        it has one.
    slices : str or iterable of str
        What to score by beside the whole: columns of the corpus, such as ``source``, ``kind`` or ``origin``, and
        ``year`` (of the date) and ``length`` (in words).
    group : str
        The column that the bootstrap draws by: passages of one value belong together.
    ci : float
        Coverage of the intervals.
    seed : int
        Of the bootstrap.
    second : Corpus, optional
        A second annotator's labels of the same passages, matched by id: what two people agree on is about what a
        model can hope for.
    labels : mapping or sequence, optional
        A model's own labels to labels of the schema, or to ``None``; or the labels of the columns of its arrays. See
        `fimi_nlp.evaluation.predict`.
    threshold : float
        Probability from which a narrative is named, for models that give probabilities alone.
    name : str, optional
        What the report calls the model, such as the mode that it was loaded in; by default, what the model is called.
    progress : bool
        Passed on to ``tag_many`` where true.

    Returns
    -------
    Report
        It shows itself in a notebook; ``print()``, ``save()``, ``plot()``, ``compare()``.

    Raises
    ------
    InputError
        The corpus is empty, has no labels or no column of that name, or the model did not give one answer a text.
    SchemaError
        The model's labels are not those of the corpus.

    Examples
    --------
    >>> from fimi_nlp.data import Corpus
    >>> corpus = Corpus.read([{"text": "NATO provoked this war.", "narratives": {"nato_alliances": "aggression"}},
    ...                       {"text": "The ferry leaves at noon.", "narratives": {}}])
    >>> report = evaluate(lambda texts: [["nato_alliances"] if "NATO" in text else [] for text in texts], corpus)
    >>> report.macro_f1, report.false_alarms[0].rate.value
    (1.0, 0.0)
    """
    if not isinstance(corpus, Corpus):
        corpus = Corpus.read(corpus, schema=getattr(model, "schema", None))
    names = [slices] if isinstance(slices, str) else list(slices)
    check_fields(corpus, [*names, group])  # before the model does its work
    check_labels(corpus)
    said = predict(model, corpus, progress, labels=labels, threshold=threshold)
    if name is not None:
        said = replace(said, model=name)
    return score(said, corpus, slices=names, group=group, ci=ci, seed=seed, second=second)


def score(
    predictions: Predictions,
    corpus: Corpus,
    *,
    slices: str | Iterable[str] = ("source",),
    group: str = "group",
    ci: float = 0.95,
    seed: int = 0,
    second: Corpus | None = None,
) -> Report:
    """Score predictions made before, as `evaluate` does; without any label, all figures are ``NaN``."""
    names = [slices] if isinstance(slices, str) else list(slices)
    check_fields(corpus, [*names, group])
    boot = ClusterBootstrap(field_values(corpus, group), n=RESAMPLES, ci=ci, seed=seed)
    scored = Scored(corpus, predictions)
    scorer = _Scorer(scored, boot)
    labels = scorer.labels()
    return Report(
        model=predictions.model,
        data=corpus.fingerprint[:16],
        n=len(corpus),
        groups=boot.groups,
        group=group,
        ci=ci,
        seed=seed,
        resamples=boot.n,
        not_read=float(np.mean(~predictions.read)),
        narratives=scorer.narratives(labels),
        labels=labels,
        false_alarms=tuple(scorer.false_alarms()),
        subs=scorer.subs(),
        stance=scorer.choice("stance"),
        origin=scorer.choice("origin"),
        confidence=scorer.confidence(),
        slices=tuple(row for name in names for row in slice_scores(scored, name, boot)),
        agreement=None if second is None else agreement_score(scored, second, boot),
        curves=scorer.curves(),
        scored=scored,
    )


class _Scorer:
    """The figures of a report, with intervals from one bootstrap."""

    def __init__(self, scored: Scored, boot: ClusterBootstrap) -> None:
        self.x, self.boot = scored, boot
        self.counts = scored.strict.sum(axis=0)
        # The sums of every resample serve many figures; with one group there is nothing to draw.
        self.drawn = boot.totals(scored.strict) if boot.groups > 1 else np.full((1, *self.counts.shape), np.nan)
        self.rates = tuple(zip(m.rates(self.counts), m.rates(self.drawn), strict=True))
        self.average_precision = scored.average_precisions(boot)
        self.brier = self._briers()

    def _mean(self, measured: _Measured) -> Estimate:
        """Mean over labels; one that a resample has nothing of keeps its value of the sample there."""
        values, drawn = measured
        filled = np.where(np.isnan(drawn), values, drawn)
        return self.boot.around(float(m.mean_of_scored(values)), lambda: m.mean_of_scored(filled))

    def _of(self, j: int, measured: _Measured) -> Estimate:
        """Of one label."""
        return self.boot.around(float(measured[0][j]), lambda: measured[1][:, j])

    def narratives(self, labels: Sequence[LabelScore]) -> NarrativeScore:
        x, boot = self.x, self.boot
        precision, recall, f1 = map(self._mean, self.rates)
        pooled = zip(m.micro(self.counts), m.micro(self.drawn), strict=True)
        micro = [boot.around(float(value), partial(np.asarray, drawn)) for value, drawn in pooled]
        samples = m.samples_f1_rows(x.gold, x.said.named, x.mask)
        return NarrativeScore(
            macro_f1=f1,
            macro_f1_lenient=boot.macro_f1(x.lenient),
            macro_f1_mean=boot.macro_f1(np.stack([x.strict, x.lenient], axis=1)),
            left_out=m.macro(m.rates(self.counts).f1).left_out,
            left_out_lenient=m.macro(m.rates(x.lenient.sum(axis=0)).f1).left_out,
            macro_precision=precision,
            macro_recall=recall,
            micro_precision=micro[0],
            micro_recall=micro[1],
            micro_f1=micro[2],
            samples_f1=boot.share(samples),
            samples_f1_carrying=boot.share(np.where(x.carrying, samples, np.nan)),
            subset_accuracy=boot.share(m.all_right(x.gold, x.said.named, x.mask)),
            macro_average_precision=self._mean(self.average_precision),
            macro_ece=m.macro([row.ece for row in labels]).value,
            macro_ece_adaptive=m.macro([row.ece_adaptive for row in labels]).value,
            macro_brier=self._mean(self.brier),
        )

    def labels(self) -> tuple[LabelScore, ...]:
        return tuple(self._label(j, label) for j, label in enumerate(self.x.schema.narrative_labels))

    def _label(self, j: int, label: str) -> LabelScore:
        x, cells = self.x, self.x.mask[:, j]
        read = x.probabilities(j, read=True)
        p, y, named = x.said.probabilities[read, j], x.gold[read, j], x.said.named[:, j]
        precision, recall, f1 = (self._of(j, measured) for measured in self.rates)
        return LabelScore(
            label=label,
            annotated=int(cells.sum()),
            support=int(x.gold[:, j].sum()),
            predicted=int((named & cells).sum()),
            precision=precision,
            recall=recall,
            f1=f1,
            average_precision=self._of(j, self.average_precision),
            ece=m.calibration_error(y, p),
            ece_adaptive=m.calibration_error(y, p, adaptive=True),
            brier=self._of(j, self.brier),
            flagged=self.boot.share(np.where(x.plain, named, np.nan)),
            threshold=float(x.said.thresholds[j]),
        )

    def _briers(self) -> _Measured:
        read = np.stack([self.x.probabilities(j, read=True) for j in range(len(self.counts))], axis=1)
        errors = parts(np.where(read, (self.x.said.probabilities - self.x.gold) ** 2, np.nan))
        return share(errors.sum(axis=0)), share(self.boot.totals(errors))

    def false_alarms(self) -> Iterator[FalseAlarms]:
        origin, plain = self.x.origin, self.x.plain
        yield self._flagged("all", plain)
        for i, label in enumerate(self.x.schema.origin_labels):
            yield self._flagged(label, plain & (origin == i))
        if self.x.schema.origins and (plain & (origin < 0)).any():
            yield self._flagged(UNKNOWN, plain & (origin < 0))

    def _flagged(self, origin: str, rows: Bools) -> FalseAlarms:
        return FalseAlarms(origin, int(rows.sum()), self.boot.share(np.where(rows, self.x.flagged, np.nan)))

    def subs(self) -> SubScore | None:
        """Over all pairs of narrative and sub; ``None`` where there is none, or the model gives none."""
        if "subs" not in self.x.said.questions:
            return None
        blocks, given, right = [], 0, 0
        for j, narrative in enumerate(self.x.schema.narratives):
            gold = np.where(self.x.gold[:, j], self.x.subs[:, j], -1)
            said = self.x.said.subs[:, j]
            blocks.append(m.choice_outcomes(gold, said, len(narrative.sub_labels)))
            given += int(((gold >= 0) & (said >= 0)).sum())
            right += int(((gold >= 0) & (said == gold)).sum())
        counts = np.concatenate(blocks, axis=1)
        if not counts.shape[1]:
            return None
        # Every cell with a gold sub is a hit or a miss of that sub.
        cells = int(counts[..., [0, 2]].sum())
        return SubScore(
            n=cells,
            answered=given,
            macro_f1=self.boot.macro_f1(counts),
            left_out=m.macro(m.rates(counts.sum(axis=0)).f1).left_out,
            accuracy=float(m.ratio(right, cells)),
            accuracy_answered=float(m.ratio(right, given)),
        )

    def choice(self, head: str) -> ChoiceScore | None:
        """Stance, where no answer is an error; or origin, where it is an abstention."""
        x, stance = self.x, head == "stance"
        labels = x.schema.stance_labels if stance else x.schema.origin_labels
        if not labels or head not in x.said.questions:
            return None
        gold, said = (x.stance, x.said.stance) if stance else (x.origin, x.said.origin)
        annotated, answered = gold >= 0, (gold >= 0) & (said >= 0)
        counts = x.choice_counts(head)
        carrying = annotated & x.carrying
        f1 = m.rates(counts.sum(axis=0)).f1
        macro_f1 = where_given = self.boot.macro_f1(counts)
        if stance:
            where_given = self.boot.macro_f1(m.choice_outcomes(gold, said, len(labels), answered=True))
        return ChoiceScore(
            labels=labels,
            n=int(annotated.sum()),
            answered=int(answered.sum()),
            coverage=float(m.ratio(answered.sum(), annotated.sum())),
            coverage_carrying=float(m.ratio((answered & carrying).sum(), carrying.sum())),
            macro_f1=macro_f1,
            macro_f1_answered=where_given,
            left_out=m.macro(f1).left_out,
            accuracy=float(m.ratio(counts[..., 0].sum(), (annotated if stance else answered).sum())),
            f1=tuple(map(float, f1)),
            matrix=tuple(tuple(map(int, row)) for row in m.confusion(gold, said, len(labels))),
        )

    def confidence(self) -> ConfidenceScore:
        right, sure = self._confidence()
        curve = m.risk_coverage(~right, sure, COVERAGES)
        return ConfidenceScore(
            n=len(right),
            accuracy=float(m.ratio(right.sum(), right.size)),
            ece=m.calibration_error(right, sure),
            ece_adaptive=m.calibration_error(right, sure, adaptive=True),
            brier=m.brier(right, sure),
            aurc=curve.aurc,
            coverages=COVERAGES,
            risks=curve.risk,
        )

    def _confidence(self) -> tuple[Bools, Floats]:
        """Whether tags are right, and how sure the model was of them, where both are known."""
        known = np.isfinite(self.x.right) & np.isfinite(self.x.said.confidence)
        return self.x.right[known] > 0, self.x.said.confidence[known]

    def curves(self) -> Curves:
        x, right_sure = self.x, self._confidence()
        thresholds, reliability = [], []
        for j, label in enumerate(x.schema.narrative_labels):
            p, y = x.said.probabilities[:, j], x.gold[:, j]
            rows, read = x.probabilities(j, read=False), x.probabilities(j, read=True)
            if y[rows].any():
                thresholds.append(threshold_curve(label, y[rows], p[rows], p[x.plain]))
            if read.any():
                reliability.append(reliability_curve(label, y[read], p[read]))
        if right_sure[0].size:
            reliability.append(reliability_curve("confidence", *right_sure))
        return Curves(tuple(thresholds), tuple(reliability), risk_curve(~right_sure[0], right_sure[1]))
