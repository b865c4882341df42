"""Label Studio: tasks with annotations or predictions, and the labelling configuration."""

from __future__ import annotations

import html
import re
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

#: Characters that XML cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID, _META = "passage_id", "meta"


def label_studio_config(schema: LabelSchema, text_key: str = "text") -> str:
    """The labelling configuration of a schema, to paste into a project's settings.

    Parameters
    ----------
    schema : LabelSchema
        The labels. Names and definitions become hints; what is stored are the labels themselves.
    text_key : str
        The key of the tasks' data that holds the text.

    Returns
    -------
    str
        XML.
    """
    lines = ["<View>", f"  <Text {_attributes(name='text', value=f'${text_key}')}/>"]
    for question in form.questions(schema):
        lines += _control(question)
    return "\n".join([*lines, "</View>"]) + "\n"


def to_label_studio(corpus: Corpus, path: str | Path, *, labels: str = "annotations") -> None:
    """Write a corpus as Label Studio tasks, for a project with `label_studio_config`.

    Parameters
    ----------
    corpus : Corpus
        The passages.
    path : str or Path
        A JSON file; it appears whole or not at all.
    labels : {"annotations", "suggestions", "none"}
        What becomes of the labels: annotations, which `from_label_studio` reads back unchanged; predictions, which
        annotators see and correct; or nothing, so that annotators stay blind.

    Notes
    -----
    Everything that is no label is kept in each task's data: ``text``, ``passage_id``, and the rest in ``meta``, which
    the configuration does not show.
    """
    form.check_labels(labels)
    asked = {question.name: question for question in form.questions(corpus.schema)}
    form.write_list(path, [_task(passage, asked, labels) for passage in corpus])


def from_label_studio(
    path: str | Path, schema: LabelSchema | None = None, *, annotator: str | int | None = None, text_key: str = "text"
) -> Corpus:
    """Read a corpus from Label Studio's JSON export.

    Parameters
    ----------
    path : str or Path
        The export (JSON, not JSON-MIN).
    schema : LabelSchema, optional
        The labels; by default the four shared narratives.
    annotator : str or int, optional
        Id or address of the annotator whose answers to read; needed where a task has several annotations. Read once
        for each annotator, the corpora can be compared by `agreement`.
    text_key : str
        The key of the tasks' data that holds the text.

    Returns
    -------
    Corpus
        Labels come from annotations alone, not from predictions; a task without any is a passage that is not
        annotated. Skipped annotations are left out. What else the data hold, and answers to questions that are not of
        the form, such as comments, become extra columns.

    Raises
    ------
    CorpusError
        Some tasks or answers cannot be used; its ``problems`` has all of them.
    InputError
        The file is no such export, or has nothing by the annotator.
    """
    name, tasks = Path(path).name, form.read_list(path)
    wanted = None if annotator is None else str(annotator)
    if wanted is not None:
        people = (person for task in tasks for note in _annotations(task) for person in _people(note))
        form.check_annotator(wanted, people, name)
    records = (_record(number, f"{name}, task {number}", task, wanted) for number, task in enumerate(tasks, 1))
    return form.read(records, schema, text_key)


def _task(passage: Passage, asked: Mapping[str, Question], labels: str) -> dict[str, Any]:
    meta: dict[str, Any] = {key: value for key in form.SOURCE_FIELDS if (value := getattr(passage, key)) is not None}
    if passage.extra:
        meta["extra"] = dict(passage.extra)
    task: dict[str, Any] = {"data": {"text": passage.text, _ID: passage.id, _META: meta}}
    result = [
        {"id": name, "from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(chosen)}}
        for name, chosen in form.answers(passage).items()
        if name in asked
    ]
    if labels == "annotations" and result:
        task["annotations"] = [{"result": result, "was_cancelled": False}]
    elif labels == "suggestions" and result:
        task["predictions"] = [{"result": result, "model_version": "fimi-nlp"}]
    return task


def _record(number: int, place: str, task: Any, annotator: str | None) -> Record | BadRecord:
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        return BadRecord(number, place, "no 'data': export as JSON, not as JSON-MIN or CSV", dumps(task), "data")
    try:
        filled, others = _answers(task, annotator)
    except form.FormError as error:
        return BadRecord(number, place, str(error), dumps(task), error.question)
    meta = data.get(_META)
    fields = {key: value for key, value in data.items() if key not in (_ID, _META)}
    fields |= meta if isinstance(meta, dict) else {_META: meta}
    fields["id"] = next((value for value in (data.get(_ID), data.get("id"), task.get("id")) if value is not None), None)
    return form.record(number, place, {**fields, **others}, filled)


def _answers(task: dict[str, Any], annotator: str | None) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    """Answers to the form, and to other questions that the project asks."""
    by: dict[str, Any] = {}
    for count, note in enumerate(_annotations(task), 1):
        people = _people(note) or [f"annotation {count}"]
        key = annotator if annotator in people else people[0]
        if key in by:
            raise form.FormError(f"two annotations by {key}; delete one of them", "annotations")
        by[key] = note
    note = form.only_annotator(by, annotator)
    filled: dict[str, tuple[str, ...]] = {}
    others: dict[str, Any] = {}
    for entry in (note or {}).get("result") or []:
        name, kind = str(entry.get("from_name", "")), str(entry.get("type", ""))
        value = entry.get("value") or {}
        if kind == "choices" and form.is_question(name):
            filled[name] = (*filled.get(name, ()), *form.chosen(value.get("choices", []), name))
        else:
            others[form.column(name or kind)] = next(iter(value.values())) if len(value) == 1 else value
    return filled, others


def _annotations(task: Any) -> Iterator[dict[str, Any]]:
    notes = task.get("annotations") if isinstance(task, dict) else None
    for note in notes if isinstance(notes, list) else []:
        if isinstance(note, dict) and not note.get("was_cancelled"):
            yield note


def _people(note: Mapping[str, Any]) -> list[str]:
    """The id and the address of who made an annotation."""
    who = note.get("completed_by")
    if isinstance(who, dict):
        return [str(who[key]) for key in ("id", "email") if who.get(key) is not None]
    return [] if who is None else [str(who)]


def _control(question: Question) -> list[str]:
    """A question with its title, hidden as long as the narrative that it is about is not chosen."""
    hidden = {"visibleWhen": "choice-selected", "whenTagName": "narratives", "whenChoiceValue": question.narrative}
    choices = {"name": question.name, "toName": "text", "choice": "multiple" if question.many else "single"}
    if question.name == "narratives":
        choices |= {"required": "true"}
    lines = [f"  <View {_attributes(**hidden)}>" if question.narrative else "  <View>"]
    lines += [f"    <Header {_attributes(value=question.title, size='5')}/>", f"    <Choices {_attributes(**choices)}>"]
    lines += [f"      <Choice {_attributes(value=option.label, hint=_hint(option))}/>" for option in question.options]
    return [*lines, "    </Choices>", "  </View>"]


def _hint(option: Label) -> str:
    return ": ".join(filter(None, (option.name, option.definition)))


def _attributes(**values: str) -> str:
    plain = {key: " ".join(_NOT_XML.sub(" ", value).split()) for key, value in values.items()}
    return " ".join(f'{key}="{html.escape(value)}"' for key, value in plain.items())
