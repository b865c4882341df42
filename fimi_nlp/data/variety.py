"""How varied the texts of a corpus are, and how far they give themselves away beside other texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.data.similarity import Texts, words
from fimi_nlp.errors import InputError, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fimi_nlp.data.corpus import Corpus

#: The words that hold an English sentence together. With all others blanked out, what is left is its frame.
_FUNCTION_WORDS = frozenset(
    """a about after again against all also although an and any are as at be because been before being both but by can
    could did do does every few for from had has have he her his how i if in into is it its just may me more most much
    must my neither no nor not now of off on once one only or other our out over own same shall she should since so some
    still such than that the their them then there these they this those though through to too under until up was we
    were what when where which while who whom whose why will with without would yet you your""".split()
)
#: Words of a text that make its frame.
FRAME = 12
#: Texts compared with the reference, at most.
_SAMPLE = 4000


@dataclass(frozen=True, slots=True)
class DiversityReport:
    """What `diversity` found.

    Attributes
    ----------
    passages, words : int
        How many.
    distinct : mapping of int to float
        Share of the n-grams of 1, 2 and 3 words that are different from each other (Li et al. 2016, *A
        Diversity-Promoting Objective Function*), in samples of equal size: see `sample_words`.
    sample_words : int
        Words in the samples that `distinct` was measured on; compare only figures of the same size.
    near_duplicates : float
        Share of the passages that have a near duplicate.
    openings : tuple of (str, int)
        The most frequent first three words.
    frames : tuple of (str, int)
        The most frequent sentence frames: the first words with all but function words blanked out.
    told_apart : float or None
        How well a classifier (TF-IDF of words and characters, logistic regression, cross-validated) tells the texts
        from the reference: area under the ROC curve; 0.5 cannot, 1 always does. Lengths are matched.
    """

    passages: int
    words: int
    distinct: dict[int, float]
    sample_words: int
    near_duplicates: float
    openings: tuple[tuple[str, int], ...]
    frames: tuple[tuple[str, int], ...]
    told_apart: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return asdict(self) | {"distinct": {str(n): value for n, value in self.distinct.items()}}

    def lines(self) -> list[str]:
        """The report as lines of text."""
        found = [f"{self.passages} passages, {self.words} words"]
        shown = ", ".join(f"{n}: {value:.3f}" for n, value in self.distinct.items())
        found.append(f"distinct n-grams in {self.sample_words} words: {shown}")
        found.append(f"passages with a near duplicate: {self.near_duplicates:.2%}")
        for name, rows in (("openings", self.openings), ("frames", self.frames)):
            found.append(f"most frequent {name}: " + "; ".join(f"{text!r} {count}" for text, count in rows))
        if self.told_apart is not None:
            found.append(f"told from the reference with an area under the curve of {self.told_apart:.3f}")
        return found


def diversity(
    corpus: Corpus, reference: Corpus | None = None, *, sample_words: int = 20_000, seed: int = 0
) -> DiversityReport:
    """Measure whether a corpus reads as one writer.

    Parameters
    ----------
    corpus : Corpus
        The texts.
    reference : Corpus, optional
        Other texts to tell it from; needs scikit-learn.
    sample_words : int
        Distinct n-grams are counted in samples of this many words (all of them where there are fewer), since longer
        texts repeat more.
    seed : int
        Of the samples.

    Raises
    ------
    InputError
        The corpus is empty.
    MissingExtraError
        A reference is given and scikit-learn is not installed.
    """
    if not len(corpus):
        raise InputError("The corpus has no passages.", remedy="Check the file, or the filter that was applied.")
    found = [words(text) for text in corpus.texts]
    texts = Texts(corpus.texts)
    near = {index for first, second, _ in texts.near() for index in (first, second)}
    near |= {index for group in texts.same() for index in group}
    total = sum(map(len, found))
    size = min(sample_words, total)
    return DiversityReport(
        passages=len(corpus),
        words=total,
        distinct={n: _distinct(found, n, size, seed) for n in (1, 2, 3)},
        sample_words=size,
        near_duplicates=len(near) / len(corpus),
        openings=_most_frequent(" ".join(line[:3]) for line in found if len(line) >= 3),
        frames=_most_frequent(frame(line) for line in found),
        told_apart=None if reference is None else _told_apart(corpus.texts, reference.texts, seed),
    )


def frame(tokens: Sequence[str]) -> str:
    """The frame of a text: its first words, all but function words blanked out.

    >>> frame("the mayor of the town said that it would rain".split())
    'the _ of the _ _ that it would _'
    """
    return " ".join(word if word in _FUNCTION_WORDS else "_" for word in tokens[:FRAME])


def _most_frequent(items: Iterable[str]) -> tuple[tuple[str, int], ...]:
    # A frame that is blank says nothing.
    return tuple(Counter(item for item in items if item.strip("_ ")).most_common(5))


def _distinct(lines: Sequence[Sequence[str]], n: int, size: int, seed: int, samples: int = 5) -> float:
    """Share of distinct n-grams in samples of whole texts of about `size` words."""
    generator = np.random.default_rng(seed)
    shares = []
    for _ in range(samples):
        grams: list[tuple[str, ...]] = []
        seen = 0
        for index in generator.permutation(len(lines)):
            line = lines[index][: size - seen]
            grams += [tuple(line[i : i + n]) for i in range(len(line) - n + 1)]
            seen += len(line)
            if seen >= size:
                break
        shares.append(len(set(grams)) / max(len(grams), 1))
    return float(np.mean(shares))


def _told_apart(ours: Sequence[str], theirs: Sequence[str], seed: int) -> float:
    require("data", "sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline, make_union

    texts, labels = _matched(ours, theirs, np.random.default_rng(seed))
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, sublinear_tf=True),
    )
    model = make_pipeline(features, LogisticRegression(C=10.0, solver="liblinear"))
    order = np.random.default_rng(seed).permutation(len(texts))
    texts, labels = [texts[i] for i in order], labels[order]
    return float(roc_auc_score(labels, cross_val_predict(model, texts, labels, cv=5, method="decision_function")))


def _matched(ours: Sequence[str], theirs: Sequence[str], generator: np.random.Generator) -> tuple[list[str], Any]:
    """Equally many texts of both, bin by bin of length, so that length alone tells nothing."""
    bins: list[dict[int, list[str]]] = [{}, {}]
    for side, texts in enumerate((theirs, ours)):
        for index in generator.permutation(len(texts)):
            bins[side].setdefault(len(texts[index].split()) // 5, []).append(texts[index])
    picked: list[str] = []
    labels: list[bool] = []
    for length in sorted(set(bins[0]) & set(bins[1])):
        count = min(len(bins[0][length]), len(bins[1][length]))
        for side in (0, 1):
            picked += bins[side][length][:count]
            labels += [bool(side)] * count
    keep = generator.permutation(len(picked))[:_SAMPLE]
    return [picked[i] for i in keep], np.array(labels)[keep]
