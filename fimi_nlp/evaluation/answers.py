"""Answers of models that are not ours, read in the many forms in which they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from fimi_nlp.errors import InputError, InputTypeError, SchemaError, did_you_mean
from fimi_nlp.evaluation.predictions import QUESTIONS
from fimi_nlp.types import Score, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fimi_nlp.schema import LabelSchema

#: A model's own labels to those of the schema; ``None``: a label that stands for no narrative. Or the labels of the
#: columns of its arrays, in order.
LabelMap = Union[Mapping[Any, Union[str, None]], Sequence[Union[str, None]]]  # noqa: UP007 - also at run time

#: What a corpus writes where a passage carries no narrative, and single-choice models learn as a class of its own.
NONE = "none"
_NAN = float("nan")


class Answer(NamedTuple):
    """One answer, and what it does not tell: `scored`: it has probabilities; `sure`: it has a confidence."""

    tag: Tag
    scored: bool = True
    sure: bool = True
    questions: frozenset[str] = QUESTIONS


class Reader:
    """Reads answers of many forms.

    A narrative of the schema that the model has no label for is never named, and has the probability 0.

    Parameters
    ----------
    schema : LabelSchema
        The labels of the corpus.
    labels : mapping or sequence
        See `fimi_nlp.evaluation.predict`.
    threshold : float
        Of independent probabilities.

    Raises
    ------
    InputError
        The threshold is no probability.
    SchemaError
        `labels` names a narrative that the schema has not.
    """

    def __init__(self, schema: LabelSchema, labels: LabelMap | None = None, threshold: float = 0.5) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise InputError(f"threshold is {threshold}.", remedy="Give a probability, such as 0.5.")
        self.schema, self.threshold = schema, threshold
        self.labels = _meanings(labels, schema)
        #: The labels that every answer with probabilities must speak of; known from the first one on.
        self._asked: frozenset[Any] | None = None

    def meaning(self, label: Any) -> str | None:
        """The schema's name of a model's label; ``None``: no narrative."""
        if label in self.labels:
            return self.labels[label]
        name, known = str(label), self.schema.narrative_labels
        if name in known:
            return name
        if name.lower() == NONE:
            return None
        raise SchemaError(
            f"The model has the label '{name:.60}', which the schema of the corpus has not.",
            remedy=f"{did_you_mean(name, known)} Say what it means, a narrative or None:"
            f" labels={{{label!r:.60}: {known[0]!r}}}, or labels={{{label!r:.60}: None}}.",
        )

    def all(self, answers: Any) -> list[Answer]:
        """Answers to all the texts: an array or a data frame of shape (n, L), or one answer a text."""
        named = getattr(answers, "columns", None)
        table = dense(answers)
        if isinstance(table, np.ndarray) and table.ndim == 2:
            return self.table(table, self.columns(table.shape[1], named))
        if isinstance(answers, (str, bytes, Mapping)) or not hasattr(answers, "__iter__"):
            raise InputTypeError(
                f"The model gave a {type(answers).__name__} for the list of texts.",
                remedy="It must take a list of texts and give one answer a text.",
            )
        return [self.one(answer) for answer in answers]

    def one(self, answer: Any) -> Answer:
        """One answer of any form that `predict` names."""
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, Tag):
            return Answer(answer)
        if answer is None:
            return self.named(())
        if isinstance(answer, (str, int, np.integer)):
            return self.named((answer,))
        if isinstance(answer, Mapping):
            if answer.keys() == {"label", "score"}:
                raise InputTypeError(
                    f"The model gave the score of one label alone: {answer!r:.80}.",
                    remedy="Give the label without its score, or the scores of all labels; a transformers pipeline can"
                    " be given as it is.",
                )
            return self.independent(answer)
        if isinstance(answer, np.ndarray) and answer.ndim == 1 and answer.dtype.kind in "fbiu":
            return self.table(answer[None], self.columns(len(answer)))[0]
        if isinstance(answer, (list, tuple, set, frozenset)):
            return self._several(list(answer), ordered=isinstance(answer, (list, tuple)))
        raise _unreadable(answer)

    def _several(self, items: list[Any], *, ordered: bool) -> Answer:
        if items and all(isinstance(item, Mapping) and {"label", "score"} <= item.keys() for item in items):
            return self.independent({item["label"]: item["score"] for item in items})
        if items and ordered and (all(isinstance(item, (float, np.floating)) for item in items) or self._flags(items)):
            return self.table(np.array([items]), self.columns(len(items)))[0]
        if all(isinstance(item, (str, int, np.integer)) for item in items):
            return self.named(items)
        raise _unreadable(items)

    def _flags(self, items: Sequence[Any]) -> bool:
        """Whether a list says of each narrative whether it is named, rather than which ones are."""
        if all(isinstance(item, (bool, np.bool_)) for item in items):
            return True
        flags = all(isinstance(item, (int, np.integer)) and item in (0, 1) for item in items)
        meant = any(item in self.labels or str(item) in self.schema.narrative_labels for item in items)
        return flags and not meant and len(items) == len(self.schema.narratives)

    def named(self, labels: Iterable[Any]) -> Answer:
        """Labels without probabilities."""
        meanings = (self.meaning(scalar(label)) for label in labels)
        names = dict.fromkeys(name for name in meanings if name is not None)
        scores = {label: float(label in names) for label in self.schema.narrative_labels}
        tag = Tag(tuple(Score(name, 1.0, _NAN) for name in names), scores=scores, windows=1)
        return Answer(tag, scored=False, sure=False, questions=frozenset())

    def independent(self, probabilities: Mapping[Any, Any]) -> Answer:
        """Probabilities, each from 0 to 1 by itself."""
        self._same_labels(probabilities.keys())
        scores: dict[str, float] = {}
        for label, p in probabilities.items():
            if (name := self.meaning(label)) is not None:
                scores[name] = max(scores.get(name, 0.0), probability(p, label))
        named = [Score(name, p, self.threshold) for name, p in scores.items() if p >= self.threshold]
        return self.scored(named, scores)

    def exclusive(self, probabilities: Mapping[Any, Any], chosen: Any) -> Answer:
        """Probabilities of exclusive classes, one of which is chosen."""
        scores: dict[str, float] = {}
        for label, p in probabilities.items():
            if (name := self.meaning(label)) is not None:
                scores[name] = min(1.0, scores.get(name, 0.0) + probability(p, label))
        name = self.meaning(chosen)
        return self.scored([] if name is None else [Score(name, scores.get(name, 1.0), _NAN)], scores)

    def scored(self, named: list[Score], scores: Mapping[str, float]) -> Answer:
        """Labels with the probabilities of all."""
        whole = dict.fromkeys(self.schema.narrative_labels, 0.0) | dict(scores)
        tag = Tag(tuple(sorted(named, key=lambda score: -score.probability)), scores=whole, windows=1)
        return Answer(tag, sure=False, questions=frozenset())

    def columns(self, width: int, classes: Any = None) -> Sequence[Any]:
        """What the columns of an array stand for.

        Parameters
        ----------
        width : int
            How many there are.
        classes : sequence, optional
            Their names, where the model tells them; numbers alone are none.

        Raises
        ------
        InputError
            They have no names, and are not as many as the narratives.
        """
        names = [] if classes is None else [scalar(label) for label in classes]
        if len(names) == width and all(isinstance(name, str) or name in self.labels for name in names):
            return names
        if self.labels.keys() == set(range(width)):
            return range(width)
        known = self.schema.narrative_labels
        if width == len(known):
            return known
        raise InputError(
            f"The model gave {width} columns for {len(known)} narratives.",
            remedy=f"The columns are, in order: {', '.join(known)}. Where they are others, name them:"
            f" labels=[{known[0]!r}, ...].",
        )

    def table(self, rows: Any, names: Sequence[Any]) -> list[Answer]:
        """Rows of an array: named or not, or probabilities."""
        if rows.dtype.kind in "biu":
            return [self.named(name for name, on in zip(names, row, strict=True) if on) for row in rows]
        return [self.independent(dict(zip(names, row, strict=True))) for row in rows]

    def _same_labels(self, labels: Iterable[Any]) -> None:
        given = frozenset(labels)
        if self._asked is None:
            self._asked = given
        if given != self._asked:
            label = sorted(map(str, given ^ self._asked))[0]
            raise SchemaError(
                f"The model gives a probability for '{label:.60}' in some answers, and none in others.",
                remedy="Give those of all its labels in every answer, or the labels named alone.",
            )


def probability(value: Any, label: Any) -> float:
    """The number, where it is a probability."""
    try:
        p = float(value)
    except (TypeError, ValueError):
        p = _NAN
    if not 0.0 <= p <= 1.0 + 1e-6:
        raise InputError(
            f"The model's score for '{label}' is {value!r:.40}, which is no probability.",
            remedy="Scores must lie in [0, 1]: put logits through a sigmoid, or give the labels alone.",
        )
    return min(p, 1.0)


def dense(answers: Any) -> Any:
    """Arrays as NumPy arrays: sparse ones, those of data frames and of other libraries."""
    if hasattr(answers, "toarray"):
        return answers.toarray()
    return np.asarray(answers) if hasattr(answers, "__array__") else answers


def scalar(value: Any) -> Any:
    """A label as Python has it."""
    return value.item() if isinstance(value, np.generic) else value


def _meanings(labels: LabelMap | None, schema: LabelSchema) -> dict[Any, str | None]:
    if isinstance(labels, str):
        raise InputTypeError(
            f"labels is a str ({labels!r:.60}).",
            remedy="Give a mapping of the model's labels, or a list with those of its columns.",
        )
    pairs = labels.items() if isinstance(labels, Mapping) else enumerate([] if labels is None else labels)
    found = {scalar(label): None if name is None else str(name) for label, name in pairs}
    for label, name in found.items():
        if name is None or name in schema.narrative_labels:
            continue
        if name.lower() == NONE:
            found[label] = None
        else:
            raise SchemaError(
                f"labels speaks of '{name}', which the schema of the corpus has not.",
                remedy=did_you_mean(name, schema.narrative_labels),
            )
    return found


def _unreadable(answer: Any) -> InputTypeError:
    return InputTypeError(
        f"The model gave an answer that cannot be read: {answer!r:.80}.",
        remedy="Give a Tag, a list of labels, or {label: probability}.",
    )
