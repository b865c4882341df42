"""Train a bundle of your own. Needs ``pip install "fimi-nlp[train]"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fimi_nlp._lazy import attach
from fimi_nlp.errors import require

if TYPE_CHECKING:
    from fimi_nlp.training.distil import answers_of, write_answers
    from fimi_nlp.training.fewshot import draw_examples, fit_few_shot
    from fimi_nlp.training.plain import Agreement, to_transformers
    from fimi_nlp.training.recipe import Recipe
    from fimi_nlp.training.run import TrainingResult, train
    from fimi_nlp.training.searching import SearchResult, search

__all__ = [
    "Agreement",
    "Recipe",
    "SearchResult",
    "TrainingResult",
    "answers_of",
    "draw_examples",
    "fit_few_shot",
    "search",
    "to_transformers",
    "train",
    "write_answers",
]

_HOMES = {
    "Agreement": "plain",
    "Recipe": "recipe",
    "SearchResult": "searching",
    "TrainingResult": "run",
    "answers_of": "distil",
    "draw_examples": "fewshot",
    "fit_few_shot": "fewshot",
    "search": "searching",
    "to_transformers": "plain",
    "train": "run",
    "write_answers": "distil",
}
_load, __dir__ = attach(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES and name != "Recipe":  # a recipe can be read and checked without torch
        require("train", "torch", "transformers", "accelerate", "sklearn", "onnx", "matplotlib")
    return _load(name)
