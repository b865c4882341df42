"""Training beside a plain `transformers.Trainer`: the same passages, encoder, epochs and batch size, in one run.

    python benchmarks/training_speed.py [--threads 1] [--out benchmarks/results/training_speed.json]

The plain way is the usual script: a classification head on the encoder, every text padded to the longest length that
the recipe allows, all layers trained. Texts are the authored passages of the repository, with whole groups on one side.
Seconds are those of training alone, without imports; what the recipe computes beforehand (states of the frozen layers)
counts, and so does what it does at the end of an epoch (predicting dev). Needs the extra ``train``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from few_shot import figures  # beside this file

from fimi_nlp.benchmark.run import machine
from fimi_nlp.data import Corpus
from fimi_nlp.decision import sigmoid
from fimi_nlp.training import Recipe
from fimi_nlp.training.encoders import load_encoder
from fimi_nlp.training.experiments import logits_of
from fimi_nlp.training.fitting import fit

ROOT = Path(__file__).parents[1]


def row(logits: Any, gold: Any, seconds: float, read: int) -> dict[str, float]:
    """Passages a second, macro average precision, and macro F1 at one half."""
    quality = figures(sigmoid(np.asarray(logits, np.float64)), gold)
    return {"seconds": round(seconds, 1), "passages_a_second": round(read / seconds, 2), **quality}


def ours(recipe: Recipe, train: Corpus, test: Corpus) -> dict[str, Any]:
    """The recipe of the bundled model, without a teacher."""
    # Something must be there to choose an epoch by; a few passages, for the test ones are not to be seen.
    dev, gold = train[:64], test.label_arrays().narratives > 0.5
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        fitted = fit(recipe, train, dev, Path(folder), fingerprint=train.fingerprint, progress=False)
        seconds = time.perf_counter() - start
    logits = logits_of(fitted, test.texts, recipe)[:, : gold.shape[1]]
    return {"method": "fimi-nlp", **row(logits, gold, seconds, len(train) * recipe.training.epochs)}


def plain(recipe: Recipe, train: Corpus, test: Corpus, rate: float) -> dict[str, Any]:
    """`transformers.Trainer` with ``padding='max_length'``."""
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast, Trainer, TrainingArguments
    from transformers.trainer_utils import set_seed

    settings = recipe.training
    base = load_encoder(recipe.model.encoder, recipe.model.revision, progress=False)
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=base.tokenizer, pad_token="[PAD]")  # noqa: S106 - a token
    gold = test.label_arrays().narratives > 0.5

    def encode(texts: list[str]) -> dict[str, Any]:
        return dict(tokenizer(texts, padding="max_length", truncation=True, max_length=settings.max_tokens))

    with tempfile.TemporaryDirectory() as folder:
        base.encoder.save_pretrained(folder)  # type: ignore[operator]
        set_seed(settings.seed)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=gold.shape[1], problem_type="multi_label_classification"
        )
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            per_device_eval_batch_size=64,
            learning_rate=rate,
            seed=settings.seed,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
        )
        start = time.perf_counter()
        labels = train.label_arrays().narratives.astype(np.float32).tolist()
        data = Dataset.from_dict({**encode(train.texts), "labels": labels})
        trainer = Trainer(model=model, args=arguments, train_dataset=data)
        trainer.train()
        seconds = time.perf_counter() - start
        logits = trainer.predict(Dataset.from_dict(encode(test.texts))).predictions
    read = len(train) * settings.epochs
    return {"method": "Trainer", "learning_rate": rate, **row(logits, gold, seconds, read)}


def parts(path: Path, train: int, test: int) -> tuple[Corpus, Corpus]:
    """Passages to train on and to judge on; no group is on both sides."""
    corpus = Corpus.read(path)
    groups = np.random.default_rng(0).permutation(sorted(set(corpus.groups))).tolist()
    held_out = set(groups[: len(groups) // 3])
    shuffled = Corpus([corpus[i] for i in np.random.default_rng(1).permutation(len(corpus)).tolist()], corpus.schema)
    return (
        shuffled.filter(lambda passage: passage.group not in held_out)[:train],
        shuffled.filter(lambda passage: passage.group in held_out)[:test],
    )


def main() -> None:
    """Take turns, print a table, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "training" / "data" / "passages.jsonl")
    parser.add_argument("--train", type=int, default=800, help="passages to train on")
    parser.add_argument("--test", type=int, default=600, help="passages to judge on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1, help="how often the two take turns")
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-4], help="learning rates of the Trainer")
    parser.add_argument("--threads", type=int, help="of torch; by default all cores")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    where = machine()
    recipe = Recipe.from_toml(ROOT / "training" / "recipes" / "minilm-en.toml").with_options(
        # An average of the weights over so few steps would hold the first ones.
        {"training.epochs": options.epochs, "training.patience": options.epochs, "training.average": 0.0}
    )
    train, test = parts(options.data, options.train, options.test)
    rows: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        rows.append(ours(recipe, train, test))
        rows += [plain(recipe, train, test, rate) for rate in options.rates]
    mine, theirs = (
        median(found["passages_a_second"] for found in rows if found["method"] == name)
        for name in ("fimi-nlp", "Trainer")
    )
    ratio = round(mine / theirs, 2)
    print("| method | learning rate | passages/s | average precision | F1 at 0.5 |\n|---|---|---|---|---|")
    for found in rows:
        print(
            f"| {found['method']} | {found.get('learning_rate', recipe.training.learning_rate):g} |"
            f" {found['passages_a_second']:.1f} | {found['average_precision']:.3f} | {found['f1']:.3f} |"
        )
    print(f"ratio of the medians: {ratio}")
    if options.out:
        record = {
            "benchmark": "training_speed",
            "date": date.today().isoformat(),
            "threads": torch.get_num_threads(),
            "machine": where,
            "train": len(train),
            "test": len(test),
            "epochs": options.epochs,
            "rows": rows,
            "ratio": ratio,
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
