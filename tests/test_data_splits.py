"""Splitting a corpus: no group cut, no text shared, every label in its share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fimi_nlp.data import Corpus, Passage, check_split, split
from fimi_nlp.errors import InputError
from fimi_nlp.schema import LabelSchema

LABELS = LabelSchema.default().narrative_labels

WORDS = [
    "red",
    "green",
    "blue",
    "tall",
    "short",
    "old",
    "new",
    "warm",
    "cold",
    "loud",
    "quiet",
    "round",
    "square",
    "soft",
    "hard",
    "north",
    "south",
    "east",
    "west",
]


@st.composite
def grouped(draw: st.DrawFn) -> Corpus:
    """Corpora with groups, some of which share a text."""
    count = draw(st.integers(12, 40))
    texts = [" ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14))) for _ in range(count)]
    groups = [f"g{draw(st.integers(0, 15))}" for _ in range(count)]
    labels = [draw(st.sampled_from([{}, {"us_democracy": None}, None])) for _ in range(count)]
    return Corpus(Passage(f"p{i}", texts[i], labels[i], group=groups[i]) for i in range(count))


@settings(deadline=None, max_examples=40)
@given(grouped(), st.integers(0, 5), st.randoms())
def test_a_split_cuts_no_group_and_shares_no_text(corpus: Corpus, seed: int, random: Any) -> None:
    fractions = {"train": 0.6, "dev": 0.2, "test": 0.2}
    try:
        parts = split(corpus, fractions, seed=seed)
    except InputError:
        reject()  # too few sets of groups
    assert sorted(p.id for part in parts.values() for p in part) == sorted(p.id for p in corpus)
    assert all(len(part) and {p.split for p in part} == {name} for name, part in parts.items())
    groups = [set(part.groups) for part in parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert check_split(parts).leaks == ()
    shuffled = list(corpus)
    random.shuffle(shuffled)
    again = split(Corpus(shuffled), fractions, seed=seed)
    assert {n: {p.id for p in part} for n, part in parts.items()} == {n: {p.id for p in q} for n, q in again.items()}


def test_a_split_keeps_the_shares() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(1000):
        labels: dict[str, str | None] = {label: None for label in LABELS if rng.random() < 0.15}
        text = " ".join(map(str, rng.integers(10**6, size=8)))
        rows.append(Passage(f"p{i}", text, labels, group=f"g{rng.integers(200)}"))
    corpus = Corpus(rows)
    parts = split(corpus, {"train": 0.8, "dev": 0.1, "test": 0.1}, seed=1)
    overall = corpus.label_arrays().narratives.mean(0)
    for name, share in (("train", 800), ("dev", 100), ("test", 100)):
        assert abs(len(parts[name]) - share) <= 15
        assert np.abs(parts[name].label_arrays().narratives.mean(0) - overall).max() < 0.04


def test_splits_that_cannot_be() -> None:
    corpus = Corpus([Passage("a", "One."), Passage("b", "one!"), Passage("c", "Two.")])
    for fractions, message in (
        ({"a": 0.5}, "sum to 0.5"),
        ({"a": 1.5, "b": -0.5}, "not usable"),
        ({}, "not usable"),
        ({"a": 0.4, "b": 0.3, "c": 0.3}, "2 sets of groups that share texts cannot be split into 3"),
    ):
        with pytest.raises(InputError, match=message):
            split(corpus, fractions)
    with pytest.raises(InputError, match="no parts"):
        check_split({})
