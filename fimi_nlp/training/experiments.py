"""Experiments: train variants of a recipe, judge them on texts they never saw, and keep every figure.

A plan is a TOML file: a recipe, seeds, and for each experiment the options that it changes::

    recipe = "../recipes/minilm-en.toml"
    seeds = [0, 1, 2]

    [[experiment]]
    name = "joining-0"
    options = { "training.joining" = 0.0 }

    [[experiment]]
    name = "authored"
    extra = ["../data/passages.jsonl"]      # further passages to train on

    [[experiment]]
    name = "leave-sources-out"
    folds = 5                               # deal the sources of the training data to 5 folds, leave each out once
    by = "source"                           # or "origin", or any other field

Each run appends one line to ``models/experiments.jsonl`` and is not repeated where that line is there already. Failed
ideas stay. Thresholds and calibration are fitted to the dev split alone, as for a bundle; figures are those of the
trained network before int8 export.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp._toml import read_toml
from fimi_nlp.data import Corpus
from fimi_nlp.errors import RecipeError, did_you_mean
from fimi_nlp.evaluation import Suite
from fimi_nlp.schema import LabelSchema
from fimi_nlp.training.batches import encode
from fimi_nlp.training.fitting import Fitted, fit
from fimi_nlp.training.judging import Judge, behaviour, figures
from fimi_nlp.training.loop import predict
from fimi_nlp.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

#: Where `run_plan` keeps the logits of a run, for ensembles and paired tests.
LOGITS = "logits.npz"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One variant of a recipe.

    Attributes
    ----------
    name : str
        Of the variant; with seed and fold it names a run.
    options : dict
        Recipe options that it changes, as ``{"training.epochs": 2}``.
    extra : tuple of str
        Files of further training passages, as `Corpus.read` takes them; all their passages are trained on.
    folds : int
        0: train on the training split, report on the recipe's report splits. Otherwise into how many folds the values
        of `by` are dealt, each being left out of training and dev once and reported on.
    by : str
        The field to leave out by: ``source``, ``origin``, or another.
    share : float
        Train on this share of the training groups only, for learning curves.
    note : str
        Why it was tried.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    folds: int = 0
    by: str = "source"
    share: float = 1.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Experiments on one recipe.

    Attributes
    ----------
    recipe : Recipe
        Where all of them start.
    seeds : tuple of int
        Each experiment is run with each of them.
    experiments : tuple of Experiment
        In the order in which they are run.
    """

    recipe: Recipe
    seeds: tuple[int, ...]
    experiments: tuple[Experiment, ...]

    @classmethod
    def from_toml(cls, path: str | Path) -> Plan:
        """Read a plan; files in it are meant from its folder.

        Raises
        ------
        RecipeError
            The file cannot be read, has unknown keys, or values of the wrong type.
        """
        path = Path(path)
        data = read_toml(path, RecipeError, "the plan")
        _known(data, ("recipe", "seeds", "experiment"), str(path))
        keys = [f.name for f in dataclasses.fields(Experiment)]
        experiments = []
        for number, table in enumerate(data.get("experiment", ()), 1):
            _known(table, keys, f"{path}: experiment {number}")
            if not table.get("name"):
                raise RecipeError(f"{path}: experiment {number} has no name.", remedy='Write name = "..." in it.')
            extra = tuple(str(path.parent / file) for file in table.get("extra", ()))
            experiments.append(Experiment(**{**table, "extra": extra}))
        if "recipe" not in data or not experiments:
            raise RecipeError(f"{path}: a plan needs a recipe and at least one [[experiment]].")
        return cls(Recipe.from_toml(path.parent / data["recipe"]), tuple(data.get("seeds", (0,))), tuple(experiments))


def _known(table: dict[str, Any], keys: Sequence[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise RecipeError(f"{where}: unknown key '{key}'.", remedy=did_you_mean(key, keys))


@dataclass(frozen=True, slots=True)
class _Run:
    """One training: a variant, a seed, a fold."""

    experiment: Experiment
    seed: int
    fold: int
    left_out: tuple[str, ...]
    train: Corpus
    dev: Corpus
    reports: dict[str, Corpus]

    @property
    def key(self) -> str:
        fold = f"-fold{self.fold}" if self.experiment.folds else ""
        return f"{self.experiment.name}{fold}-seed{self.seed}"


def run_plan(
    plan: Plan,
    data: Sequence[str | Path],
    out: str | Path,
    folder: str | Path,
    *,
    only: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> None:
    """Run the experiments of a plan that `out` does not have yet.

    Parameters
    ----------
    plan : Plan
        What to run.
    data : sequence of str or Path
        Corpus files, with the splits that the recipe names.
    out : str or Path
        JSONL file that the records are appended to.
    folder : str or Path
        For checkpoints and logits, one folder a run; a run that was interrupted goes on from its checkpoint.
    only : sequence of str
        Names of the experiments to run; all by default.
    say : callable
        Takes a line of progress.
    """
    corpus = Corpus.read([str(path) for path in data])
    names = [experiment.name for experiment in plan.experiments]
    for name in only:
        if name not in names:
            raise RecipeError(f"The plan has no experiment '{name}'.", remedy=did_you_mean(name, names))
    done = {record["run"] for record in read_records_of(out)}
    for experiment in plan.experiments:
        if only and experiment.name not in only:
            continue
        for seed in plan.seeds:
            for run in _runs(plan.recipe, experiment, seed, corpus):
                if run.key in done:
                    say(f"{run.key}: done already")
                    continue
                record = _execute(plan.recipe, run, Path(folder) / run.key)
                with Path(out).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                shown = {name: part["macro_f1"] for name, part in record["figures"].items()}
                say(f"{run.key}: narrative macro-F1 {shown}")


def read_records_of(path: str | Path) -> list[dict[str, Any]]:
    """The records in a file of experiments; none where there is no file."""
    if not Path(path).is_file():
        return []
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def _runs(recipe: Recipe, experiment: Experiment, seed: int, corpus: Corpus) -> Iterator[_Run]:
    train = corpus.filter(split=recipe.data.train)
    dev = corpus.filter(split=recipe.data.dev)
    extra = Corpus.read(list(experiment.extra), schema=corpus.schema) if experiment.extra else ()
    if experiment.share < 1:
        train = _share(train, experiment.share, seed)
    if not experiment.folds:
        reports = {name: corpus.filter(split=name) for name in (recipe.data.dev, *recipe.data.report)}
        yield _Run(experiment, seed, 0, (), Corpus([*train, *extra], corpus.schema), dev, reports)
        return
    for fold, values in enumerate(deal(train, experiment.by, experiment.folds)):
        kept, left = _without(train, experiment.by, values)
        kept_dev, left_dev = _without(dev, experiment.by, values)
        held_out = {"left_out": Corpus([*left, *left_dev], corpus.schema)}
        yield _Run(experiment, seed, fold, values, Corpus([*kept, *extra], corpus.schema), kept_dev, held_out)


def deal(corpus: Corpus, by: str, folds: int) -> list[tuple[str, ...]]:
    """Deal the values of a field to folds of about equal numbers of passages, the largest first."""
    counts: dict[str, int] = {}
    for passage in corpus:
        value = getattr(passage, by)
        if value is not None:
            counts[str(value)] = counts.get(str(value), 0) + 1
    hands: list[list[str]] = [[] for _ in range(min(folds, len(counts)))]
    sizes = [0] * len(hands)
    for value in sorted(counts, key=lambda v: (-counts[v], v)):
        smallest = int(np.argmin(sizes))
        hands[smallest].append(value)
        sizes[smallest] += counts[value]
    return [tuple(hand) for hand in hands]


def _without(corpus: Corpus, by: str, values: Sequence[str]) -> tuple[Corpus, Corpus]:
    return (
        corpus.filter(lambda passage: str(getattr(passage, by)) not in values),
        corpus.filter(lambda passage: str(getattr(passage, by)) in values),
    )


def _share(corpus: Corpus, share: float, seed: int) -> Corpus:
    """A share of the groups, drawn at random; a larger share holds a smaller one of the same seed."""
    groups = sorted(set(corpus.groups))
    order = np.random.default_rng(seed).permutation(len(groups))
    kept = {groups[i] for i in order[: round(share * len(groups))]}
    return corpus.filter(lambda passage: (passage.group or passage.id) in kept)


def _execute(recipe: Recipe, run: _Run, folder: Path) -> dict[str, Any]:
    recipe = recipe.with_options({**run.experiment.options, "training.seed": run.seed})
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    fingerprint = run.train.fingerprint
    fitted = fit(recipe, run.train, run.dev, folder, fingerprint=fingerprint, resume=True)
    logits = {name: logits_of(fitted, part.texts, recipe) for name, part in run.reports.items()}
    logits["dev"] = logits_of(fitted, run.dev.texts, recipe)
    judge, suite = Judge(logits["dev"], run.dev, teacher=fitted.teacher), _suite(run.dev)
    if suite:
        logits["behavioural"] = logits_of(fitted, [case.text for case in suite.cases], recipe)
    np.savez_compressed(folder / LOGITS, **logits)  # type: ignore[arg-type]
    parts = {"model", "training", "loss"} | ({"distil"} if recipe.distil.teacher else set())
    config = {part: values for part, values in recipe.published().items() if part in parts}
    return {
        "run": run.key,
        "experiment": run.experiment.name,
        "note": run.experiment.note,
        "seed": run.seed,
        "left_out": list(run.left_out),
        "config": config,
        "data": {"fingerprint": fingerprint, "train": len(run.train), "dev": len(run.dev)},
        "dev_average_precision": [record["dev_average_precision"] for record in fitted.history],
        "seconds": round(time.perf_counter() - start),
        "figures": {name: figures(judge.report(logits[name], part)) for name, part in run.reports.items()},
        "behavioural": behaviour(judge, logits["behavioural"], suite) if suite else None,
    }


def _suite(corpus: Corpus) -> Suite | None:
    """The shipped suite, where the corpus has its labels."""
    return Suite.read() if corpus.schema == LabelSchema.default() else None


def logits_of(fitted: Fitted, texts: Sequence[str], recipe: Recipe) -> npt.NDArray[np.float32]:
    """Logits of a trained network, each text read in one window."""
    encoded = encode(texts, fitted.base, recipe.training.max_tokens)
    return predict(fitted.model, encoded.ids, fitted.base.pad)
