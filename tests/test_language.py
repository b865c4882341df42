"""The language gate: English of any kind passes, other languages do not."""

from __future__ import annotations

import subprocess
import sys

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
        "NATO provoked this war.",
        "#MAGA #Trump2024 #Biden #KAG",
        "Bundesliga, Feb. 12: Schalke, Bochum draw",
        "Lavrov, Guterres confer in Buenos Aires",
        "Von der Leyen, Michel quarrel over Ankara sofa",
        "AYATOLLAH KHAMENEI CONDEMNS WASHINGTON SANCTIONS",
        "Erdogan meets\nLavrov\r\nin Sochi",
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
        ("Not kennt kein Gebot, sagte der Minister", "de"),
        ("Questa guerra ha cambiato tutto", "it"),
        ("La OTAN es agresiva", "es"),
        ("Das Treffen findet am Dienstag in Wilna statt.", "de"),
        ("Deutschland gehorcht Washington", "de"),
        ("Zachód jest obłudny", "pl"),
        ("LE DÉCLIN AMÉRICAIN SE CONFIRME", "fr"),
    ],
)
def test_other_languages_are_refused(text: str, code: str) -> None:
    assert identify(text) == (code, False)


def test_a_model_of_many_languages_takes_all() -> None:
    assert identify("Die NATO erweitert sich nach Osten und bedroht den Frieden", "mul") == ("de", True)


def test_a_short_plain_sentence_needs_no_classifier() -> None:
    code = (
        "import sys; from fimi_nlp.language import identify\n"
        "assert identify('NATO provoked this war.').accepted and 'fasttext' not in sys.modules\n"
        "assert not identify('Questa guerra ha cambiato tutto').accepted and 'fasttext' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
