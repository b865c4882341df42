"""Narratives of texts, none, one or several each: a metric for the Hugging Face library `evaluate`.

The figures are those of `fimi_nlp.evaluation.metrics`, which says what is counted how.
"""

from __future__ import annotations

# `evaluate` reads the imports from the text of this file, and of ``import a, b`` it makes one module.
from typing import Any

import datasets
import evaluate
import numpy as np

from fimi_nlp.errors import InputError, SchemaError, did_you_mean
from fimi_nlp.evaluation import metrics
from fimi_nlp.schema import LabelSchema

_DESCRIPTION = """
Precision, recall and F1 of narratives that texts carry: none, one or several each. Classes come from the list of
labels, never from the references, so that false positives of a label that no reference has still count; a label with
neither positives nor predictions is left out of the macro averages, and how many were is told.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions, references: one entry a text, in one of these forms:
        - list of label names, empty where there is none;
        - list of 0 and 1, one for each label;
        - one whole number, the place of the one label in the list; any other number stands for no label.
    labels: the names of all labels, in order; by default the four shared narratives.

Returns:
    macro_precision, macro_recall, macro_f1: means over labels that occur in predictions or references.
    micro_precision, micro_recall, micro_f1: of the pooled counts.
    samples_f1: mean over texts, one with nothing to name and nothing named counting 1.
    subset_accuracy: share of texts with all labels right.
    false_positive_rate: share of texts without a label for which one is named.
    labels_left_out: labels with neither positives nor predictions.
    f1_LABEL: F1 of each label.

Examples:
    >>> import evaluate
    >>> metric = evaluate.load("PATH/fimi_narratives")
    >>> scores = metric.compute(
    ...     predictions=[["nato_alliances"], []], references=[["nato_alliances", "multipolarity"], []]
    ... )
    >>> scores["micro_recall"]
    0.5
"""


def _forms() -> list[Any]:
    names = datasets.Sequence(datasets.Value("string"))
    flags = datasets.Sequence(datasets.Value("int64"))
    return [
        datasets.Features({"predictions": form, "references": form}) for form in (names, flags, datasets.Value("int64"))
    ]


class FimiNarratives(evaluate.Metric):  # type: ignore[misc] # the library has no types
    """The metric, as ``evaluate.load`` gives it."""

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS_DESCRIPTION,
            features=_forms(),
        )

    def _compute(self, predictions: Any, references: Any, labels: Any = None) -> dict[str, Any]:
        names = list(LabelSchema.default().narrative_labels if labels is None else labels)
        named = _indicators(predictions, names)
        gold = _indicators(references, names)
        counts = metrics.outcomes(gold, named).sum(axis=0)
        rates = metrics.rates(counts)
        macro = {f"macro_{name}": metrics.macro(values).value for name, values in rates._asdict().items()}
        micro = {f"micro_{name}": float(value) for name, value in metrics.micro(counts)._asdict().items()}
        return {
            **macro,
            **micro,
            "samples_f1": metrics.samples_f1(gold, named),
            "subset_accuracy": metrics.subset_accuracy(gold, named),
            "false_positive_rate": metrics.false_positive_rate(named, ~gold.any(axis=1)),
            "labels_left_out": metrics.macro(rates.f1).left_out,
            **{f"f1_{name}": float(value) for name, value in zip(names, rates.f1, strict=True)},
        }


def _indicators(rows: Any, names: list[str]) -> Any:
    """Shape (n, labels)."""
    table = np.zeros((len(rows), len(names)), bool)
    for i, row in enumerate(rows):
        if np.ndim(row) == 0:
            if 0 <= row < len(names):
                table[i, int(row)] = True
        elif len(row) and not isinstance(row[0], str):
            if len(row) != len(names):
                raise InputError(
                    f"Text {i} has {len(row)} values for {len(names)} labels.",
                    remedy=f"Give one for each of {', '.join(names)}, or pass labels=[...].",
                )
            table[i] = np.asarray(row, bool)
        else:
            for label in row:
                if label not in names:
                    raise SchemaError(f"Text {i} has the unknown label '{label}'.", remedy=did_you_mean(label, names))
                table[i, names.index(label)] = True
    return table
