"""Training recipes: TOML files whose every key is checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin, get_type_hints

from fimi_nlp._toml import key_lines, parse_toml, read_text
from fimi_nlp.errors import RecipeError, did_you_mean
from fimi_nlp.training.recipe_parts import (
    CardPart,
    DataPart,
    DistilPart,
    ExportPart,
    FewShotPart,
    LossPart,
    ModelPart,
    SearchPart,
    TrainingPart,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines a training run.

    Attributes
    ----------
    model : ModelPart
        The network.
    data : DataPart
        The corpus and its splits.
    training : TrainingPart
        The loop.
    loss : LossPart
        Weights of the heads.
    distil : DistilPart
        A teacher, where there is one.
    few_shot : FewShotPart
        Another way of training, from a handful of examples.
    search : SearchPart
        What a search for better options varies.
    export : ExportPart
        The bundle.
    card : CardPart
        Its description.

    Examples
    --------
    >>> Recipe.from_dict({"training": {"epochs": 2}}).training.epochs
    2
    >>> Recipe.from_dict({"training": {"epoch": 2}})
    Traceback (most recent call last):
    fimi_nlp.errors.RecipeError: <recipe>: unknown key 'epoch' in [training]. Did you mean 'epochs'?
    """

    model: ModelPart = field(default_factory=ModelPart)
    data: DataPart = field(default_factory=DataPart)
    training: TrainingPart = field(default_factory=TrainingPart)
    loss: LossPart = field(default_factory=LossPart)
    distil: DistilPart = field(default_factory=DistilPart)
    few_shot: FewShotPart = field(default_factory=FewShotPart)
    search: SearchPart = field(default_factory=SearchPart)
    export: ExportPart = field(default_factory=ExportPart)
    card: CardPart = field(default_factory=CardPart)

    @classmethod
    def from_toml(cls, path: str | Path) -> Recipe:
        """Read a recipe; its relative paths become relative to its folder.

        Raises
        ------
        RecipeError
            The file cannot be read, or has an unknown key or a wrong value; the message names file and key.
        """
        path = Path(path)
        text = read_text(path, RecipeError, "the recipe")
        recipe = cls._read(parse_toml(text, str(path), RecipeError), _Source(str(path), key_lines(text)))
        folder = path.parent
        corpus = tuple(str(folder / file) for file in recipe.data.corpus)
        schema = str(folder / recipe.data.schema) if recipe.data.schema else ""

        def place(name: str) -> str:
            # What is not there as a file may be the name of a bundle.
            return str(folder / name) if name and (folder / name).exists() else name

        teacher = tuple(place(name) for name in recipe.distil.teacher)
        texts = tuple(str(folder / file) for file in recipe.distil.texts)
        return replace(
            recipe,
            model=replace(recipe.model, start=place(recipe.model.start)),
            data=replace(recipe.data, corpus=corpus, schema=schema),
            distil=replace(recipe.distil, teacher=teacher, texts=texts),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, name: str = "<recipe>") -> Recipe:
        """Build a recipe from nested dicts; `name` stands for the file in errors."""
        return cls._read(data, _Source(name))

    @classmethod
    def _read(cls, data: Mapping[str, Any], source: _Source) -> Recipe:
        parts = {f.name: _PARTS[f.name] for f in fields(cls)}
        for key in data:
            if key not in parts:
                raise RecipeError(f"{source.at(key)}: unknown table [{key}].", remedy=did_you_mean(key, parts))
        return cls(**{key: _part(parts[key], data[key], key, source) for key in data})._checked(source)

    def with_options(self, options: Mapping[str, Any]) -> Recipe:
        """A copy with other values, given as ``{"training.epochs": 2}``."""
        data = self.to_dict()
        for option, value in options.items():
            table, _, key = option.partition(".")
            data.setdefault(table, {})[key] = value
        return Recipe.from_dict(data, name="--set")

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON types."""
        data = asdict(self)
        return {k: {n: list(v) if isinstance(v, tuple) else v for n, v in part.items()} for k, part in data.items()}

    def published(self) -> dict[str, Any]:
        """As `to_dict`, but with the names of files alone: where they lay is the trainer's own affair."""
        data = self.to_dict()
        data["data"]["corpus"] = [Path(path).name for path in self.data.corpus]
        data["data"]["schema"] = Path(self.data.schema).name if self.data.schema else ""
        data["distil"]["teacher"] = [_published(name) for name in self.distil.teacher]
        data["distil"]["texts"] = [Path(path).name for path in self.distil.texts]
        data["model"]["encoder"] = _published(self.model.encoder)
        data["model"]["start"] = _published(self.model.start)
        return data

    def _checked(self, source: _Source) -> Recipe:
        """Itself, if the values are in their ranges."""
        t = self.training
        rules = {
            "training.seeds": (t.seeds >= 1, "at least 1"),
            "training.epochs": (t.epochs >= 1, "at least 1"),
            "training.batch_size": (t.batch_size >= 1, "at least 1"),
            "training.learning_rate": (0 < t.learning_rate < 1, "between 0 and 1"),
            "training.head_learning_rate": (0 < t.head_learning_rate < 1, "between 0 and 1"),
            "training.warmup": (0 <= t.warmup < 1, "from 0 to below 1"),
            "training.token_masking": (0 <= t.token_masking < 1, "from 0 to below 1"),
            "training.joining": (0 <= t.joining <= 1, "from 0 to 1"),
            "training.average": (0 <= t.average < 1, "from 0 to below 1"),
            "training.precision": (t.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "training.cache": (not t.cache or self.model.freeze_layers > 0, "false, unless model.freeze_layers is set"),
            "data.unsure_target": (0.5 < self.data.unsure_target <= 1, "above 0.5, up to 1"),
            "model.start_share": (
                0 <= self.model.start_share < 1 and (bool(self.model.start) or not self.model.start_share),
                "from 0 to below 1, and 0 unless model.start is set",
            ),
            "model.lexical_weight": (0 <= self.model.lexical_weight <= 1, "from 0 to 1"),
            "model.freeze_layers": (self.model.freeze_layers >= 0, "at least 0"),
            "model.encoder_dropout": (0 <= self.model.encoder_dropout < 1, "from 0 to below 1"),
            "model.dropout": (0 <= self.model.dropout < 1, "from 0 to below 1"),
            "few_shot.examples": (self.few_shot.examples >= 0, "at least 0"),
            "few_shot.pairs": (self.few_shot.pairs >= 1, "at least 1"),
            "few_shot.epochs": (self.few_shot.epochs >= 0, "at least 0"),
            "few_shot.batch_size": (self.few_shot.batch_size >= 1, "at least 1"),
            "distil.weight": (self.distil.weight >= 0, "at least 0"),
            "distil.texts": (bool(self.distil.teacher) or not self.distil.texts, "empty, unless distil.teacher is set"),
            "export.int8_mean": (0 < self.export.int8_mean <= 0.1, "above 0, up to 0.1"),
            "export.window": (8 <= self.export.window <= self.export.limit, "from 8 to export.limit"),
        }
        for key, (fine, rule) in rules.items():
            if not fine:
                table, _, option = key.partition(".")
                value = getattr(getattr(self, table), option)
                raise RecipeError(f"{source.at(key)}: '{key}' is {value!r}.", remedy=f"It must be {rule}.")
        return self


class _Source(NamedTuple):
    """Where a recipe comes from, for errors: its name, and the lines of its keys where it is a file."""

    name: str
    lines: Mapping[str, int] = {}

    def at(self, key: str) -> str:
        return f"{self.name}, line {self.lines[key]}" if key in self.lines else self.name


def _published(name: str) -> str:
    """The name of a file or folder without its place; the name of anything else as it is."""
    return Path(name).name if name and (Path(name).is_absolute() or Path(name).exists()) else name


PRECISIONS = ("auto", "fp32", "bf16")
_EXPECTED = {
    tuple: "a list of strings",
    dict: "a table",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a string",
}
_PARTS: dict[str, type[Any]] = {
    "model": ModelPart,
    "data": DataPart,
    "training": TrainingPart,
    "loss": LossPart,
    "distil": DistilPart,
    "few_shot": FewShotPart,
    "search": SearchPart,
    "export": ExportPart,
    "card": CardPart,
}


def _part(cls: type[Any], table: Any, where: str, source: _Source) -> Any:
    if not isinstance(table, dict):
        raise RecipeError(
            f"{source.at(where)}: '{where}' must be a table.", remedy=f"Write [{where}] on a line of its own."
        )
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in hints:
            place = source.at(f"{where}.{key}")
            raise RecipeError(f"{place}: unknown key '{key}' in [{where}].", remedy=did_you_mean(key, hints))
        values[key] = _value(hints[key], value, f"{where}.{key}", source)
    return cls(**values)


def _value(hint: Any, value: Any, where: str, source: _Source) -> Any:
    """The value in the type of its field; integers pass for floats, and a string for a list of one."""
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        items = [value] if isinstance(value, inner) else value
        if isinstance(items, (list, tuple)) and all(isinstance(item, inner) for item in items):
            return tuple(items)
    elif get_origin(hint) is dict:
        if isinstance(value, dict):
            return dict(value)
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise RecipeError(
        f"{source.at(where)}: '{where}' is {value!r}.", remedy=f"It must be {_EXPECTED[get_origin(hint) or hint]}."
    )
