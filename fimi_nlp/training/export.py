"""From the trained network to a bundle: ONNX, fused, int8, gated by parity with torch.

The legacy exporter with eager attention is the one path on which ONNX Runtime's optimizer fuses attention and the
embedding layer. Weights are quantised per channel; the small heads and the lexical tables stay as they are.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fimi_nlp.bundle import CONFIG, FORMAT, MODEL, TOKENIZER, VERSION, sha256
from fimi_nlp.decision import sigmoid
from fimi_nlp.errors import ExportError
from fimi_nlp.runtime import SLOW_FUSIONS
from fimi_nlp.training.graph import unfuse_layer_norm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.training.encoders import BaseEncoder
    from fimi_nlp.training.model import NarrativeModel
    from fimi_nlp.training.recipe import Recipe

OPSET = 17
#: The largest difference of a probability between torch and fp32 ONNX.
FP32_LARGEST = 1e-4


@dataclass(frozen=True, slots=True)
class Parity:
    """Differences of the narratives' probabilities from torch on a fixed set of passages.

    Attributes
    ----------
    texts : int
        How many passages.
    fp32_largest, fp32_mean, int8_largest, int8_mean : float
        Absolute differences.
    """

    texts: int
    fp32_largest: float
    fp32_mean: float
    int8_largest: float
    int8_mean: float

    def check(self, int8_mean: float) -> None:
        """Raise `ExportError` where a bound is passed; that of int8 is the recipe's."""
        if self.fp32_largest > FP32_LARGEST:
            raise ExportError(
                f"The exported fp32 model differs from torch by up to {self.fp32_largest:.2e} (bound"
                f" {FP32_LARGEST:.0e}).",
                remedy="Check the versions of torch, onnx and onnxruntime.",
            )
        if self.int8_mean > int8_mean:
            raise ExportError(
                f"The exported int8 model differs from torch by {self.int8_mean:.4f} on average and"
                f" {self.int8_largest:.2f} at most (bound of the mean: {int8_mean}).",
                remedy="Train longer or on more passages; or allow more with export.int8_mean, and go on from the"
                " trained weights with --resume.",
            )


def export_onnx(model: NarrativeModel, folder: Path, *, heads: int, hidden: int) -> tuple[Path, Path]:
    """Write the fused fp32 model and its int8 version.

    Parameters
    ----------
    model : NarrativeModel
        Trained; its encoder is switched to eager attention.
    folder : Path
        Where ``fp32.onnx`` and ``model.onnx`` go.
    heads, hidden : int
        Attention heads and width of the encoder, for the fusion.
    """
    plain, fused, small = folder / "plain.onnx", folder / "fp32.onnx", folder / MODEL
    _trace(model, plain)
    _fuse(plain, fused, heads=heads, hidden=hidden)
    _quantise(fused, small)
    unfuse_layer_norm(small)
    plain.unlink()
    return fused, small


def _trace(model: NarrativeModel, path: Path) -> None:
    model = model.eval().cpu()
    switch = getattr(model.encoder, "set_attn_implementation", None)
    if switch is not None:
        switch("eager")
    ids = torch.ones(2, 12, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of the shape checks in transformers, and of itself being the older exporter.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits", "embedding"],
            dynamic_axes={
                "input_ids": axes,
                "attention_mask": axes,
                "logits": {0: "batch"},
                "embedding": {0: "batch"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def _fuse(source: Path, target: Path, *, heads: int, hidden: int) -> None:
    from onnxruntime.transformers import optimizer

    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    fused = optimizer.optimize_model(str(source), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=0)
    fused.save_model_to_file(str(target))


def _quantise(source: Path, target: Path) -> None:
    import onnx

    graph = onnx.load(str(source)).graph
    # The encoder's work is in fused nodes and in MatMuls under its name; everything else is small and stays fp32.
    kept = [n.name for n in graph.node if n.op_type in {"MatMul", "Gemm"} and "/encoder/" not in n.name]
    kept += [f"{name}_MatMul" for name in kept]  # what the quantiser calls the product in a Gemm
    logging.disable(logging.WARNING)  # it recommends a preparation that fusing has made needless
    try:
        _quantise_nodes(source, target, kept)
    finally:
        logging.disable(logging.NOTSET)


def _quantise_nodes(source: Path, target: Path, kept: list[str]) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        op_types_to_quantize=["MatMul", "Attention", "EmbedLayerNormalization"],
        per_channel=True,
        # Weights of seven bits: processors with AVX2 and no VNNI add in 16 bits, which eight bits overflow.
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=kept,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def onnx_logits(path: Path, ids: Sequence[Sequence[int]], pad: int) -> npt.NDArray[np.float32]:
    """Logits of an ONNX model for passages with special tokens, one at a time: no padding has a say in parity."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
    )
    rows = []
    for line in ids:
        tokens = np.array([line], np.int64)
        feed = {"input_ids": tokens, "attention_mask": (tokens != pad).astype(np.int64)}
        rows.append(session.run(["logits"], feed)[0][0])
    return np.stack(rows)


def measure_parity(
    reference: npt.NDArray[np.float32], fp32: npt.NDArray[np.float32], int8: npt.NDArray[np.float32], narratives: int
) -> Parity:
    """Compare probabilities of the narratives, from logits of the same passages."""
    p, q, r = (sigmoid(z[:, :narratives].astype(np.float64)) for z in (reference, fp32, int8))
    large, small = np.abs(p - q), np.abs(p - r)
    return Parity(
        len(p), float(large.max()), float(large.mean()), round(float(small.max()), 5), round(float(small.mean()), 5)
    )


def write_config(
    folder: Path,
    *,
    recipe: Recipe,
    schema: LabelSchema,
    base: BaseEncoder,
    calibration: dict[str, Any],
    thresholds: dict[str, dict[str, float]],
    parity: dict[str, Any],
    training: dict[str, Any],
) -> None:
    """Write ``config.json`` over the files that lie in the folder."""
    config = {
        "format": FORMAT,
        "version": VERSION,
        "id": recipe.model.name,
        "language": schema.language,
        "schema": schema.to_dict(),
        "tokens": {
            "prefix": list(base.prefix),
            "suffix": list(base.suffix),
            "pad": base.pad,
            "limit": recipe.export.limit,
            "window": recipe.export.window,
        },
        "calibration": calibration,
        "thresholds": thresholds,
        "base_model": base.record,
        "training": training,
        "parity": parity,
        "files": {name: sha256(folder / name) for name in (MODEL, TOKENIZER)},
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def publish(source: Path, target: Path, names: Iterable[str]) -> None:
    """Put a finished bundle in place: a reader finds the old one or the new one, never a half."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        for name in names:
            shutil.copyfile(source / name, new / name)
        if target.exists():
            target.rename(old)
        new.rename(target)
