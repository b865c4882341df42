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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp._arguments import not_a_text
from fimi_nlp.decision import DECIMALS
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.occlusion import Occlusion, Part
from fimi_nlp.text import normalise, sentences
from fimi_nlp.types import Evidence, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from fimi_nlp.occlusion import Replacement
    from fimi_nlp.tagger import Tagger

_WORD = re.compile(r"\w+(?:[-'’.&]\w+)*")


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
            if not self.tag.scores:
                raise InputError(
                    f"'{label}' is not explained: the text was not read ({self.tag.reason.value}).",
                    remedy="Look at tag.reason first.",
                )
            raise InputError(
                f"'{label}' is not explained here.",
                remedy=did_you_mean(label, self.labels) if self.labels else "Ask for it: explain(text, [label]).",
            )
        return label


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
