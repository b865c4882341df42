"""Writing records: whole or not at all."""

from __future__ import annotations

import datetime
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from files import FIXTURES_OK, SUFFIXES, put
from hypothesis import given
from hypothesis import strategies as st

from fimi_nlp.errors import InputError
from fimi_nlp.records import Record, arrow_schema, open_writer, read_records

if TYPE_CHECKING:
    from pathlib import Path


def data(path: Path | str, **options: Any) -> list[dict[str, Any]]:
    found = list(read_records(path, **options))
    assert all(isinstance(record, Record) for record in found), found
    return [record.data for record in found if isinstance(record, Record)]


def write(path: Path | str, records: list[dict[str, Any]], **options: Any) -> None:
    with open_writer(path, **options) as writer:
        for record in records:
            writer.write(record)


plain_text = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
plain_values = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | plain_text


@FIXTURES_OK
@given(st.lists(st.fixed_dictionaries({"text": plain_text, "b": plain_text, "a": plain_text}), min_size=1, max_size=6))
def test_texts_survive_every_format(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"a.{suffix}"
        write(path, records)
        assert data(path) == records
        assert list(data(path)[0]) == list(records[0])


@FIXTURES_OK
@given(st.lists(st.dictionaries(st.sampled_from("abc"), plain_values | st.lists(plain_values)), max_size=6))
def test_json_values_survive_jsonl(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    def finite(value: Any) -> Any:
        if isinstance(value, list):
            return [finite(item) for item in value]
        return None if value in (float("inf"), float("-inf")) else value

    path = tmp_path / "a.jsonl"
    write(path, records)
    expected = [{key: finite(value) for key, value in record.items()} for record in records]
    assert data(path, text_column=None) == expected


@FIXTURES_OK
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), plain_values, min_size=1), min_size=1, max_size=8))
def test_parquet_holds_records_of_any_shape(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    path = tmp_path / "a.parquet"
    write(path, records)
    found = data(path, text_column=None)
    assert len(found) == len(records)
    for record, row in zip(records, found, strict=True):
        for key, value in record.items():
            same = row[key] == value or (isinstance(row[key], str) and json.loads(row[key]) == value)
            assert same or value in (float("inf"), float("-inf"))


def test_parquet_widens_over_batches(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": "t", "n": 2**60 + 1, "m": 1, "late": None} for _ in range(1500)]
    rows += [{"text": "t", "n": 0.5, "m": 1.5, "late": "x", "new": {"a": [1]}} for _ in range(1500)]
    path = tmp_path / "a.parquet"
    write(path, rows)
    found = data(path)
    assert [found[0][key] for key in ("n", "m", "late", "new")] == [str(2**60 + 1), 1.0, None, None]
    assert [found[-1][key] for key in ("n", "m", "late", "new")] == ["0.5", 1.5, "x", '{"a": [1]}']
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.parquet"]


def test_parquet_keeps_the_types_of_the_input(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pairs = pa.list_(pa.struct([("label", pa.string()), ("sub", pa.string())]))
    schema = pa.schema([("text", pa.string()), ("n", pa.int16()), ("day", pa.date32()), ("pairs", pairs)])
    row = {"text": "t", "n": 5, "day": datetime.date(2024, 2, 3), "pairs": [{"label": "a", "sub": None}]}
    pq.write_table(pa.Table.from_pylist([row], schema), tmp_path / "in.parquet")
    hint = arrow_schema(tmp_path / "in.parquet")
    assert hint == schema
    records = data(tmp_path / "in.parquet")
    write(tmp_path / "out.parquet", [{**record, "confidence": 0.5} for record in records], schema=hint)
    assert pq.read_schema(tmp_path / "out.parquet") == schema.append(pa.field("confidence", pa.float64()))
    assert data(tmp_path / "out.parquet") == [{**row, "confidence": 0.5}]
    write(tmp_path / "none.parquet", [], schema=hint)
    assert pq.read_schema(tmp_path / "none.parquet") == schema
    # A struct would drop the keys that it lacks: such a column becomes JSON text.
    write(tmp_path / "more.parquet", [{"text": "t", "pairs": [{"label": "a", "probability": 0.9}]}], schema=hint)
    assert data(tmp_path / "more.parquet")[0]["pairs"] == '[{"label": "a", "probability": 0.9}]'
    assert arrow_schema(tmp_path / "a.csv") is None
    write(tmp_path / "out.jsonl", records)
    assert data(tmp_path / "out.jsonl")[0]["day"] == "2024-02-03"


def test_tables_hold_nested_values_as_json(tmp_path: Path) -> None:
    row = {"text": "t", "list": ["a", 1], "object": {"k": None}, "nothing": None, "yes": True}
    write(tmp_path / "a.csv", [row])
    assert (tmp_path / "a.csv").read_text() == ('text,list,object,nothing,yes\nt,"[""a"", 1]","{""k"": null}",,true\n')
    write(tmp_path / "a.parquet", [row])
    assert data(tmp_path / "a.parquet") == [
        {"text": "t", "list": '["a", 1]', "object": '{"k": null}', "nothing": None, "yes": True}
    ]


def test_csv_takes_late_columns(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = [{"a": "1\n2"}, {"b": "3", "a": "\r"}, {"c": "4"}]
    write(tmp_path / "a.csv", rows)
    assert data(tmp_path / "a.csv", text_column=None) == [
        {"a": "1\n2", "b": "", "c": ""},
        {"a": "\r", "b": "3", "c": ""},
        {"a": "", "b": "", "c": "4"},
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(InputError, match="Record 2 has a column 'b' that the header, already written, lacks"):
        write("-", rows, format="csv")


def test_half_a_surrogate_pair_does_not_stop_a_run(tmp_path: Path) -> None:
    row = {"text": "broken \ud83d"}
    write(tmp_path / "a.jsonl", [row])
    assert data(tmp_path / "a.jsonl") == [row]
    for suffix in ("csv", "parquet"):
        write(tmp_path / f"a.{suffix}", [row])
        assert data(tmp_path / f"a.{suffix}")[0]["text"].startswith("broken ")


@pytest.mark.parametrize("suffix", [*SUFFIXES, "txt"])
def test_a_failed_run_leaves_the_earlier_output_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = put(tmp_path, f"a.{suffix}", "earlier")
    with pytest.raises(KeyError), open_writer(path, line=str) as writer:  # noqa: PT012
        for number in range(3000):
            writer.write({"text": f"row {number}"})
        raise KeyError
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights and links")
def test_rights_and_links_stay(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl", "")
    path.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    write(link, [{"text": "t"}])
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert data(path) == [{"text": "t"}]
    with pytest.raises(InputError, match="no regular file"):
        open_writer("/dev/null", format="jsonl")


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    for path, message in (("no/such/a.csv", "no such folder"), ("a.doc", "unknown suffix"), (".", "no suffix")):
        with pytest.raises(InputError, match=message):
            open_writer(tmp_path / path if path != "." else path)
    with pytest.raises(InputError, match="needs a `line` function"):
        open_writer(tmp_path / "a.txt")
    with pytest.raises(InputError, match="Only a JSONL file can be resumed"):
        open_writer(tmp_path / "a.csv", resume=True)
    with pytest.raises(InputError, match="not open"):
        open_writer(tmp_path / "a.jsonl").write({})
    with pytest.raises(InputError, match="of type object has no JSON form"):
        write(tmp_path / "a.jsonl", [{"a": object()}])


def test_text_output_is_what_the_caller_makes_of_it(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", [{"text": "two\nlines", "label": "x"}], line=lambda r: f"{r['label']}\t{r['text']}")
    assert (tmp_path / "a.txt").read_text() == "x\ttwo\\nlines\n"


def test_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with open_writer("-") as writer:
        writer.write({"text": "grün"})
        assert capsysbinary.readouterr().out == '{"text": "grün"}\n'.encode()  # flushed at once
        writer.write({"text": "blau"})
    assert capsysbinary.readouterr().out == b'{"text": "blau"}\n'


def test_a_file_can_be_rewritten_in_place(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl", '{"text": "one"}\n{"text": "two"}\n')
    with open_writer(path) as writer:
        for number, row in enumerate(data(path), 1):
            writer.write({**row, "n": number})
    assert data(path) == [{"text": "one", "n": 1}, {"text": "two", "n": 2}]


@pytest.mark.parametrize("tail", [b"", b'{"text": "to', b'{"text": "torn"}', b"\0\0\0\n"])
def test_a_run_can_be_resumed(tmp_path: Path, tail: bytes) -> None:
    path, partial = tmp_path / "a.jsonl", tmp_path / "a.jsonl.partial"
    with pytest.raises(KeyboardInterrupt), open_writer(path, resume=True) as writer:  # noqa: PT012
        assert writer.written == 0
        writer.write({"text": "one"})
        writer.write({"text": "two"})
        raise KeyboardInterrupt
    assert not path.exists()
    partial.write_bytes(partial.read_bytes() + tail)
    with open_writer(path, resume=True) as writer:
        assert writer.written == 2
        writer.write({"text": "three"})
        assert writer.written == 3
    assert [row["text"] for row in data(path)] == ["one", "two", "three"]
    assert not partial.exists()
