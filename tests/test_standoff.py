"""Stand-off records: what the hash forgives, what a record holds, and that it holds no text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from files import FIXTURES_OK, put
from hypothesis import given
from hypothesis import strategies as st

from fimi_nlp.data import Corpus, Passage, StandoffRecord, read_standoff, text_hash, to_standoff
from fimi_nlp.errors import CorpusError, InputError

FILE = Path(__file__).parent.parent / "training" / "standoff" / "passages.parquet"
TEXT = "The alliance, they say, drags small countries into wars that are not theirs."
TITLE = "Remarks at the opening of the annual meeting of port authorities"

letters = st.text(alphabet="abcdefghijklmnopqrstuvwxyzäéßñøçł0123456789", min_size=1, max_size=9)
between = st.sampled_from(
    [" ", "\n", "  ", "\u00a0", ", ", " - ", " — ", ". ", "... ", "? ", " “", "” ", "; ", " / ", "_"]
)


def corpus(**fields: Any) -> Corpus:
    return Corpus([Passage("a", TEXT, {"nato_alliances": "vassals"}, stance="asserts", origin="other", **fields)])


def stored(tmp_path: Path, passages: Corpus, **options: Any) -> list[StandoffRecord]:
    to_standoff(passages, tmp_path / "records.jsonl", **options)
    return read_standoff(tmp_path / "records.jsonl")


# ------------------------------------------------------------------------------------------------------------- hash


@given(st.lists(letters, min_size=1, max_size=20), st.data())
def test_the_hash_is_of_the_words_alone(words: list[str], data: st.DataObject) -> None:
    plain = text_hash(" ".join(words))
    assert re.fullmatch("[0-9a-f]{64}", plain)
    marked = "".join(f"{word}{data.draw(between)}" for word in words)
    assert text_hash(marked) == plain
    assert text_hash(marked.upper()) == plain
    assert text_hash(f"«{marked}»!") == plain
    assert text_hash(f"{' '.join(words)} more") != plain


@pytest.mark.parametrize(
    "other",
    [
        "the alliance they say drags small countries into wars that are not theirs",
        "The <b>alliance</b>, they&nbsp;say, drags <a href='https://example.org/a'>small</a> countries into wars"
        "<br>that are not theirs.",
        "The alliance, they say (https://example.org/a?b=c&d), drags small countries into wars that are not theirs.",
        "The alli\u00adance, they\u200b say,\r\n\tdrags small countries into wars that are not theirs…",
        "Ｔhe ａlliance &mdash; they say &mdash; drags small countries into wars that are not theirs",
        "The alliance, they say, drags small countries into wars that are not theirs. &amp;lt;br&amp;gt;",
    ],
)
def test_markup_does_not_change_the_hash(other: str) -> None:
    assert text_hash(other) == text_hash(TEXT)


def test_handles_are_one_word_whatever_their_name() -> None:
    first = text_hash("@one says that @two_three was there. Ask me@four.example")
    assert first == text_hash("@user says that @user was there. Ask me@user.example")
    assert first == text_hash("user says that user was there ask me user example")
    assert first != text_hash("says that was there ask me example")


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert text_hash("caf\u00e9 na\u00efve") == text_hash("CAFE\u0301 nai\u0308ve")


def test_other_words_have_another_hash() -> None:
    others = {"", TEXT, TEXT.replace("not ", ""), TEXT.replace("small countries", "countries small"), f"{TEXT} So."}
    assert len({text_hash(text) for text in others}) == len(others)


# ---------------------------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_records_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    passages = Corpus(
        [
            Passage("a", TEXT, {"nato_alliances": "vassals"}, unsure=frozenset({"nato_alliances"}), stance="asserts"),
            Passage("b", "Nothing of note here.", {}, frozenset({"multipolarity"}), source="x", group="x:1", lang="en"),
            Passage(
                "c", "Not labelled at all.", origin="china", extra={"ref": "r-17", "note": TEXT}, date="2024-01-02"
            ),
            Passage("d", "???", {"us_democracy": None}, stance="relays", split="dev", kind="post"),
        ]
    )
    path = tmp_path / f"records.{suffix}"
    to_standoff(passages, path)
    records = read_standoff(path)
    for passage, record in zip(passages, records, strict=True):
        back = record.passage(passage.text)
        for key in (
            "id",
            "narratives",
            "not_annotated",
            "unsure",
            "stance",
            "origin",
            "source",
            "kind",
            "date",
            "split",
        ):
            assert getattr(back, key) == getattr(passage, key), key
        assert record.sha256 == text_hash(passage.text)
    assert [record.words for record in records] == [13, 4, 4, 0]
    assert [record.group for record in records] == ["a", "x:1", "c", "d"]
    assert records[2].ref == "r-17"
    assert all(0 <= record.start < 2**32 for record in records)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_no_text_is_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"records.{suffix}"
    to_standoff(corpus(group=f"speeches:{TITLE}", extra={"ref": TITLE, "comment": TEXT, "text_": TEXT}), path)
    data = path.read_bytes()
    assert b"drags" not in data
    assert b"authorities" not in data
    (record,) = read_standoff(path)
    assert record.ref is not None
    assert re.fullmatch(r"Remarks at the opening of the~[0-9a-f]{12}", record.ref)
    assert set(record.to_dict()) >= {"sha256", "words", "start", "version"}


def test_groups_that_are_titles_or_persons_become_a_hash(tmp_path: Path) -> None:
    passages = Corpus(
        [
            Passage("a", TEXT, source="speeches", group="speeches:Opening of a meeting"),
            Passage("b", TEXT, source="speeches", group="speeches:Opening of a meeting"),
            Passage("c", TEXT, source="speeches", group="speeches:opening-of-the-annual-meeting-of-ports"),
            Passage("d", TEXT, source="speeches", group="speeches:2024-05-01_p3"),
            Passage("e", TEXT, source="tweets", group="tweets:somebody"),
            Passage("f", TEXT, source="forum", group="forum:somebody"),
        ]
    )
    groups = [record.group for record in stored(tmp_path, passages)]
    assert groups[0] == groups[1] != groups[2]
    assert all(re.fullmatch(r"(speeches|tweets)~[0-9a-f]{12}", groups[i] or "") for i in (0, 2, 4))
    assert groups[3] == "speeches:2024-05-01_p3"
    assert groups[5] == "forum:somebody"
    groups = [record.group for record in stored(tmp_path, passages, private=["forum"])]
    assert (groups[4], (groups[5] or "")[:6]) == ("tweets:somebody", "forum~")


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not written as '.csv'.*Use .jsonl"):
        to_standoff(corpus(), tmp_path / "records.csv")
    with pytest.raises(InputError, match=r"may hold text.*short id"):
        to_standoff(Corpus([Passage(TEXT, TEXT)]), tmp_path / "records.jsonl")
    assert not list(tmp_path.iterdir())


def test_every_fault_of_a_record_is_named(tmp_path: Path) -> None:
    good = {"id": "a", "sha256": text_hash(TEXT), "words": 13, "start": 7, "version": 1}
    bad: list[dict[str, Any]] = [
        {"sha256": "12"},
        {"words": "many"},
        {"start": -1},
        {"start": 2**32},
        {"version": 2},
        {"ref": 5},
        {"text": TEXT},
    ]
    lines = [json.dumps({**good, **change, "id": f"r{i}"}) for i, change in enumerate(bad)]
    path = put(tmp_path, "records.jsonl", "\n".join(lines))
    with pytest.raises(CorpusError) as caught:
        read_standoff(path)
    faults = ["sha256", "words", "start", "start", "version", "ref", "text"]
    assert [problem.field for problem in caught.value.problems] == faults
    assert "records.jsonl, line 1: sha256: must be 64" in str(caught.value)
    path.write_text(json.dumps({**good, "stance": "assert"}))
    with pytest.raises(CorpusError, match="Did you mean 'asserts'"):
        read_standoff(path)


@FIXTURES_OK
@given(st.lists(st.text(max_size=60).filter(str.strip), max_size=5))
def test_any_text_has_a_record(tmp_path: Path, texts: list[str]) -> None:
    passages = Corpus(Passage(f"p{number}", text) for number, text in enumerate(texts))
    records = stored(tmp_path, passages)
    assert [record.sha256 for record in records] == [text_hash(text) for text in texts]


def test_the_records_of_the_training_passages_are_sound() -> None:
    records = read_standoff(FILE)
    assert len(records) == len({record.id for record in records}) == len({record.sha256 for record in records})
    assert {record.split for record in records} == {"train", "dev", "dev_new_sources"}
    splits: dict[str, set[str]] = {}
    for record in records:
        splits.setdefault(record.group or "", set()).add(record.split or "")
    assert all(len(found) == 1 for found in splits.values())
    assert min(record.words for record in records) >= 5
    names = re.compile(r"(?<![^\W_])[^\W\d_]{2,}(?![^\W_])")
    for record in records:
        values = [value for value in record.to_dict().values() if isinstance(value, str)]
        assert all(len(names.findall(value)) <= 7 for value in values)
        assert not re.search(r"\s", record.group or "")


@pytest.mark.parametrize(
    ("name", "count"), [("further", 4198), ("uncertain", 6896), ("doubted", 2157), ("unread", 15204)]
)
def test_the_further_records_are_sound(name: str, count: int) -> None:
    records, further = read_standoff(FILE), read_standoff(FILE.parent / f"{name}.parquet")
    assert len(further) == count
    assert not {record.id for record in records} & {record.id for record in further}
    assert {record.split for record in further} == {name}
    # What is new may be trained on: it shares no document with what models are judged by.
    judged = {record.group for record in records if record.split != "train"}
    assert not judged & {record.group for record in further}


def test_the_readings_are_of_known_passages_and_hold_no_text() -> None:
    ids = {record.id for record in read_standoff(FILE)}
    readings = [json.loads(line) for line in (FILE.parent / "readings.jsonl").read_text().splitlines()]
    assert {reading["set"] for reading in readings} == {"control", "control_uncertain", "control_doubted", "suspects"}
    assert {reading["id"] for reading in readings} <= ids
    assert all("text" not in reading for reading in readings)
