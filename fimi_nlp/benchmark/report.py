"""The figures as lines of text and as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def lines(result: dict[str, Any]) -> Iterator[str]:
    """What the command line prints."""
    machine = result["machine"]
    yield f"{result['model']} on {machine['processor']}, {machine['cores']} cores, load {machine['load']}"
    whole = sum(result["stages_us"].values())
    parts = ", ".join(f"{name} {value / whole:.1%}" for name, value in result["stages_us"].items())
    yield f"a text on one thread: {whole / 1e3:.2f} ms of processor time: {parts}"
    yield "inside the model: " + ", ".join(f"{name} {share:.0%}" for name, share in result["operations"].items())
    for key, found in result.items():
        if key.startswith("threads_"):
            yield from _threads(key.removeprefix("threads_"), found)
    for name, row in result.get("cold", {}).items():
        yield f"cold, {name}: {row['seconds']:.2f} s"
    if memory := result.get("stream_mb"):
        yield "memory of a stream: " + ", ".join(f"{value:.0f} MB after {int(n):,}" for n, value in memory.items())
    for words, row in result.get("documents", {}).items():
        yield (
            f"one text of {int(words):,} words: {row['windows']:,} windows in {row['seconds']:.2f} s"
            f" ({row['windows_per_second']:.0f} a second), {row['more_mb']:.0f} MB more at most"
        )


def _threads(threads: str, found: dict[str, Any]) -> Iterator[str]:
    for kind in ("mixed", "stream"):
        for name, row in found.get(kind, {}).items():
            line = f"{threads} threads, {kind}, {name}: {row['texts_per_second']:.1f} texts/s"
            if "over_pipeline_wall" in row:
                line += f", {row['over_pipeline_wall']:.2f} times the pipeline"
                line += f" ({row['over_pipeline_cpu']:.2f} by processor time)"
            yield line
    for name, row in found["single"].items():
        yield f"{threads} threads, single text, {name}: p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms"
    if row := found.get("integer_products"):
        yield (
            f"{threads} threads: {row['used_gops']:.0f} of {row['limit_gops']:.0f} billion integer operations a second"
            f" ({row['share']:.0%}) on {row['real_tokens_per_second']:,} real tokens a second"
        )


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw the rates, and where the time goes, into a PNG or SVG file."""
    from fimi_nlp.errors import require

    require("train", "matplotlib")
    # The object interface: pyplot would choose a window system and keep global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    names, values = [], []
    for key, found in result.items():
        for kind in ("mixed", "stream"):
            for name, row in (found.get(kind, {}) if key.startswith("threads_") else {}).items():
                names.append(f"{name}, {kind}, {key.removeprefix('threads_')} thr.")
                values.append(row["texts_per_second"])
    left.barh(
        names[::-1], values[::-1], color=["tab:gray" if "pipeline" in name else "tab:blue" for name in names[::-1]]
    )
    left.set_xlabel("texts a second")
    shares = {f"{name} (stage)": v / sum(result["stages_us"].values()) for name, v in result["stages_us"].items()}
    shares |= {f"model: {name}": share for name, share in result["operations"].items()}
    right.barh(list(shares)[::-1], [100 * share for share in shares.values()][::-1], color="tab:blue")
    right.set_xlabel("% of processor time")
    figure.savefig(path, dpi=120)
