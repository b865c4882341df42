"""The sampler picks texts of which a tagger is unsure, and that differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimi_nlp.data import Corpus, Passage, select_for_annotation, write_batch
from fimi_nlp.errors import InputError
from fimi_nlp.schema import Label, LabelSchema
from fimi_nlp.types import Reason, Tag

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = LabelSchema("weather", (Label("rain"), Label("sun")), stances=(Label("asserts"),))
TOPICS = ["harbour boats", "meadow cows", "market stalls", "river bridges"]


def texts(n: int = 40) -> Corpus:
    """Four topics in turn; every word of a text is its own but for those of its topic."""
    return Corpus(
        [
            Passage(
                f"t{i}",
                " ".join([TOPICS[i % 4], *(f"word{i}x{k}" for k in range(6))]),
                {"rain": None},
                stance="asserts",
                source=f"s{i % 3}",
                group=f"g{i % 8}",
                extra={"note": "it rains"},
            )
            for i in range(n)
        ],
        SCHEMA,
    )


def tags(rain: list[float], sun: float = 0.01) -> list[Tag]:
    return [Tag(scores={"rain": p, "sun": sun}, model="m") for p in rain]


def topic_vectors(n: int) -> np.ndarray[Any, Any]:
    return np.eye(4)[np.arange(n) % 4] + 0.01 * np.random.default_rng(0).normal(size=(n, 4))


POOL = texts()
SPREAD = tags([i / 40 for i in range(40)])


def test_the_most_uncertain_come_first_without_diversity() -> None:
    found = select_for_annotation(SPREAD, POOL, 5, diversity="none")
    assert found[0].passage.id == "t20"
    assert {candidate.passage.id for candidate in found} == {"t18", "t19", "t20", "t21", "t22"}
    assert (found[0].narrative, found[0].probability, found[0].threshold) == ("rain", 0.5, 0.5)
    assert found[0].uncertainty == 1.0
    moved = select_for_annotation(SPREAD, POOL, 5, diversity="none", thresholds={"rain": 0.25})
    assert moved[0].passage.id == "t10"


@pytest.mark.parametrize("diversity", ["sample", "farthest"])
def test_what_is_selected_differs_and_is_uncertain(diversity: str) -> None:
    # The eight most uncertain texts are of one topic.
    rain = [0.5 if i % 4 == 0 else 0.45 for i in range(40)]
    plain = select_for_annotation(tags(rain), POOL, 4, diversity="none")
    assert {candidate.passage.text.split()[0] for candidate in plain} == {"harbour"}
    found = select_for_annotation(tags(rain), POOL, 4, diversity=diversity, vectors=topic_vectors(40), pool=10)
    assert {candidate.passage.text.split()[0] for candidate in found} == {"harbour", "meadow", "market", "river"}
    assert all(candidate.distance > 0.5 for candidate in found)
    sure = [0.001 if i % 2 else 0.4 for i in range(40)]
    found = select_for_annotation(tags(sure), POOL, 4, diversity=diversity)
    assert all(int(candidate.passage.id[1:]) % 2 == 0 for candidate in found)


def test_ranks_give_every_narrative_its_share() -> None:
    given = [Tag(scores={"rain": 0.5 + i / 1000, "sun": 0.99 - 0.01 * i}) for i in range(40)]
    closest = select_for_annotation(given, POOL, 4, diversity="none")
    assert {int(candidate.passage.id[1:]) for candidate in closest} == {0, 1, 2, 3}
    ranked = select_for_annotation(given, POOL, 4, diversity="none", uncertainty="rank")
    assert {int(candidate.passage.id[1:]) for candidate in ranked} == {0, 1, 39, 38}


def test_copies_known_texts_and_unread_ones_are_not_selected() -> None:
    copies = Corpus(
        [Passage(f"c{i}", f"{POOL[0].text} {POOL[1].text} {POOL[2].text} end{i}") for i in range(6)]
        + [Passage("far", POOL[5].text), Passage("unread", "12345")],
        SCHEMA,
    )
    given = [*tags([0.3, 0.31, 0.5, 0.33, 0.34, 0.35, 0.1]), Tag(reason=Reason.NO_WORDS)]
    assert [c.passage.id for c in select_for_annotation(given, copies, 9)] in (["c2", "far"], ["far", "c2"])
    known = Corpus([Passage("known", copies[4].text.upper())], SCHEMA)
    assert [c.passage.id for c in select_for_annotation(given, copies, 9, labelled=known)] == ["far"]


def test_groups_are_capped() -> None:
    found = select_for_annotation(SPREAD, POOL, 40, per_group=2)
    groups = [candidate.passage.group for candidate in found]
    assert len(found) == 16
    assert max(map(groups.count, groups)) == 2


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 50), st.integers(0, 5))
def test_whatever_the_probabilities(rain: list[float], n: int, seed: int) -> None:
    pool = POOL[: len(rain)]
    found = select_for_annotation(tags(rain), pool, n, seed=seed)
    ids = [candidate.passage.id for candidate in found]
    assert len(set(ids)) == len(ids) == min(n, len(rain))
    assert all(0 <= c.uncertainty <= 1 and 0 <= c.distance <= 1 for c in found)
    assert found == select_for_annotation(tags(rain), pool, n, seed=seed)


def test_annotators_stay_blind(tmp_path: Path) -> None:
    found = select_for_annotation(SPREAD, POOL, 3)
    write_batch(tmp_path / "batch.jsonl", found)
    records = [json.loads(line) for line in (tmp_path / "batch.jsonl").read_text().splitlines()]
    assert [set(record) for record in records] == [{"id", "text", "source", "group", "why"}] * 3
    assert "rain" not in json.dumps(records)
    batch = Corpus.read(tmp_path / "batch.jsonl", schema=SCHEMA)
    assert [passage.id for passage in batch] == [candidate.passage.id for candidate in found]
    assert all(passage.narratives is None and passage.stance is None for passage in batch)
    write_batch(tmp_path / "shown.jsonl", found, show_model=True)
    shown = json.loads((tmp_path / "shown.jsonl").read_text().splitlines()[0])
    assert shown["model"] == {"narrative": "rain", "probability": found[0].probability, "threshold": 0.5}


def test_the_bundled_tagger_selects(tagger: Any) -> None:
    pool = [
        {"id": "clear", "text": "NATO has expanded right up to our borders and provoked this war on purpose."},
        {"id": "plain", "text": "The local council met on Tuesday to talk about the new bus timetable."},
        {"id": "german", "text": "Der Gemeinderat hat am Dienstag über den neuen Fahrplan gesprochen."},
    ]
    found = select_for_annotation(tagger, pool, 3)
    assert {candidate.passage.id for candidate in found} == {"clear", "plain"}
    assert all(candidate.threshold == tagger.thresholds[candidate.narrative] for candidate in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"per_group": 0}, "per_group is 0"),
        ({"diversity": "farthes"}, "Did you mean 'farthest'"),
        ({"uncertainty": "entropy"}, "Known: margin, rank"),
        ({"thresholds": {"rian": 0.5}}, "Did you mean 'rain'"),
        ({"vectors": np.zeros((3, 2))}, r"shape \(3, 2\) for 40 texts"),
        ({"tagger": SPREAD[:3]}, "3 tags for 40 texts"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        select_for_annotation(**{"tagger": SPREAD, "corpus": POOL, "n": 3, **arguments})
