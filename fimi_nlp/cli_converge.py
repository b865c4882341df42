"""The command ``fimi-nlp converge``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated, Optional

import typer

from fimi_nlp._cli import CODES


class Period(str, Enum):
    """Periods that shares are counted in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Cluster(str, Enum):
    """What is resampled."""

    SOURCE = "source"
    DOCUMENT = "document"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=CODES)(converge)


def converge(
    tagged: Annotated[Path, typer.Argument(help="What `fimi-nlp tag` wrote: .jsonl, .csv, .parquet.")],
    origin: Annotated[
        str,
        typer.Option(
            help="The column that says whose each text is. An input column 'origin' is called 'input_origin' in tagged"
            " files; 'origin' itself is the tagger's guess, with which a comparison goes round in a circle."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")],
    first: Annotated[str, typer.Option(help="The one origin.")] = "russia",
    second: Annotated[str, typer.Option(help="The other.")] = "china",
    date: Annotated[str, typer.Option(help="Column of dates, ISO 8601.")] = "date",
    source: Annotated[str, typer.Option(help="Column of outlets or accounts.")] = "source",
    skip_undated: Annotated[bool, typer.Option("--skip-undated", help="Leave out texts without a date.")] = False,
    document: Annotated[Optional[str], typer.Option(help="Column of documents.")] = None,  # noqa: UP045
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    events: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--event", help="DATE=NAME, marked in the plots. May be given several times."),
    ] = None,
    every: Annotated[Period, typer.Option(help="Period of shares and mixes.")] = Period.MONTH,
    lag_every: Annotated[Period, typer.Option(help="Period of lead and lag.")] = Period.WEEK,
    longest: Annotated[int, typer.Option(help="Longest lag, in periods.", min=1)] = 8,
    cluster: Annotated[Cluster, typer.Option(help="What intervals resample.")] = Cluster.SOURCE,
    wordings: Annotated[
        bool, typer.Option("--wordings", help="Embed the texts with the bundled model, to find close wordings too.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same report.")] = 0,
) -> None:
    """Compare the narratives of two origins over time: shares, mixes, who moves first, like texts."""
    from fimi_nlp.evaluation.convergence import TaggedCorpus
    from fimi_nlp.evaluation.convergence import converge as run
    from fimi_nlp.tagger import load

    corpus = TaggedCorpus.read(
        tagged,
        origin=origin,
        date=date,
        source=source,
        document=document,
        text=text_column,
        skip_undated=skip_undated,
    )
    report = run(
        corpus,
        origins=(first, second),
        events=dict(_event(event) for event in events or ()),
        every=every.value,
        lag_every=lag_every.value,
        longest=longest,
        cluster=cluster.value,
        tagger=load() if wordings else None,
        seed=seed,
    )
    typer.echo(f"Report: {report.save(out)}")


def _event(text: str) -> tuple[str, str]:
    day, sign, name = text.partition("=")
    if not sign or not name.strip():
        raise typer.BadParameter(f"--event {text!r} is not of the form DATE=NAME.")
    return day.strip(), name.strip()
