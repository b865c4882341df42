"""Markdown and HTML without their marks, in linear time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_LINE_START = re.compile(r"^[ \t]*(?:>[ \t]?)*(?:#{1,6}[ \t]+|[-*+][ \t]+)?", re.MULTILINE)
_REFERENCE = re.compile(r"^[ ]{0,3}\[[^\]\n]{1,200}\]:.*$", re.MULTILINE)
_TARGET = r"\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ \t]+[\"'][^\"'\n]*[\"'])?[ \t]*\)"
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,1000}\]" + _TARGET)
_LINK = re.compile(r"\[([^\[\]]{0,2000})\](?:" + _TARGET + r"|\[[^\[\]\n]{0,200}\])")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,50}\]")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!>~|])")
_EMPHASIS = re.compile(r"[*`]+|~~|(?<!\w)_{1,3}(?=\w)|(?<=[\w.,!?])_{1,3}(?!\w)")


def plain_markdown(text: str) -> Iterator[str]:
    r"""The front matter of a Markdown document, where it has one, and the body reduced to its text.

    >>> list(plain_markdown("---\ntitle: One\n---\n# Two\n\nIt is [*here*](https://example.org/a_(b))."))
    ['title: One\n', 'Two\n\nIt is here.']
    """
    front, body = _front_matter(text.replace("\r\n", "\n"))
    if front:
        yield front
    body = _REFERENCE.sub("", _FENCE.sub("", body))
    body = _LINE_START.sub("", body)
    body = _LINK.sub(r"\1", _IMAGE.sub(" ", body))
    body = _LINK.sub(r"\1", body)  # a linked image leaves a link around nothing
    yield _ESCAPE.sub(r"\1", _EMPHASIS.sub("", _FOOTNOTE.sub("", body)))


def _front_matter(text: str) -> tuple[str, str]:
    for fence in ("---", "+++"):
        if text.startswith(f"{fence}\n") and (end := text.find(f"\n{fence}", len(fence))) >= 0:
            after = text.find("\n", end + 1)
            return text[len(fence) + 1 : end + 1], text[after + 1 :] if after >= 0 else ""
    return "", text


def plain_html(text: str) -> str:
    """An HTML document without scripts, styles and comments; `prepare` takes the other tags out.

    >>> plain_html("<p>One<script>var x = '<p>Two';</script> more</p>")
    '<p>One  more</p>'
    """
    for opening, closing in (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->")):
        text = _without(text, opening, closing)
    return text.replace("<![CDATA[", " ").replace("]]>", " ")


def _without(text: str, opening: str, closing: str) -> str:
    lower = text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)
    kept, position = [], 0
    while (start := lower.find(opening, position)) >= 0:
        kept.append(text[position:start])
        end = lower.find(closing, start)
        if end < 0:  # never closed: only the mark itself goes
            kept.append(text[start + len(opening) :])
            return " ".join(kept)
        position = end + len(closing)
    return " ".join([*kept, text[position:]])
