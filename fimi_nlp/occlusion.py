"""A text's windows with parts of them hidden: what the model makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from fimi_nlp.decision import DECIMALS, calibrate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fimi_nlp.decision import Heads
    from fimi_nlp.tagger import Tagger

    Floats = npt.NDArray[np.float64]
    Hidden = npt.NDArray[np.bool_]

Replacement = Literal["mask", "delete"]

#: In how many windows of a long text, the strongest of a narrative, its sentences and words are weighed.
WINDOWS = 4
_MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True, slots=True)
class Part:
    """A word or a sentence, and what it does for a label.

    Attributes
    ----------
    start, end : int
        Character span in the text as it was given: ``text[start:end]``.
    weight : float
        By how much the label's log odds (natural logarithm) fall when the part is hidden; negative where it speaks
        against the label.
    probability : float
        The label's probability in the window without the part.
    """

    start: int
    end: int
    weight: float
    probability: float


class _Window(NamedTuple):
    """The token ids of a window, their character spans (n, 2), and the window's own span."""

    ids: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    span: tuple[int, int]


class Occlusion:
    """Runs a text's windows with parts hidden.

    Parameters
    ----------
    tagger : Tagger
        Whose model to ask.
    text : str
        The text, normalised.
    spans : sequence of (int, int)
        Of its windows.
    replacement : {"mask", "delete"}
        What becomes of hidden tokens.
    """

    def __init__(self, tagger: Tagger, text: str, spans: Sequence[tuple[int, int]], replacement: Replacement) -> None:
        encoding, cuts = tagger._cut_tokens(text)
        ids = np.array(encoding.ids, np.int64)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        self.windows = [_Window(ids[a:b], offsets[a:b], span) for (a, b), span in zip(cuts, spans, strict=True)]
        self._tagger = tagger
        self._mask = _mask(tagger) if replacement == "mask" else None
        schema = tagger.schema
        self.keys = (*schema.narrative_labels, *schema.stance_labels, *schema.origin_labels)
        #: Probabilities of the windows as they are, and the heads they come from.
        self.heads = self._heads([window.ids.tolist() for window in self.windows])
        self.whole = _columns(self.heads)
        self.carrying = {
            label: _strongest(self.whole[:, column], tagger.thresholds.get(label, 0.5))
            for column, label in enumerate(self.keys)
        }

    def covering(self, index: int, spans: Sequence[tuple[int, int]]) -> tuple[list[int], Hidden]:
        """The spans that have tokens in a window, and which of its tokens each covers (spans, tokens)."""
        edges = np.array(spans, np.int64).reshape(-1, 2)
        offsets = self.windows[index].offsets
        hidden = (offsets[None, :, 0] < edges[:, 1:]) & (offsets[None, :, 1] > edges[:, :1])
        rows = np.flatnonzero(hidden.any(axis=1))
        return rows.tolist(), hidden[rows]

    def weigh(self, labels: Sequence[str], spans: Sequence[tuple[int, int]]) -> dict[str, tuple[Part, ...]]:
        """What each span does for each label, in the strongest of the label's windows that it stands in."""
        jobs = []
        for index in sorted({index for label in labels for index in self.carrying[label]}):
            rows, hidden = self.covering(index, spans)
            jobs += [(index, row, line) for row, line in zip(rows, hidden, strict=True)]
        without = self.run([(index, line) for index, _, line in jobs])
        found: dict[str, tuple[Part, ...]] = {}
        for label in labels:
            column, best = self.keys.index(label), dict[int, int]()
            for job, (index, row, _) in enumerate(jobs):
                if index in self.carrying[label] and (
                    row not in best or self.whole[index, column] > self.whole[jobs[best[row]][0], column]
                ):
                    best[row] = job
            found[label] = tuple(
                self._part(spans[row], self.whole[jobs[job][0], column], without[job, column])
                for row, job in sorted(best.items())
            )
        return found

    def curves(
        self, label: str, spans: Sequence[tuple[int, int]], orders: Sequence[npt.NDArray[np.int64]], counts: list[int]
    ) -> Floats:
        """The label's probability when the first so many spans of each order are hidden, (orders, counts)."""
        jobs: list[tuple[int, Hidden]] = []
        for index in self.carrying[label]:
            rows, covered = self.covering(index, spans)
            hidden = np.zeros((len(spans), covered.shape[1]), np.bool_)
            hidden[rows] = covered
            jobs += [(index, np.any(hidden[order[:count]], axis=0)) for order in orders for count in counts]
        column = self.run(jobs)[:, self.keys.index(label)]
        curves = column.reshape(len(self.carrying[label]), len(orders), len(counts))
        return np.asarray(curves.max(axis=0).round(DECIMALS))

    def run(self, jobs: Sequence[tuple[int, Hidden]]) -> Floats:
        """Probabilities (jobs, keys) of windows with some of their tokens hidden."""
        rows = []
        for index, hidden in jobs:
            ids = self.windows[index].ids
            kept = ids[~hidden] if self._mask is None else np.where(hidden, self._mask, ids)
            rows.append(kept.tolist())
        return _columns(self._heads(rows))

    def _heads(self, rows: list[list[int]]) -> Heads:
        raw = self._tagger._runtime.run(rows)
        return calibrate(raw.logits, self._tagger.schema, self._tagger.bundle.calibration)

    @staticmethod
    def _part(span: tuple[int, int], whole: float, without: float) -> Part:
        weight = float(_log_odds(whole) - _log_odds(without))
        return Part(*span, round(weight, DECIMALS), round(float(without), DECIMALS))


def _strongest(probabilities: Floats, threshold: float) -> list[int]:
    """The windows that carry a label, or else the one that comes nearest; in the order of the text."""
    order = np.argsort(-probabilities, kind="stable")[:WINDOWS].tolist()
    return sorted(i for rank, i in enumerate(order) if not rank or probabilities[i] >= threshold)


def _columns(heads: Heads) -> Floats:
    return np.concatenate([heads.narratives, heads.stance, heads.origin], axis=1)


def _log_odds(p: float) -> float:
    # Finite for any probability that the runtime gives.
    p = min(max(float(p), 1e-9), 1.0 - 1e-9)
    return float(np.log(p) - np.log1p(-p))


def _mask(tagger: Tagger) -> int | None:
    """The id of the mask token; ``None`` (delete instead) where the model's tokenizer has none."""
    found = (tagger._tokenizer.token_to_id(token) for token in _MASKS)
    return next((number for number in found if number is not None), None)
