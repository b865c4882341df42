"""How good a head of your own is with 8 to 64 examples a label, against TF-IDF with logistic regression.

    python benchmarks/head_learning_curve.py
    python benchmarks/head_learning_curve.py --corpus mine.jsonl --label-column topic

Tasks on the passages that come with the repository. ``topic`` (the twelve commonest), ``register`` (headline, speech,
...) and ``voice`` (whose voice a passage imitates) are labels that the bundled encoder was never trained on. ``stance``
and ``narratives`` are those that it was trained on, on these very passages: these curves are an upper bound, and say
nothing about new texts. No group of passages stands on both sides of a split. Examples are drawn anew in every
repetition; the test side stays.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import time
import warnings
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import label_binarize

import fimi_nlp as fn
from fimi_nlp.benchmark.run import machine
from fimi_nlp.evaluation.baseline import C, vectorizer
from fimi_nlp.integrations.sklearn import NarrativeClassifier, NarrativeEmbedder
from fimi_nlp.records import BadRecord, read_records

if TYPE_CHECKING:
    import numpy.typing as npt

ROOT = Path(__file__).parent.parent
SIZES = (8, 16, 32, 64)
#: Of a column with more classes, the commonest are taken.
MOST = 12


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
        common = {label for label, _ in collections.Counter(labels).most_common(MOST)}
        rows = [row for row in rows if row[column] in common]
        y = np.array([row[column] for row in rows], dtype=str)
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


def score(y: npt.NDArray[Any], p: npt.NDArray[Any], classes: Any) -> dict[str, float]:
    """Macro-F1 and macro average precision."""
    if y.ndim == 2:
        gold, predicted = y, (p >= 0.5).astype(int)
    else:
        gold, predicted = label_binarize(y, classes=classes), np.eye(len(classes), dtype=int)[p.argmax(axis=1)]
    return {
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
        "macro_average_precision": float(average_precision_score(gold, p, average="macro")),
    }


def sample(task: Task, most: int) -> Task:
    """At most so many texts of a task, whole groups of them."""
    order = np.random.default_rng(0).permutation(np.unique(task.groups))
    place = {group: rank for rank, group in enumerate(order)}
    rows = np.sort(np.argsort([place[group] for group in task.groups], kind="stable")[:most])
    return task._replace(texts=task.texts[rows], y=task.y[rows], groups=task.groups[rows])


def curve(task: Task, features: npt.NDArray[Any], words: Any, width: int, repeats: int) -> dict[str, Any]:
    """The curve of a task; the first `width` features are the embedding, the others the tagger's scores.

    What `NarrativeClassifier` makes of texts by itself is computed once, and its features given as columns.
    """
    train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(task.texts, groups=task.groups))
    embedding, rows_of_all = features[:, :width], np.arange(len(task.texts))
    both = sparse.hstack([embedding, words]).tocsr()
    models: dict[str, tuple[Any, Any]] = {
        "embedding": (NarrativeClassifier(), embedding),
        "embedding+words": (Columns(), both),
        "words": (Columns(), words),
        "embedding and scores": (NarrativeClassifier(), features),
        "TF-IDF": (Words(task.texts, None), rows_of_all),
        "embedding and TF-IDF": (Words(task.texts, embedding), rows_of_all),
    }
    points = []
    for size, (name, (model, table)) in itertools.product(SIZES, models.items()):
        found, fit = [], []
        for repeat in range(repeats):
            rows = train[draw(task.y[train], size, np.random.default_rng(repeat))]
            started = time.perf_counter()
            fitted = clone(model, safe=False).fit(table[rows], task.y[rows])
            fit.append(time.perf_counter() - started)
            found.append(score(task.y[test], fitted.predict_proba(table[test]), fitted.classes_))
        point: dict[str, Any] = {
            "model": name,
            "examples_per_label": size,
            "fit_seconds": round(float(np.mean(fit)), 3),
        }
        for key in found[0]:
            values = [entry[key] for entry in found]
            point[key] = {"mean": round(float(np.mean(values)), 4), "sd": round(float(np.std(values, ddof=1)), 4)}
        points.append(point)
    share = float(np.mean(task.y)) if task.y.ndim == 2 else 1 / len(np.unique(task.y))
    labels = int(task.y.shape[1] if task.y.ndim == 2 else len(np.unique(task.y)))
    sizes = {"labels": labels, "train": len(train), "test": len(test), "chance_average_precision": round(share, 4)}
    return {"task": task.name, "note": task.note, **sizes, "points": points}


class Columns(OneVsRestClassifier):  # type: ignore[misc]
    """The head of `NarrativeClassifier` on sparse columns: multinomial for classes, one by one for labels."""

    def __init__(self) -> None:
        super().__init__(LogisticRegression(C=NarrativeClassifier().C, max_iter=NarrativeClassifier().max_iter))

    def __deepcopy__(self, memo: object) -> Columns:
        return Columns()

    def fit(self, table: Any, y: npt.NDArray[Any]) -> Any:
        return super().fit(table, y) if y.ndim == 2 else clone(self.estimator).fit(table, y)


class Words:
    """TF-IDF with logistic regression on rows of `texts`, beside features where they are given."""

    def __init__(self, texts: npt.NDArray[np.object_], beside: npt.NDArray[Any] | None) -> None:
        self.texts, self.beside = texts, beside

    def __deepcopy__(self, memo: object) -> Words:
        return Words(self.texts, self.beside)

    def fit(self, rows: npt.NDArray[np.intp], y: npt.NDArray[Any]) -> Words:
        self.vectorizer = vectorizer().fit(self.texts[rows])
        self.model = OneVsRestClassifier(LogisticRegression(C=C, max_iter=1000)).fit(self.features(rows), y)
        self.classes_ = self.model.classes_
        return self

    def features(self, rows: npt.NDArray[np.intp]) -> Any:
        words = self.vectorizer.transform(self.texts[rows])
        return words if self.beside is None else sparse.hstack([words, self.beside[rows]]).tocsr()

    def predict_proba(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        return np.asarray(self.model.predict_proba(self.features(rows)))


def show(result: dict[str, Any]) -> None:
    """Print a curve as a table."""
    print(f"\n{result['task']}: {result['labels']} labels, {result['test']} test passages. {result['note']}")
    sizes = sorted({point["examples_per_label"] for point in result["points"]})
    print(f"{'macro-F1 (average precision)':30}" + "".join(f"{size:>18}" for size in sizes))
    for name in dict.fromkeys(point["model"] for point in result["points"]):
        points = {p["examples_per_label"]: p for p in result["points"] if p["model"] == name}
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
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--texts", type=int, default=10_000, help="at most so many of each task")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/head_learning_curve.json")
    args = parser.parse_args()

    where = machine()
    tagger = fn.load(args.model)
    columns = args.text_column, args.group_column
    if args.corpus:
        tasks = [read_task(args.corpus, args.label_column, *columns, "")]
    else:
        path, new = ROOT / "training/data/passages.jsonl", "Labels that the encoder was never trained on."
        known = "The encoder was trained on these labels of these passages: an upper bound."
        notes = {"topic": new, "register": new, "voice": new, "stance": known, "narratives": known}
        tasks = [read_task(path, column, *columns, note) for column, note in notes.items()]
    tasks = [sample(task, args.texts) for task in tasks]
    texts = list(dict.fromkeys(text for task in tasks for text in task.texts))
    started = time.perf_counter()
    features = NarrativeEmbedder(tagger, features="both").transform(texts)
    seconds = round(time.perf_counter() - started, 1)
    words = NarrativeEmbedder(tagger, features="words").transform(texts)
    place = {text: row for row, text in enumerate(texts)}
    results = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Label .* is 0 in every")
        for task in tasks:
            rows = [place[text] for text in task.texts]
            results.append(curve(task, features[rows], words[rows], tagger.embed([]).shape[1], args.repeats))
            show(results[-1])
    record = {
        "benchmark": "head_learning_curve",
        "date": date.today().isoformat(),
        "model": tagger.bundle.name,
        "repeats": args.repeats,
        "machine": where,
        "texts": len(texts),
        "seconds_to_embed_and_score": seconds,
        "tasks": results,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"\nWritten to {args.out}")


if __name__ == "__main__":
    main()
