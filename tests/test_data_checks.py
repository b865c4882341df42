"""What `check` finds, and what it does not call a fault."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimi_nlp.data import Corpus, Passage, check, find_near_duplicates
from fimi_nlp.errors import InputError

RNG = random.Random(5)
VOCABULARY = [
    f"{a}{b}"
    for a in ["bad", "cof", "din", "fog", "gul", "hem", "jat", "kip", "lon", "mur"]
    for b in ["ab", "ec", "id", "of", "ug"]
]


def sentence(length: int = 40) -> str:
    return " ".join(RNG.choice(VOCABULARY) for _ in range(length))


def kinds(corpus: Corpus) -> list[str]:
    return [leak.kind for leak in check(corpus).leaks]


def test_a_clean_corpus_is_ok() -> None:
    passages = [
        Passage(f"p{i}", sentence(), {"us_democracy": "decline"} if i % 4 == 0 else {}, source=f"s{i % 2}")
        for i in range(40)
    ]
    corpus = Corpus([*Corpus(passages[:30]).with_split("train"), *Corpus(passages[30:]).with_split("dev")])
    report = check(corpus)
    assert report.ok
    assert report.passages == 40
    assert report.counts["split"] == {"train": 30, "dev": 10}
    assert report.counts["source"] == {"s0": 20, "s1": 20}
    assert report.counts["narratives"] == {
        "us_democracy": 10,
        "nato_alliances": 0,
        "multipolarity": 0,
        "western_hypocrisy": 0,
        "(none)": 30,
    }
    assert (report.duplicates, report.near_duplicates, report.leaks, report.conflicts) == ((), (), (), ())
    assert report.lines()[0] == "40 passages"
    assert report.lines()[-1] == "ok"
    assert "no groups" in report.notes[0]


def test_same_texts_are_found_through_case_and_punctuation() -> None:
    corpus = Corpus(
        [
            Passage("a", "Well -- they DON'T agree.", {}, split="train"),
            Passage("b", "well, they don’t  agree", {"us_democracy": "decline"}, split="train"),
            Passage("c", "Well they agree.", {}, split="dev"),
            Passage("d", "!!!"),
            Passage("e", "???"),
        ]
    )
    report = check(corpus)
    assert [found.ids for found in report.duplicates] == [("a", "b")]
    assert report.leaks == ()
    assert [(c.ids, c.field, c.values, c.exact) for c in report.conflicts] == [
        (("a", "b"), "narratives", ("none", "us_democracy"), True)
    ]
    assert not report.ok
    assert report.lines()[-1].startswith("not ok")
    assert "2 passages have no words" in report.notes


def test_leaks_across_splits() -> None:
    text, other = sentence(), sentence()
    near = text.split()
    near[20] = "different"
    shared = other.split()[5:17]
    base = [Passage("a", text, split="train"), Passage("b", other, split="train", group="g")]
    assert kinds(Corpus([*base, Passage("c", text.upper() + "!", split="dev")])) == ["duplicate", "run"]
    assert kinds(Corpus([*base, Passage("c", sentence(), split="dev", group="g")])) == ["group"]
    assert kinds(Corpus([*base, Passage("c", " ".join(near), split="dev")])) == ["near_duplicate", "run"]
    inside = " ".join(["start", *shared, "end"])
    report = check(Corpus([*base, Passage("c", inside, split="dev")]))
    assert [(leak.kind, leak.splits, leak.ids) for leak in report.leaks] == [("run", ("dev", "train"), ("b", "c"))]
    assert report.leaks[0].detail == f"12 words: {' '.join(shared)}"
    assert kinds(Corpus([*base, Passage("c", " ".join(["start", *shared[1:], "end"]), split="dev")])) == []
    assert kinds(Corpus([*base, Passage("c", text)])) == []  # no split: takes no part


def test_a_copy_of_a_near_duplicate_leaks_too() -> None:
    text = sentence()
    near = " ".join([*text.split()[:-1], "different"])
    corpus = Corpus(
        [Passage("a", text, split="train"), Passage("b", near, split="train"), Passage("c", near, split="dev")]
    )
    leaks = [leak for leak in check(corpus).leaks if leak.kind == "near_duplicate"]
    assert [set(leak.ids) for leak in leaks] == [{"a", "b", "c"}]


def test_what_is_no_contradiction() -> None:
    text = sentence()
    near = " ".join([*text.split()[:-1], "not"])
    us, nato = {"us_democracy": "decline"}, {"nato_alliances": None}

    def conflicts(*passages: Passage) -> list[tuple[str, bool]]:
        report = check(Corpus(passages))
        assert report.ok
        return [(conflict.field, conflict.exact) for conflict in report.conflicts]

    assert conflicts(Passage("a", text, us), Passage("b", near, {})) == [("narratives", False)]
    assert conflicts(Passage("a", text, us), Passage("b", text, None)) == []
    assert conflicts(Passage("a", text, us, unsure=frozenset(us), stance="asserts"), Passage("b", text, {})) == []
    assert conflicts(Passage("a", text, nato), Passage("b", text, {}, frozenset(nato))) == []
    assert conflicts(Passage("a", text, us), Passage("b", text, {"us_democracy": "division"})) == [("sub", True)]
    stances = [Passage(name, text, us, stance=stance) for name, stance in (("a", "asserts"), ("b", "counters"))]
    assert not check(Corpus(stances)).ok


def test_the_report_is_json_and_lists_everything() -> None:
    texts = [sentence(12) for _ in range(8)]
    corpus = Corpus(
        Passage(f"{name}{i}", text, {}, split=name) for i, text in enumerate(texts) for name in ("train", "dev")
    )
    report = check(corpus)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is False
    assert len(data["leaks"]) == 16
    assert data["duplicates"][0] == {"ids": ["train0", "dev0"], "similarity": 1.0}
    assert "  ... and 11 more" in report.lines()


def test_columns_that_look_like_a_slip_are_noted() -> None:
    report = check(Corpus.read([{"text": "Some words.", "narrative": "us_democracy", "ref": "x"}]))
    assert "column 'narrative' was kept but is not read; did you mean 'narratives'?" in report.notes
    assert "no passage has annotated narratives" in report.notes
    assert check(Corpus([])).ok


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_near_duplicates_agree_with_the_definition(seed: int, changes: int) -> None:
    rng = random.Random(seed)
    words = [rng.choice(VOCABULARY) for _ in range(60)]
    changed = list(words)
    for position in rng.sample(range(60), changes):
        changed[position] = "changed"

    def shingles(found: list[str]) -> set[tuple[str, ...]]:
        return {tuple(found[i : i + 3]) for i in range(len(found) - 2)}

    left, right = shingles(words), shingles(changed)
    truth = len(left & right) / len(left | right)
    found = check(Corpus([Passage("a", " ".join(words)), Passage("b", " ".join(changed))])).near_duplicates
    assert [round(pair.similarity, 3) for pair in found] == ([round(truth, 3)] if truth >= 0.8 else [])


def test_near_duplicates_by_themselves() -> None:
    text = sentence()
    near = " ".join([*text.split()[:-1], "different"])
    far = " ".join([*text.split()[:-6], *sentence(6).split()])
    corpus = Corpus([Passage("a", text), Passage("b", far), Passage("c", text.upper()), Passage("d", near)])
    same, *pairs = find_near_duplicates(corpus, 0.6)
    assert (same.ids, same.similarity) == (("a", "c"), 1.0)
    assert pairs[0].ids == ("a", "d")
    assert ("a", "b") in [pair.ids for pair in pairs]
    assert [pair.similarity for pair in pairs] == sorted((pair.similarity for pair in pairs), reverse=True)
    report = check(corpus)
    assert find_near_duplicates(corpus) == (*report.duplicates, *report.near_duplicates)
    for threshold in (0.0, 1.1, float("nan")):
        with pytest.raises(InputError, match="threshold"):
            find_near_duplicates(corpus, threshold)
