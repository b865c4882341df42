"""Which texts are the same, nearly the same, or share a long run of words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Hashes = npt.NDArray[np.uint64]

#: Words in a shingle. With one word of a 40-word passage replaced, 35 of 41 shingles of three words stay.
SHINGLE = 3
#: Jaccard similarity of shingles from which two texts count as near duplicates.
NEAR = 0.8
#: Words in a row that two splits must not share.
RUN = 12

# 25 bands of 5: a pair at 0.8 is proposed with probability 0.99995, one at 0.5 with 0.55 (and then refused).
_BANDS, _ROWS = 25, 5
# In a bucket of templated texts, a text is compared with as many of its neighbours, so that the work stays linear.
_NEIGHBOURS = 50
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_SEED = 20_240_229


def words(text: str) -> list[str]:
    """The words of a text, case and punctuation folded.

    >>> words("The U.S. -- they SAID -- won't help!")
    ['the', 'u', 's', 'they', 'said', 'wont', 'help']
    """
    return [word.replace("'", "").replace("’", "") for word in _WORD.findall(text.casefold())]


class Texts:
    """Texts as word numbers, the form in which they are compared.

    Parameters
    ----------
    texts : sequence of str
        The texts; results name them by their position.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        vocabulary: dict[str, int] = {}
        split = [words(text) for text in texts]
        numbers = [[vocabulary.setdefault(word, len(vocabulary)) for word in found] for found in split]
        self.vocabulary = list(vocabulary)
        self.lengths = np.array([len(found) for found in numbers], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])[:-1].astype(np.int64)
        self.flat = np.array([number for found in numbers for number in found], dtype=np.int64)
        # Word numbers are replaced by random ones, so that sums of their products make good hashes.
        self.mixed = np.random.default_rng(_SEED).integers(2**64, size=max(len(vocabulary), 1), dtype=np.uint64)

    def same(self) -> list[list[int]]:
        """Groups of texts that are the same but for case, white space and punctuation.

        Texts without any word are the same as none.
        """
        groups: dict[bytes, list[int]] = {}
        for index, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            if length:
                groups.setdefault(self.flat[start : start + length].tobytes(), []).append(index)
        return [group for group in groups.values() if len(group) > 1]

    def near(self, threshold: float = NEAR) -> list[tuple[int, int, float]]:
        """Pairs of texts, not the same, whose shingles have a Jaccard similarity of `threshold` or more.

        MinHash and locality-sensitive hashing propose the pairs, the true similarity decides.
        """
        leave_out = {index for group in self.same() for index in group[1:]}
        kept = np.array([i for i in range(len(self.lengths)) if self.lengths[i] and i not in leave_out], dtype=np.int64)
        if len(kept) < 2:
            return []
        shingles = self._shingles(kept)
        signatures = _signatures(shingles)
        pairs = sorted({pair for band in range(_BANDS) for pair in _candidates(signatures[band])})
        found = []
        for left, right in pairs:
            similarity = _jaccard(shingles[left], shingles[right])
            if similarity >= threshold:
                found.append((int(kept[left]), int(kept[right]), similarity))
        return found

    def shared_runs(self, parts: Sequence[int], length: int = RUN) -> list[tuple[str, list[int]]]:
        """Runs of words that stand in texts of two or more parts: the run, and the texts that have it.

        Parameters
        ----------
        parts : sequence of int
            The part of each text; texts with a negative one are left out.
        length : int
            Words in a run.

        Returns
        -------
        list of (str, list of int)
            For every set of texts the first of the runs that they share.
        """
        owners, positions, hashes = self._windows(length, np.asarray(parts, dtype=np.int64) >= 0)
        order = np.argsort(hashes, kind="stable")
        part = np.asarray(parts, dtype=np.int64)[owners]
        found: dict[tuple[int, ...], tuple[int, str]] = {}
        for bucket in _equal_stretches(hashes[order]):
            members = order[bucket]
            if len(np.unique(part[members])) < 2:
                continue
            first = int(positions[members[0]])
            run = " ".join(self.vocabulary[word] for word in self.flat[first : first + length])
            texts = tuple(sorted({int(owner) for owner in owners[members]}))
            if texts not in found or first < found[texts][0]:
                found[texts] = (first, run)
        return sorted((run, list(texts)) for texts, (_, run) in found.items())

    def _windows(
        self, length: int, wanted: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Hashes]:
        """Every window of words: its text, the position of its first word, and its hash."""
        counts = np.where(wanted, np.maximum(self.lengths - length + 1, 0), 0)
        owners = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        positions = self.starts[owners] + within
        factors = np.random.default_rng(_SEED + 1).integers(2**64, size=length, dtype=np.uint64) | np.uint64(1)
        hashes = np.zeros(len(positions), dtype=np.uint64)
        for offset, factor in enumerate(factors):
            hashes += self.mixed[self.flat[positions + offset]] * factor  # wraps around on purpose
        return owners, positions, hashes ^ (hashes >> np.uint64(29))

    def _shingles(self, kept: npt.NDArray[np.int64]) -> list[Hashes]:
        """The set of shingles of each text, as sorted hashes; a text too short for one is a shingle as a whole."""
        wanted = np.zeros(len(self.lengths), dtype=np.bool_)
        wanted[kept] = True
        owners, _, hashes = self._windows(SHINGLE, wanted)
        ends = np.searchsorted(owners, kept, side="right")
        starts = np.searchsorted(owners, kept, side="left")
        found = []
        for index, start, end in zip(kept, starts, ends, strict=True):
            if end > start:
                found.append(np.unique(hashes[start:end]))
            else:
                begin = self.starts[index]
                short = self.mixed[self.flat[begin : begin + self.lengths[index]]]
                found.append(np.array([np.sum(short * np.arange(1, len(short) + 1, dtype=np.uint64))], dtype=np.uint64))
        return found


def _signatures(shingles: list[Hashes]) -> npt.NDArray[np.uint64]:
    """For every band and text one number; texts that share it in some band are candidates."""
    flat = np.concatenate(shingles)
    lengths = np.array([len(shingle) for shingle in shingles])
    starts = np.cumsum(lengths) - lengths
    rng = np.random.default_rng(_SEED + 2)
    bands = np.zeros((_BANDS, len(shingles)), dtype=np.uint64)
    for band in range(_BANDS):
        for _ in range(_ROWS):
            factor, shift = rng.integers(2**64, size=2, dtype=np.uint64)
            value = flat * (factor | np.uint64(1)) + shift
            smallest = np.minimum.reduceat(value ^ (value >> np.uint64(31)), starts)
            bands[band] = (bands[band] ^ smallest) * np.uint64(0x9E3779B97F4A7C15)
    return bands


def _candidates(band: Hashes) -> Iterator[tuple[int, int]]:
    order = np.argsort(band, kind="stable")
    for bucket in _equal_stretches(band[order]):
        members = order[bucket].tolist()
        for position, left in enumerate(members):
            for right in members[position + 1 : position + 1 + _NEIGHBOURS]:
                yield left, right


def _equal_stretches(ordered: Hashes) -> Iterator[slice]:
    """The stretches of two or more equal values in a sorted array."""
    if len(ordered):
        edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
        for index in np.flatnonzero(np.diff(edges) > 1):
            yield slice(int(edges[index]), int(edges[index + 1]))


def _jaccard(left: Hashes, right: Hashes) -> float:
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)
