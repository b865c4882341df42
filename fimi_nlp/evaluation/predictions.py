"""What a tagger said about a corpus, as arrays beside `Corpus.label_arrays`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from fimi_nlp.errors import InputError, SchemaError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.types import Score, Tag


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
        Of every narrative; 0 where the text was not read.
    named : ndarray of bool, shape (n, L)
        Whether the narrative is named.
    subs : ndarray of int, shape (n, L)
        Index into ``schema.sub_labels(label)``; -1 where none is given.
    stance, origin : ndarray of int, shape (n,)
        Index into the schema's labels; -1 where none is given.
    confidence : ndarray of float, shape (n,)
        That what is named is right; 0 where the text was not read.
    read : ndarray of bool, shape (n,)
        Whether the tagger read the text. One that was not (empty, no words, another language) has no scores.
    thresholds : ndarray of float, shape (L,)
        Of the narratives, as the tags tell it; ``NaN`` where a narrative is never named or its threshold varies.
    stance_probabilities, origin_probabilities : ndarray of float or None
        Where the tagger gives them; 0 where the text was not read.
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

    def __len__(self) -> int:
        return len(self.read)

    def take(self, rows: npt.ArrayLike) -> Predictions:
        """Those of some passages: `rows` holds indices, or a boolean for every passage."""
        index = np.asarray(rows)
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = {key: value[index] for key, value in values.items() if value is not None and key != "thresholds"}
        return Predictions(thresholds=self.thresholds, **parts)

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
        )


def predict(tagger: TagsMany, corpus: Corpus, progress: bool = False) -> Predictions:
    """Tag a corpus.

    Parameters
    ----------
    tagger : object with ``tag_many``
        It sees the texts alone.
    corpus : Corpus
        The passages; the labels of its schema index the arrays.
    progress : bool
        Passed on to ``tag_many`` where true.

    Raises
    ------
    InputError
        The tagger did not give one tag a text.
    SchemaError
        The tagger's labels are not those of the corpus.
    """
    extra: dict[str, Any] = {"progress": True} if progress else {}
    tags = cast("Any", tagger).tag_many(list(corpus.texts), **extra)
    if len(tags) != len(corpus):
        raise InputError(
            f"The tagger gave {len(tags)} tags for {len(corpus)} texts.",
            remedy="tag_many must give one tag a text, in order, also for texts that it does not read.",
        )
    return Predictions.from_tags(tags, corpus.schema)


def _index(label: str, labels: Sequence[str], kind: str) -> int:
    try:
        return labels.index(label)
    except ValueError:
        raise SchemaError(
            f"The tagger names the {kind} '{label}', which the schema of the corpus has not.",
            remedy=f"{did_you_mean(label, labels)} Read the corpus with the schema of the tagger; a label that it was"
            " not annotated for can be marked so.",
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
                f"The tagger gives no score for '{label}', which the schema of the corpus has.",
                remedy="Read the corpus with the schema of the tagger.",
            )


def _optional(tags: Sequence[Tag], labels: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Scores of a head that a tagger may be silent about."""
    complete = all(label in tag.scores for tag in tags if tag.scores for label in labels)
    return _probabilities(tags, labels) if labels and complete else None


def _only(values: npt.NDArray[np.float64]) -> float:
    """The one value of a column; ``NaN`` where there is none, or several."""
    found = np.unique(values[np.isfinite(values)])
    return float(found[0]) if len(found) == 1 else float("nan")
