"""``fimi-nlp evaluate``, as a user's shell runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import tiny
from test_cli import run

from fimi_nlp.evaluation import Report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return tiny.write_corpus(tmp_path / "passages.jsonl", tiny.passages()[:36])


def predictions(path: Path, corpus: Path, *, miss: int) -> Path:
    """Right, but for every so many passages."""
    rows = [json.loads(line) for line in corpus.read_text().splitlines()]
    found = [{"id": row["id"], "narratives": {} if i % miss == 0 else row["narratives"]} for i, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def test_a_model_against_a_file_of_predictions(corpus: Path, tmp_path: Path) -> None:
    other = predictions(tmp_path / "other.jsonl", corpus, miss=5)
    page = tmp_path / "report.html"
    out, err = run(
        "evaluate", "default", corpus, "--slice", "source", "--slice", "length", "--compare", other, "--report", page
    )
    for words in ("macro-F1, strict", "By source, worst first", "By length", "second - first", "McNemar"):
        assert words in out
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "minilm-en" in text
    assert "other.jsonl (second)" in (tmp_path / "report.comparison.html").read_text()
    assert "report.comparison.html" in err


def test_reports_by_suffix_and_a_second_annotator(corpus: Path, tmp_path: Path) -> None:
    said = predictions(tmp_path / "said.jsonl", corpus, miss=4)
    run("evaluate", said, corpus, "--report", tmp_path / "r.json", "--ci", "0.9", "--group", "source")
    report = Report.load(tmp_path / "r.json")
    assert (report.ci, report.group, report.groups, report.model) == (0.9, "source", 2, "said.jsonl")
    assert report.narratives.micro_precision.value == 1.0
    run("evaluate", said, corpus, "--second", corpus, "-o", tmp_path / "r.md")
    assert "Second annotator" in (tmp_path / "r.md").read_text()


def test_wrong_targets_fail_before_the_work(corpus: Path, tmp_path: Path) -> None:
    assert "Name a file with .md or .json or .html" in run("evaluate", "default", corpus, "-o", "r.pdf", code=1)[1]
    assert "is no folder" in run("evaluate", "default", corpus, "-o", tmp_path / "no" / "r.md", code=1)[1]
    assert "no such file" in run("evaluate", tmp_path / "gone.jsonl", corpus, code=1)[1]
    assert "no such model folder" in run("evaluate", "default", corpus, "--compare", "gone", code=1)[1]
    bare = tmp_path / "bare.csv"
    bare.write_text("text,theme\nThe ferry leaves.,none\n")
    err = run("evaluate", "default", bare, code=1)[1]
    assert "No passage of the corpus has labels" in err
    assert "it has, beside the text, theme" in err
    assert (
        "masked texts"
        in run("evaluate", predictions(tmp_path / "s.jsonl", corpus, miss=9), corpus, "--shortcuts", code=1)[1]
    )


def test_a_suite_has_texts_of_its_own(corpus: Path, tmp_path: Path) -> None:
    assert "give no labelled" in run("evaluate", "default", corpus, "--suite", "behavioural", code=2)[1]
    said = predictions(tmp_path / "said.jsonl", corpus, miss=4)
    assert "knows nothing of the texts" in run("evaluate", said, "--suite", "behavioural", code=1)[1]
