"""A whole run: read, train, fit the lexical branch, export, calibrate, measure, publish the bundle."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp import __version__
from fimi_nlp.bundle import CARD, CONFIG, METRICS, MODEL, TOKENIZER, Bundle
from fimi_nlp.data import Corpus
from fimi_nlp.errors import RecipeError
from fimi_nlp.schema import LabelSchema
from fimi_nlp.training import calibrate, export
from fimi_nlp.training.card import Measured, card
from fimi_nlp.training.fewshot import fit_few_shot
from fimi_nlp.training.fitting import Fitted, fit
from fimi_nlp.training.loop import predict
from fimi_nlp.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimi_nlp.evaluation import Report

_PACKAGES = ("torch", "transformers", "accelerate", "scikit-learn", "onnx", "onnxruntime", "numpy", "tokenizers")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run leaves behind.

    Attributes
    ----------
    bundle : Path
        The folder that `fimi_nlp.load` takes.
    run : Path
        Checkpoints, log and plot.
    reports : dict of str to Report
        For each split but the training one; ``metrics.json`` holds the same.
    """

    bundle: Path
    run: Path
    reports: dict[str, Report]


def train(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    data: Sequence[str | Path] = (),
    run: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> TrainingResult:
    """Train a bundle from a recipe.

    Parameters
    ----------
    recipe : Recipe, str or Path
        A recipe, or the TOML file of one.
    out : str or Path
        Where the bundle goes; an earlier bundle there is replaced when all is done, not before.
    data : sequence of str or Path
        Corpus files to use instead of the recipe's.
    run : str or Path, optional
        Folder of checkpoints and log; ``runs/<name>`` by default.
    resume : bool
        Go on from the checkpoint in `run`, where there is one.
    progress : bool
        Show progress on standard error.

    Returns
    -------
    TrainingResult
        Where things are, and how good the bundle is.

    Raises
    ------
    RecipeError, CorpusError, BundleError
        The recipe, the data or the encoder cannot be used.
    ExportError
        The exported model differs too much from the trained one; nothing is published.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.from_toml(recipe)
    if data:
        recipe = replace(recipe, data=replace(recipe.data, corpus=tuple(str(path) for path in data)))
    folder = Path(run) if run else Path("runs") / recipe.model.name
    folder.mkdir(parents=True, exist_ok=True)
    corpus, parts = read_parts(recipe)
    if recipe.few_shot.examples:
        recipe = recipe.with_options({"model.lexical": False})  # a few examples give no word weights
        fitted = fit_few_shot(recipe, parts["train"], parts["dev"], folder, progress=progress)
        parts["train"] = Corpus.read(folder / "examples.jsonl", schema=corpus.schema)
    else:
        fitted = fit(
            recipe,
            parts["train"],
            parts["dev"],
            folder,
            # Of what is trained on: the same passages in other files are the same run.
            fingerprint=parts["train"].fingerprint,
            resume=resume,
            progress=progress,
        )
    record = _record(recipe, corpus, parts, fitted)
    staging = folder / "bundle"
    _export(fitted, parts["dev"], recipe, record, staging)
    measured = _measure(staging, parts, progress=progress)
    (staging / CARD).write_text(card(Bundle.read(staging), measured), encoding="utf-8")
    export.publish(staging, Path(out), (CONFIG, MODEL, TOKENIZER, CARD, METRICS))
    return TrainingResult(Path(out), folder, measured.reports)


def read_parts(recipe: Recipe) -> tuple[Corpus, dict[str, Corpus]]:
    """The corpus, and its parts by what they are for: train, dev, then the splits to report on."""
    if not recipe.data.corpus:
        raise RecipeError("The recipe names no corpus.", remedy="Set data.corpus, or give --data FILE.")
    schema = LabelSchema.from_toml(recipe.data.schema) if recipe.data.schema else LabelSchema.default()
    corpus = Corpus.read(list(recipe.data.corpus), schema=schema)
    names = {"train": recipe.data.train, "dev": recipe.data.dev, **{name: name for name in recipe.data.report}}
    parts = {role: corpus.filter(split=name) for role, name in names.items()}
    for role, part in parts.items():
        if not len(part):
            there = ", ".join(sorted({str(passage.split) for passage in corpus}))
            raise RecipeError(
                f"The corpus has no passages of split '{names[role]}' (for {role}).",
                remedy=f"Splits there are: {there}. Make them with `fimi_nlp.data.split`, or name them in [data].",
            )
    return corpus, parts


def _export(fitted: Fitted, dev: Corpus, recipe: Recipe, record: dict[str, Any], folder: Path) -> None:
    """Write all of the bundle but the figures: model, tokenizer, configuration."""
    model, base, encoded = fitted.model, fitted.base, fitted.dev
    folder.mkdir(exist_ok=True)
    heads, hidden = int(base.encoder.config.num_attention_heads), base.hidden  # type: ignore[union-attr, arg-type]
    fp32, int8 = export.export_onnx(model, folder, heads=heads, hidden=hidden)
    logits = export.onnx_logits(int8, encoded.ids, base.pad)
    probe = encoded.ids[: recipe.export.parity_texts]
    parity = export.measure_parity(
        predict(model, probe, base.pad),
        export.onnx_logits(fp32, probe, base.pad),
        logits[: len(probe)],
        model.sizes.narratives,
    )
    parity.check(recipe.export.int8_mean)
    fp32.unlink()
    base.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    calibration, thresholds = calibrate.fit_calibration(logits, dev, seed=recipe.training.seed, teacher=fitted.teacher)
    export.write_config(
        folder,
        recipe=recipe,
        schema=dev.schema,
        base=base,
        calibration=calibrate.to_config(calibration),
        thresholds=thresholds,
        parity=asdict(parity),
        training=record,
    )


def _measure(folder: Path, parts: dict[str, Corpus], *, progress: bool) -> Measured:
    """Figures of the staged bundle through the public API, written beside it."""
    from fimi_nlp.evaluation import Suite, predict, score, shortcuts
    from fimi_nlp.tagger import load
    from fimi_nlp.types import Mode

    (folder / METRICS).write_text("{}\n", encoding="utf-8")
    tagger = load(folder)
    # Scored, not evaluated: a part without labels, which `evaluate` refuses, must not cost a training.
    judged = {name: part for name, part in parts.items() if name != "train"}
    reports = {
        name: score(predict(tagger, part, progress), part, slices=("source", "kind")) for name, part in judged.items()
    }
    modes = {
        mode.value: {
            name: score(predict(load(folder, mode=mode), part), part, slices=()) for name, part in judged.items()
        }
        for mode in Mode
        if mode is not tagger.mode
    }
    # The suite is about the four shared narratives; it says nothing of other labels.
    suite = Suite.read().run(tagger) if tagger.schema == LabelSchema.default() else None
    known = {name: part for name, part in judged.items() if any(passage.origin for passage in part)}
    measured = Measured(reports, modes, suite, {name: shortcuts(tagger, part) for name, part in known.items()})
    text = json.dumps({"model": tagger.bundle.name, "mode": tagger.mode.value, **measured.to_dict()}, indent=1)
    (folder / METRICS).write_text(text + "\n", encoding="utf-8")
    return measured


def _record(recipe: Recipe, corpus: Corpus, parts: dict[str, Corpus], fitted: Fitted) -> dict[str, Any]:
    """What the bundle says of its making."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "recipe": recipe.published(),
        "data": {
            "fingerprint": corpus.fingerprint,
            "passages": {name: len(part) for name, part in parts.items()},
            "taught_alone": fitted.further,
            "cut": fitted.cut,
            "labels": dict(Counter(label for p in parts["train"] for label in (p.narratives or {}))),
        },
        "history": fitted.history,
        "averaged_seeds": fitted.averaged,
        "started_from": fitted.started,
        "device": fitted.device,
        "precision": fitted.precision,
        "versions": {"fimi-nlp": __version__, "python": platform.python_version(), **versions},
    }
