"""From logits to a `Tag`: calibrate, put windows together, compare with thresholds, abstain.

Methods: Platt scaling of each narrative's logit (Platt 1999), temperature scaling of the soft-max heads (Guo et al.
2017, *On Calibration of Modern Neural Networks*). A text's probability of a narrative is that of its strongest window.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fimi_nlp.types import Evidence, Reason, Score, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from fimi_nlp.bundle import Calibration
    from fimi_nlp.schema import LabelSchema

    Floats = npt.NDArray[np.float64]

#: Below this confidence a tag is about as likely wrong as right, and says so.
LOW_CONFIDENCE = 0.5
#: Probabilities are rounded to this many decimals, so that the same tag prints the same on every machine.
DECIMALS = 5


class Heads(NamedTuple):
    """Calibrated probabilities of the windows of one or more texts, one row a window.

    Attributes
    ----------
    narratives : ndarray, shape (n, L)
        Each narrative by itself.
    subs : list of ndarray, shape (n, number of subs)
        For each narrative, its subs given that it is carried.
    stance, origin : ndarray, shape (n, classes)
        Soft-max heads; the stance is meant given that a narrative is carried.
    """

    narratives: Floats
    subs: list[Floats]
    stance: Floats
    origin: Floats


def calibrate(logits: npt.NDArray[np.floating], schema: LabelSchema, calibration: Calibration) -> Heads:
    """Calibrated probabilities from the model's concatenated logits.

    Parameters
    ----------
    logits : ndarray, shape (n, outputs)
        Narratives, subs, stance and origin side by side.
    schema : LabelSchema
        Gives the widths of the heads.
    calibration : Calibration
        Slopes, offsets and temperatures.
    """
    z = np.asarray(logits, np.float64)
    widths = [len(label.sub_labels) for label in schema.narratives]
    edges = np.cumsum([len(schema.narratives), *widths, len(schema.stances)])
    narratives, *rest = np.split(z, edges, axis=1)
    slope, offset = np.array(calibration.narratives).T
    return Heads(
        narratives=sigmoid(narratives * slope + offset),
        subs=[softmax(block / calibration.subs) for block in rest[: len(widths)]],
        stance=softmax(rest[-2] / calibration.stance),
        origin=softmax(rest[-1] / calibration.origin),
    )


def sigmoid(z: Floats) -> Floats:
    """Logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def softmax(z: Floats) -> Floats:
    """Soft-max over the last axis; an empty axis stays empty."""
    if not z.shape[-1]:
        return z
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def raw_confidence(probabilities: Floats, named: npt.NDArray[np.bool_]) -> float:
    """Chance that what is named is right, as if narratives were independent: calibrated afterwards.

    With narratives named, that all of them are there; with none named, that there is none.
    """
    return float(np.prod(probabilities[named]) if named.any() else np.prod(1.0 - probabilities))


def logit(p: float) -> float:
    """Log odds, kept finite."""
    p = min(max(p, 1e-6), 1.0 - 1e-6)
    return math.log(p / (1.0 - p))


class Decider:
    """Turns the heads' probabilities into tags.

    Parameters
    ----------
    schema : LabelSchema
        The labels.
    calibration : Calibration
        For the confidence and for the thresholds of subs and origin.
    thresholds : mapping of str to float
        Of each narrative.
    model : str
        Written into every tag.
    """

    def __init__(
        self, schema: LabelSchema, calibration: Calibration, thresholds: Mapping[str, float], model: str
    ) -> None:
        self.schema, self.calibration, self.model = schema, calibration, model
        self.thresholds = np.array([thresholds[label] for label in schema.narrative_labels])
        self._keys = (*schema.narrative_labels, *schema.stance_labels, *schema.origin_labels)

    def tag(self, heads: Heads, rows: slice, spans: Sequence[tuple[int, int]], language: str) -> Tag:
        """The tag of one text.

        Parameters
        ----------
        heads : Heads
            Probabilities of the windows of many texts.
        rows : slice
            The windows of this text.
        spans : sequence of (int, int)
            Their character spans.
        language : str
            Of the text.
        """
        windows = heads.narratives[rows]
        best = windows.argmax(0)
        p = windows.max(0).round(DECIMALS)
        named = p >= self.thresholds
        first = rows.start
        subs = [head[first + best[i]] for i, head in enumerate(heads.subs)]
        top = first + (best[int(np.where(named, p, -1.0).argmax())] if named.any() else best[int(p.argmax())])
        stance = heads.stance[top].round(DECIMALS)
        origin = _geometric_mean(heads.origin[rows]).round(DECIMALS)
        confidence = self._confidence(p, named)
        return Tag(
            narratives=self._narratives(p, named, subs),
            stance=_choice(stance, self.schema.stance_labels) if named.any() else None,
            origin=_choice(origin, self.schema.origin_labels, self.calibration.origin_threshold),
            confidence=confidence,
            scores=dict(zip(self._keys, np.concatenate([p, stance, origin]).tolist(), strict=True)),
            reason=Reason.OK if confidence >= LOW_CONFIDENCE else Reason.LOW_CONFIDENCE,
            evidence=self._evidence(windows, named, spans),
            windows=len(spans),
            language=language,
            model=self.model,
        )

    def _confidence(self, p: Floats, named: npt.NDArray[np.bool_]) -> float:
        slope, offset = self.calibration.confidence_named if named.any() else self.calibration.confidence_none
        return round(float(sigmoid(np.float64(slope * logit(raw_confidence(p, named)) + offset))), DECIMALS)

    def _narratives(self, p: Floats, named: npt.NDArray[np.bool_], subs: Sequence[Floats]) -> tuple[Score, ...]:
        scores = []
        for i in sorted(np.flatnonzero(named).tolist(), key=lambda i: -p[i]):
            sub = _choice(subs[i], self.schema.narratives[i].sub_labels, self.calibration.sub_threshold)
            scores.append(
                Score(
                    self.schema.narratives[i].label,
                    float(p[i]),
                    float(self.thresholds[i]),
                    sub.label if sub else None,
                )
            )
        return tuple(scores)

    def _evidence(
        self, windows: Floats, named: npt.NDArray[np.bool_], spans: Sequence[tuple[int, int]]
    ) -> tuple[Evidence, ...]:
        windows = windows.round(DECIMALS)
        return tuple(
            Evidence(self.schema.narratives[i].label, *span, float(windows[row, i]))
            for row, span in enumerate(spans)
            for i in np.flatnonzero(named & (windows[row] >= self.thresholds))
        )


def _geometric_mean(probabilities: Floats) -> Floats:
    """One distribution from those of several windows; each window counts the same."""
    if len(probabilities) == 1 or not probabilities.shape[1]:
        return np.asarray(probabilities[0])
    return softmax(np.log(probabilities.clip(1e-9)).mean(0))


def _choice(probabilities: Floats, labels: Sequence[str], threshold: float = 0.0) -> Score | None:
    """The most probable label, where it reaches the threshold."""
    if not labels:
        return None
    index = int(probabilities.argmax())
    probability = float(probabilities[index])
    return Score(labels[index], probability, threshold) if probability >= threshold else None
