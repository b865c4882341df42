"""Labels that are likely wrong, found by confident learning on cross-validated probabilities.

The method is that of Northcutt, Jiang and Chuang 2021, *Confident Learning: Estimating Uncertainty in Dataset Labels*,
as cleanlab implements it, applied to each narrative by itself. A suspect is a question to an annotator, not an answer:
hard passages that are labelled well look like mistakes too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import InputError, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from fimi_nlp.data.corpus import Corpus

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that may be wrong.

    Attributes
    ----------
    id, text, place : str
        The passage, and where it was read.
    narrative : str
        Of which narrative the label is doubted.
    given : bool
        The label: whether the passage was annotated as carrying it.
    probability : float
        That the passage carries the narrative, by a model that did not see it.
    quality : float
        Of the label, from 0 to 1: how probable that model finds it.
    issue : bool
        Whether confident learning counts the label among the wrong ones. Suspects without it are borderline.
    unsure : bool
        Whether the annotator was unsure already.
    """

    id: str
    narrative: str
    given: bool
    probability: float
    quality: float
    issue: bool
    unsure: bool
    text: str
    place: str

    def to_dict(self) -> dict[str, Any]:
        """The suspect as plain JSON types."""
        return asdict(self)

    def line(self) -> str:
        """The suspect as a line of plain text."""
        said = "carries" if self.given else "lacks"
        marks = "".join(f", {word}" for word, on in (("issue", self.issue), ("was unsure", self.unsure)) if on)
        where = f" ({self.place})" if self.place else ""
        shown = " ".join(self.text.split())
        shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
        return (
            f"{self.quality:.3f}  {self.id}{where}: {said} {self.narrative}, p {self.probability:.2f}{marks}: {shown}"
        )


def find_label_noise(
    corpus: Corpus, *, probabilities: npt.ArrayLike | None = None, folds: int = 5, seed: int = 0
) -> tuple[Suspect, ...]:
    """Find narratives that were likely annotated wrongly.

    Parameters
    ----------
    corpus : Corpus
        The passages. Narratives that were not annotated are left alone.
    probabilities : array_like, shape (n, L), optional
        For each passage the probability of each narrative of the schema, by a model that was not trained on it;
        ``NaN`` where there is none. By default those of `cross_validate`.
    folds, seed : int
        See `cross_validate`.

    Returns
    -------
    tuple of Suspect
        The worst first: labels that count as issues, and labels against which the probability speaks. A narrative that
        is always, or never, carried where there are probabilities has none, since there is nothing to compare with.

    Raises
    ------
    InputError
        The probabilities have another shape than the labels, or are none.
    MissingExtraError
        scikit-learn or cleanlab is not installed.
    """
    require("data", "sklearn", "cleanlab")
    p = cross_validate(corpus, folds=folds, seed=seed) if probabilities is None else _checked(corpus, probabilities)
    arrays = corpus.label_arrays()
    given = arrays.narratives > 0.5
    found: list[Suspect] = []
    for j, narrative in enumerate(corpus.schema.narrative_labels):
        rows = np.flatnonzero(arrays.narrative_mask[:, j] & np.isfinite(p[:, j]))
        for i, quality, issue in _doubts(rows, given[rows, j], p[rows, j]):
            passage = corpus[i]
            found.append(
                Suspect(
                    id=passage.id,
                    narrative=narrative,
                    given=bool(given[i, j]),
                    probability=round(float(p[i, j]), 5),
                    quality=round(quality, 5),
                    issue=issue,
                    unsure=bool(arrays.unsure[i, j]),
                    text=passage.text,
                    place=passage.place,
                )
            )
    return tuple(sorted(found, key=lambda suspect: suspect.quality))


def cross_validate(corpus: Corpus, *, folds: int = 5, seed: int = 0) -> npt.NDArray[np.float64]:
    """Probabilities of the narratives by models that did not see the passage, its group or a copy of it.

    TF-IDF of words (1-2 grams) and characters (3-5 grams) with logistic regression, one model a narrative and fold.

    Parameters
    ----------
    corpus : Corpus
        The passages.
    folds : int
        How many parts; groups and same texts are never parted.
    seed : int
        The same seed gives the same parts.

    Returns
    -------
    ndarray, shape (n, L)
        ``NaN`` where the other folds do not have both passages that carry the narrative and passages that do not.

    Raises
    ------
    InputError
        There are fewer groups than folds, or too few words to learn from.
    MissingExtraError
        scikit-learn is not installed.
    """
    require("data", "sklearn")
    if folds < 2:
        raise InputError(f"folds is {folds}.", remedy="Cross-validation needs two or more.")
    _distinct(corpus)
    arrays = corpus.label_arrays()
    gold = np.where(arrays.narrative_mask, arrays.narratives > 0.5, -1).astype(np.int64)
    fold = _folds(corpus, folds, seed)
    out = np.full(gold.shape, np.nan)
    for part in range(folds):
        seen, held_out = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        out[held_out] = _predict(corpus, gold, seen, held_out)
    return out


def _distinct(corpus: Corpus) -> None:
    seen: set[str] = set()
    for passage in corpus:
        if passage.id in seen:
            raise InputError(f"The id '{passage.id}' stands twice.", remedy="Give every passage an id of its own.")
        seen.add(passage.id)


def _folds(corpus: Corpus, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold of every passage, with about the same share of every label in each."""
    from fimi_nlp.data.splits import split

    # Copies are kept together and merely similar texts are not: in a corpus of templates they would tie everything up.
    shares = {str(part): 1 / folds for part in range(folds)}
    try:
        parts = split(corpus, shares, seed=seed, keep_similar=False)
    except InputError as error:
        raise InputError(
            f"The corpus has too few groups that share no text for {folds} folds.",
            remedy="Ask for fewer folds, or give the passages finer groups.",
        ) from error
    fold = {passage.id: int(name) for name, part in parts.items() for passage in part}
    return np.array([fold[passage.id] for passage in corpus], np.int64)


def _predict(
    corpus: Corpus, gold: npt.NDArray[np.int64], seen: npt.NDArray[np.int64], held_out: npt.NDArray[np.int64]
) -> Floats:
    from fimi_nlp.evaluation.baseline import Choice, vectorizer

    texts, features = corpus.texts, vectorizer()
    try:
        known = features.fit_transform([texts[i] for i in seen])
    except ValueError as error:  # scikit-learn: no terms remain
        raise InputError(
            f"The corpus has too few words to learn from: {error}",
            remedy="It needs words that occur in at least two passages, and letters that occur in three.",
        ) from error
    new = features.transform([texts[i] for i in held_out])
    out = np.full((len(held_out), gold.shape[1]), np.nan)
    for j in range(gold.shape[1]):
        if {0, 1} <= set(gold[seen, j].tolist()):
            out[:, j] = Choice(2, solver="liblinear").fit(known, gold[seen, j]).predict(new)[:, 1]
    return out


def _checked(corpus: Corpus, probabilities: npt.ArrayLike) -> Floats:
    p = np.asarray(probabilities, np.float64)
    wanted = (len(corpus), len(corpus.schema.narratives))
    if p.shape != wanted:
        raise InputError(
            f"The probabilities have shape {p.shape}.",
            remedy=f"Give one row a passage and one column a narrative: {wanted}.",
        )
    wrong = np.argwhere((p < 0) | (p > 1))
    if len(wrong):
        i, j = wrong[0].tolist()
        raise InputError(
            f"The probability of '{corpus.schema.narrative_labels[j]}' for passage '{corpus[i].id}' is {p[i, j]}.",
            remedy="Give probabilities from 0 to 1, or NaN where there is none.",
        )
    return p


def _doubts(rows: npt.NDArray[np.int64], given: Bools, p: Floats) -> Iterator[tuple[int, float, bool]]:
    """Row, quality and whether it is an issue, of the labels that may be wrong."""
    if given.all() or not given.any():
        return
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, both = given.astype(np.int64), np.column_stack([1.0 - p, p])
    issues = find_label_issues(labels, both, n_jobs=1)
    # Not adjusted for how rare the narrative is: mistakes planted in a corpus then came far later in the list.
    quality = get_label_quality_scores(labels, both)
    for row, value, issue in zip(rows.tolist(), quality.tolist(), issues.tolist(), strict=True):
        if issue or value < 0.5:
            yield row, value, issue
