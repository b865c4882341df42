"""The metrics of public tasks, over their own names of labels."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.types import Tag

    Sets = Sequence[Collection[str]]

#: Root of the tree of DIPROMATS techniques.
_PROPAGANDA = "true"


def task_scores(task: str, corpus: Corpus, tags: Sequence[Tag]) -> dict[str, float]:
    """Score tags by the metric of a public task.

    Parameters
    ----------
    task : {"semeval2025", "dipromats2023", "cards"}
        As for `fimi_nlp.data.public.read_task`.
    corpus : Corpus
        Labelled passages.
    tags : sequence of Tag
        What a tagger says of them, in their order.

    Returns
    -------
    dict of str to float
        The official measure comes first.
    """
    if task not in _METRICS:
        raise InputError(f"Unknown task '{task}'.", remedy=did_you_mean(task, _METRICS))
    if len(corpus) != len(tags):
        raise InputError(f"There are {len(corpus)} passages and {len(tags)} tags.")
    return _METRICS[task](corpus, tags)


def samples_f1(gold: Sets, predicted: Sets) -> tuple[float, float]:
    """Mean and standard deviation over documents of the F1 of their label sets.

    Examples
    --------
    >>> samples_f1([{"a", "b"}, {"c"}], [{"a"}, {"c"}])
    (0.8333..., 0.1666...)
    """
    f1 = [2 * len(set(g) & set(p)) / (len(g) + len(p)) if g or p else 1.0 for g, p in zip(gold, predicted, strict=True)]
    return float(np.mean(f1)), float(np.std(f1))


def icm(gold: Sets, predicted: Sets, parents: Mapping[str, str]) -> tuple[float, float]:
    """Information contrast model, and the same scaled so that the gold labels score 1.

    The measure of DIPROMATS: Amigó & Delgado 2022, *Evaluating Extreme Hierarchical Multi-label Classification*,
    ``2 I(predicted) + 2 I(gold) - 3 I(both together)``, averaged over texts. A set of nodes of a tree has the
    information of the nodes on the way to the root, each by how much rarer it is than its parent; a class that gold
    never has counts as if one text had it.

    Parameters
    ----------
    gold, predicted : sequence of collections of str
        Sets of classes, one a text.
    parents : mapping of str to str
        A class to the one above it; those at the top are left out.

    Returns
    -------
    tuple of float
        The measure, and ``(measure / measure of the gold labels + 1) / 2``, at least 0 and at most 1.
    """
    counts = Counter(node for classes in gold for node in _closure(classes, parents))
    total = len(gold)

    def information(node: str) -> float:
        return -math.log2(max(counts[node], 1) / total)

    def of(nodes: set[str]) -> float:
        return sum(information(n) - (information(parents[n]) if n in parents else 0.0) for n in nodes)

    def mean(answers: Sets) -> float:
        values = []
        for g, p in zip(gold, answers, strict=True):
            wanted, found = _closure(g, parents), _closure(p, parents)
            values.append(2 * of(found) + 2 * of(wanted) - 3 * of(wanted | found))
        return float(np.mean(values))

    value, best = mean(predicted), mean(gold)
    return value, min(max((value / best + 1) / 2, 0.0), 1.0) if best else float(value >= 0)


def _closure(classes: Collection[str], parents: Mapping[str, str]) -> set[str]:
    """The classes and all that stands above them."""
    nodes = set()
    for node in classes:
        at: str | None = node
        while at is not None and at not in nodes:
            nodes.add(at)
            at = parents.get(at)
    return nodes


def _pairs(corpus: Corpus, tags: Sequence[Tag], nothing: str) -> tuple[list[set[str]], list[set[str]]]:
    """Gold and predicted names, with the task's word for nothing."""
    names = {label.label: label.name for label in corpus.schema.narratives}
    gold = [{names[label] for label in passage.narratives or ()} or {nothing} for passage in corpus]
    predicted = [{names[label] for label in tag.labels} or {nothing} for tag in tags]
    return gold, predicted


def _semeval(corpus: Corpus, tags: Sequence[Tag]) -> dict[str, float]:
    fine = _pairs(corpus, tags, "Other")
    coarse = tuple([{name.rpartition(": ")[0] or name for name in names} for names in part] for part in fine)
    (fine_mean, fine_std), (coarse_mean, coarse_std) = samples_f1(*fine), samples_f1(*coarse)
    return {
        "samples_f1_fine": fine_mean,
        "samples_f1_fine_std": fine_std,
        "samples_f1_coarse": coarse_mean,
        "samples_f1_coarse_std": coarse_std,
    }


def _dipromats(corpus: Corpus, tags: Sequence[Tag]) -> dict[str, float]:
    gold, predicted = _pairs(corpus, tags, "false")
    parents = _techniques(corpus.schema)
    value, scaled = icm(gold, predicted, parents)
    return {"icm_norm": scaled, "icm": value, "macro_f1": _macro_f1(gold, predicted)}


def _techniques(schema: LabelSchema) -> dict[str, str]:
    """Technique to coarse class to propaganda."""
    parents: dict[str, str] = {}
    for label in schema.narratives:
        coarse, dash, _ = label.name.partition(" - ")
        parents[coarse] = _PROPAGANDA
        if dash:
            parents[label.name] = coarse
    return parents


def _cards(corpus: Corpus, tags: Sequence[Tag]) -> dict[str, float]:
    names = {label.label: label.name for label in corpus.schema.narratives}
    nothing = "0_0"
    gold = [{names[label] for label in passage.narratives or ()} or {nothing} for passage in corpus]
    # A paragraph has one claim: the surest of those named.
    first = [{names[tag.narratives[0].label]} if tag.narratives else {nothing} for tag in tags]
    right = [g == p for g, p in zip(gold, first, strict=True)]
    return {"macro_f1": _macro_f1(gold, first), "accuracy": float(np.mean(right))}


def _macro_f1(gold: Sets, predicted: Sets) -> float:
    """Mean F1 over the classes that occur in gold or are predicted, that of nothing included."""
    scores = []
    for name in sorted({name for part in (gold, predicted) for names in part for name in names}):
        hit = sum(name in g and name in p for g, p in zip(gold, predicted, strict=True))
        total = sum(name in names for part in (gold, predicted) for names in part)
        scores.append(2 * hit / total)
    return float(np.mean(scores))


_METRICS: dict[str, Callable[[Corpus, Sequence[Tag]], dict[str, float]]] = {
    "semeval2025": _semeval,
    "dipromats2023": _dipromats,
    "cards": _cards,
}
