"""Metrics and intervals: by hand, and against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, share, wilson

# --- metrics ---------------------------------------------------------------------------------------------------------

GOLD = np.array([[1, 0], [1, 0], [0, 0], [1, 0]], bool)
NAMED = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], bool)


def test_rates_by_hand() -> None:
    precision, recall, f1 = m.rates(m.outcomes(GOLD, NAMED).sum(axis=0))
    assert precision == pytest.approx([2 / 3, 0])
    assert recall == pytest.approx([2 / 3, 0])
    # The second label has no gold positives: its false positive still makes F1 0, not undefined.
    assert f1 == pytest.approx([2 / 3, 0])
    assert tuple(m.macro(f1)) == pytest.approx((1 / 3, 0))
    assert float(m.micro(m.outcomes(GOLD, NAMED).sum(axis=0)).f1) == pytest.approx(4 / 7)


def test_nothing_to_score_is_left_out_and_counted() -> None:
    f1 = m.rates([[2, 0, 0], [0, 0, 0]]).f1
    assert math.isnan(f1[1])
    assert m.macro(f1) == m.Average(1.0, 1)
    assert math.isnan(m.macro([math.nan]).value)


def test_gold_without_predictions_is_zero() -> None:
    assert [float(x) for x in m.rates([0, 0, 4])] == [0.0, 0.0, 0.0]


def test_masked_cells_are_neither_right_nor_wrong() -> None:
    mask = np.ones_like(GOLD)
    mask[1] = False
    mask[2, 0] = False
    assert m.outcomes(GOLD, NAMED, mask).sum(axis=0).tolist() == [[2, 0, 0], [0, 0, 0]]
    assert m.subset_accuracy(GOLD, NAMED, mask) == 1.0
    assert m.samples_f1(GOLD, NAMED, mask) == 1.0


def test_samples_f1_and_subset_accuracy_by_hand() -> None:
    gold = np.array([[1, 1], [0, 0], [0, 1]], bool)
    named = np.array([[1, 0], [0, 0], [1, 0]], bool)
    assert m.samples_f1(gold, named) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert m.samples_f1(gold, named, empty=math.nan) == pytest.approx((2 / 3 + 0) / 2)
    assert m.subset_accuracy(gold, named) == pytest.approx(1 / 3)


def test_choices_by_hand() -> None:
    gold, chosen = [0, 0, 1, 2, -1], [0, -1, 0, 2, 1]
    counts = m.choice_outcomes(gold, chosen, 4).sum(axis=0)
    # No choice misses its class and harms no other; the row without gold is not scored; class 3 never occurs.
    assert counts.tolist() == [[1, 1, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert m.choice_outcomes(gold, chosen, 4, answered=True).sum(axis=0)[0].tolist() == [1, 1, 0]
    assert m.confusion(gold, chosen, 3).tolist() == [[1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]


def test_without_theme_needs_every_cell() -> None:
    gold = np.array([[0, 0], [0, 0], [1, 0], [0, 0]], bool)
    mask = np.array([[1, 1], [1, 0], [1, 1], [1, 1]], bool)
    unsure = np.array([[0, 0], [0, 0], [0, 0], [0, 1]], bool)
    rows = m.without_theme(gold, mask, unsure)
    assert rows.tolist() == [True, False, False, False]
    assert m.false_positive_rate([[0, 1], [1, 1], [1, 1], [1, 1]], rows) == 1.0
    assert math.isnan(m.false_positive_rate(np.ones((4, 2)), np.zeros(4)))


def test_calibration_error_by_hand() -> None:
    # Bins of a width of 1/2: {.1, .3} with no positive, gap .2; {.9} with a positive, gap .1.
    assert m.calibration_error([0, 0, 1], [0.1, 0.3, 0.9], bins=2) == pytest.approx(2 / 3 * 0.2 + 1 / 3 * 0.1)
    # Bins of equal mass: {.1, .2}, {.3, .9}.
    error = m.calibration_error([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9], bins=2, adaptive=True)
    assert error == pytest.approx(0.5 * abs(0.5 - 0.15) + 0.5 * abs(0.5 - 0.6))
    assert m.calibration_error([0, 1, 1, 1], [0.75] * 4) == pytest.approx(0)
    assert m.calibration_error([0, 1], [0.0, 1.0]) == 0
    assert math.isnan(m.calibration_error([], []))
    assert m.brier([0, 1], [0.5, 0.9]) == pytest.approx((0.25 + 0.01) / 2)


def test_risk_coverage_by_hand() -> None:
    curve = m.risk_coverage([0, 1, 0, 1], [0.9, 0.5, 0.8, 0.1], (0.5, 1.0))
    assert curve.aurc == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert curve.risk == (0.0, 0.5)
    # With equal confidence, the order of the rows must not matter.
    assert m.risk_coverage([1, 0], [0.5, 0.5]) == m.risk_coverage([0, 1], [0.5, 0.5])
    assert math.isnan(m.risk_coverage([], []).aurc)


def test_average_precision_without_positives() -> None:
    assert math.isnan(m.average_precision([0, 0], [0.1, 0.2]))


arrays = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        hnp.arrays(bool, (n, 3)),
        hnp.arrays(bool, (n, 3)),
        # Few values, so that ties occur.
        hnp.arrays(np.int64, (n, 3), elements=st.integers(0, 5)),
    )
)


@settings(max_examples=60, deadline=None)
@given(arrays)
@pytest.mark.filterwarnings("ignore")
def test_agrees_with_scikit_learn(drawn: tuple[Any, Any, Any]) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    gold, named, level = drawn
    y, z = gold.astype(int), named.astype(int)
    totals = m.outcomes(gold, named).sum(axis=0)
    mine = np.nan_to_num(m.rates(totals))
    theirs = sk.precision_recall_fscore_support(y, z, average=None, zero_division=0)[:3]
    np.testing.assert_allclose(mine, theirs)
    np.testing.assert_allclose(
        m.macro(m.rates(totals).f1).value, sk.f1_score(y, z, average="macro", zero_division=np.nan)
    )
    np.testing.assert_allclose(np.nan_to_num(m.micro(totals).f1), sk.f1_score(y, z, average="micro", zero_division=0))
    for empty in (0.0, 1.0):
        expected = sk.f1_score(y, z, average="samples", zero_division=empty)
        assert m.samples_f1(gold, named, empty=empty) == pytest.approx(expected)
    assert m.subset_accuracy(gold, named) == pytest.approx(sk.accuracy_score(y, z))
    p = level / 5
    for j in range(3):
        assert m.brier(gold[:, j], p[:, j]) == pytest.approx(np.mean((p[:, j] - y[:, j]) ** 2))
        if gold[:, j].any():
            expected = sk.average_precision_score(y[:, j], p[:, j])
            assert m.average_precision(gold[:, j], p[:, j]) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, (9, 2), elements=st.integers(0, 2)))
@pytest.mark.filterwarnings("ignore")
def test_choices_agree_with_scikit_learn(drawn: Any) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    gold, chosen = drawn.T
    f1 = np.nan_to_num(m.rates(m.choice_outcomes(gold, chosen, 3).sum(axis=0)).f1)
    np.testing.assert_allclose(f1, sk.f1_score(gold, chosen, labels=[0, 1, 2], average=None, zero_division=0))
    assert (m.confusion(gold, chosen, 3)[:, :3] == sk.confusion_matrix(gold, chosen, labels=[0, 1, 2])).all()


# --- bootstrap -------------------------------------------------------------------------------------------------------


def _random_counts() -> tuple[Any, list[int]]:
    rng = np.random.default_rng(7)
    gold = rng.random((400, 3)) < 0.3
    named = gold ^ (rng.random((400, 3)) < 0.15)
    return m.outcomes(gold, named), rng.integers(0, 60, 400).tolist()


def test_bootstrap_covers_the_estimate_and_repeats() -> None:
    counts, groups = _random_counts()
    first = ClusterBootstrap(groups, seed=3).macro_f1(counts)
    assert first.value == pytest.approx(m.macro(m.rates(counts.sum(axis=0)).f1).value)
    assert first.low < first.value < first.high
    assert 0.01 < first.high - first.low < 0.2
    assert first == ClusterBootstrap(groups, seed=3).macro_f1(counts)
    assert first != ClusterBootstrap(groups, seed=4).macro_f1(counts)


def test_bootstrap_in_chunks_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, groups = _random_counts()
    whole = ClusterBootstrap(groups, n=50).totals(counts)
    assert whole.shape == (50, 3, 3)
    monkeypatch.setattr("fimi_nlp.evaluation.bootstrap._CELLS", 500)
    np.testing.assert_array_equal(whole, ClusterBootstrap(groups, n=50).totals(counts))


def test_bootstrap_draws_groups_whole() -> None:
    # Two groups of unlike size: a resample holds 2 + 2, 2 + 3 or 3 + 3 rows, never anything else.
    totals = ClusterBootstrap(["x", "x", "y", "y", "y"], n=200).totals(np.ones((5, 1)))
    assert set(totals.ravel().tolist()) == {4.0, 5.0, 6.0}


def test_a_rare_class_does_not_bend_the_interval() -> None:
    # Class 0 is always right; class 1 occurs in one group of ten, and is missed: a third of the resamples lack it.
    counts = np.zeros((10, 2, 3))
    counts[:, 0, 0] = 1
    counts[0, 1, 2] = 1
    boot = ClusterBootstrap(range(10))
    assert set(boot.drawn_macro_f1(counts).tolist()) == {0.5}
    # Resamples that never differ say nothing of the spread.
    assert boot.macro_f1(counts).value == 0.5
    assert math.isnan(boot.macro_f1(counts).low)
    both = np.stack([counts, counts], axis=1)
    assert ClusterBootstrap(range(10)).macro_f1(both).value == 0.5


def test_rows_without_group_stand_alone_and_one_group_has_no_interval() -> None:
    assert ClusterBootstrap(["a", None, None, "", "a"]).groups == 4
    one = ClusterBootstrap(["a", "a"]).estimate([[1, 1], [0, 1]], share)
    assert one.value == 0.5
    assert math.isnan(one.low)
    with pytest.raises(InputError, match="ci is 95"):
        ClusterBootstrap(["a"], ci=95)


def test_a_share_of_none_has_an_interval_all_the_same() -> None:
    never = ClusterBootstrap(["a", "a", "b", "c"]).share([0, 0, 0, math.nan])
    assert never == wilson(0, 2)  # two groups
    assert never.high > 0.5
    assert ClusterBootstrap(range(400)).share(np.ones(400)).low > 0.98
    some = ClusterBootstrap(range(50)).share([1, 0] * 25)
    assert some.value == 0.5
    assert 0.3 < some.low < 0.5 < some.high < 0.7


def test_resampled_average_precision_is_that_of_the_rows_drawn() -> None:
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    y, p = rng.random(60) < 0.4, rng.integers(0, 20, 60) / 20
    boot = ClusterBootstrap(rng.integers(0, 12, 60).tolist(), n=20)
    weights = boot.totals(np.eye(60))  # how often each row is drawn
    drawn = boot.resampled(np.ones(60, bool), lambda w: m.average_precision(y, p, w))
    for row, value in zip(weights, drawn, strict=True):
        assert value == pytest.approx(sk.average_precision_score(y, p, sample_weight=row))


def test_intervals_cover_what_they_should() -> None:
    """Of 200 samples of clustered passages, about 95 % of the intervals hold the truth, of naive ones far fewer."""
    rng = np.random.default_rng(5)
    covered = naive = 0
    for seed in range(200):
        chance = np.repeat(rng.beta(2, 2, 60), 8)  # a group's passages resemble each other; the mean is 1/2
        x = rng.random(480) < chance
        for groups, add in ((np.repeat(range(60), 8).tolist(), "cluster"), (range(480), "naive")):
            found = ClusterBootstrap(groups, n=300, seed=seed).share(x)
            hit = found.low <= 0.5 <= found.high
            covered, naive = covered + (hit and add == "cluster"), naive + (hit and add == "naive")
    assert 0.90 <= covered / 200 <= 0.99
    assert naive / 200 < 0.85
