"""The commands ``fimi-nlp train`` and ``fimi-nlp experiment``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fimi_nlp._cli import CODES, PathOption

if TYPE_CHECKING:
    from collections.abc import Sequence


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=CODES)(train)
    app.command(epilog=CODES)(experiment)


def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe (TOML).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the bundle goes.")],
    data: Annotated[Optional[list[Path]], typer.Option("--data", help="Corpus files instead of the recipe's.")] = None,  # noqa: UP045
    options: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Another value, as training.epochs=2. May be given several times."),
    ] = None,
    run: Annotated[PathOption, typer.Option(help="Folder of checkpoints and log. Default: runs/NAME.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    few_shot: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--few-shot", help="Contrastive fine-tuning on so many examples of each narrative.", min=1),
    ] = None,
    trials: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--search", help="First look for better options in this many trials of [search.space].", min=1),
    ] = None,
    minutes: Annotated[float, typer.Option(help="Start no trial of --search after so many minutes.", min=0)] = 0.0,
) -> None:
    """Train a bundle from a recipe."""
    from fimi_nlp.training import Recipe
    from fimi_nlp.training import train as run_training

    if minutes and not trials:
        raise typer.BadParameter("--minutes is the budget of --search N, which is not given.")
    plan = Recipe.from_toml(recipe)
    if options:
        plan = plan.with_options(dict(_option(option) for option in options))
    if few_shot:
        plan = plan.with_options({"few_shot.examples": few_shot})
    if trials:
        plan = _search(plan, data or (), run, trials, minutes)
    result = run_training(plan, out, data=data or (), run=run, resume=resume)
    typer.echo(f"Bundle: {result.bundle}\nLog and plot: {result.run}")


def _search(plan: Any, data: Sequence[Path], run: Path | None, trials: int, minutes: float) -> Any:
    """The recipe with the best options found."""
    from dataclasses import replace

    from fimi_nlp.training import search
    from fimi_nlp.training.run import read_parts

    if data:
        plan = replace(plan, data=replace(plan.data, corpus=tuple(map(str, data))))
    _, parts = read_parts(plan)
    folder = (run or Path("runs") / plan.model.name) / "search"
    found = search(plan, parts["train"], parts["dev"], folder, trials=trials, minutes=minutes, say=typer.echo)
    typer.echo(f"{found.to_markdown()}\n\nTable and plot: {folder}\n")
    return found.recipe


def experiment(
    plan: Annotated[PathOption, typer.Argument(help="A plan of experiments (TOML).", show_default=False)] = None,
    data: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option("--data", help="Corpus files with the splits that the recipe names."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSONL file that records are appended to.")] = Path(
        "models/experiments.jsonl"
    ),
    only: Annotated[Optional[list[str]], typer.Option(help="Run only this experiment.")] = None,  # noqa: UP045
    run: Annotated[Path, typer.Option(help="Folder of checkpoints and logits.")] = Path("runs/experiments"),
) -> None:
    """Train and judge variants of a recipe, several seeds each; runs that are recorded already are not repeated.

    Without a plan, the records there are, as a table.
    """
    from fimi_nlp.training.experiment_table import table
    from fimi_nlp.training.experiments import Plan, read_records_of, run_plan

    if plan is None:
        typer.echo(table(read_records_of(out)))
        return
    if not data:
        raise typer.BadParameter("give the corpus with --data.")
    run_plan(Plan.from_toml(plan), data, out, run, only=only or (), say=typer.echo)


def _option(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or "." not in key:
        raise typer.BadParameter(f"--set {text!r} is not of the form table.key=value.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
