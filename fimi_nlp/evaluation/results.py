"""The parts of a `Report`: frozen, and plain JSON through ``Report.to_dict``.

In all of them ``NaN`` is what could not be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

# Needed at run time, where a report is read back: the types of the fields say how.
from fimi_nlp.evaluation.bootstrap import Estimate  # noqa: TC001
from fimi_nlp.evaluation.curves import Curves  # noqa: TC001


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One narrative, unsure cells as labelled; ``NaN`` where there is nothing to score.

    Attributes
    ----------
    label : str
        The narrative.
    annotated, support, predicted : int
        Annotated cells, positives among them, and those that the tagger named.
    precision, recall, f1 : Estimate
        At the model's threshold.
    average_precision : Estimate
        Over all thresholds; texts that were not read rank last.
    ece, ece_adaptive : float
        Calibration error of the probability over texts that were read, in bins of equal width and of equal mass.
        Without intervals: resampling inflates them.
    brier : Estimate
        Mean squared error of the probability over the same texts.
    flagged : Estimate
        Share of texts without a narrative for which this one is named.
    threshold : float
        As the tags tell it; ``NaN`` where the label is never named.
    """

    label: str
    annotated: int
    support: int
    predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    average_precision: Estimate
    ece: float
    ece_adaptive: float
    brier: Estimate
    flagged: Estimate
    threshold: float


@dataclass(frozen=True, slots=True)
class NarrativeScore:
    """All narratives together; but for the lenient figures, unsure cells count as labelled.

    Attributes
    ----------
    macro_f1 : Estimate
        Mean F1 over labels, unsure cells as labelled ("strict").
    macro_f1_lenient : Estimate
        Unsure cells left out.
    macro_f1_mean : Estimate
        Mean of the two.
    left_out, left_out_lenient : int
        Labels with neither positives nor predictions: not in the means.
    macro_precision, macro_recall : Estimate
        Means over the same labels as `macro_f1`.
    micro_precision, micro_recall, micro_f1 : Estimate
        Of the pooled counts.
    samples_f1 : Estimate
        Mean over passages, one with nothing to name and nothing named counting 1.
    samples_f1_carrying : Estimate
        The same over passages that carry a narrative.
    subset_accuracy : Estimate
        Share of passages with all labels right.
    macro_average_precision, macro_ece, macro_ece_adaptive, macro_brier : Estimate, float
        Means over labels.
    """

    macro_f1: Estimate
    macro_f1_lenient: Estimate
    macro_f1_mean: Estimate
    left_out: int
    left_out_lenient: int
    macro_precision: Estimate
    macro_recall: Estimate
    micro_precision: Estimate
    micro_recall: Estimate
    micro_f1: Estimate
    samples_f1: Estimate
    samples_f1_carrying: Estimate
    subset_accuracy: Estimate
    macro_average_precision: Estimate
    macro_ece: float
    macro_ece_adaptive: float
    macro_brier: Estimate


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Texts annotated as carrying no narrative, and the share of them with any named.

    Attributes
    ----------
    origin : str
        Of the texts: a label, ``unknown``, or ``all``.
    n : int
        How many.
    rate : Estimate
        Share flagged.
    """

    origin: str
    n: int
    rate: Estimate


@dataclass(frozen=True, slots=True)
class SubScore:
    """Sub-narratives, where gold carries the narrative; no sub given counts as an error.

    Attributes
    ----------
    n, answered : int
        Cells with a gold sub, and those where the tagger gave one.
    macro_f1 : Estimate
        Over all pairs of narrative and sub.
    left_out : int
        Pairs with neither gold nor predictions.
    accuracy, accuracy_answered : float
        Over all the cells, and where the tagger gave a sub.
    """

    n: int
    answered: int
    macro_f1: Estimate
    left_out: int
    accuracy: float
    accuracy_answered: float


@dataclass(frozen=True, slots=True)
class ChoiceScore:
    """A single choice: stance or origin.

    Attributes
    ----------
    labels : tuple of str
        The classes.
    n, answered : int
        Annotated passages, and those where the tagger gave an answer.
    coverage, coverage_carrying : float
        Share answered: of all, and of those that carry a narrative.
    macro_f1 : Estimate
        Stance: over passages whose gold has a stance, no answer being an error. Origin: where answered.
    macro_f1_answered : Estimate
        Where answered, for both. A stance is answered where a narrative is named, so that `macro_f1` counts every
        narrative missed as a wrong stance, and this does not.
    left_out : int
        Classes with neither gold nor predictions.
    accuracy : float
        Over the same passages as `macro_f1`.
    f1 : tuple of float
        Of each class.
    matrix : tuple of tuple of int
        Gold (rows) by answer (columns); the last column is no answer.
    """

    labels: tuple[str, ...]
    n: int
    answered: int
    coverage: float
    coverage_carrying: float
    macro_f1: Estimate
    macro_f1_answered: Estimate
    left_out: int
    accuracy: float
    f1: tuple[float, ...]
    matrix: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ConfidenceScore:
    """Whether ``Tag.confidence`` can be believed.

    Over texts that were read, and whose annotation tells right from wrong. Right means: with narratives named, gold has
    them all; with none named, gold has none.

    Attributes
    ----------
    n : int
        How many passages.
    accuracy : float
        Share of right tags.
    ece, ece_adaptive, brier : float
        Calibration error of the confidence, and its mean squared error.
    aurc : float
        Area under the risk-coverage curve; smaller is better, ``1 - accuracy`` if confidence said nothing.
    coverages, risks : tuple of float
        Share of wrong tags among the most confident ones, at some coverages.
    """

    n: int
    accuracy: float
    ece: float
    ece_adaptive: float
    brier: float
    aurc: float
    coverages: tuple[float, ...]
    risks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SliceScore:
    """A part of the corpus.

    Attributes
    ----------
    field, value : str
        Such as ``source`` and the name of one; ``(none)`` where the passages have no value.
    n, groups, carrying : int
        Passages, the groups that they come from, and the passages that carry a narrative.
    f1 : Estimate
        Of the pooled counts of all labels, so that a false positive of a label that the slice never carries counts
        too. ``NaN`` where nothing is carried: see `false_alarms` there.
    macro_f1 : Estimate
        Mean over the labels that are carried or named in the slice. In a small slice, one false positive of a label
        that it never carries weighs as much as a whole label.
    false_alarms : Estimate
        Share of texts without a narrative with any named.
    origin_accuracy : Estimate
        Where answered.
    """

    field: str
    value: str
    n: int
    groups: int
    carrying: int
    f1: Estimate
    macro_f1: Estimate
    false_alarms: Estimate
    origin_accuracy: Estimate


@dataclass(frozen=True, slots=True)
class QuestionAgreement:
    """What two annotators say to one question.

    Attributes
    ----------
    question : str
        A narrative, ``sub of NARRATIVE``, or ``stance``.
    n : int
        Passages that both answered.
    observed : float
        Share of them with the same answer.
    kappa : Estimate
        Cohen's kappa.
    """

    question: str
    n: int
    observed: float
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class AgreementScore:
    """A second annotator beside the model, on the passages that both annotators labelled.

    Attributes
    ----------
    n : int
        How many passages.
    questions : tuple of QuestionAgreement
        Between the annotators.
    macro_f1 : Estimate
        Of the second annotator's narratives, with those of the corpus as gold: about what a model can hope for.
    model_macro_f1, model_macro_f1_second : Estimate
        The model's, on the same passages, with either annotator as gold.
    """

    n: int
    questions: tuple[QuestionAgreement, ...]
    macro_f1: Estimate
    model_macro_f1: Estimate
    model_macro_f1_second: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """What is saved of a `Report`, which says what the fields are."""

    model: str
    data: str
    n: int
    groups: int
    group: str
    ci: float
    seed: int
    resamples: int
    not_read: float
    narratives: NarrativeScore
    labels: tuple[LabelScore, ...]
    false_alarms: tuple[FalseAlarms, ...]
    subs: SubScore | None
    stance: ChoiceScore | None
    origin: ChoiceScore | None
    confidence: ConfidenceScore
    slices: tuple[SliceScore, ...]
    agreement: AgreementScore | None
    curves: Curves
