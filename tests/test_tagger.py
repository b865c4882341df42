"""The tagger, through its public API."""

from __future__ import annotations

import itertools
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest
from conftest import CLAIM, EVENT, FILLER
from hypothesis import given, settings
from hypothesis import strategies as st

import fimi_nlp as fn
from fimi_nlp.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator

NARRATIVES = ("us_democracy", "nato_alliances", "multipolarity", "western_hypocrisy")


def test_a_claim_is_tagged_with_all_that_the_contract_names(tagger: fn.Tagger) -> None:
    tag = tagger.tag(CLAIM)
    assert isinstance(tag, fn.Tag)
    assert tag.labels == ("nato_alliances",)
    score = tag.narratives[0]
    assert score.probability >= score.threshold > 0
    assert score.sub == "aggression"
    assert tag.stance is not None
    assert tag.stance.label == "asserts"
    assert set(tag.scores) == {*NARRATIVES, "asserts", "relays", "counters", "russia", "china", "other"}
    assert 0.5 < tag.confidence <= 1
    assert tag.reason is fn.Reason.OK
    assert [(e.label, e.start, e.end) for e in tag.evidence] == [("nato_alliances", 0, len(CLAIM))]
    assert (tag.windows, tag.language) == (1, "en")
    assert tag.model == tagger.bundle.name
    assert "@" in tag.model


def test_an_event_carries_nothing(tagger: fn.Tagger) -> None:
    tag = tagger.tag(EVENT)
    assert (tag.narratives, tag.stance, tag.evidence) == ((), None, ())
    assert tag.reason is fn.Reason.OK
    assert tag.confidence > 0.9


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EMPTY"),
        (" \n\t\u00a0", "EMPTY"),
        ("\U0001f600\U0001f680 \u2764\ufe0f", "NO_WORDS"),
        ("https://example.org/nato-expansion @somebody", "NO_WORDS"),
        ("1234 5678 !!", "NO_WORDS"),
        ("\ud83d\ude00", "NO_WORDS"),
        ("НАТО расширяется на восток и угрожает миру", "LANGUAGE"),
        ("北约东扩威胁世界和平与稳定", "LANGUAGE"),
        ("\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0643\u0644\u0647", "LANGUAGE"),
    ],
)
def test_what_cannot_be_read_says_why_and_names_nothing(tagger: fn.Tagger, text: str, reason: str) -> None:
    tag = tagger.tag(text)
    assert tag.reason.value == reason
    assert (tag.narratives, tag.stance, tag.origin, tag.scores) == ((), None, None, {})
    assert (tag.confidence, tag.windows) == (0.0, 0)


@pytest.mark.parametrize("text", ["a", "\x00\x01 NATO \x7f", "half \ud83d a pair", "e\u0301" * 50, "no\u200bwidth"])
def test_odd_text_gets_a_tag(tagger: fn.Tagger, text: str) -> None:
    json.dumps(tagger.tag(text).to_dict())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected a str, got NoneType (None). Drop or fill missing texts"),
        (b"text", "Decode it first"),
        (["text"], "Use tag_many()"),
        (3.5, "got float (3.5)"),
        (float("nan"), "Drop or fill missing texts"),
    ],
)
def test_what_is_no_text_is_an_error_with_a_remedy(tagger: fn.Tagger, value: object, message: str) -> None:
    with pytest.raises(InputTypeError) as caught:
        tagger.tag(value)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_errors_in_many_name_the_position(tagger: fn.Tagger) -> None:
    with pytest.raises(TypeError, match="text 1: expected a str, got NoneType"):
        tagger.tag_many([EVENT, None])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="not a single one"):
        tagger.tag_many(EVENT)


def test_one_text_gives_a_list_of_one_and_none_an_empty_list(tagger: fn.Tagger) -> None:
    assert tagger.tag_many([CLAIM]) == [tagger.tag(CLAIM)]
    assert tagger.tag_many([]) == []
    assert tagger.tag_many(iter([])) == []


def test_order_is_kept_and_company_does_not_matter(tagger: fn.Tagger) -> None:
    texts = [CLAIM, "", EVENT * 3, "Short one.", FILLER * 4 + CLAIM, "Привет, как дела сегодня", CLAIM.upper()]
    alone = [tagger.tag(text) for text in texts]
    for order in itertools.islice(itertools.permutations(range(len(texts))), 0, 5040, 701):
        for index, tag in zip(order, tagger.tag_many([texts[i] for i in order]), strict=True):
            _assert_same(tag, alone[index])


@settings(max_examples=25, deadline=None)
@given(text=st.text(alphabet=st.characters(), max_size=300))
def test_any_text_gets_a_valid_tag(tagger: fn.Tagger, text: str) -> None:
    tag = tagger.tag(text)
    jsonschema.validate(tag.to_dict(), fn.tag_json_schema())
    assert json.loads(json.dumps(tag.to_dict())) == tag.to_dict()
    for part in tag.evidence:
        assert 0 <= part.start < part.end <= len(text)


def test_stream_is_lazy(tagger: fn.Tagger) -> None:
    drawn = 0

    def endless() -> Iterator[str]:
        nonlocal drawn
        for text in itertools.cycle([CLAIM, EVENT]):
            drawn += 1
            yield text

    first = list(itertools.islice(tagger.stream(endless()), 3))
    assert [bool(tag.narratives) for tag in first] == [True, False, True]
    assert drawn <= 512


def test_a_long_text_is_read_to_its_end(tagger: fn.Tagger) -> None:
    text = FILLER * 60 + CLAIM
    tag = tagger.tag(text)
    assert tag.windows > 5
    assert "nato_alliances" in tag.labels
    spans = [text[e.start : e.end] for e in tag.evidence if e.label == "nato_alliances"]
    assert len(spans) <= 2
    assert all(CLAIM in span and span.strip() == span for span in spans)
    assert tagger.tag(FILLER * 60).narratives == ()


def test_a_megabyte_of_text(tagger: fn.Tagger) -> None:
    tag = tagger.tag(FILLER * 2_000 + CLAIM + "x" * 800_000)
    assert tag.windows > 300
    assert "nato_alliances" in tag.labels


def test_links_handles_and_styled_letters_do_not_hide_a_claim(tagger: fn.Tagger) -> None:
    styled = "".join(chr(0x1D5D4 + ord(c) - 65) if "A" <= c <= "Z" else c for c in CLAIM)
    for text in (f"@some_body {CLAIM} https://t.co/abcdef", styled):
        tag = tagger.tag(text)
        assert tag.labels == ("nato_alliances",)
        assert text[tag.evidence[0].start : tag.evidence[0].end].strip()


def test_modes_are_nested(tagger: fn.Tagger) -> None:
    strict, loose = fn.load(mode="high_precision"), fn.load(mode=fn.Mode.HIGH_RECALL)
    for label in NARRATIVES:
        assert strict.thresholds[label] >= tagger.thresholds[label] >= loose.thresholds[label]
    assert strict.tag(CLAIM).scores == tagger.tag(CLAIM).scores


def test_thresholds_of_your_own() -> None:
    tagger = fn.load(thresholds={"nato_alliances": 1.0})
    assert tagger.tag(CLAIM).labels == ()
    assert pickle.loads(pickle.dumps(tagger)).thresholds == tagger.thresholds
    with pytest.raises(InputError, match="Did you mean 'nato_alliances'"):
        fn.load(thresholds={"nato_aliances": 0.5})
    with pytest.raises(InputError, match=r"is 1\.5"):
        fn.load(thresholds={"nato_alliances": 1.5})
    with pytest.raises(InputError, match="Did you mean 'balanced'"):
        fn.load(mode="balance")


def test_embeddings(tagger: fn.Tagger) -> None:
    vectors = tagger.embed([CLAIM, CLAIM.replace("borders", "frontiers"), EVENT, "", FILLER * 60])
    assert vectors.shape == (5, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 1], atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert tagger.embed([]).shape == (0, 384)


def test_threads_share_one_tagger(tagger: fn.Tagger) -> None:
    texts = [CLAIM, EVENT, FILLER + CLAIM] * 4
    expected = tagger.tag_many(texts)
    with ThreadPoolExecutor(4) as pool:
        for tags in pool.map(tagger.tag_many, [texts] * 8):
            assert tags == expected


def test_the_thread_count_does_not_change_the_answer(tagger: fn.Tagger) -> None:
    texts = [CLAIM, EVENT, FILLER * 3 + CLAIM]
    for one, other in zip(fn.load(threads=1).tag_many(texts), tagger.tag_many(texts), strict=True):
        _assert_same(one, other)


def test_tags_are_frozen_hashable_and_travel(tagger: fn.Tagger) -> None:
    tag = tagger.tag(CLAIM)
    with pytest.raises(AttributeError):
        tag.windows = 2  # type: ignore[misc]
    assert {tag: 1}[pickle.loads(pickle.dumps(tag))] == 1


def _assert_same(one: fn.Tag, other: fn.Tag) -> None:
    """Same decision, and probabilities within the documented bound: activations are quantised over a whole batch."""
    assert (one.labels, one.reason, one.windows, one.language) == (
        other.labels,
        other.reason,
        other.windows,
        other.language,
    )
    for label, probability in one.scores.items():
        assert probability == pytest.approx(other.scores[label], abs=0.1)
