"""Whether a corpus reads as one writer."""

from __future__ import annotations

import random

import pytest

from fimi_nlp.data import Corpus, diversity
from fimi_nlp.data.variety import frame
from fimi_nlp.errors import InputError

WORDS = "river harbour minister paper village treaty engine garden letter bridge captain market winter signal".split()


def _corpus(texts: list[str]) -> Corpus:
    return Corpus.read([{"text": text} for text in texts])


def _random_texts(seed: int, n: int = 120) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(8, 14))) + "." for _ in range(n)]


def test_a_template_is_seen() -> None:
    varied = diversity(_corpus(_random_texts(0)))
    stamped = diversity(_corpus([f"It is the {a} that will save us from the {b}." for a in WORDS for b in WORDS]))
    assert stamped.frames[0] == ("it is the _ that will _ _ from the _", len(WORDS) ** 2)
    assert stamped.openings[0] == ("it is the", len(WORDS) ** 2)
    assert stamped.distinct[3] < varied.distinct[3]
    assert varied.frames == ()


def test_near_duplicates_are_counted() -> None:
    texts = _random_texts(1)
    text = "The minister of the harbour said on Monday that the bridge over the river will open again next winter"
    report = diversity(_corpus([*texts, f"{text} for all.", f"{text} for everyone."]))
    assert report.near_duplicates == pytest.approx(2 / (len(texts) + 2))


def test_told_from_a_reference() -> None:
    pytest.importorskip("sklearn")
    ours = _random_texts(2, 200)
    same = diversity(_corpus(ours), _corpus(_random_texts(3, 200))).told_apart
    marked = diversity(_corpus([f"Indeed, {text}" for text in ours]), _corpus(_random_texts(3, 200))).told_apart
    assert same is not None
    assert marked is not None
    assert same < 0.7
    assert marked > 0.95


def test_the_same_sample_for_the_same_seed() -> None:
    corpus = _corpus(_random_texts(4))
    assert diversity(corpus, sample_words=300) == diversity(corpus, sample_words=300)
    assert diversity(corpus, sample_words=300).sample_words == 300
    assert diversity(corpus).to_dict()["distinct"].keys() == {"1", "2", "3"}
    assert any("distinct n-grams" in line for line in diversity(corpus).lines())


def test_an_empty_corpus() -> None:
    with pytest.raises(InputError, match="no passages"):
        diversity(_corpus([]))
    assert frame([]) == ""
