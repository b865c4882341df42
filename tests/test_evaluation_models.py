"""Models of all kinds are evaluated: functions, pipelines, scikit-learn models, files of predictions."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.batch import tag_file
from fimi_nlp.data import Corpus
from fimi_nlp.errors import InputError, InputTypeError, SchemaError
from fimi_nlp.evaluation import evaluate, predict
from fimi_nlp.schema import Label, LabelSchema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = LabelSchema("weather", (Label("rain"), Label("sun")), stances=(Label("asserts"),), origins=(Label("coast"),))
CORPUS = Corpus.read(
    [
        {"id": "a", "text": "Rain all day.", "narratives": ["rain"], "stance": "asserts", "origin": "coast"},
        {"id": "b", "text": "Sun and rain in turns.", "narratives": ["rain", "sun"], "stance": "asserts"},
        {"id": "c", "text": "The ferry leaves at noon.", "narratives": []},
    ],
    schema=SCHEMA,
)
NAMED = [[True, False], [True, True], [False, False]]
P = [{"rain": 0.9, "sun": 0.2}, {"rain": 0.6, "sun": 0.7}, {"rain": 0.1, "sun": 0.4}]


# --- functions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers",
    [
        P,
        [[{"label": label, "score": p} for label, p in row.items()] for row in P],
        np.array([list(row.values()) for row in P]),
        [list(row.values()) for row in P],
        [np.array(list(row.values())) for row in P],
    ],
    ids=["mappings", "labels and scores", "array", "lists", "rows"],
)
def test_probabilities(answers: Any) -> None:
    said = predict(lambda texts: answers, CORPUS)
    assert said.named.tolist() == NAMED
    assert said.probabilities.tolist() == [list(row.values()) for row in P]
    # As if narratives were independent: those named are there; with none named, there is none.
    assert said.confidence.tolist() == pytest.approx([0.9, 0.6 * 0.7, 0.9 * 0.6])
    assert said.thresholds.tolist() == [0.5, 0.5]
    assert predict(lambda texts: answers, CORPUS, threshold=0.65).named[1].tolist() == [False, True]


@pytest.mark.parametrize(
    "answers",
    [
        ["rain", ["sun", "rain"], []],
        ["rain", {"sun", "rain"}, None],
        np.array(NAMED),
        np.array(NAMED, dtype=int),
        iter([["rain"], ("rain", "sun"), ()]),
    ],
    ids=["labels", "sets", "booleans", "integers", "iterator"],
)
def test_labels_without_probabilities(answers: Any) -> None:
    report = evaluate(lambda texts: answers, CORPUS)
    assert report.macro_f1 == 1.0
    scores = report.narratives
    assert all(math.isnan(value) for value in (scores.macro_average_precision.value, scores.macro_ece))
    assert (report.confidence.n, report.curves.thresholds, report.curves.reliability) == (0, (), ())
    # A model that does not answer a question is not scored on it.
    assert (report.stance, report.origin, report.subs) == (None, None, None)


def test_functions_get_texts_alone_and_give_tags() -> None:
    seen: list[Any] = []

    def model(texts: list[str]) -> list[fn.Tag]:
        seen.extend(texts)
        return [fn.Tag(scores={"rain": 0.1, "sun": 0.1}, confidence=0.4, windows=1, model="mine@1") for _ in texts]

    said = predict(model, CORPUS)
    assert seen == CORPUS.texts
    assert (said.model, said.confidence.tolist()) == ("mine@1", [0.4] * 3)
    silent: Callable[[list[str]], Any] = lambda texts: [[] for _ in texts]  # noqa: E731 - its name is what is tested
    assert evaluate(silent, CORPUS).model == "<lambda>"
    assert evaluate(silent, CORPUS, name="silent").model == "silent"


def test_own_labels_are_mapped() -> None:
    answers = [{"LABEL_0": 0.9, "wet": 0.2, "none": 0.0}] * 3
    meaning = {"LABEL_0": "sun", "wet": "rain", "none": None}
    said = predict(lambda texts: answers, CORPUS, labels=meaning)
    assert said.probabilities[0].tolist() == [0.2, 0.9]
    assert predict(lambda texts: [1, 0, 1], CORPUS, labels={0: None, 1: "sun"}).named[:, 1].tolist() == [1, 0, 1]
    with pytest.raises(SchemaError, match=r"'LABEL_0'.*labels=\{"):
        predict(lambda texts: answers, CORPUS)


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        (["rain"], InputError, "1 answers for 3 texts"),
        ("rain", InputTypeError, "gave a str for the list of texts"),
        ([{"rain": 3.2, "sun": 0.1}] * 3, InputError, "'rain' is 3.2, which is no probability"),
        ([{"rain": "much", "sun": 0.1}] * 3, InputError, "no probability"),
        ([{"rain": math.nan, "sun": 0.1}] * 3, InputError, "no probability"),
        ([{"rain": 0.5}, {"rain": 0.5, "sun": 0.1}, {}], SchemaError, "'sun' in some answers, and none in others"),
        ([{"rain": 0.5, "snow": 0.1}] * 3, SchemaError, r"'snow'.*labels=\{'snow': None\}"),
        ([{"label": "rain", "score": 0.5}] * 3, InputTypeError, "the score of one label alone"),
        ([["rein"]] * 3, SchemaError, "Did you mean 'rain'"),
        (np.zeros((3, 5)), InputError, r"5 columns for 2 narratives.*rain, sun"),
        ([object()] * 3, InputTypeError, "cannot be read"),
    ],
)
def test_answers_that_do_not_fit(answers: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        predict(lambda texts: answers, CORPUS)


def test_a_narrative_that_the_model_does_not_know_is_never_named() -> None:
    report = evaluate(lambda texts: [{"rain": row["rain"]} for row in P], CORPUS)
    rain, sun = report.labels
    assert (rain.f1.value, sun.recall.value, sun.predicted) == (1.0, 0.0, 0)
    assert sun.average_precision.value == pytest.approx(1 / 3)  # as good as its share of the passages
    assert report.macro_f1 == 0.5


@pytest.mark.parametrize("answers", [["none", "rain", ["None"]], [{"none": 0.1, "rain": 0.1, "sun": 0.1}] * 3])
def test_none_is_no_narrative(answers: Any) -> None:
    assert predict(lambda texts: answers, CORPUS).named.sum() == ("rain" in answers)


@pytest.mark.parametrize("flag", [bool, int, np.int64], ids=["bool", "int", "numpy"])
def test_lists_may_say_of_each_narrative_whether_it_is_named(flag: Any) -> None:
    answers = [[flag(value) for value in row] for row in NAMED]
    assert predict(lambda texts: answers, CORPUS).named.tolist() == NAMED


def test_columns_have_the_names_that_the_model_or_the_caller_gives() -> None:
    pandas = pytest.importorskip("pandas")
    backwards = np.array(NAMED)[:, ::-1]
    frame = pandas.DataFrame(backwards, columns=["sun", "rain"])
    assert predict(lambda texts: frame, CORPUS).named.tolist() == NAMED
    assert predict(lambda texts: backwards, CORPUS, labels=("sun", "rain")).named.tolist() == NAMED
    some = predict(lambda texts: backwards[:, 1:], CORPUS, labels=["rain"]).named
    assert some.tolist() == [[True, False], [True, False], [False, False]]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": {"wet": "rein"}}, SchemaError, "'rein'.*Did you mean 'rain'"),
        ({"labels": "rain"}, InputTypeError, "labels is a str"),
        ({"threshold": 50}, InputError, "threshold is 50.*such as 0.5"),
    ],
)
def test_options_that_do_not_fit(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        predict(lambda texts: P, CORPUS, **options)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputTypeError, match="A int is no model"):
        predict(3, CORPUS)
    for path in (str(tmp_path), "default"):
        with pytest.raises(InputError, match=r"is no file of predictions.*fn\.load\("):
            predict(path, CORPUS)


# --- scikit-learn ----------------------------------------------------------------------------------------------------


def _words(texts: list[str]) -> np.ndarray[Any, Any]:
    return np.array([["rain" in text.lower(), "sun" in text.lower()] for text in texts], dtype=float)


def _fitted(kind: str) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import LinearSVC

    made: dict[str, Callable[[], Any]] = {
        "one against the rest": lambda: OneVsRestClassifier(LogisticRegression(C=100)),
        "multi-output": lambda: MultiOutputClassifier(LogisticRegression(C=100)),
        "forest": lambda: RandomForestClassifier(20, random_state=0),
        "no probabilities": lambda: OneVsRestClassifier(LinearSVC()),
    }
    return make_pipeline(FunctionTransformer(_words), made[kind]()).fit(CORPUS.texts * 5, np.array(NAMED * 5, int))


@pytest.mark.parametrize("kind", ["one against the rest", "multi-output", "forest", "no probabilities"])
def test_scikit_learn_models(kind: str) -> None:
    model = _fitted(kind)
    said = predict(model, CORPUS)
    assert said.named.tolist() == NAMED
    assert said.model == "Pipeline"
    report = evaluate(model, CORPUS)
    assert report.macro_f1 == 1.0
    if kind == "no probabilities":
        assert np.isnan(said.probabilities).all()
    else:
        assert (said.probabilities > 0.5).tolist() == NAMED
        assert report.narratives.macro_average_precision.value == 1.0


def test_a_scikit_learn_model_that_chooses_one_class() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = make_pipeline(FunctionTransformer(_words), LogisticRegression(C=100))
    model.fit(CORPUS.texts, ["rain", "sun", "dry"])
    said = predict(model, CORPUS, labels={"dry": None})
    assert said.named.tolist() == [[True, False], [False, True], [False, False]]
    assert said.probabilities.sum(axis=1).max() <= 1.0
    with pytest.raises(SchemaError, match=r"'dry'.*labels=\{'dry': None\}"):
        predict(model, CORPUS)


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_scikit_learn_model_that_chooses_among_a_part_of_the_narratives(probabilities: bool) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import LinearSVC

    model = make_pipeline(FunctionTransformer(_words), LogisticRegression(C=100) if probabilities else LinearSVC())
    model.fit(CORPUS.texts, ["rain", "rain", "none"])
    report = evaluate(model, CORPUS)
    assert [row.recall.value for row in report.labels] == [1.0, 0.0]
    assert math.isfinite(report.narratives.macro_average_precision.value) is probabilities


def test_columns_without_names_that_might_be_sorted() -> None:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MultiLabelBinarizer
    from sklearn.svm import LinearSVC

    schema = LabelSchema("weather", (Label("sun"), Label("rain")))
    corpus = Corpus.read([{"text": p.text, "narratives": list(p.narratives or ())} for p in CORPUS], schema=schema)
    binarizer = MultiLabelBinarizer()
    columns = binarizer.fit_transform([list(p.narratives or ()) for p in corpus])
    model = make_pipeline(FunctionTransformer(_words), OneVsRestClassifier(LinearSVC())).fit(corpus.texts, columns)
    with pytest.warns(UserWarning, match=r"sun, rain.*labels=binarizer\.classes_"):
        wrong = evaluate(model, corpus)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate(model, corpus, labels=binarizer.classes_).macro_f1 == 1.0 > wrong.macro_f1


# --- transformers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def make_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None], Any]:
    transformers = pytest.importorskip("transformers")
    folder = tiny.write_encoder(tmp_path_factory.mktemp("encoder") / "bert")

    def make(problem: str | None) -> Any:
        names = {0: "rain", 1: "sun", 2: "LABEL_2"}
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=3, problem_type=problem, id2label=names, label2id={v: k for k, v in names.items()}
        )
        return transformers.pipeline("text-classification", model=model, tokenizer=str(folder))

    return make


def test_a_pipeline_with_independent_labels(make_pipeline: Callable[[str | None], Any]) -> None:
    pipe = make_pipeline("multi_label_classification")
    said = predict(pipe, CORPUS, labels={"LABEL_2": None})
    direct = pipe(CORPUS.texts, top_k=None, function_to_apply="sigmoid")
    for row, items in zip(said.probabilities, direct, strict=True):
        scores = {item["label"]: item["score"] for item in items}
        assert row.tolist() == pytest.approx([scores["rain"], scores["sun"]])
    assert (said.named == (said.probabilities >= 0.5)).all()


def test_a_pipeline_that_chooses_one_label(make_pipeline: Callable[[str | None], Any]) -> None:
    pipe = make_pipeline("single_label_classification")
    said = predict(pipe, CORPUS, labels={"LABEL_2": None})
    tops = [item["label"] for item in pipe(CORPUS.texts)]
    assert [[top == "rain", top == "sun"] for top in tops] == said.named.tolist()
    assert (said.probabilities.sum(axis=1) < 1.0).all()


def test_a_pipeline_that_does_not_say_which_is_refused(make_pipeline: Callable[[str | None], Any]) -> None:
    with pytest.raises(InputError, match=r"exclude each other.*problem_type"):
        predict(make_pipeline(None), CORPUS)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_the_tagger_wrote_scores_like_the_tagger(tagger: fn.Tagger, tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    rows = [*tiny.passages()[:30], {"id": "digits", "text": "12 34 56", "narratives": {}, "stance": "none"}]
    corpus = Corpus.read(rows)
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": p.id, "text": p.text}) + "\n" for p in corpus))
    tag_file(tagger, source, tmp_path / f"tags.{suffix}")
    mine = evaluate(tmp_path / f"tags.{suffix}", corpus, slices=())
    theirs = evaluate(tagger, corpus, slices=())
    assert mine.macro_f1 == theirs.macro_f1
    assert mine.model == theirs.model
    assert mine.to_dict()["labels"] == theirs.to_dict()["labels"]
    assert mine.to_dict()["confidence"] == theirs.to_dict()["confidence"]
    assert mine.to_dict()["origin"] == theirs.to_dict()["origin"]
    assert mine.not_read == theirs.not_read > 0


def _write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_simple_records(tmp_path: Path) -> None:
    labels = _write(
        tmp_path / "labels.jsonl",
        {"id": "c", "narratives": []},
        {"id": "b", "narratives": ["sun", "rain"], "stance": "asserts"},
        {"id": "a", "narratives": "rain", "stance": "asserts"},
        {"id": "elsewhere", "narratives": "rain"},
    )
    said = predict(labels, CORPUS)
    assert said.named.tolist() == NAMED
    assert said.stance.tolist() == [0, 0, -1]
    assert (said.model, set(said.questions)) == ("labels.jsonl", {"stance"})
    scores = _write(tmp_path / "p.jsonl", *({"id": p.id, "scores": P[i]} for i, p in enumerate(CORPUS)))
    said = predict(str(scores), CORPUS)
    assert said.named.tolist() == NAMED
    assert said.probabilities.tolist() == [list(row.values()) for row in P]


def test_records_of_a_model_that_knows_a_part_of_the_narratives(tmp_path: Path) -> None:
    rows = [{"id": p.id, "scores": {"rain": P[i]["rain"]}} for i, p in enumerate(CORPUS)]
    said = predict(_write(tmp_path / "p.jsonl", *rows), CORPUS)
    assert said.named[:, 0].tolist() == [row[0] for row in NAMED]
    assert not said.probabilities[:, 1].any()


def test_records_without_ids_are_matched_by_text(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": p.text, "scores": P[i]} for i, p in enumerate(CORPUS)]
    assert predict(_write(tmp_path / "p.jsonl", *reversed(rows)), CORPUS).named.tolist() == NAMED


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "narratives": []}], "no prediction for 2 of 3 passages, such as id 'b'"),
        ([{"id": "a", "narratives": []}, {"id": "a", "narratives": []}], r"line 2: the id 'a' stands also at .*line 1"),
        ([{"id": i, "narratives": ["rein"]} for i in "abc"], r"line 1: .*'rein'.*Did you mean 'rain'"),
        ([{"id": i, "scores": {"rain": 7, "sun": 0}} for i in "abc"], r"line 1: .*no probability"),
        ([{"id": i} for i in "abc"], r"line 1: neither 'narratives' nor 'scores'"),
        ([{"id": i, "scores": {"rein": 0.7, "sun": 0}} for i in "abc"], r"line 1: .*'rein'.*Did you mean 'rain'"),
        ([{"id": i, "narratives": [], "stance": 3} for i in "abc"], r"line 1: 'stance' must be"),
        ([{"id": i, "narratives": [], "confidence": "high"} for i in "abc"], "line 1: "),
    ],
)
def test_files_that_do_not_fit(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        predict(_write(tmp_path / "p.jsonl", *rows), CORPUS)


def test_a_broken_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "a", "narratives": []}\n{oops\n')
    with pytest.raises(InputError, match=r"p\.jsonl, line 2"):
        predict(path, CORPUS)
