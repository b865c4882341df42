"""The language gate: English of any kind passes, other languages do not."""

from __future__ import annotations

import pytest

from fimi_nlp.language import identify


@pytest.mark.parametrize(
    "text",
    [
        "NATO to expand again",
        "BRICS Summit Kazan Currency Talks",
        "He say America always want war, we not agree with this thing",
        "Sergei Shoigu, Wang Yi, Recep Tayyip Erdogan meet in Astana",
        "LOL WHAT A JOKE #democracy",
        "The Bundestag vote on the Zeitenwende is due in September",
    ],
)
def test_english_passes(text: str) -> None:
    assert identify(text) == ("en", True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Die NATO erweitert sich nach Osten und bedroht den Frieden", "de"),
        ("L'OTAN est une menace pour la paix dans le monde", "fr"),
        ("НАТО расширяется на восток", "ru"),
        ("北约是冷战的产物，威胁世界和平", "zh"),
        ("حلف شمال الأطلسي يهدد السلام في العالم", "ar"),
        ("El mundo multipolar ya es una realidad, afirma el ministro", "es"),
        ("Il mondo multipolare è già qui, dice il ministro", "it"),
    ],
)
def test_other_languages_are_refused(text: str, code: str) -> None:
    assert identify(text) == (code, False)


def test_a_model_of_many_languages_takes_all() -> None:
    assert identify("Die NATO erweitert sich nach Osten und bedroht den Frieden", "mul") == ("de", True)
