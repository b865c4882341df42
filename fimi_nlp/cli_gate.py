"""The command ``fimi-nlp gate``."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated, Any, Optional

import typer

from fimi_nlp._cli import CODES, PathOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=CODES)(gate)


def gate(
    model: Annotated[str, typer.Argument(help="A bundle's folder or Hub id, or 'default' for the bundled model.")],
    corpus: Annotated[list[Path], typer.Argument(help="Files with the splits below: .jsonl, .csv, .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder that does not exist yet.")],
    texts: Annotated[PathOption, typer.Option(help="More texts to learn from, without labels.")] = None,
    train: Annotated[str, typer.Option(help="Split to learn from.")] = "train",
    calibrate: Annotated[str, typer.Option(help="Split to set thresholds on.")] = "dev",
    report: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Splits to measure on. May be given several times."),
    ] = None,
    recall: Annotated[float, typer.Option(help="Share of what the model flags that goes on to it.")] = 0.995,
    schema: Annotated[PathOption, typer.Option(help="Schema of the corpus. Default: the model's.")] = None,
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
) -> None:
    """Give a model the first stage that `tag --fast` needs: it learns from the model which texts it may skip.

    The copy in OUT is the same model otherwise. How many texts are spared and lost is printed, and kept in
    metrics.json.
    """
    from fimi_nlp.bundle import Bundle, find
    from fimi_nlp.data import Corpus
    from fimi_nlp.errors import require
    from fimi_nlp.records import Record, read_records
    from fimi_nlp.schema import LabelSchema

    require("train", "sklearn", "scipy")
    from fimi_nlp.training.gate import fit_gate

    folder = find(None if model == "default" else model)
    labels = LabelSchema.from_toml(schema) if schema else Bundle.read(folder).schema
    passages = Corpus.read(list(corpus), schema=labels, text_column=text_column)
    records = read_records(texts, text_column=text_column) if texts else ()
    more = [str(record.data[text_column]) for record in records if isinstance(record, Record)]
    with _Progress() as progress:
        measured = fit_gate(
            folder,
            out,
            passages,
            texts=more,
            train=train,
            calibrate=calibrate,
            report=report or (),
            recall=recall,
            advance=progress,
        )
    for split, modes in measured.items():
        for mode, row in modes.items():
            typer.echo(
                f"{split}, {mode}: {row['read']} of {row['texts']} texts read by the model; of {row['flagged']} that it"
                f" flags, {row['lost']} lost"
            )
    typer.echo(f"{Bundle.read(out).name} is in {out}")


class _Progress:
    """A counter on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.completed} texts"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done)
