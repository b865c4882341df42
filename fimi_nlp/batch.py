"""Tag the records of a file: stream in, stream out, every column kept, bad records set aside with their reason."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp._record_formats import resolve_format
from fimi_nlp.columns import flatten, kept_name
from fimi_nlp.errors import InputError
from fimi_nlp.records import BadRecord, Record, arrow_schema, open_writer, read_records
from fimi_nlp.types import Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fimi_nlp.tagger import Tagger

#: Of a tag beside a record, where nothing is flattened.
_KEYS = frozenset(Tag().to_dict())
_TABLES = {"csv", "tsv", "parquet"}


def is_table(target: str | Path, target_format: str | None = None) -> bool:
    """Whether an output is a table, which gets flat columns beside the nested ones."""
    return resolve_format(target, target_format) in _TABLES


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the records of a file.

    Attributes
    ----------
    tagged : int
        Records tagged by this call.
    resumed : int
        Records that an earlier, interrupted call had tagged.
    rejected : int
        Records set aside.
    with_narratives : int
        Records tagged by this call that carry at least one narrative.
    seconds : float
        Wall-clock time of this call, reading and writing with it.
    """

    tagged: int
    resumed: int
    rejected: int
    with_narratives: int
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Records that this call tagged in a second."""
        return self.tagged / self.seconds if self.seconds else 0.0


def merge(record: Mapping[str, Any], tag: Tag, identifier: object, *, flat: bool = False) -> dict[str, Any]:
    """An input record with its tag; with `flat`, the columns of a table beside the nested ones.

    An input column of the same name as one of the tag's is kept as ``input_<name>``.

    Examples
    --------
    >>> sorted(set(merge({"text": "x", "stance": "mine"}, Tag(), 7)) - set(Tag().to_dict()))
    ['id', 'input_stance', 'text']
    """
    tagged = flatten(tag.to_dict()) if flat else tag.to_dict()
    kept = {kept_name(key, tagged.keys()): value for key, value in record.items()}
    return {"id": identifier, **kept, **tagged}


def as_line(record: Mapping[str, Any], text_column: str = "text") -> str:
    """A record as one line of plain text: labels, confidence and text, with tabs between."""
    labels = ",".join(narrative["label"] for narrative in record["narratives"]) or "-"
    return f"{labels}\t{record['confidence']:.3f}\t{text_of(record, text_column)}"


def text_of(record: Mapping[str, Any], text_column: str = "text") -> str:
    """The text of a tagged record, wherever `merge` kept it."""
    return str(record[kept_name(text_column, _KEYS)])


def tag_records(
    tagger: Tagger,
    records: Iterable[Record | BadRecord],
    *,
    text_column: str = "text",
    reject: Callable[[BadRecord], None],
    flat: bool = False,
) -> Iterator[tuple[dict[str, Any], Tag]]:
    """Tag records lazily, in order and in constant memory.

    Parameters
    ----------
    tagger : Tagger
        Any tagger.
    records : iterable of Record or BadRecord
        As `read_records` gives them.
    text_column : str
        Where the text stands.
    reject : callable
        Called with each record that cannot be used.
    flat : bool
        As in `merge`.

    Yields
    ------
    (dict, Tag)
        The merged record and its tag.
    """
    waiting: deque[Record] = deque()

    def texts() -> Iterator[str]:
        for record in records:
            if isinstance(record, BadRecord):
                reject(record)
            else:
                waiting.append(record)
                yield record.data[text_column]

    for tag in tagger.stream(texts()):
        record = waiting.popleft()
        yield merge(record.data, tag, record.data.get("id", str(record.number)), flat=flat), tag


def tag_file(
    tagger: Tagger,
    source: str | Path,
    target: str | Path,
    *,
    text_column: str = "text",
    source_format: str | None = None,
    target_format: str | None = None,
    rejects: str | Path | None = None,
    resume: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Tag a file into another.

    Parameters
    ----------
    tagger : Tagger
        Any tagger.
    source, target : str or Path
        Files of any format that `read_records` knows; ``-`` is standard input and output.
    text_column : str
        Where the text stands.
    source_format, target_format : str, optional
        Where the suffix does not say them.
    rejects : str or Path, optional
        JSONL file for records that cannot be used, each with place, reason and raw content; by default
        ``<target>.rejected.jsonl``, which is only there when there are any, and standard error where the output is
        standard output.
    resume : bool
        For JSONL output: go on where an interrupted call with `resume` stopped.
    advance : callable
        Called with the number of records done so far.

    Returns
    -------
    Summary
        What became of the records.

    Raises
    ------
    InputError
        A file cannot be read or written; an earlier output stays as it was.
    """
    started = time.perf_counter()
    _refuse_same_file(source, target)
    aside = _Rejects(Path(rejects) if rejects else rejects_of(target))
    flat = is_table(target, target_format)
    records = read_records(source, format=source_format, text_column=text_column)
    with ExitStack() as stack:
        writer = stack.enter_context(
            open_writer(
                target,
                format=target_format,
                schema=_input_types(source) if resolve_format(target, target_format) == "parquet" else None,
                line=lambda record: as_line(record, text_column),
                resume=resume,
            )
        )
        stack.enter_context(aside)
        done = writer.written
        tagged = with_narratives = 0
        rest = _without_first(records, done, aside.add)
        for record, tag in tag_records(tagger, rest, text_column=text_column, reject=aside.add, flat=flat):
            writer.write(record)
            tagged += 1
            with_narratives += bool(tag.narratives)
            advance(done + tagged)
    return Summary(tagged, done, aside.count, with_narratives, time.perf_counter() - started)


def rejects_of(target: str | Path) -> Path | None:
    """Where the records that cannot be used go by default; ``None`` is standard error."""
    return None if str(target) == "-" else Path(f"{target}.rejected.jsonl")


def _without_first(
    records: Iterable[Record | BadRecord], count: int, reject: Callable[[BadRecord], None]
) -> Iterator[Record | BadRecord]:
    """Skip the usable records that the output holds already; bad ones are set aside anew."""
    for record in records:
        if count and isinstance(record, Record):
            count -= 1
        elif count and isinstance(record, BadRecord):
            reject(record)
        else:
            yield record


def _input_types(source: str | Path) -> Any:
    """Types of a Parquet input's columns, under the names that they have in the output."""
    schema = arrow_schema(source)
    if schema is None:
        return None
    for index, name in enumerate(schema.names):
        schema = schema.set(index, schema.field(index).with_name(kept_name(name)))
    return schema


def _refuse_same_file(source: str | Path, target: str | Path) -> None:
    if str(source) != "-" and str(target) != "-" and Path(source).resolve() == Path(target).resolve():
        raise InputError(f"{target}: input and output are the same file.", remedy="Name another output.")


class _Rejects:
    """A JSONL file that comes into being with its first record; one of an earlier call is removed."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.count = path, 0
        self._stack = ExitStack()
        self._file: Any = sys.stderr if path is None else None

    def __enter__(self) -> _Rejects:
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, record: BadRecord) -> None:
        if self._file is None and self.path is not None:
            self._file = self._stack.enter_context(self.path.open("w", encoding="utf-8", errors="backslashreplace"))
        entry = {"number": record.number, "place": record.place, "reason": record.reason, "raw": record.raw}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()
        self.count += 1
