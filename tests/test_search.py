"""Hyper-parameter search: the space is data, weak trials are pruned, and the results are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.errors import RecipeError

pytest.importorskip("torch")
pytest.importorskip("optuna")

from fimi_nlp.training import Recipe, search

if TYPE_CHECKING:
    from pathlib import Path


def recipe(encoder: Path, space: dict[str, Any], **search: Any) -> Recipe:
    return Recipe.from_dict(
        {
            "model": {"encoder": str(encoder)},
            "training": {"epochs": 4, "patience": 0, "batch_size": 8, "learning_rate": 3e-3, "average": 0.0},
            "search": {"space": space, **search},
        }
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def parts() -> tuple[fn.Corpus, fn.Corpus]:
    corpus = fn.Corpus.read(tiny.passages())
    return corpus.filter(split="train"), corpus.filter(split="dev")


def test_a_search_finds_the_better_options_and_prunes_the_rest(
    encoder: Path, parts: tuple[fn.Corpus, fn.Corpus], tmp_path: Path
) -> None:
    space = {
        "training.head_learning_rate": {"low": 1e-6, "high": 1e-2, "log": True},
        "training.batch_size": {"choices": [8, 16]},
    }
    lines: list[str] = []
    result = search(recipe(encoder, space, startup=2), *parts, tmp_path, trials=10, say=lines.append)
    assert [trial.number for trial in result.trials] == list(range(10)) == list(range(len(lines)))
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    complete = [trial for trial in result.trials if trial.state == "complete"]
    assert pruned
    assert all(trial.epochs < 4 for trial in pruned)
    assert all(trial.epochs == 4 for trial in complete)
    assert result.best.value == max(trial.value for trial in complete)
    assert result.recipe.training.head_learning_rate == result.best.options["training.head_learning_rate"]
    assert result.recipe.training.epochs == 4
    data = json.loads((tmp_path / "search.json").read_text())
    assert data["best"] == result.best.options
    assert len(data["trials"]) == 10
    assert (tmp_path / "search.md").read_text().count("\n") == 12
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")


def test_the_budget_ends_a_search_but_not_before_its_first_trial(
    encoder: Path, parts: tuple[fn.Corpus, fn.Corpus], tmp_path: Path
) -> None:
    plan = recipe(encoder, {"model.lexical_weight": {"low": 0.1, "high": 0.5}}).with_options({"training.epochs": 1})
    result = search(plan, *parts, tmp_path, trials=50, minutes=1e-6)
    assert len(result.trials) == 1
    assert 0 < result.best.value <= 1


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "no search space"),
        ({"training.learning_rat": {"low": 0.1, "high": 0.2}}, "Did you mean 'learning_rate'"),
        ({"training.learning_rate": {"low": 0.2, "high": 0.1}}, "low = A, high = B"),
        ({"training.learning_rate": {"low": 0.2, "high": 7.0}}, "between 0 and 1"),
        ({"training.learning_rate": [0.1, 0.2]}, "low = A, high = B"),
        ({"training.learning_rate": {"lo": 0.1, "high": 0.2}}, "unknown key 'lo'"),
        ({"training.batch_size": {"choices": []}}, "choices"),
        ({"training": {"learning_rate": {"low": 0.1, "high": 0.2}}}, "in quotation marks"),
        ({"few_shot.pairs": {"low": 1, "high": 9}}, "'few_shot.pairs' is no option that a search can vary"),
    ],
)
def test_mistakes_in_a_space_are_named_before_anything_is_trained(
    encoder: Path, parts: tuple[fn.Corpus, fn.Corpus], tmp_path: Path, space: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        search(recipe(encoder, space), *parts, tmp_path / "out")
    assert message in str(caught.value)
    assert not list((tmp_path / "out").glob("trial-*"))


def test_what_does_not_go_with_a_search_is_refused(
    encoder: Path, parts: tuple[fn.Corpus, fn.Corpus], tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    from fimi_nlp.cli import app

    few = recipe(encoder, {"training.batch_size": {"choices": [8]}}).with_options({"few_shot.examples": 4})
    with pytest.raises(RecipeError, match="Leave one of the two out"):
        search(few, *parts, tmp_path / "out")
    path = tmp_path / "recipe.toml"
    path.write_text("[model]\n")
    result = CliRunner().invoke(app, ["train", str(path), "--minutes", "5", "--out", str(tmp_path / "model")])
    assert result.exit_code == 2
    assert "--search" in result.output


def test_a_space_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[search]\nseed = 3\n[search.space]\n"training.learning_rate" = { low = 1e-4, high = 1e-3 }\n')
    found = Recipe.from_toml(path).search
    assert (found.seed, found.space) == (3, {"training.learning_rate": {"low": 1e-4, "high": 1e-3}})
    path.write_text('[search]\nspace = "all"\n')
    with pytest.raises(RecipeError, match="must be a table"):
        Recipe.from_toml(path)


def test_the_command_searches_and_then_trains_with_the_best(encoder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fimi_nlp.cli import app

    path = tmp_path / "recipe.toml"
    tiny.write_corpus(tmp_path / "c.jsonl")
    path.write_text(
        f'[model]\nname = "found"\nencoder = "{encoder}"\n[data]\ncorpus = ["c.jsonl"]\n'
        "[training]\nepochs = 2\nbatch_size = 8\nlearning_rate = 3e-3\naverage = 0.0\n[export]\nparity_texts = 8\n"
        '[search.space]\n"training.token_masking" = { choices = [0.05] }\n'
    )
    options = ["--search", "1", "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run")]
    result = CliRunner().invoke(app, ["train", str(path), *options])
    assert result.exit_code == 0, result.output
    assert "| 0 | complete |" in result.output
    assert (tmp_path / "run" / "search" / "search.png").is_file()
    config = fn.Bundle.read(tmp_path / "out").config
    assert config["training"]["recipe"]["training"]["token_masking"] == 0.05
