"""What each integration adds to `tag_many`: the ratio of their times on the same texts.

    python benchmarks/integration_overhead.py

Each way runs once to warm up and then in turn with `tag_many`, `--repeats` times; the figure is the ratio of the
shortest times. spaCy's sentences are tagged a second time where a document carries a narrative, so that it has two
figures. Ray starts an actor of one core for every run, which counts; `tag_many` uses all cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import ray
import spacy

import fimi_nlp as fn
import fimi_nlp.integrations.pandas
import fimi_nlp.integrations.polars
import fimi_nlp.integrations.spacy
from fimi_nlp.integrations.arrow import tag_table
from fimi_nlp.integrations.ray import tag_dataset
from fimi_nlp.integrations.sklearn import NarrativeEmbedder
from fimi_nlp.integrations.transformers import as_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent


def ways(tagger: fn.Tagger, texts: list[str]) -> dict[str, Callable[[], Any]]:
    """What is timed."""
    frame, table = pd.DataFrame({"text": texts}), pa.table({"text": texts})
    lazy, dataset = pl.DataFrame({"text": texts}).lazy(), datasets.Dataset.from_dict({"text": texts})
    tag_all = pl.col("text").fimi.tag(tagger)  # type: ignore[attr-defined]
    documents, sentences = spacy.blank("en"), spacy.blank("en")
    documents.add_pipe("fimi_narratives")
    sentences.add_pipe("sentencizer")
    sentences.add_pipe("fimi_narratives")
    rows = ray.data.from_items([{"text": text} for text in texts])
    embedder, classify = NarrativeEmbedder(tagger), as_pipeline(tagger, top_k=None)
    return {
        "embed": lambda: tagger.embed(texts),
        "sklearn: NarrativeEmbedder": lambda: embedder.transform(texts),
        "spacy: documents": lambda: list(documents.pipe(texts)),
        "spacy: documents and sentences": lambda: list(sentences.pipe(texts)),
        "pandas": lambda: frame.fimi.tag("text", tagger),
        "polars": lambda: lazy.with_columns(tag=tag_all).collect(),
        "arrow": lambda: tag_table(table, "text", tagger),
        "datasets": lambda: dataset.map(tagger.as_map_fn(), batched=True, load_from_cache_file=False),
        "transformers: as_pipeline": lambda: classify(texts),
        "ray: tag_dataset": lambda: tag_dataset(rows, text_column="text", concurrency=1).take_all(),
    }


def seconds(act: Callable[[], Any]) -> float:
    """How long it takes once."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def main() -> None:
    """Time each way, print the ratios, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200, help="how many passages")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/integration_overhead.json")
    args = parser.parse_args()
    datasets.disable_progress_bars()
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    with (ROOT / "training/data/passages.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in islice(lines, args.texts)]
    tagger = fn.load()
    results = []
    for name, act in ways(tagger, texts).items():
        act()
        pairs = [(seconds(lambda: tagger.tag_many(texts)), seconds(act)) for _ in range(args.repeats)]
        base, own = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        results.append(
            {"way": name, "seconds": round(own, 4), "tag_many": round(base, 4), "ratio": round(own / base, 3)}
        )
        print(f"{name:32}{own:8.3f} s {own / base:8.2f} x tag_many", flush=True)
    record = {
        "benchmark": "integration_overhead",
        "date": date.today().isoformat(),
        "model": tagger.bundle.name,
        "python": platform.python_version(),
        "texts": len(texts),
        "repeats": args.repeats,
        "results": results,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {args.out}")


if __name__ == "__main__":
    main()
