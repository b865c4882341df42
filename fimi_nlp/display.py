"""Tags for a person at a terminal. Text is data: markup and control characters in it are shown, never obeyed."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fimi_nlp.types import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import RenderableType

    from fimi_nlp.types import Score, Tag

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Why a tag is to be read with care, for people.
REASONS = {
    Reason.LOW_CONFIDENCE: "about as likely wrong as right: read it yourself",
    Reason.LANGUAGE: "not in a language that the model reads",
    Reason.EMPTY: "empty",
    Reason.NO_WORDS: "no words",
}
NOTE = "Content alignment, not attribution: a tag never says who is behind a text."


def plain(text: str) -> str:
    r"""A text without control characters, which could move the cursor or reverse the line.

    Examples
    --------
    >>> plain("a\x1b[31mb")
    'a\ufffd[31mb'
    """
    return _CONTROL.sub("\ufffd", text)


def shorten(text: str, width: int = 300) -> str:
    """The start of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def show_tags(pairs: Iterable[tuple[str, Tag]]) -> RenderableType:
    """Texts and their tags as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column("Text", ratio=3, overflow="fold")
    table.add_column("Narratives", ratio=2)
    for name in ("Stance", "Origin", "Confidence"):
        table.add_column(name)
    for text, tag in pairs:
        table.add_row(
            Text(plain(shorten(text))), _narratives(tag), _score(tag.stance), _score(tag.origin), _confidence(tag)
        )
    return Group(table, Text(NOTE, style="dim"))


def _narratives(tag: Tag) -> Text:
    text = Text()
    for score in tag.narratives:
        name = score.label if score.sub is None else f"{score.label}/{score.sub}"
        text.append(f"{name} ", style="bold red").append(f"{score.probability:.2f}\n", style="dim")
    if not tag.narratives:
        text.append("none" if tag.windows else "not read", style="green" if tag.windows else "yellow")
    text.rstrip()
    return text


def _score(score: Score | None) -> Text:
    return Text("-", style="dim") if score is None else Text(f"{score.label} {score.probability:.2f}")


def _confidence(tag: Tag) -> Text:
    text = Text(f"{tag.confidence:.2f}" if tag.windows else "-")
    if tag.reason is not Reason.OK:
        text.append(f"\n{REASONS[tag.reason]}", style="yellow")
    return text


@contextmanager
def text_progress() -> Iterator[Callable[[int], None]]:
    """Show on standard error how many texts are done, and how many a second; give the function that is told."""
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            # The speed is None until the second update.
            rate = f", {task.speed:.0f} a second" if task.speed else ""
            return Text(f"{task.completed:.0f} texts{rate}")

    with Progress(SpinnerColumn(), Rate(), TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None)
        yield lambda done: progress.update(task, completed=done)
