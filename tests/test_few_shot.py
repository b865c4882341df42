"""A bundle from a handful of examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.data import Corpus, Passage
from fimi_nlp.errors import InputError, RecipeError

torch = pytest.importorskip("torch")

from fimi_nlp.training import Recipe, draw_examples, fit_few_shot, train  # noqa: E402
from fimi_nlp.training.batches import Targets  # noqa: E402
from fimi_nlp.training.encoders import load_encoder  # noqa: E402
from fimi_nlp.training.experiments import logits_of  # noqa: E402
from fimi_nlp.training.fewshot import pairs_of  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

LABELS = fn.LabelSchema.default().narrative_labels


def recipe(encoder: Path, **few_shot: Any) -> Recipe:
    settings = {"examples": 6, "learning_rate": 3e-3, "pairs": 10, "epochs": 2, "strength": 10.0}
    return Recipe.from_dict(
        {
            "model": {"name": "few", "encoder": str(encoder)},
            "few_shot": settings | few_shot,
            "export": {"parity_texts": 8, "window": 32, "limit": 64},
        }
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus.read(tiny.passages())


def test_so_many_examples_of_each_label_are_drawn(corpus: Corpus) -> None:
    examples = draw_examples(corpus, 5, seed=1)
    counts = {label: sum(p.carries(label) for p in examples) for label in LABELS}
    assert counts == dict.fromkeys(LABELS, 5)
    assert sum(p.narratives == {} for p in examples) == 5
    assert len(examples) == 25
    assert draw_examples(corpus, 5, seed=1) == examples
    assert draw_examples(corpus, 5, seed=2) != examples
    with pytest.raises(InputError, match="No training passage carries 'us_democracy'"):
        draw_examples(corpus.filter(lambda p: not p.carries("us_democracy")), 5)


def test_pairs_are_alike_exactly_where_a_narrative_is_shared() -> None:
    rows: list[tuple[dict[str, Any], set[str]]] = [
        ({"nato_alliances": None}, set()),
        ({"nato_alliances": None, "multipolarity": None}, set()),
        ({"multipolarity": None}, set()),
        ({}, set()),
        ({}, set()),
        ({"us_democracy": None}, {"nato_alliances"}),
    ]
    passages = [Passage(str(i), "x", n, not_annotated=frozenset(unknown)) for i, (n, unknown) in enumerate(rows)]
    pairs = pairs_of(Targets.of(Corpus(passages)), 30, seed=0)
    alike = {frozenset(pair[:2]) for pair in pairs if pair[2] == 1}
    apart = {frozenset(pair[:2]) for pair in pairs if pair[2] == 0}
    assert alike == {frozenset((0, 1)), frozenset((1, 2))}
    assert {frozenset((0, 2)), frozenset((0, 3)), frozenset((2, 5))} <= apart
    # Two passages without narratives say nothing, nor does a cell that nobody annotated.
    assert not {frozenset((3, 4)), frozenset((0, 5)), frozenset((1, 5))} & (alike | apart)


def test_contrast_pulls_passages_of_a_narrative_together_and_helps(
    encoder: Path, corpus: Corpus, tmp_path: Path
) -> None:
    parts = corpus.filter(split="train"), corpus.filter(split="dev")
    test = corpus.filter(split="test")
    gold = test.label_arrays().narratives > 0.5
    same = (gold.astype(int) @ gold.astype(int).T) > 0
    gaps, right = {}, {}
    for epochs in (0, 2):
        plan = recipe(encoder, epochs=epochs)
        fitted = fit_few_shot(plan, *parts, tmp_path / str(epochs), progress=False)
        logits = logits_of(fitted, test.texts, plan)
        right[epochs] = ((logits[:, :4] > 0) == gold).mean()
        with torch.no_grad():
            network: Any = fitted.model
            ids = [torch.tensor([[*fitted.base.prefix, *fitted.base.tokenizer.encode(t, add_special_tokens=False).ids]])
                   for t in test.texts]  # fmt: skip
            vectors = torch.cat([network.embed(i, torch.ones_like(i)) for i in ids]).numpy()
        cosine = vectors @ vectors.T
        off = ~np.eye(len(cosine), dtype=bool)
        gaps[epochs] = cosine[same & off].mean() - cosine[~same & off].mean()
    assert gaps[2] > gaps[0] + 0.2
    assert right[2] >= right[0]
    assert right[2] > 0.9


def test_the_outcome_is_a_bundle(encoder: Path, tmp_path: Path) -> None:
    path = tiny.write_corpus(tmp_path / "c.jsonl")
    outcome = train(recipe(encoder), tmp_path / "out", data=[path], run=tmp_path / "run", progress=False)
    tagger = fn.load(outcome.bundle)
    assert tagger.tag("We all know that NATO keeps expanding and provokes war today.").labels == ("nato_alliances",)
    assert outcome.reports["dev"].macro_f1 > 0.7
    record = tagger.bundle.config["training"]
    assert record["data"]["passages"]["train"] == len(Corpus.read(tmp_path / "run" / "examples.jsonl"))
    assert record["data"]["passages"]["train"] < 48
    assert "6 examples of each narrative" in (outcome.bundle / "README.md").read_text()


def test_without_progress_nothing_is_shown(
    encoder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModel
    from transformers.utils import logging

    seen: list[bool] = []
    real = AutoModel.from_pretrained

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(logging.is_progress_bar_enabled())
        return real(*args, **options)

    monkeypatch.setattr(AutoModel, "from_pretrained", watched)
    before = logging.is_progress_bar_enabled()
    data = [tiny.write_corpus(tmp_path / "c.jsonl")]
    logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        train(recipe(encoder), tmp_path / "out", data=data, run=tmp_path / "run", progress=False)
        out, err = capfd.readouterr()
        assert "Loading weights" not in out + err
        assert "%|" not in out + err
        # The user's setting is as it was, whichever it was.
        assert logging.is_progress_bar_enabled()
        load_encoder(str(encoder))
        assert "Loading weights" in capfd.readouterr().err
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        load_encoder(str(encoder), progress=False)
        assert not logging.is_progress_bar_enabled()
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()  # type: ignore[no-untyped-call]
    assert seen == [False, True, False]


def test_the_command_line_trains_on_a_few_examples(encoder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fimi_nlp.cli import app

    path, data = tmp_path / "r.toml", tiny.write_corpus(tmp_path / "c.jsonl")
    path.write_text(
        f"""[model]
name = "few"
encoder = "{encoder.as_posix()}"
[few_shot]
learning_rate = 3e-3
pairs = 10
epochs = 2
[export]
parity_texts = 8
window = 32
limit = 64
"""
    )
    places = ["--data", str(data), "--run", str(tmp_path / "run"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["train", str(path), "--few-shot", "5", *places])
    assert result.exit_code == 0, result.output
    examples = Corpus.read(tmp_path / "run" / "examples.jsonl")
    assert {label: sum(p.carries(label) for p in examples) for label in LABELS} == dict.fromkeys(LABELS, 5)
    record = fn.load(tmp_path / "out").bundle.config["training"]
    assert record["data"]["passages"]["train"] == len(examples) == 25
    assert record["recipe"]["few_shot"]["examples"] == 5
    refused = CliRunner().invoke(app, ["train", str(path), "--few-shot", "0", *places])
    assert refused.exit_code == 2


def test_settings_that_make_no_sense_are_refused(encoder: Path) -> None:
    with pytest.raises(RecipeError, match=r"few_shot\.pairs"):
        recipe(encoder, pairs=0)
