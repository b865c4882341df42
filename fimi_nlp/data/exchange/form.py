"""A label schema as a form that annotators fill in, and passages as filled-in forms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fimi_nlp.data.corpus import FIELDS, PLAIN_FIELDS, Corpus
from fimi_nlp.errors import InputError, SchemaError, did_you_mean
from fimi_nlp.records import BadRecord, Record, open_writer
from fimi_nlp.schema import NO_STANCE, OTHER, Label, LabelSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fimi_nlp.data.corpus import Passage

    #: Name of a question to what was chosen.
    Answers = Mapping[str, tuple[str, ...]]

#: The answer that says that a passage was read and carries nothing: an empty answer could mean that it was not read.
NOTHING = "none"
#: Where the labels of a corpus go: finished annotations, suggestions that annotators see, or nowhere.
LABELS = ("annotations", "suggestions", "none")
#: Fields of a passage that travel with it and are not asked for.
SOURCE_FIELDS = tuple(key for key in PLAIN_FIELDS if key != "stance")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the form.

    Attributes
    ----------
    name : str
        ``narratives``, ``sub_NARRATIVE``, ``stance``, ``unsure`` or ``not_annotated``.
    title : str
        What is asked.
    options : tuple of Label
        The answers.
    many : bool
        Whether several may be chosen.
    narrative : str
        The narrative that has to be chosen first; empty where none has.
    """

    name: str
    title: str
    options: tuple[Label, ...]
    many: bool = False
    narrative: str = ""


class FormError(ValueError):
    """A form is filled in wrongly; `question` says where."""

    def __init__(self, message: str, question: str = "narratives") -> None:
        super().__init__(message)
        self.question = question


def questions(schema: LabelSchema) -> tuple[Question, ...]:
    """The form of a schema.

    Raises
    ------
    SchemaError
        A narrative is called ``none``, which the form needs for itself.

    Examples
    --------
    >>> [question.name for question in questions(LabelSchema.default())][:3]
    ['narratives', 'sub_us_democracy', 'sub_nato_alliances']
    """
    if NOTHING in schema.narrative_labels:
        raise SchemaError(
            f"A narrative is called '{NOTHING}'.", remedy="Rename it: annotators need that for 'nothing'."
        )
    nothing = Label(NOTHING, "Nothing", "The passage carries none of the narratives.")
    form = [
        Question("narratives", "Which narratives does the passage carry?", (*schema.narratives, nothing), many=True)
    ]
    other = Label(OTHER, "Other", "None of the others fits.")
    form += [
        Question(f"sub_{label.label}", f"{label.name}: which one?", (*label.subs, other), narrative=label.label)
        for label in schema.narratives
        if label.subs
    ]
    if schema.stances:
        carries_none = Label(NO_STANCE, "None", "The passage carries no narrative.")
        form.append(Question("stance", "What does the passage do with them?", (*schema.stances, carries_none)))
    form.append(Question("unsure", "Of which narratives are you unsure?", schema.narratives, many=True))
    form.append(Question("not_annotated", "Which narratives did you not judge?", schema.narratives, many=True))
    return tuple(form)


def answers(passage: Passage) -> dict[str, tuple[str, ...]]:
    """The form as the labels of a passage fill it in; what is not known stays unanswered."""
    filled: dict[str, tuple[str, ...]] = {}
    if passage.narratives is not None:
        filled["narratives"] = tuple(passage.narratives) or (NOTHING,)
        filled |= {f"sub_{label}": (sub,) for label, sub in passage.narratives.items() if sub is not None}
    if passage.stance is not None:
        filled["stance"] = (passage.stance,)
    filled |= {key: tuple(sorted(found)) for key in ("unsure", "not_annotated") if (found := getattr(passage, key))}
    return filled


def labels(filled: Answers) -> dict[str, Any]:
    """The fields of a record that a filled-in form gives, for `Corpus.read`.

    Raises
    ------
    FormError
        Its answers contradict each other. Whether labels exist is left to `Corpus.read`.
    """
    for name, chosen in filled.items():
        if len(chosen) > 1 and (name == "stance" or name.startswith("sub_")):
            raise FormError(f"one answer is wanted, not {len(chosen)}: {', '.join(chosen)}", name)
    chosen = filled.get("narratives", ())
    if NOTHING in chosen and len(set(chosen)) > 1:
        raise FormError(f"'{NOTHING}' is chosen together with {', '.join(c for c in chosen if c != NOTHING)}")
    carried: dict[str, str | bool] = dict.fromkeys((c for c in chosen if c != NOTHING), True)
    for name, subs in filled.items():
        label = name.removeprefix("sub_")
        if label == name or not subs:
            continue
        if label not in carried:
            raise FormError(f"'{subs[0]}' is chosen, but not the narrative '{label}'", name)
        carried[label] = subs[0]
    return {
        "narratives": carried if chosen else None,
        "stance": next(iter(filled.get("stance", ())), None),
        "unsure": list(filled.get("unsure", ())),
        "not_annotated": list(filled.get("not_annotated", ())),
    }


def read(records: Iterable[Record | BadRecord], schema: LabelSchema | None, text_key: str = "text") -> Corpus:
    """The corpus of the records, checked in full."""
    return Corpus.read(list(records), schema=schema, text_column=text_key)


def record(number: int, place: str, fields: Mapping[str, Any], filled: Answers) -> Record | BadRecord:
    """A record of `fields` and the labels of a filled-in form."""
    try:
        return Record(number, {**fields, **labels(filled)}, place)
    except FormError as error:
        shown = json.dumps({name: list(chosen) for name, chosen in filled.items()}, ensure_ascii=False)
        return BadRecord(number, place, str(error), shown, error.question)


def is_question(name: str) -> bool:
    """Whether a question is of the form; a project may ask others, such as for comments."""
    return name in ("narratives", "stance", "unsure", "not_annotated") or name.startswith("sub_")


def chosen(value: Any, question: str) -> tuple[str, ...]:
    """What was chosen, whether one answer or several stand there."""
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(answer, str) for answer in found):
        raise FormError(f"must be a label or a list of labels, not {value!r}", question)
    return tuple(dict.fromkeys(found))


def only_annotator(by: Mapping[str, Any], annotator: str | None) -> Any:
    """The answers of the annotator, of the only one where none is named; ``None`` where there are none.

    Raises
    ------
    FormError
        There are several and none is named.
    """
    if annotator is not None:
        return by.get(annotator)
    if len(by) > 1:
        raise FormError(f"{len(by)} annotators answered ({', '.join(by)}); name the one to read", "annotator")
    return next(iter(by.values()), None)


def check_annotator(annotator: str | None, known: Iterable[str], name: str) -> None:
    """Raise an `InputError` where the annotator answered nothing at all."""
    there = sorted(set(known))
    if annotator is not None and annotator not in there:
        remedy = did_you_mean(annotator, there) if there else "The file has no annotations."
        raise InputError(f"{name} has nothing by annotator '{annotator}'.", remedy=remedy)


def check_labels(kind: str) -> None:
    """Raise an `InputError` where `kind` is none of `LABELS`."""
    if kind not in LABELS:
        raise InputError(f"Labels cannot go to '{kind}'.", remedy=did_you_mean(kind, LABELS))


def column(name: str) -> str:
    """A name for an extra column that is no field of a passage."""
    return f"{name}_" if name in (*FIELDS, "extra") else name


def read_list(path: str | Path) -> list[Any]:
    """The JSON list in a file.

    Raises
    ------
    InputError
        There is no such file, or it is not UTF-8, not JSON or no list.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.", remedy="Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8: {error}.", remedy="Export it again as JSON.") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path.name}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}.",
            remedy="Export it again as JSON, not as CSV or JSONL.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not usable JSON: {error}.") from error
    if not isinstance(data, list):
        raise InputError(
            f"{path.name} holds {type(data).__name__} and no list.", remedy="Export the annotated items as JSON."
        )
    return data


def write_list(path: str | Path, items: list[Any]) -> None:
    """Write a JSON list; the file appears whole or not at all."""
    with open_writer(path, format="jsonl") as writer:
        writer.write(cast("Any", items))  # a single line of JSON is a JSON file
