"""The authored dataset is what its datasheet says."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fimi_nlp.data import Corpus, check
from fimi_nlp.data.similarity import words
from fimi_nlp.data.variety import frame
from fimi_nlp.schema import LabelSchema

pytest.importorskip("pyarrow")

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "training" / "data"


@pytest.fixture(scope="module")
def dataset() -> Any:
    """The builder, a script beside the data."""
    spec = importlib.util.spec_from_file_location("dataset", ROOT / "training" / "dataset.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus.read(FOLDER / "passages.jsonl")


def test_the_files_are_those_that_the_readings_give(dataset: Any, corpus: Corpus, tmp_path: Path) -> None:
    dataset.build(tmp_path)
    assert (tmp_path / "passages.jsonl").read_bytes() == (FOLDER / "passages.jsonl").read_bytes()
    assert Corpus.read(FOLDER / "passages.parquet") == corpus


def test_size_and_balance(corpus: Corpus) -> None:
    assert len(corpus) >= 4000
    assert sum(not passage.narratives for passage in corpus) / len(corpus) >= 0.35
    paired = Counter(passage.extra["pair_id"] for passage in corpus if "pair_id" in passage.extra)
    assert sum(paired.values()) / len(corpus) >= 0.5
    assert set(paired.values()) == {2}
    lengths = [len(passage.text.split()) for passage in corpus]
    assert min(lengths) >= 8
    assert max(lengths) <= 90
    assert all(passage.origin is None for passage in corpus)


def test_a_pair_flips_a_label_or_the_stance(corpus: Corpus) -> None:
    pairs: dict[str, list[tuple[object, object]]] = {}
    for passage in corpus:
        if "pair_id" in passage.extra:
            pairs.setdefault(passage.extra["pair_id"], []).append((frozenset(passage.narratives or {}), passage.stance))
    assert len(pairs) > 1500
    assert all(len(set(labels)) == 2 for labels in pairs.values())


def test_every_cell_of_the_grid_is_filled_or_explained(dataset: Any) -> None:
    rows = dataset.passages(dataset.readings())
    grid = dataset.design()
    assert all(rule["why"] for rule in grid["absent"])
    wanted = dataset.cells(grid, LabelSchema.default())
    assert len(wanted) > 1500
    assert wanted <= dataset.filled(rows)


def test_no_template_makes_more_than_fifteen(corpus: Corpus) -> None:
    # A headline without any function word has no frame.
    frames = Counter(found for text in corpus.texts if (found := frame(words(text))).strip("_ "))
    assert frames.most_common(1)[0][1] <= 15
    openings = Counter(" ".join(text.lower().split()[:3]) for text in corpus.texts)
    assert openings.most_common(1)[0][1] <= 30


def test_the_corpus_checks_find_no_fault(corpus: Corpus) -> None:
    report = check(corpus)
    assert report.ok
    assert not report.duplicates


def test_the_suite_is_not_in_the_training_data(corpus: Corpus) -> None:
    cases = [json.loads(line) for line in (ROOT / "tests" / "behavioural" / "cases.jsonl").read_text().splitlines()]
    rows = [{"id": case["id"], "text": case["text"], "split": "test"} for case in cases]
    report = check(Corpus([*corpus.with_split("train"), *Corpus.read(rows)]))
    assert not [leak for leak in report.leaks if leak.kind in {"duplicate", "near_duplicate"}]


def test_every_passage_was_read_by_another(dataset: Any) -> None:
    for row in dataset.readings():
        assert row["read"], row["id"]


def test_readings_are_settled_by_two_of_three(dataset: Any) -> None:
    nato = {"nato_alliances": "aggression"}
    one = {"narratives": nato, "stance": "asserts"}
    other_sub = {"narratives": {"nato_alliances": "vassals"}, "stance": "asserts"}
    nothing: dict[str, Any] = {"narratives": {}, "stance": "none"}
    relayed = {"narratives": nato, "stance": "relays"}
    assert dataset.settle([one, one]) == {"narratives": nato, "stance": "asserts"}
    assert dataset.settle([one, other_sub])["narratives"] == {"nato_alliances": True}
    assert dataset.settle([one, other_sub, other_sub])["narratives"] == {"nato_alliances": "vassals"}
    assert dataset.settle([one, nothing]) is None
    assert dataset.settle([one, nothing, nothing]) == {"narratives": {}, "stance": "none"}
    assert dataset.settle([one, relayed]) is None
    assert dataset.settle([one, relayed, relayed])["stance"] == "relays"


def test_the_folder_is_a_hub_dataset(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(FOLDER), split="train", cache_dir=str(tmp_path))
    assert len(loaded) == len(Corpus.read(FOLDER / "passages.jsonl"))
    assert Corpus.read(loaded)[0].narratives == Corpus.read(FOLDER / "passages.jsonl")[0].narratives
