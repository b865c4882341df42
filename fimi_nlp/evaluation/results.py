"""What an evaluation gives back: frozen, and plain JSON through ``Report.to_dict``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.bootstrap import Estimate

if TYPE_CHECKING:
    from rich.console import Console

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One narrative, unsure cells as labelled; ``NaN`` where there is nothing to score.

    Attributes
    ----------
    label : str
        The narrative.
    annotated, support, predicted : int
        Annotated cells, positives among them, and those that the tagger named.
    precision, recall : float
        At the tagger's threshold.
    f1 : Estimate
        With its interval.
    average_precision : float
        Over all thresholds; texts that were not read rank last.
    ece, ece_adaptive, brier : float
        Calibration of the probability over texts that were read: bins of equal width, of equal mass; squared error.
    threshold : float
        As the tags tell it; ``NaN`` where the label is never named.
    """

    label: str
    annotated: int
    support: int
    predicted: int
    precision: float
    recall: float
    f1: Estimate
    average_precision: float
    ece: float
    ece_adaptive: float
    brier: float
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
    micro_precision, micro_recall, micro_f1 : float
        Of the pooled counts.
    samples_f1 : float
        Mean over passages, one with nothing to name and nothing named counting 1.
    samples_f1_carrying : float
        The same over passages that carry a narrative.
    subset_accuracy : float
        Share of passages with all labels right.
    macro_average_precision, macro_ece, macro_brier : float
        Means over labels.
    """

    macro_f1: Estimate
    macro_f1_lenient: Estimate
    macro_f1_mean: Estimate
    left_out: int
    left_out_lenient: int
    micro_precision: float
    micro_recall: float
    micro_f1: float
    samples_f1: float
    samples_f1_carrying: float
    subset_accuracy: float
    macro_average_precision: float
    macro_ece: float
    macro_brier: float


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
    ece, ece_adaptive : float
        Calibration error of the confidence.
    aurc : float
        Area under the risk-coverage curve; smaller is better, ``1 - accuracy`` if confidence said nothing.
    coverages, risks : tuple of float
        Share of wrong tags among the most confident ones, at some coverages.
    """

    n: int
    accuracy: float
    ece: float
    ece_adaptive: float
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
    n, carrying : int
        Passages, and those that carry a narrative.
    macro_f1 : float
        Over labels with support in the slice, since few slices have them all; see `false_alarms` for the rest.
    false_alarms : float
        Share of texts without a narrative with any named.
    origin_accuracy : float
        Where answered.
    """

    field: str
    value: str
    n: int
    carrying: int
    macro_f1: float
    false_alarms: float
    origin_accuracy: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything measured on one corpus.

    Attributes
    ----------
    n, groups : int
        Passages; groups that the bootstrap draws.
    group : str
        The field that the groups come from.
    ci, seed, resamples : float, int, int
        Of the intervals.
    not_read : float
        Share of texts that the tagger did not read; in the scores they count as texts with nothing named.
    narratives, labels, false_alarms, subs, stance, origin, confidence, slices
        See the classes of the same names. `stance` and `origin` are ``None`` where the schema has none; `slices` come
        worst first within a field.
    """

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

    @property
    def macro_f1(self) -> float:
        """Macro-F1 of the narratives, unsure cells as labelled."""
        return self.narratives.macro_f1.value

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types; what could not be measured is ``None``."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}

    def to_markdown(self) -> str:
        """The report as Markdown tables."""
        from fimi_nlp.evaluation.render import markdown

        return markdown(self)

    def print(self, console: Console | None = None) -> None:
        """Show the report in the terminal."""
        from fimi_nlp.evaluation.render import show

        show(self, console)

    def save(self, path: str | Path) -> Path:
        """Write the report to a ``.json`` or ``.md`` file, and give its path back.

        Raises
        ------
        InputError
            The file name ends otherwise.
        """
        return save_report(self, path)


class _Savable(Protocol):
    def to_dict(self) -> dict[str, Any]: ...
    def to_markdown(self) -> str: ...


def save_report(report: _Savable, path: str | Path) -> Path:
    """Write a report to a ``.json`` or ``.md`` file, and give its path back.

    Raises
    ------
    InputError
        The file name ends otherwise.
    """
    path = Path(path)
    if path.suffix not in {".json", ".md"}:
        raise InputError(f"Cannot save a report as '{path.name}'.", remedy="Name a .json or .md file.")
    text = report.to_markdown() if path.suffix == ".md" else json.dumps(report.to_dict(), indent=2, allow_nan=False)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return path


def plain(value: Any) -> Any:
    """Plain JSON types of results: ``NaN`` becomes ``None``, estimates and dataclasses become objects."""
    if isinstance(value, Estimate):
        return {key: plain(part) for key, part in value._asdict().items()}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    return value
