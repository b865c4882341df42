"""CSV rows with the lines they stand on, and fields of any sensible length."""

from __future__ import annotations

import csv
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The longest CSV field that is read. Longer ones come from a quote that is never closed.
MAX_FIELD = 2**26


class Rows:
    """CSV rows, each with the line on which it starts; ``raw`` holds the lines of the last one.

    A malformed row comes as a text that says what is wrong with it. The parser is strict: it would otherwise take a
    quote that is never closed for a field that holds the rest of the file.
    """

    def __init__(self, lines: Iterable[str], kind: str, delimiter: str | None = None) -> None:
        self.lines = lines
        self.seen: list[str] = []
        delimiter = delimiter or ("\t" if kind == "tsv" else ",")
        self.reader = csv.reader(self.record_lines(), dialect="excel", delimiter=delimiter, strict=True)

    @property
    def raw(self) -> str:
        """The lines of the last row, as they are in the file."""
        return "".join(self.seen).rstrip("\r\n")

    def record_lines(self) -> Iterator[str]:
        """The lines, each remembered on its way to the parser."""
        for line in self.lines:
            self.seen.append(line)
            yield line

    def __iter__(self) -> Iterator[tuple[int, list[str] | str]]:
        while True:
            self.seen.clear()
            start = self.reader.line_num + 1
            try:
                with wide_fields:
                    row = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield start, self.explain(str(error), start)
            else:
                yield start, row

    def explain(self, error: str, start: int) -> str:
        """What the parser's error means."""
        if "unexpected end of data" in error or "field larger" in error:
            return f"a quoted field is never closed (the row starts on line {start})"
        if "expected after" in error:
            return f"text follows a closing quote on line {self.reader.line_num}; write a quote in a field twice"
        return f"malformed row: {error}"


class WideFields:
    """Raises the longest field that `csv` accepts (128 KiB) while a row is parsed, and only then.

    The limit is one number for the whole process. Raising it at import would change how other parts of a program read
    their files; raising it per reader would restore it too early when two readers, or two threads, are at work. So
    users are counted: the first one in raises it, the last one out restores it, unless somebody else changed it since.
    """

    def __init__(self) -> None:
        self.lock, self.users, self.before = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self.lock:
            if self.users == 0:
                self.before = csv.field_size_limit()
                csv.field_size_limit(max(MAX_FIELD, self.before))
            self.users += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0 and csv.field_size_limit() == max(MAX_FIELD, self.before):
                csv.field_size_limit(self.before)


wide_fields = WideFields()
