"""What a model said about a corpus, as arrays beside `Corpus.label_arrays`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fimi_nlp.errors import SchemaError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.types import Score, Tag


#: What a model may answer beside the narratives.
QUESTIONS = frozenset({"subs", "stance", "origin"})


class TagsMany(Protocol):
    """Anything that tags many texts: a `fimi_nlp.Tagger`, a baseline, or your own."""

    def tag_many(self, texts: Sequence[str], /) -> list[Tag]:
        """One tag a text, in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions for n passages under a schema of L narratives.

    Attributes
    ----------
    probabilities : ndarray of float, shape (n, L)
        Of every narrative; 0 where the text was not read, ``NaN`` where the model gives none.
    named : ndarray of bool, shape (n, L)
        Whether the narrative is named.
    subs : ndarray of int, shape (n, L)
        Index into ``schema.sub_labels(label)``; -1 where none is given.
    stance, origin : ndarray of int, shape (n,)
        Index into the schema's labels; -1 where none is given.
    confidence : ndarray of float, shape (n,)
        That what is named is right; 0 where the text was not read, ``NaN`` where the model says nothing of it.
    read : ndarray of bool, shape (n,)
        Whether the tagger read the text. One that was not (empty, no words, another language) has no scores.
    thresholds : ndarray of float, shape (L,)
        Of the narratives, as the tags tell it; ``NaN`` where a narrative is never named or its threshold varies.
    stance_probabilities, origin_probabilities : ndarray of float or None
        Where the tagger gives them; 0 where the text was not read.
    questions : frozenset of str
        Those of ``subs``, ``stance`` and ``origin`` that the model answers at all; the others are not scored.
    model : str
        What the model is called; empty where it has no name.
    """

    probabilities: npt.NDArray[np.float64]
    named: npt.NDArray[np.bool_]
    subs: npt.NDArray[np.int64]
    stance: npt.NDArray[np.int64]
    origin: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    read: npt.NDArray[np.bool_]
    thresholds: npt.NDArray[np.float64]
    stance_probabilities: npt.NDArray[np.float64] | None = None
    origin_probabilities: npt.NDArray[np.float64] | None = None
    questions: frozenset[str] = QUESTIONS
    model: str = ""

    def __len__(self) -> int:
        return len(self.read)

    def take(self, rows: npt.ArrayLike) -> Predictions:
        """Those of some passages: `rows` holds indices, or a boolean for every passage."""
        index = np.asarray(rows)
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        whole = {key: values.pop(key) for key in ("thresholds", "questions", "model")}
        return Predictions(**whole, **{key: value[index] for key, value in values.items() if value is not None})

    @classmethod
    def from_tags(cls, tags: Sequence[Tag], schema: LabelSchema) -> Predictions:
        """Arrays from tags.

        Raises
        ------
        SchemaError
            A tag names a label that the schema has not, or a text was read and a narrative of the schema has no score.
        """
        labels = schema.narrative_labels
        n = len(tags)
        named, subs = np.zeros((n, len(labels)), bool), np.full((n, len(labels)), -1, np.int64)
        limits = np.full((n, len(labels)), np.nan)
        for i, tag in enumerate(tags):
            for score in tag.narratives:
                j = _index(score.label, labels, "narrative")
                named[i, j], limits[i, j] = True, score.threshold
                if score.sub is not None:
                    subs[i, j] = _index(score.sub, schema.sub_labels(score.label), f"sub of '{score.label}'")
        return cls(
            probabilities=_probabilities(tags, labels),
            named=named,
            subs=subs,
            stance=_choices([tag.stance for tag in tags], schema.stance_labels, "stance"),
            origin=_choices([tag.origin for tag in tags], schema.origin_labels, "origin"),
            confidence=np.array([tag.confidence for tag in tags], np.float64),
            read=np.array([bool(tag.scores) for tag in tags], bool),
            thresholds=np.array([_only(column) for column in limits.T], np.float64),
            stance_probabilities=_optional(tags, schema.stance_labels),
            origin_probabilities=_optional(tags, schema.origin_labels),
            model=next((tag.model for tag in tags if tag.model), ""),
        )


def implied_confidence(probabilities: npt.NDArray[np.float64], named: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """As if narratives were independent: that all named are there; with none named, that there is none."""
    there, absent = np.where(named, probabilities, 1.0).prod(axis=1), (1.0 - probabilities).prod(axis=1)
    return np.asarray(np.where(named.any(axis=1), there, absent))


def _index(label: str, labels: Sequence[str], kind: str) -> int:
    try:
        return labels.index(label)
    except ValueError:
        raise SchemaError(
            f"The model names the {kind} '{label}', which the schema of the corpus has not.",
            remedy=f"{did_you_mean(label, labels)} Say what it means with labels={{...}}, or read the corpus with the"
            " schema of the model.",
        ) from None


def _choices(scores: Sequence[Score | None], labels: Sequence[str], kind: str) -> npt.NDArray[np.int64]:
    return np.array([-1 if score is None else _index(score.label, labels, kind) for score in scores], np.int64)


def _probabilities(tags: Sequence[Tag], labels: Sequence[str]) -> npt.NDArray[np.float64]:
    out = np.zeros((len(tags), len(labels)))
    for i, tag in enumerate(tags):
        if tag.scores:
            _known(tag.scores, labels)
            out[i] = [tag.scores[label] for label in labels]
    return out


def _known(scores: Mapping[str, float], labels: Sequence[str]) -> None:
    for label in labels:
        if label not in scores:
            raise SchemaError(
                f"The model gives no score for '{label}', which the schema of the corpus has.",
                remedy="Say what its labels mean with labels={...}, or read the corpus with the schema of the model.",
            )


def _optional(tags: Sequence[Tag], labels: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Scores of a head that a tagger may be silent about."""
    complete = all(label in tag.scores for tag in tags if tag.scores for label in labels)
    return _probabilities(tags, labels) if labels and complete else None


def _only(values: npt.NDArray[np.float64]) -> float:
    """The one value of a column; ``NaN`` where there is none, or several."""
    found = np.unique(values[np.isfinite(values)])
    return float(found[0]) if len(found) == 1 else float("nan")
