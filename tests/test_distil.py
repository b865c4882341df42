"""Soft targets: what a teacher says of passages, in training, calibration and files."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.errors import CorpusError, InputError, RecipeError

torch = pytest.importorskip("torch")
metrics = pytest.importorskip("sklearn.metrics")

from fimi_nlp.training import Recipe, answers_of, write_answers  # noqa: E402
from fimi_nlp.training.batches import IGNORE, Targets  # noqa: E402
from fimi_nlp.training.distil import SoftTargets, columns, further_texts, soft_loss, soft_targets  # noqa: E402
from fimi_nlp.training.experiments import logits_of  # noqa: E402
from fimi_nlp.training.fitting import Fitted, fit, head_sizes  # noqa: E402
from fimi_nlp.training.judging import Judge  # noqa: E402
from fimi_nlp.training.recipe_parts import LossPart  # noqa: E402

if TYPE_CHECKING:
    from fimi_nlp.data import Corpus

SCHEMA = fn.LabelSchema.default()
SIZES = head_sizes(SCHEMA)
FIFTH = 'version = 1\nname = "five"\n' + "".join(
    f'[[narratives]]\nlabel = "{label}"\n' for label in (*SCHEMA.narrative_labels, "climate_hoax")
)
NEW = "warming is a hoax of greedy officials"


def soft(rows: int = 6, seed: int = 0) -> SoftTargets:
    draw = np.random.default_rng(seed)
    blocks = [draw.dirichlet(np.ones(len(block)), rows) for block in columns(SCHEMA)[4:]]
    values = np.concatenate([draw.random((rows, 4)), *blocks], axis=1)
    return SoftTargets(torch.from_numpy(values.astype(np.float32)), SIZES)


def test_a_student_that_agrees_with_its_teacher_has_the_smallest_loss() -> None:
    target = soft()
    narratives = torch.logit(target.narratives)
    rest = target.values[:, 4:].log()
    same = torch.cat([narratives, rest], dim=1).requires_grad_()
    loss = soft_loss(same, target, LossPart())
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(same.grad.abs().max()) < 1e-5
    for seed in range(3):
        torch.manual_seed(seed)
        assert float(soft_loss(same.detach() + 0.3 * torch.randn_like(same), target, LossPart())) > float(loss.detach())


def test_what_the_teacher_does_not_say_is_not_trained() -> None:
    target = soft()
    values = target.values.clone()
    values[:, 1] = float("nan")
    values[2] = float("nan")
    logits = torch.zeros(6, SIZES.total, requires_grad=True)
    soft_loss(logits, SoftTargets(values, SIZES), LossPart()).backward()  # type: ignore[no-untyped-call]
    assert logits.grad[:, 1].abs().max() == 0
    assert logits.grad[2].abs().max() == 0
    assert logits.grad[0, 0] != 0


def test_a_passage_joined_with_itself_is_itself_and_else_the_surer_part_speaks() -> None:
    one, other = soft(seed=1), soft(seed=2)
    torch.testing.assert_close(one.joined(one).values, one.values)
    joined = one.joined(other)
    assert torch.equal(joined.narratives, torch.maximum(one.narratives, other.narratives))
    leads = one.narratives[:, 0] >= other.narratives[:, 0]
    block = joined.blocks()[0][1]
    expected = torch.where(leads[:, None], one.blocks()[0][1], other.blocks()[0][1])
    assert torch.equal(block, expected)


def test_a_bundle_answers_as_the_tagger_does(tagger: fn.Tagger) -> None:
    corpus = fn.Corpus.read(tiny.passages()[:12])
    answers = answers_of("default", corpus)
    scores = [tag.scores for tag in tagger.tag_many(corpus.texts)]
    told = [[score[label] for label in SCHEMA.narrative_labels] for score in scores]
    np.testing.assert_allclose(answers[:, :4], told, atol=1e-4)
    origins = [[score[label] for label in SCHEMA.origin_labels] for score in scores]
    np.testing.assert_allclose(answers[:, -3:], origins, atol=1e-4)
    assert answers.shape == (12, SIZES.total)
    assert not np.isnan(answers).any()


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_soft_targets_in_a_file_are_found_by_id(tmp_path: Path, suffix: str) -> None:
    corpus = fn.Corpus.read(tiny.passages()[:8])
    path = tmp_path / f"soft.{suffix}"
    values = soft(6).values.numpy()
    write_answers(path, [passage.id for passage in corpus[:6]], SCHEMA, values)
    backwards = fn.Corpus(reversed(list(corpus)))
    answers = answers_of(str(path), backwards)
    np.testing.assert_array_equal(answers[::-1][:6], values)
    assert np.isnan(answers[:2]).all()
    both = soft_targets(backwards, [str(path), str(path)], SIZES, max_tokens=64)
    np.testing.assert_allclose(both.values.numpy(), answers, rtol=1e-6)
    with pytest.raises(CorpusError, match="none of the 2 passages"):
        answers_of(str(path), corpus[6:])


def test_classes_are_taken_over_only_where_both_know_the_same(tmp_path: Path) -> None:
    other = fn.LabelSchema.from_string(
        'version = 1\nname = "other"\n[[narratives]]\nlabel = "nato_alliances"\n'
        + "".join(f'[[origins]]\nlabel = "{label}"\n' for label in ("other", "china", "russia"))
        + '[[stances]]\nlabel = "asserts"\n[[stances]]\nlabel = "counters"\n'
    )
    corpus = fn.Corpus.read([{"id": "t0", "text": "A plain text."}])
    path = tmp_path / "soft.npz"
    write_answers(path, ["t0"], other, np.array([[0.9, 0.5, 0.5, 0.1, 0.2, 0.7]]))
    answers = answers_of(str(path), corpus)[0]
    assert np.isnan(answers[[0, 2, 3]]).all()
    assert answers[1] == pytest.approx(0.9)
    assert answers[-3:] == pytest.approx([0.7, 0.2, 0.1])
    assert np.isnan(answers[4:-3]).all()
    strange = fn.LabelSchema.from_string('version = 1\nname = "x"\n[[narratives]]\nlabel = "doom"\n')
    write_answers(path, ["t0"], strange, np.array([[0.5]]))
    with pytest.raises(RecipeError, match="no output in common"):
        answers_of(str(path), corpus)


def test_damaged_soft_targets_are_named(tmp_path: Path) -> None:
    corpus = fn.Corpus.read(tiny.passages()[:2])
    path = tmp_path / "soft.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        answers_of(str(path), corpus)
    np.savez(
        path, ids=np.array(["t0"]), columns=np.array(["narratives/us_democracy"]), probabilities=np.ones((1, 1)) * 7
    )
    with pytest.raises(InputError, match="probabilities from 0 to 1"):
        answers_of(str(path), corpus)
    with pytest.raises(InputError, match="shape"):
        write_answers(path, ["t0"], SCHEMA, np.zeros((1, 3)))


def test_unlabelled_texts_come_without_their_labels(tmp_path: Path) -> None:
    corpus = fn.Corpus.read(tiny.passages()[:2])
    path = tiny.write_corpus(tmp_path / "more.jsonl", [{"id": "u1", "text": "More news.", "narratives": {"x": "y"}}])
    more = further_texts([str(path)], corpus)
    assert [(passage.id, passage.narratives) for passage in more] == [("u1", None)]
    tiny.write_corpus(path, [{"id": "t1", "text": "More news."}])
    with pytest.raises(CorpusError, match="'t1'"):
        further_texts([str(path)], corpus)


def test_the_teacher_stands_in_where_nobody_annotated() -> None:
    rows = [
        {"id": "a", "text": "x y", "narratives": {"nato_alliances": None, "multipolarity": "dedollarisation"}},
        {"id": "b", "text": "x y z", "narratives": {}, "stance": "none", "origin": "china"},
    ]
    values = torch.full((2, SIZES.total), 0.1)
    values[:, 1] = 0.8
    values[:, -3:] = torch.tensor([0.7, 0.2, 0.1])
    targets = Targets.of(fn.Corpus.read(rows))
    filled = dataclasses.replace(targets, soft=SoftTargets(values, SIZES)).filled()
    assert filled.narratives.tolist() == [[0, pytest.approx(0.8), 1, 0], [0, 0, 0, 0]]
    assert filled.mask.all()
    assert filled.subs[0, 1] >= 0
    assert filled.subs[0, 2] == targets.subs[0, 2]
    assert (filled.subs[1] == IGNORE).all()
    assert filled.stance.tolist() == [0, IGNORE]
    assert filled.origin.tolist() == [0, 1]


def five_label_rows() -> list[dict[str, Any]]:
    """Data for a fifth label: nobody looked for the four others."""
    unknown: dict[str, Any] = dict.fromkeys(SCHEMA.narrative_labels)
    rows = []
    for number, row in enumerate(tiny.passages()):
        new = number % 3 == 1
        text = f"{row['text']} Also, {NEW}." if new else row["text"]
        rows.append(
            {"id": row["id"], "text": text, "split": row["split"], "narratives": {**unknown, "climate_hoax": new}}
        )
    return rows


def test_a_label_is_added_without_forgetting_the_old_ones(tmp_path: Path) -> None:
    settings = {"epochs": 12, "patience": 0, "batch_size": 8, "learning_rate": 3e-3, "average": 0.5, "joining": 0.2}
    encoder = tiny.write_encoder(tmp_path / "encoder")
    model = {"name": "tiny", "encoder": str(encoder), "freeze_word_embeddings": False}
    plan = Recipe.from_dict({"model": model, "training": settings})
    five = fn.LabelSchema.from_string(FIFTH)
    before = fn.Corpus.read(tiny.passages())
    after = fn.Corpus.read(five_label_rows(), schema=five)

    def run(name: str, recipe: Recipe, corpus: Corpus) -> tuple[Fitted, Judge]:
        dev = corpus.filter(split="dev")
        fitted = fit(
            recipe, corpus.filter(split="train"), dev, tmp_path / name, fingerprint=corpus.fingerprint, progress=False
        )
        return fitted, Judge(logits_of(fitted, dev.texts, recipe), dev, teacher=fitted.teacher)

    old, judge = run("old", plan, before)
    texts = [passage.text for passage in after]
    answers = judge.probabilities(logits_of(old, texts, plan))
    write_answers(tmp_path / "old.npz", [passage.id for passage in after], before.schema, answers)
    gold = before.filter(split="test").label_arrays().narratives > 0.5
    held_out = before.filter(split="test").texts
    taught = plan.with_options({"distil.teacher": [str(tmp_path / "old.npz")]})
    kept = {}
    for name, recipe in (("alone", plan), ("taught", taught)):
        fitted, judge = run(name, recipe, after)
        p = judge.probabilities(logits_of(fitted, [*held_out, f"We all know that {NEW}."], recipe))
        kept[name] = float(metrics.average_precision_score(gold, p[:-1, :4], average="macro"))
        assert p[-1, 4] > 0.5 > p[:-1, 4].mean()
    # A network of some thousand weights: how well it does varies with the processor, the gap does not.
    assert kept["taught"] > 0.6
    assert kept["taught"] > kept["alone"] + 0.1
    # Nobody labelled the old narratives on dev; the teacher's word calibrates them, so that what is carried stands out.
    assert p[:-1, :4][gold].mean() > 2 * p[:-1, :4][~gold].mean()


def test_a_teacher_bundle_is_recorded_by_name_and_its_files_are_meant_from_the_recipe(tmp_path: Path) -> None:
    tiny.write_corpus(tmp_path / "more.jsonl")
    (tmp_path / "teacher.npz").touch()
    path = tmp_path / "recipe.toml"
    path.write_text('[distil]\nteacher = ["default", "teacher.npz"]\ntexts = ["more.jsonl"]\nweight = 2\n')
    recipe = Recipe.from_toml(path)
    assert recipe.distil.teacher == ("default", str(tmp_path / "teacher.npz"))
    assert recipe.distil.texts == (str(tmp_path / "more.jsonl"),)
    assert recipe.published()["distil"] == {
        "teacher": ["default", "teacher.npz"],
        "texts": ["more.jsonl"],
        "weight": 2.0,
    }
    with pytest.raises(RecipeError, match=r"distil\.texts"):
        Recipe.from_dict({"distil": {"texts": ["more.jsonl"]}})


def test_the_command_that_measures_forgetting_prints_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "training"))
    add_label: Any = importlib.import_module("add_label")
    recipe, corpus = tmp_path / "recipe.toml", tiny.write_corpus(tmp_path / "c.jsonl")
    recipe.write_text(f'[model]\nencoder = "{tiny.write_encoder(tmp_path / "e")}"\n[training]\nbatch_size = 8\n')
    options = ["--data", str(corpus), "--new", "multipolarity", "--report", "test", "--passages", "20", "--epochs", "1"]
    add_label.main([*options, "--judged", "24", "--recipe", str(recipe)])
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows] == ["", "before", "labels alone", "with teacher"]
    assert [cell.strip() == "" for cell in rows[1]] == [False, False, False, True, False]
    assert all("/" in cell for row in rows[2:] for cell in row[1:])
