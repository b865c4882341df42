"""Reading records: nothing lost."""

from __future__ import annotations

import csv
import io
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from files import SUFFIXES, put

from fimi_nlp.errors import InputError
from fimi_nlp.records import BadRecord, Record, open_writer, read_records

if TYPE_CHECKING:
    from pathlib import Path


def good(path: Path | str, **options: Any) -> list[Record]:
    found = list(read_records(path, **options))
    assert all(isinstance(record, Record) for record in found), found
    return [record for record in found if isinstance(record, Record)]


def data(path: Path | str, **options: Any) -> list[dict[str, Any]]:
    return [record.data for record in good(path, **options)]


def bad(path: Path, **options: Any) -> BadRecord:
    (record,) = [record for record in read_records(path, **options) if isinstance(record, BadRecord)]
    return record


def write(path: Path | str, records: list[dict[str, Any]], **options: Any) -> None:
    with open_writer(path, **options) as writer:
        for record in records:
            writer.write(record)


def feed(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))


def test_text_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", "one\r\n\n  two \nlast")
    assert [(r.number, r.data, r.place) for r in good(path)] == [
        (1, {"text": "one"}, "a.txt, line 1"),
        (2, {"text": ""}, "a.txt, line 2"),
        (3, {"text": "  two "}, "a.txt, line 3"),
        (4, {"text": "last"}, "a.txt, line 4"),
    ]


def test_a_line_separator_inside_json_does_not_end_the_line(tmp_path: Path) -> None:
    path = put(tmp_path, "a.ndjson", '{"text": "one\u2028two"}\n\n{"text": "three", "n": NaN}\n')
    assert [(r.number, r.data["text"], r.place) for r in good(path)] == [
        (1, "one\u2028two", "a.ndjson, line 1"),
        (2, "three", "a.ndjson, line 3"),
    ]
    assert data(path)[1]["n"] is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a" "b"}', "not valid JSON: Expecting ',' delimiter (column 14)"),
        ('{"text": "a", "n": Infinity}', "not usable JSON: Infinity is no JSON number"),
        ("[" * 100_000, "not usable JSON: "),
        ('["a"]', 'not a JSON object but the list ["a"]'),
        ('{"tekst": "a"}', "no 'text'. Did you mean 'tekst'?"),
        ("{}", "no 'text': the record is empty"),
        ('{"text": null}', "'text' must be text, not null"),
        ('{"text": 5}', "'text' must be text, not the number 5"),
        ('{"text": true}', "'text' must be text, not the boolean true"),
        ('{"text": {"a": 1}}', "'text' must be text, not the object {\"a\": 1}"),
    ],
)
def test_a_bad_json_line_is_told_and_kept(tmp_path: Path, line: str, reason: str) -> None:
    path = put(tmp_path, "a.jsonl", f'{{"text": "before"}}\n{line}\n{{"text": "after"}}\n')
    found = list(read_records(path))
    assert [type(record) for record in found] == [Record, BadRecord, Record]
    record = bad(path)
    assert (record.number, record.place, record.raw) == (2, "a.jsonl, line 2", line)
    assert record.reason.startswith(reason)


def test_csv_places_are_physical_lines(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", 'id,text\n1,"two\nlines, and a ""quote"""\n\n2,plain\n')
    assert [(r.number, r.data, r.place) for r in good(path)] == [
        (1, {"id": "1", "text": 'two\nlines, and a "quote"'}, "a.csv, line 2"),
        (2, {"id": "2", "text": "plain"}, "a.csv, line 5"),
    ]


@pytest.mark.parametrize(
    ("row", "reason", "raw"),
    [
        ("1,a,b", "3 fields where the header has 2", "1,a,b"),
        ("1", "1 field where the header has 2", "1"),
        ('1,"a"b', "text follows a closing quote on line 3", '1,"a"b'),
    ],
)
def test_a_bad_csv_row_is_told_and_kept(tmp_path: Path, row: str, reason: str, raw: str) -> None:
    path = put(tmp_path, "a.csv", f"id,text\n0,before\n{row}\n2,after\n")
    record = bad(path)
    assert (record.number, record.place, record.raw) == (2, "a.csv, line 3", raw)
    assert record.reason.startswith(reason)
    assert len(list(read_records(path))) == 3


def test_a_quote_that_is_never_closed_swallows_nothing_silently(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", 'id,text\n0,fine\n1,"open\n2,x\n3,y\n')
    record = bad(path)
    assert record.reason == "a quoted field is never closed (the row starts on line 3)"
    assert record.raw == '1,"open\n2,x\n3,y'


def test_long_csv_fields_are_read_and_the_limit_of_the_process_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "word " * 100_000
    path = put(tmp_path, "a.csv", f'text\n"{long}"\nshort\n')
    reader = read_records(path)
    first = next(reader)
    assert isinstance(first, Record)
    assert first.data["text"] == long
    assert csv.field_size_limit() == before  # also while a reader is half way
    assert len(list(reader)) == 1


def test_the_csv_limit_survives_threads(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = put(tmp_path, "a.csv", "text\n" + f'"{"x" * 200_000}"\n' * 20)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            assert len(good(path)) == 20
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, suffix: str) -> None:
    content = {"txt": "hello", "jsonl": '{"text": "hello"}', "csv": "text\nhello\n"}[suffix]
    assert data(put(tmp_path, f"a.{suffix}", b"\xef\xbb\xbf" + content.encode())) == [{"text": "hello"}]


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", b"caf\xc3\xa9\ncaf\xe9\n")
    with pytest.raises(InputError, match=r"byte 9 of the file \(line 2, byte 4 of it\) is 0xe9\. .*iconv -f"):
        list(read_records(path))
    with pytest.raises(InputError, match="byte order mark of UTF-16"):
        list(read_records(put(tmp_path, "b.txt", "hello".encode("utf-16"))))


def test_columns_choose(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "one", "note": "x"}]
    for suffix in SUFFIXES:
        write(tmp_path / f"a.{suffix}", rows)
        assert data(tmp_path / f"a.{suffix}", columns=["id"]) == [{"text": "one", "id": "a"}]
    with pytest.raises(InputError, match=r"no column 'note2'.*Did you mean 'note'"):
        read_records(tmp_path / "a.parquet", columns=["note2"])
    assert data(put(tmp_path, "b.jsonl", '{"a": 1}'), text_column=None) == [{"a": 1}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,tekst\n", "a.csv has no column 'text'; it has id, tekst. Did you mean 'tekst'"),
        ("b.csv", "id;text\n1;a\n", "It seems to be separated by ';'"),
        ("c.csv", "", "c.csv has no header"),
        ("d.csv", "text,text\n", "column 'text' stands twice"),
        ("e.doc", "x", "unknown suffix '.doc'"),
        ("f", "x", "no suffix that says its format"),
        ("g.parquet", "x", "not a Parquet file"),
        ("h.csv", '"te"xt\n', "the header is malformed"),
    ],
)
def test_faults_of_the_file_are_told_at_once(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = put(tmp_path, name, content)
    with pytest.raises(InputError) as caught:
        read_records(path)
    assert message in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    put(tmp_path, "posts.jsonl", "")
    with pytest.raises(InputError, match=r"no such file. Did you mean 'posts.jsonl'"):
        read_records(tmp_path / "post.jsonl")
    with pytest.raises(InputError, match="is a folder"):
        read_records(tmp_path, format="csv")
    with pytest.raises(InputError, match=r"Unknown format 'jsnl'.*Did you mean 'jsonl'"):
        read_records(tmp_path / "posts.jsonl", format="jsnl")


def test_parquet_texts_are_checked(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [{"text": "one"}, {"text": None}, {"text": "three"}])
    record = bad(tmp_path / "a.parquet")
    assert (record.number, record.place, record.raw) == (2, "a.parquet, row 2", '{"text": null}')
    write(tmp_path / "b.parquet", [{"text": 1}])
    with pytest.raises(InputError, match="column 'text' holds int64, not text"):
        read_records(tmp_path / "b.parquet")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, '{"text": "one"}\n')
    assert [(r.data, r.place) for r in good("-")] == [({"text": "one"}, "standard input, line 1")]
    feed(monkeypatch, "one\ntwo\n")
    assert data("-", format="txt") == [{"text": "one"}, {"text": "two"}]
    feed(monkeypatch, "id,text\n1,a\n")
    assert data("-", format="csv") == [{"id": "1", "text": "a"}]
    with pytest.raises(InputError, match="Parquet cannot be read"):
        read_records("-", format="parquet")
