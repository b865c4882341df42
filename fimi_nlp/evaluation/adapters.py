"""Models of all kinds, asked about a corpus: taggers, functions, transformers pipelines, scikit-learn models, files."""

from __future__ import annotations

import dataclasses
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import InputError, InputTypeError
from fimi_nlp.evaluation.answers import Answer, Reader, dense, scalar
from fimi_nlp.evaluation.predictions import Predictions, implied_confidence
from fimi_nlp.types import Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fimi_nlp.data import Corpus
    from fimi_nlp.evaluation.answers import LabelMap

_NAN = float("nan")
_ACCEPTED = (
    "Give a tagger, a function of a list of texts, a transformers text-classification pipeline, a scikit-learn model"
    " that takes texts, or a file of predictions."
)


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
          ``{label: probability}``, a list of ``{"label", "score"}``; or an array of shape (n, L), of booleans or
          integers (named or not) or of probabilities. Its columns are those of a data frame, those of `labels`, or in
          the order of the schema.
        - A ``transformers`` pipeline for text classification. One whose model is declared
          ``multi_label_classification`` names every label from `threshold`; one that chooses a single label names it.
          It is called as it was made: give it ``truncation=True`` there, where its model cannot read long texts.
        - A scikit-learn model whose ``predict`` takes texts. It names what it predicts; ``predict_proba`` is used
          where there is one. Columns are told by ``classes_`` where those are labels, by `labels`, else by the order
          of the schema; mind that scikit-learn's ``MultiLabelBinarizer`` sorts them.
        - The path of a file of predictions, which `fimi_nlp.evaluation.files` describes.
        - `Predictions` made before are given back.
    corpus : Corpus
        The passages; the labels of its schema index the arrays.
    progress : bool
        Passed on to ``tag_many`` where true.
    labels : mapping or sequence, optional
        A model's own labels to labels of the schema, or to ``None`` for one that stands for no narrative. Labels that
        are not in it are taken as they are, and ``none`` for no narrative. Or a sequence, such as the ``classes_`` of
        a ``MultiLabelBinarizer``: the labels of the columns. Of no effect on taggers and files.
    threshold : float
        Probability from which a label is named, for models that give independent probabilities alone.

    Notes
    -----
    A narrative for which the model has no label is never named, and has the probability 0: its recall is 0, and counts
    in the means.

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
    reader = Reader(corpus.schema, labels, threshold)
    texts = list(corpus.texts)
    name = _name(model)
    if hasattr(model, "tag_many"):
        answers: Iterable[Answer] = map(Answer, model.tag_many(texts, **({"progress": True} if progress else {})))
    elif isinstance(model, (str, Path)):
        from fimi_nlp.evaluation.files import read_answers

        if Path(model).is_dir() or not Path(model).suffix:
            raise InputError(
                f"'{model}' is no file of predictions.", remedy=f'A model is loaded first: fn.load("{model}").'
            )
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
    said = dense(model.predict(texts))
    classes = getattr(model, "classes_", None)
    p = model.predict_proba(texts) if hasattr(model, "predict_proba") else None
    if said.ndim == 1:
        if p is None or classes is None:
            return [reader.named([scalar(label)]) for label in said]
        keys = [scalar(label) for label in classes]
        rows = (dict(zip(keys, row, strict=True)) for row in np.asarray(p))
        return [reader.exclusive(row, scalar(label)) for row, label in zip(rows, said, strict=True)]
    own = None if isinstance(classes, list) else classes
    names = reader.columns(said.shape[1], own)
    if not reader.labels and not (own is not None and set(map(scalar, own)) == set(names)):
        _warn_of_order(names)
    answers = reader.table(said.astype(bool), names)
    if p is None:
        return answers
    table = _of_one(p, classes)
    return [
        _joined(answer, reader.independent(dict(zip(names, row, strict=True))), reader)
        for answer, row in zip(answers, table, strict=True)
    ]


def _warn_of_order(names: Sequence[str]) -> None:
    """Columns without names may stand for anything: with these, that would not be seen in the figures."""
    if list(names) != sorted(names):
        warnings.warn(
            f"The model's columns have no names, and are taken to be, in order: {', '.join(names)}. A"
            " MultiLabelBinarizer sorts them: if yours comes from one, give labels=binarizer.classes_; else"
            " labels=corpus.schema.narrative_labels.",
            stacklevel=5,
        )


def _joined(said: Answer, probable: Answer, reader: Reader) -> Answer:
    """What is named by the one with the probabilities of the other."""
    scores = dict(probable.tag.scores)
    return reader.scored([Score(s.label, scores.get(s.label, 1.0), _NAN) for s in said.tag.narratives], scores)


def _of_one(p: Any, classes: Any) -> Any:
    """Probabilities of 1, shape (n, L). Multi-output models give an array of shape (n, classes) for each label."""
    if not isinstance(p, list):
        return np.asarray(p)
    columns = []
    for j, part in enumerate(p):
        seen = list(classes[j]) if isinstance(classes, list) else [0, 1]
        columns.append(part[:, seen.index(1)] if 1 in seen and part.shape[1] == len(seen) else np.zeros(len(part)))
    return np.stack(columns, axis=1)


def _name(model: Any) -> str:
    if isinstance(model, (str, Path)):
        return Path(model).name
    inner = getattr(getattr(model, "model", None), "name_or_path", "")
    return str(inner or getattr(model, "__name__", "") or type(model).__name__)
