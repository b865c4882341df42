"""What two models differ in on each part of a corpus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate, parts, share
from fimi_nlp.evaluation.render import SLICES_SHOWN, Sheet, beyond_shown, number, signed
from fimi_nlp.evaluation.slices import field_values, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from fimi_nlp.evaluation.scored import Scored

    Floats = npt.NDArray[np.float64]

_NOTE = "F1 of the pooled counts of all labels. Of many slices, some differ by chance."


@dataclass(frozen=True, slots=True)
class SliceDifference:
    """Two models on a part of the corpus.

    Attributes
    ----------
    field, value : str
        As in `SliceScore`.
    n, groups, carrying : int
        Passages, the groups that they come from, and the passages that carry a narrative.
    first, second : float
        F1 of the pooled counts of all labels; ``NaN`` where nothing is carried.
    difference : Estimate
        Second minus first, with its paired interval.
    flagged : Estimate
        Of the share of passages without a narrative for which one is named: second minus first. Less is better.
    """

    field: str
    value: str
    n: int
    groups: int
    carrying: int
    first: float
    second: float
    difference: Estimate
    flagged: Estimate


def slice_differences(
    first: Scored, second: Scored, columns: Iterable[str], whole: ClusterBootstrap
) -> Iterator[SliceDifference]:
    """Compare two models on the parts of a corpus, those where the second falls behind most first.

    Parameters
    ----------
    first, second : Scored
        On the same corpus.
    columns : iterable of str
        What it is cut by.
    whole : ClusterBootstrap
        Of all passages.
    """
    for column in columns:
        slices = rows_of(field_values(first.corpus, column)).items()
        found = [_differ(first, second, column, value, rows, whole.within(rows)) for value, rows in slices]
        yield from sorted(found, key=lambda row: (_loss(row), row.value))


def _loss(row: SliceDifference) -> tuple[float, ...]:
    """Sorts as `slices.badness` does, so that a slice of five passages does not come first by chance."""
    key = (row.difference.high, row.difference.value, -row.flagged.value)
    return tuple(math.inf if math.isnan(x) else x for x in key)


def _differ(
    a: Scored,
    b: Scored,
    column: str,
    value: str,
    rows: npt.NDArray[np.int64],
    boot: ClusterBootstrap,
) -> SliceDifference:
    carrying = int(a.carrying[rows].sum())

    ours, theirs = (parts(np.where(s.plain[rows], s.flagged[rows], np.nan)) for s in (a, b))
    flagged = boot.difference(ours, theirs, share)[2]
    f1 = (
        boot.difference(a.strict[rows].sum(axis=1), b.strict[rows].sum(axis=1), m.f1)
        if carrying
        else (math.nan, math.nan, Estimate(math.nan))
    )
    return SliceDifference(column, value, len(rows), boot.groups, carrying, *f1, flagged)


def slice_sheets(rows: Sequence[SliceDifference]) -> Iterator[Sheet]:
    """A table for each field."""
    for column in dict.fromkeys(row.field for row in rows):
        own = [row for row in rows if row.field == column]
        yield Sheet(
            f"By {column}, the largest losses of the second first",
            (
                column,
                "n",
                "groups",
                "carrying",
                "F1, first",
                "F1, second",
                "second - first",
                "flagged, second - first",
            ),
            tuple(
                (
                    row.value,
                    *map(str, (row.n, row.groups, row.carrying)),
                    number(row.first),
                    number(row.second),
                    signed(row.difference),
                    signed(row.flagged),
                )
                for row in own[:SLICES_SHOWN]
            ),
            f"{_NOTE} {beyond_shown(own)}".rstrip(),
            minor=("groups", "carrying"),
        )
