"""What the origin head leans on: the same texts with self-references, posting habits and outlet habits taken away.

A register should not be recognised by a country's name alone. Each masking changes the texts in one way, and the
origin is scored again on the texts that it changed, beside the score of the same texts as they were.

>>> from fimi_nlp.evaluation.masking import MASKINGS
>>> MASKINGS["nations"]("The Chinese side and Moscow agreed.")
'The national side and the capital agreed.'
>>> MASKINGS["swap"]("The Chinese side and Moscow agreed.")
'The Russian side and Beijing agreed.'
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.data import Corpus
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.adapters import predict
from fimi_nlp.evaluation.scoring import score
from fimi_nlp.evaluation.serialise import plain, save_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.predictions import Predictions, TagsMany

_RUSSIA = {
    "Russians": "Chinese",
    "Russian": "Chinese",
    "Russia": "China",
    "Moscow": "Beijing",
    "Kremlin": "Zhongnanhai",
}
_CHINA = {"Chinese": "Russian", "China": "Russia", "Beijing": "Moscow", "Zhongnanhai": "Kremlin"}
_SWAP = {**_RUSSIA, **_CHINA}
_PLACES = {
    **dict.fromkeys(["Russia", "China", "America", "Ukraine", "Taiwan", "PRC", "Britain", "Europe"], "the country"),
    **dict.fromkeys(["Russian", "Chinese", "American", "Ukrainian", "Taiwanese", "British", "European"], "national"),
    **dict.fromkeys(["Russians", "Americans", "Ukrainians", "Europeans"], "citizens"),
    **dict.fromkeys(["Moscow", "Beijing", "Washington", "Kyiv", "London", "Brussels"], "the capital"),
    **dict.fromkeys(["Kremlin", "White House", "Zhongnanhai"], "government"),
    **dict.fromkeys(["United States", "US", "U.S.", "USA"], "the country"),
}
_EMOJI = re.compile("[\U0001f000-\U0001faff☀-➿️\u200d\U0001f1e6-\U0001f1ff]+")
_LABELS = re.compile(
    r"\s*(?:[(\[](?:PHOTOS?|VIDEOS?|VIDEO, PHOTOS?|EXCLUSIVE|OP-ED|Op-Edge?)[^)\]]*[)\]]|^[A-Z]{4,}:)", re.M
)
_SUFFIX = re.compile(r"\s+(?:[–—-]|\|)\s+[A-Z][\w.’' ]{1,40}$")


def _words(table: Mapping[str, str]) -> Callable[[str], str]:
    pattern = re.compile(
        r"\b(?:" + "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True)) + r")(?!\w)"
    )
    return lambda text: pattern.sub(lambda match: table[match[0]], text)


def _habits(text: str) -> str:
    """Headline suffixes such as a speaker after a dash, labels in brackets, words in capitals before a colon."""
    return _SUFFIX.sub("", _LABELS.sub("", text)).strip() or text


#: Name to what it does to a text.
MASKINGS: dict[str, Callable[[str], str]] = {
    "nations": _words(_PLACES),
    "swap": _words(_SWAP),
    "hashtags": lambda text: re.sub(r"#(?=\w)", "", text),
    "emoji": lambda text: _EMOJI.sub("", text).strip() or text,
    "handles": lambda text: re.sub(r"\s*@\w+", "", text).strip() or text,
    "habits": _habits,
}


@dataclass(frozen=True, slots=True)
class Masked:
    """One masking.

    Attributes
    ----------
    masking : str
        A key of `MASKINGS`.
    n : int
        Texts with an origin that it changes; all figures are on these.
    origin_f1, origin_f1_masked : Estimate
        Macro-F1 of the origin where it answers, as they were and masked.
    same : float
        Share of these texts with the same answer, no answer included.
    narrative_f1, narrative_f1_masked : Estimate
        Macro-F1 of the narratives.
    """

    masking: str
    n: int
    origin_f1: Estimate
    origin_f1_masked: Estimate
    same: float
    narrative_f1: Estimate
    narrative_f1_masked: Estimate


@dataclass(frozen=True, slots=True)
class ShortcutReport:
    """What `shortcuts` found.

    Attributes
    ----------
    maskings : tuple of Masked
        In the order of `MASKINGS`; those that change no text are left out.
    """

    maskings: tuple[Masked, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {"maskings": plain(self.maskings)}

    def to_markdown(self) -> str:
        """The report as a Markdown table."""
        lines = [
            "| masked | texts | origin F1 as they were | origin F1 masked | same answer | narrative F1 | masked |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for row in self.maskings:
            cells = [_shown(row.origin_f1), _shown(row.origin_f1_masked), f"{row.same:.0%}"]
            cells += [_shown(row.narrative_f1), _shown(row.narrative_f1_masked)]
            lines.append(f"| {row.masking} | {row.n} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def save(self, path: str | Path) -> Path:
        """Write the report to a ``.json`` or ``.md`` file, and give its path back."""
        return save_report(self, path)


def shortcuts(tagger: TagsMany, corpus: Corpus) -> ShortcutReport:
    """Score a tagger on texts with possible shortcuts to the origin taken away.

    Parameters
    ----------
    tagger : object with ``tag_many``
        Any model.
    corpus : Corpus
        Passages with narratives and origins. For ``swap`` the gold origin stays: who wrote a text does not change with
        the names in it.

    Raises
    ------
    InputError
        No passage has an origin.
    """
    known = corpus.filter(lambda passage: passage.origin is not None)
    if not len(known):
        raise InputError("No passage of the corpus has an origin.")
    plain_tags = predict(tagger, known)
    rows = []
    for name, mask in MASKINGS.items():
        texts = [mask(text) for text in known.texts]
        changed = np.array([new != old for new, old in zip(texts, known.texts, strict=True)])
        if not changed.any():
            continue
        part = Corpus([passage for passage, hit in zip(known, changed, strict=True) if hit], known.schema)
        new = [text for text, hit in zip(texts, changed, strict=True) if hit]
        other = Corpus(
            [dataclasses.replace(passage, text=text) for passage, text in zip(part, new, strict=True)], known.schema
        )
        rows.append(_masked(name, part, plain_tags.take(changed), predict(tagger, other)))
    return ShortcutReport(tuple(rows))


def _masked(name: str, part: Corpus, before: Predictions, after: Predictions) -> Masked:
    reports = [score(said, part, slices=()) for said in (before, after)]
    origin = [report.origin for report in reports]
    assert origin[0] is not None
    assert origin[1] is not None
    return Masked(
        masking=name,
        n=len(part),
        origin_f1=origin[0].macro_f1,
        origin_f1_masked=origin[1].macro_f1,
        same=float(np.mean(before.origin == after.origin)),
        narrative_f1=reports[0].narratives.macro_f1,
        narrative_f1_masked=reports[1].narratives.macro_f1,
    )


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
