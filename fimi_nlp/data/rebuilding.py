"""Corpora from stand-off records and a person's own copies of the public sources."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp.data._documents import SkippedError, documents, walk
from fimi_nlp.data._search import Finder
from fimi_nlp.data.standoff import StandoffRecord, read_standoff
from fimi_nlp.errors import InputError, InputTypeError
from fimi_nlp.records import open_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fimi_nlp.schema import LabelSchema

#: How many places a finding of the report names.
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What was found of one source.

    Attributes
    ----------
    wanted, found : int
        Passages.
    files : int
        Files that the found ones were taken from.
    copies : int
        Further files that hold a passage which was already found.
    """

    wanted: int
    found: int
    files: int = 0
    copies: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about files that a person should know: why, how often, and the first places."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What `rebuild` found.

    Attributes
    ----------
    wanted, found : int
        Passages.
    files_read : int
        Files that were searched.
    sources : mapping of str to SourceCount
        By source; ``(none)`` where a record names none.
    skipped : tuple of Finding
        Files that were not read, or not to their end.
    notes : tuple of Finding
        Rows and lines that were read in another way than the format says.
    output, missing : str
        Where the passages, and the records without one, were written.
    """

    wanted: int
    found: int
    files_read: int
    sources: Mapping[str, SourceCount]
    skipped: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    output: str
    missing: str

    @property
    def complete(self) -> bool:
        """Whether every passage was found."""
        return self.found == self.wanted

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {"complete": self.complete, **asdict(self)}

    def lines(self) -> list[str]:
        """The report as lines of plain text."""
        width = max((len(name) for name in self.sources), default=0)
        lines = [f"{self.found} of {self.wanted} passages found in {self.files_read} files: {self.output}"]
        lines += [
            f"  {name:{width}}  {count.found} of {count.wanted}, files {count.files}, copies in others {count.copies}"
            for name, count in self.sources.items()
        ]
        for title, findings in (("not read", self.skipped), ("note", self.notes)):
            lines += [f"{title}: {f.reason}: {f.count} (first in {', '.join(f.examples)})" for f in findings]
        if not self.complete:
            lines.append(f"{self.wanted - self.found} not found: {self.missing}")
            lines.append("A passage is not found where its file is not there or has other words, or where words were")
            lines.append("taken out of its middle when the passage was made.")
        return lines


def rebuild(
    standoff: str | Path | Sequence[StandoffRecord],
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    schema: LabelSchema | None = None,
    advance: Callable[[int], object] | None = None,
) -> RebuildReport:
    """Give stand-off records their texts back, from local copies of the public sources.

    Every file in the folders is searched for runs of words whose hash is that of a record. Files are only read. Where
    a passage stands in several files, the text of the first (in the order of the folders, then of the names) is taken.

    Parameters
    ----------
    standoff : path or sequence of StandoffRecord
        What `fimi_nlp.data.to_standoff` wrote, or records at hand.
    folders : sequence of path
        Folders with copies of the sources: plain text, Markdown, HTML, CSV, TSV, JSON and JSONL, also packed (.gz).
    out : str or Path
        A ``.jsonl`` file for the passages that were found, in the order of the records, which `Corpus.read` reads;
        ``found_in`` names the file. The other records go to ``OUT.missing.jsonl``. Both appear whole or not at all.
    schema : LabelSchema, optional
        The labels; by default the four shared narratives.
    advance : callable, optional
        Called after each file with the number of files so far.

    Returns
    -------
    RebuildReport

    Raises
    ------
    InputError
        A folder is not there, none is given, or the output is no ``.jsonl`` file.
    CorpusError
        Some stand-off records are not right.
    """
    out = Path(out)
    if out.suffix.lower() != ".jsonl":
        raise InputError(f"{out}: the corpus is written as JSONL.", remedy="Name a file that ends in .jsonl.")
    places = _folders(folders)
    records = read_standoff(standoff, schema=schema) if isinstance(standoff, (str, Path)) else list(standoff)
    missing = Path(f"{out}.missing.jsonl")
    with open_writer(out) as writer, open_writer(missing) as rest:
        search = _Search(records, {out.resolve(), missing.resolve()})
        for folder in places:
            search.folder(folder, advance)
        for index, record in enumerate(records):
            if index in search.texts:
                text, place = search.texts[index]
                writer.write(record.passage(text, found_in=place).to_dict())
            else:
                rest.write(record.to_dict())
    return search.report(str(out), str(missing))


def _folders(folders: Sequence[str | Path]) -> list[Path]:
    if isinstance(folders, (str, Path)):
        raise InputTypeError(f"The folders are one path: {folders}.", remedy="Pass a list of folders.")
    if not folders:
        raise InputError("No folder is given.", remedy="Name the folders with copies of the public sources.")
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder.", remedy="Name a folder with copies of the public sources.")
    return paths


class _Search:
    """The state of one run."""

    def __init__(self, records: Sequence[StandoffRecord], leave_out: set[Path]) -> None:
        self.records, self.finder = records, Finder(records)
        self.texts: dict[int, tuple[str, str]] = {}
        self.copies: Counter[int] = Counter()
        self.seen = leave_out
        self.read = 0
        self.skipped: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.notes: dict[str, tuple[int, tuple[str, ...]]] = {}

    def folder(self, folder: Path, advance: Callable[[int], object] | None) -> None:
        root = folder.resolve()

        def name(path: Path) -> str:
            return f"{root.name}/{path.relative_to(root).as_posix()}" if path.is_relative_to(root) else path.name

        for path in walk(root, lambda path, reason: _count(self.skipped, reason, name(path))):
            if path in self.seen:
                continue
            self.seen.add(path)
            self.file(path, name(path))
            if advance:
                advance(self.read)

    def file(self, path: Path, place: str) -> None:
        notes: Counter[str] = Counter()
        here: set[int] = set()
        try:
            for document in documents(path, notes):
                for index, text in self.finder.find(document):
                    if index not in here:
                        here.add(index)
                        self.copies[index] += index in self.texts
                        self.texts.setdefault(index, (text, place))
        except SkippedError as error:
            _count(self.skipped, str(error), place)
        else:
            self.read += 1
        for reason, number in notes.items():
            _count(self.notes, reason, place, number)

    def report(self, output: str, missing: str) -> RebuildReport:
        wanted = Counter(record.source or "(none)" for record in self.records)
        found: Counter[str] = Counter()
        copies: Counter[str] = Counter()
        files: dict[str, set[str]] = defaultdict(set)
        for index, (_, place) in self.texts.items():
            source = self.records[index].source or "(none)"
            found[source] += 1
            copies[source] += self.copies[index]
            files[source].add(place)
        return RebuildReport(
            wanted=len(self.records),
            found=len(self.texts),
            files_read=self.read,
            sources={
                source: SourceCount(count, found[source], len(files[source]), copies[source])
                for source, count in sorted(wanted.items())
            },
            skipped=_findings(self.skipped),
            notes=_findings(self.notes),
            output=output,
            missing=missing,
        )


def _count(into: dict[str, tuple[int, tuple[str, ...]]], reason: str, place: str, number: int = 1) -> None:
    count, examples = into.get(reason, (0, ()))
    into[reason] = (count + number, examples if len(examples) == EXAMPLES else (*examples, place))


def _findings(counts: dict[str, tuple[int, tuple[str, ...]]]) -> tuple[Finding, ...]:
    return tuple(Finding(reason, count, examples) for reason, (count, examples) in sorted(counts.items()))
