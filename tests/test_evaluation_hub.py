"""The metric in the library `evaluate`, itself, offline."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from fimi_nlp.evaluation import metric_path

hub = pytest.importorskip("evaluate")
LABELS = ["us_democracy", "nato_alliances", "multipolarity", "western_hypocrisy"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any look at the network fails."""
    import socket

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def metric() -> Any:
    return hub.load(metric_path())


def test_agrees_with_scikit_learn_in_every_form(metric: Any) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    gold, named = (rng.random((50, 4)) < 0.3 for _ in range(2))
    names = [[[LABELS[j] for j in np.flatnonzero(row)] for row in table] for table in (named, gold)]
    found = metric.compute(predictions=names[0], references=names[1])
    flags = metric.compute(predictions=named.astype(int).tolist(), references=gold.astype(int).tolist())
    assert found == flags
    for average in ("macro", "micro"):
        assert found[f"{average}_f1"] == pytest.approx(sk.f1_score(gold, named, average=average))
        assert found[f"{average}_precision"] == pytest.approx(sk.precision_score(gold, named, average=average))
    assert found["samples_f1"] == pytest.approx(sk.f1_score(gold, named, average="samples", zero_division=1.0))
    assert found["subset_accuracy"] == pytest.approx(sk.accuracy_score(gold, named))
    assert found["false_positive_rate"] == pytest.approx(named[~gold.any(axis=1)].any(axis=1).mean())
    assert [found[f"f1_{label}"] for label in LABELS] == pytest.approx(sk.f1_score(gold, named, average=None).tolist())


def test_labels_come_from_the_list(metric: Any) -> None:
    found = metric.compute(predictions=[["b"], ["a"]], references=[["a"], ["a"]], labels=["a", "b", "c"])
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)  # b is false, c is nowhere
    assert found["labels_left_out"] == 1
    assert math.isnan(found["f1_c"])
    with pytest.raises(Exception, match=r"unknown label 'nato_aliances'.*Did you mean"):
        metric.compute(predictions=[["nato_aliances"]], references=[[]])
    with pytest.raises(Exception, match="2 values for 4 labels"):
        metric.compute(predictions=[[0, 1]], references=[[0, 1]])


def test_one_label_a_text(metric: Any) -> None:
    found = metric.compute(predictions=[1, 9, 0, -1], references=[1, 9, 1, 1])
    assert (found["micro_precision"], found["micro_recall"]) == pytest.approx((1 / 2, 1 / 3))
    assert found["false_positive_rate"] == 0.0


def test_batches(metric: Any) -> None:
    whole = metric.compute(predictions=[[], ["multipolarity"], []], references=[[], ["multipolarity"], [LABELS[0]]])
    metric.add(prediction=[], reference=[])
    metric.add_batch(predictions=[["multipolarity"], []], references=[["multipolarity"], [LABELS[0]]])
    assert metric.compute() == pytest.approx(whole, nan_ok=True)


def test_the_example_of_the_description_runs(metric: Any) -> None:
    import doctest

    text = metric.inputs_description.replace("PATH/fimi_narratives", metric_path())
    test = doctest.DocTestParser().get_doctest(text, {}, "description", None, None)
    assert len(test.examples) == 4
    assert doctest.DocTestRunner().run(test).failed == 0


def test_combine(metric: Any) -> None:
    both = hub.combine({"all": metric, "again": metric_path()}, force_prefix=True)
    found = both.compute(predictions=[["a"], []], references=[["a"], ["a"]], labels=["a"])
    assert found["all_macro_f1"] == found["again_macro_f1"] == pytest.approx(2 / 3)
    other = Path(hub.__file__).parent  # nothing else of the library lies on the disk: its own metrics are downloaded
    assert not list(other.rglob("f1.py"))


def test_the_evaluator_takes_a_transformers_model(metric: Any, tmp_path: Path) -> None:
    """A model that chooses one label a text: `label_mapping` gives the place of the label in the list."""
    datasets = pytest.importorskip("datasets")
    transformers = pytest.importorskip("transformers")
    folder = tiny.write_encoder(tmp_path / "bert")
    names = dict(enumerate([*LABELS, "none"]))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=5, id2label=names, label2id={name: i for i, name in names.items()}
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [row["text"] for row in tiny.passages()[:12]]
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    said = [item["label"] for item in pipe(texts)]
    data = datasets.Dataset.from_dict({"text": texts, "label": [LABELS.index(s) if s in LABELS else -1 for s in said]})
    found = hub.evaluator("text-classification").compute(
        model, data, metric=metric, tokenizer=tokenizer, label_mapping={name: i for i, name in names.items()}
    )
    assert found["subset_accuracy"] == 1.0
    assert found["samples_per_second"] > 0


def test_the_evaluator_and_several_labels_a_text(metric: Any) -> None:
    """What it calls may give a list as the ``label``: where the library's own check lets such a callable through."""
    datasets = pytest.importorskip("datasets")

    class Callable:
        task = "text-classification"

        def __call__(self, pairs: Any, **options: Any) -> list[dict[str, Any]]:
            return [{"label": LABELS[1:3] if "NATO" in pair["text"] else [], "score": 1.0} for pair in pairs]

    data = datasets.Dataset.from_dict({"text": ["NATO one", "No."], "label": [LABELS[1:2], []]})
    try:
        found = hub.evaluator("text-classification").compute(Callable(), data, metric=metric)
    except AttributeError as error:
        assert "TFPreTrainedModel" in str(error)
        pytest.xfail("evaluate 0.4.6 asks transformers for a class that transformers 5 has not")
    assert (found["micro_precision"], found["micro_recall"]) == (0.5, 1.0)


def test_every_import_is_one_that_the_library_can_read() -> None:
    from evaluate.loading import get_imports

    found = get_imports(str(Path(metric_path()) / "fimi_narratives.py"))
    assert {name for kind, name, *_ in found if kind == "library"} <= {
        "__future__", "typing", "datasets", "evaluate", "numpy", "fimi_nlp",
    }  # fmt: skip
    assert all(kind == "library" for kind, *_ in found)
