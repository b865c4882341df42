"""Your own labels on the bundled encoder, in seconds and without torch, through scikit-learn.

>>> from fimi_nlp.integrations.sklearn import NarrativeClassifier
>>> texts = ["The bridge reopened.", "Rain all week.", "The tunnel is closed.", "Sun and wind tomorrow."]
>>> classifier = NarrativeClassifier().fit(texts, ["roads", "weather", "roads", "weather"])
>>> classifier.predict(["The road to the harbour is blocked.", "Snow is expected."]).tolist()
['roads', 'weather']

Needs ``pip install "fimi-nlp[sklearn]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import BundleError, InputError, InputTypeError, require
from fimi_nlp.integrations import _head_files
from fimi_nlp.integrations._features import FEATURES, NarrativeEmbedder, as_texts, check_choice, refuse_table_of_texts
from fimi_nlp.integrations._head import CALIBRATIONS, Head, fit_classes, fit_labels
from fimi_nlp.integrations._shared import resolve
from fimi_nlp.integrations._targets import MASKED, Targets, read_targets

require("sklearn", "sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    from fimi_nlp.integrations._shared import Model

    Floats = npt.NDArray[np.float64]
    Features = npt.NDArray[np.floating]

__all__ = ["NarrativeClassifier", "NarrativeEmbedder"]


class NarrativeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A head of your own on the encoder's embeddings: logistic regression, multi-class or multi-label.

    Parameters
    ----------
    model : Tagger, str, Path or None
        The encoder: a tagger, or what `fimi_nlp.load` takes; by default the bundled model.
    features : {"embedding", "scores", "both", "words", "embedding+words"}
        What is read of it; see `NarrativeEmbedder`. For labels far from narratives, try ``embedding+words``.
    C : float
        Inverse strength of the penalty. Embeddings are unit vectors, so that it lies higher than usual.
    class_weight : None, "balanced" or dict
        As in ``LogisticRegression``; for several labels, each label by itself.
    calibration : None, "sigmoid" or "isotonic"
        Calibrate probabilities on cross-fitted decisions, by Platt scaling or isotonic regression (which wants some
        hundred examples).
    calibration_folds : int
        Folds of it; fewer where a class has fewer examples.
    threshold : float
        For several labels: the probability from which a label is predicted.
    abstain_below : float or None
        Do not predict what is less probable than this: see `abstained_`.
    max_iter : int
        Limit on the iterations of the solver.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted; for several labels, the names of the columns of a data frame, else 0, 1, ...
    multilabel_ : bool
        Whether labels may stand together.
    abstained_ : str or int
        What `predict` gives where it abstains: an empty text where the classes are texts, -1 where they are numbers,
        and -1 in the cells of several labels.
    coef_, intercept_ : ndarray of float64, shapes (k, d) and (k,)
        The head, before calibration; one row a class or label, a single one for two classes.
    n_iter_ : int
        Iterations of the solver.
    n_features_in_ : int
        Where `fit` was given an array of features.

    Notes
    -----
    ``X`` is texts, or an array of features made before (``tagger.embed(texts)``), which saves the embedding in
    searches and cross-validation; a classifier fitted on one reads the other.

    Labels that nobody looked at are left out of training and of `score`: ``None`` and NaN in one column of classes,
    NaN and -1 in the cells of a matrix of labels. They never count as negative.

    A fitted classifier is not pickled, since reading a pickle runs code: use `save` and `load`. One that is not
    fitted is, so that searches run in parallel.

    Examples
    --------
    >>> import numpy as np
    >>> texts = ["The bridge reopened.", "Rain floods the road.", "Sun tomorrow.", "The choir sang."]
    >>> labels = np.array([[1, 0], [1, 1], [0, 1], [0, -1]])         # roads, weather; -1: nobody looked
    >>> NarrativeClassifier().fit(texts, labels).predict_proba(["Snow closed the bridge."]).shape
    (1, 2)
    """

    def __init__(
        self,
        model: Model = None,
        *,
        features: str = "embedding",
        C: float = 10.0,  # noqa: N803
        class_weight: Any = None,
        calibration: str | None = None,
        calibration_folds: int = 5,
        threshold: float = 0.5,
        abstain_below: float | None = None,
        max_iter: int = 1000,
    ) -> None:
        self.model = model
        self.features = features
        self.C = C
        self.class_weight = class_weight
        self.calibration = calibration
        self.calibration_folds = calibration_folds
        self.threshold = threshold
        self.abstain_below = abstain_below
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Learn from labelled texts.

        Parameters
        ----------
        X : iterable of str, length n, or array-like of shape (n, d)
            Texts, or their features.
        y : array-like of shape (n,) or (n, L)
            A class each; or, for several labels, 1, 0 and, for what nobody looked at, NaN or -1.
        sample_weight : array-like of shape (n,), optional
            Weights; a row of weight 0 is left out.

        Raises
        ------
        InputError
            A parameter or the labels cannot be used.
        """
        self._check()
        table = self._table(X, reset=True)
        targets = read_targets(y, self)
        if len(table) != len(targets.y):
            raise InputError(
                f"Found input variables with inconsistent numbers of samples: {len(table)} in X and"
                f" {len(targets.y)} in y.",
                remedy="Give one label, or row of labels, for each text.",
            )
        weight = _check_sample_weight(sample_weight, np.empty((len(table), 1)), dtype=np.float64)
        if (weight < 0).any() or not weight.any():
            raise InputError("sample_weight holds negative numbers, or zeros alone.", remedy="Weights are positive.")
        targets, rows = targets.annotated(weight > 0)
        features = self._embed([table[i] for i in rows]) if isinstance(table, list) else table[rows]
        self._take(self._fit(features, targets, None if sample_weight is None else weight[rows]), targets)
        return self

    def _fit(self, features: Features, targets: Targets, weight: Floats | None) -> Head:
        shared: dict[str, Any] = {"calibration": self.calibration, "folds": self.calibration_folds}
        options = {"C": self.C, "max_iter": self.max_iter, "class_weight": self.class_weight}
        if targets.multilabel:
            names = targets.classes.tolist()
            return fit_labels(features, targets.y.astype(np.int8), weight, names, options=options, **shared)
        if len(targets.classes) < 2:
            raise InputError(
                f"The labels hold only one class, {targets.classes[0]!r}.", remedy="Give examples of two or more."
            )
        if isinstance(self.class_weight, dict):  # named by class, learned by index
            names = targets.classes.tolist()
            options["class_weight"] = {names.index(key): w for key, w in self.class_weight.items() if key in names}
        return fit_classes(features, targets.y.astype(np.intp), weight, options=options, **shared)

    def _take(self, head: Head, targets: Targets) -> None:
        self.classes_, self.multilabel_ = targets.classes, targets.multilabel
        self.abstained_ = targets.abstained(required=self.abstain_below is not None)
        self.coef_, self.intercept_, self.n_iter_ = head.coef, head.intercept, head.iterations
        self._head = head

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """What `predict` decides by, on the scale of log odds: (n,) for two classes, else (n, classes or labels)."""
        z = self._head_of(X, "decisions")
        return z[:, 0] if z.shape[1] == 1 and not self.multilabel_ else z

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Probabilities, calibrated where `calibration` says so, in the order of `classes_`.

        Parameters
        ----------
        X : iterable of str, length n, or array-like of shape (n, d)
            Texts, or their features.

        Returns
        -------
        ndarray of float64, shape (n, classes or labels)
            Rows sum to 1 for classes; for several labels, each cell is that label's probability.
        """
        return self._head_of(X, "probabilities")

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """The most probable class of each text, or 1 and 0 for each label; `abstained_` where unsure.

        Parameters
        ----------
        X : iterable of str, length n, or array-like of shape (n, d)
            Texts, or their features.

        Returns
        -------
        ndarray, shape (n,) or (n, L)
        """
        p = self.predict_proba(X)
        if self.multilabel_:
            found: npt.NDArray[Any] = (p >= self.threshold).astype(np.int64)
            sure = np.maximum(p, 1.0 - p)
        else:
            found, sure = self.classes_[p.argmax(axis=1)], p.max(axis=1)
        if self.abstain_below is not None:
            found[sure < self.abstain_below] = self.abstained_
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Share of rows in which all that is annotated is predicted; an abstention is no hit.

        Without masked cells this is the accuracy that scikit-learn scores (for several labels: of whole rows).
        """
        predicted, targets = self.predict(X), read_targets(y, self, classes=self.classes_)
        weight = _check_sample_weight(sample_weight, np.empty((len(predicted), 1)), dtype=np.float64)
        targets, rows = targets.annotated(np.ones(len(predicted), bool))
        if self.multilabel_:
            right = ((predicted[rows] == targets.y) | (targets.y == MASKED)).all(axis=1)
        else:
            right = predicted[rows] == targets.classes[targets.y]
        return float(np.average(right, weights=weight[rows]))

    def save(self, folder: str | Path) -> None:
        """Save the head as JSON and NumPy arrays; the encoder is named, not copied.

        Parameters
        ----------
        folder : str or Path
            Made where it does not exist.

        Raises
        ------
        NotFittedError
            `fit` comes first.
        InputError
            The folder cannot be written.
        """
        check_is_fitted(self)
        params = {key: value for key, value in self.get_params(deep=False).items() if key != "model"}
        if isinstance(self.class_weight, dict):
            params["class_weight"] = list(self.class_weight.items())  # the keys of JSON are texts
        extra = {"n_features_in": getattr(self, "n_features_in_", None), "multilabel": self.multilabel_}
        config = {"encoder": resolve(self.model).bundle.name, "params": params, **extra}
        _head_files.write(folder, self._head, self.classes_, config)

    @classmethod
    def load(cls, folder: str | Path, model: Model = None) -> Self:
        """Load a classifier that `save` wrote. Nothing is unpickled.

        Parameters
        ----------
        folder : str or Path
            Where it lies.
        model : Tagger, str, Path or None
            The encoder that it was fitted with; by default the bundled model.

        Raises
        ------
        BundleError
            The folder is damaged, or the encoder is another one.
        """
        head, classes, config = _head_files.read(folder)
        tagger = resolve(model)
        if tagger.bundle.name != config.get("encoder"):
            raise BundleError(
                f"{folder}: fitted with {config.get('encoder')}, and this encoder is {tagger.bundle.name}.",
                remedy="Pass that one as model=, or fit again.",
            )
        try:
            params = dict(config["params"])
            if isinstance(params["class_weight"], list):
                params["class_weight"] = dict(params["class_weight"])
            classifier = cls(model, **params)
            targets = Targets(np.empty(0), classes, bool(config["multilabel"]))
            classifier._check()
            classifier._take(head, targets)
            if config["n_features_in"] is not None:
                classifier.n_features_in_ = int(config["n_features_in"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{folder}: the parameters are malformed: {error}.", remedy="Save it again.") from error
        return classifier

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "_head"):
            raise InputTypeError(
                "A fitted NarrativeClassifier is not pickled, since reading a pickle runs code.",
                remedy="Use classifier.save(folder) and NarrativeClassifier.load(folder).",
            )
        state: dict[str, Any] = super().__getstate__()
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags

    def _check(self) -> None:
        check_choice("features", self.features, FEATURES)
        check_choice("calibration", self.calibration, (None, *CALIBRATIONS))
        for name, low in (("threshold", 0.0), ("abstain_below", 0.0), ("C", 1e-12), ("calibration_folds", 2)):
            value = getattr(self, name)
            if value is not None and not (low <= value and (value <= 1 or name in {"C", "calibration_folds"})):
                raise InputError(f"{name} is {value!r}.", remedy="See the parameters of NarrativeClassifier.")

    def _head_of(self, X: Any, what: str) -> Floats:  # noqa: N803
        check_is_fitted(self)
        table = self._table(X, reset=False)
        features = self._embed(table) if isinstance(table, list) else table
        if features.shape[1] != self.coef_.shape[1]:
            raise InputError(
                f"X has {features.shape[1]} features, but the classifier was fitted with {self.coef_.shape[1]}.",
                remedy="Use the same encoder and the same `features`.",
            )
        out: Floats = getattr(self._head, what)(features)
        return out

    def _table(self, X: Any, *, reset: bool) -> Any:  # noqa: N803
        """A list of texts, or a checked array of features."""
        texts = as_texts(X)
        if texts is None:
            refuse_table_of_texts(X)
            return validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(self, name):
                    delattr(self, name)
        return texts

    def _embed(self, texts: list[str]) -> Any:
        return NarrativeEmbedder(self.model, features=self.features).transform(texts)
