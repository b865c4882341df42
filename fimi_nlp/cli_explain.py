"""The command ``fimi-nlp explain``."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated, Optional

import typer

from fimi_nlp._cli import CODES, ModelOption, ModeOption, PathOption, RevisionOption
from fimi_nlp.types import Mode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=CODES)(explain)


def explain(
    text: Annotated[str, typer.Argument(help="The text; '-' reads it from standard input.", show_default=False)],
    labels: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--label", help="A narrative, stance or origin. Default: the narratives named."),
    ] = None,
    model: ModelOption = None,
    revision: RevisionOption = None,
    mode: ModeOption = Mode.BALANCED,
    as_json: Annotated[bool, typer.Option("--json", help="Print spans and weights as JSON.")] = False,
    out: Annotated[PathOption, typer.Option("--out", "-o", help="Write an HTML page instead.")] = None,
) -> None:
    """Show which words of a text carry each narrative."""
    from rich.console import Console

    from fimi_nlp.errors import InputError
    from fimi_nlp.tagger import load

    if out and out.suffix not in (".html", ".htm"):
        raise InputError(f"Cannot write a page as '{out.name}'.", remedy="Name a .html file; for JSON, use --json.")
    if text == "-":
        text = typer.get_text_stream("stdin", encoding="utf-8", errors="replace").read()
    explanation = load(model, revision=revision, mode=mode).explain(text, labels or None)
    if out:
        _write_page(out, explanation.to_html())
    if as_json:
        typer.echo(json.dumps(explanation.to_dict(), indent=1))
    elif not out:
        Console().print(explanation)


def _write_page(path: Path, body: str) -> None:
    from fimi_nlp.errors import InputError

    head = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Explanation</title></head><body>'
    try:
        path.write_text(f"{head}\n{body}\n</body></html>\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}.", remedy="Check its folder.") from error
