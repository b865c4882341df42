"""Train a bundle of your own. Needs ``pip install "fimi-nlp[train]"``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fimi_nlp.errors import require

if TYPE_CHECKING:
    from fimi_nlp.training.recipe import Recipe
    from fimi_nlp.training.run import TrainingResult, train

__all__ = ["Recipe", "TrainingResult", "train"]


def __getattr__(name: str) -> Any:
    homes = {"Recipe": "recipe", "TrainingResult": "run", "train": "run"}
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "Recipe":
        require("train", "torch", "transformers", "accelerate", "sklearn", "onnx", "matplotlib")
    return getattr(importlib.import_module(f"{__name__}.{homes[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
