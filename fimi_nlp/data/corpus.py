"""Passages with their labels, and the corpus that holds them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from fimi_nlp.errors import InputError, InputTypeError, did_you_mean
from fimi_nlp.schema import LabelSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import datasets

    from fimi_nlp.data.arrays import LabelArrays


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage and what is known of it. ``None`` always means 'not annotated' or 'not known', never 'no'.

    Attributes
    ----------
    id, text : str
        The passage.
    narratives : mapping of str to (str or None), or None
        The narratives that it carries, each with its sub-narrative (``None``: the sub was not annotated). Empty: it
        was annotated and carries none. ``None``: no narrative was annotated.
    not_annotated : frozenset of str
        Narratives that were not annotated, where others were.
    unsure : frozenset of str
        Narratives that the annotator was not sure of.
    stance : str or None
        A stance of the schema, or ``none`` where no narrative is carried.
    origin : str or None
        An origin of the schema.
    source, kind, date, split, lang : str or None
        Where it comes from; `split` names the part of the corpus that it belongs to.
    group : str
        Document or account that it was cut from, which no split may cut; its own id where none is given.
    extra : mapping
        Every other column.
    place : str
        Where it was read, for messages; not compared.

    Examples
    --------
    >>> passage = Passage("a", "Their votes were bought.", {"us_democracy": "elections_media"})
    >>> passage.group
    'a'
    >>> passage.annotated("nato_alliances"), passage.carries("nato_alliances")
    (True, False)
    """

    id: str
    text: str
    narratives: Mapping[str, str | None] | None = field(default=None, hash=False)
    not_annotated: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    stance: str | None = None
    origin: str | None = None
    source: str | None = None
    kind: str | None = None
    group: str | None = None
    date: str | None = None
    split: str | None = None
    lang: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.group is None:
            object.__setattr__(self, "group", self.id)

    def annotated(self, narrative: str) -> bool:
        """Whether it is known if the passage carries a narrative."""
        return self.narratives is not None and narrative not in self.not_annotated

    def carries(self, narrative: str) -> bool:
        """Whether the passage is annotated as carrying a narrative."""
        return self.narratives is not None and narrative in self.narratives

    def to_dict(self) -> dict[str, Any]:
        """The passage as plain JSON types, as `Corpus.to_jsonl` writes it; what is unknown is left out."""
        data: dict[str, Any] = {"id": self.id, "text": self.text}
        if self.narratives is not None:
            data["narratives"] = {label: True if sub is None else sub for label, sub in self.narratives.items()}
        for key in ("not_annotated", "unsure"):
            if labels := getattr(self, key):
                data[key] = sorted(labels)
        data |= {key: value for key in PLAIN_FIELDS if (value := getattr(self, key)) is not None}
        return {**data, **{key: value for key, value in self.extra.items() if key not in data}}


#: Fields that hold one word or text, in the order in which they are written.
PLAIN_FIELDS = ("stance", "origin", "source", "kind", "group", "date", "split", "lang")
#: Every field that a record may have; what else it has goes to `Passage.extra`.
FIELDS = ("id", "text", "narratives", "not_annotated", "unsure", *PLAIN_FIELDS)


class Corpus(Sequence[Passage]):
    """Passages under one label schema: a sequence that is never changed, only filtered, sliced and split.

    Parameters
    ----------
    passages : iterable of Passage
        Taken as they are; `Corpus.read` is what validates.
    schema : LabelSchema, optional
        The labels; by default the four shared narratives.
    """

    def __init__(self, passages: Iterable[Passage], schema: LabelSchema | None = None) -> None:
        self._passages = tuple(passages)
        self._schema = LabelSchema.default() if schema is None else schema

    @classmethod
    def read(
        cls,
        source: str | Path | datasets.Dataset | Iterable[Any],
        *,
        schema: LabelSchema | None = None,
        text_column: str = "text",
        format: str | None = None,  # noqa: A002
    ) -> Corpus:
        """Read and validate a corpus.

        Parameters
        ----------
        source : path, paths, datasets.Dataset, or iterable of mappings
            Files as `fimi_nlp.records.read_records` takes them, what it gives back, a Hugging Face dataset, or records
            at hand.
        schema : LabelSchema, optional
            The labels; by default the four shared narratives.
        text_column : str
            The column that holds the text.
        format : str, optional
            Format of the files, where their suffix does not say it.

        Returns
        -------
        Corpus
            Only where every record is right.

        Raises
        ------
        CorpusError
            Some records are not; its ``problems`` has all of them, each with place, field and value.
        InputError
            A file cannot be read at all.

        Notes
        -----
        Columns: ``text`` is needed; ``id`` defaults to ``row-N``, where N counts the records of all sources from 1 (so
        that it changes when records are added in front); ``group`` defaults to the id. A cell of ``narratives`` may be

        - an object: label to sub-narrative, ``true`` (carried, sub not annotated), ``false`` (not carried) or ``null``
          (this label was not annotated); a label that is not there is not carried;
        - a list of ``"label"``, ``"label/sub"`` or ``{"label": ..., "sub": ...}``;
        - in a table: either as JSON, or ``label/sub; label``, or ``none``;
        - ``null``, or an empty cell, or no such column: nothing was annotated.

        In an Arrow struct (a Parquet file or dataset made from such objects) a null field cannot be told from one that
        was never there and means 'not carried', so there, or anywhere, the list column ``not_annotated`` says it.
        ``unsure`` lists labels that the annotator was not sure of. Where a stance is given, it is ``none`` exactly
        where nothing is carried. Other columns are kept in `Passage.extra`, empty ones left out; a column ``text``
        that is not the `text_column` is kept as ``text_``.
        """
        from fimi_nlp.data.reading import read_corpus

        schema = LabelSchema.default() if schema is None else schema
        return cls(read_corpus(source, schema, text_column, format), schema)

    @property
    def schema(self) -> LabelSchema:
        """The labels."""
        return self._schema

    @property
    def texts(self) -> list[str]:
        """The text of every passage."""
        return [passage.text for passage in self._passages]

    @property
    def groups(self) -> list[str]:
        """The group of every passage."""
        return [passage.group or passage.id for passage in self._passages]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the ids, texts and labels; the order of the passages does not matter."""
        keys = ("narratives", "stance", "origin")
        digests = []
        for passage in self._passages:
            labels = [getattr(passage, key) for key in keys]
            content = [passage.id, passage.text, *labels, sorted(passage.not_annotated), sorted(passage.unsure)]
            canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
            digests.append(hashlib.sha256(canonical.encode("ascii")).digest())
        return hashlib.sha256(b"".join(sorted(digests))).hexdigest()

    def __len__(self) -> int:
        return len(self._passages)

    @overload
    def __getitem__(self, index: int) -> Passage: ...
    @overload
    def __getitem__(self, index: slice) -> Corpus: ...
    def __getitem__(self, index: int | slice) -> Passage | Corpus:
        if isinstance(index, slice):
            return Corpus(self._passages[index], self._schema)
        return self._passages[index]

    def __iter__(self) -> Iterator[Passage]:
        return iter(self._passages)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Corpus):
            return NotImplemented
        return self._passages == other._passages and self._schema == other._schema

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Corpus({len(self)} passages, schema '{self._schema.name}')"

    def filter(self, predicate: Callable[[Passage], bool] | None = None, **equals: Any) -> Corpus:
        """The passages for which the predicate holds and whose fields have the values.

        Parameters
        ----------
        predicate : callable, optional
            A passage to whether it is kept.
        **equals
            Field (or extra column) to its value, or to a list, tuple or set of values.

        Examples
        --------
        >>> corpus = Corpus([Passage("a", "One.", split="train"), Passage("b", "Two.", split="dev")])
        >>> [passage.id for passage in corpus.filter(split=("dev", "test"))]
        ['b']
        """
        if predicate is not None and not callable(predicate):
            raise InputTypeError(
                f"The predicate {predicate!r} cannot be called.", remedy='Or name a field: split="dev".'
            )
        extra = {key for passage in self._passages for key in passage.extra}
        for key in equals:
            if key not in FIELDS and key not in extra:
                raise InputError(
                    f"The corpus has no field '{key}'.", remedy=did_you_mean(key, [*FIELDS, *sorted(extra)])
                )

        def keep(passage: Passage) -> bool:
            for key, wanted in equals.items():
                value = getattr(passage, key) if key in FIELDS else passage.extra.get(key)
                if value != wanted and not (isinstance(wanted, (list, tuple, set, frozenset)) and value in wanted):
                    return False
            return predicate is None or predicate(passage)

        return Corpus(filter(keep, self._passages), self._schema)

    def with_split(self, name: str | None) -> Corpus:
        """The corpus with every passage assigned to one split."""
        return Corpus((dataclasses.replace(passage, split=name) for passage in self._passages), self._schema)

    def label_arrays(self, unsure_target: float | None = None) -> LabelArrays:
        """The labels as NumPy arrays, for training and evaluation.

        Parameters
        ----------
        unsure_target : float, optional
            Target, in [0, 1], of a narrative that is carried but unsure; by default 1 as for any other.
        """
        from fimi_nlp.data.arrays import label_arrays

        return label_arrays(self, unsure_target)

    def to_jsonl(self, path: str | Path) -> None:
        """Write the corpus as JSONL, which `read` reads back unchanged."""
        from fimi_nlp.records import open_writer

        with open_writer(path, format="jsonl") as writer:
            for passage in self._passages:
                writer.write(passage.to_dict())

    def to_parquet(self, path: str | Path) -> None:
        """Write the corpus as Parquet, which `read` reads back unchanged; needs the extra ``parquet``."""
        from fimi_nlp.data.tables import write_parquet

        write_parquet(self, path)

    def to_dataset(self) -> datasets.Dataset:
        """The corpus as a Hugging Face dataset, which `read` reads back unchanged; needs ``datasets``."""
        from fimi_nlp.data.tables import to_dataset

        return to_dataset(self)
