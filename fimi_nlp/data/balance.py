"""What a corpus covers: how many passages there are of each kind, in which combinations, and which are missing."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fimi_nlp.data.corpus import FIELDS
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.schema import NO_STANCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from fimi_nlp.data.corpus import Corpus, Passage
    from fimi_nlp.schema import LabelSchema

#: The columns that `coverage` counts by default.
BY = ("narrative", "sub", "stance", "kind", "origin")
#: A column with more values than this is no class but a text or an identifier.
MOST_VALUES = 100
NOTHING, NOT_ANNOTATED, NOT_KNOWN = "(none)", "(not annotated)", "(not known)"

_LABELS = ("narrative", "sub")
_COLUMNS = (*_LABELS, *(key for key in FIELDS if key not in ("id", "text", "narratives", "not_annotated", "unsure")))


@dataclass(frozen=True, slots=True)
class CrossTable:
    """How many passages have a value of one column together with a value of another.

    Attributes
    ----------
    rows, columns : str
        The two columns.
    row_values, column_values : tuple of str
        Their values, those of the schema that never occur too.
    counts : tuple of tuple of int
        A row for each of `row_values`.
    """

    rows: str
    columns: str
    row_values: tuple[str, ...]
    column_values: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def empty(self) -> tuple[tuple[str, str], ...]:
        """The combinations of which there is no passage."""
        cells = ((row, column) for row in self.row_values for column in self.column_values)
        counts = (count for line in self.counts for count in line)
        return tuple(cell for cell, count in zip(cells, counts, strict=True) if not count)

    def lines(self) -> list[str]:
        """The table as aligned lines of plain text."""
        table = [[f"{self.rows} \\ {self.columns}", *self.column_values]]
        table += [[value, *map(str, line)] for value, line in zip(self.row_values, self.counts, strict=True)]
        first, *widths = (max(map(len, column)) for column in zip(*table, strict=True))
        return [
            "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])
            for name, *cells in table
        ]


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What `coverage` counted.

    Attributes
    ----------
    passages : int
        How many there are.
    counts : mapping of str to mapping of str to int
        Column to value to how many passages have it. A passage with two narratives counts for both.
    tables : tuple of CrossTable
        Columns against each other.
    """

    passages: int
    counts: Mapping[str, Mapping[str, int]] = field(hash=False)
    tables: tuple[CrossTable, ...] = ()

    @property
    def evenness(self) -> dict[str, float]:
        """How evenly the known values of each column are spread: 1 where all are as frequent, 0 where one has all.

        The entropy of their shares, divided by its greatest possible value.
        """
        return {column: _evenness([n for value, n in _known(values)]) for column, values in self.counts.items()}

    @property
    def empty(self) -> tuple[str, ...]:
        """Names of what is missing: ``column=value``, and ``column=value, column=value`` where only both together."""
        single = [
            (column, value) for column, values in self.counts.items() for value, count in _known(values) if not count
        ]
        found = [f"{column}={value}" for column, value in single]
        for table in self.tables:
            for row, column in table.empty:
                if (table.rows, row) not in single and (table.columns, column) not in single:
                    found.append(f"{table.rows}={row}, {table.columns}={column}")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        tables = [
            {
                "rows": table.rows,
                "columns": table.columns,
                "counts": {
                    row: dict(zip(table.column_values, line, strict=True))
                    for row, line in zip(table.row_values, table.counts, strict=True)
                },
            }
            for table in self.tables
        ]
        return {
            "passages": self.passages,
            "counts": {column: dict(values) for column, values in self.counts.items()},
            "evenness": {k: None if math.isnan(v) else round(v, 4) for k, v in self.evenness.items()},
            "tables": tables,
            "empty": list(self.empty),
        }

    def lines(self) -> list[str]:
        """The report as lines of plain text."""
        lines, evenness = [f"{self.passages} passages"], self.evenness
        for column, values in self.counts.items():
            spread = "" if math.isnan(evenness[column]) else f" (evenness {evenness[column]:.2f})"
            lines.append(f"{column}{spread}: " + ", ".join(f"{value} {count}" for value, count in values.items()))
        for table in self.tables:
            lines += ["", *table.lines()]
        lines += ["", f"nothing of: {len(self.empty) or 'all is there'}"]
        return [*lines, *(f"  {name}" for name in self.empty)]

    def plot(self, path: str | Path) -> None:
        """Draw the counts as bars and the tables as heat maps; needs the extra ``data``.

        Parameters
        ----------
        path : str or Path
            Where the picture goes; the suffix says the format (``.png``, ``.svg``, ``.pdf``).
        """
        from fimi_nlp.data._coverage_plot import plot

        plot(self, path)


def coverage(
    corpus: Corpus, by: Sequence[str] = BY, *, across: Sequence[str] = ("stance", "narrative")
) -> CoverageReport:
    """Count how a corpus is spread over classes and their combinations.

    Parameters
    ----------
    corpus : Corpus
        The passages.
    by : sequence of str
        Columns: ``narrative``, ``sub`` (as ``narrative/sub``), a field of `Passage`, or any extra column.
    across : sequence of str
        Those of them that all the others are crossed with. Stance is crossed with narratives and subs that are
        carried, without ``none``.

    Returns
    -------
    CoverageReport
        With ``lines()``, ``to_dict()``, ``plot(path)`` and the names of what is ``empty``.

    Raises
    ------
    InputError
        The corpus has no such column, or the column has more than 100 values.

    Examples
    --------
    >>> from fimi_nlp.data import Corpus, Passage
    >>> carried = {"us_democracy": "decline"}
    >>> corpus = Corpus([Passage("a", "One.", carried, stance="asserts"), Passage("b", "Two.", {}, stance="none")])
    >>> report = coverage(corpus, by=("narrative", "stance"))
    >>> report.counts["stance"]
    {'asserts': 1, 'relays': 0, 'counters': 0, 'none': 1}
    >>> report.empty[:3]
    ('narrative=nato_alliances', 'narrative=multipolarity', 'narrative=western_hypocrisy')
    """
    columns = tuple(dict.fromkeys(by))
    _check(corpus, columns)
    values = {column: [_values(passage, column) for passage in corpus] for column in columns}
    order = {column: _order(corpus.schema, column, values[column]) for column in columns}
    for column, known in order.items():
        if len(known) > MOST_VALUES:
            raise InputError(
                f"Column '{column}' has {len(known)} values.", remedy=f"Name columns with at most {MOST_VALUES}."
            )
    counted = {column: Counter(value for found in values[column] for value in found) for column in columns}
    pairs: dict[frozenset[str], tuple[str, str]] = {}  # each two columns once
    for column in (name for name in across if name in columns):
        for row in columns:
            if row != column and {row, column} != set(_LABELS):
                pairs.setdefault(frozenset((row, column)), (row, column))
    return CoverageReport(
        passages=len(corpus),
        counts={column: {value: counted[column][value] for value in order[column]} for column in columns},
        tables=tuple(_cross(pair, values, order) for pair in pairs.values()),
    )


def _check(corpus: Corpus, columns: Sequence[str]) -> None:
    known = [*_COLUMNS, *sorted({key for passage in corpus for key in passage.extra} - set(_COLUMNS))]
    for column in columns:
        if column not in known:
            raise InputError(f"The corpus has no column '{column}'.", remedy=did_you_mean(column, known))


def _values(passage: Passage, column: str) -> tuple[str, ...]:
    if column in _LABELS:
        if passage.narratives is None:
            return (NOT_ANNOTATED,)
        if column == "narrative":
            return tuple(passage.narratives) or (NOTHING,)
        return tuple(f"{label}/{sub or NOT_ANNOTATED}" for label, sub in passage.narratives.items()) or (NOTHING,)
    value = getattr(passage, column) if column in _COLUMNS else passage.extra.get(column)
    return (NOT_KNOWN if value is None else str(value),)


def _order(schema: LabelSchema, column: str, values: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The values of the schema, then what else occurs, the most frequent first, and what is not known at the end."""
    there = Counter(value for found in values for value in found)
    given = {
        "narrative": schema.narrative_labels,
        "sub": tuple(f"{label}/{sub}" for label in schema.narrative_labels for sub in schema.sub_labels(label)),
        "stance": schema.stance_labels,
        "origin": schema.origin_labels,
    }.get(column, ())
    last = tuple(value for value in (NOTHING, NOT_ANNOTATED, NOT_KNOWN) if there[value])
    rest = tuple(value for value, _ in there.most_common() if value not in given and value not in last)
    return (*given, *rest, *last)


def _cross(
    pair: tuple[str, str], values: Mapping[str, Sequence[tuple[str, ...]]], order: Mapping[str, Sequence[str]]
) -> CrossTable:
    rows, columns = pair
    left_out = {NOT_KNOWN, NOT_ANNOTATED}
    if "stance" in pair and set(pair) & set(_LABELS):
        left_out |= {NOTHING, NO_STANCE}  # the one follows from the other
    row_values, column_values = (tuple(value for value in order[name] if value not in left_out) for name in pair)
    counted = Counter(
        (row, column)
        for of_row, of_column in zip(values[rows], values[columns], strict=True)
        for row in of_row
        for column in of_column
    )
    counts = tuple(tuple(counted[row, column] for column in column_values) for row in row_values)
    return CrossTable(rows, columns, row_values, column_values, counts)


def _known(values: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((value, count) for value, count in values.items() if value not in (NOT_ANNOTATED, NOT_KNOWN))


def _evenness(counts: Sequence[int]) -> float:
    total = sum(counts)
    if len(counts) < 2 or not total:
        return math.nan
    return -math.fsum(n / total * math.log(n / total) for n in counts if n) / math.log(len(counts)) + 0.0
