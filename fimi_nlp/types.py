"""What a tagger gives back: frozen, comparable, and plain JSON through ``to_dict``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mode(str, Enum):
    """How strict the thresholds are. Every bundle stores one set of thresholds per mode."""

    HIGH_PRECISION = "high_precision"
    BALANCED = "balanced"
    HIGH_RECALL = "high_recall"


class Reason(str, Enum):
    """Why a tag looks as it does."""

    #: The text was read and the tagger stands by the tag.
    OK = "OK"
    #: The text was read, but the tag is about as likely wrong as right: a person should look.
    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    #: The text is not in a language that the model reads. Nothing is named.
    LANGUAGE = "LANGUAGE"
    #: The text is empty or white space. Nothing is named.
    EMPTY = "EMPTY"
    #: The text has no words, only digits, symbols, emoji, links or handles. Nothing is named.
    NO_WORDS = "NO_WORDS"
    #: The first stage of `load(..., fast=True)` let the text go, and the model has not read it. Nothing is named.
    SKIPPED = "SKIPPED"
    #: There is no text: the cell of a table is null. Nothing is named.
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class Score:
    """A label and how probable it is.

    Attributes
    ----------
    label : str
        A label of the bundle's schema.
    probability : float
        Calibrated, in [0, 1].
    threshold : float
        The probability from which the label is named in the mode that was used.
    sub : str or None
        For a narrative: the sub-narrative, where one is confident.
    """

    label: str
    probability: float
    threshold: float = 0.0
    sub: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A part of the text that carries a narrative.

    Attributes
    ----------
    label : str
        The narrative.
    start, end : int
        Character span in the text as it was given: ``text[start:end]``.
    probability : float
        The narrative's probability in this part alone.
    """

    label: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class Tag:
    """What a text carries. It describes content; it never says who is behind a text.

    Attributes
    ----------
    narratives : tuple of Score
        The narratives named, the most probable first; empty where there are none.
    stance : Score or None
        Whether the text asserts, relays or counters what it carries; ``None`` where it carries nothing.
    origin : Score or None
        Whose register the text resembles; ``None`` where the tagger abstains. Content alignment is not attribution.
    confidence : float
        Calibrated chance that the narratives named are right; with none named, that there is none. 0 where the text
        was not read (see `reason`); with the reason ``SKIPPED``, the share of such texts without a narrative.
    scores : mapping of str to float
        The calibrated probability of every narrative, stance (given that a narrative is carried) and origin; empty
        where the text was not read.
    reason : Reason
        ``OK``, or why to be careful.
    evidence : tuple of Evidence
        The windows that carry each narrative named, in the order of the text.
    windows : int
        How many windows the text was read in; 0 where it was not read.
    language : str
        ISO 639-1 code, ``und`` where undetermined.
    model : str
        ``id@revision`` of the bundle.
    """

    narratives: tuple[Score, ...] = ()
    stance: Score | None = None
    origin: Score | None = None
    confidence: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    reason: Reason = Reason.OK
    evidence: tuple[Evidence, ...] = ()
    windows: int = 0
    language: str = "und"
    model: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the narratives named."""
        return tuple(score.label for score in self.narratives)

    def to_dict(self) -> dict[str, Any]:
        """The tag as plain JSON types; `fimi_nlp.tag_json_schema` describes it."""
        return {
            "narratives": [
                {"label": s.label, "sub": s.sub, "probability": s.probability, "threshold": s.threshold}
                for s in self.narratives
            ],
            "stance": _pair(self.stance),
            "origin": _pair(self.origin),
            "confidence": self.confidence,
            "scores": dict(self.scores),
            "reason": self.reason.value,
            "evidence": [
                {"label": e.label, "start": e.start, "end": e.end, "probability": e.probability} for e in self.evidence
            ],
            "language": self.language,
            "windows": self.windows,
            "model": self.model,
        }


def _pair(score: Score | None) -> dict[str, Any] | None:
    return None if score is None else {"label": score.label, "probability": score.probability}


def tag_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `Tag.to_dict`.

    Records on the command line have the same keys, and ``id`` and the input's own columns beside them.
    """
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    text = {"type": "string"}
    position = {"type": "integer", "minimum": 0}

    def record(**properties: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    choice = record(label=text, probability=probability)
    schema = record(
        narratives={
            "type": "array",
            "items": record(
                label=text, sub={"type": ["string", "null"]}, probability=probability, threshold=probability
            ),
        },
        stance={"anyOf": [choice, {"type": "null"}]},
        origin={"anyOf": [choice, {"type": "null"}]},
        confidence=probability,
        scores={"type": "object", "additionalProperties": probability},
        reason={"enum": [reason.value for reason in Reason]},
        evidence={
            "type": "array",
            "items": record(label=text, start=position, end=position, probability=probability),
        },
        language=text,
        windows=position,
        model=text,
    )
    schema["additionalProperties"] = True
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Tag", **schema}
