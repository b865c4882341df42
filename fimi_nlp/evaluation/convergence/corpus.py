"""Tagged texts with dates and sources, from the tagger's output in any of its formats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.records import BadRecord, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Strings = npt.NDArray[np.str_]

#: Stances in which a text counts as carrying its narratives; one that counters them does not.
CARRYING = ("asserts", "relays")
_FROM_TAGS = ("origin", "origin_label")


class _Row(NamedTuple):
    """What is kept of a record."""

    labels: tuple[str, ...]
    time: np.datetime64
    source: str
    origin: str
    document: str
    text: str


@dataclass(frozen=True, eq=False)
class TaggedCorpus:
    """Tagged texts, ordered by date.

    Attributes
    ----------
    labels : tuple of str
        The narratives, the columns of `carried`.
    carried : ndarray of bool, shape (n, L)
        Which text carries which narrative, asserting or relaying it.
    times : ndarray of datetime64[s], shape (n,)
        When each was published, in UTC.
    sources, origins, documents : ndarray of str, shape (n,)
        Who published it, the origin of that source (empty: unknown), and the document that it is a part of.
    texts : tuple of str
        The texts; empty strings where the records have none.
    origin_from_tags : bool
        Whether origins are the tagger's guesses rather than the sources' records.
    not_read, undated : int
        Records left out since the tagger could not read them, or since they have no date.
    """

    labels: tuple[str, ...]
    carried: npt.NDArray[np.bool_]
    times: npt.NDArray[np.datetime64]
    sources: Strings
    origins: Strings
    documents: Strings
    texts: tuple[str, ...]
    origin_from_tags: bool = False
    not_read: int = 0
    undated: int = 0

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def read(
        cls,
        data: Any,
        *,
        origin: str,
        date: str = "date",
        source: str = "source",
        document: str | None = None,
        text: str = "text",
        labels: Sequence[str] | None = None,
        stances: Sequence[str] = CARRYING,
        skip_undated: bool = False,
    ) -> TaggedCorpus:
        """Read what ``fimi-nlp tag`` wrote, with the columns of the input beside it.

        Parameters
        ----------
        data : str, Path, DataFrame or iterable of mapping
            A file (.jsonl, .csv, .tsv, .parquet), a pandas or polars frame, or records.
        origin : str
            The column that says whose each text is. Name the column of your own records; one called ``origin`` in the
            input is called ``input_origin`` in the tagger's output. ``"origin"`` is the tagger's guess: a comparison
            then goes round in a circle, for the guess is made from the content that is compared.
        date : str
            Column of dates: ISO 8601, or date and time objects. Times with a zone are brought to UTC.
        source : str
            Column of outlets or accounts.
        document : str, optional
            Column of the documents that passages belong to; by default every text is a document.
        text : str
            Column of the texts; echoes need it, nothing else does.
        labels : sequence of str, optional
            The narratives to look at; by default those named at least once.
        stances : sequence of str
            The stances in which a text counts as carrying its narratives.
        skip_undated : bool
            Leave out records without a date, and count them in `undated`; a date that cannot be read is an error still.

        Raises
        ------
        InputError
            A column is missing, or a record has no date, no source or no tag; the message names the first.
        """
        rows: list[_Row] = []
        not_read, undated, from_tags = 0, 0, origin in _FROM_TAGS
        for place, record in _records(data):
            _check_columns(place, record, {date, source, origin, "narratives", *([document] if document else [])})
            if _nested(record.get("reason")) in ("LANGUAGE", "EMPTY", "NO_WORDS"):
                not_read += 1
                continue
            if skip_undated and _missing(record[date]):
                undated += 1
                continue
            rows.append(
                _Row(
                    _carried(record, place, stances),
                    _time(record[date], place, date),
                    _name(record[source], place, source),
                    _label(record[origin]),
                    _name(record[document], place, document) if document else "",
                    str(record.get(text) or ""),
                )
            )
        if not rows:
            raise InputError(
                "There are no tagged texts" + (f" with a '{date}'." if undated else "."),
                remedy="Give the output of `fimi-nlp tag`.",
            )
        return replace(cls._of(rows, labels), origin_from_tags=from_tags, not_read=not_read, undated=undated)

    @classmethod
    def _of(cls, rows: list[_Row], labels: Sequence[str] | None) -> TaggedCorpus:
        rows = sorted(rows, key=lambda row: row.time)
        known = sorted({label for row in rows for label in row.labels})
        for label in labels or ():
            if label not in known:
                raise InputError(f"No text carries '{label}'.", remedy=did_you_mean(label, known))
        names = tuple(labels or known)
        return cls(
            names,
            np.array([[name in row.labels for name in names] for row in rows], np.bool_).reshape(len(rows), -1),
            np.array([row.time for row in rows], "datetime64[s]"),
            np.array([row.source for row in rows], np.str_),
            np.array([row.origin for row in rows], np.str_),
            np.array([row.document or f"#{number}" for number, row in enumerate(rows)], np.str_),
            tuple(row.text for row in rows),
        )

    def clusters(self, by: str) -> Strings:
        """The sources or the documents, as units that are resampled."""
        if by not in ("source", "document"):
            raise InputError(f"Unknown cluster '{by}'.", remedy=did_you_mean(by, ["source", "document"]))
        return self.sources if by == "source" else self.documents

    def rows(self, origin: str) -> npt.NDArray[np.int64]:
        """Positions of the texts of an origin."""
        found = np.flatnonzero(self.origins == origin)
        if not len(found):
            known = sorted(set(self.origins.tolist()) - {""})
            raise InputError(f"No text has the origin '{origin}'.", remedy=did_you_mean(origin, known))
        return found

    def periods(self, every: str) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
        """Starts of the periods, none left out, and the period of each text.

        Parameters
        ----------
        every : {"day", "week", "month"}
            Weeks start on Monday.
        """
        days = self.times.astype("datetime64[D]")
        if every == "month":
            months = days.astype("datetime64[M]")
            starts = np.arange(months.min(), months.max() + 1).astype("datetime64[D]")
        elif every in ("day", "week"):
            step = 7 if every == "week" else 1
            # 1970-01-01 was a Thursday.
            first = days.min() - (int(days.min().astype(np.int64)) + 3) % 7 if every == "week" else days.min()
            starts = np.arange(first, days.max() + 1, np.timedelta64(step, "D"))
        else:
            raise InputError(f"Unknown period '{every}'.", remedy=did_you_mean(every, ["day", "week", "month"]))
        return starts, np.searchsorted(starts, days, side="right") - 1


def _records(data: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(data, (str, Path)):
        for record in read_records(data, text_column=None):
            if isinstance(record, BadRecord):
                raise InputError(f"{record.place}: {record.reason}.", remedy="Mend or remove the record.")
            yield record.place, record.data
        return
    if hasattr(data, "to_dicts"):  # polars
        data = data.to_dicts()
    elif hasattr(data, "to_dict") and hasattr(data, "columns"):  # pandas
        data = data.to_dict("records")
    if not isinstance(data, Iterable):
        raise InputError(f"Cannot read a {type(data).__name__}.", remedy="Give a file, a DataFrame or records.")
    for number, record in enumerate(data, 1):
        if not isinstance(record, Mapping):
            raise InputError(f"Record {number} is a {type(record).__name__}.", remedy="Give mappings.")
        yield f"record {number}", record


def _check_columns(place: str, record: Mapping[str, Any], needed: set[str]) -> None:
    for column in sorted(needed):
        if column not in record:
            raise InputError(f"{place}: there is no column '{column}'.", remedy=did_you_mean(column, map(str, record)))


def _nested(value: Any) -> Any:
    """A value of a table, in which nested values are JSON."""
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _label(value: Any) -> str:
    """The label of a choice, or the value of a plain column; empty where there is none."""
    value = _nested(value)
    if isinstance(value, Mapping):
        value = value.get("label")
    return "" if value is None or value != value else str(value)


def _carried(record: Mapping[str, Any], place: str, stances: Sequence[str]) -> tuple[str, ...]:
    narratives = _nested(record["narratives"])
    if isinstance(narratives, np.ndarray):
        narratives = narratives.tolist()
    if not isinstance(narratives, (list, tuple)) or not all(
        isinstance(n, Mapping) and "label" in n for n in narratives
    ):
        raise InputError(
            f"{place}: 'narratives' is not the tagger's: {narratives!r:.60}.",
            remedy="Give the output of `fimi-nlp tag`.",
        )
    stance = _label(record.get("stance"))
    return tuple(str(n["label"]) for n in narratives) if not stance or stance in stances else ()


def _missing(value: Any) -> bool:
    """Null, empty, or one of the values that tables have for nothing: NaN and NaT, which equal not even themselves."""
    return value is None or value != value or not str(value).strip()


def _name(value: Any, place: str, column: str) -> str:
    if _missing(value):
        raise InputError(f"{place}: '{column}' is empty.", remedy="Fill it, or leave the record out.")
    return str(value)


def _time(value: Any, place: str, column: str) -> np.datetime64:
    if _missing(value):
        raise InputError(
            f"{place}: '{column}' is empty.",
            remedy="Fill it, or leave such records out: skip_undated=True, on the command line --skip-undated.",
        )
    try:
        if isinstance(value, np.datetime64):
            moment = value
        elif isinstance(value, datetime):
            moment = np.datetime64(_naive(value))
        elif isinstance(value, date):
            moment = np.datetime64(value)
        else:
            moment = np.datetime64(_naive(datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))))
    except ValueError:
        moment = np.datetime64("NaT")
    if np.isnat(moment):
        raise InputError(
            f"{place}: '{column}' is {value!r:.40}.", remedy="Write dates as 2024-02-29 or 2024-02-29T08:00."
        )
    seconds: np.datetime64 = moment.astype("datetime64[s]")
    return seconds


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment
