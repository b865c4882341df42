"""The commands ``fimi-nlp data standoff`` and ``fimi-nlp data rebuild``."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from fimi_nlp.data import RebuildReport

_INCOMPLETE = 3


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``data``."""
    app.command("standoff", epilog="Exit codes: 0 done; 1 failed, with the reason on standard error.")(data_standoff)
    app.command(
        "rebuild",
        epilog="Exit codes: 0 all passages found; 1 failed, with the reason on standard error; 3 some were not found.",
    )(data_rebuild)


def data_standoff(
    corpus: Annotated[list[Path], typer.Argument(help="Labelled files: .jsonl, .csv, .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the records go: .jsonl or .parquet.")],
    private: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads the annotation at run time, on Python 3.10 too
        typer.Option(help="A source whose groups are hashed. Default: reddit, tweets. May be given several times."),
    ] = None,
    schema: Annotated[Optional[Path], typer.Option(help="Schema (TOML). Default: the four shared narratives.")] = None,  # noqa: UP045
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
) -> None:
    """Write the labels of passages, where they come from and a hash of their words, but no text."""
    from fimi_nlp.data import Corpus, to_standoff
    from fimi_nlp.data.standoff import PRIVATE_SOURCES
    from fimi_nlp.schema import LabelSchema

    labels = LabelSchema.from_toml(schema) if schema else None
    passages = Corpus.read(list(corpus), schema=labels, text_column=text_column)
    to_standoff(passages, out, private=PRIVATE_SOURCES if private is None else private)
    typer.echo(f"{len(passages)} records: {out}")


def data_rebuild(
    standoff: Annotated[Path, typer.Argument(help="Stand-off records: .parquet or .jsonl.")],
    folders: Annotated[list[Path], typer.Argument(help="Folders with copies of the public sources.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the corpus goes (.jsonl).")],
    report: Annotated[Optional[Path], typer.Option(help="Save the report as JSON.")] = None,  # noqa: UP045
    schema: Annotated[Optional[Path], typer.Option(help="Schema (TOML). Default: the four shared narratives.")] = None,  # noqa: UP045
) -> None:
    """Give stand-off records their texts back, from local copies of the public sources.

    Reads .txt, .md, .html, .csv, .tsv, .json and .jsonl, also packed as .gz. Records without a match go to
    OUT.missing.jsonl.
    """
    from fimi_nlp.schema import LabelSchema

    labels = LabelSchema.from_toml(schema) if schema else None
    result = _rebuild(standoff, folders, out, schema=labels)
    typer.echo("\n".join(result.lines()))
    if report:
        report.write_text(json.dumps(result.to_dict(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    if not result.complete:
        raise typer.Exit(_INCOMPLETE)


def _rebuild(standoff: Path, folders: list[Path], out: Path, **options: Any) -> RebuildReport:
    from fimi_nlp.data import rebuild

    if not sys.stderr.isatty():
        return rebuild(standoff, folders, out, **options)
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed} files"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None)
        return rebuild(standoff, folders, out, advance=lambda n: progress.update(task, completed=n), **options)
