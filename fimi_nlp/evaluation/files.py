"""Predictions in files: what ``fimi-nlp tag`` writes, or anything simpler.

A record (a line of JSONL, a row of CSV or Parquet) is about one passage:

==================  ===============================================================================================
``id``              of the passage; without ids that match, ``text``, which must then be that of the passage
``narratives``      those named, in any notation of `fimi_nlp.data.Corpus.read`, or as ``fimi-nlp tag`` writes them
``scores``          ``{label: probability}``, where the model gives them; alone, they name from the threshold on. A
                    narrative that is not there has the probability 0
``stance, origin``  a label, ``{"label", "probability"}``, or null; leave the column out where the model has no such
``confidence``      the chance that what is named is right, where the model gives it
``reason``          as ``fimi-nlp tag`` writes it; ``LANGUAGE``, ``EMPTY``, ``NO_WORDS``: the text was not read
``model``           its name
==================  ===============================================================================================

Records of other passages are passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fimi_nlp.data.labels import CellError, is_missing, load_json, narratives
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.evaluation.answers import Answer, Reader, probability
from fimi_nlp.records import BadRecord, Record, read_records
from fimi_nlp.types import Reason, Score, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema

_UNREAD = {Reason.LANGUAGE.value, Reason.EMPTY.value, Reason.NO_WORDS.value}
_NAN = float("nan")


def read_answers(path: Path, corpus: Corpus, reader: Reader) -> list[Answer]:
    """The answers of a file to the passages of a corpus, in its order.

    Raises
    ------
    InputError
        The file cannot be read, a record is wrong (the message says where), two records are about one passage, or a
        passage has none.
    """
    records = []
    for record in read_records(path, text_column=None):
        if isinstance(record, BadRecord):
            raise InputError(f"{record.place}: {record.reason}.", remedy="Correct the file of predictions.")
        records.append(record)
    held: dict[str, Record] = {}
    key = _key(records, corpus)
    for record in records:
        value = str(record.data.get(key))
        if key == "id" and value in held:
            raise InputError(
                f"{record.place}: the id '{value}' stands also at {held[value].place}.",
                remedy="Predictions are matched by id: give one a passage.",
            )
        held[value] = record
    wanted = [str(getattr(passage, key)) for passage in corpus]
    missing = [value for value in wanted if value not in held]
    if missing:
        raise InputError(
            f"{path.name} has no prediction for {len(missing)} of {len(corpus)} passages, such as"
            f" {key} '{missing[0]:.60}'.",
            remedy="Predictions are matched by id, or by text where no id matches: keep the column.",
        )
    return [_answer(held[value], reader) for value in wanted]


def _key(records: list[Record], corpus: Corpus) -> str:
    """What the records are matched by: ids, unless none matches and there are texts."""
    ids = {passage.id for passage in corpus}
    matched = any(str(record.data.get("id")) in ids for record in records)
    return "id" if matched or not all(isinstance(record.data.get("text"), str) for record in records) else "text"


def _answer(record: Record, reader: Reader) -> Answer:
    try:
        return _read(record.data, reader)
    except (ValueError, TypeError, AttributeError) as error:
        remedy = "Name what the model named in 'narratives'; its probabilities go into 'scores'."
        raise InputError(f"{record.place}: {str(error).rstrip('.')}.", remedy=remedy) from error


def _read(data: Mapping[str, Any], reader: Reader) -> Answer:
    questions = frozenset(key for key in ("stance", "origin") if key in data)
    scores = None if is_missing(data.get("scores")) else _parsed(data["scores"])
    given = None if scores is None else _whole(scores, reader.schema)
    choices = {key: _choice(data.get(key), key) for key in ("stance", "origin")}
    sure = not is_missing(data.get("confidence"))
    if data.get("reason") in _UNREAD:
        return Answer(Tag(reason=Reason(data["reason"])), questions=questions | {"subs"})
    if given is None and "narratives" not in data:
        raise CellError("neither 'narratives' nor 'scores' is there")
    if "narratives" not in data:
        known = {label: p for label, p in (given or {}).items() if label in reader.schema.narrative_labels}
        named = list(reader.independent(known).tag.narratives)
    else:
        named = _named(data["narratives"], given, reader)
    tag = Tag(
        narratives=tuple(named),
        stance=choices["stance"],
        origin=choices["origin"],
        confidence=float(data["confidence"]) if sure else 0.0,
        scores=reader.named([score.label for score in named]).tag.scores if given is None else given,
        windows=1,
        model=str(data.get("model") or ""),
    )
    subs = frozenset({"subs"}) if any(score.sub for score in named) else frozenset()
    return Answer(tag, scored=given is not None, sure=sure, questions=questions | subs)


def _whole(scores: Mapping[str, Any], schema: LabelSchema) -> dict[str, float]:
    """The probabilities; 0 for narratives that the model does not know, unless they were meant by other names."""
    known = {*schema.narrative_labels, *schema.stance_labels, *schema.origin_labels}
    given = {label: probability(p, label) for label, p in scores.items()}
    missing = [label for label in schema.narrative_labels if label not in given]
    if missing and (others := [label for label in given if label not in known]):
        hint = did_you_mean(others[0], missing)
        raise CellError(f"'scores' has '{others[0]:.60}', and nothing for '{missing[0]}'. {hint}")
    return dict.fromkeys(missing, 0.0) | given


def _named(value: Any, scores: Mapping[str, float] | None, reader: Reader) -> list[Score]:
    """Narratives named, with the probabilities and thresholds that stand beside them."""
    value = _parsed(value)
    beside: dict[str, Mapping[str, Any]] = {}
    if isinstance(value, list):
        beside = {str(item.get("label")): item for item in value if isinstance(item, dict)}
        value = [
            {"label": item.get("label"), "sub": item.get("sub")} if isinstance(item, dict) else item for item in value
        ]
    carried, _ = narratives(value, reader.schema, True)
    found = []
    for label, sub in (carried or {}).items():
        entry = beside.get(label, {})
        p = entry.get("probability", (scores or {}).get(label, 1.0))
        found.append(Score(label, float(p), float(entry.get("threshold", _NAN)), sub))
    return found


def _choice(value: Any, key: str) -> Score | None:
    value = _parsed(value)
    if is_missing(value) or value == "none":
        return None
    if isinstance(value, str):
        return Score(value, 1.0, _NAN)
    if isinstance(value, dict) and isinstance(value.get("label"), str):
        return Score(value["label"], float(value.get("probability", 1.0)), _NAN)
    raise CellError(f"'{key}' must be a label or null, not {value!r}")


def _parsed(value: Any) -> Any:
    """A cell of a table that holds JSON."""
    return load_json(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
