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
    from fimi_nlp.data.rebuilding import RebuildReport, rebuild
    from fimi_nlp.data.splits import check_split, split
    from fimi_nlp.data.standoff import StandoffRecord, read_standoff, text_hash, to_standoff

_HOMES = {
    "CheckReport": "checks",
    "Corpus": "corpus",
    "LabelArrays": "arrays",
    "Passage": "corpus",
    "Problem": "reading",
    "RebuildReport": "rebuilding",
    "StandoffRecord": "standoff",
    "check": "checks",
    "check_split": "splits",
    "read_standoff": "standoff",
    "rebuild": "rebuilding",
    "split": "splits",
    "text_hash": "standoff",
    "to_standoff": "standoff",
}

__all__ = [
    "CheckReport",
    "Corpus",
    "LabelArrays",
    "Passage",
    "Problem",
    "RebuildReport",
    "StandoffRecord",
    "check",
    "check_split",
    "read_standoff",
    "rebuild",
    "split",
    "text_hash",
    "to_standoff",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
