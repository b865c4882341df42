"""Corpora of labelled passages: reading, checking, splitting, and the arrays that training and evaluation use.

>>> from fimi_nlp.data import Corpus
>>> corpus = Corpus.read([{"id": "a", "text": "Alliances drag small countries into wars.", "narratives": {}}])
>>> len(corpus), corpus[0].narratives
(1, {})
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fimi_nlp.data.arrays import LabelArrays
    from fimi_nlp.data.checks import CheckReport, check
    from fimi_nlp.data.corpus import Corpus, Passage
    from fimi_nlp.data.reading import Problem
    from fimi_nlp.data.splits import check_split, split

_HOMES = {
    "CheckReport": "checks",
    "Corpus": "corpus",
    "LabelArrays": "arrays",
    "Passage": "corpus",
    "Problem": "reading",
    "check": "checks",
    "check_split": "splits",
    "split": "splits",
}

__all__ = ["CheckReport", "Corpus", "LabelArrays", "Passage", "Problem", "check", "check_split", "split"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
