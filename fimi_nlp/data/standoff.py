"""Stand-off records: labels of passages whose text may not be passed on.

A record holds what is known of a passage, where it comes from and the SHA-256 of its words, but no text. A person who
has the public source gets the text back with `fimi_nlp.data.rebuild`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp.data._passage_words import VERSION, digest, start_key, words_of
from fimi_nlp.data.corpus import PLAIN_FIELDS, Corpus, Passage
from fimi_nlp.data.reading import Problem, corpus_error
from fimi_nlp.errors import InputError, require
from fimi_nlp.records import open_writer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import pyarrow as pa

    from fimi_nlp.schema import LabelSchema

#: Sources whose groups are accounts or posts of ordinary users: only a hash of the group is written.
PRIVATE_SOURCES = frozenset({"reddit", "tweets"})
#: Words of a title or URL slug that a reference keeps.
KEPT_WORDS = 6

_SHA256 = re.compile(r"[0-9a-f]{64}")
#: A word of a title: letters without digits beside them, so that hashes and dates do not count.
_NAME = re.compile(r"(?<![^\W_])[^\W\d_]{2,}(?![^\W_])")
_OWN = ("sha256", "words", "start", "version", "ref")


@dataclass(frozen=True, slots=True)
class StandoffRecord:
    """A passage without its text.

    Attributes
    ----------
    id : str
        As in `Passage`; so are `narratives`, `not_annotated`, `unsure`, `stance`, `origin`, `source`, `kind`, `group`,
        `date`, `split` and `lang`.
    sha256 : str
        `text_hash` of the text.
    words : int
        How many words were hashed.
    start : int
        32-bit hash of the first five words, by which the passage is looked for.
    ref : str or None
        Its record in the public source.
    """

    id: str
    sha256: str
    words: int
    start: int
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
    ref: str | None = None

    def passage(self, text: str, **extra: Any) -> Passage:
        """The passage that it stands for, once its text is there; `extra` are further columns."""
        shared = {key: getattr(self, key) for key in _SHARED}
        return Passage(text=text, extra={**({"ref": self.ref} if self.ref else {}), **extra}, **shared)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types; what is unknown is left out."""
        data = self.passage("").to_dict()
        del data["text"]
        return {**data, "sha256": self.sha256, "words": self.words, "start": self.start, "version": VERSION}


_SHARED = ("id", "narratives", "not_annotated", "unsure", *PLAIN_FIELDS)


def text_hash(text: str) -> str:
    """SHA-256 of the words of a text.

    Two texts have the same hash where they differ only in case, white space, punctuation, quotes, dashes, Unicode
    form, HTML tags and entities, the names of ``@handles``, and links. The rules stand in ``_passage_words.py`` under
    a version number.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> text_hash("Ask <b>@somebody</b>, please: https://example.org") == text_hash("ask @user -- please")
    True
    """
    return digest(words_of(text))


def to_standoff(corpus: Corpus, path: str | Path, *, private: Collection[str] = PRIVATE_SOURCES) -> None:
    """Write the stand-off records of a corpus, which `read_standoff` reads back.

    Parameters
    ----------
    corpus : Corpus
        Passages; those that have a column ``ref`` keep it.
    path : str or Path
        ``.jsonl`` or (with the extra ``parquet``) ``.parquet``.
    private : collection of str
        Sources whose groups may name a person; a hash takes their place.

    Raises
    ------
    InputError
        The suffix is another one, or an id holds running text.

    Notes
    -----
    Groups with spaces or with more than six words become a hash. References (titles, slugs) keep six words, and a hash
    of the whole follows. So that nothing else can carry text, every extra column but ``ref`` is left out.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".jsonl", ".parquet"):
        raise InputError(f"{path}: stand-off records are not written as '{suffix}'.", remedy="Use .jsonl or .parquet.")
    records = [_record(passage, private) for passage in corpus]
    if suffix == ".jsonl":
        with open_writer(path) as writer:
            for record in records:
                writer.write(record.to_dict())
        return
    require("parquet", "pyarrow")
    with open_writer(path, schema=_arrow_schema()) as writer:
        for record in records:
            writer.write(_row(record))


def _record(passage: Passage, private: Collection[str]) -> StandoffRecord:
    if len(_NAME.findall(passage.id)) > KEPT_WORDS:
        raise InputError(f"The id '{passage.id}' may hold text.", remedy="Give the passage a short id.")
    words = words_of(passage.text)
    shared = {key: getattr(passage, key) for key in _SHARED}
    for key in ("source", "kind", "date", "split", "lang"):
        shared[key] = _short(shared[key])
    shared["group"] = _group(passage, hide=passage.source in private)
    ref = passage.extra.get("ref")
    return StandoffRecord(
        sha256=digest(words),
        words=len(words),
        start=start_key(words),
        ref=_short(ref if ref is None else str(ref)),
        **shared,
    )


def _short(value: str | None) -> str | None:
    """A reference as it is, or its first words and a hash of the whole."""
    found = list(_NAME.finditer(value or ""))
    if value is None or len(found) <= KEPT_WORDS:
        return value
    return f"{value[: found[KEPT_WORDS - 1].end()]}~{_hash(value)}"


def _group(passage: Passage, *, hide: bool) -> str:
    group = passage.group or passage.id
    if group == passage.id:
        return group
    if not hide and not re.search(r"\s", group) and len(_NAME.findall(group)) <= KEPT_WORDS:
        return group
    return f"{passage.source or 'group'}~{_hash(group)}"


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", errors="replace")).hexdigest()[:12]


def _arrow_schema() -> pa.Schema:
    import pyarrow as pa

    text, labels = pa.string(), pa.list_(pa.string())
    carried = pa.list_(pa.struct([("label", text), ("sub", text)]))
    fields = [("id", text), ("narratives", carried), ("not_annotated", labels), ("unsure", labels)]
    fields += [(key, text) for key in (*PLAIN_FIELDS, "ref", "sha256")]
    return pa.schema([*fields, ("words", pa.int32()), ("start", pa.int64()), ("version", pa.int32())])


def _row(record: StandoffRecord) -> dict[str, Any]:
    carried = record.narratives
    row: dict[str, Any] = {key: getattr(record, key) for key in (*PLAIN_FIELDS, *_OWN) if key != "version"}
    return row | {
        "id": record.id,
        "narratives": None if carried is None else [{"label": label, "sub": sub} for label, sub in carried.items()],
        "not_annotated": sorted(record.not_annotated),
        "unsure": sorted(record.unsure),
        "version": VERSION,
    }


def read_standoff(path: str | Path, *, schema: LabelSchema | None = None) -> list[StandoffRecord]:
    """Read stand-off records and check them as `Corpus.read` checks passages.

    Parameters
    ----------
    path : str or Path
        What `to_standoff` wrote.
    schema : LabelSchema, optional
        The labels; by default the four shared narratives.

    Returns
    -------
    list of StandoffRecord

    Raises
    ------
    CorpusError
        Some records are not right; its ``problems`` has all of them.
    InputError
        The file cannot be read.
    """
    passages = Corpus.read(path, schema=schema, text_column="sha256")
    problems = [problem for passage in passages for problem in _faults(passage)]
    if problems:
        raise corpus_error(problems)
    return list(_records(passages))


def _records(passages: Iterable[Passage]) -> Iterable[StandoffRecord]:
    for passage in passages:
        shared = {key: getattr(passage, key) for key in _SHARED}
        extra = passage.extra
        yield StandoffRecord(
            sha256=passage.text, words=int(extra["words"]), start=int(extra["start"]), ref=extra.get("ref"), **shared
        )


def _faults(passage: Passage) -> Iterable[Problem]:
    extra = passage.extra
    if not _SHA256.fullmatch(passage.text):
        yield Problem(passage.place, "sha256", passage.text, "must be 64 hexadecimal digits")
    for key, most in (("words", 2**31), ("start", 2**32)):
        value = str(extra.get(key, ""))
        if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) >= most:
            yield Problem(passage.place, key, extra.get(key), f"must be a whole number below {most}")
    if str(extra.get("version", "")) != str(VERSION):
        message = f"this version of fimi-nlp knows version {VERSION} of the hash"
        yield Problem(passage.place, "version", extra.get("version"), message)
    if not isinstance(extra.get("ref", ""), str):
        yield Problem(passage.place, "ref", extra["ref"], "must be text")
    if "text_" in extra:
        yield Problem(passage.place, "text", extra["text_"], "a stand-off record holds no text")
