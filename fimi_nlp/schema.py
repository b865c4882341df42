"""Label schemas: which narratives, sub-narratives, stances and origins there are, and what each means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp._toml import parse_toml, read_text
from fimi_nlp.errors import SchemaError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The sub-narrative that every narrative has beside those of the schema: none of them fits.
OTHER = "other"
#: The stance of a passage that carries no narrative. Not a class of its own: it follows from the narratives.
NO_STANCE = "none"
VERSION = 1

_TEXTS = ("label", "name", "definition", "guidance")
_LABEL = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Label:
    """One label.

    Attributes
    ----------
    label : str
        Short identifier, ``snake_case``.
    name : str
        Title for people.
    definition : str
        One sentence.
    guidance : str
        What counts and what does not, for annotators.
    subs : tuple of Label
        Sub-labels of a narrative, without the implied ``other``.
    """

    label: str
    name: str = ""
    definition: str = ""
    guidance: str = ""
    subs: tuple[Label, ...] = ()

    @property
    def sub_labels(self) -> tuple[str, ...]:
        """Labels of the subs, the implied ``other`` last; empty where there are none."""
        return (*(sub.label for sub in self.subs), OTHER) if self.subs else ()

    def to_dict(self) -> dict[str, Any]:
        """The label as plain JSON types, empty fields left out."""
        data: dict[str, Any] = {key: value for key in _TEXTS if (value := getattr(self, key))}
        if self.subs:
            data["subs"] = [sub.to_dict() for sub in self.subs]
        return data


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """The labels of a task.

    Attributes
    ----------
    name : str
        Short name.
    narratives : tuple of Label
        Independent of each other: a passage may carry none, one or several.
    stances, origins : tuple of Label
        Mutually exclusive; either may be empty.
    language : str
        ISO 639-1 code of the texts.
    description, guidance : str
        For people.

    Examples
    --------
    >>> schema = LabelSchema.default()
    >>> schema.narrative_labels
    ('us_democracy', 'nato_alliances', 'multipolarity', 'western_hypocrisy')
    >>> schema.sub_labels("us_democracy")
    ('decline', 'division', 'injustice', 'corruption', 'elections_media', 'other')
    """

    name: str
    narratives: tuple[Label, ...]
    stances: tuple[Label, ...] = ()
    origins: tuple[Label, ...] = ()
    language: str = "en"
    description: str = ""
    guidance: str = ""

    @property
    def narrative_labels(self) -> tuple[str, ...]:
        """Labels of the narratives, in order."""
        return tuple(label.label for label in self.narratives)

    @property
    def stance_labels(self) -> tuple[str, ...]:
        """Labels of the stances, in order."""
        return tuple(label.label for label in self.stances)

    @property
    def origin_labels(self) -> tuple[str, ...]:
        """Labels of the origins, in order."""
        return tuple(label.label for label in self.origins)

    def sub_labels(self, narrative: str) -> tuple[str, ...]:
        """Labels of a narrative's subs, the implied ``other`` last."""
        return self[narrative].sub_labels

    def __getitem__(self, narrative: str) -> Label:
        for label in self.narratives:
            if label.label == narrative:
                return label
        raise SchemaError(
            f"Schema '{self.name}' has no narrative '{narrative}'.",
            remedy=did_you_mean(narrative, self.narrative_labels),
        )

    @classmethod
    def default(cls) -> LabelSchema:
        """The four shared narratives that the bundled model was trained on."""
        return _default()

    @classmethod
    def from_toml(cls, path: str | Path) -> LabelSchema:
        """Read a schema from a TOML file.

        Raises
        ------
        SchemaError
            The file cannot be read, is not TOML, or has a wrong, missing or unknown key; the message names file, line
            and key.
        """
        return cls.from_string(read_text(path, SchemaError, "the schema"), name=str(path))

    @classmethod
    def from_string(cls, source: str, *, name: str = "<schema>") -> LabelSchema:
        """Read a schema from TOML text; `name` stands for the file in errors."""
        return _Parser(name, source).schema(parse_toml(source, name, SchemaError))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, name: str = "<schema>") -> LabelSchema:
        """The inverse of `to_dict`."""
        return _Parser(name, "").schema(dict(data))

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain JSON types."""
        data: dict[str, Any] = {"version": VERSION}
        data |= {key: getattr(self, key) for key in ("name", "description", "language", "guidance")}
        data |= {key: [label.to_dict() for label in getattr(self, key)] for key in ("narratives", "stances", "origins")}
        return data


@lru_cache(maxsize=1)
def _default() -> LabelSchema:
    return LabelSchema.from_toml(Path(__file__).parent / "schemas" / "shared_narratives.toml")


class _Parser:
    """Checks a schema read from TOML or JSON; every error names the file, the line where it is known, and the key."""

    LABEL_KEYS = (*_TEXTS, "subs")
    KEYS = ("version", "name", "description", "language", "guidance", "narratives", "stances", "origins")

    def __init__(self, name: str, source: str) -> None:
        self.name, self.lines = name, source.splitlines()

    def fail(self, message: str, *, at: str = "", remedy: str = "") -> SchemaError:
        """An error that points at the first line where the word `at` stands outside a comment."""
        line = 0
        if at:
            word = re.compile(rf"(?<![\w-]){re.escape(at)}(?![\w-])")
            line = next((i for i, s in enumerate(self.lines, 1) if word.search(s.split("#", 1)[0])), 0)
        place = f"{self.name}, line {line}" if line else self.name
        return SchemaError(f"{place}: {message}", remedy=remedy)

    def schema(self, data: dict[str, Any]) -> LabelSchema:
        self.known(data, self.KEYS, "the schema")
        if data.get("version") != VERSION:
            raise self.fail(
                f"'version' is {data.get('version')!r}.", at="version", remedy=f"This release reads version {VERSION}."
            )
        if not data.get("narratives"):
            raise self.fail("the schema has no narratives.", remedy="Add at least one [[narratives]] table.")
        fields = {key: self.text(data, key, "the schema") for key in ("name", "description", "language", "guidance")}
        if not fields["name"]:
            raise self.fail("'name' is missing.", remedy='Add a line like: name = "my-labels"')
        schema = LabelSchema(
            name=fields["name"],
            description=fields["description"],
            language=fields["language"] or "en",
            guidance=fields["guidance"].strip(),
            narratives=self.labels(data["narratives"], "narratives"),
            stances=self.labels(data.get("stances", []), "stances", reserved=NO_STANCE),
            origins=self.labels(data.get("origins", []), "origins"),
        )
        self.distinct(schema)
        return schema

    def distinct(self, schema: LabelSchema) -> None:
        """Tags list the scores of all the heads in one mapping, so that no label may stand in two of them."""
        seen: dict[str, str] = {}
        for head in ("narratives", "stances", "origins"):
            for label in getattr(schema, head):
                if label.label in seen:
                    raise self.fail(
                        f"label '{label.label}' stands both in {seen[label.label]} and in {head}.",
                        at=label.label,
                        remedy="Rename one of them.",
                    )
                seen[label.label] = head

    def labels(self, tables: object, where: str, *, reserved: str = "") -> tuple[Label, ...]:
        if not isinstance(tables, (list, tuple)) or not all(isinstance(table, dict) for table in tables):
            raise self.fail(f"'{where}' must be a list of tables.", at=where.rsplit(".", 1)[-1])
        labels = [self.label(table, where) for table in tables]
        names = [label.label for label in labels]
        for name in names:
            if names.count(name) > 1:
                raise self.fail(f"label '{name}' stands twice in {where}.", at=name, remedy="Rename one of them.")
            if reserved and name == reserved:
                raise self.fail(f"label '{name}' is implied in {where}.", at=name, remedy="Leave it out.")
        return tuple(labels)

    def label(self, table: dict[str, Any], where: str) -> Label:
        keys = [key for key in self.LABEL_KEYS if where == "narratives" or key != "subs"]
        identifier = table.get("label")
        place = f"{where} '{identifier}'" if identifier else where
        self.known(table, keys, place)
        if not isinstance(identifier, str) or not _LABEL.match(identifier):
            raise self.fail(
                f"'label' in {where} is {identifier!r}.",
                at=str(identifier or where),
                remedy="A label is lower case letters, digits and underscores, and starts with a letter.",
            )
        subs: tuple[Label, ...] = ()
        if table.get("subs"):
            subs = self.labels(table["subs"], f"{identifier}.subs", reserved=OTHER)
        name, definition, guidance = (self.text(table, key, place) for key in ("name", "definition", "guidance"))
        return Label(identifier, name or identifier, definition, guidance.strip(), subs)

    def text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.fail(f"'{key}' of {where} must be a string, not {value!r}.", at=key)
        return value

    def known(self, table: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
        keys = tuple(keys)
        for key in table:
            if key not in keys:
                raise self.fail(f"unknown key '{key}' in {where}.", at=key, remedy=did_you_mean(key, keys))
