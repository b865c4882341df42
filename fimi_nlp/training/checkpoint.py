"""Checkpoints of a training run: tensors in safetensors, the rest in JSON, nothing pickled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from fimi_nlp.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

_TENSORS, _STATE = "checkpoint.safetensors", "checkpoint.json"


def save_model(model: nn.Module, path: Path) -> None:
    """Write a model's parameters and buffers."""
    save_file(_independent(model.state_dict()), path)


def load_model(model: nn.Module, path: Path) -> None:
    """Read what `save_model` wrote."""
    model.load_state_dict(load_file(path))


def save(
    folder: Path,
    *,
    model: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
) -> None:
    """Write a checkpoint; an interrupted write leaves the earlier one whole."""
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{key}": value for key, value in average.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in slots.items()}
    tensors["random"] = torch.get_rng_state()
    save_file(_independent(tensors), folder / f"{_TENSORS}.new")
    (folder / f"{_STATE}.new").write_text(json.dumps(state, indent=1), encoding="utf-8")
    for name in (_TENSORS, _STATE):
        (folder / f"{name}.new").replace(folder / name)


def restore(
    folder: Path, *, model: nn.Module, average: nn.Module | None, optimizer: torch.optim.Optimizer, same: dict[str, Any]
) -> dict[str, Any] | None:
    """Read a checkpoint into the objects of a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    model, average, optimizer
        As built for a fresh run.
    same : dict
        What must be as it was (recipe and data).

    Returns
    -------
    dict or None
        The state that `save` was given, and ``random``, the state of torch's generator; ``None`` where there is no
        checkpoint.

    Raises
    ------
    RecipeError
        The checkpoint is of another recipe or of other data.
    """
    if not (folder / _STATE).is_file():
        return None
    state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    for key, value in same.items():
        if state.get(key) != value:
            raise RecipeError(
                f"{folder / _STATE}: the checkpoint was made with another {key}.",
                remedy="Start afresh without --resume, or in another run folder.",
            )
    tensors = load_file(folder / _TENSORS)
    model.load_state_dict(_under(tensors, "model."))
    if average is not None:
        average.load_state_dict(_under(tensors, "average."))
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in _under(tensors, "optimizer.").items():
        index, _, name = key.partition(".")
        slots.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    # The caller sets the random state when it is about to go on: what it does until then may draw from it.
    return {**state, "random": tensors["random"]}


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def _independent(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses tensors that share memory or are not contiguous.
    return {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
