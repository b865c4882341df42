"""What adding a label costs the old ones: with a teacher, and without.

    python training/add_label.py --data PASSAGES.jsonl --new western_hypocrisy --passages 1200 --epochs 4

Three networks of 1200 passages and 4 epochs: about twenty minutes of one core. `--passages 300 --epochs 2`
takes a few minutes, and is too short to learn.

One narrative is taken for the new label. A first network learns the others from one part of the training groups. A
second one learns the new label from another part, in which nobody has looked for the old ones; once from the labels
alone, and once with the first network as its teacher. All are judged on a split that none of them has seen, where all
the labels are known; calibration and thresholds come from the dev split, whose labels are hidden in the same way.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.data import Corpus, Passage
from fimi_nlp.training import Recipe, write_answers
from fimi_nlp.training.experiments import logits_of
from fimi_nlp.training.fitting import Fitted, fit
from fimi_nlp.training.judging import Judge

if TYPE_CHECKING:
    from fimi_nlp.evaluation import Report
    from fimi_nlp.schema import LabelSchema

RECIPE = Path(__file__).parent / "recipes" / "minilm-en.toml"


def without(schema: LabelSchema, label: str) -> LabelSchema:
    """The schema without one narrative."""
    return dataclasses.replace(schema, narratives=tuple(n for n in schema.narratives if n.label != label))


def old_labels(corpus: Corpus, new: str) -> Corpus:
    """Passages as they were labelled before there was the new label."""

    def hide(passage: Passage) -> Passage:
        kept = {label: sub for label, sub in (passage.narratives or {}).items() if label != new}
        stance = passage.stance if kept else "none"
        return dataclasses.replace(passage, narratives=kept, stance=stance, unsure=passage.unsure - {new})

    return Corpus(map(hide, corpus), without(corpus.schema, new))


def new_label(corpus: Corpus, new: str) -> Corpus:
    """Passages in which somebody has looked for the new label only."""
    unknown = frozenset(label for label in corpus.schema.narrative_labels if label != new)

    def hide(passage: Passage) -> Passage:
        kept = {label: sub for label, sub in (passage.narratives or {}).items() if label == new}
        return dataclasses.replace(
            passage, narratives=kept, not_annotated=unknown, unsure=passage.unsure & {new}, stance=None, origin=None
        )

    return Corpus(map(hide, corpus), corpus.schema)


def draws(corpus: Corpus, passages: int, count: int, seed: int) -> list[Corpus]:
    """Some draws of about so many passages each that share no group."""
    sizes = Counter(corpus.groups)
    groups = np.random.default_rng(seed).permutation(sorted(sizes))
    # A group goes to the draw that is open when its turn comes; what is left over stays out.
    number = np.cumsum([sizes[group] for group in groups]) // passages
    home = dict(zip(groups.tolist(), number.tolist(), strict=True))
    return [corpus.filter(lambda passage, i=i: home[passage.group] == i) for i in range(count)]


def figures(report: Report) -> dict[str, tuple[float, float]]:
    """Average precision and F1 of every narrative."""
    return {
        row.label: (round(float(row.average_precision.value), 2), round(float(row.f1.value), 2))
        for row in report.labels
    }


def main(arguments: list[str] | None = None) -> None:
    """Train the three networks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="corpus files with splits train, dev and --report")
    parser.add_argument("--new", required=True, help="the narrative that is taken for the new one")
    parser.add_argument("--report", default="dev_new_sources", help="split to judge on")
    parser.add_argument("--passages", type=int, default=1200, help="in each part of the training data")
    parser.add_argument("--judged", type=int, default=1200, help="passages of dev, and of --report")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--weight", type=float, default=1.0, help="of the loss towards the teacher")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="of all three networks")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args(arguments)
    corpus = Corpus.read(options.data)
    first, second = draws(corpus.filter(split="train"), options.passages, 2, options.seed)
    dev, report = (
        draws(corpus.filter(split=split), options.judged, 1, options.seed)[0] for split in ("dev", options.report)
    )
    recipe = Recipe.from_toml(options.recipe).with_options(
        {"training.seeds": 1, "training.seed": options.seed, "training.epochs": options.epochs}
    )
    with tempfile.TemporaryDirectory() as scratch:

        def run(name: str, plan: Recipe, train: Corpus, part: Corpus) -> tuple[Fitted, Judge]:
            folder = Path(scratch) / name
            fitted = fit(plan, train, part, folder, fingerprint=train.fingerprint, progress=False)
            return fitted, Judge(logits_of(fitted, part.texts, plan), part, teacher=fitted.teacher)

        old, judge = run("old", recipe, old_labels(first, options.new), old_labels(dev, options.new))
        found = judge.report(logits_of(old, report.texts, recipe), old_labels(report, options.new))
        rows = {"before": figures(found)}
        asked = Corpus([*second, *dev], corpus.schema)
        answers = Path(scratch) / "old.npz"
        ids = [passage.id for passage in asked]
        write_answers(answers, ids, judge.schema, judge.probabilities(logits_of(old, asked.texts, recipe)))
        taught = recipe.with_options({"distil.teacher": [str(answers)], "distil.weight": options.weight})
        for name, plan in (("labels alone", recipe), ("with teacher", taught)):
            fitted, judge = run(name, plan, new_label(second, options.new), new_label(dev, options.new))
            found = judge.report(logits_of(fitted, report.texts, plan), report)
            rows[name] = figures(found)
    print(f"{len(first)} passages with the old labels, {len(second)} with '{options.new}' alone.")
    print(f"Judged on {len(report)} passages of {options.report}: average precision / F1\n")
    labels = corpus.schema.narrative_labels
    print("| | " + " | ".join(labels) + " |\n|---" + "|---" * len(labels) + "|")
    for name, row in rows.items():
        cells = [f"{row[label][0]:.2f} / {row[label][1]:.2f}" if label in row else "" for label in labels]
        print(f"| {name} | " + " | ".join(cells) + " |")
    if options.out:
        asked_for = {key: str(value) for key, value in vars(options).items() if key not in {"data", "out", "recipe"}}
        record = {"benchmark": "add_label", **asked_for, "judged_on": len(report), "average_precision_and_f1": rows}
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
