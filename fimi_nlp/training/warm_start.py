"""Start from a trained model: its encoder, and its heads for the labels that both schemas have.

A run folder holds the weights as they were trained. A bundle holds them in int8 and fused: they are found again by the
names of the graph's nodes and brought back to float32, each weight within half a step of its scale. A tensor of the
base encoder that lies within those bounds throughout was not trained, and is taken from the base encoder, exactly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file

from fimi_nlp.errors import BundleError
from fimi_nlp.schema import LabelSchema
from fimi_nlp.training.checkpoint import save_model

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from fimi_nlp.schema import Label
    from fimi_nlp.training.encoders import BaseEncoder
    from fimi_nlp.training.model import NarrativeModel

    Floats = npt.NDArray[np.float32]

#: What a run leaves for others to start from.
WEIGHTS, SCHEMA = "weights.safetensors", "schema.json"
_QKV = ("query", "key", "value")
_QUANTISED = "_quantized"


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights of a trained network.

    Attributes
    ----------
    weights : dict of str to Tensor
        As in the network's ``state_dict``, without its lexical branch.
    steps : dict of str to Tensor
        By how much a weight may be off, for those that were rounded; it broadcasts to the weight.
    schema : LabelSchema
        Names the outputs of the heads.
    vocabulary : dict of str to int, or None
        Of its tokenizer, where it is known.
    """

    weights: dict[str, Tensor]
    steps: dict[str, Tensor]
    schema: LabelSchema
    vocabulary: dict[str, int] | None


def save_weights(folder: Path, model: NarrativeModel, schema: LabelSchema) -> None:
    """Leave a trained network in the folder of its run."""
    save_model(model, folder / WEIGHTS)
    (folder / SCHEMA).write_text(json.dumps(schema.to_dict(), ensure_ascii=False), encoding="utf-8")


def read_trained(source: str) -> Trained:
    """Read a run folder, or a bundle as `fimi_nlp.load` takes it (``default`` for the bundled one).

    Raises
    ------
    BundleError
        There is no such thing, or its encoder cannot be found in the graph.
    """
    folder = Path(source)
    if (folder / WEIGHTS).is_file():
        schema = LabelSchema.from_dict(json.loads((folder / SCHEMA).read_text(encoding="utf-8")))
        weights = {k: v for k, v in load_file(folder / WEIGHTS).items() if not k.startswith("lexical")}
        return Trained(weights, {}, schema, None)
    return _read_bundle(source)


def start_from(model: NarrativeModel, base: BaseEncoder, schema: LabelSchema, source: str) -> list[str]:
    """Load trained weights into a network.

    Parameters
    ----------
    model : NarrativeModel
        As built, on `base`; changed in place.
    base : BaseEncoder
        Its encoder, as it was before training.
    schema : LabelSchema
        Of the network.
    source : str
        A run folder, a bundle, or ``default``.

    Returns
    -------
    list of str
        The narratives whose heads were taken over.

    Raises
    ------
    BundleError
        The encoders or their tokenizers differ.
    """
    trained = read_trained(source)
    if trained.vocabulary is not None and trained.vocabulary != base.tokenizer.get_vocab():
        raise BundleError(
            f"{source}: its tokenizer is not that of the encoder '{base.record['id']}'.",
            remedy="Set model.encoder to the encoder that it was trained from.",
        )
    state = model.state_dict()
    for name, value in state.items():
        if name.startswith("encoder.") or name.split(".")[0] in {"mix", "pool"}:
            state[name] = _taken(name, value, trained, source)
    _take_heads(state, trained, schema)
    model.load_state_dict(state)
    return [label for label in schema.narrative_labels if label in trained.schema.narrative_labels]


def _taken(name: str, own: Tensor, trained: Trained, source: str) -> Tensor:
    """The trained value of a tensor that does not depend on the labels."""
    if name == "pool.query":
        return own  # one row a label: see `_take_heads`
    found = trained.weights.get(name)
    if found is None and name.startswith("encoder.pooler."):
        return own  # not used, and not exported
    if found is None or found.shape != own.shape:
        what = "is not there" if found is None else f"has shape {tuple(found.shape)}, not {tuple(own.shape)}"
        raise BundleError(
            f"{source}: '{name}' {what}.",
            remedy="Set model.encoder to the encoder that it was trained from. Of encoders other than BERT, a bundle"
            " does not give back the weights: start from the folder of the run that made it.",
        )
    step = trained.steps.get(name)
    if step is not None and bool(((found - own).abs() <= 0.5001 * step).all()):
        return own
    return found


def _take_heads(state: dict[str, Tensor], trained: Trained, schema: LabelSchema) -> None:
    """Rows of the heads, by the names of their labels."""
    old, weights = trained.schema, trained.weights
    theirs = {label: row for row, label in enumerate(old.narrative_labels)}
    for row, label in enumerate(schema.narratives):
        if (at := theirs.get(label.label)) is None:
            continue
        for name in ("narrative_weight", "narrative_bias", "pool.query"):
            state[name][row] = weights[name][at]
        _take_classes(
            state, weights, f"sub_heads.{row}", f"sub_heads.{at}", label.sub_labels, old.narratives[at].sub_labels
        )
    for offset, head in enumerate(("stance", "origin")):
        mine: tuple[Label, ...] = getattr(schema, f"{head}s")
        known: tuple[Label, ...] = getattr(old, f"{head}s")
        if mine and known:
            state["pool.query"][len(schema.narratives) + offset] = weights["pool.query"][len(theirs) + offset]
            names = [label.label for label in mine], [label.label for label in known]
            _take_classes(state, weights, f"{head}_head", f"{head}_head", *names)


def _take_classes(
    state: dict[str, Tensor], weights: dict[str, Tensor], mine: str, theirs: str, labels: Any, known: Any
) -> None:
    for row, label in enumerate(labels):
        if label in known:
            at = list(known).index(label)
            state[f"{mine}.weight"][row] = weights[f"{theirs}.weight"][at]
            state[f"{mine}.bias"][row] = weights[f"{theirs}.bias"][at]


def _read_bundle(source: str) -> Trained:
    import onnx
    from tokenizers import Tokenizer

    from fimi_nlp.bundle import Bundle, find

    bundle = Bundle.read(find(None if source == "default" else source))
    graph = onnx.load(str(bundle.model_path)).graph
    weights, steps = _weights(graph)
    vocabulary = Tokenizer.from_file(str(bundle.tokenizer_path)).get_vocab()
    return Trained(weights, steps, bundle.schema, vocabulary)


def _weights(graph: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights under the names of the network, and the steps of those that were rounded."""
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values, steps = _dequantised(stored)
    found: dict[str, Floats] = {}
    widths: dict[str, Floats] = {}

    def put(name: str, key: str, *, transposed: bool = False) -> None:
        found[name] = values[key].T if transposed else values[key]
        if key in steps:
            widths[name] = steps[key].reshape(-1, 1) if transposed else steps[key]

    for key in values:
        if key.startswith("Attention_") and key.endswith("_qkv_weight"):
            _put_attention(key, values, steps, found, widths)
        elif key.endswith(".weight_Transposed"):
            put(key.removesuffix("_Transposed"), key, transposed=True)
        elif key.split(".")[0] in _MODULES:
            put(key, key)
    # The exporter gives constant-folded products numbers for names; the node that uses one is named after its module.
    for node in graph.node:
        for key in node.input:
            key = key.removesuffix(_QUANTISED)
            if node.op_type in {"MatMul", "MatMulInteger"} and key.startswith("onnx::") and key in values:
                module = node.name.rpartition("/")[0].strip("/").replace("/", ".")
                name = "pool.query" if module == "pool" else f"{module}.weight"
                put(name, key, transposed=True)
    return (
        {name: torch.tensor(value, dtype=torch.float32) for name, value in found.items()},
        {name: torch.tensor(value, dtype=torch.float32) for name, value in widths.items()},
    )


_MODULES = {
    "encoder",
    "pool",
    "mix",
    "narrative_weight",
    "narrative_bias",
    "sub_heads",
    "stance_head",
    "origin_head",
}


def _dequantised(stored: dict[str, npt.NDArray[Any]]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Tensors as floats, and the steps of those that were stored as integers; per channel means per column."""
    values: dict[str, Floats] = {}
    steps: dict[str, Floats] = {}
    for key, tensor in stored.items():
        if key.endswith(_QUANTISED):
            name = key.removesuffix(_QUANTISED)
            step, zero = stored[f"{name}_scale"], stored[f"{name}_zero_point"]
            values[name] = (tensor.astype(np.float32) - zero.astype(np.float32)) * step
            steps[name] = step
        elif tensor.dtype == np.float32 and not key.endswith("_scale"):
            values[key] = tensor
    return values, steps


def _put_attention(
    key: str,
    values: dict[str, Floats],
    steps: dict[str, Floats],
    found: dict[str, Floats],
    widths: dict[str, Floats],
) -> None:
    """Take the fused weights of query, key and value apart again."""
    stem = key.removesuffix("_weight")
    layer = stem.removeprefix("Attention_").removesuffix("_qkv")
    for part, weight, bias, step in zip(
        _QKV,
        np.split(values[key], 3, axis=1),
        np.split(values[f"{stem}_bias"], 3),
        np.split(steps[key], 3) if key in steps else (None,) * 3,
        strict=True,
    ):
        module = f"encoder.encoder.layer.{layer}.attention.self.{part}"
        found[f"{module}.weight"], found[f"{module}.bias"] = weight.T, bias
        if step is not None:
            widths[f"{module}.weight"] = step.reshape(-1, 1)
