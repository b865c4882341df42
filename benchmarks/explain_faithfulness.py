"""How faithful the weights of `Tagger.explain` are to the model, against chance and against its own attention.

    python benchmarks/explain_faithfulness.py --passages 100

Words of a passage are hidden in the order that a method gives them, the weightiest first, and the probability of the
narrative is read on the way. The area under that curve is low for a method that finds the words the model needs
(deletion, Petsiuk et al. 2018, *RISE*). Methods:

mask, delete   occlusion: the fall of the log odds when one word is masked, or cut out
attention      the weights with which the narrative pools the token states, read from the same ONNX graph
random         ten random orders

Every method is judged twice, by masking and by cutting out, since a method is favoured by a judge who hides words as it
does itself. Passages are those that come with the repository, 12 words or longer, on which the tagger names the
narrative that they carry, one of each contrast pair. The tagger was trained on them; that does not matter here, for the
question is what the model leans on, not whether it is right. Needs the extra ``train`` (onnx, to read the attention).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from scipy.stats import bootstrap

import fimi_nlp as fn
from fimi_nlp.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fimi_nlp.explain import Explanation

ROOT = Path(__file__).parent.parent
ATTENTION = "/pool/Softmax_output_0"
JUDGES = ("mask", "delete")
METHODS = ("mask", "delete", "attention", "random")


class Attention:
    """Reads a word's share of the pooling weights of each narrative."""

    def __init__(self, tagger: fn.Tagger) -> None:
        model = onnx.load(str(tagger.bundle.model_path))
        model.graph.output.append(onnx.helper.make_tensor_value_info(ATTENTION, onnx.TensorProto.FLOAT, None))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._tagger = tagger

    def weights(self, explanation: Explanation, label: str) -> list[float]:
        """One weight for each of ``explanation.words(label)`` of a text of one window."""
        encoding, _ = self._tagger._reader.cut(normalise(explanation.text))
        tokens = self._tagger.bundle.tokens
        ids = np.array([[*tokens.prefix, *encoding.ids, *tokens.suffix]])
        (pooled,) = self._session.run([ATTENTION], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        row = pooled[0, self._tagger.schema.narrative_labels.index(label)][len(tokens.prefix) :]
        return [
            float(
                sum(
                    w for w, (start, end) in zip(row, encoding.offsets, strict=False) if start < p.end and end > p.start
                )
            )
            for p in explanation.words(label)
        ]


def passages(tagger: fn.Tagger, corpus: fn.Corpus, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Texts of 12 words or more with the narrative that they carry and that the tagger names."""
    rng = np.random.default_rng(seed)
    seen: set[Any] = set()
    for index in rng.permutation(len(corpus)).tolist():
        passage = corpus[index]
        if passage.group in seen or not passage.narratives or len(passage.text.split()) < 12:
            continue
        tag = tagger.tag(passage.text)
        named = [label for label in tag.labels if label in passage.narratives]
        if named and tag.windows == 1:
            seen.add(passage.group)
            yield passage.text, named[0]
            if len(seen) == count:
                return


def areas(tagger: fn.Tagger, attention: Attention, text: str, label: str, seed: int) -> dict[str, dict[str, float]]:
    """The area of every method, for every judge."""
    explained = {judge: tagger.explain(text, [label], replacement=judge) for judge in JUDGES}  # type: ignore[arg-type]
    weights = {judge: [word.weight for word in explained[judge].words(label)] for judge in JUDGES}
    weights["attention"] = attention.weights(explained["mask"], label)
    found: dict[str, dict[str, float]] = {}
    for judge, explanation in explained.items():
        curves = {
            method: explanation.deletion_curve(label, weights=own, orders=10 if method == "mask" else 1, seed=seed)
            for method, own in weights.items()
        }
        found[judge] = {method: curve.area for method, curve in curves.items()}
        found[judge]["random"] = curves["mask"].random_area
    return found


def summary(rows: list[dict[str, dict[str, float]]], seed: int) -> dict[str, Any]:
    """Mean areas, and the differences from occlusion by masking with 95 % bootstrap intervals over passages."""
    table: dict[str, Any] = {}
    for judge in JUDGES:
        values = {method: np.array([row[judge][method] for row in rows]) for method in METHODS}
        table[judge] = {}
        for method, column in values.items():
            entry: dict[str, Any] = {"area": round(float(column.mean()), 4)}
            if method != "mask":
                difference = column - values["mask"]
                interval = bootstrap((difference,), np.mean, rng=np.random.default_rng(seed)).confidence_interval
                entry["more_than_mask"] = round(float(difference.mean()), 4)
                entry["interval"] = [round(float(interval.low), 4), round(float(interval.high), 4)]
                entry["mask_is_lower"] = round(float((difference > 0).mean()), 3)
            table[judge][method] = entry
    return table


def lines(table: dict[str, Any]) -> Iterator[str]:
    """The summary as a Markdown table."""
    yield "| words hidden by | order of | area | more than `mask` | `mask` is lower on |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for judge, methods in table.items():
        for method, entry in methods.items():
            more, share = "", ""
            if method != "mask":
                low, high = entry["interval"]
                more = f"{entry['more_than_mask']:+.3f} [{low:.3f}, {high:.3f}]"
                share = f"{entry['mask_is_lower']:.0%}"
            yield f"| {judge} | {method} | {entry['area']:.3f} | {more} | {share} |"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100)
    parser.add_argument("--corpus", type=Path, default=ROOT / "training/data/passages.jsonl")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, help="Write the figures as JSON.")
    arguments = parser.parse_args()

    tagger = fn.load(threads=arguments.threads)
    attention = Attention(tagger)
    corpus = fn.Corpus.read(arguments.corpus)
    rows = [
        areas(tagger, attention, text, label, arguments.seed)
        for text, label in passages(tagger, corpus, arguments.passages, arguments.seed)
    ]
    table = summary(rows, arguments.seed)
    print(f"{tagger.bundle.name}, {len(rows)} passages\n")
    print("\n".join(lines(table)))
    if arguments.out:
        record = {"model": tagger.bundle.name, "passages": len(rows), "seed": arguments.seed, "figures": table}
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
