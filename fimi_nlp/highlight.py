"""Explanations for the eye: highlighted text in a notebook and in a terminal.

The text is data: in HTML it is escaped, and control characters and marks that turn the direction of writing, which
could disguise it, are replaced.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group
from rich.text import Text

from fimi_nlp.display import NOTE, REASONS, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from fimi_nlp.explain import Explanation

ABOUT = (
    "Red words raise the probability, blue ones lower it: what the model leans on, which need not be what a reader"
    " would point at."
)
#: Words whose weight is a smaller part of the largest one's are left plain.
_FAINT = 0.15
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_RED, _BLUE = (214, 39, 40), (31, 119, 180)


class _Run(NamedTuple):
    """A stretch of text and its strength in [-1, 1]; 0 is plain."""

    text: str
    strength: float
    weight: float


def to_html(explanation: Explanation) -> str:
    """See `Explanation.to_html`."""
    blocks = [
        f"<p><strong>{_escape(_headline(explanation, label))}</strong></p>\n"
        f'<p style="white-space:pre-wrap;line-height:1.7">{"".join(map(_mark, _runs(explanation, label)))}</p>'
        for label in explanation.labels
    ]
    if not blocks:
        blocks = [
            f"<p><strong>{_escape(_nothing(explanation))}</strong></p>\n"
            f'<p style="white-space:pre-wrap">{_escape(explanation.text)}</p>'
        ]
    notes = f"<p><small>{_escape(_note(explanation))}</small></p>"
    return "\n".join(['<div class="fimi-explanation">', *blocks, notes, "</div>"])


def to_terminal(explanation: Explanation) -> RenderableType:
    """The same for rich."""
    parts: list[RenderableType] = []
    for label in explanation.labels:
        parts.append(Text(plain(_headline(explanation, label)), style="bold"))
        line = Text()
        for run in _runs(explanation, label):
            line.append(plain(run.text), style=_style(run.strength))
        parts += [line, Text(plain(_top(explanation, label)), style="dim"), Text()]
    if not parts:
        parts = [Text(_nothing(explanation), style="bold"), Text(plain(explanation.text)), Text()]
    return Group(*parts, Text(_note(explanation), style="dim"))


def _headline(explanation: Explanation, label: str) -> str:
    probability = explanation.tag.scores[label]
    threshold = explanation.thresholds.get(label)
    if threshold is None:
        return f"{label} {probability:.2f}"
    sign = "named" if probability >= threshold else "not named"
    return f"{label} {probability:.2f} ({sign} from {threshold:.2f})"


def _top(explanation: Explanation, label: str) -> str:
    words = explanation.top(label)
    shown = (f"{explanation.text[word.start : word.end]} {word.weight:+.2f}" for word in words)
    return f"leans on: {', '.join(shown) or 'no word in particular'}"


def _nothing(explanation: Explanation) -> str:
    tag = explanation.tag
    return "No narrative is named." if tag.windows else f"Not read: {REASONS[tag.reason]}."


def _note(explanation: Explanation) -> str:
    return f"{ABOUT} {NOTE}" if explanation.labels else NOTE


def _runs(explanation: Explanation, label: str) -> Iterator[_Run]:
    words = explanation.words(label)
    largest = max((abs(word.weight) for word in words), default=0.0)
    position = 0
    for word in words:
        strength = word.weight / largest if largest else 0.0
        if abs(strength) < _FAINT:
            continue
        yield _Run(explanation.text[position : word.start], 0.0, 0.0)
        yield _Run(explanation.text[word.start : word.end], strength, word.weight)
        position = word.end
    yield _Run(explanation.text[position:], 0.0, 0.0)


def _mark(run: _Run) -> str:
    if not run.strength:
        return _escape(run.text)
    red, green, blue = _RED if run.strength > 0 else _BLUE
    colour = f"rgba({red},{green},{blue},{0.65 * abs(run.strength):.2f})"
    style = f"background:{colour};color:inherit;border-radius:3px;padding:0 1px"
    return f'<mark style="{style}" title="{run.weight:+.2f}">{_escape(run.text)}</mark>'


def _escape(text: str) -> str:
    return html.escape(_SURROGATE.sub("\ufffd", plain(text)))


def _style(strength: float) -> str:
    if not strength:
        return ""
    colour = "red" if strength > 0 else "blue"
    return f"bold {colour}" if abs(strength) >= 0.5 else colour
