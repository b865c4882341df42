"""Texts found again in files of every kind that the public sources have."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from files import FIXTURES_OK, put
from hypothesis import given
from hypothesis import strategies as st
from test_cli import run

from fimi_nlp.data import Corpus, Passage, RebuildReport, read_standoff, rebuild, text_hash, to_standoff
from fimi_nlp.data._search import Finder
from fimi_nlp.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from pathlib import Path

ONE = "The alliance, they say, drags small countries into wars that are not theirs."
TWO = "Ask @user about it: “Who paid for the bridge?” Nobody has answered that question so far."
BEFORE = "This line stands in front of it and has nothing to do with the matter."
AFTER = "And this one comes behind, about the weather on the coast."


class Bench:
    """A folder of sources, and the records that are looked for in it."""

    def __init__(self, folder: Path, *texts: str) -> None:
        self.sources = folder / "sources"
        self.sources.mkdir()
        self.records, self.out = folder / "records.jsonl", folder / "rebuilt.jsonl"
        labels: dict[str, str | None] = {"nato_alliances": "vassals"}
        passages = (
            Passage(f"p{i}", t, labels, source=f"s{i % 2}", extra={"ref": f"r{i}"}) for i, t in enumerate(texts)
        )
        to_standoff(Corpus(passages), self.records)

    def put(self, name: str, content: str | bytes) -> None:
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path.parent, path.name, content)

    def run(self) -> RebuildReport:
        return rebuild(self.records, [self.sources], self.out)

    def texts(self) -> dict[str, str]:
        self.run()
        return {passage.id: passage.text for passage in Corpus.read(self.out)}

    def missing(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out.parent / "rebuilt.jsonl.missing.jsonl").open()]


def table(delimiter: str = ",") -> str:
    target = io.StringIO()
    rows = [
        ["id", "title", "date", "content"],
        ["1", "x", "2020", f'{BEFORE}\n{ONE}\n{AFTER} "so"'],
        ["2", "", "", TWO],
    ]
    csv.writer(target, delimiter=delimiter).writerows(rows)
    return target.getvalue()


WRAPPED = f"{BEFORE}\n\n  {ONE}\n{AFTER}\n".replace(" small ", "\nsmall ").replace("wars ", "wars\r\n")
MARKDOWN = f"""---
title: "{BEFORE}"
tags: [a, b]
---
# A heading

> The *alliance*, they say, **drags** [small countries](https://example.org/small_(places)) into wars
> that are ![](map.png) not theirs.

Ask [@somebody](https://example.org/@somebody) about it: “Who paid for
the `bridge`?” Nobody has answered [that question][1] so far.

[1]: https://example.org/question "Title"
"""
PAGE = f"""<!doctype html><html><head><style>p {{ color: red }}</style><script>var a = "<p>{ONE}";</script></head>
<body><!-- {BEFORE} --><p>{BEFORE}</p><p>The <b>alliance</b>, they say, drags small&nbsp;countries
into wars<script>x()</script> that are not theirs.</p><p>Ask @somebody about it: &ldquo;Who paid for the bridge?&#8221;
Nobody has answered that question so far.</p></body></html>"""
NESTED = {"items": [{"meta": {"lines": [BEFORE, ONE]}, "n": 3}, [[{"deep": f"{TWO}\n{AFTER}"}]], None, True]}


# ---------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", f"{WRAPPED}\n{TWO}"),
        ("a.text", f"{ONE}{TWO}"),
        ("bom.txt", f"\ufeff{ONE}\n{TWO}"),
        ("wide.txt", f"{WRAPPED}\n{TWO}".encode("utf-16")),
        ("old.txt", f"{ONE}\nCaf\u00e9. {TWO}".encode("cp1252")),
        ("a.txt.gz", gzip.compress(f"{WRAPPED}\n{TWO}".encode())),
        ("A.MD", MARKDOWN),
        ("windows.md", MARKDOWN.replace("\n", "\r\n")),
        ("a.html", PAGE),
        ("cache/response_body", PAGE),
        ("a.xml", f"<rss><item><d>&lt;p&gt;{ONE}&lt;/p&gt;</d><d><![CDATA[{TWO}]]></d></item></rss>"),
        ("a.csv", table()),
        ("bom.csv", "\ufeff" + table()),
        ("semicolons.csv", table(";")),
        ("a.tsv", table("\t")),
        ("a.csv.gz", gzip.compress(table().encode())),
        ("broken.csv", f'id,text\n1,"{ONE}" more\n2,"{TWO}'),
        ("a.json", json.dumps(NESTED)),
        ("indented.json", json.dumps(NESTED, indent=2, ensure_ascii=False)),
        ("lines.json", f"{json.dumps({'a': ONE})}\n{json.dumps([TWO])}\n"),
        ("broken.json", '{"a": "' + ONE + '", "b": "' + TWO),
        ("a.jsonl", f"{json.dumps({'a': ONE})}\n\nnot json\n{json.dumps({'b': {'c': [TWO]}})}"),
        ("a.ndjson.gz", gzip.compress(f"{json.dumps(ONE)}\n{json.dumps(TWO)}".encode())),
    ],
)
def test_every_format_gives_its_texts(tmp_path: Path, name: str, content: str | bytes) -> None:
    bench = Bench(tmp_path, ONE, TWO)
    bench.put(name, content)
    found = bench.texts()
    assert {key: text_hash(text) for key, text in found.items()} == {"p0": text_hash(ONE), "p1": text_hash(TWO)}
    if not name.endswith(".json") and "broken" not in name:
        assert found == {"p0": ONE, "p1": TWO}
    assert bench.run().complete
    assert bench.missing() == []


def test_links_go_and_handles_become_user(tmp_path: Path) -> None:
    text = "Well, @user and @user met .@user there, and nobody took a note of it."
    bench = Bench(tmp_path, text)
    bench.put(
        "a.txt", "(x) Well, @one_two and @three met https://t.co/aB3 .@four there, and nobody took a note of it. x"
    )
    assert bench.texts() == {"p0": text}


def test_headline_and_text_of_an_entry_are_tried_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, f"{BEFORE} {ONE}", f"{AFTER}. {TWO}")
    entry = {"title": BEFORE, "link": "https://example.org", "date": "2020-01-01", "description": ONE}
    bench.put("feed.json", json.dumps({"entries": [entry]}))
    bench.put("feed.csv", f'Title,Date,Summary\n"{AFTER}",2020,"{TWO}"\n')
    assert bench.texts() == {"p0": f"{BEFORE} {ONE}", "p1": f"{AFTER} {TWO}"}


def test_a_passage_may_run_over_paragraphs_and_rows(tmp_path: Path) -> None:
    bench = Bench(tmp_path, f"{ONE} {AFTER}", f"{AFTER} {TWO}")
    bench.put("a.txt", f"{BEFORE}\n\n{ONE}\n\n{AFTER}\n\n{BEFORE}")
    bench.put("b.jsonl", json.dumps({"parts": [AFTER, TWO]}))
    assert bench.run().complete


# ------------------------------------------------------------------------------------------------- found or not found


def test_the_corpus_has_its_labels_and_the_rest_is_listed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ONE, TWO, "A passage that stands in no file of the folder at all.")
    bench.put("b/two.txt", f"{TWO}\n{ONE}")
    bench.put("a/one.txt", ONE.upper())
    bench.put("c.txt", f"{ONE} {ONE}")
    report = bench.run()
    first, second = Corpus.read(bench.out)
    assert (first.text, first.extra) == (ONE, {"ref": "r0", "found_in": "sources/c.txt"})
    assert (first.narratives, second.source) == ({"nato_alliances": "vassals"}, "s1")
    (rest,) = bench.missing()
    assert (rest["id"], rest["source"], rest["ref"]) == ("p2", "s0", "r2")
    assert "text" not in rest
    assert (report.wanted, report.found, report.files_read, report.complete) == (3, 2, 3, False)
    assert {name: (c.wanted, c.found, c.files, c.copies) for name, c in report.sources.items()} == {
        "s0": (2, 1, 1, 2),
        "s1": (1, 1, 1, 0),
    }
    assert report.to_dict()["sources"]["s0"]["found"] == 1
    assert report.lines()[0].startswith("2 of 3 passages found in 3 files")
    json.dumps(report.to_dict())


@pytest.mark.parametrize(
    "other",
    [
        ONE.replace("small", "large"),
        ONE.replace("not ", ""),
        ONE.replace(" that are", " that they are"),
        ONE.replace(" theirs.", ""),
        ONE[4:],
    ],
)
def test_other_words_are_never_attached(tmp_path: Path, other: str) -> None:
    bench = Bench(tmp_path, ONE)
    bench.put("a.txt", f"{BEFORE} {other}\n{AFTER}")
    assert bench.texts() == {}


def test_a_record_with_a_forged_hash_gets_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ONE)
    record = json.loads(bench.records.read_text())
    bench.records.write_text(json.dumps({**record, "sha256": text_hash(TWO)}))
    bench.put("a.txt", ONE)
    assert bench.texts() == {}


def test_short_and_empty_passages(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "They lied", "Not true.", "?!", "https://example.org")
    bench.put("a.txt", "So they LIED, it is\nnot: true...")
    assert bench.texts() == {"p0": "they LIED,", "p1": "not: true..."}


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ONE)
    bench.put("a.pdf", "x")
    bench.put("b.txt", b"\x00\x01\x02")
    bench.put("c.txt.gz", b"not packed")
    bench.put("d.txt.gz", gzip.compress(ONE.encode() * 50)[:-20])
    bench.put("e.txt", "Caf\u00e9\nCaf\u00e9".encode("latin-1"))
    bench.put("f.csv", 'a,b\n1,"x" y\n')
    bench.put(".git/objects/x.txt", ONE)
    put(tmp_path, "outside.txt", ONE)
    (tmp_path / "folder").mkdir()
    put(tmp_path / "folder", "x.txt", ONE)
    (bench.sources / "link.txt").symlink_to(tmp_path / "outside.txt")
    (bench.sources / "linked").symlink_to(tmp_path / "folder")
    report = bench.run()
    skipped = {finding.reason: (finding.count, finding.examples) for finding in report.skipped}
    assert skipped["unknown suffix '.pdf'"] == (1, ("sources/a.pdf",))
    assert skipped["binary"] == (1, ("sources/b.txt",))
    assert skipped["symbolic link"] == (2, ("sources/linked", "sources/link.txt"))
    assert sum(count for reason, (count, _) in skipped.items() if "damaged" in reason) == 2
    notes = {finding.reason: finding.count for finding in report.notes}
    assert notes == {
        "lines that are not UTF-8, read as Windows-1252": 2,
        "malformed rows, searched as plain text": 1,
    }
    assert report.found == 0
    assert "not read: binary: 1 (first in sources/b.txt)" in report.lines()


def test_the_output_is_never_taken_for_a_source(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ONE)
    bench.out = bench.sources / "rebuilt.jsonl"
    bench.put("a.txt", ONE)
    assert bench.run().complete
    (bench.sources / "a.txt").unlink()
    assert bench.run().found == 0


def test_overlapping_folders_are_read_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ONE)
    bench.put("x/a.txt", ONE)
    report = rebuild(bench.records, [bench.sources / "x", bench.sources], bench.out)
    assert (report.files_read, report.sources["s0"].copies) == (1, 0)


def test_mistakes_get_a_remedy(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ONE)
    with pytest.raises(InputError, match=r"no such folder.*copies of the public sources"):
        rebuild(bench.records, [tmp_path / "nowhere"], bench.out)
    with pytest.raises(InputError, match=r"No folder is given"):
        rebuild(bench.records, [], bench.out)
    with pytest.raises(InputTypeError, match=r"Pass a list"):
        rebuild(bench.records, str(tmp_path), bench.out)
    with pytest.raises(InputError, match=r"ends in .jsonl"):
        rebuild(bench.records, [bench.sources], tmp_path / "rebuilt.csv")
    assert not bench.out.exists()


# ------------------------------------------------------------------------------------------------------ any document


tokens = st.text(alphabet="abcdeABCDEäß'1", min_size=1, max_size=6).filter(lambda word: word.strip("'"))
gaps = st.sampled_from([" ", "\n", "\r\n\r\n", ", ", ". ", " — ", "\t", " (", ") ", "\u00a0", " https://t.co/x1 "])


@st.composite
def cuts(draw: st.DrawFn) -> tuple[str, str]:
    """A document, and a run of eight or more words of it."""
    parts = draw(st.lists(st.tuples(tokens, gaps), min_size=8, max_size=80))
    first = draw(st.integers(0, len(parts) - 8))
    last = draw(st.integers(first + 8, len(parts)))
    return "".join(word + gap for word, gap in parts), "".join(word + gap for word, gap in parts[first:last])


@FIXTURES_OK
@given(cuts(), st.sampled_from(["txt", "json", "csv"]))
def test_any_run_of_a_document_is_found(
    tmp_path_factory: pytest.TempPathFactory, cut: tuple[str, str], kind: str
) -> None:
    document, passage = cut
    bench = Bench(tmp_path_factory.mktemp("bench"), passage)
    if kind == "csv":
        target = io.StringIO(newline="")
        csv.writer(target).writerow([document])
        content = target.getvalue()
    else:
        content = document if kind == "txt" else json.dumps([document])
    bench.put(f"a.{kind}", content)
    assert {key: text_hash(text) for key, text in bench.texts().items()} == {"p0": text_hash(passage)}


def test_a_long_document_is_searched_in_blocks(tmp_path: Path) -> None:
    filler = "word " * 800_000
    text = " ".join(f"n{i}" for i in range(60_000))
    document = f"{filler}{text}"
    at = document.rfind(" ", 0, 2**22)
    passages = [" ".join(document[at - 60 : at + 60].split(" ")[1:-1]), ONE]
    bench = Bench(tmp_path, *passages)
    bench.put("a.txt", f"{document} {ONE}")
    assert bench.run().complete


def test_the_work_grows_with_the_length_and_not_faster(tmp_path: Path) -> None:
    bench = Bench(tmp_path, *(" ".join(["again"] * number) for number in range(5, 45)), ONE)
    records = read_standoff(bench.records)

    def work(words: int) -> tuple[int, int]:
        finder = Finder(records)
        for _ in finder.find("again and " * words + "again " * words):
            pass
        return finder.words, finder.windows

    words, windows = work(2000)
    more_words, more_windows = work(4000)
    assert more_words == 2 * words
    assert windows > 2000
    assert more_windows <= 2.1 * windows


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "mark", ["@", "<", "<a ", "&amp;", "[", "[a](x", "_", "e\u0301", "<!--", "<script", "www.", "\\"]
)
def test_no_pattern_of_marks_takes_quadratic_time(tmp_path: Path, mark: str) -> None:
    bench = Bench(tmp_path, ONE)
    bench.put("a.md", f"a{mark * 300_000}b\n\n{ONE}\n")
    bench.put("a.html", f"a{mark * 300_000}b")
    assert bench.run().files_read == 2


# ------------------------------------------------------------------------------------------------------ command line


def test_the_commands(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": ONE, "narratives": {}, "ref": "1"}, {"id": "b", "text": TWO, "narratives": {}}]
    corpus = put(tmp_path, "corpus.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    records, out, report = tmp_path / "records.parquet", tmp_path / "new.jsonl", tmp_path / "report.json"
    assert "2 records" in run("data", "standoff", corpus, "--out", records)[0]
    (tmp_path / "copies").mkdir()
    put(tmp_path / "copies", "a.txt", WRAPPED)
    shown, _ = run("data", "rebuild", records, tmp_path / "copies", "--out", out, "--report", report, code=3)
    assert "1 of 2 passages found" in shown
    assert "1 not found" in shown
    assert json.loads(report.read_text())["found"] == 1
    put(tmp_path / "copies", "b.md", TWO)
    run("data", "rebuild", records, tmp_path / "copies", "--out", out)
    assert Corpus.read(out).texts == [ONE, TWO]
    assert "no such folder" in run("data", "rebuild", records, tmp_path / "none", "--out", out, code=1)[1]
    assert (
        "missing.parquet: no such file"
        in run("data", "rebuild", tmp_path / "missing.parquet", tmp_path, "-o", out, code=1)[1]
    )
