"""Hyper-parameter search with Optuna: a space in the recipe, median pruning by epoch, a budget in minutes.

The space is data, one line an option::

    [search.space]
    "training.learning_rate" = { low = 1e-4, high = 1e-3, log = true }
    "training.batch_size" = { low = 8, high = 32, step = 8 }
    "model.freeze_layers" = { choices = [2, 4] }
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import RecipeError, did_you_mean, require
from fimi_nlp.training.fitting import fit

require("search", "optuna")

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import optuna

    from fimi_nlp.data import Corpus
    from fimi_nlp.training.recipe import Recipe

_KEYS = ("low", "high", "log", "step", "choices")


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a search.

    Attributes
    ----------
    number : int
        From 0.
    state : {"complete", "pruned"}
        Pruned: stopped because it did worse than the median of the others at that epoch.
    value : float
        The best average precision on dev, over its epochs.
    epochs : int
        How many it trained.
    seconds : float
        It took.
    options : dict
        As `Recipe.with_options` takes them.
    """

    number: int
    state: str
    value: float
    epochs: int
    seconds: float
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    trials : tuple of Trial
        In order.
    recipe : Recipe
        The recipe with the options of the best.
    """

    trials: tuple[Trial, ...]
    recipe: Recipe

    @property
    def best(self) -> Trial:
        """The complete trial with the highest value."""
        return max((t for t in self.trials if t.state == "complete"), key=lambda t: t.value)

    def to_markdown(self) -> str:
        """The trials as a table, the best first."""
        keys = sorted({key for trial in self.trials for key in trial.options})
        lines = ["| trial | state | dev average precision | epochs | seconds | " + " | ".join(keys) + " |"]
        lines.append("|---" * (5 + len(keys)) + "|")
        for trial in sorted(self.trials, key=lambda t: (t.state != "complete", -t.value)):
            cells = [f"{v:.3g}" if isinstance(v := trial.options[key], float) else str(v) for key in keys]
            lines.append(
                f"| {trial.number} | {trial.state} | {trial.value:.4f} | {trial.epochs} | {trial.seconds:.0f} | "
                + " | ".join(cells)
                + " |"
            )
        return "\n".join(lines)

    def save(self, folder: str | Path) -> None:
        """Write ``search.json``, ``search.md`` and ``search.png``."""
        folder = Path(folder)
        data = {
            "best": self.best.options,
            "trials": [{name: getattr(trial, name) for name in Trial.__slots__} for trial in self.trials],
        }
        (folder / "search.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        (folder / "search.md").write_text(self.to_markdown() + "\n", encoding="utf-8")
        _plot(self.trials, folder / "search.png")


def search(
    recipe: Recipe,
    train: Corpus,
    dev: Corpus,
    folder: str | Path,
    *,
    trials: int = 20,
    minutes: float = 0.0,
    say: Callable[[str], None] | None = None,
) -> SearchResult:
    """Look for better options by training on `train` and judging on `dev`.

    Parameters
    ----------
    recipe : Recipe
        Its ``[search.space]`` says what to vary; all else stays.
    train, dev : Corpus
        The passages. The best of many trials flatters itself on dev: report on another split.
    folder : str or Path
        For the results, and for one folder a trial.
    trials : int
        At most so many.
    minutes : float
        Start no trial after so many minutes; 0 sets no limit.
    say : callable, optional
        Takes a line after every trial.

    Returns
    -------
    SearchResult
        Written to the folder as well, after every trial.

    Raises
    ------
    RecipeError
        There is no space, an option in it is unknown or its range is not one, or no trial was completed.

    Notes
    -----
    Sampled by tree-structured Parzen estimators, pruned by the median rule (Akiba et al. 2019, *Optuna*). Every trial
    trains with one seed, and without the lexical branch unless the space has an option of it.
    """
    import optuna

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check_space(recipe)
    lexical = any(key.startswith("model.lexical") for key in recipe.search.space)
    fixed = {"training.seeds": 1, **({} if lexical else {"model.lexical": False})}
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=recipe.search.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=recipe.search.startup, n_warmup_steps=1),
    )
    done: list[Trial] = []
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    while len(done) < trials and (not done or time.monotonic() < end):
        trial = study.ask()
        options = {key: _suggest(trial, key, rule) for key, rule in recipe.search.space.items()}
        one = recipe.with_options({**options, **fixed})
        place = folder / f"trial-{trial.number}"
        done.append(_run(study, trial, one, options, train, dev, place, lexical=lexical))
        if say is not None:
            say(f"trial {done[-1].number}: {done[-1].state}, dev average precision {done[-1].value}, {options}")
        if any(t.state == "complete" for t in done):
            SearchResult(tuple(done), recipe).save(folder)
    if not any(t.state == "complete" for t in done):
        raise RecipeError("No trial was completed.", remedy="Look at the ranges of [search.space].")
    result = SearchResult(tuple(done), recipe)
    return SearchResult(result.trials, recipe.with_options(result.best.options))


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    recipe: Recipe,
    options: dict[str, Any],
    train: Corpus,
    dev: Corpus,
    folder: Path,
    *,
    lexical: bool,
) -> Trial:
    import optuna

    start, scores = time.perf_counter(), list[float]()

    def watch(record: Mapping[str, float]) -> None:
        scores.append(record["dev_average_precision"])
        trial.report(max(scores), len(scores))
        # After the last epoch there is nothing left to save.
        if len(scores) < recipe.training.epochs and trial.should_prune():
            raise optuna.TrialPruned

    state = optuna.trial.TrialState.COMPLETE
    try:
        fitted = fit(recipe, train, dev, folder, fingerprint=train.fingerprint, progress=False, watch=watch)
        value = _dev_score(fitted, dev) if lexical else max(scores)
    except optuna.TrialPruned:
        state, value = optuna.trial.TrialState.PRUNED, max(scores)
    study.tell(trial, value if state == optuna.trial.TrialState.COMPLETE else None, state=state)
    seconds = round(time.perf_counter() - start, 1)
    return Trial(trial.number, state.name.lower(), round(float(value), 4), len(scores), seconds, options)


def _dev_score(fitted: Any, dev: Corpus) -> float:
    from fimi_nlp.training.batches import Targets
    from fimi_nlp.training.loop import macro_average_precision, predict

    return macro_average_precision(predict(fitted.model, fitted.dev.ids, fitted.base.pad), Targets.of(dev))


def _check_space(recipe: Recipe) -> None:
    space = recipe.search.space
    if not space:
        raise RecipeError(
            "The recipe has no search space.",
            remedy='Add a table [search.space] with lines like "training.learning_rate" = { low = A, high = B }.',
        )
    if recipe.few_shot.examples:
        raise RecipeError(
            "A search trains on all the passages, and few_shot.examples asks for a handful.",
            remedy="Leave one of the two out.",
        )
    for key, rule in space.items():
        if "." not in key or key.startswith("few_shot."):
            raise RecipeError(
                f"search.space: '{key}' is no option that a search can vary.",
                remedy='Give table and key, in quotation marks: "training.learning_rate" = { low = A, high = B }.',
            )
        for name in rule if isinstance(rule, dict) else ():
            if name not in _KEYS:
                raise RecipeError(
                    f"search.space: '{key}' has an unknown key '{name}'.", remedy=did_you_mean(name, _KEYS)
                )
        fine = isinstance(rule, dict) and (
            ("choices" in rule and len(rule) == 1 and isinstance(rule["choices"], list) and bool(rule["choices"]))
            or ({"low", "high"} <= set(rule) and "choices" not in rule and rule["low"] < rule["high"])
        )
        if not fine:
            raise RecipeError(
                f"search.space: '{key}' is {rule!r}.", remedy="It must be { low = A, high = B } or { choices = [...] }."
            )
        # An unknown option or a value out of range is named before anything is trained.
        for value in rule.get("choices") or (rule["low"], rule["high"]):
            recipe.with_options({key: value})


def _suggest(trial: optuna.Trial, key: str, rule: Mapping[str, Any]) -> Any:
    if "choices" in rule:
        return trial.suggest_categorical(key, rule["choices"])
    low, high, log = rule["low"], rule["high"], bool(rule.get("log", False))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, step=int(rule.get("step", 1)), log=log)
    return trial.suggest_float(key, float(low), float(high), step=rule.get("step"), log=log)


def _plot(trials: tuple[Trial, ...], path: Path) -> None:
    require("train", "matplotlib")
    # The object interface: pyplot would choose a window system and keep global state.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for state, colour, marker in (("complete", "tab:blue", "o"), ("pruned", "tab:gray", "x")):
        part = [t for t in trials if t.state == state]
        axes.scatter([t.number for t in part], [t.value for t in part], color=colour, marker=marker, label=state)
    values = np.array([t.value if t.state == "complete" else 0.0 for t in trials])
    axes.step([t.number for t in trials], np.maximum.accumulate(values), where="post", color="tab:blue", alpha=0.5)
    low = min(t.value for t in trials)
    axes.set_ylim(max(low - 0.05, 0.0), min(float(values.max()) + 0.05, 1.0))
    axes.set_xlabel("trial")
    axes.set_ylabel("dev average precision")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    figure.savefig(path, dpi=120)
