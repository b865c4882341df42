"""Golden outputs: what the bundled model says of fixed texts, so that no change of behaviour goes unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import fimi_nlp as fn

GOLDEN = Path(__file__).parent / "golden"
#: Integer kernels differ between processors, and activations are quantised anew on each.
BOUND = 0.05


def _read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


TEXTS = {record["id"]: record["text"] for record in _read("texts.jsonl")}
HEAD, *EXPECTED = _read("expected.jsonl")


def test_the_golden_outputs_are_of_the_bundled_model(tagger: fn.Tagger) -> None:
    assert HEAD["model"] == tagger.bundle.name, "run python tests/golden/update.py and look at the changes"
    assert [record["id"] for record in EXPECTED] == list(TEXTS)


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda record: record["id"])
def test_golden(tagger: fn.Tagger, expected: dict[str, Any]) -> None:
    found = tagger.tag(TEXTS[expected["id"]]).to_dict()
    assert found["reason"] == expected["reason"] or _close_to_even(expected)
    assert found["language"] == expected["language"]
    assert set(found["scores"]) == set(expected["scores"])
    for label, probability in expected["scores"].items():
        assert found["scores"][label] == pytest.approx(probability, abs=BOUND)
    thresholds = tagger.thresholds
    sure = {
        label for label, p in expected["scores"].items() if label in thresholds and abs(p - thresholds[label]) > BOUND
    }
    assert _labels(found) & sure == _labels(expected) & sure


def _labels(record: dict[str, Any]) -> set[str]:
    return {narrative["label"] for narrative in record["narratives"]}


def _close_to_even(record: dict[str, Any]) -> bool:
    return bool(abs(record["confidence"] - 0.5) < BOUND)
