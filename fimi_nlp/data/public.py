"""Public tasks: their files as corpora. Nothing is downloaded; the data stay where their licences let them lie.

The label schemas are in ``training/recipes/schemas`` of the repository. The name of each label there is the label of
the task's organisers, which is what its metric is computed over.

- SemEval-2025 Task 10, subtask 2, Ukraine-Russia war (Piskorski et al. 2025): a folder of a language, with
  ``subtask-2-annotations.txt`` and articles in ``raw-documents`` or ``subtask-2-documents``.
- DIPROMATS 2023, task 3 (Moral et al. 2023): a JSON list of tweets.
- CARDS (Coan et al. 2021): a CSV of paragraphs with a claim each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp.data.corpus import Corpus, Passage
from fimi_nlp.errors import CorpusError, InputError, did_you_mean
from fimi_nlp.records import BadRecord, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fimi_nlp.schema import LabelSchema

SEMEVAL_ANNOTATIONS = "subtask-2-annotations.txt"
_SEMEVAL_FOLDERS = ("raw-documents", "subtask-2-documents")
#: What a task writes where a text carries nothing.
NOTHING = {"semeval2025": "Other", "dipromats2023": "false", "cards": "0_0"}


def read_task(task: str, path: str | Path, schema: LabelSchema) -> Corpus:
    """Read the files of a public task.

    Parameters
    ----------
    task : {"semeval2025", "dipromats2023", "cards"}
        Which one.
    path : str or Path
        A folder for SemEval, a file for the others.
    schema : LabelSchema
        The task's schema.

    Raises
    ------
    InputError
        There is no such task, or a file is not there or not of the task's layout.
    CorpusError
        A label is not in the schema, or a document is missing.
    """
    if task not in _READERS:
        raise InputError(f"Unknown task '{task}'.", remedy=did_you_mean(task, _READERS))
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: not found.", remedy="Give the files of the task as its organisers hand them out.")
    return Corpus(_READERS[task](path, _names(schema, task)), schema)


def _names(schema: LabelSchema, task: str) -> dict[str, str]:
    """The task's name of a label to ours; CARDS names start with the code."""
    cut = task == "cards"
    return {(label.name.split(" ")[0] if cut else label.name): label.label for label in schema.narratives}


def _label(name: str, names: dict[str, str], place: str) -> str:
    if name not in names:
        raise CorpusError(
            f"{place}: the schema has no label '{name}'.", remedy=did_you_mean(name, names) + " Is it another task's?"
        )
    return names[name]


def _semeval(folder: Path, names: dict[str, str]) -> Iterator[Passage]:
    source = folder / SEMEVAL_ANNOTATIONS
    documents = [folder / name for name in _SEMEVAL_FOLDERS if (folder / name).is_dir()]
    if not source.is_file() or not documents:
        raise InputError(
            f"{folder}: no {SEMEVAL_ANNOTATIONS}, or no folder {' or '.join(_SEMEVAL_FOLDERS)} beside it.",
            remedy="Give the folder of one language, such as train/EN.",
        )
    folded = {_folded(name): label for name, label in names.items()}
    for number, line in enumerate(source.read_text(encoding="utf-8-sig").splitlines(), 1):
        place = f"{source.name}, line {number}"
        cells = line.split("\t")
        if not line.strip() or "_CC_" in cells[0]:  # the other domain, climate change
            continue
        if len(cells) < 3:
            raise InputError(f"{place}: {len(cells)} columns.", remedy="There are three: file, narratives, subs.")
        name, fine = cells[0].strip(), cells[2]
        paths = [part / name for part in documents if (part / name).is_file()]
        if not paths:
            raise CorpusError(f"{place}: the document {name} is not in {documents[0]}.")
        found = [label.strip() for label in fine.split(";") if label.strip()]
        if any(label.startswith("CC:") for label in found):
            continue
        labels = {_label(_folded(label), folded, place) for label in found if label != NOTHING["semeval2025"]}
        text = paths[0].read_text(encoding="utf-8").strip()
        yield Passage(Path(name).stem, text, dict.fromkeys(sorted(labels)), place=place)


def _folded(name: str) -> str:
    """Apostrophes and space as the releases have them, which differ among themselves."""
    return " ".join(name.replace("’", "'").split())


def _dipromats(path: Path, names: dict[str, str]) -> Iterator[Passage]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        tweets = [(str(row["id"]), str(row["text"]), row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a JSON list of tweets with id and text: {error!r}.") from error
    origins = {"China": "china", "Russia": "russia", "USA": "usa", "European Union": "eu"}
    for number, (identifier, text, row) in enumerate(tweets, 1):
        place = f"{path.name}, tweet {number}"
        if row.get("language", "en") != "en":
            continue
        value: Any = row.get("value")
        if isinstance(value, str):
            value = [value]
        labels = None
        if value is not None:
            labels = dict.fromkeys(_label(name, names, place) for name in value if name != NOTHING["dipromats2023"])
        user = row.get("user_name")
        yield Passage(
            identifier,
            text,
            labels,
            origin=origins.get(str(row.get("country"))),
            source=user,
            # A diplomat's tweets are alike: no split may cut them.
            group=user or None,
            place=place,
        )


def _cards(path: Path, names: dict[str, str]) -> Iterator[Passage]:
    for record in read_records(path, columns=["claim"]):
        if isinstance(record, BadRecord):
            raise CorpusError(f"{record.place}: {record.reason}.")
        claim = str(record.data["claim"])
        labels = {} if claim == NOTHING["cards"] else {_label(claim, names, record.place): None}
        yield Passage(f"{path.stem}-{record.number}", str(record.data["text"]), labels, place=record.place)


_READERS: dict[str, Callable[[Path, dict[str, str]], Iterator[Passage]]] = {
    "semeval2025": _semeval,
    "dipromats2023": _dipromats,
    "cards": _cards,
}
