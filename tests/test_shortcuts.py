"""What the origin leans on, measured with it taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimi_nlp.data import Corpus
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import shortcuts
from fimi_nlp.evaluation.masking import MASKINGS
from fimi_nlp.types import Reason, Score, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence


class _ReadsNames:
    """Takes every text that names China for Chinese, and nothing else into account."""

    def tag_many(self, texts: Sequence[str]) -> list[Tag]:
        return [self._tag("china" if "Chin" in text else "russia" if "Russia" in text else "other") for text in texts]

    def _tag(self, origin: str) -> Tag:
        labels = ("us_democracy", "nato_alliances", "multipolarity", "western_hypocrisy")
        return Tag(
            narratives=(),
            stance=None,
            origin=Score(origin, 0.9, 0.5),
            confidence=0.9,
            scores=dict.fromkeys(labels, 0.1),
            reason=Reason.OK,
            evidence=(),
            windows=1,
            language="en",
            model="names@1",
        )


def _corpus() -> Corpus:
    rows = []
    for number in range(12):
        origin, name = (("china", "Chinese"), ("russia", "Russian"), ("other", "local"))[number % 3]
        rows.append({"text": f"The {name} side said number {number}.", "origin": origin, "narratives": {}})
    return Corpus.read(rows)


def test_a_model_that_reads_names_is_found_out() -> None:
    report = shortcuts(_ReadsNames(), _corpus())
    rows = {row.masking: row for row in report.maskings}
    assert set(rows) == {"nations", "swap"}
    assert rows["nations"].n == 8
    assert rows["nations"].origin_f1.value == 1
    assert rows["nations"].origin_f1_masked.value == 0
    assert rows["swap"].origin_f1_masked.value == 0
    assert rows["swap"].same == 0
    assert "| swap | 8 | 1.00" in report.to_markdown()
    assert report.to_dict()["maskings"][0]["n"] == 8


@pytest.mark.parametrize(
    ("masking", "text", "expected"),
    [
        (
            "nations",
            "US officials met the Russians in the White House.",
            "the country officials met the citizens in the government.",
        ),
        ("swap", "Moscow and Beijing, the Kremlin and China", "Beijing and Moscow, the Zhongnanhai and Russia"),
        ("hashtags", "#NATO is #1 at C#", "NATO is 1 at C#"),
        ("emoji", "Wow 🇨🇳🔥 yes", "Wow  yes"),
        ("emoji", "🔥", "🔥"),
        ("handles", "@user well said @user2", "well said"),
        ("habits", "NATO expands again – Lavrov", "NATO expands again"),
        ("habits", "BREAKING: Talks end (VIDEO)", " Talks end".strip()),
        ("habits", "A well-known state-run firm", "A well-known state-run firm"),
    ],
)
def test_maskings(masking: str, text: str, expected: str) -> None:
    assert MASKINGS[masking](text) == expected


@given(st.text(max_size=200), st.sampled_from(sorted(MASKINGS)))
def test_no_text_becomes_empty(text: str, masking: str) -> None:
    assert bool(MASKINGS[masking](text).strip()) or not text.strip() or masking == "handles"


def test_a_corpus_without_origins() -> None:
    with pytest.raises(InputError, match="No passage of the corpus has an origin"):
        shortcuts(_ReadsNames(), Corpus.read([{"text": "Some text.", "narratives": {}}]))
