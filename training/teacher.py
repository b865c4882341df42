"""Ask trained networks about passages, and write the mean of their answers as soft targets.

    python training/teacher.py --dev PASSAGES.jsonl --texts UNLABELLED.jsonl --out TEACHER.npz RUN [RUN ...]

RUN is the folder of a training run (with ``best.safetensors``), made with --recipe; RUN=2 counts twice. The mean is
taken of the encoders' logits and calibrated on the dev split, whose answers are written as well. Pass the file on with
``fimi-nlp train --set 'distil.teacher=["TEACHER.npz"]'``. Ask networks about passages that they were not trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from fimi_nlp.data import Corpus
from fimi_nlp.training import Recipe, write_answers
from fimi_nlp.training.batches import encode
from fimi_nlp.training.encoders import load_encoder
from fimi_nlp.training.fitting import build_model, head_sizes
from fimi_nlp.training.judging import Judge
from fimi_nlp.training.loop import predict


def mean_logits(recipe: Recipe, runs: list[str], corpus: Corpus) -> npt.NDArray[np.float64]:
    """Weighted mean of the networks' logits, shape (n, outputs)."""
    base = load_encoder(recipe.model.encoder, recipe.model.revision)
    model = build_model(base, head_sizes(corpus.schema), recipe)
    encoded = encode(corpus.texts, base, recipe.training.max_tokens)
    total, weights = np.zeros((len(corpus), head_sizes(corpus.schema).total)), 0.0
    for run in runs:
        folder, _, weight = run.partition("=")
        model.load_state_dict(load_file(Path(folder) / "best.safetensors"))
        model.eval()
        share = float(weight or 1)
        total += share * predict(model, encoded.ids, base.pad)
        weights += share
    return total / weights


def main() -> None:
    """Ask, calibrate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parent / "recipes" / "minilm-en.toml")
    parser.add_argument("--dev", required=True, help="Corpus whose dev split calibrates the answers.")
    parser.add_argument("--texts", required=True, help="Passages to ask about; labels in them count for nothing.")
    parser.add_argument("--out", required=True, type=Path, help=".npz or .parquet")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = Recipe.from_toml(arguments.recipe)
    corpus = Corpus.read(arguments.dev)
    dev = corpus.filter(split=recipe.data.dev)
    texts = Corpus.read(arguments.texts, schema=corpus.schema)
    dev_logits = mean_logits(recipe, arguments.runs, dev).astype(np.float32)
    judge = Judge(dev_logits, dev)
    logits = mean_logits(recipe, arguments.runs, texts).astype(np.float32)
    answers = [judge.probabilities(part) for part in (dev_logits, logits)]
    ids = [passage.id for part in (dev, texts) for passage in part]
    write_answers(arguments.out, ids, corpus.schema, np.concatenate(answers))
    print(f"{arguments.out}: answers for {len(texts)} passages and {len(dev)} of dev.")


if __name__ == "__main__":
    main()
