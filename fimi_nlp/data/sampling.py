"""Which texts to annotate next: those of which a tagger is unsure, and that differ from each other.

Uncertainty is how close a narrative's probability is to its threshold (Lewis and Gale 1994, *A Sequential Algorithm for
Training Text Classifiers*). Diversity is that of k-means++ seeding (Arthur and Vassilvitskii 2007), here weighted by
uncertainty, or of greedy k-centres (Sener and Savarese 2018, *Active Learning for Convolutional Neural Networks: A
Core-Set Approach*).
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.data.corpus import Corpus
from fimi_nlp.data.similarity import Texts, words
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from fimi_nlp.data.corpus import Passage
    from fimi_nlp.types import Tag

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

UNCERTAINTY = ("margin", "rank")
DIVERSITY = ("sample", "farthest", "none")
#: What `write_batch` keeps of a passage: where it comes from, and nothing that was said of it.
SOURCE_FIELDS = ("source", "kind", "group", "date", "split", "lang")

_DIMENSIONS = 512
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that is worth annotating.

    Attributes
    ----------
    passage : Passage
        The text.
    uncertainty : float
        From 0 to 1, where the tagger could not be less sure.
    distance : float
        Cosine distance to the nearest text that was selected before; 1 for the first.
    narrative : str
        The one whose probability is closest to its threshold.
    probability, threshold : float
        Of that narrative.
    """

    passage: Passage
    uncertainty: float
    distance: float
    narrative: str
    probability: float
    threshold: float

    @property
    def why(self) -> str:
        """Why it was selected, without a word on what the tagger saw in it."""
        return f"uncertainty {self.uncertainty:.2f}, distance {self.distance:.2f} from those before"


def select_for_annotation(
    tagger: Any,
    corpus: Corpus | Iterable[Any],
    n: int,
    *,
    uncertainty: str = "margin",
    diversity: str = "sample",
    vectors: npt.ArrayLike | None = None,
    thresholds: Mapping[str, float] | None = None,
    labelled: Corpus | None = None,
    per_group: int | None = None,
    pool: int = 5,
    seed: int = 0,
) -> list[Candidate]:
    """Select texts for annotation.

    Parameters
    ----------
    tagger : Tagger, or sequence of Tag
        What says how sure it is: anything with ``tag_many``, or tags at hand, one a text.
    corpus : Corpus, or what `Corpus.read` takes
        The texts. Labels that they have are not looked at.
    n : int
        How many to select; fewer come back where there are not so many that differ.
    uncertainty : {"margin", "rank"}
        ``margin``: the distance of log odds between probability and threshold, of the narrative that is closest.
        ``rank``: each narrative ranks the texts by that distance, and the best rank counts, so that every narrative
        has its share.
    diversity : {"sample", "farthest", "none"}
        ``sample``: drawn with a chance that grows with uncertainty and with the squared distance from those drawn
        before. ``farthest``: each time the one for which uncertainty times distance is greatest. ``none``: the most
        uncertain ones.
    vectors : array_like, shape (len(corpus), d), optional
        For the distances. By default ``tagger.embed``, and hashed word counts where there is no such thing.
    thresholds : mapping of str to float, optional
        Of the narratives. By default the tagger's, else those that its tags name, else 0.5.
    labelled : Corpus, optional
        What is annotated already: texts that are in it, or nearly, are not selected.
    per_group : int, optional
        Most texts of one document or account.
    pool : int
        The texts are drawn from the ``pool * n`` most uncertain ones.
    seed : int
        The same seed selects the same texts.

    Returns
    -------
    list of Candidate
        In the order of selection. Of near duplicates only the most uncertain one is selected, and no text that the
        tagger does not read (another language, no words).

    Raises
    ------
    InputError
        An argument is out of range, or there are not as many tags or vectors as texts.
    """
    passages = corpus if isinstance(corpus, Corpus) else Corpus.read(corpus, schema=getattr(tagger, "schema", None))
    _check(n, uncertainty, diversity, per_group, pool)
    given = isinstance(tagger, (list, tuple))
    tags: Sequence[Tag] = tagger if given else tagger.tag_many(passages.texts)
    if len(tags) != len(passages):
        raise InputError(f"There are {len(tags)} tags for {len(passages)} texts.", remedy="Give one tag a text.")
    said = Predictions.from_tags(tags, passages.schema)
    limits = _thresholds(passages.schema.narrative_labels, said, thresholds or getattr(tagger, "thresholds", {}))
    margins = np.abs(_logit(said.probabilities) - _logit(limits))
    scores = _uncertainty(margins, uncertainty)
    order = _distinct(passages, labelled, scores, said.read)
    order = _capped(passages, order, per_group)[: pool * n]
    chosen, distances = _choose(
        _vectors(tagger, passages, order, vectors), scores[order], n, diversity, np.random.default_rng(seed)
    )
    found = []
    for index, distance in zip(order[chosen].tolist(), distances, strict=True):
        j = int(margins[index].argmin())
        found.append(
            Candidate(
                passage=passages[index],
                uncertainty=round(float(scores[index]), 4),
                distance=round(distance, 4),
                narrative=passages.schema.narrative_labels[j],
                probability=float(said.probabilities[index, j]),
                threshold=float(limits[j]),
            )
        )
    return found


def write_batch(path: str | Path, candidates: Iterable[Candidate], *, show_model: bool = False) -> None:
    """Write texts for annotation as JSONL, which `Corpus.read` reads as passages that are not annotated.

    Parameters
    ----------
    path : str or Path
        The file; it appears whole or not at all.
    candidates : iterable of Candidate
        As `select_for_annotation` returns them.
    show_model : bool
        Write what the tagger saw, too. By default it is left out, with all labels, so that annotators stay blind: who
        is shown an answer tends to give it.
    """
    from fimi_nlp.records import open_writer

    with open_writer(path, format="jsonl") as writer:
        for candidate in candidates:
            passage = candidate.passage
            record: dict[str, Any] = {"id": passage.id, "text": passage.text}
            record |= {key: value for key in SOURCE_FIELDS if (value := getattr(passage, key)) is not None}
            record["why"] = candidate.why
            if show_model:
                keys = ("narrative", "probability", "threshold")
                record["model"] = {key: getattr(candidate, key) for key in keys}
            writer.write(record)


def _check(n: int, uncertainty: str, diversity: str, per_group: int | None, pool: int) -> None:
    for name, value in (("n", n), ("per_group", 1 if per_group is None else per_group), ("pool", pool)):
        if value < 1:
            raise InputError(f"{name} is {value}.", remedy="It must be 1 or more.")
    for name, word, known in (("uncertainty", uncertainty, UNCERTAINTY), ("diversity", diversity, DIVERSITY)):
        if word not in known:
            raise InputError(f"Unknown {name} '{word}'.", remedy=did_you_mean(word, known))


def _thresholds(labels: Sequence[str], said: Predictions, given: Mapping[str, float]) -> Floats:
    for label in given:
        if label not in labels:
            raise InputError(
                f"A threshold is given for '{label}', which is no narrative.", remedy=did_you_mean(label, labels)
            )
    named = dict(zip(labels, np.nan_to_num(said.thresholds, nan=0.5).tolist(), strict=True))
    return np.array([given.get(label, named[label]) for label in labels], np.float64)


def _uncertainty(margins: Floats, kind: str) -> Floats:
    if kind == "margin" or not len(margins):
        return np.asarray(np.exp(-margins.min(axis=1, initial=np.inf)))
    ranks = margins.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return 1.0 - np.asarray(ranks.min(axis=1), np.float64) / len(margins)


def _distinct(passages: Corpus, labelled: Corpus | None, scores: Floats, read: npt.NDArray[np.bool_]) -> Ints:
    """The texts that may be selected, the most uncertain first: one of those that are the same, or nearly."""
    first = [index for index in np.argsort(-scores, kind="stable").tolist() if read[index]]
    known = [] if labelled is None else labelled.texts
    # Texts that are annotated stand in front, so that of two similar texts the one that is behind goes.
    texts = Texts([*known, *(passages[index].text for index in first)])
    dropped = {index for group in texts.same() for index in group[1:]}
    for left, right, _ in texts.near():  # in order: the ones in front are settled first
        if left < len(known) or left not in dropped:
            dropped.add(right)
    return np.array([index for at, index in enumerate(first, len(known)) if at not in dropped], np.int64)


def _capped(passages: Corpus, order: Ints, per_group: int | None) -> Ints:
    if per_group is None:
        return order
    taken: Counter[str] = Counter()
    groups, kept = passages.groups, []
    for index in order.tolist():
        taken[groups[index]] += 1
        if taken[groups[index]] <= per_group:
            kept.append(index)
    return np.array(kept, np.int64)


def _vectors(tagger: Any, passages: Corpus, order: Ints, vectors: npt.ArrayLike | None) -> Floats:
    """Unit vectors of the texts in question."""
    if vectors is not None:
        x = np.asarray(vectors, np.float64)
        if x.ndim != 2 or len(x) != len(passages):
            raise InputError(
                f"The vectors have shape {x.shape} for {len(passages)} texts.", remedy="Give one row a text."
            )
        x = x[order]
    else:
        texts = [passages[i].text for i in order.tolist()]
        x = np.asarray(tagger.embed(texts) if hasattr(tagger, "embed") else _hashed(texts), np.float64)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9))


def _hashed(texts: Sequence[str]) -> Floats:
    out = np.zeros((len(texts), _DIMENSIONS))
    for row, text in enumerate(texts):
        for word, count in Counter(words(text)).items():
            out[row, zlib.crc32(word.encode("utf-8", "replace")) % _DIMENSIONS] += 1 + np.log(count)
    return out


def _choose(
    x: Floats, scores: Floats, n: int, diversity: str, rng: np.random.Generator
) -> tuple[list[int], list[float]]:
    """Rows, in the order of selection, and how far each was from those before."""
    distance = np.ones(len(x))
    free = np.ones(len(x), bool)
    chosen: list[int] = []
    distances: list[float] = []
    while len(chosen) < min(n, len(x)):
        if diversity == "none":
            weight = scores * free
        elif diversity == "farthest":
            weight = scores * distance * free
        else:
            weight = scores * distance**2 * free
        if weight.sum() <= 0:
            weight = free.astype(np.float64)  # all that is left has the place of one that was chosen
        row = int(rng.choice(len(x), p=weight / weight.sum()) if diversity == "sample" else weight.argmax())
        chosen.append(row)
        distances.append(float(distance[row]))
        free[row] = False
        distance = np.minimum(distance, np.clip(1.0 - x @ x[row], 0.0, 1.0))
    return chosen, distances


def _logit(p: Floats) -> Floats:
    p = np.clip(p, _TINY, 1.0 - _TINY)
    return np.asarray(np.log(p) - np.log1p(-p))
