"""The texts in a folder of files of many kinds: read, never run, one document in memory at a time.

=============================================  ======================================================================
``.txt`` and other plain text, no suffix       as it is
``.md``                                        front matter apart, links and emphasis reduced to their text
``.html``, ``.xml``                            without scripts, styles and comments
``.csv``, ``.tsv``                             every cell, row by row
``.json``, ``.jsonl``                          every text value, in order
any of them with ``.gz``                       unpacked on the way
=============================================  ======================================================================

Text is UTF-8 or UTF-16 with a byte order mark; lines that are neither are read as Windows-1252.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fimi_nlp._record_csv import Rows
from fimi_nlp.data._markup import plain_html, plain_markdown

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

#: The most bytes of a file that is read as a whole, or of one line of any other.
MOST = 2**30
#: Rows are searched together, in pieces of as many characters.
PIECE = 2**17

_TEXT = dict.fromkeys((".txt", ".text", ".rst", ".srt", ".vtt", ".yaml", ".yml", ".tex"), "text")
_KINDS = _TEXT | {
    **dict.fromkeys((".md", ".markdown", ".mdx", ".qmd", ".rmd"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml", ".xml", ".rss"), "html"),
    **dict.fromkeys((".jsonl", ".ndjson", ".jl"), "jsonl"),
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    "": "unknown",
}
# Feeds keep the headline and the text of an entry in two fields; corpora often join them.
_HEADS = ("title", "headline")
_BODIES = ("description", "summary", "subtitle", "text", "content", "body", "selftext")


class SkippedError(Exception):
    """A file is not read, or not to its end; says why."""


def walk(folder: Path, skip: Callable[[Path, str], None]) -> Iterator[Path]:
    """The regular files of a folder, in a fixed order. Links are not followed, version control is passed over."""

    def failed(error: OSError) -> None:
        skip(Path(str(error.filename)), f"folder cannot be read: {error.strerror}")

    for root, folders, files in os.walk(folder, onerror=failed):
        here = Path(root)
        for name in [name for name in folders if (here / name).is_symlink()]:
            folders.remove(name)
            skip(here / name, "symbolic link")
        folders[:] = sorted(name for name in folders if name not in {".git", ".hg", ".svn"})
        for name in sorted(files):
            path = here / name
            try:
                mode = path.lstat().st_mode
            except OSError as error:
                skip(path, f"cannot be read: {error.strerror}")
                continue
            if stat.S_ISREG(mode):
                yield path
            else:
                skip(path, "symbolic link" if stat.S_ISLNK(mode) else "no regular file")


def documents(path: Path, notes: Counter[str]) -> Iterator[str]:
    """The texts of a file.

    Parameters
    ----------
    path : Path
        A regular file.
    notes : Counter
        Gets, per reason, how many rows or lines had to be read in another way.

    Raises
    ------
    SkippedError
        The file is of no known kind, binary, too large or damaged. Texts may have come before.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = next(iter(suffixes[-2:-1] if packed else suffixes[-1:]), "")
    kind = _KINDS.get(suffix)
    if kind is None:
        raise SkippedError(f"unknown suffix '{suffix}'")
    try:
        with path.open("rb") as raw:
            source = gzip.GzipFile(fileobj=raw) if packed else raw
            yield from _READERS[kind](_Lines(source, notes), notes)
    except OSError as error:
        raise SkippedError(f"cannot be read: {error.strerror or 'not a gzip file, or damaged'}") from error
    except (EOFError, zlib.error) as error:
        raise SkippedError("cannot be read: the packed file is damaged") from error


class _Lines:
    """The lines of a file, decoded."""

    def __init__(self, source: io.BufferedIOBase, notes: Counter[str]) -> None:
        self.source, self.notes = io.BufferedReader(cast("io.RawIOBase", source)), notes

    def __iter__(self) -> Iterator[str]:
        head = self.source.peek(8192)[:8192]
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            yield from io.TextIOWrapper(self.source, encoding="utf-16", errors="replace", newline="\n")
            return
        if b"\0" in head:
            raise SkippedError("binary")
        if head.startswith(b"\xef\xbb\xbf"):
            self.source.read(3)
        while line := self.source.readline(MOST):
            if len(line) == MOST:
                raise SkippedError(f"a line has more than {MOST >> 20} MiB")
            yield self.decoded(line)

    def decoded(self, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            self.notes["lines that are not UTF-8, read as Windows-1252"] += 1
            return line.decode("cp1252", errors="replace")

    def whole(self) -> str:
        """All of it in one text."""
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if size > MOST:
                raise SkippedError(f"more than {MOST >> 20} MiB in one document")
        return "".join(lines)


def _text(lines: _Lines, _: Counter[str]) -> Iterator[str]:
    yield lines.whole()


def _markdown(lines: _Lines, _: Counter[str]) -> Iterator[str]:
    yield from plain_markdown(lines.whole())


def _html(lines: _Lines, _: Counter[str]) -> Iterator[str]:
    yield plain_html(lines.whole())


def _csv(lines: _Lines, notes: Counter[str]) -> Iterator[str]:
    rest = iter(lines)
    header = next(rest, "")
    # Under this suffix, spreadsheets of many countries separate by semicolons.
    delimiter = max(",;\t|", key=header.count)
    yield from _pieces(_rows(Rows(itertools.chain([header], rest), "csv", delimiter), notes))


def _tsv(lines: _Lines, notes: Counter[str]) -> Iterator[str]:
    yield from _pieces(_rows(Rows(lines, "tsv"), notes))


def _json(lines: _Lines, notes: Counter[str]) -> Iterator[str]:
    text = lines.whole()
    try:
        values = [json.loads(text)]
    except (ValueError, RecursionError):
        # Some programs write one object a line under this suffix.
        yield from _pieces(_json_lines(text.split("\n"), notes))
        return
    del text
    yield from _pieces(_strings(values))


def _jsonl(lines: _Lines, notes: Counter[str]) -> Iterator[str]:
    yield from _pieces(_json_lines(lines, notes))


def _unknown(lines: _Lines, notes: Counter[str]) -> Iterator[str]:
    """A file without a suffix: what it looks like."""
    text = lines.whole()
    start = text[:1024].lstrip()
    if start.startswith("<"):
        yield plain_html(text)
    elif start.startswith(("{", "[")):
        yield from _pieces(_json_lines([text], notes))
    else:
        yield text


_READERS: dict[str, Callable[[_Lines, Counter[str]], Iterator[str]]] = {
    "text": _text,
    "markdown": _markdown,
    "html": _html,
    "csv": _csv,
    "tsv": _tsv,
    "json": _json,
    "jsonl": _jsonl,
    "unknown": _unknown,
}


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """Texts put together into pieces of a size that is searched fast."""
    piece: list[str] = []
    size = 0
    for text in texts:
        piece.append(text)
        size += len(text)
        if size >= PIECE:
            yield "\n\n".join(piece)
            piece, size = [], 0
    if piece:
        yield "\n\n".join(piece)


def _rows(rows: Rows, notes: Counter[str]) -> Iterator[str]:
    header: list[str] | None = None
    for _, row in rows:
        if isinstance(row, str):
            notes["malformed rows, searched as plain text"] += 1
            yield rows.raw
            continue
        yield "\n".join(row)
        if header is None:
            header = [name.strip().lower() for name in row]
        else:
            yield from _entries(dict(zip(header, row, strict=False)))


def _json_lines(lines: Iterable[str], notes: Counter[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            notes["lines or files that are not valid JSON, searched as plain text"] += 1
            yield line
        else:
            yield from _strings([value])


def _strings(values: list[Any]) -> Iterator[str]:
    """Every text in JSON values, in their order; not recursive, so that depth does not matter."""
    stack = values[::-1]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _entries(value)
            stack.extend(reversed(value.values()))
        elif isinstance(value, list):
            stack.extend(reversed(value))


def _entries(record: dict[str, Any]) -> Iterator[str]:
    """Headline and text of one entry, put together."""
    heads = [value for name in _HEADS if isinstance(value := record.get(name), str) and value]
    bodies = [value for name in _BODIES if isinstance(value := record.get(name), str) and value]
    for head in heads:
        for body in bodies:
            yield f"{head}\n{body}"
