"""The notations in which a record may say which narratives it carries."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fimi_nlp.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fimi_nlp.schema import LabelSchema

_SEPARATOR = re.compile(r"[;,]")
_WANTED = 'an object, a list, "label/sub; label", or none'


class CellError(ValueError):
    """A value cannot be read; the message says why, `field` where it stands."""

    def __init__(self, message: str, field: str = "narratives") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a record says about the narratives: see `Passage`."""

    carried: dict[str, str | None] | None
    not_annotated: frozenset[str]
    unsure: frozenset[str]

    @classmethod
    def of(
        cls,
        carried: dict[str, str | None] | None,
        nulls: frozenset[str],
        not_annotated: frozenset[str],
        unsure: frozenset[str],
        schema: LabelSchema,
    ) -> Annotation:
        """Combine the columns; `CellError` where they contradict each other."""
        skipped = nulls | not_annotated
        if carried is None or (not carried and skipped.issuperset(schema.narrative_labels)):
            carried, skipped = None, frozenset(schema.narrative_labels)
        for label in sorted(skipped.intersection(carried or ())):
            raise CellError(f"'{label}' is carried and yet not annotated", "not_annotated")
        for label in sorted(unsure & skipped):
            raise CellError(f"'{label}' is unsure and yet not annotated", "unsure")
        return cls(carried, frozenset() if carried is None else skipped, unsure)


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: null, the empty text of CSV, or the NaN of data frames."""
    return value is None or (isinstance(value, str) and not value) or (isinstance(value, float) and value != value)


def narratives(
    value: Any, schema: LabelSchema, nulls_are_absent: bool
) -> tuple[dict[str, str | None] | None, frozenset[str]]:
    """The narratives carried with their subs (``None``: nothing annotated), and those that are null.

    Parameters
    ----------
    value : Any
        A cell of the column ``narratives``; `Corpus.read` lists the notations.
    schema : LabelSchema
        The labels.
    nulls_are_absent : bool
        A null in an object stands for a field that is not there, as in Arrow structs.
    """
    if isinstance(value, str):
        value, nulls_are_absent = _from_text(value), False
    if hasattr(value, "tolist"):
        value = value.tolist()
    if is_missing(value):
        return None, frozenset()
    if isinstance(value, dict):
        return _from_object(value, schema, nulls_are_absent)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _from_list(value, schema), frozenset()
    raise CellError(f"must be {_WANTED}; not {value!r}")


def label_set(value: Any, schema: LabelSchema) -> frozenset[str]:
    """A set of labels: a list, or in a table JSON or ``a; b``."""
    if isinstance(value, str):
        value = load_json(value) if value.startswith("[") else _words(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if is_missing(value):
        return frozenset()
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise CellError(f"must be a list of labels, not {value!r}")
    _each(value, lambda label: _check_label(label, schema))
    return frozenset(value)


def load_json(text: str) -> Any:
    """JSON in a cell."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CellError(f"not valid JSON: {error}") from error


def _from_text(text: str) -> Any:
    text = text.strip()
    if text.startswith(("{", "[", '"')) or text == "null":
        return load_json(text)
    return _words(text) if text else None


def _words(text: str) -> list[str]:
    words = [word for part in _SEPARATOR.split(text) if (word := part.strip())]
    return [] if [word.lower() for word in words] == ["none"] else words


def _from_object(
    value: Mapping[Any, Any], schema: LabelSchema, nulls_are_absent: bool
) -> tuple[dict[str, str | None], frozenset[str]]:
    carried: dict[str, str | None] = {}
    nulls = set()

    def read(entry: tuple[Any, Any]) -> None:
        label, sub = entry
        if sub is None and nulls_are_absent:
            return
        _check_label(label, schema)
        if sub is None:
            nulls.add(label)
        elif sub is True:
            carried[label] = None
        elif sub is not False:
            carried[label] = _check_sub(label, sub, schema)

    _each(value.items(), read)
    return carried, frozenset(nulls)


def _from_list(items: Iterable[Any], schema: LabelSchema) -> dict[str, str | None]:
    carried: dict[str, str | None] = {}

    def read(item: Any) -> None:
        label, sub = _pair(item)
        _check_label(label, schema)
        sub = None if sub is None else _check_sub(label, sub, schema)
        if carried.setdefault(label, sub) != sub:
            raise CellError(
                f"'{label}' stands twice, with {carried[label]!r} and {sub!r}; it has one main sub-narrative"
            )

    _each(items, read)
    return carried


def _each(items: Iterable[Any], read: Callable[[Any], None]) -> None:
    """Read all of the items, so that one `CellError` tells everything that is wrong with them."""
    faults = []
    for item in items:
        try:
            read(item)
        except CellError as fault:
            faults.append(str(fault))
    if faults:
        raise CellError("; ".join(faults))


def _pair(item: Any) -> tuple[str, Any]:
    if isinstance(item, str):
        label, slash, sub = (part.strip() for part in item.partition("/"))
        return label, sub if slash else None
    if not isinstance(item, dict) or "label" not in item:
        raise CellError(f'an entry must be "label", "label/sub" or {{"label": ..., "sub": ...}}; not {item!r}')
    for key in item:
        if key not in ("label", "sub"):
            raise CellError(f"unknown key '{key}' in {item!r}. {did_you_mean(str(key), ('label', 'sub'))}")
    return item["label"], item.get("sub")


def _check_label(label: Any, schema: LabelSchema) -> None:
    if label not in schema.narrative_labels:
        raise CellError(f"unknown narrative {label!r}. {did_you_mean(str(label), schema.narrative_labels)}")


def _check_sub(label: str, sub: Any, schema: LabelSchema) -> str:
    subs = schema.sub_labels(label)
    if isinstance(sub, str) and sub in subs:
        return sub
    if not isinstance(sub, str):
        raise CellError(f"'{label}' must be a sub-narrative, true, false or null; not {sub!r}")
    hint = did_you_mean(sub, subs) if subs else f"'{label}' has no subs: write true."
    raise CellError(f"unknown sub-narrative '{sub}' of '{label}'. {hint}")
