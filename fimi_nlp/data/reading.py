"""Records to passages: every field is checked against the schema, and every fault is reported at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fimi_nlp.data.corpus import FIELDS, PLAIN_FIELDS, Passage
from fimi_nlp.data.labels import Annotation, CellError, is_missing, label_set, load_json, narratives
from fimi_nlp.errors import CorpusError, InputTypeError, did_you_mean
from fimi_nlp.records import BadRecord, Record, read_records
from fimi_nlp.schema import NO_STANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fimi_nlp.schema import LabelSchema

T = TypeVar("T")

#: How many problems the message of a `CorpusError` shows; its ``problems`` has all.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a corpus.

    Attributes
    ----------
    place : str
        Where it is: ``posts.csv, line 12``.
    field : str
        The column; ``record`` where the record as a whole is at fault.
    value : Any
        What stands there.
    message : str
        What is wrong with it.
    """

    place: str
    field: str
    value: Any
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class _Item:
    """A record on its way in; `arrow` says that a null in a struct means 'absent'."""

    place: str
    data: Any
    arrow: bool = False


def read_corpus(source: Any, schema: LabelSchema, text_column: str, format: str | None) -> list[Passage]:  # noqa: A002
    """See `Corpus.read`."""
    parser = _Parser(schema, text_column)
    passages = [
        passage
        for number, item in enumerate(_items(source, text_column, format), 1)
        if (passage := parser.passage(item, number)) is not None
    ]
    if parser.problems:
        raise corpus_error(parser.problems)
    return passages


def corpus_error(problems: list[Problem]) -> CorpusError:
    """The error that names the first problems and carries all."""
    count = len(problems)
    lines = [f"The corpus has {count} problem{'s' * (count != 1)}:"]
    lines += [f"  {problem}" for problem in problems[:SHOWN]]
    if count > SHOWN:
        lines.append(f"  ... and {count - SHOWN} more.")
    return CorpusError(
        "\n".join(lines) + "\n",
        problems=problems,
        remedy="Correct these records; the error's `problems` lists all of them with their values.",
    )


def _items(source: Any, text_column: str, format: str | None) -> Iterator[_Item]:  # noqa: A002
    if isinstance(source, (str, Path)):
        yield from _file_items(source, text_column, format)
        return
    if _is_dataset(source):
        yield from _dataset_items(source)
        return
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a pandas data frame
        source = source.to_dict("records")
    if isinstance(source, Mapping) or not isinstance(source, Iterable):
        remedy = "Pass a path, a datasets.Dataset, or an iterable of mappings."
        if isinstance(source, Mapping):
            remedy += f" This one is a mapping: choose one of its parts ({', '.join(map(str, list(source)[:5]))})."
        raise InputTypeError(f"A corpus cannot be read from {type(source).__name__}.", remedy=remedy)
    for number, entry in enumerate(source, 1):
        if isinstance(entry, (str, Path)):
            yield from _file_items(entry, text_column, format)
        elif isinstance(entry, (Record, BadRecord)):  # read elsewhere: it knows its place
            yield _Item(entry.place, entry if isinstance(entry, BadRecord) else entry.data)
        else:
            yield _Item(f"record {number}", entry.to_dict() if isinstance(entry, Passage) else entry)


def _file_items(path: str | Path, text_column: str, format: str | None) -> Iterator[_Item]:  # noqa: A002
    arrow = format == "parquet" or (format is None and str(path).lower().endswith(".parquet"))
    for record in read_records(path, format=format, text_column=text_column):
        yield _Item(record.place, record if isinstance(record, BadRecord) else record.data, arrow)


def _is_dataset(source: object) -> bool:
    module = sys.modules.get("datasets")  # a dataset can only exist where the library was imported
    return module is not None and isinstance(source, (module.Dataset, module.IterableDataset))


def _dataset_items(dataset: Any) -> Iterator[_Item]:
    features = dict(dataset.features or {})
    names = {column: feature.names for column, feature in features.items() if hasattr(feature, "int2str")}
    for number, row in enumerate(dataset, 1):
        for column, labels in names.items():  # ClassLabel: a number that stands for a name
            index = row.get(column)
            if isinstance(index, int):
                row[column] = labels[index] if 0 <= index < len(labels) else None
        yield _Item(f"dataset, row {number}", row, arrow=True)


class _Parser:
    """Turns records into passages and collects what is wrong with them."""

    def __init__(self, schema: LabelSchema, text_column: str) -> None:
        self.schema, self.text_column = schema, text_column
        self.problems: list[Problem] = []
        self.places: dict[str, str] = {}

    def passage(self, item: _Item, number: int) -> Passage | None:
        """The passage of a record, or ``None`` where it has problems."""
        data, before = item.data, len(self.problems)
        if isinstance(data, BadRecord):
            self.fail(item, data.column or "record", data.raw, data.reason)
            return None
        if not isinstance(data, Mapping):
            self.fail(item, "record", data, f"must be a mapping of columns to values, not {type(data).__name__}")
            return None
        text = self.text(item, data)
        plain = {key: self.plain(item, key, data.get(key)) for key in ("id", *PLAIN_FIELDS)}
        identifier = plain.pop("id") or f"row-{number}"
        self.unique(item, identifier)
        annotation = self.annotation(item, data)
        self.choices(item, plain["stance"], plain["origin"], annotation)
        extra = self.others(item, data)
        if len(self.problems) > before or annotation is None:
            return None
        return Passage(
            id=identifier,
            text=text,
            narratives=annotation.carried,
            not_annotated=annotation.not_annotated,
            unsure=annotation.unsure,
            extra=extra,
            place=item.place,
            **plain,
        )

    def fail(self, item: _Item, field: str, value: Any, message: str) -> None:
        self.problems.append(Problem(item.place, field, value, message))

    def text(self, item: _Item, data: Mapping[str, Any]) -> str:
        value = data.get(self.text_column)
        if self.text_column not in data:
            self.fail(item, self.text_column, None, f"missing. {did_you_mean(self.text_column, map(str, data))}")
        elif not isinstance(value, str):
            self.fail(item, self.text_column, value, f"must be text, not {value!r}")
        elif not value.strip():
            self.fail(item, self.text_column, value, "the text is empty")
        else:
            return value
        return ""

    def plain(self, item: _Item, key: str, value: Any) -> str | None:
        if isinstance(value, str):
            return value or None
        if is_missing(value):
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if hasattr(value, "isoformat"):
            return str(value.isoformat())
        self.fail(item, key, value, f"must be text, not {value!r}")
        return None

    def unique(self, item: _Item, identifier: str) -> None:
        first = self.places.setdefault(identifier, item.place)
        if first is not item.place:
            self.fail(item, "id", identifier, f"'{identifier}' stands twice, first in {first}")

    def annotation(self, item: _Item, data: Mapping[str, Any]) -> Annotation | None:
        """Which narratives are carried, not annotated and unsure; ``None`` where that cannot be read."""
        carried = self.cell(item, "narratives", lambda: narratives(data.get("narratives"), self.schema, item.arrow))
        not_annotated = self.cell(item, "not_annotated", lambda: label_set(data.get("not_annotated"), self.schema))
        unsure = self.cell(item, "unsure", lambda: label_set(data.get("unsure"), self.schema))
        if carried is None or not_annotated is None or unsure is None:
            return None
        try:
            return Annotation.of(*carried, not_annotated, unsure, self.schema)
        except CellError as error:
            self.fail(item, error.field, data.get(error.field), str(error))
            return None

    def cell(self, item: _Item, key: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except CellError as error:
            self.fail(item, key, item.data.get(key), str(error))
            return None

    def choices(self, item: _Item, stance: str | None, origin: str | None, labels: Annotation | None) -> None:
        self.choice(item, "stance", stance, (*self.schema.stance_labels, NO_STANCE))
        self.choice(item, "origin", origin, self.schema.origin_labels)
        if labels is None or stance is None:
            return
        if stance == NO_STANCE and labels.carried:
            carried = ", ".join(labels.carried)
            self.fail(item, "stance", stance, f"'none', though narratives are carried ({carried})")
        elif stance != NO_STANCE and labels.carried is not None and not labels.carried and not labels.not_annotated:
            self.fail(item, "stance", stance, f"'{stance}', though no narrative is carried; write 'none'")

    def choice(self, item: _Item, key: str, value: str | None, options: Sequence[str]) -> None:
        if value is not None and value not in options:
            hint = did_you_mean(value, options) if options else "The schema has none."
            self.fail(item, key, value, f"unknown {key} '{value}'. {hint}")

    def others(self, item: _Item, data: Mapping[str, Any]) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        for key, value in data.items():
            if key == self.text_column or is_missing(value):
                continue
            if key == "text":
                extra["text_"] = value
            elif key == "extra" and (packed := _packed(value)) is not None:
                extra |= self.unpacked(item, packed)
            elif key not in FIELDS:
                extra[str(key)] = value
        return extra

    def unpacked(self, item: _Item, packed: dict[str, Any]) -> dict[str, Any]:
        for key in packed:
            if key in FIELDS:
                self.fail(item, "extra", packed, f"'{key}' is a column of its own")
        return {key: value for key, value in packed.items() if not is_missing(value)}


def _packed(value: Any) -> dict[str, Any] | None:
    """The extra columns that `Corpus.to_parquet` packs into one JSON object; ``None`` for any other value."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = load_json(value)
        except CellError:
            return None
    return value if isinstance(value, dict) else None
