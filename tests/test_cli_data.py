"""``fimi-nlp data``, as a user's shell runs it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from test_cli import lines, run
from tiny import passages, write_corpus

from fimi_nlp.data import Corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus.jsonl")


def changed(folder: Path, **labels: Any) -> Path:
    """The corpus as a second annotator sees it, who differs in the first passage and lacks the last one."""
    rows = passages()[:-1]
    rows[0] |= labels
    return write_corpus(folder / "second.jsonl", rows)


def test_noise(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab")
    rows = passages()
    wrong = next(row for row in rows if "nato_alliances" in row["narratives"])
    wrong |= {"narratives": {"multipolarity": "other"}}
    corpus, out = write_corpus(tmp_path / "corpus.jsonl", rows), tmp_path / "suspects.jsonl"
    shown, _ = run("data", "noise", corpus, "--folds", "3", "--top", "4", "--out", out)
    assert "labels to look at again" in shown.splitlines()[0]
    assert f"{wrong['id']} (corpus.jsonl, line {rows.index(wrong) + 1}): " in shown
    suspects = lines(out.read_text())
    assert wrong["id"] in {suspect["id"] for suspect in suspects[:4]}
    fewer = write_corpus(corpus, [row for row in rows if "us_democracy" not in row["narratives"]])
    shown, err = run("data", "noise", fewer, "--folds", "3", "--json")
    assert {suspect["id"] for suspect in json.loads(shown)} >= {wrong["id"]}
    assert "us_democracy is not judged" in err


def test_duplicates(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "The treaty was signed."}, {"id": "b", "text": "the treaty was signed"}]
    corpus = write_corpus(tmp_path / "corpus.jsonl", [*rows, {"id": "c", "text": "Rain is expected."}])
    assert run("data", "duplicates", corpus)[0] == "1.000  a, b\n"
    assert json.loads(run("data", "duplicates", corpus, "--json")[0]) == [{"ids": ["a", "b"], "similarity": 1.0}]
    assert run("data", "duplicates", write_corpus(corpus, rows[:1]))[0] == "none\n"
    assert "threshold is 2" in run("data", "duplicates", corpus, "--threshold", "2", code=1)[1]


def test_agreement(tmp_path: Path, corpus: Path) -> None:
    second = changed(tmp_path, stance="counters")
    shown, _ = run("data", "agreement", corpus, second, "--name", "ann", "--name", "ben")
    assert "95 passages in common, annotators: ann, ben" in shown
    assert "us_democracy: kappa 1.000" in shown
    assert "ben lacks 1 passages that others have: t95" in shown
    result = json.loads(run("data", "agreement", corpus, second, "--json")[0])
    (stance,) = (pair for pair in result["pairs"] if pair["question"] == "stance")
    assert 0.9 < stance["kappa"]["value"] < 1
    assert "two or more" in run("data", "agreement", corpus, code=2)[1]


def test_coverage(tmp_path: Path, corpus: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "picture.png"
    shown, _ = run("data", "coverage", corpus, "--by", "sub", "--by", "stance", "--by", "source", "--plot", picture)
    assert "sub=us_democracy/division" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    report = json.loads(run("data", "coverage", corpus, "--json")[0])
    assert report["passages"] == 96
    assert report["counts"]["narrative"]["us_democracy"] == 16
    assert "Did you mean 'stance'" in run("data", "coverage", corpus, "--by", "stanc", code=1)[1]


def test_sample(tmp_path: Path, corpus: Path) -> None:
    batch, known = tmp_path / "batch.jsonl", write_corpus(tmp_path / "known.jsonl", passages()[:48])
    _, err = run("data", "sample", corpus, "-o", batch, "-n", "5", "--per-group", "1", "--labelled", known)
    assert f"5 of 96 texts selected ({batch})" in err
    records = lines(batch.read_text())
    assert len({record["group"] for record in records}) == 5
    assert all(set(record) == {"id", "text", "source", "group", "split", "why"} for record in records)
    assert not {record["text"] for record in records} & {row["text"] for row in passages()[:48]}
    run(
        "data", "sample", corpus, "-o", batch, "-n", "2", "--show-model", "--uncertainty", "rank", "--diversity", "none"
    )
    assert all(record["model"]["threshold"] for record in lines(batch.read_text()))


@pytest.mark.parametrize("tool", ["label-studio", "argilla"])
def test_export_and_import(tmp_path: Path, corpus: Path, tool: str) -> None:
    out, config, back = tmp_path / "out.json", tmp_path / "config", tmp_path / "back.jsonl"
    _, err = run("data", "export", corpus, "--to", tool, "-o", out, "--config", config)
    assert "96 passages written" in err
    _, err = run("data", "import", out, "--from", tool, "-o", back)
    assert "96 passages read" in err
    assert Corpus.read(back) == Corpus.read(corpus)
    if tool == "argilla":
        assert json.loads(config.read_text())["fields"][0]["name"] == "text"
    else:
        assert ET.parse(config).getroot().tag == "View"
    run("data", "export", corpus, "--to", tool, "-o", out, "--labels", "none")
    run("data", "import", out, "--from", tool, "-o", back)
    assert all(passage.narratives is None for passage in Corpus.read(back))


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("noise", "missing.jsonl"), 1, "missing.jsonl: no such file"),
        (("noise", "one.jsonl"), 1, "too few groups that share no text for 5 folds"),
        (
            ("coverage", "bad.jsonl"),
            1,
            "bad.jsonl, line 1: narratives: unknown narrative 'nato_aliances'. Did you mean",
        ),
        (("coverage", "one.jsonl", "--plot", "picture.xyz"), 1, "Name a .png, .svg or .pdf file"),
        (("agreement", "one.jsonl", "two.jsonl"), 1, "No passage is in two"),
        (("sample", "one.jsonl", "-o", "batch.csv", "-n", "0"), 2, "-n"),
        (("export", "one.jsonl", "--to", "excel", "-o", "out.json"), 2, "excel"),
        (("export", "one.jsonl", "--to", "argilla", "-o", "nowhere/out.json"), 1, "no such folder"),
        (("import", "broken.json", "--from", "argilla", "-o", "out.jsonl"), 1, "broken.json, line 2, column 1"),
        (
            ("import", "tasks.json", "--from", "label-studio", "-o", "out.jsonl"),
            1,
            "tasks.json, task 1: data: no 'data'",
        ),
    ],
)
def test_mistakes_get_an_exit_code_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.jsonl").write_text('{"id": "1", "text": "x y", "narratives": {}}\n')
    Path("two.jsonl").write_text('{"id": "2", "text": "x y", "narratives": {}}\n')
    Path("bad.jsonl").write_text('{"id": "1", "text": "x y", "narratives": {"nato_aliances": "aggression"}}\n')
    Path("broken.json").write_text("[\n")
    Path("tasks.json").write_text('[{"text": "x y"}]')
    _, err = run("data", *args, code=code)
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
