"""The tagger as a component of a spaCy pipeline: ``nlp.add_pipe("fimi_narratives")``.

>>> import spacy
>>> import fimi_nlp.integrations.spacy          # needed only where the package is not installed
>>> nlp = spacy.blank("en")
>>> _ = nlp.add_pipe("sentencizer")
>>> _ = nlp.add_pipe("fimi_narratives")
>>> doc = nlp("The weather was fine. NATO has expanded to our borders and provoked this war.")
>>> doc._.fimi.labels
('nato_alliances',)
>>> [(span.label_, span.text) for span in doc.spans["fimi"]]
[('nato_alliances', 'NATO has expanded to our borders and provoked this war.')]

Needs ``pip install "fimi-nlp[spacy]"``.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import BundleError, require
from fimi_nlp.integrations._shared import resolve
from fimi_nlp.types import Evidence, Reason, Score, Tag

require("spacy", "spacy")

from spacy.language import Language  # noqa: E402
from spacy.tokens import Doc, Span, SpanGroup  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FimiNarratives", "make_component"]

#: Name of the extension, and of the key of `Doc.user_data` that holds the tag as plain types.
NAME = "fimi"
_CONFIG = "fimi_narratives.json"
_DEFAULTS = {"model": None, "revision": None, "mode": "balanced", "spans_key": NAME, "sentences": True}


class FimiNarratives:
    """Sets ``doc._.fimi`` and ``doc.spans["fimi"]``; made by ``nlp.add_pipe("fimi_narratives", config=...)``.

    Parameters
    ----------
    model : str or None
        A bundle's folder or a Hub id; by default the bundled model.
    revision : str or None
        Commit, tag or branch on the Hub.
    mode : {"high_precision", "balanced", "high_recall"}
        Which of the bundle's thresholds to use.
    spans_key : str
        Where the spans go in ``doc.spans``; their probabilities are in ``doc.spans[key].attrs["scores"]``.
    sentences : bool
        Where sentence bounds are set and the document carries a narrative, tag each sentence, and set spans on those
        that carry it too. Otherwise the spans are the windows of the document's evidence.

    Notes
    -----
    ``doc._.fimi`` is a `Tag`, or ``None`` before the component has run. It is kept in ``doc.user_data`` as plain types,
    so that documents can be saved and sent between processes.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        revision: str | None = None,
        mode: str = "balanced",
        spans_key: str = NAME,
        sentences: bool = True,
    ) -> None:
        self.tagger = resolve(model, revision=revision, mode=mode)
        self.spans_key, self.sentences = spans_key, sentences
        if not Doc.has_extension(NAME):
            Doc.set_extension(NAME, getter=_get, setter=_set)

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 256) -> Iterator[Doc]:
        """Tag documents in batches, in order."""
        source = iter(stream)
        while docs := list(islice(source, batch_size)):
            self._annotate(docs)
            yield from docs

    def _annotate(self, docs: list[Doc]) -> None:
        sentences: list[tuple[Doc, Span]] = []
        spans: dict[int, list[tuple[Span, float]]] = {}
        for doc, tag in zip(docs, self.tagger.stream(doc.text for doc in docs), strict=True):
            doc._.fimi = tag
            spans[id(doc)] = []
            if tag.narratives and self.sentences and doc.has_annotation("SENT_START"):
                sentences.extend((doc, sentence) for sentence in doc.sents)
            else:
                for part in tag.evidence:
                    span = doc.char_span(part.start, part.end, label=part.label, alignment_mode="expand")
                    if span is not None:
                        spans[id(doc)].append((span, part.probability))
        tags = self.tagger.stream(sentence.text for _, sentence in sentences)
        for (doc, sentence), tag in zip(sentences, tags, strict=True):
            for score in tag.narratives:
                if score.label in doc._.fimi.labels:
                    span = Span(doc, sentence.start, sentence.end, label=score.label)
                    spans[id(doc)].append((span, score.probability))
        for doc in docs:
            group = SpanGroup(doc, name=self.spans_key, spans=[span for span, _ in spans[id(doc)]])
            group.attrs["scores"] = np.array([score for _, score in spans[id(doc)]], np.float64)
            doc.spans[self.spans_key] = group

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:  # noqa: ARG002
        """What a saved pipeline holds of the component: the model's name. Its settings are in the pipeline's config."""
        return json.dumps({"model": self.tagger.bundle.name}).encode()

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> FimiNarratives:  # noqa: ARG002
        """Check that the model is the one that the pipeline was saved with; another one is warned about."""
        try:
            saved = json.loads(data)["model"]
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError("The saved component 'fimi_narratives' is malformed.", remedy="Save it again.") from error
        if saved != self.tagger.bundle.name:
            warnings.warn(
                f"The pipeline was saved with {saved}, and is loaded with {self.tagger.bundle.name}.", stacklevel=2
            )
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:  # noqa: ARG002
        """Save the model's name; see `to_bytes`."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _CONFIG).write_bytes(self.to_bytes())

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> FimiNarratives:  # noqa: ARG002
        """Check the model's name; see `from_bytes`."""
        return self.from_bytes((Path(path) / _CONFIG).read_bytes())


@Language.factory("fimi_narratives", assigns=["doc._.fimi", "doc.spans"], default_config=_DEFAULTS)
def make_component(
    nlp: Language,  # noqa: ARG001
    name: str,  # noqa: ARG001
    model: str | None,
    revision: str | None,
    mode: str,
    spans_key: str,
    sentences: bool,
) -> FimiNarratives:
    """Make the component; spaCy calls this. The parameters are those of `FimiNarratives`."""
    return FimiNarratives(model=model, revision=revision, mode=mode, spans_key=spans_key, sentences=sentences)


def _set(doc: Doc, tag: Tag) -> None:
    doc.user_data[NAME] = {**asdict(tag), "reason": tag.reason.value}


def _get(doc: Doc) -> Tag | None:
    data: dict[str, Any] | None = doc.user_data.get(NAME)
    if data is None:
        return None
    parts = {
        "narratives": tuple(Score(**entry) for entry in data["narratives"]),
        "stance": Score(**data["stance"]) if data["stance"] else None,
        "origin": Score(**data["origin"]) if data["origin"] else None,
        "reason": Reason(data["reason"]),
        "evidence": tuple(Evidence(**entry) for entry in data["evidence"]),
    }
    return Tag(**{**data, **parts})
