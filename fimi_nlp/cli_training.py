"""The commands ``fimi-nlp train`` and ``fimi-nlp experiment``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from fimi_nlp._cli import CODES, PathOption


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
) -> None:
    """Train a bundle from a recipe."""
    from fimi_nlp.training import Recipe
    from fimi_nlp.training import train as run_training

    plan = Recipe.from_toml(recipe)
    if options:
        plan = plan.with_options(dict(_option(option) for option in options))
    result = run_training(plan, out, data=data or (), run=run, resume=resume)
    typer.echo(f"Bundle: {result.bundle}\nLog and plot: {result.run}")


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
