"""Score a tagger on a labelled corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate, share
from fimi_nlp.evaluation.predictions import Predictions, TagsMany, predict
from fimi_nlp.evaluation.results import (
    ChoiceScore,
    ConfidenceScore,
    FalseAlarms,
    LabelScore,
    NarrativeScore,
    Report,
    SliceScore,
    SubScore,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from fimi_nlp.data import Corpus

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

__all__ = ["Report", "evaluate", "score"]

RESAMPLES = 1000
COVERAGES = (0.5, 0.8, 0.9, 1.0)
NO_VALUE = "(none)"
UNKNOWN = "unknown"
_FIELDS = ("source", "kind", "group", "split", "origin", "stance", "date", "year")


def evaluate(
    tagger: TagsMany,
    corpus: Corpus,
    *,
    slices: str | Iterable[str] = ("source",),
    group: str = "group",
    ci: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Tag a corpus and score the tags.

    Parameters
    ----------
    tagger : object with ``tag_many``
        A `fimi_nlp.Tagger`, a baseline, or your own. It sees the texts alone.
    corpus : Corpus
        Passages with labels. Cells that are not annotated are left out.
    slices : str or iterable of str
        Fields of the passages to score by, such as ``source`` or ``kind``; ``year`` is that of the date.
    group : str
        The field that the bootstrap draws by: passages of one value belong together.
    ci : float
        Coverage of the intervals.
    seed : int
        Of the bootstrap.
    progress : bool
        Passed on to ``tag_many`` where true.

    Returns
    -------
    Report
        See `fimi_nlp.evaluation.metrics` for what is counted how.

    Raises
    ------
    InputError
        The corpus is empty, has no field of that name, or the tagger did not give one tag a text.
    SchemaError
        The tagger's labels are not those of the corpus.
    """
    names = [slices] if isinstance(slices, str) else list(slices)
    _check(corpus, names, group)  # before the tagger does its work
    return score(predict(tagger, corpus, progress), corpus, slices=names, group=group, ci=ci, seed=seed)


def score(
    predictions: Predictions,
    corpus: Corpus,
    *,
    slices: str | Iterable[str] = ("source",),
    group: str = "group",
    ci: float = 0.95,
    seed: int = 0,
) -> Report:
    """Score predictions made before, as `evaluate` does."""
    names = [slices] if isinstance(slices, str) else list(slices)
    _check(corpus, names, group)
    if len(predictions) != len(corpus):
        raise InputError(f"{len(predictions)} predictions for {len(corpus)} passages.", remedy="Predict them anew.")
    bootstrap = ClusterBootstrap(_values(corpus, group), n=RESAMPLES, ci=ci, seed=seed)
    scorer = _Scorer(predictions, corpus, bootstrap)
    return Report(
        n=len(corpus),
        groups=bootstrap.groups,
        group=group,
        ci=ci,
        seed=seed,
        resamples=RESAMPLES,
        not_read=float(np.mean(~predictions.read)),
        narratives=scorer.narratives(),
        labels=tuple(scorer.labels()),
        false_alarms=tuple(scorer.false_alarms()),
        subs=scorer.subs(),
        stance=scorer.choice("stance"),
        origin=scorer.choice("origin"),
        confidence=scorer.confidence(),
        slices=tuple(row for name in names for row in scorer.slices(name, _values(corpus, name))),
    )


class _Scorer:
    """The gold arrays and the predictions side by side."""

    def __init__(self, predictions: Predictions, corpus: Corpus, bootstrap: ClusterBootstrap) -> None:
        arrays = corpus.label_arrays()
        self.schema, self.boot, self.said = corpus.schema, bootstrap, predictions
        self.mask = np.asarray(arrays.narrative_mask, bool)
        self.gold = (np.asarray(arrays.narratives) > 0.5) & self.mask
        self.unsure = np.asarray(arrays.unsure, bool)
        self.gold_subs = arrays.subs
        self.gold_choice = {"stance": arrays.stance, "origin": arrays.origin}
        self.strict = m.outcomes(self.gold, self.said.named, self.mask)
        self.lenient = m.outcomes(self.gold, self.said.named, self.mask & ~self.unsure)
        self.plain = m.without_theme(self.gold, self.mask, self.unsure)

    def narratives(self) -> NarrativeScore:
        gold, named, mask = self.gold, self.said.named, self.mask
        both = np.stack([self.strict, self.lenient], axis=1)
        pooled = m.micro(self.strict.sum(axis=0))
        carrying = gold.any(axis=1)
        labels = list(self.labels(intervals=False))
        return NarrativeScore(
            macro_f1=self.boot.macro_f1(self.strict),
            macro_f1_lenient=self.boot.macro_f1(self.lenient),
            macro_f1_mean=self.boot.macro_f1(both),
            left_out=m.macro(m.rates(self.strict.sum(axis=0)).f1).left_out,
            left_out_lenient=m.macro(m.rates(self.lenient.sum(axis=0)).f1).left_out,
            micro_precision=float(pooled.precision),
            micro_recall=float(pooled.recall),
            micro_f1=float(pooled.f1),
            samples_f1=m.samples_f1(gold, named, mask),
            samples_f1_carrying=m.samples_f1(gold[carrying], named[carrying], mask[carrying]),
            subset_accuracy=m.subset_accuracy(gold, named, mask),
            macro_average_precision=m.macro([row.average_precision for row in labels]).value,
            macro_ece=m.macro([row.ece for row in labels]).value,
            macro_brier=m.macro([row.brier for row in labels]).value,
        )

    def labels(self, *, intervals: bool = True) -> Iterator[LabelScore]:
        totals = self.strict.sum(axis=0)
        precision, recall, f1 = m.rates(totals)
        drawn = m.rates(self.boot.totals(self.strict)).f1 if intervals and self.boot.groups > 1 else None
        for j, label in enumerate(self.schema.narrative_labels):
            cells = self.mask[:, j]
            # A text that was not read has no probability: it ranks last, and says nothing of calibration.
            read = cells & self.said.read
            p, y = self.said.probabilities[:, j], self.gold[:, j]
            yield LabelScore(
                label=label,
                annotated=int(cells.sum()),
                support=int(y.sum()),
                predicted=int((self.said.named[:, j] & cells).sum()),
                precision=float(precision[j]),
                recall=float(recall[j]),
                f1=_estimate(float(f1[j]), None if drawn is None else drawn[:, j], self.boot),
                average_precision=m.average_precision(y[cells], p[cells]),
                ece=m.calibration_error(y[read], p[read]),
                ece_adaptive=m.calibration_error(y[read], p[read], adaptive=True),
                brier=m.brier(y[read], p[read]),
                threshold=float(self.said.thresholds[j]),
            )

    def false_alarms(self) -> Iterator[FalseAlarms]:
        origin = self.gold_choice["origin"]
        yield self._flagged("all", self.plain)
        for i, label in enumerate(self.schema.origin_labels):
            yield self._flagged(label, self.plain & (origin == i))
        if self.schema.origins and (self.plain & (origin < 0)).any():
            yield self._flagged(UNKNOWN, self.plain & (origin < 0))

    def _flagged(self, origin: str, rows: Bools) -> FalseAlarms:
        counts = np.stack([self.said.named.any(axis=1) & rows, rows], axis=-1)
        return FalseAlarms(origin, int(rows.sum()), self.boot.estimate(counts, share))

    def subs(self) -> SubScore | None:
        blocks, given, right = [], 0, 0
        for j, narrative in enumerate(self.schema.narratives):
            gold = np.where(self.gold[:, j], self.gold_subs[:, j], -1)
            said = self.said.subs[:, j]
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
        labels = self.schema.stance_labels if head == "stance" else self.schema.origin_labels
        if not labels:
            return None
        gold, said = self.gold_choice[head], self.said.stance if head == "stance" else self.said.origin
        annotated, answered = gold >= 0, (gold >= 0) & (said >= 0)
        counts = m.choice_outcomes(gold, said, len(labels), answered=head == "origin")
        carrying = annotated & self.gold.any(axis=1)
        f1 = m.rates(counts.sum(axis=0)).f1
        return ChoiceScore(
            labels=labels,
            n=int(annotated.sum()),
            answered=int(answered.sum()),
            coverage=float(m.ratio(answered.sum(), annotated.sum())),
            coverage_carrying=float(m.ratio((answered & carrying).sum(), carrying.sum())),
            macro_f1=self.boot.macro_f1(counts),
            left_out=m.macro(f1).left_out,
            accuracy=float(m.ratio(counts[..., 0].sum(), (answered if head == "origin" else annotated).sum())),
            f1=tuple(map(float, f1)),
            matrix=tuple(tuple(map(int, row)) for row in m.confusion(gold, said, len(labels))),
        )

    def confidence(self) -> ConfidenceScore:
        named = self.said.named
        some = named.any(axis=1)
        # Known right or wrong: the cells named are annotated; with none named, all the cells are.
        known = np.where(some, (self.mask | ~named).all(axis=1), self.mask.all(axis=1)) & self.said.read
        right = np.where(some, (self.gold | ~named).all(axis=1), ~self.gold.any(axis=1))[known]
        sure = self.said.confidence[known]
        curve = m.risk_coverage(~right, sure, COVERAGES)
        return ConfidenceScore(
            n=int(known.sum()),
            accuracy=float(m.ratio(right.sum(), right.size)),
            ece=m.calibration_error(right, sure),
            ece_adaptive=m.calibration_error(right, sure, adaptive=True),
            aurc=curve.aurc,
            coverages=COVERAGES,
            risks=curve.risk,
        )

    def slices(self, field: str, values: list[object]) -> list[SliceScore]:
        names = np.array([NO_VALUE if value is None or value == "" else str(value) for value in values])
        rows = [self._slice(field, name, names == name) for name in np.unique(names)]
        return sorted(
            rows, key=lambda row: (np.isnan(row.macro_f1), row.macro_f1, -np.nan_to_num(row.false_alarms), row.value)
        )

    def _slice(self, field: str, value: str, rows: Bools) -> SliceScore:
        gold = self.gold[rows]
        f1 = m.rates(self.strict[rows].sum(axis=0)).f1
        origin, said = self.gold_choice["origin"][rows], self.said.origin[rows]
        answered = (origin >= 0) & (said >= 0)
        return SliceScore(
            field=field,
            value=str(value),
            n=int(rows.sum()),
            carrying=int(gold.any(axis=1).sum()),
            macro_f1=m.macro(f1[gold.any(axis=0)]).value,
            false_alarms=m.false_positive_rate(self.said.named, rows & self.plain),
            origin_accuracy=float(m.ratio((answered & (said == origin)).sum(), answered.sum())),
        )


def _estimate(value: float, drawn: Floats | None, bootstrap: ClusterBootstrap) -> Estimate:
    """An estimate from resamples at hand; none where there is no value."""
    return Estimate(value) if drawn is None or np.isnan(value) else Estimate(value, *bootstrap.interval(drawn))


def _check(corpus: Corpus, slices: Iterable[str], group: str) -> None:
    if not len(corpus):
        raise InputError("The corpus has no passages.", remedy="Check the file, or the filter that was applied.")
    for field in (*slices, group):
        if field != "year" and not hasattr(corpus[0], field):
            raise InputError(f"Passages have no field '{field}'.", remedy=did_you_mean(field, _FIELDS))


def _values(corpus: Corpus, field: str) -> list[object]:
    if field == "year":
        return [str(passage.date)[:4] if passage.date else None for passage in corpus]
    values: list[Any] = [getattr(passage, field) for passage in corpus]
    return values
