"""Argilla 2: records with responses or suggestions, and the settings of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp._record_formats import dumps
from fimi_nlp.data.exchange import form
from fimi_nlp.records import BadRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fimi_nlp.data.corpus import Corpus, Passage
    from fimi_nlp.data.exchange.form import Question
    from fimi_nlp.records import Record
    from fimi_nlp.schema import Label, LabelSchema

#: The user of responses that were made elsewhere.
NOBODY = "00000000-0000-0000-0000-000000000000"
#: The key of the metadata that holds, as JSON, extra columns whose values are no text and no number.
_PACKED = "extra"
_INT64 = 2**63


def argilla_settings(schema: LabelSchema) -> dict[str, Any]:
    """The settings of a dataset, as ``argilla.Settings.from_json`` reads them from a file.

    Parameters
    ----------
    schema : LabelSchema
        The labels. Names and definitions are shown; what is stored are the labels themselves.
    """
    field = {
        "name": "text",
        "title": "Text",
        "required": True,
        "settings": {"type": "text", "use_markdown": False},
    }
    return {
        "guidelines": "\n\n".join(filter(None, (schema.description, schema.guidance))) or None,
        "fields": [field],
        "questions": [_question(question) for question in form.questions(schema)],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
    }


def to_argilla(corpus: Corpus, path: str | Path, *, labels: str = "annotations", user_id: str = NOBODY) -> None:
    """Write a corpus as Argilla records, for a dataset with `argilla_settings`.

    Parameters
    ----------
    corpus : Corpus
        The passages.
    path : str or Path
        A JSON file, as ``dataset.records.from_json`` reads it; it appears whole or not at all.
    labels : {"annotations", "suggestions", "none"}
        What becomes of the labels: responses, which `from_argilla` reads back unchanged; suggestions, which annotators
        see and correct; or nothing, so that annotators stay blind.
    user_id : str
        Whose responses they are; a server takes only those of users that it knows.

    Notes
    -----
    Everything that is no label is kept in the metadata. Extra columns that are no text and no number are packed into
    one, as JSON, since metadata cannot be nested.
    """
    form.check_labels(labels)
    asked = {question.name: question for question in form.questions(corpus.schema)}
    form.write_list(path, [_item(passage, asked, labels, user_id) for passage in corpus])


def from_argilla(
    path: str | Path, schema: LabelSchema | None = None, *, annotator: str | None = None, text_key: str = "text"
) -> Corpus:
    """Read a corpus from Argilla's JSON export (``dataset.records.to_json``).

    Parameters
    ----------
    path : str or Path
        The export.
    schema : LabelSchema, optional
        The labels; by default the four shared narratives.
    annotator : str, optional
        Id of the user whose responses to read; needed where a record has responses of several. Read once for each
        user, the corpora can be compared by `agreement`.
    text_key : str
        The field that holds the text.

    Returns
    -------
    Corpus
        Labels come from responses alone, not from suggestions; a record without any is a passage that is not annotated.
        Discarded responses are left out. Other fields, metadata, and responses to questions that are not of the form
        become extra columns.

    Raises
    ------
    CorpusError
        Some records or responses cannot be used; its ``problems`` has all of them.
    InputError
        The file is no such export, or has nothing by the annotator.
    """
    name, items = Path(path).name, form.read_list(path)
    people = (str(answer.get("user_id")) for item in items for _, answer in _responses(item))
    form.check_annotator(annotator, people, name)
    records = (_record(number, f"{name}, record {number}", item, annotator) for number, item in enumerate(items, 1))
    return form.read(records, schema, text_key)


def _item(passage: Passage, asked: Mapping[str, Question], labels: str, user_id: str) -> dict[str, Any]:
    filled = {name: chosen for name, chosen in form.answers(passage).items() if name in asked}
    values = {name: list(chosen) if asked[name].many else chosen[0] for name, chosen in filled.items()}
    return {
        "id": passage.id,
        "fields": {"text": passage.text},
        "metadata": _metadata(passage),
        "suggestions": {
            name: {"value": value, "score": None, "agent": "fimi-nlp"}
            for name, value in values.items()
            if labels == "suggestions"
        },
        "responses": {
            name: [{"value": value, "user_id": user_id}] for name, value in values.items() if labels == "annotations"
        },
        "vectors": {},
    }


def _metadata(passage: Passage) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        key: value for key in form.SOURCE_FIELDS if (value := getattr(passage, key)) is not None
    }
    packed = {key: value for key, value in passage.extra.items() if key == _PACKED or not _is_plain(value)}
    metadata |= {key: value for key, value in passage.extra.items() if key not in packed}
    if packed:
        metadata[_PACKED] = dumps(packed)
    return metadata


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, float)) or (type(value) is int and -_INT64 <= value < _INT64)


def _record(number: int, place: str, item: Any, annotator: str | None) -> Record | BadRecord:
    fields = item.get("fields") if isinstance(item, dict) else None
    if not isinstance(fields, dict):
        return BadRecord(number, place, "no 'fields': export with dataset.records.to_json", dumps(item), "fields")
    by: dict[str, dict[str, Any]] = {}
    for name, answer in _responses(item):
        by.setdefault(str(answer.get("user_id")), {})[name] = answer.get("value")
    filled: dict[str, tuple[str, ...]] = {}
    others: dict[str, Any] = {}
    try:
        for name, value in (form.only_annotator(by, annotator) or {}).items():
            if form.is_question(name):
                filled[name] = form.chosen(value, name)
            else:
                others[form.column(name)] = value
    except form.FormError as error:
        return BadRecord(number, place, str(error), dumps(item), error.question)
    metadata = item.get("metadata")
    data = {**fields, **(metadata if isinstance(metadata, dict) else {}), **others, "id": item.get("id")}
    return form.record(number, place, data, filled)


def _responses(item: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Question and response, for every response that was not discarded."""
    responses = item.get("responses") if isinstance(item, dict) else None
    for name, answers in (responses if isinstance(responses, dict) else {}).items():
        for answer in answers if isinstance(answers, list) else []:
            if isinstance(answer, dict) and answer.get("status") != "discarded":
                yield name, answer


def _question(question: Question) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "type": "multi_label_selection" if question.many else "label_selection",
        "options": [_option(option) for option in question.options],
    }
    return {
        "name": question.name,
        "title": question.title,
        "description": f"Only where '{question.narrative}' is chosen." if question.narrative else None,
        "required": question.name == "narratives",
        "settings": settings,
    }


def _option(option: Label) -> dict[str, str | None]:
    return {"value": option.label, "text": option.name or option.label, "description": option.definition or None}
