"""The words of a text as stand-off records count and hash them, and the text behind a run of them.

This is version 1. It is frozen: records that were written with it must be found for ever. A change gets a new number.

1. HTML entities become what they stand for, HTML tags and invisible characters (soft hyphens, zero-width characters)
   go; a tag that starts a new line becomes a space.
2. Links go, and each ``@handle`` becomes the word ``user``.
3. A word is a run of letters and digits with their combining marks, in Unicode form NFKC and case-folded. Everything
   between words (white space, punctuation, quotes, dashes, underscores, symbols) only separates them.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
#: Words whose hash is the key by which passages are looked for.
START = 5
FACTOR = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1

_LINK = r"(?:https?://|www\.|(?:pic\.twitter\.com|t\.co|bit\.ly|youtu\.be)/)\S+"
_HANDLE = r"@\w+"
_WORD = r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*"
#: What a text is read as: links, handles and words.
TOKEN = re.compile(f"(?i:{_LINK})|{_HANDLE}|{_WORD}")

_LINKS = re.compile(rf"(?i)(?<!\w){_LINK}")
_HANDLES = re.compile(_HANDLE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(r"<[/!?]?([A-Za-z][A-Za-z0-9]*)[^<>]*>")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_INLINE = frozenset("a abbr acronym b big cite code del em font i ins kbd mark q s small span strike strong u".split())
#: Marks that belong to the word that follows, or to the one before.
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))
_OPENING, _CLOSING = "\"'“‘«([{#@$£€*_", ".,!?…:;%\"'”’»)]}*_"


def prepare(text: str) -> str:
    """A text without entities, tags and invisible characters.

    >>> prepare("<p>Ties &amp; <b>tr</b>ade</p>").split()
    ['Ties', '&', 'trade']
    """
    for _ in range(3):  # feeds escape what was escaped already
        if "&" not in text or (plain := _ENTITY.sub(_unescape, text)) == text:
            break
        text = plain
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    if "<" in text:
        text = _TAG.sub(lambda match: "" if match[1].lower() in _INLINE else " ", text)
    return text


def _unescape(match: re.Match[str]) -> str:
    plain = html.unescape(match[0])
    return match[0] if any("\ud800" <= char <= "\udfff" for char in plain) else plain


def word_of(token: str) -> str:
    """The word that a token stands for; empty for a link."""
    if token[0] == "@":
        return "user"
    if "/" in token or "." in token:
        return ""
    if token.isascii():
        return token.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", token).casefold())
    return "".join(char for char in folded if char.isalnum()) or token


def words_of(text: str) -> list[str]:
    """The words of a text, by the rules above."""
    return [word for token in TOKEN.findall(prepare(text)) if (word := word_of(token))]


def digest(words: Sequence[str]) -> str:
    """SHA-256, in hexadecimal, of words with single spaces between them."""
    return hashlib.sha256(" ".join(words).encode("utf-8")).hexdigest()


def word_number(word: str) -> int:
    """The number of a word in `start_key`: the first 8 bytes of its SHA-256, never 0."""
    return int.from_bytes(hashlib.sha256(word.encode("utf-8")).digest()[:8], "big") or 1


def start_key(words: Sequence[str]) -> int:
    """A 32-bit hash of the first words (five, or all of fewer) that a window can roll over a document.

    The upper half of ``((n1 * f + n2) * f + n3) ...`` modulo 2**64, where ``n`` are the numbers of the words and ``f``
    is 0x9E3779B97F4A7C15.
    """
    key = 0
    for word in words[:START]:
        key = (key * FACTOR + word_number(word)) & _MASK
    return key >> 32


def cut(text: str, start: int, end: int) -> str:
    """The piece of a prepared text, with the marks that belong to it, as a passage of a corpus is written.

    Links go, handles become ``@user``, white space becomes single spaces.

    >>> cut('He said: "Ask @somebody - now!" And left.', 10, 30)
    '"Ask @user - now!"'
    """
    while start and text[start - 1] in _OPENING:
        start -= 1
    while end < len(text) and text[end] in _CLOSING:
        end += 1
    piece = text[start:end]
    for opening, closing in _BRACKETS:  # those of the document around the piece stay outside
        if closing not in piece:
            piece = piece.lstrip(opening)
        if opening not in piece:
            piece = piece.rstrip(closing)
    return " ".join(_HANDLES.sub("@user", _LINKS.sub(" ", piece)).split())
