"""Which parts of a text carry a narrative, by hiding them one by one.

Occlusion (Zeiler and Fergus 2014; for text Li, Monroe and Jurafsky 2016, *Understanding Neural Networks through
Representation Erasure*): a word or sentence weighs as much as the log odds of the narrative fall when it is hidden.
It asks the model that ships, lexical branch and int8 weights included, and needs nothing but the runtime.
`Explanation.deletion_curve` says how faithful the weights are on a given text, and
``benchmarks/explain_faithfulness.py`` on many.

An explanation tells what the model leans on, which need not be what a reader would point at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fimi_nlp._arguments import not_a_text
from fimi_nlp.decision import DECIMALS, calibrate
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.text import normalise, sentences
from fimi_nlp.types import Evidence, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from rich.console import RenderableType

    from fimi_nlp.decision import Heads
    from fimi_nlp.tagger import Tagger

    Floats = npt.NDArray[np.float64]
    Hidden = npt.NDArray[np.bool_]

Replacement = Literal["mask", "delete"]

#: In how many windows of a long text, the strongest of a narrative, its sentences and words are weighed.
WINDOWS = 4
_MASKS = ("[MASK]", "<mask>")
_WORD = re.compile(r"\w+(?:[-'’.&]\w+)*")


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


class DeletionCurve(NamedTuple):
    """How a label's probability falls as words are hidden, the weightiest first (Petsiuk et al. 2018).

    Attributes
    ----------
    hidden : tuple of float
        Share of the words hidden, from 0 to 1.
    probability : tuple of float
        The label's probability then.
    random : tuple of float
        The same with the words in random order, the mean of several orders.
    """

    hidden: tuple[float, ...]
    probability: tuple[float, ...]
    random: tuple[float, ...]

    @property
    def area(self) -> float:
        """Area under `probability`; the lower, the more faithful the weights."""
        return _area(self.hidden, self.probability)

    @property
    def random_area(self) -> float:
        """Area under `random`, which weights worth anything stay below."""
        return _area(self.hidden, self.random)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What carries each label of a text. Made by `Tagger.explain`.

    Attributes
    ----------
    text : str
        The text.
    tag : Tag
        Its tag, as `Tagger.tag` gives it.
    labels : tuple of str
        The labels explained.
    thresholds : mapping of str to float
        The probability from which each narrative is named.
    """

    text: str
    tag: Tag = field(repr=False)
    labels: tuple[str, ...]
    thresholds: Mapping[str, float] = field(repr=False, hash=False)
    _windows: Mapping[str, tuple[Evidence, ...]] = field(repr=False, hash=False)
    _sentences: Mapping[str, tuple[Part, ...]] = field(repr=False, hash=False)
    _words: Mapping[str, tuple[Part, ...]] = field(repr=False, hash=False)
    _occlusion: Occlusion | None = field(repr=False, compare=False, hash=False)

    def windows(self, label: str) -> tuple[Evidence, ...]:
        """Every window that the text was read in, with the label's probability in it alone."""
        return self._windows[self._known(label)]

    def sentences(self, label: str) -> tuple[Part, ...]:
        """The sentences, in the order of the text; of a long text, those of the strongest windows."""
        return self._sentences[self._known(label)]

    def words(self, label: str) -> tuple[Part, ...]:
        """The words, in the order of the text; of a long text, those of the strongest windows.

        A word is a run of letters and digits; links, which the model does not see, are none.
        """
        return self._words[self._known(label)]

    def top(self, label: str, n: int = 5) -> tuple[Part, ...]:
        """The `n` words that speak most for the label, the weightiest first."""
        carrying = [part for part in self.words(label) if part.weight > 0]
        return tuple(sorted(carrying, key=lambda part: -part.weight)[:n])

    def deletion_curve(
        self, label: str, *, weights: Sequence[float] | None = None, steps: int = 10, orders: int = 10, seed: int = 0
    ) -> DeletionCurve:
        """Hide the words of a label's strongest windows, the weightiest first, and read its probability.

        Parameters
        ----------
        label : str
            One of `labels`.
        weights : sequence of float, optional
            Weights of another method, one for each of ``words(label)``, to be judged instead of ours.
        steps : int
            Into how many steps the words are divided.
        orders : int
            How many random orders to compare with.
        seed : int
            Same seed, same random orders.

        Raises
        ------
        InputError
            The label is not explained here, or there is not one weight for each word.
        """
        words = self.words(label)
        own = np.array([part.weight for part in words] if weights is None else list(weights), np.float64)
        if own.shape != (len(words),):
            raise InputError(f"There are {len(own)} weights for {len(words)} words.", remedy="Give one for each word.")
        if self._occlusion is None or not words or steps < 1 or orders < 1:
            raise InputError(
                "There is no curve to draw.", remedy="Give a text with words, one step or more, and one order or more."
            )
        rng = np.random.default_rng(seed)
        ranked = [np.argsort(-own, kind="stable"), *(rng.permutation(len(words)) for _ in range(orders))]
        shares = np.linspace(0.0, 1.0, steps + 1)
        spans = [(part.start, part.end) for part in words]
        curves = self._occlusion.curves(label, spans, ranked, np.round(shares * len(words)).astype(int).tolist())
        return DeletionCurve(
            tuple(shares.tolist()), tuple(curves[0].tolist()), tuple(np.mean(curves[1:], axis=0).tolist())
        )

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON types, the tag included."""
        return {
            "tag": self.tag.to_dict(),
            "labels": {
                label: {
                    "windows": [
                        {"start": w.start, "end": w.end, "probability": w.probability} for w in self._windows[label]
                    ],
                    "sentences": [_plain(part) for part in self._sentences[label]],
                    "words": [_plain(part) for part in self._words[label]],
                }
                for label in self.labels
            },
        }

    def to_html(self) -> str:
        """The text with its words highlighted, as an HTML fragment in which the text is escaped."""
        from fimi_nlp.highlight import to_html

        return to_html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __rich__(self) -> RenderableType:
        from fimi_nlp.highlight import to_terminal

        return to_terminal(self)

    def _known(self, label: str) -> str:
        if label not in self._words:
            raise InputError(
                f"'{label}' is not explained here.",
                remedy=did_you_mean(label, self.labels) if self.labels else "Ask for it: explain(text, [label]).",
            )
        return label


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
        encoding, cuts = tagger._reader.cut(text)
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


def explain(
    tagger: Tagger, text: str, labels: Sequence[str] | None = None, *, replacement: Replacement = "mask"
) -> Explanation:
    """See `Tagger.explain`."""
    if not isinstance(text, str):
        raise not_a_text(text, "explain()")
    if replacement not in ("mask", "delete"):
        raise InputError(
            f"Unknown replacement {replacement!r}.", remedy=did_you_mean(str(replacement), ["mask", "delete"])
        )
    _check_labels(tagger, labels)
    prepared = tagger._reader.prepare(text)
    if not prepared.ids:
        tag = Tag(reason=prepared.reason, language=prepared.language, model=tagger.bundle.name)
        return Explanation(text, tag, (), dict(tagger.thresholds), {}, {}, {}, None)
    plain = normalise(text)
    occlusion = Occlusion(tagger, plain, prepared.spans, replacement)
    rows = slice(0, len(occlusion.windows))
    tag = tagger._decider.tag(occlusion.heads, rows, prepared.spans, prepared.language)
    wanted = tag.labels if labels is None else tuple(dict.fromkeys(labels))
    return Explanation(
        text,
        tag,
        wanted,
        dict(tagger.thresholds),
        {label: _windows(occlusion, label) for label in wanted},
        occlusion.weigh(wanted, _trimmed(plain, sentences(plain))),
        occlusion.weigh(wanted, [match.span() for match in _WORD.finditer(text)]),
        occlusion,
    )


def _check_labels(tagger: Tagger, labels: Sequence[str] | None) -> None:
    if isinstance(labels, str):
        raise InputError(f"labels is the single string {labels!r}.", remedy=f"Give a list: [{labels!r}].")
    schema = tagger.schema
    known = (*schema.narrative_labels, *schema.stance_labels, *schema.origin_labels)
    for label in labels or ():
        if label not in known:
            raise InputError(f"'{label}' is no label of {tagger.bundle.id}.", remedy=did_you_mean(label, known))


def _windows(occlusion: Occlusion, label: str) -> tuple[Evidence, ...]:
    column = occlusion.whole[:, occlusion.keys.index(label)].round(DECIMALS).tolist()
    return tuple(Evidence(label, *w.span, p) for w, p in zip(occlusion.windows, column, strict=True))


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
    found = (tagger._reader.tokenizer.token_to_id(token) for token in _MASKS)
    return next((number for number in found if number is not None), None)


def _trimmed(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    trimmed = []
    for start, end in spans:
        part = text[start:end]
        start += len(part) - len(part.lstrip())
        trimmed.append((start, max(start, start + len(part.strip()))))
    return trimmed


def _area(x: Sequence[float], y: Sequence[float]) -> float:
    heights = np.asarray(y)
    return float(np.sum(np.diff(x) * (heights[1:] + heights[:-1]) / 2))


def _plain(part: Part) -> dict[str, Any]:
    return {"start": part.start, "end": part.end, "weight": part.weight, "probability": part.probability}
