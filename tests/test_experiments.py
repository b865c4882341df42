"""Frozen layers, cached states, several seeds, and plans of experiments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.errors import RecipeError

torch = pytest.importorskip("torch")

from fimi_nlp.training import Recipe, train  # noqa: E402
from fimi_nlp.training.batches import Collate  # noqa: E402
from fimi_nlp.training.encoders import load_encoder  # noqa: E402
from fimi_nlp.training.experiment_table import table  # noqa: E402
from fimi_nlp.training.experiments import Plan, deal, read_records_of, run_plan  # noqa: E402
from fimi_nlp.training.fitting import build_model, head_sizes  # noqa: E402
from fimi_nlp.training.frozen import StateCollate, Upper, lower_states  # noqa: E402
from fimi_nlp.training.judging import Judge  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["NATO keeps expanding and provokes war.", "rain", "money and donors own the American congress today"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_encoder(tmp_path_factory.mktemp("encoder") / "tiny", layers=2)


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_corpus(tmp_path_factory.mktemp("corpus") / "passages.jsonl")


def recipe(encoder: Path, corpus: Path, model: dict[str, Any] | None = None, **training: Any) -> Recipe:
    settings = {"epochs": 2, "patience": 0, "batch_size": 8, "learning_rate": 3e-3, "average": 0.5, "joining": 0.2}
    return Recipe.from_dict(
        {
            "model": {"name": "tiny", "encoder": str(encoder)} | (model or {}),
            "data": {"corpus": [str(corpus)], "report": ["test"]},
            "training": settings | training,
            "export": {"parity_texts": 12, "window": 32, "limit": 64},
        }
    )


def test_cached_states_give_the_same_answer(encoder: Path, corpus_file: Path) -> None:
    plan = recipe(encoder, corpus_file, {"freeze_layers": 1, "encoder_dropout": 0.0})
    base = load_encoder(str(encoder))
    model = build_model(base, head_sizes(fn.LabelSchema.default()), plan).eval()
    ids = [base.tokenizer.encode(text).ids for text in TEXTS]
    states = lower_states(model, ids, base.pad, 1)
    assert [len(line) for line in states] == [len(line) for line in ids]
    pairs = [(0, -1), (1, -1), (2, -1)]
    whole = Collate(ids, 1, 1, base.pad)(pairs)
    upper = StateCollate(states, 1, 1)(pairs)
    with torch.no_grad():
        expected = model(whole["inputs"], whole["attention_mask"])
        found = Upper(model, 1)(upper["inputs"], upper["attention_mask"])
    assert torch.allclose(expected.logits, found.logits, atol=1e-5)
    assert torch.allclose(expected.embedding, found.embedding, atol=1e-5)
    # A join leaves out the special tokens in the middle, as it does of token ids.
    joined = StateCollate(states, 1, 1)([(0, 1)])
    assert joined["inputs"].shape[1] == Collate(ids, 1, 1, base.pad)([(0, 1)])["inputs"].shape[1]


def test_frozen_layers_do_not_move_and_the_others_do(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    from fimi_nlp.training.fitting import fit

    plan = recipe(encoder, corpus_file, {"freeze_layers": 1}, cache=True)
    corpus = fn.Corpus.read(corpus_file)
    fitted = fit(
        plan, corpus.filter(split="train"), corpus.filter(split="dev"), tmp_path, fingerprint="x", progress=False
    )
    before = dict(load_encoder(str(encoder)).encoder.named_parameters())
    for name, parameter in fitted.model.encoder.named_parameters():
        still = name.startswith(("embeddings.", "encoder.layer.0."))
        if name.startswith("pooler"):
            continue
        assert torch.equal(parameter.detach(), before[name].detach()) == still, name


def test_more_frozen_layers_than_there_are(encoder: Path, corpus_file: Path) -> None:
    with pytest.raises(RecipeError, match=r"freeze_layers is 3, but the encoder has 2 layers\. Set it from 0 to 2"):
        build_model(
            load_encoder(str(encoder)),
            head_sizes(fn.LabelSchema.default()),
            recipe(encoder, corpus_file, {"freeze_layers": 3}),
        )
    with pytest.raises(RecipeError, match=r"unless model\.freeze_layers is set"):
        recipe(encoder, corpus_file, cache=True)


def test_the_average_of_seeds_is_no_worse_on_dev(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    plan = recipe(encoder, corpus_file, {"freeze_layers": 1, "lexical": False}, seeds=3, epochs=4, cache=True)
    result = train(plan, tmp_path / "bundle", run=tmp_path / "run", progress=False)
    config = fn.Bundle.read(result.bundle).config["training"]
    assert config["averaged_seeds"]
    assert {record["seed"] for record in config["history"]} == {0, 1, 2}
    assert len(config["history"]) == 12
    assert sorted(path.name for path in (tmp_path / "run").glob("seed-*")) == ["seed-0", "seed-1", "seed-2"]
    # Nothing is trained again, and the same bundle comes out.
    again = train(plan, tmp_path / "again", run=tmp_path / "run", resume=True, progress=False)
    assert fn.load(again.bundle).tag(TEXTS[0]).scores == fn.load(result.bundle).tag(TEXTS[0]).scores


def test_sources_are_dealt_to_even_folds() -> None:
    rows = [{"text": f"Text number {i}.", "source": "abcd"[min(i // 4, 3)]} for i in range(20)]
    folds = deal(fn.Corpus.read(rows), "source", 3)
    assert sorted(value for fold in folds for value in fold) == ["a", "b", "c", "d"]
    assert folds[0] == ("d",)
    assert len(deal(fn.Corpus.read(rows), "source", 9)) == 4


def _plan(folder: Path, encoder: Path, corpus: Path, text: str) -> Path:
    lines = [f'[model]\nname = "tiny"\nencoder = "{encoder}"\nlexical = false\n[data]\nreport = ["test"]\n']
    lines.append("[training]\nepochs = 1\nbatch_size = 8\nlearning_rate = 3e-3\n")
    (folder / "recipe.toml").write_text("".join(lines))
    (folder / "plan.toml").write_text(f'recipe = "recipe.toml"\nseeds = [0, 1]\n{text}')
    return folder / "plan.toml"


def test_a_plan_is_run_once(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    tiny.write_corpus(tmp_path / "more.jsonl", [{"id": "m1", "text": "a bridge opened", "narratives": {}}])
    path = _plan(
        tmp_path,
        encoder,
        corpus_file,
        '[[experiment]]\nname = "plain"\n[[experiment]]\nname = "more"\nextra = ["more.jsonl"]\nnote = "why"\n'
        '[[experiment]]\nname = "out"\nfolds = 2\nby = "source"\n[[experiment]]\nname = "half"\nshare = 0.5\n',
    )
    out = tmp_path / "experiments.jsonl"
    said: list[str] = []
    run_plan(Plan.from_toml(path), [corpus_file], out, tmp_path / "runs", only=["plain", "more"], say=said.append)
    records = read_records_of(out)
    assert [record["run"] for record in records] == ["plain-seed0", "plain-seed1", "more-seed0", "more-seed1"]
    assert [record["data"]["train"] for record in records] == [48, 48, 49, 49]
    assert records[2]["note"] == "why"
    assert 0 <= records[0]["behavioural"]["fair"] <= 1
    assert records[0]["config"]["training"]["epochs"] == 1
    assert set(records[0]["figures"]) == {"dev", "test"}
    assert 0 <= records[0]["figures"]["test"]["macro_f1"] <= 1
    run_plan(Plan.from_toml(path), [corpus_file], out, tmp_path / "runs", say=said.append)
    assert said.count("plain-seed0: done already") == 1
    records = read_records_of(out)
    left = [record for record in records if record["experiment"] == "out"]
    assert [record["left_out"] for record in left] == [["s0"], ["s1"], ["s0"], ["s1"]]
    assert all(record["figures"].keys() == {"left_out"} for record in left)
    assert left[0]["figures"]["left_out"]["n"] + left[1]["figures"]["left_out"]["n"] == 72
    half = [record["data"]["train"] for record in records if record["experiment"] == "half"]
    assert half == [24, 24]
    assert str(tmp_path) not in json.dumps(records)


def test_experiments_side_by_side() -> None:
    def record(name: str, seed: int, f1: float) -> dict[str, Any]:
        return {"experiment": name, "seed": seed, "figures": {"test": {"macro_f1": f1, "flagged": {"all": 0.1}}}}

    text = table([record("a", 0, 0.5), record("a", 1, 0.7), record("b", 0, 0.4), record("b", 0, 0.6)])
    assert "### `test`" in text
    assert "| `a` | 2 | 0.600 ± 0.141 |" in text
    # Two folds of one seed are one value, without a spread.
    assert "| `b` | 1 | 0.500 |" in text
    assert "0.100" in text


def test_a_plan_with_a_typing_error(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    path = _plan(tmp_path, encoder, corpus_file, '[[experiment]]\nname = "a"\nfold = 2\n')
    with pytest.raises(RecipeError, match=r"experiment 1: unknown key 'fold'.*'folds'"):
        Plan.from_toml(path)
    path = _plan(tmp_path, encoder, corpus_file, '[[experiment]]\nname = "abc"\n')
    with pytest.raises(RecipeError, match=r"no experiment 'abd'.*'abc'"):
        run_plan(Plan.from_toml(path), [corpus_file], tmp_path / "x.jsonl", tmp_path, only=["abd"])


def test_nothing_is_fitted_to_the_parts_that_are_judged() -> None:
    corpus = fn.Corpus.read(tiny.passages())
    dev, test = corpus.filter(split="dev"), corpus.filter(split="test")
    outputs = head_sizes(corpus.schema).total
    generator = np.random.default_rng(0)
    logits = {
        name: generator.normal(size=(len(part), outputs)).astype(np.float32)
        for name, part in (("dev", dev), ("test", test))
    }
    judge = Judge(logits["dev"], dev)
    alone = judge.report(logits["dev"], dev).to_dict()
    judge.report(-logits["test"], test)
    assert judge.report(logits["dev"], dev).to_dict() == alone
    # Other dev logits give other thresholds: the fit is to dev.
    assert Judge(-logits["dev"], dev).calibration != judge.calibration
