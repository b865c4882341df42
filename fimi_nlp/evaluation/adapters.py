"""Models of all kinds, asked about a corpus: taggers, functions, transformers pipelines, scikit-learn models, files."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.errors import InputError, InputTypeError
from fimi_nlp.evaluation.predictions import QUESTIONS, Predictions, implied_confidence
from fimi_nlp.types import Score, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema

    #: A model's own labels to those of the schema; ``None``: a label that stands for no narrative.
    LabelMap = Mapping[Any, str | None]

_NAN = float("nan")
_ACCEPTED = (
    "Give a tagger, a function of a list of texts, a transformers text-classification pipeline, a scikit-learn model"
    " that takes texts, or a file of predictions."
)


class Answer(NamedTuple):
    """One answer, and what it does not tell: `scored`: it has probabilities; `sure`: it has a confidence."""

    tag: Tag
    scored: bool = True
    sure: bool = True
    questions: frozenset[str] = QUESTIONS


def predict(
    model: Any,
    corpus: Corpus,
    progress: bool = False,
    *,
    labels: LabelMap | None = None,
    threshold: float = 0.5,
) -> Predictions:
    """Ask a model about every passage of a corpus. It sees the texts alone.

    Parameters
    ----------
    model : tagger, callable, pipeline, estimator, path, or Predictions
        - Anything with ``tag_many``: a `fimi_nlp.Tagger`, a baseline, or your own.
        - A callable: gets the list of texts and gives one answer a text: a `Tag`, a label, a list of labels,
          ``{label: probability}``, a list of ``{"label", "score"}``; or an array of shape (n, L) in the order of the
          schema, of booleans or integers (named or not) or of probabilities.
        - A ``transformers`` pipeline for text classification. One whose model is declared
          ``multi_label_classification`` names every label from `threshold`; one that chooses a single label names it.
          It is called as it was made: give it ``truncation=True`` there, where its model cannot read long texts.
        - A scikit-learn model whose ``predict`` takes texts. It names what it predicts; ``predict_proba`` is used
          where there is one. Columns are told by ``classes_`` where those are labels, else by the order of the schema.
        - The path of a file of predictions, which `fimi_nlp.evaluation.files` describes.
        - `Predictions` made before are given back.
    corpus : Corpus
        The passages; the labels of its schema index the arrays.
    progress : bool
        Passed on to ``tag_many`` where true.
    labels : mapping, optional
        A model's own labels to labels of the schema, or to ``None`` for one that stands for no narrative. Labels that
        are not in it are taken as they are. Of no effect on taggers and files.
    threshold : float
        Probability from which a label is named, for models that give independent probabilities alone.

    Raises
    ------
    InputError
        Not one answer a text, no probability where there should be one, or a file that does not fit the corpus.
    InputTypeError
        The model, or an answer, is of a kind that is not known.
    SchemaError
        The model's labels are not those of the corpus.
    """
    if isinstance(model, Predictions):
        return model
    reader = Reader(corpus.schema, labels or {}, threshold)
    texts = list(corpus.texts)
    name = _name(model)
    if hasattr(model, "tag_many"):
        answers: Iterable[Answer] = map(Answer, model.tag_many(texts, **({"progress": True} if progress else {})))
    elif isinstance(model, (str, Path)):
        from fimi_nlp.evaluation.files import read_answers

        answers = read_answers(Path(model), corpus, reader)
    elif _is_pipeline(model):
        answers = _pipeline(model, texts, reader)
    elif hasattr(model, "predict"):
        answers = _estimator(model, texts, reader)
    elif callable(model):
        answers = reader.all(model(texts))
    else:
        raise InputTypeError(f"A {type(model).__name__} is no model that can be evaluated.", remedy=_ACCEPTED)
    return _predictions(list(answers), corpus, name)


def _predictions(answers: Sequence[Answer], corpus: Corpus, name: str) -> Predictions:
    if len(answers) != len(corpus):
        raise InputError(
            f"The model gave {len(answers)} answers for {len(corpus)} texts.",
            remedy="It must give one answer a text, in order, also for texts that it does not read.",
        )
    said = Predictions.from_tags([answer.tag for answer in answers], corpus.schema)
    scored = all(answer.scored for answer in answers)
    changes: dict[str, Any] = {
        "model": said.model or name,
        "questions": frozenset().union(*(answer.questions for answer in answers)),
    }
    if not scored:
        changes["probabilities"] = np.full(said.probabilities.shape, np.nan)
    if not all(answer.sure for answer in answers):
        known = implied_confidence(said.probabilities, said.named) if scored else np.full(len(said), np.nan)
        changes["confidence"] = known
    return dataclasses.replace(said, **changes)


class Reader:
    """Reads answers of many forms.

    Parameters
    ----------
    schema : LabelSchema
        The labels of the corpus.
    labels : mapping
        See `predict`.
    threshold : float
        Of independent probabilities.
    """

    def __init__(self, schema: LabelSchema, labels: LabelMap, threshold: float = 0.5) -> None:
        self.schema, self.labels, self.threshold = schema, labels, threshold

    def meaning(self, label: Any) -> str | None:
        """The schema's name of a model's label; `Predictions.from_tags` checks that there is such a one."""
        return self.labels[label] if label in self.labels else str(label)

    def all(self, answers: Any) -> list[Answer]:
        """Answers to all the texts: an array of shape (n, L), or one answer a text."""
        table = _dense(answers)
        if isinstance(table, np.ndarray) and table.ndim == 2:
            return self.table(table, self.schema.narrative_labels)
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
            return self.independent(answer)
        if isinstance(answer, np.ndarray) and answer.ndim == 1 and answer.dtype.kind in "fbiu":
            return self.table(answer[None], self.schema.narrative_labels)[0]
        if isinstance(answer, (list, tuple, set, frozenset)):
            items = list(answer)
            if items and all(isinstance(item, Mapping) and {"label", "score"} <= item.keys() for item in items):
                return self.independent({item["label"]: item["score"] for item in items})
            if items and all(isinstance(item, (float, np.floating)) for item in items):
                return self.table(np.array([items]), self.schema.narrative_labels)[0]
            if all(isinstance(item, (str, int, np.integer)) for item in items):
                return self.named(items)
        raise InputTypeError(
            f"The model gave an answer that cannot be read: {answer!r:.80}.",
            remedy="Give a Tag, a list of labels, or {label: probability}.",
        )

    def named(self, labels: Iterable[Any]) -> Answer:
        """Labels without probabilities."""
        meanings = (self.meaning(_scalar(label)) for label in labels)
        names = dict.fromkeys(name for name in meanings if name is not None)
        scores = {label: float(label in names) for label in self.schema.narrative_labels}
        tag = Tag(tuple(Score(name, 1.0, _NAN) for name in names), scores=scores, windows=1)
        return Answer(tag, scored=False, sure=False, questions=frozenset())

    def independent(self, probabilities: Mapping[Any, Any]) -> Answer:
        """Probabilities, each from 0 to 1 by itself."""
        scores: dict[str, float] = {}
        for label, p in probabilities.items():
            if (name := self.meaning(label)) is not None:
                scores[name] = max(scores.get(name, 0.0), probability(p, label))
        named = [Score(name, p, self.threshold) for name, p in scores.items() if p >= self.threshold]
        return _scored(named, scores)

    def exclusive(self, probabilities: Mapping[Any, Any], chosen: Any) -> Answer:
        """Probabilities of exclusive classes, one of which is chosen."""
        scores: dict[str, float] = {}
        for label, p in probabilities.items():
            if (name := self.meaning(label)) is not None:
                scores[name] = min(1.0, scores.get(name, 0.0) + probability(p, label))
        name = self.meaning(chosen)
        return _scored([] if name is None else [Score(name, scores.get(name, 1.0), _NAN)], scores)

    def table(self, rows: Any, names: Sequence[Any]) -> list[Answer]:
        """Rows of an array: named or not, or probabilities."""
        if rows.shape[1] != len(names):
            raise InputError(
                f"The model gave {rows.shape[1]} columns for {len(names)} narratives.",
                remedy=f"The columns are, in order: {', '.join(map(str, names))}.",
            )
        if rows.dtype.kind in "biu":
            return [self.named(name for name, on in zip(names, row, strict=True) if on) for row in rows]
        return [self.independent(dict(zip(names, row, strict=True))) for row in rows]


def _scored(named: list[Score], scores: dict[str, float]) -> Answer:
    tag = Tag(tuple(sorted(named, key=lambda score: -score.probability)), scores=scores, windows=1)
    return Answer(tag, sure=False, questions=frozenset())


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


# --- transformers ----------------------------------------------------------------------------------------------------


def _is_pipeline(model: Any) -> bool:
    transformers = sys.modules.get("transformers")  # a pipeline cannot be there where its package is not
    return transformers is not None and isinstance(model, transformers.Pipeline)


def _pipeline(pipe: Any, texts: list[str], reader: Reader) -> list[Answer]:
    if pipe.task != "text-classification":
        raise InputError(
            f"A pipeline for {pipe.task} cannot be evaluated as it is.",
            remedy="Wrap it in a function that takes a list of texts and gives a list of labels for each.",
        )
    config = pipe.model.config
    independent = config.problem_type == "multi_label_classification" or config.num_labels == 1
    if not independent and config.problem_type != "single_label_classification":
        # The pipeline would put a multi-label head through a soft-max without a word.
        raise InputError(
            "The pipeline's model does not say whether its labels exclude each other.",
            remedy='Set pipe.model.config.problem_type to "multi_label_classification" or'
            ' "single_label_classification".',
        )
    found = [{item["label"]: item["score"] for item in row} for row in pipe(texts, top_k=None)]
    if independent:
        return [reader.independent(row) for row in found]
    return [reader.exclusive(row, max(row, key=row.__getitem__)) for row in found]


# --- scikit-learn ----------------------------------------------------------------------------------------------------


def _estimator(model: Any, texts: list[str], reader: Reader) -> list[Answer]:
    said = _dense(model.predict(texts))
    classes = getattr(model, "classes_", None)
    p = model.predict_proba(texts) if hasattr(model, "predict_proba") else None
    if said.ndim == 1:
        if p is None or classes is None:
            return [reader.named([_scalar(label)]) for label in said]
        keys = [_scalar(label) for label in classes]
        rows = (dict(zip(keys, row, strict=True)) for row in np.asarray(p))
        return [reader.exclusive(row, _scalar(label)) for row, label in zip(rows, said, strict=True)]
    names = _columns(classes, said.shape[1], reader)
    answers = reader.table(said.astype(bool), names)
    if p is None:
        return answers
    table = _of_one(p, classes)
    return [
        _joined(answer, reader.independent(dict(zip(names, row, strict=True))))
        for answer, row in zip(answers, table, strict=True)
    ]


def _joined(said: Answer, probable: Answer) -> Answer:
    """What is named by the one with the probabilities of the other."""
    scores = dict(probable.tag.scores)
    return _scored([Score(s.label, scores.get(s.label, 1.0), _NAN) for s in said.tag.narratives], scores)


def _columns(classes: Any, width: int, reader: Reader) -> Sequence[Any]:
    """What the columns stand for: ``classes_`` where they are names, else the order of the schema."""
    if classes is not None and not isinstance(classes, list) and len(classes) == width:
        names = [_scalar(label) for label in classes]
        if all(isinstance(name, str) or name in reader.labels for name in names):
            return names
    return reader.schema.narrative_labels


def _of_one(p: Any, classes: Any) -> Any:
    """Probabilities of 1, shape (n, L). Multi-output models give an array of shape (n, classes) for each label."""
    if not isinstance(p, list):
        return np.asarray(p)
    columns = []
    for j, part in enumerate(p):
        seen = list(classes[j]) if isinstance(classes, list) else [0, 1]
        columns.append(part[:, seen.index(1)] if 1 in seen and part.shape[1] == len(seen) else np.zeros(len(part)))
    return np.stack(columns, axis=1)


# --- small things ----------------------------------------------------------------------------------------------------


def _dense(answers: Any) -> Any:
    """Arrays as NumPy arrays: sparse ones, those of data frames and of other libraries."""
    if hasattr(answers, "toarray"):
        return answers.toarray()
    return np.asarray(answers) if hasattr(answers, "__array__") else answers


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _name(model: Any) -> str:
    if isinstance(model, (str, Path)):
        return Path(model).name
    inner = getattr(getattr(model, "model", None), "name_or_path", "")
    return str(inner or getattr(model, "__name__", "") or type(model).__name__)
