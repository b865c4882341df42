"""Two models compared: by hand, against scipy, and how often equal models are told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from fimi_nlp.data import Corpus, Passage
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import Comparison, Report, compare, evaluate
from fimi_nlp.schema import Label, LabelSchema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = LabelSchema("weather", (Label("rain"), Label("sun")))


def corpus(n: int, *, size: int = 1) -> Corpus:
    """Half carry sun, groups of some passages."""
    return Corpus(
        [Passage(f"p{i}", f"Note {i}.", {"sun": None} if i % 2 else {}, group=f"g{i // size}") for i in range(n)],
        SCHEMA,
    )


def model(right: Any) -> Callable[[list[str]], Any]:
    """Right where it says so, wrong elsewhere."""
    return lambda texts: [["sun"] if (i % 2 == 1) == bool(right[i]) else [] for i in range(len(texts))]


def test_figures_by_hand() -> None:
    # The first is wrong on passages 0, 1, 2; the second on 2 alone.
    first, second = np.ones(20, bool), np.ones(20, bool)
    first[:3] = second[2] = False
    found = compare(model(first), model(second), corpus(20))
    row = found["all labels right"]
    assert (row.first, row.second, row.difference.value) == pytest.approx((17 / 20, 19 / 20, 2 / 20))
    assert row.difference.low <= 0.1 <= row.difference.high
    flagged = found["share flagged without a narrative"]
    assert (flagged.first, flagged.second) == pytest.approx((2 / 10, 1 / 10))
    sun = found["F1: sun"]
    assert (sun.first, sun.second) == pytest.approx((2 * 9 / (2 * 9 + 2 + 1), 2 * 10 / (2 * 10 + 1)))
    every, rain, _ = found.mcnemar
    assert (every.question, every.both, every.only_first, every.only_second, every.neither) == (
        "all labels", 17, 0, 2, 1,
    )  # fmt: skip
    assert every.p == pytest.approx(2 * 0.5**2)  # exact: two of two
    assert rain.p == 1.0
    with pytest.raises(KeyError):
        found["macro average precision"]  # neither gives probabilities


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 5), (3, 9), (60, 90)])
def test_mcnemar_is_the_binomial_test(only_first: int, only_second: int) -> None:
    scipy = pytest.importorskip("scipy.stats")
    n = only_first + only_second + 10
    first, second = np.ones(n, bool), np.ones(n, bool)
    second[:only_first] = False
    first[only_first : only_first + only_second] = False
    (every, *_) = compare(model(first), model(second), corpus(n)).mcnemar
    assert (every.only_first, every.only_second) == (only_first, only_second)
    tail = scipy.binom.cdf(min(only_first, only_second), only_first + only_second, 0.5)
    assert every.p == pytest.approx(min(1.0, 2 * tail))


def test_a_model_does_not_differ_from_itself() -> None:
    right = np.random.default_rng(0).random(60) < 0.7
    found = compare(model(right), model(right), corpus(60))
    assert all(row.difference.value == 0 and not row.clear for row in found.differences if row.first == row.first)
    assert all(row.p == 1.0 for row in found.mcnemar)


def test_pairing_sees_what_is_hard_for_both() -> None:
    """Both fail on the same passages; the second gets a few more right: a small difference, but a clear one."""
    rng = np.random.default_rng(0)
    first = rng.random(400) < 0.6
    second = first | (rng.random(400) < 0.1)
    row = compare(model(first), model(second), corpus(400))["all labels right"]
    single = evaluate(model(first), corpus(400)).narratives.subset_accuracy
    assert row.clear
    assert row.difference.high - row.difference.low < (single.high - single.low) * 0.8


def test_equal_models_are_seldom_told_apart() -> None:
    """Groups that one model happens to get right as a whole: the bootstrap is not fooled, McNemar's test is."""
    rng = np.random.default_rng(3)
    clear = small = 0
    for seed in range(60):
        a, b = (np.repeat(rng.random(40) < 0.7, 10) for _ in range(2))
        found = compare(model(a), model(b), corpus(400, size=10), seed=seed)
        clear += found["all labels right"].clear
        small += found.mcnemar[0].p < 0.05
    assert clear <= 8  # about 3 are expected
    assert small > 15


def test_average_precision_is_compared_where_both_have_probabilities() -> None:
    rng = np.random.default_rng(1)
    gold = np.arange(200) % 2
    noisy, sharp = (np.clip(gold * gap + rng.random(200) * (1 - gap), 0, 1) for gap in (0.1, 0.6))
    models = [lambda texts, p=p: [{"sun": x, "rain": 0.0} for x in p] for p in (noisy, sharp)]
    row = compare(models[0], models[1], corpus(200))["macro average precision"]
    singles = [evaluate(one, corpus(200)).narratives.macro_average_precision.value for one in models]
    assert [row.first, row.second] == pytest.approx(singles)
    assert row.clear
    assert row.difference.value == pytest.approx(singles[1] - singles[0])


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    right = np.ones(20, bool)
    first, second = evaluate(model(right), corpus(20)), evaluate(model(right), corpus(20))
    assert first.compare(second).n == 20
    with pytest.raises(InputError, match="not about the same passages"):
        first.compare(evaluate(model(right), corpus(18)))
    with pytest.raises(InputError, match="read from a file"):
        first.compare(Report.load(second.save(tmp_path / "r.json")))


def test_comparisons_are_shown_and_saved(tmp_path: Path) -> None:
    right = np.arange(40) % 5 > 0
    first = evaluate(model(np.ones(40)), corpus(40))
    found = first.compare(evaluate(model(right), corpus(40)))
    console = Console(file=StringIO(), width=100)
    found.print(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "second - first" in shown
    assert "-0.200" in shown
    assert "| all labels right | 1.000 | 0.800 | -0.200 [" in found.save(tmp_path / "c.md").read_text()
    data = json.loads(found.save(tmp_path / "c.json").read_text())
    assert data == found.to_dict()
    assert (data["version"], data["mcnemar"][0]["only_first"]) == (1, 8)


def test_slices_show_where_the_second_falls_behind() -> None:
    # The second is wrong on every passage of the first half, and right on the rest, where the first is wrong.
    half = np.arange(40) < 20
    passages = [replace(p, source="a" if i < 20 else "b") for i, p in enumerate(corpus(40))]
    found = compare(model(half), model(~half), Corpus(passages, SCHEMA), slices=["source", "length"])
    worst, best, length = found.slices
    assert (worst.value, worst.n, worst.groups, worst.carrying) == ("a", 20, 20, 10)
    assert (worst.first, worst.second, worst.difference.value) == (1.0, 0.0, -1.0)
    assert (worst.flagged.value, best.flagged.value) == (1.0, -1.0)
    assert (best.value, best.difference.value) == ("b", 1.0)
    assert (length.field, length.n) == ("length", 40)
    assert "By source" in found.to_markdown()
    assert "By source" in found.to_html()


def test_a_saved_comparison_comes_back(tmp_path: Path) -> None:
    right = np.arange(40) % 3 > 0
    found = compare(model(right), model(~right), corpus(40), slices="length")
    assert Comparison.load(found.save(tmp_path / "found.json")).to_dict() == found.to_dict()
    with pytest.raises(InputError, match="not those of a comparison"):
        Comparison.from_dict({"format": "fimi-nlp report"})
    with pytest.raises(InputError, match="version 9"):
        Comparison.from_dict({**found.to_dict(), "version": 9})


def test_slices_of_few_passages_do_not_come_first() -> None:
    # The second loses one passage of a slice of two, and a quarter of a slice of forty.
    sources = np.array(["big"] * 40 + ["tiny"] * 2)
    right = np.arange(42) % 4 > 0
    right[40:] = [True, False]
    passages = Corpus([replace(p, source=str(s)) for p, s in zip(corpus(42), sources, strict=True)], SCHEMA)
    found = compare(model(np.ones(42)), model(right), passages, slices="source")
    assert found.slices[0].value == "big"
    assert found.slices[1].difference.value < found.slices[0].difference.value


def test_slices_are_drawn_and_their_names_stay_text() -> None:
    right = np.arange(40) % 5 > 0
    passages = [replace(p, source="<b>a" if i < 20 else "plain") for i, p in enumerate(corpus(40))]
    passages += [Passage("last", "Nothing.", {}, source="nothing carried")]
    found = compare(model(np.ones(41)), model(np.append(right, True)), Corpus(passages, SCHEMA), slices="source")
    assert np.isnan(found.slices[-1].difference.value)
    page = found.to_html()
    assert page.count("<svg") == 2
    assert "&lt;b&gt;a" in page
    assert "<b>a" not in page + found.to_markdown()
