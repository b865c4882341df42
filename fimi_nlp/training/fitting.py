"""From a recipe and two corpora to a trained network: one seed, or the average of several."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import set_seed

from fimi_nlp.data import Corpus
from fimi_nlp.errors import RecipeError
from fimi_nlp.training.batches import Encoded, Targets, encode
from fimi_nlp.training.distil import further_texts, soft_targets
from fimi_nlp.training.encoders import BaseEncoder, freeze_layers, load_encoder
from fimi_nlp.training.lexical import fit_lexical
from fimi_nlp.training.loop import Loop, Split, macro_average_precision, predict
from fimi_nlp.training.model import HeadSizes, NarrativeModel
from fimi_nlp.training.plot import plot_history
from fimi_nlp.training.warm_start import save_weights, start_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.training.distil import SoftTargets
    from fimi_nlp.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network, before export.

    Attributes
    ----------
    model : NarrativeModel
        With its lexical branch, on the CPU.
    base : BaseEncoder
        Its tokenizer and where its encoder came from.
    dev : Encoded
        The dev passages as tokens.
    cut : dict of str to int
        How many passages of each part were longer than the limit and were cut.
    history : list of dict
        One record an epoch, of every seed.
    averaged : list of int
        The seeds whose weights were averaged.
    device, precision : str
        What it was trained on.
    teacher : SoftTargets or None
        What the teacher says of the dev passages.
    started : list of str
        The narratives whose heads come from the model that training started from.
    further : int
        How many passages were trained on with the teacher's answers alone.
    """

    model: NarrativeModel
    base: BaseEncoder
    dev: Encoded
    cut: dict[str, int]
    history: list[dict[str, float]]
    averaged: list[int]
    device: str
    precision: str
    teacher: SoftTargets | None = None
    started: list[str] = field(default_factory=list)
    further: int = 0


def fit(
    recipe: Recipe,
    train: Corpus,
    dev: Corpus,
    folder: Path,
    *,
    fingerprint: str,
    resume: bool = False,
    progress: bool = True,
    watch: Callable[[dict[str, float]], None] | None = None,
) -> Fitted:
    """Train the network of a recipe on one corpus, choosing the epoch on another.

    Parameters
    ----------
    recipe : Recipe
        What to do; its corpus files are not read.
    train, dev : Corpus
        The passages.
    folder : Path
        For checkpoints, log and plot.
    fingerprint : str
        Of the data: a checkpoint of other data is refused.
    resume, progress : bool
        As for `train`.
    watch : callable, optional
        Takes the record of every epoch; what it raises ends the run.
    """
    accelerator = _accelerator(recipe.training.precision)
    base = load_encoder(recipe.model.encoder, recipe.model.revision, progress=progress)
    further = further_texts(recipe.distil.texts, train) if recipe.distil.texts else ()
    if further:
        train = Corpus([*train, *further], train.schema)
    encoded = {
        name: encode(part.texts, base, recipe.training.max_tokens) for name, part in (("train", train), ("dev", dev))
    }
    targets, dev_targets = Targets.of(train, recipe.data.unsure_target), Targets.of(dev)
    sizes = head_sizes(train.schema)
    if teachers := recipe.distil.teacher:
        soft, dev_soft = (
            soft_targets(part, teachers, sizes, max_tokens=recipe.training.max_tokens) for part in (train, dev)
        )
        targets, dev_targets = replace(targets, soft=soft), replace(dev_targets, soft=dev_soft)
        # A checkpoint that other teachers had a part in is not to be resumed.
        fingerprint = f"{fingerprint}/{hashlib.sha256(soft.values.numpy().tobytes()).hexdigest()}"
    # Where dev has no label, the epoch is chosen by whether the network agrees with the teacher.
    splits = (Split(encoded["train"].ids, targets), Split(encoded["dev"].ids, dev_targets.filled()))
    first, seeds = recipe.training.seed, recipe.training.seeds
    models: dict[int, NarrativeModel] = {}
    taken: list[str] = []
    history: list[dict[str, float]] = []
    for seed in range(first, first + seeds):
        place = folder / f"seed-{seed}" if seeds > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        one = recipe.with_options({"training.seed": seed})
        # Each seed starts from the same weights, and from an encoder that no other seed has trained.
        own = load_encoder(recipe.model.encoder, recipe.model.revision, progress=progress) if models else base
        set_seed(recipe.model.init_seed)
        model = build_model(own, sizes, recipe)
        if recipe.model.start:
            taken = start_from(model, own, train.schema, recipe.model.start)
        begun = _begun(model, taken, train.schema) if recipe.model.start_share else {}
        set_seed(seed)
        loop = Loop(one, model, own, *splits, place, fingerprint, accelerator, progress, watch)
        history += [{**record, "seed": seed} for record in loop.run(resume=resume)]
        plot_history(loop.history, place / "training.png")
        models[seed] = loop.model.cpu()
        if begun:
            share = recipe.model.start_share
            models[seed].load_state_dict(_mean([begun, models[seed].state_dict()], [share, 1 - share]))
    model, averaged = _average(models, splits[1], base.pad)
    if recipe.model.lexical:
        model.lexical = fit_lexical(encoded["train"].ids, targets.filled(), sizes, base.vocabulary, recipe.model)
        model.lexical_weight.fill_(recipe.model.lexical_weight)
    cut = {name: part.cut for name, part in encoded.items() if part.cut}
    precision = str(accelerator.mixed_precision)
    device = accelerator.device.type
    save_weights(folder, model, train.schema)
    return Fitted(
        model=model,
        base=base,
        dev=encoded["dev"],
        cut=cut,
        history=history,
        averaged=averaged,
        device=device,
        precision=precision,
        teacher=dev_targets.soft,
        started=taken,
        further=len(further),
    )


def _average(models: dict[int, NarrativeModel], dev: Split, pad: int) -> tuple[NarrativeModel, list[int]]:
    """Average the weights of several seeds, the best on dev first, as long as that makes dev no worse.

    A greedy soup (Wortsman et al. 2022, *Model soups*): where networks that start from the same weights end in one
    basin, the mean of their weights does as well as the mean of their answers, at the cost of one. Where they do not,
    the best seed stays alone.
    """

    def dev_score(model: NarrativeModel) -> float:
        return macro_average_precision(predict(model, dev.ids, pad), dev.targets)

    if len(models) == 1:
        return next(iter(models.values())), list(models)
    alone = {seed: dev_score(model) for seed, model in models.items()}
    weights = {seed: {k: v.clone() for k, v in model.state_dict().items()} for seed, model in models.items()}
    order = sorted(models, key=lambda seed: -alone[seed])
    chosen, best = order[:1], alone[order[0]]
    model = models[order[0]]
    for seed in order[1:]:
        model.load_state_dict(_mean([weights[s] for s in (*chosen, seed)]))
        score = dev_score(model)
        if score >= best:
            chosen, best = [*chosen, seed], score
    model.load_state_dict(_mean([weights[s] for s in chosen]))
    return model, sorted(chosen)


def _begun(model: NarrativeModel, taken: list[str], schema: LabelSchema) -> dict[str, torch.Tensor]:
    """The weights that training starts from, for the mean with those that it ends with."""
    if missing := [label for label in schema.narrative_labels if label not in taken]:
        raise RecipeError(
            f"model.start_share is set, but the model to start from does not know '{missing[0]}'.",
            remedy="Set model.start_share to 0: the mean with untrained weights would spoil this label.",
        )
    return {key: value.clone() for key, value in model.state_dict().items()}


def _mean(states: list[dict[str, torch.Tensor]], shares: list[float] | None = None) -> dict[str, torch.Tensor]:
    """The mean of some weights, each counting by its share; all the same by default."""
    shares = shares or [1.0] * len(states)

    def mean(key: str) -> torch.Tensor:
        parts = [share * state[key] for share, state in zip(shares, states, strict=True)]
        return torch.stack(parts).sum(0) / sum(shares)

    return {key: mean(key) if value.is_floating_point() else value for key, value in states[0].items()}


def head_sizes(schema: LabelSchema) -> HeadSizes:
    """Widths of the heads for a schema."""
    subs = tuple(len(label.sub_labels) for label in schema.narratives)
    return HeadSizes(len(schema.narratives), subs, len(schema.stances), len(schema.origins))


def build_model(base: BaseEncoder, sizes: HeadSizes, recipe: Recipe) -> NarrativeModel:
    """The network before training."""
    if recipe.model.freeze_word_embeddings:
        base.encoder.get_input_embeddings().requires_grad_(False)  # type: ignore[operator]
    freeze_layers(base.encoder, recipe.model.freeze_layers)
    for module in base.encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = recipe.model.encoder_dropout
    return NarrativeModel(base.encoder, base.hidden, sizes, dropout=recipe.model.dropout)


def _accelerator(precision: str) -> Accelerator:
    bf16 = precision == "bf16" or (precision == "auto" and torch.cuda.is_available())
    # accelerate keeps the precision of the process's first run, and refuses another.
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision="bf16" if bf16 else "no")
