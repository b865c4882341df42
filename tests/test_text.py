"""Normalising, sentences and windows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimi_nlp.text import normalise, sentences, windows

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)


@given(ANY_TEXT)
def test_normalising_keeps_the_length(text: str) -> None:
    assert len(normalise(text)) == len(text)


@given(ANY_TEXT)
def test_normalising_twice_changes_nothing_more_about_surrogates(text: str) -> None:
    normalise(text).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://a.example/x?y=1 now", "see                        now"),
        ("see www.example.org now", "see                 now"),
        ("by @somebody_else there", "by @user          there"),
        ("mail me at a@b.example", "mail me at a@b.example"),
        ("Q&amp;A &#39;so&#39;", "Q&    A '    so'    "),
        ("\U0001d401\U0001d428\U0001d425\U0001d41d \uff21\uff22", "Bold AB"),
        ("half \ud83d emoji", "half \ufffd emoji"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "parts",
    [
        ["The U.S. left. ", "Mr. Brown stayed."],
        ["He asked: why? ", "Nobody knew! ", '"So it is." ', "They went on."],
        ["It grew by 2.5 percent in Jan. 2020 alone. ", "Then it fell."],
        ["A headline\n\n", "a paragraph in lower case"],
        ["Trust e.g. the J. Smith report."],
    ],
)
def test_sentences(parts: list[str]) -> None:
    text = "".join(parts)
    assert [text[a:b] for a, b in sentences(text)] == parts


@given(ANY_TEXT)
def test_sentences_cover_the_text(text: str) -> None:
    assert "".join(text[a:b] for a, b in sentences(text)) == text


@given(
    length=st.integers(0, 400),
    starts=st.lists(st.integers(0, 400), max_size=40),
    size=st.integers(8, 64),
    more=st.integers(0, 64),
)
def test_windows_hold_every_token_in_order(length: int, starts: list[int], size: int, more: int) -> None:
    cuts = windows(sorted(starts), length, limit=size + more, size=size)
    assert sorted({i for a, b in cuts for i in range(a, b)}) == list(range(length))
    assert cuts == sorted(cuts)
    assert all(b - a <= (size if len(cuts) > 1 else size + more) for a, b in cuts)


def test_windows_end_with_sentences_and_share_one() -> None:
    assert windows([0, 10, 20, 30, 40], 50, limit=20, size=20) == [(0, 20), (10, 30), (20, 40), (30, 50)]


def test_a_megabyte_without_a_full_stop_is_quick() -> None:
    assert len(sentences("word " * 200_000)) == 1
    assert len(sentences("a. " * 300_000)) > 0
