"""The command ``fimi-nlp evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fimi_nlp._cli import CODES, ModeOption, PathOption, RevisionOption
from fimi_nlp.errors import InputError
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from fimi_nlp.data import Corpus
    from fimi_nlp.evaluation import Report

_PREDICTIONS = {".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=CODES)(evaluate)


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A bundle's folder or Hub id, 'default' for the bundled model, or a file of predictions as"
            " `fimi-nlp tag` writes it."
        ),
    ],
    corpus: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(help="Labelled files: .jsonl, .csv, .parquet.", show_default=False),
    ] = None,
    suite: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Run a suite instead: 'behavioural', or a folder with functions.toml and cases.jsonl."),
    ] = None,
    split: Annotated[Optional[str], typer.Option(help="Only passages of this split.")] = None,  # noqa: UP045
    mode: ModeOption = Mode.BALANCED,
    revision: RevisionOption = None,
    schema: Annotated[PathOption, typer.Option(help="Schema of the corpus. Default: the model's.")] = None,
    slices: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--slice", help="A column to break down by, year, or length. May be given several times. Default: source."
        ),
    ] = None,
    group: Annotated[str, typer.Option(help="The column whose values the intervals take as a whole.")] = "group",
    ci: Annotated[float, typer.Option(help="Coverage of the intervals.", min=0.0, max=1.0)] = 0.95,
    second: Annotated[PathOption, typer.Option(help="A second annotator's labels of the same passages.")] = None,
    against: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--compare", help="Another model or file of predictions to compare with."),
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline",
            help="Train TF-IDF and logistic regression on split 'train' in the same run, thresholds on 'dev', and score"
            " it too.",
        ),
    ] = False,
    masked: Annotated[
        bool, typer.Option("--shortcuts", help="Score the origin with names, hashtags, outlet habits masked instead.")
    ] = False,
    out: Annotated[
        PathOption, typer.Option("--report", "--out", "-o", help="Save the report: .html, .md or .json.")
    ] = None,
) -> None:
    """Score a model on labelled texts, or on the behavioural suite.

    With --compare, the differences (the other model minus this one) are printed too, and saved beside the report as
    NAME.comparison.SUFFIX.
    """
    if out is not None:
        _check_target(out, html=suite is None and not masked)
    if suite is not None:
        if corpus:
            raise typer.BadParameter("--suite has texts of its own: give no labelled files beside it.")
        _run_suite(model, suite, mode=mode, revision=revision, out=out)
        return
    if not corpus:
        raise typer.BadParameter("give labelled files, or --suite behavioural.")
    from fimi_nlp.data import Corpus
    from fimi_nlp.evaluation import evaluate as run_evaluation

    ours = _model(model, mode, revision)
    theirs = None if against is None else _model(against, mode, None)  # before the work: the name may be wrong
    labels = _schema(schema, ours)
    whole = Corpus.read(list(corpus), schema=labels)
    part = _split(whole, split)
    if masked:
        _run_shortcuts(ours, part, out)
        return
    columns = tuple(slices or ("source",))
    options: dict[str, Any] = {"slices": columns, "group": group, "ci": ci, "progress": sys.stderr.isatty()}
    other = Corpus.read(second, schema=labels) if second else None
    report = run_evaluation(ours, part, second=other, **options)
    if out:  # first, so that it is there even if whoever reads the output stops reading
        report.save(out)
    report.print()
    if theirs is not None:
        _compare(report, run_evaluation(theirs, part, **options), out)
    if baseline:
        _baseline(whole, part, columns, report.macro_f1)


def _model(name: str, mode: Mode, revision: str | None) -> Any:
    """A tagger, or the path of a file of predictions."""
    path = Path(name)
    if path.suffix in _PREDICTIONS and not path.is_dir():
        return path
    from fimi_nlp.tagger import load

    return load(None if name == "default" else name, revision=revision, mode=mode)


def _schema(path: Path | None, model: Any) -> Any:
    from fimi_nlp.schema import LabelSchema

    return LabelSchema.from_toml(path) if path else getattr(model, "schema", None)


def _check_target(out: Path, *, html: bool) -> None:
    """Before the model does its work, which may take hours."""
    kinds = [".md", ".json", *([".html"] if html else [])]
    if out.suffix not in kinds:
        raise InputError(f"Cannot save a report as '{out.name}'.", remedy=f"Name a file with {' or '.join(kinds)}.")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is no folder.", remedy="Make it first, or name another.")


def _compare(report: Report, other: Report, out: Path | None) -> None:
    comparison = report.compare(other)
    if out:
        path = comparison.save(out.with_suffix(f".comparison{out.suffix}"))
        typer.echo(f"Comparison: {path}", err=True)
    typer.echo()
    comparison.print()


def _run_suite(model: str, name: str, *, mode: Mode, revision: str | None, out: Path | None) -> None:
    from fimi_nlp.evaluation import Suite

    tagger = _model(model, mode, revision)
    if isinstance(tagger, Path):
        raise InputError("A file of predictions knows nothing of the texts of a suite.", remedy="Name a model.")
    report = Suite.read(None if name == "behavioural" else name, schema=tagger.schema).run(tagger)
    if out:
        report.save(out)
    report.print()


def _run_shortcuts(tagger: Any, corpus: Corpus, out: Path | None) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    from fimi_nlp.evaluation import shortcuts

    if isinstance(tagger, Path):
        raise InputError("A file of predictions knows nothing of masked texts.", remedy="Name a model.")
    report = shortcuts(tagger, corpus)
    if out:
        report.save(out)
    Console().print(Markdown(report.to_markdown()))


def _split(corpus: Corpus, split: str | None) -> Corpus:
    if split is None:
        return corpus
    part = corpus.filter(split=split)
    if not len(part):
        there = ", ".join(sorted({str(passage.split) for passage in corpus}))
        raise InputError(f"The corpus has no passages of split '{split}'.", remedy=f"Splits there are: {there}.")
    return part


def _baseline(whole: Corpus, part: Corpus, slices: tuple[str, ...], ours: float) -> None:
    from fimi_nlp.evaluation import evaluate as run_evaluation
    from fimi_nlp.evaluation import fit_baseline

    typer.echo("\nBaseline: TF-IDF (word 1-2, character 3-5 grams) and logistic regression, trained in this run\n")
    report = run_evaluation(fit_baseline(_split(whole, "train"), _split(whole, "dev")), part, slices=slices)
    report.print()
    theirs = report.macro_f1
    typer.echo(f"\nmacro-F1: model {ours:.3f}, baseline {theirs:.3f}, difference {ours - theirs:+.3f}")
