"""The labels of a corpus beside what a model said of it: what every figure of a report is counted from."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import metrics as m

if TYPE_CHECKING:
    import numpy.typing as npt

    from fimi_nlp.data import Corpus
    from fimi_nlp.evaluation.bootstrap import ClusterBootstrap
    from fimi_nlp.evaluation.predictions import Predictions

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]


class Scored:
    """A corpus and the predictions for it.

    Parameters
    ----------
    corpus : Corpus
        n passages under a schema of L narratives.
    said : Predictions
        In the order of the corpus.

    Attributes
    ----------
    mask, gold, unsure : ndarray of bool, shape (n, L)
        Annotated cells, those that carry the narrative, and those that the annotator was unsure of.
    strict, lenient : ndarray, shape (n, L, 3)
        Outcomes (see `metrics.outcomes`), with unsure cells as labelled and left out.
    plain : ndarray of bool, shape (n,)
        Passages without a narrative.
    """

    def __init__(self, corpus: Corpus, said: Predictions) -> None:
        if len(said) != len(corpus):
            raise InputError(f"{len(said)} predictions for {len(corpus)} passages.", remedy="Predict them anew.")
        arrays = corpus.label_arrays()
        self.corpus, self.said, self.schema = corpus, said, corpus.schema
        self.mask: Bools = np.asarray(arrays.narrative_mask, bool)
        self.gold: Bools = np.asarray(arrays.narratives > 0.5) & self.mask
        self.unsure: Bools = np.asarray(arrays.unsure, bool)
        self.subs, self.stance, self.origin = arrays.subs, arrays.stance, arrays.origin
        self.strict = m.outcomes(self.gold, said.named, self.mask)
        self.lenient = m.outcomes(self.gold, said.named, self.mask & ~self.unsure)
        self.plain = m.without_theme(self.gold, self.mask, self.unsure)

    @cached_property
    def flagged(self) -> Bools:
        """Passages with any narrative named, shape (n,)."""
        return np.asarray(self.said.named.any(axis=1))

    @cached_property
    def carrying(self) -> Bools:
        """Passages that carry a narrative, shape (n,)."""
        return np.asarray(self.gold.any(axis=1))

    @cached_property
    def origin_right(self) -> Floats:
        """1 where the origin is right, 0 where it is wrong, ``NaN`` where it is unknown or not answered."""
        answered = (self.origin >= 0) & (self.said.origin >= 0)
        return np.where(answered, self.said.origin == self.origin, np.nan)

    @cached_property
    def right(self) -> Floats:
        """Whether the tag is right, as its confidence speaks of it; ``NaN`` where that is not known.

        Right means: with narratives named, the passage carries them all; with none named, it carries none. It is known
        where the cells named are annotated, with none named where all the cells are, and where the text was read.
        """
        named = self.said.named
        known = np.where(self.flagged, (self.mask | ~named).all(axis=1), self.mask.all(axis=1)) & self.said.read
        right = np.where(self.flagged, (self.gold | ~named).all(axis=1), ~self.carrying)
        return np.where(known, right, np.nan)

    def probabilities(self, j: int, *, read: bool) -> Bools:
        """Rows where narrative `j` is annotated and has a probability; with `read`, those alone that were read."""
        # A text that was not read has no probability: it ranks last, and says nothing of calibration.
        rows = self.mask[:, j] & np.isfinite(self.said.probabilities[:, j])
        return np.asarray(rows & self.said.read if read else rows)

    def average_precisions(self, boot: ClusterBootstrap) -> tuple[Floats, Floats]:
        """Of the narratives, shape (L,), and of the resamples, shape (n, L)."""
        labels = self.gold.shape[1]
        values, drawn = np.full(labels, np.nan), np.full((boot.n, labels), np.nan)
        for j in range(labels):
            rows = self.probabilities(j, read=False)
            y, p = self.gold[rows, j], self.said.probabilities[rows, j]
            values[j] = m.average_precision(y, p)
            if boot.groups > 1 and y.any():
                drawn[:, j] = boot.resampled(rows, partial(m.average_precision, y, p))
        return values, drawn

    def choice_counts(self, head: str) -> Floats:
        """Outcomes of the stance, where no answer is an error, or of the origin, where it is an abstention."""
        if head == "stance":
            return m.choice_outcomes(self.stance, self.said.stance, len(self.schema.stances))
        return m.choice_outcomes(self.origin, self.said.origin, len(self.schema.origins), answered=True)
