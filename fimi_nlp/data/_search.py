"""Where in a document the passages of stand-off records stand."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.data._passage_words import (
    FACTOR,
    START,
    TOKEN,
    cut,
    digest,
    prepare,
    word_number,
    word_of,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from fimi_nlp.data.standoff import StandoffRecord

#: Characters of a document that are searched at a time; longer ones are searched in overlapping blocks.
BLOCK = 2**22
#: Tokens whose numbers are remembered.
REMEMBERED = 2**20


class _Numbers(dict[str, int]):
    """Token to the number of its word; 0 for a link."""

    def __missing__(self, token: str) -> int:
        word = word_of(token)
        number = self[token] = word_number(word) if word else 0
        return number


class Finder:
    """Finds the passages of records in documents.

    A hash of five words rolls over the words of a document. Where it is the start of a record, and only there, the
    SHA-256 of as many words as the record has is compared. The work grows with the length of the document, times the
    number of different lengths that records with one start have.

    Parameters
    ----------
    records : sequence of StandoffRecord
        Results name them by their position.
    """

    def __init__(self, records: Sequence[StandoffRecord]) -> None:
        self.wanted: dict[tuple[int, str], list[int]] = defaultdict(list)
        lengths: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for index, record in enumerate(records):
            if record.words:
                self.wanted[record.words, record.sha256].append(index)
                lengths[min(record.words, START)][record.start].add(record.words)
        self.lengths = {width: {key: sorted(found) for key, found in by.items()} for width, by in lengths.items()}
        self.starts = {width: np.array(sorted(by), dtype=np.uint64) for width, by in self.lengths.items()}
        self.overlap = max(2**16, 40 * max((record.words for record in records), default=0))
        self.numbers = _Numbers()
        #: Words looked at and windows hashed so far.
        self.words = self.windows = 0

    def find(self, document: str) -> Iterator[tuple[int, str]]:
        """The records whose passages stand in a document, each with its text there; one may come several times."""
        text = prepare(document)
        start = 0
        while True:
            end = _gap(text, start + BLOCK)
            yield from self._block(text[start:end])
            if end == len(text):
                return
            start = _gap(text, max(end - self.overlap, start + 1))

    def _block(self, text: str) -> Iterator[tuple[int, str]]:
        tokens = TOKEN.findall(text)
        if len(self.numbers) > REMEMBERED:
            self.numbers.clear()
        numbers = np.fromiter(map(self.numbers.__getitem__, tokens), dtype=np.uint64, count=len(tokens))
        kept = np.flatnonzero(numbers)
        numbers = numbers[kept]
        self.words += len(numbers)
        spans: list[tuple[int, int]] = []
        for position, length in self._candidates(numbers):
            window = kept[position : position + length]
            self.windows += 1
            found = self.wanted.get((length, digest([word_of(tokens[index]) for index in window])))
            if found is None:
                continue
            spans = spans or [match.span() for match in TOKEN.finditer(text)]
            piece = cut(text, spans[window[0]][0], spans[window[-1]][1])
            if (length, digest(words_of(piece))) in self.wanted:  # never a text that does not have the hash itself
                for index in found:
                    yield index, piece

    def _candidates(self, numbers: npt.NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
        """Position and length of every run of words that may be a passage."""
        for width, starts in self.starts.items():
            if len(numbers) < width:
                continue
            keys = _keys(numbers, width)
            places = np.minimum(np.searchsorted(starts, keys), len(starts) - 1)
            for position in np.flatnonzero(starts[places] == keys).tolist():
                for length in self.lengths[width][int(keys[position])]:
                    if position + length <= len(numbers):
                        yield position, length


def _keys(numbers: npt.NDArray[np.uint64], width: int) -> npt.NDArray[np.uint64]:
    """`start_key` of the words from every position on."""
    count = len(numbers) - width + 1
    keys = np.zeros(count, dtype=np.uint64)
    for offset in range(width):
        keys = keys * np.uint64(FACTOR) + numbers[offset : offset + count]  # wraps around on purpose
    keys >>= np.uint64(32)
    return keys


def _gap(text: str, position: int) -> int:
    """The next white space, lest a word be cut; where there is none near, the position itself."""
    if position >= len(text):
        return len(text)
    for index in range(position, min(position + 1000, len(text))):
        if text[index].isspace():
            return index
    return position
