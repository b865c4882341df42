"""NarrativeClassifier and NarrativeEmbedder with scikit-learn itself."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import fimi_nlp as fn
from fimi_nlp.errors import BundleError, FimiError, InputError, InputTypeError
from fimi_nlp.integrations.sklearn import NarrativeClassifier, NarrativeEmbedder

if TYPE_CHECKING:
    from pathlib import Path

PICKLE = {"check_estimators_pickle": "a fitted classifier is saved, not pickled"}
CALIBRATED = {
    **PICKLE,
    "check_sample_weight_equivalence_on_dense_data": "a class of one example cannot be calibrated",
    "check_class_weight_classifiers": "calibration takes back what class weights do to probabilities",
}
ROADS = ["The bridge reopened.", "The road to the harbour is closed.", "A new tunnel is planned.", "Lorries queue."]
WEATHER = ["Rain all week.", "Sun and wind tomorrow.", "Snow fell in the hills.", "A mild autumn is forecast."]
TEXTS = [*ROADS, *WEATHER]
CLASSES = ["roads"] * 4 + ["weather"] * 4


def expected(estimator: NarrativeClassifier) -> dict[str, str]:
    return CALIBRATED if estimator.calibration else PICKLE


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        NarrativeClassifier(),
        NarrativeClassifier(features="embedding+words"),
        NarrativeClassifier(calibration="sigmoid"),
        NarrativeClassifier(calibration="isotonic"),
    ],
    expected_failed_checks=expected,
)
@pytest.mark.filterwarnings("ignore:Label:UserWarning")
def test_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore:Can't test estimator")
@parametrize_with_checks([NarrativeEmbedder(), NarrativeEmbedder(features="embedding+words")])  # type: ignore[untyped-decorator]
def test_the_contract_of_a_transformer(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Three classes in 20 dimensions that overlap."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 60)
    return rng.normal(size=(180, 20)) + 1.2 * np.eye(20)[y], y


def test_multi_class_is_logistic_regression(table: Any) -> None:
    features, y = table
    ours = NarrativeClassifier(C=2.0).fit(features, y)
    theirs = LogisticRegression(C=2.0, max_iter=1000).fit(features, y)
    np.testing.assert_allclose(ours.predict_proba(features), theirs.predict_proba(features), atol=1e-6)
    np.testing.assert_allclose(ours.decision_function(features), theirs.decision_function(features), atol=1e-4)
    assert ours.n_features_in_ == 20


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_is_that_of_scikit_learn(table: Any, method: str, classes: int) -> None:
    features, y = table[0][: 60 * classes], table[1][: 60 * classes]
    ours = NarrativeClassifier(C=2.0, calibration=method).fit(features, y)
    model = LogisticRegression(C=2.0, max_iter=1000)
    theirs = CalibratedClassifierCV(model, method=method, ensemble=False, cv=5).fit(features, y)
    np.testing.assert_allclose(ours.predict_proba(features), theirs.predict_proba(features), atol=2e-6)


def test_labels_that_nobody_looked_at_change_nothing(table: Any) -> None:
    """A masked cell is as if the row were not there for that label, whatever marks it."""
    features, y = table
    labels = np.stack([y == 0, y >= 1], axis=1).astype(float)
    hidden = np.random.default_rng(1).random(labels.shape) < 0.4
    gaps = np.where(hidden, np.nan, labels)
    masked = NarrativeClassifier().fit(features, gaps)
    for column in (0, 1):
        seen = ~hidden[:, column]
        alone = LogisticRegression(C=10.0, max_iter=1000).fit(features[seen], labels[seen, column])
        np.testing.assert_allclose(masked.predict_proba(features)[:, column], alone.predict_proba(features)[:, 1])
    by_number = NarrativeClassifier().fit(features, np.where(hidden, -1, labels).astype(int))
    np.testing.assert_array_equal(by_number.coef_, masked.coef_)
    negative = NarrativeClassifier().fit(features, np.where(hidden, 0, labels))
    assert not np.allclose(negative.coef_, masked.coef_)
    predicted = masked.predict(features)
    right = (predicted == labels) | hidden
    assert masked.score(features, gaps) == pytest.approx(right.all(axis=1)[~hidden.all(axis=1)].mean())


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_class_leaves_the_row_out(tagger: fn.Tagger, missing: object) -> None:
    gaps = [*CLASSES[:3], missing, *CLASSES[4:]]
    some = NarrativeClassifier(tagger).fit(TEXTS, gaps)
    kept = [i for i in range(8) if i != 3]
    fewer = NarrativeClassifier(tagger).fit([TEXTS[i] for i in kept], [CLASSES[i] for i in kept])
    np.testing.assert_allclose(some.coef_, fewer.coef_, atol=1e-6)
    assert some.classes_.tolist() == ["roads", "weather"]
    assert some.score(TEXTS, gaps) == some.score([TEXTS[i] for i in kept], [CLASSES[i] for i in kept])


def test_sample_weights_count_as_copies(table: Any) -> None:
    features, y = table
    weight = np.random.default_rng(2).integers(0, 4, len(y))
    weighted = NarrativeClassifier().fit(features, y, sample_weight=weight)
    copied = NarrativeClassifier().fit(np.repeat(features, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.predict_proba(features), copied.predict_proba(features), atol=1e-3)


def test_texts_and_their_embeddings_give_the_same(tagger: fn.Tagger) -> None:
    embeddings = tagger.embed(TEXTS)
    on_texts, on_table = (NarrativeClassifier(tagger).fit(x, CLASSES) for x in (TEXTS, embeddings))
    np.testing.assert_array_equal(on_texts.predict_proba(TEXTS), on_table.predict_proba(TEXTS))
    np.testing.assert_array_equal(on_texts.predict_proba(embeddings), on_table.predict_proba(embeddings))
    assert on_texts.predict(TEXTS).tolist() == CLASSES
    assert not hasattr(on_texts, "n_features_in_")
    assert on_table.n_features_in_ == embeddings.shape[1]


def test_every_kind_of_column_is_read(tagger: fn.Tagger) -> None:

    fitted = NarrativeClassifier(tagger).fit(TEXTS, CLASSES)
    for column in (np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS, index=range(8, 0, -1)), tuple(TEXTS)):
        assert fitted.predict(column).tolist() == CLASSES
    frame = pd.DataFrame({"roads": [1, 0, 1], "weather": [0, 1, None]})
    several = NarrativeClassifier(tagger).fit(pd.Series(TEXTS[:2] + TEXTS[-1:]), frame)
    assert several.classes_.tolist() == ["roads", "weather"]
    assert several.multilabel_


@pytest.mark.parametrize("features", ["scores", "both"])
def test_scores_of_the_tagger_are_features(tagger: fn.Tagger, features: str) -> None:
    texts = ["NATO has provoked this war.", ""]
    embedder = NarrativeEmbedder(tagger, features=features)
    table, names = embedder.transform(texts), embedder.get_feature_names_out().tolist()
    assert table.shape == (2, len(names))
    assert table[0, names.index("nato_alliances")] == pytest.approx(tagger.tag(texts[0]).scores["nato_alliances"])
    assert not table[1].any()
    assert NarrativeClassifier(tagger, features=features).fit(TEXTS, CLASSES).coef_.shape[1] == len(names)


def test_words_stand_beside_the_embedding(tagger: fn.Tagger) -> None:
    texts = ["The ferry sails at noon.", "", "At noon, the FERRY sails"]
    words = NarrativeEmbedder(tagger, features="words").transform(texts)
    both = NarrativeEmbedder(tagger, features="embedding+words")
    table, names = both.transform(texts), both.get_feature_names_out()
    vectors = tagger.embed(texts)
    assert table.shape == (3, len(names)) == (3, vectors.shape[1] + words.shape[1])
    np.testing.assert_array_equal(table[:, : vectors.shape[1]].toarray(), vectors)
    np.testing.assert_array_equal(table[:, vectors.shape[1] :].toarray(), words.toarray())
    np.testing.assert_allclose(np.linalg.norm(words.toarray(), axis=1), [1, 0, 1], rtol=1e-6)
    # The words count, in whatever case; so do their pairs, whose order differs here.
    assert 0.3 < (words[0] @ words[2].T).toarray().item() < 1
    with pytest.raises(InputTypeError, match="text 1"):
        both.transform(["a text", None])  # type: ignore[list-item]


@pytest.mark.parametrize("features", ["words", "embedding+words"])
@pytest.mark.parametrize("calibration", [None, "sigmoid"])
def test_a_head_on_words_is_saved_and_loaded(
    tagger: fn.Tagger, tmp_path: Path, features: str, calibration: str | None
) -> None:
    matrix = np.array([[c == "roads", c == "weather"] for c in CLASSES], float)
    matrix[0, 1] = np.nan
    for number, y in enumerate((np.array(CLASSES), matrix)):
        before = NarrativeClassifier(tagger, features=features, calibration=calibration).fit(TEXTS, y)
        # Calibration on eight texts that share hardly a word has nothing to go by; the head itself has.
        assert calibration or before.score(TEXTS, y) == 1.0
        before.save(tmp_path / str(number))
        after = NarrativeClassifier.load(tmp_path / str(number), tagger)
        np.testing.assert_array_equal(after.predict_proba(TEXTS), before.predict_proba(TEXTS))


def test_abstention(tagger: fn.Tagger) -> None:
    classifier = NarrativeClassifier(tagger, abstain_below=0.75).fit(TEXTS, CLASSES)
    p, found = classifier.predict_proba(TEXTS).max(axis=1), classifier.predict(TEXTS)
    assert (found == "").tolist() == (p < 0.75).tolist()
    assert classifier.abstained_ == ""
    assert 0 < (found == "").sum() < len(TEXTS) or p.min() >= 0.75
    everything = clone(classifier).set_params(abstain_below=1.0).fit(TEXTS, CLASSES)
    assert set(everything.predict(TEXTS)) == {""}
    assert everything.score(TEXTS, CLASSES) == 0.0
    labels = np.array([[1, 0]] * 4 + [[0, 1]] * 4)
    several = clone(classifier).set_params(abstain_below=1.0).fit(TEXTS, labels)
    assert (several.predict(TEXTS) == -1).all()
    with pytest.raises(InputError, match="abstain_below"):
        NarrativeClassifier(abstain_below=0.9).fit(np.eye(4), [-1, 1, -1, 1])


def test_inside_pipelines_and_searches(tagger: fn.Tagger) -> None:
    pipeline = Pipeline([("head", NarrativeClassifier(tagger))])
    search = GridSearchCV(pipeline, {"head__C": [0.1, 10.0], "head__features": ["embedding", "both"]}, cv=2)
    assert search.fit(TEXTS, CLASSES).predict(TEXTS).tolist() == CLASSES
    assert len(search.cv_results_["mean_test_score"]) == 4
    assert search.best_estimator_["head"].model is tagger
    composed = make_pipeline(NarrativeEmbedder(tagger), LogisticRegression(C=10.0))
    assert cross_val_score(composed, TEXTS, CLASSES, cv=2).shape == (2,)
    labels = np.array([[1, 0, -1]] * 4 + [[0, 1, -1]] * 3 + [[0, 0, 1]])
    labels[::2, 2] = 0
    with pytest.warns(UserWarning, match="is 0 in every annotated row"):
        scores = cross_val_score(NarrativeClassifier(tagger), TEXTS, labels, cv=KFold(2, shuffle=True, random_state=0))
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_folds_may_hold_rows_without_a_class(tagger: fn.Tagger) -> None:
    gaps = pd.Series([*CLASSES[:3], None, *CLASSES[4:]])
    scores = cross_val_score(
        NarrativeClassifier(tagger), tagger.embed(TEXTS), gaps, cv=KFold(2, shuffle=True, random_state=0)
    )
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_a_search_in_parallel_needs_no_pickle_of_what_was_learned(table: Any) -> None:
    search = GridSearchCV(NarrativeClassifier(), {"C": [0.1, 1.0]}, cv=2, n_jobs=2).fit(*table)
    assert search.score(*table) > 0.6


PARAMS = st.fixed_dictionaries(
    {
        "calibration": st.sampled_from([None, "sigmoid", "isotonic"]),
        "C": st.floats(0.01, 100.0),
        "abstain_below": st.none() | st.floats(0.3, 0.9),
        "class_weight": st.sampled_from([None, "balanced"]),
    }
)


@settings(max_examples=15, deadline=None)
@given(params=PARAMS, kind=st.sampled_from(["text", "number", "labels", "two"]))
def test_saved_and_loaded_it_says_the_same(table: Any, tmp_path_factory: Any, params: Any, kind: str) -> None:
    features, y = table
    kinds = {
        "text": np.array(["a", "b", "ü"])[y],
        "number": y + 5,
        "labels": np.stack([y == 0, y > 0, y == 2], 1).astype(int),
        "two": np.where(y > 0, "yes", "no"),
    }
    before = NarrativeClassifier(**params).fit(features, kinds[kind])
    folder = tmp_path_factory.mktemp("head")
    before.save(folder)
    after = NarrativeClassifier.load(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.npz"]
    for method in ("predict", "predict_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(after, method)(features), getattr(before, method)(features))
    np.testing.assert_array_equal(after.classes_, before.classes_)
    assert after.predict(features).dtype == before.predict(features).dtype
    assert after.get_params() == before.get_params()
    assert after.score(features, kinds[kind]) == before.score(features, kinds[kind])


@pytest.fixture
def saved(tagger: fn.Tagger, tmp_path: Path) -> Path:
    weight = {"roads": 2.0, "weather": 1.0}
    classifier = NarrativeClassifier(tagger, calibration="sigmoid", class_weight=weight).fit(TEXTS, CLASSES)
    classifier.save(tmp_path / "head")
    assert NarrativeClassifier.load(tmp_path / "head", tagger).class_weight == weight
    return tmp_path / "head"


def test_what_was_changed_on_disk_is_not_loaded(saved: Path) -> None:
    arrays = dict(np.load(saved / "head.npz"))
    np.savez_compressed(saved / "head.npz", allow_pickle=False, **{**arrays, "coef": arrays["coef"] + 1e-9})
    with pytest.raises(BundleError, match="SHA-256"):
        NarrativeClassifier.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "pickle"}, "format"),
        ({"version": 99}, "version"),
        ({"encoder": "other@1"}, "fitted with other@1"),
        ({"classes": {"dtype": "<U1", "values": ["a", "b", "c"]}}, "3 classes"),
        ({"params": {"class_weight": None, "alpha": 1}}, "parameters are malformed"),
        ({"curves": ["magic"]}, "calibration"),
        ({"files": {}}, "missing"),
    ],
)
def test_a_malformed_folder_is_refused(saved: Path, change: dict[str, Any], message: str) -> None:
    config = json.loads((saved / "head.json").read_text())
    (saved / "head.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BundleError, match=message):
        NarrativeClassifier.load(saved)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not found"):
        NarrativeClassifier.load(tmp_path / "none")


def test_pickling(tagger: fn.Tagger) -> None:
    classifier = NarrativeClassifier(tagger)
    assert pickle.loads(pickle.dumps(classifier)).get_params().keys() == classifier.get_params().keys()
    classifier.fit(TEXTS, CLASSES)
    for act in (pickle.dumps, copy.deepcopy):
        with pytest.raises(InputTypeError, match=r"save\(folder\).*load\(folder\)"):
            act(classifier)
    embedder = NarrativeEmbedder(tagger)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(TEXTS), embedder.transform(TEXTS))


def test_not_fitted(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        NarrativeClassifier().predict(TEXTS)
    with pytest.raises(NotFittedError):
        NarrativeClassifier().save(tmp_path)


@pytest.mark.parametrize(
    ("params", "x", "y", "message"),
    [
        ({"features": "embeding"}, TEXTS, CLASSES, "Did you mean 'embedding'"),
        ({"calibration": "platt"}, TEXTS, CLASSES, "calibration is 'platt'"),
        ({"threshold": 50}, TEXTS, CLASSES, "threshold is 50"),
        ({"C": 0}, TEXTS, CLASSES, "C is 0"),
        ({}, "one text", ["a"], "single text"),
        ({}, TEXTS, CLASSES[:-1], "inconsistent"),
        ({}, TEXTS, ["roads"] * 8, "only one class"),
        ({}, TEXTS, [None] * 8, "No row is annotated"),
        ({}, TEXTS, [[0, 2]] * 8, "holds 2"),
        ({}, TEXTS, [["a", "b"]] * 8, "MultiLabelBinarizer"),
        ({}, TEXTS, [["roads"], ["roads", "weather"], [], ["weather"]] * 2, "MultiLabelBinarizer"),
        ({}, TEXTS, [{"roads"}, set()] * 4, "MultiLabelBinarizer"),
        ({}, TEXTS, [{"roads": True}] * 8, "MultiLabelBinarizer"),
        ({}, pd.DataFrame({"body": TEXTS}), CLASSES, r'table that holds texts.* body.*frame\["text"\]'),
        ({}, [], [], "no texts"),
        ({}, TEXTS, [[0, -1], [1, -1]] * 4, "annotated in no row"),
        ({}, [*TEXTS[:-1], None], CLASSES, "text 7"),
        ({"calibration": "sigmoid"}, TEXTS, ["roads", *["weather"] * 7], "two examples"),
        ({"class_weight": "balanced"}, TEXTS, None, "y"),
    ],
)
def test_errors_name_the_fault(tagger: fn.Tagger, params: dict[str, Any], x: Any, y: Any, message: str) -> None:
    with pytest.raises(FimiError, match=message):
        NarrativeClassifier(tagger, **params).fit(x, y)


def test_other_features_than_it_was_fitted_with_are_refused(tagger: fn.Tagger) -> None:
    fitted = NarrativeClassifier(tagger).fit(TEXTS, CLASSES)
    with pytest.raises(InputError, match="3 features"):
        fitted.predict(np.eye(3))
    with pytest.raises(InputTypeError, match="column of str"):
        NarrativeEmbedder(tagger).transform(np.eye(3))


def test_a_loaded_model_is_shared_and_follows_its_folder(bundle_copy: Any) -> None:
    from fimi_nlp.integrations._shared import resolve

    folder = bundle_copy()
    first = resolve(folder)
    assert resolve(str(folder)) is first
    assert resolve(folder, mode="high_recall").mode is fn.Mode.HIGH_RECALL
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id": "changed"}))
    assert resolve(folder).bundle.id == "changed"
