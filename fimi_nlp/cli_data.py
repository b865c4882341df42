"""The command line of labelled data: ``fimi-nlp data``."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, Protocol

import typer

from fimi_nlp._cli import CODES, SET_ASIDE, ModelOption, ModeOption, PathOption, RevisionOption
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema

data_app = typer.Typer(help="Look after labelled data.", no_args_is_help=True)

CorpusArgument = Annotated[list[Path], typer.Argument(help="Labelled files: .jsonl, .csv, .parquet.")]
SchemaOption = Annotated[PathOption, typer.Option(help="Schema (TOML). Default: the four shared narratives.")]
TextColumnOption = Annotated[str, typer.Option(help="The column that holds the text.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeedOption = Annotated[int, typer.Option(help="Same seed, same result.")]


class Report(Protocol):
    """What commands print."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        ...

    def lines(self) -> list[str]:
        """As text."""
        ...


class Tool(str, Enum):
    """Annotation tools whose formats are known."""

    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"


class Labels(str, Enum):
    """What becomes of labels on export."""

    ANNOTATIONS = "annotations"
    SUGGESTIONS = "suggestions"
    NONE = "none"


class Uncertainty(str, Enum):
    """How uncertainty is measured."""

    MARGIN = "margin"
    RANK = "rank"


class Diversity(str, Enum):
    """How texts that differ are found."""

    SAMPLE = "sample"
    FARTHEST = "farthest"
    NONE = "none"


@data_app.command("check", epilog=CODES)
def data_check(
    corpus: CorpusArgument,
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
    as_json: JsonOption = False,
) -> None:
    """Check labelled data: labels, duplicates, and leakage across splits."""
    from fimi_nlp.data import check

    report = check(_read(corpus, schema, text_column))
    _print_report(report, as_json)
    if not report.ok:
        raise typer.Exit(SET_ASIDE)


@data_app.command("noise", epilog=CODES)
def data_noise(
    corpus: CorpusArgument,
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
    folds: Annotated[int, typer.Option(help="Parts of the cross-validation.", min=2)] = 5,
    top: Annotated[int, typer.Option(help="How many to print.", min=1)] = 30,
    out: Annotated[PathOption, typer.Option("--out", "-o", help="Write all of them: .jsonl, .csv, .parquet.")] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Find narratives that were likely annotated wrongly, the worst first."""
    from fimi_nlp.data import cross_validate, find_label_noise
    from fimi_nlp.records import open_writer

    whole = _read(corpus, schema, text_column)
    probabilities = cross_validate(whole, folds=folds, seed=seed)
    suspects = find_label_noise(whole, probabilities=probabilities)
    for label, column in zip(whole.schema.narrative_labels, probabilities.T, strict=True):
        if not (column >= 0).any():
            typer.echo(f"note: {label} is not judged: too few passages carry it, or lack it", err=True)
    if out:
        with open_writer(out) as writer:
            for suspect in suspects:
                writer.write(suspect.to_dict())
    if as_json:
        _print_json([suspect.to_dict() for suspect in suspects[:top]])
        return
    issues = sum(suspect.issue for suspect in suspects)
    more = [f"... and {len(suspects) - top} more"] if len(suspects) > top else []
    head = f"{len(suspects)} labels to look at again, {issues} of them likely wrong"
    _print_lines([head, *(suspect.line() for suspect in suspects[:top]), *more])


@data_app.command("duplicates", epilog=CODES)
def data_duplicates(
    corpus: CorpusArgument,
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
    threshold: Annotated[float, typer.Option(help="Similarity from which texts count, above 0 and up to 1.")] = 0.8,
    as_json: JsonOption = False,
) -> None:
    """Find passages with the same text, or nearly."""
    from fimi_nlp.data import find_near_duplicates

    found = find_near_duplicates(_read(corpus, schema, text_column), threshold)
    if as_json:
        _print_json([{"ids": list(group.ids), "similarity": group.similarity} for group in found])
    else:
        _print_lines([f"{group.similarity:.3f}  {', '.join(group.ids)}" for group in found] or ["none"])


@data_app.command("agreement", epilog=CODES)
def data_agreement(
    corpora: Annotated[list[Path], typer.Argument(help="One labelled file of each annotator, two or more.")],
    names: Annotated[Optional[list[str]], typer.Option("--name", help="Of each annotator. Default: 1, 2, ...")] = None,  # noqa: UP045
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare annotators: Cohen's kappa, Krippendorff's alpha, F1 of one against the other."""
    from fimi_nlp.data import agreement

    if len(corpora) < 2:
        raise typer.BadParameter("give the files of two or more annotators.")
    first, second, *others = (_read([path], schema, text_column) for path in corpora)
    result = agreement(first, second, *others, names=names or None, seed=seed)
    _print_report(result, as_json)


@data_app.command("coverage", epilog=CODES)
def data_coverage(
    corpus: CorpusArgument,
    by: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--by", help="A column; may be given several times. Default: narrative, sub, stance, kind, origin."
        ),
    ] = None,
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
    plot: Annotated[PathOption, typer.Option(help="Draw a picture: .png, .svg, .pdf.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count passages by class and combination, and name what is missing."""
    from fimi_nlp.data import coverage

    whole = _read(corpus, schema, text_column)
    report = coverage(whole, by=by) if by else coverage(whole)
    if plot:
        report.plot(plot)
    _print_report(report, as_json)


@data_app.command("diversity", epilog=CODES)
def data_diversity(
    corpus: CorpusArgument,
    reference: Annotated[PathOption, typer.Option(help="Other texts: how well are ours told from them?")] = None,
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
    as_json: JsonOption = False,
) -> None:
    """Measure how varied the texts are, and how far they give themselves away beside others."""
    from fimi_nlp.data import diversity

    other = None if reference is None else _read([reference], schema, text_column)
    _print_report(diversity(_read(corpus, schema, text_column), other), as_json)


@data_app.command("sample", epilog=CODES)
def data_sample(
    texts: Annotated[list[Path], typer.Argument(help="Texts to choose from: .txt, .jsonl, .csv, .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the batch goes (.jsonl).")],
    n: Annotated[int, typer.Option("-n", help="How many to select.", min=1)] = 100,
    model: ModelOption = None,
    revision: RevisionOption = None,
    mode: ModeOption = Mode.BALANCED,
    text_column: TextColumnOption = "text",
    uncertainty: Annotated[Uncertainty, typer.Option(help="Closest narrative, or ranks of each.")] = Uncertainty.MARGIN,
    diversity: Annotated[Diversity, typer.Option(help="How texts that differ are found.")] = Diversity.SAMPLE,
    labelled: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="What is labelled already, and is not selected again."),
    ] = None,
    per_group: Annotated[Optional[int], typer.Option(help="Most texts of one group.", min=1)] = None,  # noqa: UP045
    show_model: Annotated[bool, typer.Option("--show-model", help="Tell annotators what the model saw.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Select texts for annotation: those of which the model is unsure, and that differ from each other."""
    from fimi_nlp.data import Corpus, select_for_annotation, write_batch
    from fimi_nlp.tagger import load

    tagger = load(model, revision=revision, mode=mode)
    pool = Corpus.read(list(texts), schema=tagger.schema, text_column=text_column)
    known = Corpus.read(list(labelled), schema=tagger.schema, text_column=text_column) if labelled else None
    found = select_for_annotation(
        tagger,
        pool,
        n,
        uncertainty=uncertainty.value,
        diversity=diversity.value,
        labelled=known,
        per_group=per_group,
        seed=seed,
    )
    write_batch(out, found, show_model=show_model)
    typer.echo(f"{len(found)} of {len(pool)} texts selected ({out})", err=True)


@data_app.command("export", epilog=CODES)
def data_export(
    corpus: CorpusArgument,
    to: Annotated[Tool, typer.Option("--to", help="The annotation tool.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the tasks or records go (.json).")],
    labels: Annotated[Labels, typer.Option(help="What becomes of the labels.")] = Labels.ANNOTATIONS,
    config: Annotated[
        PathOption, typer.Option(help="Write the project's configuration, too: XML of Label Studio, JSON of Argilla.")
    ] = None,
    schema: SchemaOption = None,
    text_column: TextColumnOption = "text",
) -> None:
    """Write labelled data for an annotation tool."""
    from fimi_nlp.data import argilla_settings, label_studio_config, to_argilla, to_label_studio

    whole = _read(corpus, schema, text_column)
    if to is Tool.LABEL_STUDIO:
        to_label_studio(whole, out, labels=labels.value)
        text = label_studio_config(whole.schema)
    else:
        to_argilla(whole, out, labels=labels.value)
        text = json.dumps(argilla_settings(whole.schema), indent=1, ensure_ascii=False) + "\n"
    if config:
        _write(config, text)
    typer.echo(f"{len(whole)} passages written ({out})", err=True)


@data_app.command("import", epilog=CODES)
def data_import(
    source: Annotated[Path, typer.Argument(help="The tool's JSON export.")],
    origin: Annotated[Tool, typer.Option("--from", help="The annotation tool.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the corpus goes: .jsonl or .parquet.")],
    annotator: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Whose answers to read, where there are several annotators."),
    ] = None,
    schema: SchemaOption = None,
    text_key: Annotated[str, typer.Option(help="The key that holds the text.")] = "text",
) -> None:
    """Read the export of an annotation tool, checked, into a corpus."""
    from fimi_nlp.data import from_argilla, from_label_studio

    read = from_label_studio if origin is Tool.LABEL_STUDIO else from_argilla
    corpus = read(source, _schema(schema), annotator=annotator, text_key=text_key)
    if out.suffix == ".parquet":
        corpus.to_parquet(out)
    else:
        corpus.to_jsonl(out)
    typer.echo(f"{len(corpus)} passages read ({out})", err=True)


def _schema(path: Path | None) -> LabelSchema | None:
    from fimi_nlp.schema import LabelSchema

    return LabelSchema.from_toml(path) if path else None


def _read(paths: Sequence[Path], schema: Path | None, text_column: str) -> Corpus:
    from fimi_nlp.data import Corpus

    return Corpus.read(list(paths), schema=_schema(schema), text_column=text_column)


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=1, ensure_ascii=False))


def _print_lines(lines: Iterable[str]) -> None:
    typer.echo("\n".join(lines))


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        _print_json(report.to_dict())
    else:
        _print_lines(report.lines())


def _write(path: Path, text: str) -> None:
    from fimi_nlp.errors import InputError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}.", remedy="Check its folder.") from error
