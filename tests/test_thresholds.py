"""Thresholds of the modes: what they promise holds on draws of passages that they were not chosen on."""

from __future__ import annotations

import numpy as np
import pytest

from fimi_nlp.schema import LabelSchema
from fimi_nlp.training.thresholds import choose_thresholds, risk_controlled


def test_the_controlled_share_is_kept_as_often_as_promised() -> None:
    generator = np.random.default_rng(0)

    def draw(n: int) -> np.ndarray:
        return generator.beta(0.4, 4.0, size=(n, 4))

    population = draw(200_000).max(1)
    broken = [(population >= risk_controlled(draw(800), at_most=0.05)).mean() > 0.05 for _ in range(400)]
    # Promised: broken in at most a tenth of the draws; four standard errors of 400 draws are 0.06.
    assert np.mean(broken) <= 0.1 + 0.06
    # And not so cautious that it is of no use: half the share is used up on average.
    used = np.mean([(population >= risk_controlled(draw(800), at_most=0.05)).mean() for _ in range(50)])
    assert used > 0.02


def test_too_few_passages_prove_nothing() -> None:
    assert risk_controlled(np.zeros((100, 4)), at_most=0.01, confidence=0.9) == 0.99
    assert risk_controlled(np.zeros((300, 4)), at_most=0.01, confidence=0.9) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_modes_do_not_cross(seed: int) -> None:
    generator = np.random.default_rng(seed)
    schema = LabelSchema.default()
    gold = (generator.random((400, 4)) < 0.1).astype(float)
    p = np.clip(gold * 0.5 + generator.beta(1, 4, size=gold.shape), 0, 1)
    modes = choose_thresholds(p, gold, np.ones_like(gold, bool), [str(i) for i in range(400)], schema, seed)
    for label in schema.narrative_labels:
        assert modes["high_recall"][label] <= modes["balanced"][label] <= modes["high_precision"][label]
