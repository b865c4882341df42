"""Train on a public task and print the task's own metric.

    python training/public_task.py semeval2025 --train train/EN --report dev/EN --out models/semeval2025
    python training/public_task.py dipromats2023 --train train_t3_en.json --report val_t3_en.json --out models/dipromats
    python training/public_task.py cards --train training.csv --dev validation.csv --report test.csv --out models/cards

The files are those of the organisers; the recipe is ``training/recipes/TASK.toml``. Without --dev, a fifth of the
training documents serves to choose the epoch and to set thresholds, so that nothing is fitted to what is reported.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

from fimi_nlp import load, train
from fimi_nlp.data import Corpus, split
from fimi_nlp.data.public import read_task
from fimi_nlp.evaluation.public import task_scores
from fimi_nlp.schema import LabelSchema
from fimi_nlp.training import Recipe

RECIPES = Path(__file__).parent / "recipes"
TASKS = ("semeval2025", "dipromats2023", "cards")


def gather(task: str, schema: LabelSchema, train: Path, dev: Path | None, report: Path, seed: int) -> Corpus:
    """The parts as one corpus with splits."""
    first = read_task(task, train, schema)
    parts = (
        {"train": first.with_split("train"), "dev": read_task(task, dev, schema).with_split("dev")}
        if dev
        else split(first, {"train": 0.8, "dev": 0.2}, seed=seed, keep_similar=False)
    )
    parts["report"] = read_task(task, report, schema).with_split("report")
    # Ids of a task are unique within its files only.
    renamed = [dataclasses.replace(p, id=f"{name}-{p.id}") for name, part in parts.items() for p in part]
    return Corpus(renamed, schema)


def run(task: str, recipe: Recipe, corpus: Corpus, out: Path, folder: Path) -> dict[str, float]:
    """Train a bundle on the corpus and score it on the split ``report``."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{task}.jsonl"
        corpus.to_jsonl(file)
        train(recipe, out, data=[file], run=folder)
    part = corpus.filter(split="report")
    return task_scores(task, part, load(out).tag_many(part.texts))


def main() -> None:
    """Read the arguments, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, help="to choose the epoch and set thresholds on")
    parser.add_argument("--report", type=Path, required=True, help="to score")
    parser.add_argument("--out", type=Path, required=True, help="where the bundle goes")
    parser.add_argument("--run", type=Path, help="checkpoints and log; default: runs/TASK")
    options = parser.parse_args()
    recipe = Recipe.from_toml(RECIPES / f"{options.task}.toml")
    schema = LabelSchema.from_toml(recipe.data.schema)
    seed = recipe.training.seed
    corpus = gather(options.task, schema, options.train, options.dev, options.report, seed)
    scores = run(options.task, recipe, corpus, options.out, options.run or Path("runs") / options.task)
    for name, value in scores.items():
        print(f"{name:>24}  {value:.4f}")


if __name__ == "__main__":
    main()
