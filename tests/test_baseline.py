"""The baseline on a small corpus of made-up weather notes."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fimi_nlp.data import Corpus, Passage
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import evaluate, fit_baseline
from fimi_nlp.evaluation.baseline import Choice, Platt, best_threshold
from fimi_nlp.schema import Label, LabelSchema
from fimi_nlp.types import Reason

SCHEMA = LabelSchema(
    name="weather",
    narratives=(Label("rain", subs=(Label("drizzle"), Label("storm"))), Label("sun"), Label("fog")),
    stances=(Label("asserts"), Label("relays")),
    origins=(Label("coast"), Label("hills"), Label("plain")),
)
WORDS = {"drizzle": "soft drizzle falls", "storm": "a loud storm rages", "sun": "bright sun all day"}


def weather(n: int, *, seed: int) -> Corpus:
    """Notes whose words give every label away; nobody ever reports fog, or writes from the plain."""
    draw = random.Random(seed)
    passages = []
    for i in range(n):
        carried: dict[str, str | None] = {}
        words = []
        if draw.random() < 0.5:
            carried["rain"] = draw.choice(["drizzle", "storm"])
            words.append(WORDS[str(carried["rain"])])
        if draw.random() < 0.4:
            carried["sun"] = None
            words.append(WORDS["sun"])
        stance = draw.choice(["asserts", "relays"]) if carried else "none"
        origin = draw.choice(["coast", "hills"])
        opening = {"relays": "they told us", "asserts": "believe me", "none": "market news today"}[stance]
        place = {"coast": "by the old harbour", "hills": "near the upper meadow"}[origin]
        passages.append(
            Passage(
                f"w{i}", " ".join([opening, *words, place]), carried, stance=stance, origin=origin, group=f"g{i % 9}"
            )
        )
    return Corpus(passages, SCHEMA)


TRAIN, DEV, TEST = weather(160, seed=1), weather(80, seed=2), weather(80, seed=3)


def test_it_learns_what_words_give_away() -> None:
    baseline = fit_baseline(TRAIN, DEV)
    report = evaluate(baseline, TEST)
    assert report.macro_f1 > 0.95
    assert report.narratives.left_out == 1  # fog
    assert report.stance is not None
    assert report.stance.macro_f1.value > 0.9
    assert report.origin is not None
    assert report.origin.macro_f1.value > 0.9
    assert report.origin.coverage == 1.0
    assert report.subs is not None
    assert report.subs.accuracy > 0.9
    assert baseline.thresholds["fog"] == 0.5
    assert fit_baseline(TRAIN, DEV).tag_many(TEST.texts) == baseline.tag_many(TEST.texts)


def test_tags_are_complete_and_in_order() -> None:
    baseline = fit_baseline(TRAIN, DEV)
    wet, empty, dry = baseline.tag_many(["believe me a loud storm rages by the old harbour", "  ", "market news today"])
    assert wet.labels == ("rain",)
    assert wet.narratives[0].sub == "storm"
    assert wet.narratives[0].threshold == baseline.thresholds["rain"]
    assert wet.stance is not None
    assert wet.stance.label == "asserts"
    assert wet.origin is not None
    assert wet.origin.label == "coast"
    assert set(wet.scores) == {"rain", "sun", "fog", "asserts", "relays", "coast", "hills", "plain"}
    assert wet.scores["plain"] == 0.0
    assert 0.0 < wet.confidence <= 1.0
    assert (empty.reason, empty.scores, empty.narratives) == (Reason.EMPTY, {}, ())
    assert (dry.narratives, dry.stance) == ((), None)
    assert baseline.tag_many([]) == []


def test_cells_that_are_not_annotated_teach_nothing() -> None:
    # Half the passages are not annotated for sun. Were they taken as 'no', sun would be half as probable.
    hidden = [
        dataclasses.replace(p, narratives=_without_sun(p), not_annotated=frozenset({"sun"})) if i % 2 else p
        for i, p in enumerate(TRAIN)
    ]
    report = evaluate(fit_baseline(Corpus(hidden, SCHEMA), DEV), TEST)
    assert report.labels[1].f1.value > 0.95
    seen = fit_baseline(Corpus(hidden[::2], SCHEMA), DEV)
    assert evaluate(seen, TEST).labels[1].f1.value > 0.95


def _without_sun(passage: Passage) -> dict[str, str | None]:
    return {label: sub for label, sub in (passage.narratives or {}).items() if label != "sun"}


def test_a_corpus_without_stance_or_origin() -> None:
    bare = Corpus((dataclasses.replace(p, stance=None, origin=None) for p in TRAIN), SCHEMA)
    tag = fit_baseline(bare, DEV).tag_many(["a loud storm rages"])[0]
    assert tag.origin is not None
    assert tag.origin.probability == pytest.approx(1 / 3)


def test_unusable_corpora() -> None:
    with pytest.raises(InputError, match="dev corpus has no passages"):
        fit_baseline(TRAIN, Corpus([], SCHEMA))
    with pytest.raises(InputError, match="different labels"):
        fit_baseline(TRAIN, Corpus(list(DEV), LabelSchema.default()))
    with pytest.raises(InputError, match="too few words"):
        fit_baseline(Corpus([Passage("a", "One two three.", {})], SCHEMA), DEV)


def test_best_threshold() -> None:
    assert best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9]) == pytest.approx(0.5)
    assert best_threshold([1, 0, 1], [0.2, 0.2, 0.8]) == pytest.approx(0.2)
    assert best_threshold([0, 0], [0.1, 0.9]) == 0.5
    assert best_threshold([0, 1], [0.3, 0.3]) == 0.5


def test_platt_restores_the_rate_and_keeps_the_order() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(4000)
    gold = rng.random(4000) < truth
    squeezed = Platt(0.3, -1.0)(truth)
    restored = Platt.fit(gold, squeezed)(squeezed)
    assert np.abs(restored - truth).mean() < 0.03
    assert Platt.fit([0, 0], [0.1, 0.2]) == Platt()
    assert Platt.fit([1, 0], [0.1, 0.2]) == Platt()


def test_choices_keep_the_place_of_classes_never_seen() -> None:
    features = np.array([[0.0], [1.0], [0.0], [1.0]])
    model = Choice(3).fit(features, np.array([0, 2, 0, 2]))
    assert model.predict(features).shape == (4, 3)
    assert model.predict(features)[:, 1].tolist() == [0.0] * 4
    assert Choice(2).fit(features, np.array([1, 1, -1, -1])).predict(features)[0].tolist() == [0.0, 1.0]
