"""Text before the model: normalising without moving a character, sentences, windows.

Everything here keeps offsets: a normalised text is as long as the original, so that a span found in the one is a span
of the other.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINK = re.compile(r"(?:https?://|www\.|pic\.twitter\.com/|\bt\.co/)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@])@\w{4,}")
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,5}|#x[0-9a-fA-F]{2,4});")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
#: Letters in disguise: full-width forms and mathematical alphabets, as posts use them for bold and italics.
_STYLED = re.compile("[\uff01-\uff5e\U0001d400-\U0001d7ff]")
_WORD = re.compile(r"[^\W\d_]+")
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")

_HANDLE_MARK = "@user"


def normalise(text: str) -> str:
    """Bring a text into the form that the models were trained on.

    Links become spaces, ``@handles`` become ``@user``, HTML entities and styled letters become what they stand for,
    lone surrogates become U+FFFD. Replacements are padded with spaces.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Exactly as long as `text`: character ``i`` of the one stands where character ``i`` of the other does.

    Examples
    --------
    >>> normalise("Ask @somebody &amp; see https://example.org")
    'Ask @user     &     see                    '
    """
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
        text = _STYLED.sub(_plain, text)
    if "/" in text or "www." in text:
        text = _LINK.sub(lambda match: " " * len(match[0]), text)
    if "@" in text:
        text = _HANDLE.sub(lambda match: _HANDLE_MARK.ljust(len(match[0])), text)
    if "&" in text:
        text = _ENTITY.sub(_entity, text)
    return text


def _plain(match: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", match[0])
    return plain if len(plain) == 1 else match[0]


def _entity(match: re.Match[str]) -> str:
    plain = html.unescape(match[0])
    if len(plain) != 1 or "\ud800" <= plain <= "\udfff":
        return match[0]
    return plain.ljust(len(match[0]))


def words(text: str) -> list[str]:
    """Runs of letters, in any script.

    Examples
    --------
    >>> words("NATO's 2 % goal")
    ['NATO', 's', 'goal']
    """
    return _WORD.findall(text)


def any_word(text: str) -> bool:
    """Whether there is a run of two or more letters, in any script."""
    return _TWO_LETTERS.search(text) is not None


#: A possible end of a sentence: closing punctuation, closing quotes or brackets, then white space; or a blank line.
_BOUNDARY = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|\n\s*\n\s*|[\u3002\uff01\uff1f]\s*")
#: Abbreviations after which a full stop ends no sentence.
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|sen|rep|gov|gen|col|lt|sgt|st|rev|hon|no|nos|vs|etc|cf|al|inc|ltd|co|corp|dept|fig"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|approx|est|e\.g|i\.e)|\b[a-z])\.\Z",
    re.IGNORECASE,
)
_OPENING = "\"'“‘«([#@"


def sentences(text: str) -> list[tuple[int, int]]:
    """Cut a text into sentences.

    Parameters
    ----------
    text : str
        English text.

    Returns
    -------
    list of (int, int)
        Character spans; they join up and cover the text, trailing white space included. Empty for an empty text.

    Examples
    --------
    >>> s = "Dr. Smith left the U.S. in May. Why? Nobody knows."
    >>> [s[a:b] for a, b in sentences(s)]
    ['Dr. Smith left the U.S. in May. ', 'Why? ', 'Nobody knows.']
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match.end() < len(text) and _ends_sentence(text, start, match):
            spans.append((start, match.end()))
            start = match.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    mark = match[0].rstrip()
    if not mark or mark[0] in "\u3002\uff01\uff1f":
        return True
    following = text[match.end()]
    if not (following.isupper() or following.isdigit() or following in _OPENING or "\n" in match[0]):
        return False
    # Only the tail is searched: a run without a boundary may be a megabyte long.
    before = text[max(start, match.start() - 12) : match.start() + 1]
    return mark != "." or not _ABBREVIATION.search(before)


def windows(starts: Sequence[int], length: int, *, limit: int, size: int) -> list[tuple[int, int]]:
    """Cut ``length`` tokens into overlapping windows on sentence bounds.

    Parameters
    ----------
    starts : sequence of int
        Token index at which each sentence starts, ascending, the first 0.
    length : int
        Number of tokens.
    limit : int
        A text of up to this many tokens is one window.
    size : int
        The most tokens in a window of a longer text.

    Returns
    -------
    list of (int, int)
        Token spans in order. Together they hold every token; neighbours share their last and first sentence where
        that is at most half a window, and a sentence longer than a window is cut with a quarter shared.

    Examples
    --------
    >>> windows([0, 4, 8, 12], 16, limit=8, size=8)
    [(0, 8), (4, 12), (8, 16)]
    """
    if length <= limit:
        return [(0, length)] if length else []
    bounds = sorted({0, *(s for s in starts if 0 < s < length), length})
    spans: list[tuple[int, int]] = []
    start = 0
    while True:
        # The last bound within reach; none: the sentence alone is too long and is cut in the middle.
        index = bisect_left(bounds, start + size + 1) - 1
        whole = bounds[index] > start
        end = bounds[index] if whole else start + size
        spans.append((start, end))
        if end >= length:
            return spans
        if not whole:
            start = end - size // 4
            continue
        last = bounds[index - 1]
        start = last if start < last and end - last <= size // 2 else end
