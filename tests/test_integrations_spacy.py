"""The component in real spaCy pipelines."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import spacy
from conftest import CLAIM, EVENT, FILLER
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from fimi_nlp.errors import BundleError, InputError
from fimi_nlp.integrations.spacy import FimiNarratives

if TYPE_CHECKING:
    import fimi_nlp as fn

TEXTS = [f"{EVENT} {CLAIM} {FILLER}", EVENT, "", CLAIM]


def pipeline(*, bounds: bool = True, **config: Any) -> Language:
    nlp = spacy.blank("en")
    if bounds:
        nlp.add_pipe("sentencizer")
    nlp.add_pipe("fimi_narratives", config=config)
    return nlp


def test_documents_and_sentences(tagger: fn.Tagger) -> None:
    doc = pipeline()(TEXTS[0])
    assert doc._.fimi == tagger.tag(TEXTS[0])
    assert [(span.label_, span.text) for span in doc.spans["fimi"]] == [("nato_alliances", CLAIM)]
    scores = doc.spans["fimi"].attrs["scores"]
    assert scores.shape == (1,)
    assert scores[0] >= tagger.thresholds["nato_alliances"]


def test_without_sentence_bounds_the_evidence_is_marked(tagger: fn.Tagger) -> None:
    long = " ".join([FILLER * 40, CLAIM, FILLER * 40])
    for nlp in (pipeline(bounds=False), pipeline(sentences=False)):
        doc = nlp(long)
        tag = tagger.tag(long)
        assert [span.label_ for span in doc.spans["fimi"]] == [part.label for part in tag.evidence]
        for span, part in zip(doc.spans["fimi"], tag.evidence, strict=True):
            assert span.text == long[part.start : part.end]


def test_batches_pass_through_in_order(tagger: fn.Tagger) -> None:
    texts = TEXTS * 5
    nlp = pipeline()
    for size in (1, 7, 100):
        found = list(nlp.pipe(((text, i) for i, text in enumerate(texts)), batch_size=size, as_tuples=True))
        assert [(doc.text, i) for doc, i in found] == [(text, i) for i, text in enumerate(texts)]
        assert [doc._.fimi.labels for doc, _ in found] == [tag.labels for tag in tagger.tag_many(texts)]
        assert [doc._.fimi.reason for doc, _ in found] == [tag.reason for tag in tagger.tag_many(texts)]
        assert all("fimi" in doc.spans for doc, _ in found)
    read: list[int] = []
    endless = (read.append(i) or CLAIM for i in range(10**9))  # type: ignore[func-returns-value]
    next(iter(nlp.pipe(endless, batch_size=4)))
    assert len(read) < 10_000


def test_documents_travel(tagger: fn.Tagger) -> None:
    nlp = pipeline()
    doc = nlp(TEXTS[0])
    copy = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    binned = next(iter(DocBin().from_bytes(stored).get_docs(nlp.vocab)))
    for again in (copy, binned):
        assert again._.fimi == doc._.fimi
        assert [span.label_ for span in again.spans["fimi"]] == ["nato_alliances"]
    assert Doc(nlp.vocab, words=["new"])._.fimi is None


def test_pipelines_are_saved_with_their_settings(tmp_path: Path) -> None:
    nlp = pipeline(mode="high_precision", spans_key="narratives")
    nlp.to_disk(tmp_path / "nlp")
    on_disk = spacy.load(tmp_path / "nlp")
    in_bytes = type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())
    for again in (on_disk, in_bytes):
        component: Any = again.get_pipe("fimi_narratives")
        assert isinstance(component, FimiNarratives)
        assert component.tagger.mode.value == "high_precision"
        doc = again(TEXTS[0])
        assert [span.text for span in doc.spans["narratives"]] == [CLAIM]
    with pytest.warns(UserWarning, match="saved with other@1"):
        component.from_bytes(b'{"model": "other@1"}')
    with pytest.raises(BundleError, match="malformed"):
        component.from_bytes(b"{}")


def test_errors_come_through() -> None:
    with pytest.raises(InputError, match="Did you mean 'high_recall'"):
        pipeline(mode="high_recal")
    with pytest.raises(BundleError, match="no such model"):
        pipeline(model="./nowhere")


def test_the_entry_point_leads_to_the_factory() -> None:
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    found = re.search(
        r"^\[project.entry-points.spacy_factories\]\nfimi_narratives = \"([\w.]+):(\w+)\"$", project, re.M
    )
    assert found
    assert callable(getattr(importlib.import_module(found[1]), found[2]))
    assert Language.get_factory_meta("fimi_narratives").assigns == ["doc._.fimi", "doc.spans"]
