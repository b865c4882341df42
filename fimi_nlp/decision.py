"""From logits to a `Tag`: calibrate, put windows together, compare with thresholds, abstain.

Methods: Platt scaling of each narrative's logit (Platt 1999), temperature scaling of the soft-max heads (Guo et al.
2017, *On Calibration of Modern Neural Networks*). A text's probability of a narrative is that of its strongest window.
"""

from __future__ import annotations

import math
from dataclasses import replace
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
        part = Heads(
            heads.narratives[rows], [head[rows] for head in heads.subs], heads.stance[rows], heads.origin[rows]
        )
        return self.tags(part, [(spans, language)])[0]

    def tags(self, heads: Heads, texts: Sequence[tuple[Sequence[tuple[int, int]], str]]) -> list[Tag]:
        """The tags of many texts.

        Parameters
        ----------
        heads : Heads
            Probabilities of their windows, text by text.
        texts : sequence of (sequence of (int, int), str)
            The character spans of each text's windows, one at least, and its language.
        """
        if not texts:
            return []
        counts = np.array([len(spans) for spans, _ in texts])
        first = np.cumsum(counts) - counts
        best = _strongest(heads.narratives, first, counts)
        p = np.take_along_axis(heads.narratives, best, axis=0).round(DECIMALS)
        named = p >= self.thresholds
        # The stance is that of the window in which the most probable narrative, of those named if any, is strongest.
        leading = np.where(named | ~named.any(1, keepdims=True), p, -1.0).argmax(1)
        top = best[np.arange(len(texts)), leading]
        stance = heads.stance[top].round(DECIMALS)
        origin = _by_text(heads.origin, first, counts).round(DECIMALS)
        confidence = self._confidence(p, named)
        origins = _choices(origin, self.schema.origin_labels, self.calibration.origin_threshold)
        scores = np.hstack([p, stance, origin]).tolist()
        tags = [
            Tag(
                origin=origins[i],
                confidence=confidence[i],
                scores=dict(zip(self._keys, scores[i], strict=True)),
                reason=Reason.OK if confidence[i] >= LOW_CONFIDENCE else Reason.LOW_CONFIDENCE,
                windows=len(spans),
                language=language,
                model=self.model,
            )
            for i, (spans, language) in enumerate(texts)
        ]
        for i in np.flatnonzero(named.any(1)).tolist():
            rows = slice(first[i], first[i] + counts[i])
            tags[i] = replace(
                tags[i],
                narratives=self._narratives(p[i], named[i], heads.subs, best[i]),
                stance=_choices(stance[[i]], self.schema.stance_labels)[0],
                evidence=self._evidence(heads.narratives[rows], named[i], texts[i][0]),
            )
        return tags

    def _confidence(self, p: Floats, named: npt.NDArray[np.bool_]) -> list[float]:
        some = np.asarray(named.any(1))
        slope, offset = np.where(some[:, None], self.calibration.confidence_named, self.calibration.confidence_none).T
        # As `raw_confidence`, for all texts at once.
        raw = np.where(some, np.where(named, p, 1.0).prod(1), (1.0 - p).prod(1)).clip(1e-6, 1.0 - 1e-6)
        confidence: list[float] = sigmoid(slope * np.log(raw / (1.0 - raw)) + offset).round(DECIMALS).tolist()
        return confidence

    def _narratives(
        self, p: Floats, named: npt.NDArray[np.bool_], subs: Sequence[Floats], best: npt.NDArray[np.intp]
    ) -> tuple[Score, ...]:
        scores = []
        for i in sorted(np.flatnonzero(named).tolist(), key=lambda i: -p[i]):
            [sub] = _choices(subs[i][best[[i]]], self.schema.narratives[i].sub_labels, self.calibration.sub_threshold)
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


def _strongest(windows: Floats, first: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """For each text and narrative, the row of the window in which it is most probable: shape (texts, L)."""
    best = np.repeat(first[:, None], windows.shape[1], axis=1)
    for i in np.flatnonzero(counts > 1):
        best[i] += windows[first[i] : first[i] + counts[i]].argmax(0)
    return best


def _by_text(probabilities: Floats, first: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> Floats:
    """One distribution for each text; of several windows, their geometric mean: each window counts the same."""
    out = probabilities[first]
    if probabilities.shape[1]:
        for i in np.flatnonzero(counts > 1):
            rows = probabilities[first[i] : first[i] + counts[i]]
            out[i] = softmax(np.log(rows.clip(1e-9)).mean(0))
    return out


def _choices(probabilities: Floats, labels: Sequence[str], threshold: float = 0.0) -> list[Score | None]:
    """For each row the most probable label, where it reaches the threshold."""
    if not labels:
        return [None] * len(probabilities)
    pairs = zip(probabilities.argmax(1).tolist(), probabilities.max(1).tolist(), strict=True)
    return [Score(labels[index], best, threshold) if best >= threshold else None for index, best in pairs]
