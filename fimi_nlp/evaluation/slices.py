"""Parts of a corpus: by a column, by year, by length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.data.corpus import FIELDS
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate
from fimi_nlp.evaluation.results import SliceScore

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from fimi_nlp.data import Corpus, Passage
    from fimi_nlp.evaluation.scored import Scored

    Floats = npt.NDArray[np.float64]

NO_VALUE = "(none)"
#: Upper ends of the slices by length, in words.
LENGTHS = (20, 50, 100, 200)
_PLAIN = ("source", "kind", "origin", "stance", "group", "date", "split", "lang")


def check_fields(corpus: Corpus, fields: Iterable[str]) -> None:
    """Refuse an empty corpus, and fields that it has not."""
    if not len(corpus):
        raise InputError("The corpus has no passages.", remedy="Check the file, or the filter that was applied.")
    extra = {key for passage in corpus for key in passage.extra}
    known = [*_PLAIN, "year", "length", *sorted(extra)]
    for field in fields:
        if field not in known and field not in FIELDS:
            raise InputError(f"Passages have no field '{field}'.", remedy=did_you_mean(field, known))


def check_labels(corpus: Corpus) -> None:
    """Refuse a corpus without any label: the column is called otherwise, most likely."""
    if all(label is None for passage in corpus for label in (passage.narratives, passage.stance, passage.origin)):
        extra = {key for passage in corpus for key in passage.extra}
        raise InputError(
            "No passage of the corpus has labels.",
            remedy="They are read from the columns narratives, stance and origin"
            + (f"; it has, beside the text, {', '.join(sorted(extra))}." if extra else "."),
        )


def field_values(corpus: Corpus, field: str) -> list[Any]:
    """The value of a field for every passage, ``None`` where it has none.

    A column of the corpus, ``year`` (of the date) or ``length`` (in words). A column of that name comes first.
    """
    own = field in FIELDS or any(field in passage.extra for passage in corpus)
    if not own and field == "year":
        return [str(passage.date)[:4] if passage.date else None for passage in corpus]
    if not own and field == "length":
        return [_length(passage) for passage in corpus]
    return [getattr(passage, field) if field in FIELDS else passage.extra.get(field) for passage in corpus]


def _length(passage: Passage) -> str:
    words = len(passage.text.split())
    lower = 1
    for upper in LENGTHS:
        if words <= upper:
            return f"{lower}-{upper} words"
        lower = upper + 1
    return f"over {LENGTHS[-1]} words"


def rows_of(values: Iterable[Any]) -> dict[str, npt.NDArray[np.int64]]:
    """The slices that the values of a field make: their names, and the numbers of their rows."""
    names = np.array([NO_VALUE if value is None or value == "" else str(value) for value in values], dtype=object)
    return {name: np.flatnonzero(names == name) for name in dict.fromkeys(names)}


def slice_scores(scored: Scored, field: str, whole: ClusterBootstrap) -> list[SliceScore]:
    """Score the parts of a corpus, the worst first.

    Parameters
    ----------
    scored : Scored
        The whole.
    field : str
        What it is cut by.
    whole : ClusterBootstrap
        Of all passages.
    """
    slices = rows_of(field_values(scored.corpus, field)).items()
    found = [_score(scored, field, value, rows, whole.within(rows)) for value, rows in slices]
    return sorted(found, key=lambda row: (badness(row), row.value))


def badness(row: SliceScore) -> tuple[float, ...]:
    """Sorts the worst first.

    By the upper end of the interval of F1, so that a slice of five passages does not come first by chance; then those
    without an interval, by F1; then those that carry nothing, by the share flagged.
    """
    f1, flagged = row.f1, row.false_alarms.value
    return tuple(math.inf if math.isnan(x) else x for x in (f1.high, f1.value, -flagged))


def _score(scored: Scored, field: str, value: str, rows: npt.NDArray[np.int64], boot: ClusterBootstrap) -> SliceScore:
    counts = scored.strict[rows]
    carrying = int(scored.carrying[rows].sum())
    plain = scored.plain[rows]
    return SliceScore(
        field=field,
        value=value,
        n=len(rows),
        groups=boot.groups,
        carrying=carrying,
        f1=boot.estimate(counts.sum(axis=1), m.f1) if carrying else Estimate(math.nan),
        macro_f1=boot.macro_f1(counts) if carrying else Estimate(math.nan),
        false_alarms=boot.share(np.where(plain, scored.flagged[rows], np.nan)),
        origin_accuracy=boot.share(scored.origin_right[rows]),
    )
