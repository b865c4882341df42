"""A baseline to beat: TF-IDF of words and characters with logistic regression.

It trains in about a minute, reads nothing but n-grams, and is scored by the same code as a model, on the same passages
in the same run. A model that does not beat it on new sources is not worth its weight.

Probabilities are calibrated on the dev split by Platt scaling (Platt 1999), and thresholds are chosen there, so that
figures on dev itself flatter the baseline; judge it on other sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.decision import sigmoid
from fimi_nlp.errors import InputError, require
from fimi_nlp.evaluation.predictions import implied_confidence
from fimi_nlp.types import Reason, Score, Tag

require("eval", "sklearn")

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

#: Inverse strength of the penalty.
C = 3.0
MODEL = "tfidf-logistic-regression@baseline"
_TINY = 1e-6


class Platt(NamedTuple):
    """Slope and offset on log odds; the identity by default."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, probability: Floats) -> Floats:
        """The calibrated probability."""
        return sigmoid(self.slope * _logit(probability) + self.offset)

    @classmethod
    def fit(cls, gold: npt.ArrayLike, probability: npt.ArrayLike) -> Platt:
        """Fit to truth; the identity where there is nothing to learn from, or where the order would be reversed."""
        from sklearn.linear_model import LogisticRegression

        y, p = np.asarray(gold, bool), np.asarray(probability, np.float64)
        if y.all() or not y.any() or np.ptp(p) == 0.0:
            return cls()
        model = LogisticRegression(C=1e6).fit(_logit(p)[:, None], y)
        slope = float(model.coef_[0, 0])
        return cls(slope, float(model.intercept_[0])) if slope > 0 else cls()


class Choice:
    """Probabilities over exclusive classes; all the classes of the schema keep their place.

    Parameters
    ----------
    classes : int
        How many there are, also where the training rows lack some.
    **options : Any
        Of ``LogisticRegression``.
    """

    def __init__(self, classes: int, **options: Any) -> None:
        self.classes, self.options = classes, options
        self._model: Any = None
        self._seen = np.arange(classes)

    def fit(self, features: Any, gold: npt.NDArray[np.int64]) -> Choice:
        """Fit on the rows with gold (not -1)."""
        from sklearn.linear_model import LogisticRegression

        rows = np.flatnonzero(gold >= 0)
        seen = np.unique(gold[rows])
        # With no row at all, every class is as good as another; with one class, there is nothing to fit.
        self._seen = seen if seen.size else np.arange(self.classes)
        if seen.size > 1:
            self._model = LogisticRegression(C=C, random_state=0, **self.options).fit(features[rows], gold[rows])
        return self

    def predict(self, features: Any) -> Floats:
        """Shape (n, classes)."""
        out = np.zeros((features.shape[0], self.classes))
        if self._model is not None:
            out[:, self._seen] = self._model.predict_proba(features)
        elif self._seen.size:
            out[:, self._seen] = 1.0 / self._seen.size
        return out


def fit_baseline(train: Corpus, dev: Corpus) -> Baseline:
    """Train the baseline.

    Parameters
    ----------
    train : Corpus
        What it learns from; cells that are not annotated are left out, unsure ones count as labelled.
    dev : Corpus
        For calibration and thresholds.

    Returns
    -------
    Baseline
        Has ``tag_many``, so that `fimi_nlp.evaluation.evaluate` scores it like any tagger.

    Raises
    ------
    InputError
        A corpus is empty, or the two have different labels.
    MissingExtraError
        scikit-learn is not installed.
    """
    for name, corpus in (("train", train), ("dev", dev)):
        if not len(corpus):
            raise InputError(f"The {name} corpus has no passages.", remedy="Check its file, or the filter.")
    if train.schema != dev.schema:
        raise InputError("The train and dev corpora have different labels.", remedy="Read both with one schema.")
    return Baseline(train.schema)._fit(train, dev)


class Baseline:
    """TF-IDF with logistic regression, for every head; made by `fit_baseline`.

    Narratives are fitted one against the rest; stance, origin and subs are each one choice, stance and subs on
    passages that carry a narrative. An origin is always given.

    Attributes
    ----------
    schema : LabelSchema
        The labels.
    thresholds : dict of str to float
        The probability from which each narrative is named: the best F1 on dev.
    """

    def __init__(self, schema: LabelSchema) -> None:
        self.schema = schema
        self.thresholds: dict[str, float] = {}
        self._features = vectorizer()
        self._narratives = [Choice(2, solver="liblinear") for _ in schema.narratives]
        self._subs = [Choice(len(label.sub_labels), max_iter=200) for label in schema.narratives]
        self._stance = Choice(len(schema.stances), max_iter=200)
        self._origin = Choice(len(schema.origins), max_iter=200)
        self._platt = [Platt() for _ in schema.narratives]
        self._sure = {True: Platt(), False: Platt()}

    def __repr__(self) -> str:
        return f"<Baseline {MODEL}, {len(self.schema.narratives)} narratives>"

    def tag_many(self, texts: Iterable[str], *, progress: bool = False) -> list[Tag]:  # noqa: ARG002
        """One tag a text, in order; `progress` is there for likeness with `fimi_nlp.Tagger`, and shows nothing."""
        texts = list(texts)
        read = [i for i, text in enumerate(texts) if text.strip()]
        tags = [Tag(reason=Reason.EMPTY, model=MODEL)] * len(texts)
        if read:
            for i, tag in zip(read, self._tags([texts[i] for i in read]), strict=True):
                tags[i] = tag
        return tags

    def _fit(self, train: Corpus, dev: Corpus) -> Baseline:
        try:
            features = self._features.fit_transform(train.texts)
        except ValueError as error:  # scikit-learn: no terms remain
            raise InputError(
                f"The train corpus has too few words for the baseline: {error}",
                remedy="It needs words that occur in at least two passages, and letters that occur in three.",
            ) from error
        gold = train.label_arrays()
        for j, model in enumerate(self._narratives):
            annotated = gold.narrative_mask[:, j]
            positive = (gold.narratives[:, j] > 0.5) & annotated
            model.fit(features, np.where(annotated, positive, -1).astype(np.int64))
            self._subs[j].fit(features, np.where(positive, gold.subs[:, j], -1))
        self._stance.fit(features, gold.stance)
        self._origin.fit(features, gold.origin)
        self._calibrate(dev)
        return self

    def _calibrate(self, dev: Corpus) -> None:
        features, arrays = self._features.transform(dev.texts), dev.label_arrays()
        gold, mask = arrays.narratives > 0.5, arrays.narrative_mask
        for j, model in enumerate(self._narratives):
            cells = mask[:, j]
            p = model.predict(features)[cells, 1]
            self._platt[j] = Platt.fit(gold[cells, j], p)
            threshold = best_threshold(gold[cells, j], self._platt[j](p))
            self.thresholds[self.schema.narrative_labels[j]] = threshold
        p = self._probabilities(features)
        named = np.asarray(p >= self._limits)
        rows = mask.all(axis=1)
        for some in self._sure:
            part = rows & (named.any(axis=1) == some)
            right = np.asarray((gold | ~named).all(axis=1) if some else ~gold.any(axis=1))
            self._sure[some] = Platt.fit(right[part], implied_confidence(p, named)[part])

    @property
    def _limits(self) -> Floats:
        return np.array([self.thresholds[label] for label in self.schema.narrative_labels])

    def _probabilities(self, features: Any) -> Floats:
        columns = [
            platt(model.predict(features)[:, 1]) for model, platt in zip(self._narratives, self._platt, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _tags(self, texts: Sequence[str]) -> list[Tag]:
        features = self._features.transform(texts)
        p = self._probabilities(features)
        named = np.asarray(p >= self._limits)
        raw = implied_confidence(p, named)
        confidence = np.where(named.any(axis=1), self._sure[True](raw), self._sure[False](raw))
        stance, origin = self._stance.predict(features), self._origin.predict(features)
        subs = [model.predict(features) for model in self._subs]
        return [
            Tag(
                narratives=self._named(p[i], named[i], [head[i] for head in subs]),
                stance=_best(self.schema.stance_labels, stance[i]) if named[i].any() else None,
                origin=_best(self.schema.origin_labels, origin[i]),
                confidence=float(confidence[i]),
                scores=self._scores(p[i], stance[i], origin[i]),
                windows=1,
                language=self.schema.language,
                model=MODEL,
            )
            for i in range(len(texts))
        ]

    def _named(self, p: Floats, named: Bools, subs: Sequence[Floats]) -> tuple[Score, ...]:
        scores = []
        for j in sorted(np.flatnonzero(named).tolist(), key=lambda j: -p[j]):
            label = self.schema.narratives[j]
            sub = _best(label.sub_labels, subs[j])
            scores.append(Score(label.label, float(p[j]), self.thresholds[label.label], sub.label if sub else None))
        return tuple(scores)

    def _scores(self, narratives: Floats, stance: Floats, origin: Floats) -> dict[str, float]:
        labels = (*self.schema.narrative_labels, *self.schema.stance_labels, *self.schema.origin_labels)
        return dict(zip(labels, np.concatenate([narratives, stance, origin]).tolist(), strict=True))


def best_threshold(gold: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """The threshold with the best F1, halfway between two probabilities that occur.

    0.5 where there is nothing to choose by: no positives, or one probability for all.

    Examples
    --------
    >>> best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9])
    0.5
    """
    y, p = np.asarray(gold, bool), np.asarray(probability, np.float64)
    if not y.any() or np.ptp(p) == 0.0:
        return 0.5
    order = np.argsort(-p, kind="stable")
    y, p = y[order], p[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    f1 = 2 * np.cumsum(y)[last_of_tie] / (last_of_tie + 1 + y.sum())
    last = int(last_of_tie[int(f1.argmax())])
    return float((p[last] + p[last + 1]) / 2) if last + 1 < len(p) else float(p[last])


def vectorizer() -> Any:
    """TF-IDF of words (1-2 grams) and of characters within words (3-5 grams), not yet fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    return FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)),
            ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, sublinear_tf=True)),
        ]
    )


def _best(labels: Sequence[str], probabilities: Floats) -> Score | None:
    if not labels:
        return None
    k = int(probabilities.argmax())
    return Score(labels[k], float(probabilities[k]))


def _logit(probability: Floats) -> Floats:
    p = np.clip(probability, _TINY, 1.0 - _TINY)
    odds: Floats = np.log(p) - np.log1p(-p)
    return odds
