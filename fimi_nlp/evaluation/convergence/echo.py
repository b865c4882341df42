"""Texts of different sources that say nearly the same: copies, close wordings, and who published first.

Copies and near duplicates share their wording (MinHash proposes pairs, the Jaccard similarity of word shingles decides:
`fimi_nlp.data.similarity`). Close wordings are near each other in the tagger's embedding and carry a narrative in
common; they are candidates for a person to read, since a claim and its contrary may lie close too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.data.similarity import NEAR, Texts
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus
    from fimi_nlp.tagger import Tagger

#: Cosine similarity from which two texts that carry a narrative in common count as close wordings.
CLOSE = 0.8
#: Texts whose embeddings are compared at once.
_BLOCK = 1024

CAVEAT = (
    "Like texts may go back to a third one that is not in the corpus, such as an agency report or a statement. Who"
    " stands first here need not have published first: it depends on what was collected and on how its dates were set."
)


@dataclass(frozen=True, slots=True)
class Echo:
    """Two like texts of different sources, the earlier first.

    Attributes
    ----------
    first, second : int
        Positions in the corpus.
    kind : {"copy", "near", "close"}
        The same words, nearly the same words, or a close wording.
    similarity : float
        Jaccard similarity of word shingles; of a close wording, cosine similarity of embeddings.
    hours : float
        Between the two.
    sources, origins : (str, str)
        Of the earlier and of the later.
    """

    first: int
    second: int
    kind: str
    similarity: float
    hours: float
    sources: tuple[str, str]
    origins: tuple[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "sources": list(self.sources), "origins": list(self.origins)}


class Direction(NamedTuple):
    """How often one origin stands before another.

    Attributes
    ----------
    first, second : str
        The origins.
    pairs : int
        Pairs of texts of both, whoever is first.
    ties : int
        Those published within `Echoes.tie` hours of each other, which count for neither.
    share : Estimate
        The share of the others in which `first` is the earlier. Groups of like texts are resampled, not pairs, since
        one text that is copied a hundred times tells no more of the order than one.
    """

    first: str
    second: str
    pairs: int
    ties: int
    share: Estimate


@dataclass(frozen=True, eq=False)
class Echoes:
    """Like texts of different sources.

    Attributes
    ----------
    pairs : tuple of Echo
        In the order of the later text.
    tie : float
        Hours within which nobody counts as first.
    wordings : bool
        Whether close wordings were looked for.
    caveat : str
        What to keep in mind.
    """

    pairs: tuple[Echo, ...]
    tie: float
    wordings: bool = True
    caveat: str = field(default=CAVEAT, repr=False)

    def between(self, first: str, second: str, *, ci: float = 0.95, seed: int = 0) -> Direction:
        """How often the origin `first` stands before `second` in pairs of both."""
        both = [pair for pair in self.pairs if set(pair.origins) == {first, second} and first != second]
        settled = [pair for pair in both if pair.hours > self.tie]
        if not settled:
            return Direction(first, second, len(both), len(both), Estimate(float("nan")))
        group = _groups(self.pairs)
        ahead = np.array([[pair.origins[0] == first, True] for pair in settled], np.float64)
        boot = ClusterBootstrap([group[pair.first] for pair in settled], ci=ci, seed=seed)
        share = boot.estimate(ahead, lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1.0))
        return Direction(first, second, len(both), len(both) - len(settled), share)

    def to_records(self) -> list[dict[str, Any]]:
        """One row for each pair, for a table."""
        return [pair.to_dict() for pair in self.pairs]


def echoes(
    corpus: TaggedCorpus,
    *,
    tagger: Tagger | None = None,
    embeddings: npt.ArrayLike | None = None,
    near: float = NEAR,
    close: float = CLOSE,
    within: float = 30.0,
    tie: float = 12.0,
) -> Echoes:
    """Find like texts of different sources that carry a narrative, and who published first.

    Parameters
    ----------
    corpus : TaggedCorpus
        With texts. Only those that carry a narrative are compared.
    tagger : Tagger, optional
        Embeds the texts, to find close wordings too.
    embeddings : array_like, shape (n, dimensions), optional
        Unit vectors of all texts of the corpus, instead of `tagger`.
    near, close : float
        Similarities from which pairs count; see `Echo`.
    within : float
        Days that may lie between the two.
    tie : float
        Hours within which nobody counts as first; take 24 or more where the records have dates without a time.

    Raises
    ------
    InputError
        The corpus has no texts, or there is not one vector for each.
    """
    if not any(corpus.texts):
        raise InputError("The corpus has no texts.", remedy="Name their column: TaggedCorpus.read(..., text=COLUMN).")
    rows = np.flatnonzero(corpus.carried.any(axis=1) & np.array([bool(text) for text in corpus.texts]))
    found: dict[tuple[int, int], tuple[str, float]] = {}
    wordings = close <= 1 and (tagger is not None or embeddings is not None)
    if wordings:
        vectors = _vectors(corpus, rows, tagger, embeddings)
        for left, right, similarity in _close_pairs(corpus, rows, vectors, close, within):
            found[left, right] = ("close", similarity)
    for left, right, kind, similarity in _worded(corpus, rows, near):
        found[left, right] = (kind, similarity)
    pairs = []
    for (left, right), (kind, similarity) in found.items():
        hours = float((corpus.times[right] - corpus.times[left]) / np.timedelta64(1, "h"))
        if corpus.sources[left] != corpus.sources[right] and hours <= within * 24:
            sources = (str(corpus.sources[left]), str(corpus.sources[right]))
            origins = (str(corpus.origins[left]), str(corpus.origins[right]))
            pairs.append(Echo(left, right, kind, round(similarity, 4), round(hours, 3), sources, origins))
    return Echoes(tuple(sorted(pairs, key=lambda pair: (pair.second, pair.first))), tie, wordings)


def _worded(corpus: TaggedCorpus, rows: npt.NDArray[np.int64], near: float) -> Iterator[tuple[int, int, str, float]]:
    """Copies and near duplicates; in a group of copies, each with the first of every other source."""
    texts = Texts([corpus.texts[row] for row in rows])
    members: dict[int, list[int]] = {}
    for group in texts.same():
        firsts: dict[str, int] = {}
        for index in group:
            firsts.setdefault(str(corpus.sources[rows[index]]), index)
        ordered = sorted(firsts.values())
        members |= dict.fromkeys(group, ordered)
        for position, left in enumerate(ordered):
            for right in ordered[position + 1 :]:
                yield int(rows[left]), int(rows[right]), "copy", 1.0
    for left, right, similarity in texts.near(near):
        # `near` names one text of each group of copies: its copies are as near.
        for a in members.get(left, [left]):
            for b in members.get(right, [right]):
                first, second = sorted((int(rows[a]), int(rows[b])))
                yield first, second, "near", similarity


def _vectors(
    corpus: TaggedCorpus, rows: npt.NDArray[np.int64], tagger: Tagger | None, embeddings: npt.ArrayLike | None
) -> npt.NDArray[np.float32]:
    if embeddings is None:
        assert tagger is not None
        return tagger.embed(corpus.texts[row] for row in rows)
    vectors = np.asarray(embeddings, np.float32)
    if vectors.ndim != 2 or len(vectors) != len(corpus):
        raise InputError(
            f"The embeddings have shape {vectors.shape} for {len(corpus)} texts.", remedy="Give a vector for each text."
        )
    return vectors[rows]


def _close_pairs(
    corpus: TaggedCorpus, rows: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32], close: float, within: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs within the span of days; texts are ordered by date, so that each block meets only what follows soon."""
    times, carried = corpus.times[rows], corpus.carried[rows]
    span = np.timedelta64(round(within * 86_400), "s")
    for start in range(0, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        end = int(np.searchsorted(times, times[stop - 1] + span, side="right"))
        similar = vectors[start:stop] @ vectors[start:end].T
        shared = carried[start:stop].astype(np.float32) @ carried[start:end].T.astype(np.float32) > 0
        for left, right in np.argwhere((similar >= close) & shared):
            if left < right:
                yield int(rows[start + left]), int(rows[start + right]), min(float(similar[left, right]), 1.0)


def _groups(pairs: tuple[Echo, ...]) -> dict[int, int]:
    """For each text the first text of its connected group."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for pair in pairs:
        left, right = root(pair.first), root(pair.second)
        parent[max(left, right)] = min(left, right)
    return {node: root(node) for node in list(parent)}
