"""A whole measurement: every way in one process and in turn, so that ratios hold where the machine is not quiet."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.benchmark import peer, timing
from fimi_nlp.benchmark.stages import operations, real_tokens, stages
from fimi_nlp.benchmark.workload import Workload
from fimi_nlp.gate import KEY
from fimi_nlp.tagger import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from fimi_nlp.tagger import Tagger

_PACKAGES = ("fimi-nlp", "numpy", "onnxruntime", "tokenizers", "torch", "transformers")
#: Share of the texts of a stream that carry a narrative.
CARRYING = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how long.

    Attributes
    ----------
    model : str, optional
        A bundle's folder or Hub id; by default the bundled model.
    texts : int
        Texts in a round.
    rounds : int
        Rounds that count; figures are their medians.
    threads : tuple of int
        Numbers of threads.
    singles : int
        Texts whose latency is taken.
    stream : int
        Texts of the stream whose memory is watched; 0 leaves it out.
    document : int
        Words of the longest single text; 0 leaves it out.
    cold : int
        New processes of each kind; 0 leaves them out.
    peer : bool
        Whether to measure the transformers pipeline and the limit of integer products too (extra ``train``).
    seed : int
        Of the texts.
    """

    model: str | None = None
    texts: int = 200
    rounds: int = 5
    threads: tuple[int, ...] = (1, 2)
    singles: int = 100
    stream: int = 0
    document: int = 0
    cold: int = 5
    peer: bool = True
    seed: int = 0


def run(plan: Plan, say: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """Measure.

    Parameters
    ----------
    plan : Plan
        What, and how long.
    say : callable
        Told what is being measured.

    Returns
    -------
    dict
        Plain JSON types: machine, versions, plan, and a part for each measurement. Times are of this process by the
        clock on the wall unless their key says ``cpu``.

    Raises
    ------
    MissingExtraError
        The peer is asked for without the extra ``train``.
    """
    tagger = load(plan.model, threads=1)
    result: dict[str, Any] = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "model": tagger.bundle.name,
        "plan": asdict(plan) | {"model": tagger.bundle.name},
    }
    say("where the time goes")
    texts = Workload(plan.seed + 1).texts(plan.texts)
    result["stages_us"] = stages(tagger, texts)
    result["operations"] = operations(tagger, texts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if plan.peer:
            peer.write_peer(folder)
        for threads in plan.threads:
            say(f"rates and latencies, {threads} thread{'s' if threads > 1 else ''}")
            result[f"threads_{threads}"] = _at(plan, threads, folder, tagger)
        if plan.cold:
            say("cold starts")
            result["cold"] = _cold(plan, folder)
    if plan.stream:
        say(f"memory over {plan.stream:,} texts")
        result["stream_mb"] = timing.stream_memory(plan.model, plan.stream, max(plan.threads))
    if plan.document:
        say(f"single texts of up to {plan.document:,} words")
        result["documents"] = timing.long_documents(plan.model, plan.document, max(plan.threads))
    return result


def _at(plan: Plan, threads: int, folder: Path, one: Tagger) -> dict[str, Any]:
    tagger = one if threads == 1 else load(plan.model, threads=threads)
    batch: dict[str, Callable[[list[str]], object]] = {"tagger": tagger.tag_many}
    single: dict[str, Callable[[str], object]] = {"tagger": tagger.tag}
    if plan.peer:
        pipeline = peer.load_peer(folder, threads)
        batch["pipeline"], single["pipeline"] = pipeline, pipeline
    drawn: list[list[str]] = []
    mixed = Workload(plan.seed + 2)

    def draw() -> list[str]:
        drawn.append(mixed.texts(plan.texts))
        return drawn[-1]

    rates = timing.in_turn(batch, draw, plan.rounds)
    found: dict[str, Any] = {"mixed": _with_ratios(rates)}
    found["single"] = timing.latencies(single, Workload(plan.seed + 3).texts(plan.singles + 5)[5:])
    if plan.peer:
        tokens = [real_tokens(one, texts) / len(texts) for texts in drawn[1:]]
        rate = float(np.median([r * t for r, t in zip(rates["tagger"].wall, tokens, strict=True)]))
        limit = peer.product_limit(threads)
        used = rate * peer.operations_per_token(tagger.bundle.model_path) / 1e9
        found["integer_products"] = {
            "limit_gops": round(limit, 1),
            "used_gops": round(used, 1),
            "share": round(used / limit, 3),
            "real_tokens_per_second": round(rate),
        }
    if KEY in tagger.bundle.config:
        fast = load(plan.model, threads=threads, fast=True)
        stream = Workload(plan.seed + 4, carrying=CARRYING)
        ways = {"fast": fast.tag_many, **batch}
        found["stream"] = _with_ratios(timing.in_turn(ways, lambda: stream.texts(plan.texts), plan.rounds))
    return found


def _with_ratios(rates: dict[str, timing.Rates]) -> dict[str, Any]:
    """Rates, and the median over the rounds of the ratio to the pipeline, where it is there."""
    found: dict[str, Any] = {name: rate.to_dict() for name, rate in rates.items()}
    base = rates.get("pipeline")
    if base:
        for name, rate in rates.items():
            if rate is not base:
                pairs = {"wall": zip(rate.wall, base.wall, strict=True), "cpu": zip(rate.cpu, base.cpu, strict=True)}
                for clock, values in pairs.items():
                    found[name][f"over_pipeline_{clock}"] = round(float(np.median([a / b for a, b in values])), 2)
    return found


def _cold(plan: Plan, folder: Path) -> dict[str, Any]:
    codes = {
        "python": "pass",
        "import fimi_nlp": "import fimi_nlp",
        "tagger": f"import fimi_nlp as fn; fn.load({plan.model!r}).tag('NATO provoked this war.')",
    }
    if plan.peer:
        codes["pipeline"] = peer.cold_code(folder)
    return timing.cold_starts(codes, plan.cold)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    from fimi_nlp.runtime import cores

    return {
        "processor": _processor(),
        "cores": cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": _load(),
    }


def versions() -> dict[str, str]:
    """Of the packages that are there."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if flag in flags]
    return f"{names[0] if names else platform.machine()} ({', '.join(known)})"


def _load() -> float | None:
    import os

    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
