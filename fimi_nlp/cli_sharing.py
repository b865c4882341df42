"""The commands ``fimi-nlp export`` and ``fimi-nlp push``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated, Optional

import typer

from fimi_nlp._cli import CODES, PathOption, RevisionOption


class Format(str, Enum):
    """What `export` writes."""

    BUNDLE = "bundle"
    TRANSFORMERS = "transformers"


ModelArgument = Annotated[str, typer.Argument(help="A bundle's folder or Hub id, or 'default' for the bundled model.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=CODES)(export)
    app.command(epilog=CODES)(push)


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    revision: RevisionOption = None,
    target: Annotated[
        Format,
        typer.Option(
            "--format",
            help="bundle: the same model. transformers: another one, fitted to it, that transformers loads by itself.",
        ),
    ] = Format.BUNDLE,
    texts: Annotated[
        PathOption, typer.Option(help="For transformers: texts to fit it on (.jsonl, .csv, .parquet, .txt).")
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    encoder: Annotated[
        str, typer.Option(help="For transformers: the bundle's base encoder, where that was a folder of yours.")
    ] = "",
    epochs: Annotated[int, typer.Option(help="For transformers: passes over the texts.", min=0)] = 2,
) -> None:
    """Copy a model, checked, into a folder; or fit a plain transformers checkpoint to it."""
    name = None if model == "default" else model
    if target is Format.BUNDLE:
        from fimi_nlp.sharing import export_bundle

        typer.echo(f"{export_bundle(name, out, revision=revision).name} is in {out}")
        return
    if texts is None:
        raise typer.BadParameter("--format transformers needs --texts FILE to fit the checkpoint on.")
    from fimi_nlp.records import Record, read_records
    from fimi_nlp.training import to_transformers

    lines = [
        str(record.data[text_column])
        for record in read_records(texts, text_column=text_column)
        if isinstance(record, Record)
    ]
    agreement = to_transformers(name, out, lines, revision=revision, encoder=encoder, epochs=epochs)
    typer.echo(f"{agreement.to_markdown()}\n\nIt is in {out}, and is not the same model.")


def push(
    model: ModelArgument,
    repository: Annotated[str, typer.Argument(help="owner/name on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public; private otherwise.")] = False,
    branch: Annotated[Optional[str], typer.Option(help="Branch of the repository.")] = None,  # noqa: UP045
    message: Annotated[Optional[str], typer.Option(help="Of the commit.")] = None,  # noqa: UP045
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be sent; no network.")] = False,
) -> None:
    """Send a model with its card to the Hub; a repository that is made for it is private."""
    from fimi_nlp.sharing import push as send

    name = None if model == "default" else model
    upload = send(name, repository, private=not public, branch=branch, message=message, dry_run=dry_run)
    for file, size in upload.files:
        typer.echo(f"{size:>12,}  {file}")
    kind = "private" if upload.private else "public"
    if dry_run:
        typer.echo(f"{upload.size:>12,}  would go to {repository} ({kind} if it is new); nothing was sent.")
    else:
        typer.echo(f"{upload.size:>12,}  bytes: {upload.url}")
