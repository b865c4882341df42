"""Corpora of labelled passages: reading, checking, splitting, and the arrays that training and evaluation use.

>>> from fimi_nlp.data import Corpus
>>> corpus = Corpus.read([{"id": "a", "text": "Alliances drag small countries into wars.", "narratives": {}}])
>>> len(corpus), corpus[0].narratives
(1, {})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp._lazy import attach

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

__getattr__, __dir__ = attach(__name__, _HOMES)
