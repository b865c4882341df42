"""Wrong labels that were planted are found."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

pytest.importorskip("cleanlab")

from fimi_nlp.data import Corpus, Passage, cross_validate, find_label_noise
from fimi_nlp.errors import InputError, MissingExtraError
from fimi_nlp.schema import Label, LabelSchema

SCHEMA = LabelSchema(name="weather", narratives=(Label("rain"), Label("sun"), Label("fog")))
WORDS = {"rain": "heavy rain falls again", "sun": "bright sun all day"}
PLACES = ["by the old harbour", "near the upper meadow", "over the market square", "along the river bank"]


def weather(n: int = 160) -> Corpus:
    """Notes whose words give rain and sun away; nobody ever reports fog."""
    draw = random.Random(3)
    passages = []
    for i in range(n):
        carried = [label for label in WORDS if draw.random() < 0.4]
        words = [WORDS[label] for label in carried] or ["quiet news from town"]
        text = " ".join([f"Note {i}:", *words, draw.choice(PLACES)])
        passages.append(Passage(f"w{i}", text, dict.fromkeys(carried), group=f"g{i // 2}", place=f"notes, line {i}"))
    return Corpus(passages, SCHEMA)


CLEAN = weather()


def flip(corpus: Corpus, flips: dict[str, str]) -> Corpus:
    """The corpus with a narrative of some passages turned round."""

    def turned(passage: Passage) -> Passage:
        label = flips.get(passage.id)
        if label is None or passage.narratives is None:
            return passage
        carried = {key: sub for key, sub in passage.narratives.items() if key != label}
        return dataclasses.replace(
            passage, narratives=carried if label in passage.narratives else {**carried, label: None}
        )

    return Corpus(map(turned, corpus), corpus.schema)


def test_planted_mistakes_come_first() -> None:
    flips = {"w5": "rain", "w20": "sun", "w41": "rain", "w77": "sun", "w110": "rain"}
    suspects = find_label_noise(flip(CLEAN, flips))
    assert {(s.id, s.narrative) for s in suspects[: len(flips)]} == set(flips.items())
    assert all(s.issue for s in suspects[: len(flips)])
    assert [s.quality for s in suspects] == sorted(s.quality for s in suspects)
    for suspect in suspects[: len(flips)]:
        assert suspect.given == (suspect.narrative not in CLEAN[int(suspect.id[1:])].narratives)  # type: ignore[operator]
        assert (suspect.probability < 0.5) == suspect.given
        assert suspect.place == f"notes, line {suspect.id[1:]}"
        assert suspect.id in suspect.line()
    assert not [s for s in find_label_noise(CLEAN) if s.issue and s.quality < 0.2]


def test_cells_that_are_not_annotated_are_left_alone() -> None:
    wrong = flip(CLEAN, {"w5": "rain", "w20": "sun"})
    masked = Corpus(
        (
            dataclasses.replace(
                p,
                narratives={k: v for k, v in (p.narratives or {}).items() if k != "rain"},
                not_annotated=frozenset({"rain"}),
            )
            if p.id == "w5"
            else p
            for p in [*wrong, Passage("open", "Heavy rain falls again by the sea.")]
        ),
        SCHEMA,
    )
    found = {(s.id, s.narrative) for s in find_label_noise(masked)}
    assert ("w20", "sun") in found
    assert ("w5", "rain") not in found
    assert "open" not in {identifier for identifier, _ in found}


def test_probabilities_are_of_models_that_did_not_see_the_passage() -> None:
    p = cross_validate(CLEAN, folds=4)
    assert p.shape == (160, 3)
    assert np.isnan(p[:, 2]).all()  # nobody carries fog: there is nothing to learn
    gold = CLEAN.label_arrays().narratives[:, :2] > 0.5
    assert ((p[:, :2] > 0.5) == gold).mean() > 0.95
    assert np.array_equal(p, cross_validate(CLEAN, folds=4), equal_nan=True)
    # A word that stands in one group alone cannot have been learned.
    lonely = Corpus([Passage(f"l{i}", "zzyzx zzyzx", {"rain": None}, group="lonely") for i in range(4)], SCHEMA)
    odd = cross_validate(Corpus([*CLEAN, *lonely], SCHEMA), folds=4)[-4:, 0]
    assert (odd < 0.6).all()


def test_probabilities_of_your_own() -> None:
    gold = CLEAN.label_arrays().narratives
    p = np.where(gold > 0.5, 0.9, 0.1)
    p[7] = 1 - p[7]
    p[9] = np.nan
    suspects = find_label_noise(CLEAN, probabilities=p)
    assert {s.id for s in suspects} == {"w7"}
    assert {s.narrative for s in suspects} == {"rain", "sun"}
    with pytest.raises(InputError, match=r"shape \(2, 3\)"):
        find_label_noise(CLEAN, probabilities=p[:2])
    p[3, 1] = 1.5
    with pytest.raises(InputError, match=r"'sun' for passage 'w3' is 1.5"):
        find_label_noise(CLEAN, probabilities=p)


def test_a_rare_narrative_that_was_wrongly_given_comes_first() -> None:
    rare = Corpus([Passage(f"r{i}", f"Text {i}.", {"rain": None} if i < 6 else {}) for i in range(100)], SCHEMA)
    p = np.full((100, 3), np.nan)
    p[:, 0] = [0.01, *[0.4] * 5, *[0.6] * 3, *[0.02] * 91]
    suspects = find_label_noise(rare, probabilities=p)
    assert suspects[0].id == "r0"
    assert {s.id for s in suspects} >= {"r6", "r7", "r8"}


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="for 5 folds"):
        find_label_noise(CLEAN[:4])
    with pytest.raises(InputError, match="'w0' stands twice"):
        cross_validate(Corpus([CLEAN[0], *CLEAN], SCHEMA))
    with pytest.raises(InputError, match="folds is 1"):
        cross_validate(CLEAN, folds=1)
    bare = Corpus([Passage(str(i), chr(97 + i) * 2, {}) for i in range(10)], SCHEMA)
    with pytest.raises(InputError, match="too few words"):
        cross_validate(bare, folds=2)


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cleanlab" else find(name))
    with pytest.raises(MissingExtraError, match=r'pip install "fimi-nlp\[data\]"'):
        find_label_noise(CLEAN)
