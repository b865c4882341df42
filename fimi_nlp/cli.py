"""The command line: ``fimi-nlp tag | explain | train | evaluate | data | export | info``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fimi_nlp import (
    cli_bench,
    cli_converge,
    cli_evaluate,
    cli_explain,
    cli_gate,
    cli_rebuild,
    cli_sharing,
    cli_training,
)
from fimi_nlp._cli import (
    CODES,
    FAILED,
    INTERRUPTED,
    OK,
    SET_ASIDE,
    ModelOption,
    ModeOption,
    PathOption,
    RevisionOption,
)
from fimi_nlp.cli_data import data_app
from fimi_nlp.errors import FimiError
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from fimi_nlp.batch import Summary
    from fimi_nlp.tagger import Tagger

app = typer.Typer(
    name="fimi-nlp",
    help="Which shared anti-Western narratives an English text carries, in which stance and register, and how surely."
    " It describes content; it never says who is behind a text.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
cli_rebuild.register(data_app)
for commands in (cli_explain, cli_evaluate, cli_training, cli_sharing, cli_gate, cli_bench, cli_converge):
    commands.register(app)


@app.command(epilog=CODES)
def tag(
    texts: Annotated[Optional[list[str]], typer.Argument(help="Texts to tag.", show_default=False)] = None,  # noqa: UP045
    source: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--input", "-i", help=".txt (a text a line), .jsonl, .csv, .tsv, .parquet; - is standard input."),
    ] = None,
    target: Annotated[str, typer.Option("--output", "-o", help="Same formats. Default: standard output.")] = "-",
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    model: ModelOption = None,
    revision: RevisionOption = None,
    mode: ModeOption = Mode.BALANCED,
    input_format: Annotated[Optional[str], typer.Option(help="Where the suffix does not say it.")] = None,  # noqa: UP045
    output_format: Annotated[Optional[str], typer.Option(help="Where the suffix does not say it.")] = None,  # noqa: UP045
    rejects: Annotated[
        PathOption, typer.Option(help="Where unusable records go. Default: OUTPUT.rejected.jsonl, or standard error.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted --resume run stopped.")] = False,
    threads: Annotated[Optional[int], typer.Option(help="Threads of the model. Default: all cores.", min=1)] = None,  # noqa: UP045
    fast: Annotated[
        bool, typer.Option("--fast", help="Let texts go that a quick look finds nothing in (reason SKIPPED).")
    ] = False,
) -> None:
    """Tag texts, given as arguments, in a file or on standard input.

    A terminal gets a table, everything else JSONL. Files are written whole or not at all, every input column is kept,
    and records that cannot be used are set aside with their reason.
    """
    from fimi_nlp.batch import rejects_of
    from fimi_nlp.tagger import load

    if texts and source:
        raise typer.BadParameter("give texts or --input, not both.")
    if not texts and not source:
        if sys.stdin is None or sys.stdin.isatty():
            raise typer.BadParameter("give a text, or a file with --input FILE.")
        source = "-"
    tagger = load(model, revision=revision, mode=mode, threads=threads, fast=fast)
    if texts:
        _tag_arguments(tagger, texts, target, output_format)
        return
    assert source is not None
    if source == "-" and input_format is None:
        input_format = _stdin_format()
    if target == "-" and output_format is None and sys.stdout.isatty():
        _tag_to_screen(tagger, source, input_format, text_column)
        return
    summary = _tag_file(
        tagger,
        source,
        target,
        text_column=text_column,
        source_format=input_format,
        target_format=output_format,
        rejects=rejects,
        resume=resume,
    )
    _report(summary, str(rejects or rejects_of(target) or "standard error"))


@app.command(epilog=CODES)
def info(
    model: ModelOption = None,
    revision: RevisionOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole configuration as JSON.")] = False,
) -> None:
    """Show what a model is: labels, thresholds, training record."""
    from fimi_nlp import __version__
    from fimi_nlp.bundle import Bundle, find

    bundle = Bundle.read(find(model, revision=revision))
    if as_json:
        typer.echo(json.dumps(bundle.config, indent=1, ensure_ascii=False))
        return
    record = bundle.config.get("training", {})
    typer.echo(f"fimi-nlp {__version__}\nmodel {bundle.name} in {bundle.folder}")
    typer.echo(f"base {bundle.config['base_model']['id']}, language {bundle.schema.language}")
    typer.echo(f"trained on {record.get('data', {}).get('passages', {}).get('train', 'an unknown number of')} passages")
    for label in bundle.schema.narratives:
        shown = "  ".join(f"{mode} {values[label.label]:.2f}" for mode, values in bundle.thresholds.items())
        typer.echo(f"  {label.label}: {label.name}. Thresholds: {shown}")
    typer.echo(f"stances {', '.join(bundle.schema.stance_labels)}; origins {', '.join(bundle.schema.origin_labels)}")


def main() -> None:
    """Run the command line; errors of ours become one line on standard error."""
    try:
        app()
    except FimiError as error:
        _fail(error)
    except BrokenPipeError:
        # The reader has gone, as `head` does. Standard output is closed here, lest Python complain at exit.
        sys.stderr.close()
        sys.exit(OK)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _fail(error: FimiError) -> None:
    typer.echo(f"error: {error}", err=True)
    sys.exit(FAILED)


def _tag_arguments(tagger: Tagger, texts: list[str], target: str, output_format: str | None) -> None:
    from fimi_nlp.batch import as_line, is_table, merge
    from fimi_nlp.records import open_writer

    tags = tagger.tag_many(texts)
    if target == "-" and output_format is None and sys.stdout.isatty():
        _print_table(list(zip(texts, tags, strict=True)))
        return
    flat = is_table(target, output_format)
    with open_writer(target, format=output_format, line=as_line) as writer:
        for number, (text, found) in enumerate(zip(texts, tags, strict=True), 1):
            writer.write(merge({"text": text}, found, str(number), flat=flat))


def _print_table(pairs: list[tuple[str, Any]]) -> None:
    from rich.console import Console

    from fimi_nlp.display import show_tags

    Console().print(show_tags(pairs))


def _tag_to_screen(tagger: Tagger, source: str, input_format: str | None, text_column: str) -> None:
    from itertools import islice

    from fimi_nlp.batch import tag_records, text_of
    from fimi_nlp.records import BadRecord, read_records

    bad: list[BadRecord] = []
    records = read_records(source, format=input_format, text_column=text_column)
    pairs = tag_records(tagger, records, text_column=text_column, reject=bad.append)
    while block := [(text_of(record, text_column), found) for record, found in islice(pairs, 50)]:
        _print_table(block)
    for record in bad:
        typer.echo(f"{record.place}: {record.reason}", err=True)
    if bad:
        raise typer.Exit(SET_ASIDE)


def _tag_file(tagger: Tagger, source: str, target: str, **options: Any) -> Summary:
    from fimi_nlp.batch import tag_file

    if target == "-" or not sys.stderr.isatty():
        return tag_file(tagger, source, target, **options)
    from fimi_nlp.display import text_progress

    with text_progress() as advance:
        return tag_file(tagger, source, target, advance=advance, **options)


def _report(summary: Summary, rejects: str) -> None:
    parts = [f"{summary.tagged} texts tagged, {summary.with_narratives} with narratives, {summary.rate:.0f} a second"]
    if summary.resumed:
        parts.append(f"{summary.resumed} were there already")
    if summary.rejected:
        parts.append(f"{summary.rejected} records set aside ({rejects})")
    typer.echo("; ".join(parts) + ".", err=True)
    if summary.rejected:
        raise typer.Exit(SET_ASIDE)


def _stdin_format() -> str:
    """JSONL where standard input starts like an object, else a text a line."""
    peek = getattr(sys.stdin.buffer, "peek", None)
    start = peek(64) if peek else b""
    return "jsonl" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "txt"
