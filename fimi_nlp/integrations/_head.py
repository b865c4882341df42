"""A linear head with its calibration, as plain arrays: what `NarrativeClassifier` learns, saves and applies.

Methods: logistic regression (multinomial where the classes exclude each other, one per label otherwise); Platt scaling
(Platt 1999) and isotonic regression (Zadrozny and Elkan 2002) on cross-fitted decisions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.decision import sigmoid, softmax
from fimi_nlp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

CALIBRATIONS = ("sigmoid", "isotonic")
#: Isotonic regression says 0 and 1 where it has seen nothing else; nothing is that sure.
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Curve:
    """A calibration of one column: probability at each of some decisions, linear between them, flat beyond.

    Isotonic regression is of this form. Platt scaling has two numbers instead, slope and offset.

    Attributes
    ----------
    method : {"sigmoid", "isotonic"}
        Which of the two.
    x, y : ndarray of float64, shape (k,)
        Decisions and their probabilities; for ``sigmoid``, ``x`` is empty and ``y`` is slope and offset.
    """

    method: str
    x: Floats
    y: Floats

    def __call__(self, decision: Floats) -> Floats:
        """The calibrated probability."""
        if self.method == "sigmoid":
            return sigmoid(self.y[0] * decision + self.y[1])
        return np.interp(decision, self.x, self.y).clip(_TINY, 1.0 - _TINY)


@dataclass(frozen=True, slots=True)
class Head:
    """Decisions and probabilities from features.

    Attributes
    ----------
    coef : ndarray of float64, shape (k, d)
        One row for each label or class; a single row for two classes.
    intercept : ndarray of float64, shape (k,)
        Their offsets.
    exclusive : bool
        Whether classes exclude each other (multi-class) or not (multi-label).
    curves : tuple of Curve
        The calibration of each row; empty where there is none.
    iterations : int
        The most iterations that a fit took.
    """

    coef: Floats
    intercept: Floats
    exclusive: bool
    curves: tuple[Curve, ...] = field(default=())
    iterations: int = 1

    def decisions(self, features: npt.NDArray[np.floating]) -> Floats:
        """What `probabilities` are decided by, on the scale of log odds, shape (n, k)."""
        if not self.curves:
            return self._raw(features)
        p = self.probabilities(features).clip(_TINY * _TINY, 1.0)
        if self.exclusive and len(self.coef) > 1:
            return np.asarray(np.log(p))
        p = p[:, -1:] if self.exclusive else p
        return np.asarray(np.log(p) - np.log1p(-p.clip(None, 1.0 - _TINY * _TINY)))

    def _raw(self, features: npt.NDArray[np.floating]) -> Floats:
        return np.asarray(features.astype(np.float64) @ self.coef.T + self.intercept)

    def probabilities(self, features: npt.NDArray[np.floating]) -> Floats:
        """Shape (n, labels or classes); rows sum to 1 where classes exclude each other."""
        z = self._raw(features)
        if self.curves:
            p = np.stack([curve(column) for curve, column in zip(self.curves, z.T, strict=True)], axis=1)
        else:
            p = softmax(z) if self.exclusive and z.shape[1] > 1 else sigmoid(z)
        if not self.exclusive:
            return p
        if p.shape[1] == 1:
            return np.concatenate([1.0 - p, p], axis=1)
        total = p.sum(axis=1, keepdims=True)
        # Where every class is calibrated to nothing, one is as good as another.
        return np.asarray(np.divide(p, total, out=np.full_like(p, 1.0 / p.shape[1]), where=total > 0))


def fit_classes(
    features: npt.NDArray[np.floating],
    y: npt.NDArray[np.intp],
    weight: Floats | None,
    *,
    options: dict[str, Any],
    calibration: str | None,
    folds: int,
) -> Head:
    """A head for classes that exclude each other; `y` holds their indices, at least two of them."""
    model, curves = _fit(features, y, weight, options, calibration, folds, "a class")
    return Head(model.coef_, model.intercept_, True, curves, int(np.max(model.n_iter_)))


def fit_labels(
    features: npt.NDArray[np.floating],
    y: npt.NDArray[np.int8],
    weight: Floats | None,
    names: Sequence[object],
    *,
    options: dict[str, Any],
    calibration: str | None,
    folds: int,
) -> Head:
    """A head for labels that may stand together; `y` is (n, L) of 0, 1 and -1, which says that nobody looked."""
    rows, offsets, curves, iterations = [], [], [], 1
    for column, name in zip(y.T, names, strict=True):
        seen = column >= 0
        if weight is not None:
            seen &= weight > 0
        if not seen.any():
            raise InputError(f"Label {name!r} is annotated in no row.", remedy="Leave the label out, or annotate some.")
        gold, count = column[seen], int(seen.sum())
        if gold.min() == gold.max():
            warnings.warn(f"Label {name!r} is {gold[0]} in every annotated row: a constant is learned.", stacklevel=4)
            rows.append(np.zeros(features.shape[1]))
            offsets.append(float(np.log((gold.sum() + 1) / (count - gold.sum() + 1))))
            curves.append(Curve("sigmoid", np.empty(0), np.array([1.0, 0.0])))
            continue
        part = None if weight is None else weight[seen]
        model, curve = _fit(features[seen], gold, part, options, calibration, folds, f"label {name!r}")
        rows.append(model.coef_[0])
        offsets.append(float(model.intercept_[0]))
        curves.extend(curve)
        iterations = max(iterations, int(np.max(model.n_iter_)))
    return Head(np.stack(rows), np.array(offsets), False, tuple(curves) if calibration else (), iterations)


def _fit(
    features: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    weight: Floats | None,
    options: dict[str, Any],
    calibration: str | None,
    folds: int,
    what: str,
) -> tuple[Any, tuple[Curve, ...]]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(**options)
    if calibration is None:
        return model.fit(features, y, sample_weight=weight), ()
    scarce = int(np.unique(y, return_counts=True)[1].min())
    if scarce < 2:
        raise InputError(
            f"Calibration needs two examples or more of each side, and {what} has {scarce}.",
            remedy="Add examples, or fit with calibration=None.",
        )
    # One model fitted on everything; its calibration is learned on decisions of models that had not seen the row.
    fitted = CalibratedClassifierCV(model, method=calibration, cv=min(folds, scarce), ensemble=False)
    fitted.fit(features, y, sample_weight=weight)
    pair = fitted.calibrated_classifiers_[0]
    return pair.estimator, tuple(_curve(calibration, calibrator) for calibrator in pair.calibrators)


def _curve(method: str, calibrator: Any) -> Curve:
    if method == "sigmoid":  # scikit-learn's Platt scaling is 1 / (1 + exp(a z + b))
        return Curve(method, np.empty(0), np.array([-calibrator.a_, -calibrator.b_], np.float64))
    return Curve(
        method, np.asarray(calibrator.X_thresholds_, np.float64), np.asarray(calibrator.y_thresholds_, np.float64)
    )
