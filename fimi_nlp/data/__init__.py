"""Corpora of labelled passages: reading, checking, splitting, and the arrays that training and evaluation use.

Tools look after them: `find_label_noise`, `find_near_duplicates`, `agreement`, `coverage`, `select_for_annotation`, and
exchange with Label Studio and Argilla.

>>> from fimi_nlp.data import Corpus
>>> corpus = Corpus.read([{"id": "a", "text": "Alliances drag small countries into wars.", "narratives": {}}])
>>> len(corpus), corpus[0].narratives
(1, {})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp._lazy import attach

if TYPE_CHECKING:
    from fimi_nlp.data.agreements import Agreement, agreement
    from fimi_nlp.data.arrays import LabelArrays
    from fimi_nlp.data.balance import CoverageReport, coverage
    from fimi_nlp.data.checks import CheckReport, Duplicates, check, find_near_duplicates
    from fimi_nlp.data.corpus import Corpus, Passage
    from fimi_nlp.data.exchange.argilla import argilla_settings, from_argilla, to_argilla
    from fimi_nlp.data.exchange.label_studio import from_label_studio, label_studio_config, to_label_studio
    from fimi_nlp.data.noise import Suspect, cross_validate, find_label_noise
    from fimi_nlp.data.reading import Problem
    from fimi_nlp.data.rebuilding import RebuildReport, rebuild
    from fimi_nlp.data.reliability import cohen_kappa, krippendorff_alpha
    from fimi_nlp.data.sampling import Candidate, select_for_annotation, write_batch
    from fimi_nlp.data.splits import check_split, split
    from fimi_nlp.data.standoff import StandoffRecord, read_standoff, text_hash, to_standoff
    from fimi_nlp.data.variety import DiversityReport, diversity

_HOMES = {
    "Agreement": "agreements",
    "Candidate": "sampling",
    "CheckReport": "checks",
    "Corpus": "corpus",
    "CoverageReport": "balance",
    "DiversityReport": "variety",
    "Duplicates": "checks",
    "LabelArrays": "arrays",
    "Passage": "corpus",
    "Problem": "reading",
    "RebuildReport": "rebuilding",
    "StandoffRecord": "standoff",
    "Suspect": "noise",
    "agreement": "agreements",
    "argilla_settings": "exchange.argilla",
    "check": "checks",
    "check_split": "splits",
    "cohen_kappa": "reliability",
    "coverage": "balance",
    "cross_validate": "noise",
    "diversity": "variety",
    "find_label_noise": "noise",
    "find_near_duplicates": "checks",
    "from_argilla": "exchange.argilla",
    "from_label_studio": "exchange.label_studio",
    "krippendorff_alpha": "reliability",
    "label_studio_config": "exchange.label_studio",
    "read_standoff": "standoff",
    "rebuild": "rebuilding",
    "select_for_annotation": "sampling",
    "split": "splits",
    "text_hash": "standoff",
    "to_argilla": "exchange.argilla",
    "to_label_studio": "exchange.label_studio",
    "to_standoff": "standoff",
    "write_batch": "sampling",
}

__all__ = [
    "Agreement",
    "Candidate",
    "CheckReport",
    "Corpus",
    "CoverageReport",
    "DiversityReport",
    "Duplicates",
    "LabelArrays",
    "Passage",
    "Problem",
    "RebuildReport",
    "StandoffRecord",
    "Suspect",
    "agreement",
    "argilla_settings",
    "check",
    "check_split",
    "cohen_kappa",
    "coverage",
    "cross_validate",
    "diversity",
    "find_label_noise",
    "find_near_duplicates",
    "from_argilla",
    "from_label_studio",
    "krippendorff_alpha",
    "label_studio_config",
    "read_standoff",
    "rebuild",
    "select_for_annotation",
    "split",
    "text_hash",
    "to_argilla",
    "to_label_studio",
    "to_standoff",
    "write_batch",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
