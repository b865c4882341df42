"""How good a head of your own is with 8 to 64 examples a label, against TF-IDF with logistic regression.

    python benchmarks/head_learning_curve.py
    python benchmarks/head_learning_curve.py --corpus mine.jsonl --label-column topic

Three tasks of the passages that come with the repository. ``voice`` (whose voice a passage imitates) and ``register``
(headline, speech, ...) are labels that the bundled encoder was never trained on. ``narratives`` are those that it was
trained on, on these very passages: that curve is an upper bound and says nothing about new texts. No group of passages
stands on both sides of the split. Examples are drawn anew in every repetition; the test side stays.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import label_binarize

import fimi_nlp as fn
from fimi_nlp.evaluation.baseline import C, vectorizer
from fimi_nlp.integrations.sklearn import NarrativeClassifier, NarrativeEmbedder
from fimi_nlp.records import BadRecord, read_records

if TYPE_CHECKING:
    import numpy.typing as npt

ROOT = Path(__file__).parent.parent
SIZES = (8, 16, 32, 64)


class Task(NamedTuple):
    """Texts with one column of classes (n,) or a matrix of labels (n, L)."""

    name: str
    texts: npt.NDArray[np.object_]
    y: npt.NDArray[Any]
    groups: npt.NDArray[np.object_]
    note: str


def read_task(path: Path, column: str, text_column: str, group_column: str, note: str) -> Task:
    """A task from a file that `fimi-nlp` reads; rows without a label are left out."""
    records = [record for record in read_records(path, text_column=text_column) if not isinstance(record, BadRecord)]
    rows = [record.data for record in records if record.data.get(column) is not None]
    if not rows:
        raise SystemExit(f"{path}: no record has a value in column '{column}'.")
    labels = [row[column] for row in rows]
    if isinstance(labels[0], dict):
        names = sorted({name for label in labels for name in label})
        y = np.array([[int(name in label) for name in names] for label in labels])
    else:
        y = np.array(labels, dtype=str)
    texts = np.array([row[text_column] for row in rows], dtype=object)
    groups = np.array([row.get(group_column) or str(i) for i, row in enumerate(rows)], dtype=object)
    return Task(column, texts, y, groups, note)


def draw(y: npt.NDArray[Any], size: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """`size` rows of each class; for a matrix, of each label and of the rows without any."""
    if y.ndim == 1:
        pools = [np.flatnonzero(y == value) for value in np.unique(y)]
    else:
        pools = [np.flatnonzero(column) for column in y.T] + [np.flatnonzero(~y.any(axis=1))]
    return np.unique(np.concatenate([rng.choice(pool, min(size, len(pool)), replace=False) for pool in pools]))


def score(y: npt.NDArray[Any], predicted: npt.NDArray[Any], p: npt.NDArray[Any], classes: Any) -> dict[str, float]:
    """Macro-F1 and macro average precision."""
    gold = y if y.ndim == 2 else label_binarize(y, classes=classes)
    return {
        "macro_f1": float(f1_score(y, predicted, average="macro", zero_division=0)),
        "macro_average_precision": float(average_precision_score(gold, p, average="macro")),
    }


def run(task: Task, tagger: fn.Tagger, sizes: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """The curve of a task."""
    train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(task.texts, groups=task.groups))
    started = time.perf_counter()
    both = NarrativeEmbedder(tagger, features="both").transform(task.texts)
    seconds = time.perf_counter() - started
    width = tagger.embed([]).shape[1]
    logistic = LogisticRegression(C=C, max_iter=1000)
    models: dict[str, tuple[Any, Any]] = {
        "embedding": (NarrativeClassifier(tagger), both[:, :width]),
        "embedding, calibrated": (NarrativeClassifier(tagger, calibration="sigmoid"), both[:, :width]),
        "embedding and scores": (NarrativeClassifier(tagger), both),
        "TF-IDF": (make_pipeline(vectorizer(), OneVsRestClassifier(logistic)), task.texts),
    }
    curve = []
    for size in sizes:
        for name, (model, features) in models.items():
            found, fit = [], []
            for repeat in range(repeats):
                rows = train[draw(task.y[train], size, np.random.default_rng(repeat))]
                started = time.perf_counter()
                fitted = clone(model).fit(features[rows], task.y[rows])
                fit.append(time.perf_counter() - started)
                predicted, p = fitted.predict(features[test]), fitted.predict_proba(features[test])
                found.append(score(task.y[test], predicted, p, fitted.classes_))
            point: dict[str, Any] = {"model": name, "examples_per_label": size, "fit_seconds": float(np.mean(fit))}
            for key in found[0]:
                values = [entry[key] for entry in found]
                point[key] = {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))}
            curve.append(point)
    share = float(np.mean(task.y)) if task.y.ndim == 2 else 1 / len(np.unique(task.y))
    return {
        "task": task.name,
        "note": task.note,
        "labels": int(task.y.shape[1] if task.y.ndim == 2 else len(np.unique(task.y))),
        "train": len(train),
        "test": len(test),
        "chance_average_precision": share,
        "embed_and_score_seconds": seconds,
        "curve": curve,
    }


def show(result: dict[str, Any]) -> None:
    """Print a curve as a table."""
    print(f"\n{result['task']}: {result['labels']} labels, {result['test']} test passages. {result['note']}")
    sizes = sorted({point["examples_per_label"] for point in result["curve"]})
    print(f"{'macro-F1 (average precision)':30}" + "".join(f"{size:>18}" for size in sizes))
    for name in dict.fromkeys(point["model"] for point in result["curve"]):
        points = {p["examples_per_label"]: p for p in result["curve"] if p["model"] == name}
        cells = (f"{p['macro_f1']['mean']:.3f} ({p['macro_average_precision']['mean']:.3f})" for p in points.values())
        print(f"{name:30}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> None:
    """Run the tasks, print the tables, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a corpus of your own (.jsonl, .csv, .parquet)")
    parser.add_argument("--label-column", default="narratives", help="its labels: a class, or a mapping of labels")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--group-column", default="group")
    parser.add_argument("--model", help="a bundle's folder or Hub id; by default the bundled model")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/head_learning_curve.json")
    args = parser.parse_args()

    tagger = fn.load(args.model)
    columns = args.text_column, args.group_column
    if args.corpus:
        tasks = [read_task(args.corpus, args.label_column, *columns, "")]
    else:
        path, new = ROOT / "training/data/passages.jsonl", "Labels that the encoder was never trained on."
        known = "The encoder was trained on these labels of these passages: an upper bound."
        notes = {"voice": new, "register": new, "narratives": known}
        tasks = [read_task(path, column, *columns, note) for column, note in notes.items()]
    results = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Label .* is 0 in every")
        for task in tasks:
            results.append(run(task, tagger, SIZES, args.repeats))
            show(results[-1])
    record = {
        "benchmark": "head_learning_curve",
        "date": date.today().isoformat(),
        "model": tagger.bundle.name,
        "python": platform.python_version(),
        "repeats": args.repeats,
        "tasks": results,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"\nWritten to {args.out}")


if __name__ == "__main__":
    main()
