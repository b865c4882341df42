"""What a corpus covers, as counts, text and picture."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from fimi_nlp.data import Corpus, Passage, coverage
from fimi_nlp.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

US, NATO = "us_democracy", "nato_alliances"
CORPUS = Corpus(
    [
        Passage("a", "One.", {US: "decline"}, stance="asserts", kind="post", extra={"voice": "first"}),
        Passage("b", "Two.", {US: None, NATO: "vassals"}, stance="counters", kind="post"),
        Passage("c", "Three.", {}, stance="none", kind="news", extra={"voice": "$third$"}),
        Passage("d", "Four.", None, kind="news"),
        Passage("e", "Five.", {US: "decline"}, stance="asserts", kind="post"),
    ]
)


def test_counts_and_tables() -> None:
    report = coverage(CORPUS, by=("narrative", "sub", "stance", "kind", "voice"))
    assert report.passages == 5
    assert report.counts["narrative"] == {
        US: 3, NATO: 1, "multipolarity": 0, "western_hypocrisy": 0, "(none)": 1, "(not annotated)": 1,
    }  # fmt: skip
    assert report.counts["sub"][f"{US}/decline"] == 2
    assert report.counts["sub"][f"{US}/(not annotated)"] == 1
    assert report.counts["voice"] == {"first": 1, "$third$": 1, "(not known)": 3}
    tables = {(table.rows, table.columns): table for table in report.tables}
    assert list(tables) == [
        ("narrative", "stance"), ("sub", "stance"), ("kind", "stance"), ("voice", "stance"),
        ("kind", "narrative"), ("voice", "narrative"),
    ]  # fmt: skip
    narrative = tables["narrative", "stance"]
    assert narrative.column_values == ("asserts", "relays", "counters")
    assert narrative.counts[:2] == ((2, 0, 1), (0, 0, 1))
    assert tables["kind", "narrative"].row_values == ("post", "news")
    assert tables["kind", "narrative"].counts == ((3, 1, 0, 0, 0), (0, 0, 0, 0, 1))
    assert sum(map(sum, tables["kind", "stance"].counts)) == 4


def test_what_is_missing_is_named_once() -> None:
    report = coverage(CORPUS, by=("narrative", "stance", "kind"))
    assert "narrative=multipolarity" in report.empty
    assert "stance=relays" in report.empty
    assert "narrative=nato_alliances, stance=asserts" in report.empty
    assert "kind=news, narrative=us_democracy" in report.empty
    assert not [name for name in report.empty if "multipolarity," in name or "stance=relays" in name.split(", ")[1:]]
    assert report.lines()[-1] == f"  {report.empty[-1]}"


def test_evenness() -> None:
    even = Corpus(Passage(f"p{i}", "Text.", kind=["post", "news"][i % 2], lang="en") for i in range(8))
    report = coverage(even, by=("kind", "lang"))
    assert report.evenness["kind"] == pytest.approx(1.0)
    assert math.isnan(report.evenness["lang"])
    assert 0 < coverage(CORPUS, by=("kind",)).evenness["kind"] < 1
    assert coverage(even[:0], by=("narrative",)).passages == 0


def test_text_and_json() -> None:
    report = coverage(CORPUS)
    lines = report.lines()
    assert lines[0] == "5 passages"
    start = next(i for i, line in enumerate(lines) if line.startswith("kind \\ stance"))
    assert lines[start + 1].split() == ["post", "2", "0", "1", "0"]
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["tables"][0]["counts"][US] == {"asserts": 2, "relays": 0, "counters": 1}
    assert data["empty"] == list(report.empty)


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    report = coverage(CORPUS, by=("narrative", "stance", "voice"))
    report.plot(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    report.plot(tmp_path / "picture.svg")
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    assert dict(mpl.rcParams) == before
    with pytest.raises(InputError, match=r"Cannot draw 'picture.xyz'"):
        report.plot(tmp_path / "picture.xyz")
    with pytest.raises(InputError, match="cannot be written"):
        report.plot(tmp_path / "nowhere" / "picture.png")


def test_bad_columns_are_named() -> None:
    with pytest.raises(InputError, match=r"no column 'stanse'. Did you mean 'stance'"):
        coverage(CORPUS, by=("stanse",))
    many = Corpus(Passage(f"p{i}", "Text.", extra={"ref": i}) for i in range(101))
    with pytest.raises(InputError, match="'ref' has 101 values"):
        coverage(many, by=("ref",))
