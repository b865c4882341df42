"""Training: recipes, targets, the loop, resuming, export, and the bundle that comes out."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.errors import BundleError, CorpusError, ExportError, RecipeError

torch = pytest.importorskip("torch")

from fimi_nlp.training import Recipe, train  # noqa: E402
from fimi_nlp.training.batches import IGNORE, LengthBuckets, Targets  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from fimi_nlp.training.model import HeadSizes


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_corpus(tmp_path_factory.mktemp("corpus") / "passages.jsonl")


def recipe(encoder: Path, corpus: Path, **training: Any) -> Recipe:
    settings = {"epochs": 3, "patience": 0, "batch_size": 8, "learning_rate": 3e-3, "average": 0.5, "joining": 0.2}
    return Recipe.from_dict(
        {
            "model": {"name": "tiny", "encoder": str(encoder), "freeze_word_embeddings": False},
            "data": {"corpus": [str(corpus)], "report": ["test"]},
            "training": settings | training,
            "export": {"parity_texts": 12, "window": 32, "limit": 64},
        }
    )


@pytest.fixture(scope="module")
def result(encoder: Path, corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("result")
    plan = recipe(encoder, corpus_file, epochs=12)
    return train(plan, folder / "bundle", run=folder / "run", progress=False)


def test_a_run_gives_a_bundle_that_learned(result: Any) -> None:
    tagger = fn.load(result.bundle)
    assert tagger.tag("We all know that NATO keeps expanding and provokes war today.").labels == ("nato_alliances",)
    assert result.reports["test"].narratives.macro_average_precision.value > 0.7
    assert sorted(path.name for path in result.bundle.iterdir()) == [
        "README.md",
        "config.json",
        "metrics.json",
        "model.onnx",
        "tokenizer.json",
    ]


def test_the_bundle_records_how_it_was_made(result: Any) -> None:
    config = fn.Bundle.read(result.bundle).config
    assert config["training"]["recipe"]["training"]["epochs"] == 12
    assert config["training"]["recipe"]["data"]["corpus"] == ["passages.jsonl"]
    assert config["training"]["data"]["passages"] == {"train": 48, "dev": 24, "test": 24}
    assert len(config["training"]["history"]) == 12
    assert config["parity"]["texts"] == 12
    assert config["parity"]["fp32_largest"] <= 1e-4
    assert config["parity"]["int8_mean"] <= 1e-2
    metrics = json.loads((result.bundle / "metrics.json").read_text())
    assert set(metrics["splits"]) == {"dev", "test"}
    card = (result.bundle / "README.md").read_text()
    assert "Content alignment is not attribution" in card
    assert f"{result.reports['test'].macro_f1:.3f}" in card
    assert str(result.run) not in card + json.dumps(config)


def test_the_run_folder_has_a_log_and_a_plot(result: Any) -> None:
    log = [json.loads(line) for line in (result.run / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in log] == list(range(1, 13))
    assert log[-1]["loss"] < log[0]["loss"]
    assert (result.run / "training.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_model(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(recipe(encoder, corpus_file, epochs=2), tmp_path / name, run=tmp_path / f"run-{name}", progress=False)
    texts = [row["text"] for row in tiny.passages()[:10]]
    assert fn.load(tmp_path / "a").tag_many(texts)[3].scores == fn.load(tmp_path / "b").tag_many(texts)[3].scores


def test_a_run_cut_off_is_resumed_where_it_stopped(
    encoder: Path, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fimi_nlp.training.loop import Loop

    plan = recipe(encoder, corpus_file, epochs=4)
    train(plan, tmp_path / "whole", run=tmp_path / "run-whole", progress=False)
    finish, seen = Loop._finish, []

    def cut_off(self: Loop, record: dict[str, float], *rest: Any) -> None:
        finish(self, record, *rest)
        seen.append(record)
        if len(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Loop, "_finish", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(plan, tmp_path / "cut", run=tmp_path / "run-cut", progress=False)
    assert not (tmp_path / "cut").exists()
    resumed = train(plan, tmp_path / "cut", run=tmp_path / "run-cut", resume=True, progress=False)
    assert len(seen) == 4
    histories = [fn.Bundle.read(tmp_path / name).config["training"]["history"] for name in ("whole", "cut")]
    assert [r["loss"] for r in histories[0]] == pytest.approx([r["loss"] for r in histories[1]], abs=1e-3)
    other = plan.with_options({"training.batch_size": 4})
    with pytest.raises(RecipeError, match="another recipe"):
        train(other, tmp_path / "no", run=resumed.run, resume=True, progress=False)


def test_not_annotated_is_not_negative(encoder: Path, tmp_path: Path) -> None:
    # The multipolarity cell of every claim on it but one is not annotated: only the negatives and that one count.
    rows = tiny.passages()
    for row in rows:
        if row["split"] == "train" and "multipolarity" in row["narratives"]:
            row["narratives"] = {"multipolarity": None}
            row["stance"] = None
    corpus = fn.Corpus.read(rows).filter(split="train")
    targets = Targets.of(corpus, 0.75)
    column = corpus.schema.narrative_labels.index("multipolarity")
    masked = targets.mask[:, column] == 0
    assert masked.sum() == sum(r["narratives"] == {"multipolarity": None} for r in rows if r["split"] == "train") > 0
    path = tiny.write_corpus(tmp_path / "masked.jsonl", rows)
    outcome = train(recipe(encoder, path), tmp_path / "out", run=tmp_path / "run", progress=False)
    assert fn.Bundle.read(outcome.bundle).config["training"]["data"]["labels"].get("multipolarity", 0) == 0


def test_joined_targets_carry_what_either_part_carries() -> None:
    schema_rows = [
        {
            "id": "a",
            "text": "x y",
            "narratives": {"nato_alliances": "aggression"},
            "stance": "asserts",
            "origin": "russia",
        },
        {"id": "b", "text": "x y z", "narratives": {}, "stance": "none", "origin": "russia"},
        {"id": "c", "text": "x", "narratives": {"nato_alliances": None}, "origin": "china"},
    ]
    targets = Targets.of(fn.Corpus.read(schema_rows))
    joined = targets.rows([0, 1, 0]).joined(targets.rows([1, 2, 0]))
    nato = 1
    assert joined.narratives[:, nato].tolist() == [1, 0, 1]
    assert joined.mask[:, nato].tolist() == [1, 0, 1]
    assert joined.stance.tolist() == [0, IGNORE, 0]
    assert joined.origin.tolist() == [0, IGNORE, 0]
    assert joined.subs[:, nato].tolist()[0] == targets.subs[0, nato]


def test_batches_hold_every_passage_once_and_depend_on_seed_and_epoch_alone() -> None:
    lengths = list(np.random.default_rng(0).integers(5, 100, 103))
    sampler = LengthBuckets(lengths, 8, seed=1, joining=0.3, limit=120)
    first = list(sampler)
    assert sorted(row for batch in first for row, _ in batch) == list(range(103))
    assert first == list(sampler)
    assert any(partner >= 0 for batch in first for _, partner in batch)
    assert all(partner < 0 or lengths[row] + lengths[partner] <= 120 for batch in first for row, partner in batch)
    sampler.set_epoch(1)
    assert first != list(sampler)


def test_the_network_is_worked_out_from_the_schema(encoder: Path, tmp_path: Path) -> None:
    schema = tmp_path / "mine.toml"
    schema.write_text('version = 1\nname = "mine"\n[[narratives]]\nlabel = "hoax"\n[[narratives]]\nlabel = "doom"\n')
    rows = [
        {"id": str(i), "text": f"{words} number {i}", "narratives": narratives, "split": ("train", "dev")[i // 2 % 2]}
        for i, (words, narratives) in enumerate([("warming is a hoax", {"hoax": True}), ("rain fell", {})] * 20)
    ]
    plan = recipe(encoder, tiny.write_corpus(tmp_path / "c.jsonl", rows))
    plan = plan.with_options({"data.schema": str(schema), "data.report": []})
    outcome = train(plan, tmp_path / "out", run=tmp_path / "run", progress=False)
    tag = fn.load(outcome.bundle).tag("warming is a hoax number 7")
    assert set(tag.scores) == {"hoax", "doom"}
    assert (tag.stance, tag.origin) == (None, None)


def test_training_in_bfloat16_exports_in_full_precision(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    plan = recipe(encoder, corpus_file, epochs=1, precision="bf16")
    outcome = train(plan, tmp_path / "out", run=tmp_path / "run", progress=False)
    config = fn.Bundle.read(outcome.bundle).config
    assert config["training"]["precision"] == "bf16"
    assert config["parity"]["fp32_largest"] <= 1e-4


def test_export_fails_where_the_model_differs(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    plan = recipe(encoder, corpus_file, epochs=1)
    strict = plan.with_options({"export.int8_mean": 1e-9})
    with pytest.raises(ExportError, match=r"differs from torch.*export\.int8_mean.*--resume"):
        train(strict, tmp_path / "out", run=tmp_path / "run", progress=False)
    assert not (tmp_path / "out").exists()
    # What was trained is not lost: with another bound, the run goes on where it stopped.
    log = (tmp_path / "run" / "log.jsonl").read_bytes()
    outcome = train(plan, tmp_path / "out", run=tmp_path / "run", resume=True, progress=False)
    assert (tmp_path / "run" / "log.jsonl").read_bytes() == log
    assert 1e-9 < fn.Bundle.read(outcome.bundle).config["parity"]["int8_mean"] <= 0.01


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"training.epoch": 2}, RecipeError, "unknown key 'epoch' in [training]. Did you mean 'epochs'?"),
        ({"trainig.epochs": 2}, RecipeError, "unknown table [trainig]. Did you mean 'training'?"),
        ({"training.epochs": "two"}, RecipeError, "'training.epochs' is 'two'. It must be an integer."),
        ({"training.epochs": 0}, RecipeError, "'training.epochs' is 0. It must be at least 1."),
        ({"training.precision": "fp16"}, RecipeError, "one of auto, fp32, bf16"),
        ({"data.dev": "nothing"}, RecipeError, "no passages of split 'nothing'"),
        ({"data.corpus": []}, RecipeError, "names no corpus"),
        ({"model.encoder": "no/such-encoder-anywhere"}, BundleError, "cannot be loaded"),
    ],
)
def test_mistakes_in_a_recipe_are_named(
    encoder: Path, corpus_file: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        train(
            recipe(encoder, corpus_file).with_options(options), tmp_path / "out", run=tmp_path / "run", progress=False
        )
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "line", "remedy"),
    [
        ("epoch = 2", 9, "Did you mean 'epochs'?"),
        ("epochs = 2.5", 9, "It must be an integer."),
        ("epochs = 0", 9, "It must be at least 1."),
        ("cache = 1", 9, "It must be true or false."),
        ("[trainig]", 9, "Did you mean 'training'?"),
        ('"epoch" = 2', 9, "Did you mean 'epochs'?"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line_and_a_remedy(
    tmp_path: Path, wrong: str, line: int, remedy: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f'[card]\nlimits = """\nepochs = 3\nepoch = 3\n[trainig]\n"""\n\n[training]\n{wrong}\n')
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert remedy in str(caught.value)


def test_mistakes_in_the_data_stop_the_run(encoder: Path, tmp_path: Path) -> None:
    rows = [{**tiny.passages()[0], "narratives": {"nato": "aggression"}}]
    with pytest.raises(CorpusError, match="nato"):
        train(recipe(encoder, tiny.write_corpus(tmp_path / "bad.jsonl", rows)), tmp_path / "out", run=tmp_path / "run")


def test_a_packaged_encoder_with_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from fimi_nlp.training import encoders

    module, folder, _, *rest = encoders.PACKAGED["all-MiniLM-L6-v2"]
    monkeypatch.setitem(encoders.PACKAGED, "all-MiniLM-L6-v2", (module, folder, "0" * 64, *rest))
    with pytest.raises(BundleError, match="SHA-256"):
        encoders.load_encoder("all-MiniLM-L6-v2")


def test_the_packaged_encoder_is_there() -> None:
    from fimi_nlp.training.encoders import load_encoder

    base = load_encoder("all-MiniLM-L6-v2")
    assert (base.hidden, base.vocabulary, base.prefix, base.suffix, base.pad) == (384, 30522, (101,), (102,), 0)
    assert base.record["id"] == "sentence-transformers/all-MiniLM-L6-v2"


def test_the_lexical_branch_is_the_logistic_regression_that_was_fitted(encoder: Path, corpus_file: Path) -> None:
    from fimi_nlp.training.batches import encode
    from fimi_nlp.training.encoders import load_encoder
    from fimi_nlp.training.fitting import head_sizes
    from fimi_nlp.training.lexical import fit_lexical

    base, corpus = load_encoder(str(encoder)), fn.Corpus.read(corpus_file)
    ids = encode(corpus.texts, base, 64).ids
    sizes: HeadSizes = head_sizes(corpus.schema)
    branch = fit_lexical(ids, Targets.of(corpus), sizes, base.vocabulary, recipe(encoder, corpus_file).model)
    gold = corpus.label_arrays().narratives
    # Alone and padded, it tells the training passages apart.
    logits = []
    for line in ids:
        padded = torch.tensor([line + [base.pad] * 3])
        mask = torch.tensor([[1.0] * len(line) + [0.0] * 3])
        assert torch.allclose(branch(padded, mask), branch(torch.tensor([line]), mask[:, : len(line)]), atol=1e-5)
        logits.append(branch(padded, mask)[0, : sizes.narratives].numpy())
    assert ((np.stack(logits) > 0) == (gold > 0.5)).mean() > 0.97


def test_a_run_leaves_an_earlier_bundle_until_it_is_done(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train(recipe(encoder, corpus_file, epochs=1), out, run=tmp_path / "run", progress=False)
    before = fn.Bundle.read(out).name
    with pytest.raises(RecipeError):
        train(recipe(encoder, corpus_file).with_options({"data.dev": "no"}), out, run=tmp_path / "run", progress=False)
    assert fn.Bundle.read(out).name == before
    shutil.rmtree(tmp_path / "run")
    train(recipe(encoder, corpus_file, epochs=2), out, run=tmp_path / "run", progress=False)
    assert fn.Bundle.read(out).name != before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "run"]
