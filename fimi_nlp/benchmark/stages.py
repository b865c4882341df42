"""Where the time of a tagger goes: stages on one thread, and inside the model by kind of operation."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.decision import Decider, calibrate
from fimi_nlp.language import identify
from fimi_nlp.reader import Reader
from fimi_nlp.runtime import SLOW_FUSIONS, Runtime
from fimi_nlp.text import any_word, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fimi_nlp.tagger import Tagger

_KINDS = {
    "integer products": ("DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeLinear"),
    "attention, its products included": ("QAttention", "Attention", "MultiHeadAttention"),
    "float products": ("MatMul", "FusedMatMul", "Gemm", "FusedGemm"),
    "layer norm": (
        "LayerNormalization",
        "SkipLayerNormalization",
        "QEmbedLayerNormalization",
        "EmbedLayerNormalization",
    ),
    "activation": ("BiasGelu", "Gelu", "FastGelu", "Tanh", "Erf"),
}
_OF = {operation: kind for kind, operations in _KINDS.items() for operation in operations}


def stages(tagger: Tagger, texts: Sequence[str]) -> dict[str, float]:
    """Microseconds of processor time that each stage takes for a text, on one thread.

    Parameters
    ----------
    tagger : Tagger
        Whose stages.
    texts : sequence of str
        English texts.
    """
    bundle = tagger.bundle
    reader, runtime = Reader(bundle), Runtime(bundle, threads=1)
    decider = Decider(bundle.schema, bundle.calibration, tagger.thresholds, bundle.name)
    runtime.run([list(range(1000, 1050))] * 3)  # warm, as is the language model, which is read when first needed
    identify("Dies ist ein ganz gewöhnlicher deutscher Satz.", bundle.schema.language)
    clock: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        clock[name] = round(1e6 * (time.process_time() - start) / len(texts), 1)
        return result

    plain = timed("normalise", lambda: [normalise(text) for text in texts if any_word(text)])
    timed("language gate", lambda: [identify(text, bundle.schema.language) for text in plain])
    prepared = timed("tokenise and cut", lambda: [reader.prepare(text, any_language=True) for text in plain])
    clock["tokenise and cut"] = round(max(clock["tokenise and cut"] - clock["normalise"], 0.0), 1)
    windows = [window for item in prepared for window in item.ids]
    model = runtime._model(1)
    feeds = timed("feed", lambda: [model.feed(window) for window in windows])
    outputs = timed("model", lambda: [model.run(feed) for feed in feeds])
    logits = np.stack([logits for logits, _ in outputs])
    read = [(item.spans, "en") for item in prepared if item.ids]
    timed("decide", lambda: decider.tags(calibrate(logits, bundle.schema, bundle.calibration), read))
    return clock


def operations(tagger: Tagger, texts: Sequence[str]) -> dict[str, float]:
    """Share of the model's time by kind of operation, as ONNX Runtime's profiler has it."""
    import onnxruntime as ort

    reader, model = Reader(tagger.bundle), Runtime(tagger.bundle, threads=1)._model(1)
    feeds = [model.feed(window) for text in texts for window in reader.prepare(text, any_language=True).ids]
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    spent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(
            str(tagger.bundle.model_path),
            sess_options=options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=SLOW_FUSIONS,
        )
        for feed in feeds:
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[_OF.get(event["args"]["op_name"], "everything else")] += event["dur"]
    whole = max(sum(spent.values()), 1)
    return {kind: round(time / whole, 4) for kind, time in spent.most_common()}


def real_tokens(tagger: Tagger, texts: Sequence[str]) -> int:
    """Tokens that the model reads for texts, special ones included."""
    tokens = tagger.bundle.tokens
    extra = len(tokens.prefix) + len(tokens.suffix)
    reader = Reader(tagger.bundle)
    return sum(len(window) + extra for text in texts for window in reader.prepare(text, any_language=True).ids)
