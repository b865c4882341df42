"""Two models compared: by hand, against scipy, and how often equal models are told apart."""

from __future__ import annotations

import json
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


def two_sources(n: int) -> Corpus:
    """Alternating pairs of passages of two sources, and one passage of a third that carries nothing."""
    rows = [
        Passage(f"p{i}", f"Note {i}.", {"sun": None} if i % 2 else {}, source="<b>north" if i // 2 % 2 else "south")
        for i in range(n)
    ]
    return Corpus([*rows, Passage(f"p{n}", f"Note {n}.", {}, source="alone")], SCHEMA)


def test_differences_within_slices() -> None:
    passages = two_sources(80)
    north = np.array([p.source == "<b>north" for p in passages])
    # The second model is wrong on half of the northern passages, and nowhere else.
    right = ~(north & (np.arange(81) % 8 >= 6))
    found = compare(model(np.ones(81)), model(right), passages, slices=["source", "length"])
    assert next(row.value for row in found.slices if row.field == "source") == "<b>north"
    rows = {row.value: row for row in found.slices if row.field == "source"}
    assert set(rows) == {"<b>north", "south", "alone"}
    assert (rows["<b>north"].n, rows["<b>north"].carrying, rows["<b>north"].groups) == (40, 20, 40)
    f1 = rows["<b>north"].f1
    assert (f1.first, f1.second, f1.difference.value) == pytest.approx((1.0, 0.5, -0.5))
    assert f1.clear
    assert f1.difference.low <= -0.5 <= f1.difference.high < 0
    assert rows["<b>north"].false_alarms.difference.value == pytest.approx(0.5)
    assert rows["south"].f1.difference.value == 0
    assert not rows["south"].f1.clear
    # One passage that carries nothing: no F1, no interval.
    assert np.isnan(rows["alone"].f1.difference.value)
    assert np.isnan(rows["alone"].false_alarms.difference.low)
    # A slice that is the whole corpus has the figures of the whole corpus.
    (whole,) = (row for row in found.slices if row.field == "length")
    assert whole.f1 == found["micro-F1"]
    assert whole.false_alarms == found["share flagged without a narrative"]
    assert not compare(model(np.ones(81)), model(right), passages).slices


def test_slices_of_comparisons_are_shown_as_text() -> None:
    right = np.arange(81) % 5 > 0
    found = compare(model(np.ones(81)), model(right), two_sources(80), slices="source")
    console = Console(file=StringIO(), width=120)
    found.print(console)
    assert "By source" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "| &lt;b>north | 40 | 40 | 20 | -0." in found.to_markdown()
    page = found.to_html()
    assert "&lt;b&gt;north" in page
    assert "<b>north" not in page
    assert page.count("<svg") == 2


def test_comparisons_are_read_back(tmp_path: Path) -> None:
    right = np.arange(81) % 5 > 0
    found = compare(model(np.ones(81)), model(right), two_sources(80), slices=["source"])
    again = Comparison.load(found.save(tmp_path / "c.json"))
    assert again.to_dict() == found.to_dict() == Comparison.from_dict(json.loads(json.dumps(found.to_dict()))).to_dict()
    assert again.to_markdown() == found.to_markdown()
    assert again["micro-F1"].clear
    with pytest.raises(InputError, match="version 2"):
        Comparison.from_dict({**found.to_dict(), "version": 2})
    with pytest.raises(InputError, match="not those of a comparison"):
        Comparison.load(evaluate(model(right), two_sources(80)).save(tmp_path / "r.json"))
    (tmp_path / "x.json").write_text("no")
    with pytest.raises(InputError, match="cannot be read as a comparison"):
        Comparison.load(tmp_path / "x.json")
