"""Agreement against references and published examples."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimi_nlp.data import Corpus, Passage, agreement, cohen_kappa, krippendorff_alpha
from fimi_nlp.errors import InputError
from fimi_nlp.schema import Label, LabelSchema

US, NATO = "us_democracy", "nato_alliances"


def ratings(*rows: str) -> list[list[int]]:
    return [[-1 if answer == "." else ord(answer) for answer in row.split()] for row in rows]


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [
        # Krippendorff 2011, sections A, B and C.
        (("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),
        (("a a b b d c c c e d d a", "b a b b b c c c e d d d"), 0.692),
        (
            (
                "1 2 3 3 2 1 4 1 2 . . .",
                "1 2 3 3 2 2 4 1 2 5 . 3",
                ". 3 3 3 2 3 4 2 2 5 1 .",
                "1 2 3 3 2 4 4 1 2 5 1 .",
            ),
            0.743,
        ),
        # Three annotators, many answers missing: a widely reproduced example.
        (
            (
                ". . . . . 3 4 1 2 1 1 3 3 . 3",
                "1 . 2 1 3 3 4 3 . . . . . . .",
                ". . 2 1 3 4 4 . 2 1 1 3 3 . 4",
            ),
            0.691,
        ),
        (("1 2 3", "1 2 3"), 1.0),
    ],
)
def test_alpha_of_published_examples(rows: tuple[str, ...], alpha: float) -> None:
    assert krippendorff_alpha(ratings(*rows)) == pytest.approx(alpha, abs=0.0005)


def test_alpha_where_there_is_nothing_to_compare() -> None:
    assert math.isnan(krippendorff_alpha(ratings("1 1 1", "1 1 1")))
    assert math.isnan(krippendorff_alpha(ratings("1 2 .", ". . 3")))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = (list(column) for column in zip(*pairs, strict=True))
    counts = np.zeros((4, 4))
    np.add.at(counts, (first, second), 1)
    ours = float(cohen_kappa(counts))
    if len({*first, *second}) == 1:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(metrics.cohen_kappa_score(first, second))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(-1, 2), min_size=3, max_size=3), min_size=2, max_size=12))
def test_alpha_does_not_depend_on_order_or_names(units: list[list[int]]) -> None:
    table = np.array(units).T
    alpha = krippendorff_alpha(table)
    assert alpha <= 1 or math.isnan(alpha)
    for other in (table[::-1], table[:, ::-1], np.where(table >= 0, 2 - table, -1)):
        assert krippendorff_alpha(other) == pytest.approx(alpha, nan_ok=True)


def corpus(labels: dict[str, Any], **stances: str) -> Corpus:
    return Corpus(
        Passage(key, f"Text of {key}.", found, stance=stances.get(key), group=f"g{key[1:]}")
        for key, found in labels.items()
    )


A = corpus(
    {"p1": {US: "decline"}, "p2": {US: "division"}, "p3": {}, "p4": {}, "p5": {NATO: None}, "p6": {US: "decline"}},
    p1="asserts",
    p2="asserts",
    p3="none",
    p5="counters",
    p6="relays",
)
B = corpus(
    {"p1": {US: "decline"}, "p2": {US: "decline"}, "p3": {US: "other"}, "p4": {}, "p5": None, "p7": {}},
    p1="asserts",
    p2="relays",
    p3="asserts",
    p7="none",
)


def test_two_annotators() -> None:
    result = agreement(A, B, names=["ann", "ben"])
    assert result.passages == 5
    assert result.missing == {"ann": ("p7",), "ben": ("p6",)}
    pairs = {pair.question: pair for pair in result.pairs}
    us = pairs[US]
    assert (us.first, us.second, us.n, us.observed) == ("ann", "ben", 4, 0.75)
    assert us.kappa.value == pytest.approx(0.5)
    assert us.counts == {"lacks": {"lacks": 1, "carries": 1}, "carries": {"lacks": 0, "carries": 2}}
    assert us.kappa.low <= us.kappa.value <= us.kappa.high
    subs = pairs[f"sub of {US}"]
    assert (subs.n, subs.observed) == (2, 0.5)  # where both name the narrative
    assert subs.counts["division"] == {"decline": 1}
    stance = pairs["stance"]
    assert (stance.n, stance.counts) == (2, {"asserts": {"asserts": 1, "relays": 1}})  # 'none' takes no part
    assert pairs[NATO].n == 4  # p5 was not annotated by the second
    assert result.macro_f1["ann", "ben"].value == pytest.approx(0.8)
    assert {entry.question: entry.n for entry in result.alphas}[US] == 4
    text = "\n".join(result.lines())
    assert "ann lacks 1 passages that others have: p7" in text
    assert f"{US}: kappa 0.500" in text
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert data["missing"] == {"ann": ["p7"], "ben": ["p6"]}
    assert data["pairs"][0]["kappa"]["value"] == pytest.approx(0.5)


def test_an_annotator_agrees_with_himself() -> None:
    result = agreement(A, A)
    assert result.macro_f1["1", "2"].value == 1.0
    assert {pair.kappa.value for pair in result.pairs if len(pair.counts) > 1} == {1.0}
    assert result.missing == {}
    assert "undefined" in "\n".join(result.lines())  # a narrative that nobody names


def test_three_annotators_and_what_differs() -> None:
    third = Corpus([dataclasses.replace(A[0], text="Another text."), *A[1:]])
    result = agreement(A, B, third)
    assert list(result.macro_f1) == [("1", "2"), ("1", "3"), ("2", "3")]
    assert result.other_text == ("p1",)
    assert result.passages == 6
    alpha = {entry.question: entry.alpha.value for entry in result.alphas}[US]
    table = [[1, 1, 0, 0, 0, 1], [1, 1, 1, 0, -1, -1], [1, 1, 0, 0, 0, 1]]
    assert alpha == pytest.approx(krippendorff_alpha(table))
    assert "texts differ: p1" in result.lines()[-1]


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="No passage is in two"):
        agreement(A, corpus({"x1": {}}))
    with pytest.raises(InputError, match="'p1' stands twice with 2"):
        agreement(A, Corpus([*B, B[0]]))
    with pytest.raises(InputError, match="different labels"):
        agreement(A, Corpus(B, LabelSchema("x", (Label("rain"),))))
    with pytest.raises(InputError, match="2 names"):
        agreement(A, B, names=["ann"])
