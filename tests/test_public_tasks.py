"""Public tasks: the organisers' layouts, on small made-up files, and their metrics."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.data import Corpus
from fimi_nlp.data.public import read_task
from fimi_nlp.errors import CorpusError, InputError
from fimi_nlp.evaluation.public import icm, samples_f1, task_scores
from fimi_nlp.types import Reason, Score, Tag

TRAINING = Path(__file__).parents[1] / "training"
SCHEMAS = {"semeval2025": "semeval2025_ukraine", "dipromats2023": "dipromats2023", "cards": "cards"}
WEST, MILITARY = "URW: Praise of Russia", "URW: Praise of Russia: Praise of Russian military might"
NUCLEAR = "URW: Amplifying war-related fears: There is a real possibility that nuclear weapons will be employed"


def schema(task: str) -> fn.LabelSchema:
    return fn.LabelSchema.from_toml(TRAINING / "recipes" / "schemas" / f"{SCHEMAS[task]}.toml")


def semeval(folder: Path, rows: list[tuple[str, str, str]], documents: str = "raw-documents") -> Path:
    (folder / documents).mkdir(parents=True)
    for name, _, _ in rows:
        (folder / documents / name).write_text(f"A headline\n\nThe article {name} says little.\n")
    (folder / "subtask-2-annotations.txt").write_text("".join("\t".join(row) + "\n" for row in rows))
    return folder


def tag(corpus: Corpus, *names: str) -> Tag:
    labels = {label.name: label.label for label in corpus.schema.narratives}
    scores = tuple(Score(labels[name], 0.9 - 0.1 * i, 0.5) for i, name in enumerate(names))
    return Tag(narratives=scores, reason=Reason.OK)


@pytest.mark.parametrize("documents", ["raw-documents", "subtask-2-documents"])
def test_semeval_articles_are_read_in_the_organisers_layout(tmp_path: Path, documents: str) -> None:
    rows = [
        ("EN_UA_1.txt", f"{WEST};URW: Amplifying war-related fears", f"{MILITARY};{NUCLEAR}"),
        ("EN_UA_2.txt", "Other", "Other"),
        ("EN_CC_3.txt", "CC: Downplaying climate change", "CC: Downplaying climate change: Ice is not melting"),
        ("EN_UA_4.txt", "URW: Discrediting Ukraine", "URW: Discrediting Ukraine: Rewriting Ukraine's history"),
    ]
    corpus = read_task("semeval2025", semeval(tmp_path / "EN", rows, documents), schema("semeval2025"))
    assert [passage.id for passage in corpus] == ["EN_UA_1", "EN_UA_2", "EN_UA_4"]
    assert set(corpus[0].narratives or ()) == {"praise_russia_military", "fears_nuclear"}
    assert corpus[1].narratives == {}
    assert set(corpus[2].narratives or ()) == {"discredit_ukraine_history"}
    assert corpus[0].text.startswith("A headline")
    assert Corpus.read(corpus, schema=corpus.schema) == corpus


def test_semeval_scores_are_those_of_the_task(tmp_path: Path) -> None:
    rows = [
        ("EN_UA_1.txt", WEST, f"{MILITARY};{NUCLEAR}"),
        ("EN_UA_2.txt", "Other", "Other"),
        ("EN_UA_3.txt", "Other", "Other"),
    ]
    corpus = read_task("semeval2025", semeval(tmp_path / "EN", rows), schema("semeval2025"))
    tags = [tag(corpus, "URW: Praise of Russia: Other"), tag(corpus), tag(corpus, MILITARY)]
    scores = task_scores("semeval2025", corpus, tags)
    # Fine: none right, Other right, wrong. Coarse: one of two narratives, Other right, wrong.
    assert scores["samples_f1_fine"] == pytest.approx((0 + 1 + 0) / 3)
    assert scores["samples_f1_coarse"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert samples_f1([{"a", "b"}], [{"a", "b"}]) == (1.0, 0.0)


def test_faults_of_semeval_files_are_named(tmp_path: Path) -> None:
    labels = schema("semeval2025")
    with pytest.raises(InputError, match="subtask-2-annotations"):
        read_task("semeval2025", tmp_path, labels)
    folder = semeval(tmp_path / "EN", [("EN_UA_1.txt", WEST, "URW: Praise of Russia: Praise of Russian military mite")])
    with pytest.raises(CorpusError, match=r"line 1: the schema has no label .* Did you mean"):
        read_task("semeval2025", folder, labels)
    (folder / "raw-documents" / "EN_UA_1.txt").unlink()
    with pytest.raises(CorpusError, match=r"EN_UA_1\.txt is not in"):
        read_task("semeval2025", folder, labels)
    with pytest.raises(InputError, match="not found"):
        read_task("cards", tmp_path / "none.csv", schema("cards"))
    with pytest.raises(InputError, match="Unknown task"):
        read_task("semeval", folder, labels)


def tweets(values: list[list[str]]) -> list[dict[str, Any]]:
    return [
        {"id": str(i), "country": "China", "user_name": f"user{i}", "language": "en", "text": f"Tweet {i}.", "value": v}
        for i, v in enumerate(values)
    ]


FLAG, NAMES = "1 appeal to commonality - flag waving", "2 discrediting the opponent - name calling"


def test_dipromats_tweets_are_read_and_scored(tmp_path: Path) -> None:
    rows = tweets([["false"], [FLAG, "3 loaded language"], [NAMES], ["false"]])
    path = tmp_path / "train_t3_en.json"
    path.write_text(json.dumps([*rows, {**rows[0], "id": "9", "language": "es"}]))
    corpus = read_task("dipromats2023", path, schema("dipromats2023"))
    assert [dict(p.narratives or {}) for p in corpus] == [
        {},
        {"flag_waving": None, "loaded_language": None},
        {"name_calling": None},
        {},
    ]
    assert {p.origin for p in corpus} == {"china"}
    assert corpus[1].group == "user1"
    perfect = [tag(corpus), tag(corpus, FLAG, "3 loaded language"), tag(corpus, NAMES), tag(corpus)]
    scores = task_scores("dipromats2023", corpus, perfect)
    assert scores["icm_norm"] == 1
    assert scores["macro_f1"] == 1
    worse = [tag(corpus), tag(corpus, NAMES), tag(corpus, FLAG), tag(corpus)]
    near = [tag(corpus), tag(corpus, "1 appeal to commonality - ad populum", "3 loaded language"), *perfect[2:]]
    values = [task_scores("dipromats2023", corpus, tags)["icm"] for tags in (worse, near, perfect)]
    assert values == sorted(values)
    path.write_text("{}")
    assert len(read_task("dipromats2023", path, schema("dipromats2023"))) == 0
    path.write_text('[{"text": "no id"}]')
    with pytest.raises(InputError, match="tweets with id and text"):
        read_task("dipromats2023", path, schema("dipromats2023"))


def test_the_information_contrast_is_worked_out_by_hand() -> None:
    # Four texts; true has 1 bit (2 of 4), a and b each 2 bits: 1 more than their parent.
    parents = {"a": "true", "b": "true"}
    gold = [{"a"}, {"b"}, {"false"}, {"false"}]
    # Text 1: 2 * 2 + 2 * 2 - 3 * (1 + 1 + 1) = -1; texts 2: 2; texts 3 and 4: 1 each.
    value, scaled = icm(gold, [{"b"}, {"b"}, {"false"}, {"false"}], parents)
    assert value == pytest.approx((-1 + 2 + 1 + 1) / 4)
    assert scaled == pytest.approx((value / 1.5 + 1) / 2)


def test_cards_paragraphs_are_read_and_scored(tmp_path: Path) -> None:
    path = tmp_path / "training.csv"
    path.write_text('text,claim\n"Snow fell, so nothing warms.",1_3\nThe council met.,0_0\nIt is the sun.,2_1\n')
    corpus = read_task("cards", path, schema("cards"))
    assert [dict(p.narratives or {}) for p in corpus] == [{"claim_1_3": None}, {}, {"claim_2_1": None}]
    names = {label.label: label.name for label in corpus.schema.narratives}
    cold, sun = names["claim_1_3"], names["claim_2_1"]
    # Of two claims named, the surer one counts.
    scores = task_scores("cards", corpus, [tag(corpus, cold, sun), tag(corpus), tag(corpus)])
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    path.write_text("text,label\nA.,1_3\n")
    with pytest.raises(InputError, match="claim"):
        read_task("cards", path, schema("cards"))


def test_one_command_trains_on_a_task_and_gives_its_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(TRAINING))
    public_task: Any = importlib.import_module("public_task")
    from fimi_nlp.training import Recipe

    sentences = {"1_3": "snow fell so nothing is warming", "2_1": "it is the sun and its cycles", "0_0": tiny.PLAIN[0]}
    for name in ("training", "test"):
        lines = [f"{words} number {i},{claim}\n" for i in range(16) for claim, words in sentences.items()]
        (tmp_path / f"{name}.csv").write_text("text,claim\n" + "".join(lines))
    recipe = Recipe.from_toml(TRAINING / "recipes" / "cards.toml").with_options(
        {
            "model.encoder": str(tiny.write_encoder(tmp_path / "encoder")),
            "training.epochs": 4,
            "training.batch_size": 8,
            "training.learning_rate": 3e-3,
            "training.average": 0.5,
            "export.parity_texts": 8,
        }
    )
    files = tmp_path / "training.csv", None, tmp_path / "test.csv"
    corpus = public_task.gather("cards", schema("cards"), *files, seed=0)
    assert {passage.split for passage in corpus} == {"train", "dev", "report"}
    scores = public_task.run("cards", recipe, corpus, tmp_path / "out", tmp_path / "run")
    assert scores["accuracy"] > 0.6


@pytest.mark.parametrize("task", SCHEMAS)
def test_the_recipe_of_a_task_is_valid(task: str) -> None:
    pytest.importorskip("torch")
    from fimi_nlp.training import Recipe

    recipe = Recipe.from_toml(TRAINING / "recipes" / f"{task}.toml")
    assert fn.LabelSchema.from_toml(recipe.data.schema) == schema(task)
