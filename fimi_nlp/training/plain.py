"""A plain transformers checkpoint for the narratives: another model, fitted to agree with a bundle.

The network of a bundle has parts that transformers does not know: attention for each label, and a lexical branch. So a
checkpoint that loads without its code cannot be the same model. It has the bundle's encoder under the classifier that
transformers puts on an encoder of its kind, fitted to the bundle's calibrated probabilities on texts of the user's (no
labels are needed). How far the two agree on texts that the fitting did not see is measured, and stands in its card.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from fimi_nlp.bundle import CARD, METRICS, Bundle, find
from fimi_nlp.data import Corpus, Passage
from fimi_nlp.decision import sigmoid
from fimi_nlp.errors import BundleError, InputError
from fimi_nlp.training.batches import Collate, LengthBuckets, encode
from fimi_nlp.training.distil import answers_of
from fimi_nlp.training.encoders import load_encoder, progress_bars
from fimi_nlp.training.fitting import build_model, head_sizes
from fimi_nlp.training.recipe import Recipe
from fimi_nlp.training.warm_start import start_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from fimi_nlp.training.encoders import BaseEncoder

    Floats = npt.NDArray[np.float64]

#: Texts are too few to hold any out and measure agreement below this number.
FEWEST = 20
_BATCH = 16
_HIGHEST = 0.999


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a checkpoint agrees with its bundle on texts that it was not fitted on.

    Attributes
    ----------
    fitted, held_out : int
        Numbers of texts.
    correlation : dict of str to float
        Of the probabilities, narrative by narrative.
    difference : dict of str to float
        Mean absolute difference of the probabilities.
    same : dict of str to float
        Share of texts on which both decide alike at the bundle's ``balanced`` threshold.
    f1 : dict of str to float
        F1 of the checkpoint's decisions with the bundle's for gold; NaN where neither names the narrative.
    """

    fitted: int
    held_out: int
    correlation: dict[str, float]
    difference: dict[str, float]
    same: dict[str, float]
    f1: dict[str, float]

    def to_markdown(self) -> str:
        """A table, one row a narrative."""
        lines = [
            f"Agreement with the bundle on {self.held_out} texts held out of the {self.fitted + self.held_out} given:",
            "",
            "| narrative | correlation | mean difference | same decision | F1 against the bundle's decisions |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{label}` | {self.correlation[label]:.3f} | {self.difference[label]:.3f} | {self.same[label]:.1%} |"
            f" {self.f1[label]:.3f} |"
            for label in self.correlation
        ]
        return "\n".join(lines)


def to_transformers(
    model: str | Path | None,
    out: str | Path,
    texts: Iterable[str],
    *,
    revision: str | None = None,
    encoder: str = "",
    epochs: int = 2,
    learning_rate: float = 1e-4,
    held_out: float = 0.2,
    seed: int = 0,
) -> Agreement:
    """Fit a plain checkpoint to a bundle and write it.

    Parameters
    ----------
    model : str, Path or None
        A bundle, as for `fimi_nlp.load`; its encoder must be one that transformers classifies sequences with.
    out : str or Path
        A folder that does not exist yet. It gets ``config.json``, ``model.safetensors``, the tokenizer, a card, and
        ``metrics.json`` with the agreement.
    texts : iterable of str
        Like those that the checkpoint will read; some thousands, without labels.
    revision : str, optional
        Of a Hub id.
    encoder : str
        Where the bundle's base encoder is, where that was a folder: a bundle records no more than its name.
    epochs : int
        Passes over the texts in which encoder and classifier are trained; 0 fits the classifier alone.
    learning_rate : float
        Peak rate of those passes.
    held_out : float
        Share of the texts to measure agreement on.
    seed : int
        Of everything random.

    Returns
    -------
    Agreement
        On the texts held out.

    Raises
    ------
    InputError
        The folder exists, or there are too few texts.
    BundleError
        The bundle or its encoder cannot be used.
    """
    out, unique = Path(out), list(dict.fromkeys(text for text in texts if text.strip()))
    if out.exists():
        raise InputError(f"{out} exists.", remedy="Name a folder that does not exist yet.")
    if len(unique) < FEWEST or not 0 < held_out < 1:
        raise InputError(
            f"{len(unique)} different texts, of which {held_out:g} are held out.",
            remedy=f"Give at least {FEWEST} texts, and a share between 0 and 1.",
        )
    source = str(find(model, revision=revision))
    bundle = Bundle.read(source)
    torch.manual_seed(seed)
    base = _encoder(bundle, encoder)
    corpus = Corpus((Passage(str(i), text) for i, text in enumerate(unique)), bundle.schema)
    labels = list(bundle.schema.narrative_labels)
    wanted = answers_of(source, corpus, max_tokens=bundle.tokens.limit)[:, : len(labels)].astype(np.float64)
    ids = encode(unique, base, bundle.tokens.limit).ids
    order = np.random.default_rng(seed).permutation(len(ids))
    probe, fitted = order[: max(1, round(held_out * len(ids)))], order[max(1, round(held_out * len(ids))) :]
    network = _network(base, labels)
    _fit_classifier(network, [ids[i] for i in fitted], wanted[fitted], base.pad)
    if epochs:
        _train(network, [ids[i] for i in fitted], wanted[fitted], base.pad, epochs, learning_rate, seed)
    logits, _ = _run(network, [ids[i] for i in probe], base.pad)
    thresholds = np.array([bundle.thresholds["balanced"][label] for label in labels])
    agreement = _agreement(len(fitted), labels, sigmoid(logits), wanted[probe], thresholds)
    _write(out, network, base, bundle, agreement)
    return agreement


def _encoder(bundle: Bundle, place: str) -> BaseEncoder:
    """The bundle's encoder with its trained weights, back in float32."""
    recipe = bundle.config.get("training", {}).get("recipe", {}).get("model", {})
    if not place and "encoder" not in recipe:
        raise BundleError(
            f"{bundle.folder}: the bundle does not say which encoder it was trained from.", remedy="Name its encoder."
        )
    base = load_encoder(place or recipe["encoder"], recipe.get("revision", ""), progress=False)
    network = build_model(base, head_sizes(bundle.schema), Recipe.from_dict({"model": {"encoder_dropout": 0.0}}))
    start_from(network, base, bundle.schema, str(bundle.folder))
    return base


def _network(base: BaseEncoder, labels: Sequence[str]) -> Any:
    """The classifier that transformers has for such an encoder, on the encoder's weights."""
    from transformers import AutoModelForSequenceClassification

    config: Any = base.encoder.config
    config.problem_type = "multi_label_classification"
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    network: Any = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    body = getattr(network, network.base_model_prefix)
    body.load_state_dict(base.encoder.state_dict(), strict=False)
    return network.eval()


@torch.no_grad()
def _run(network: Any, ids: Sequence[Sequence[int]], pad: int) -> tuple[Floats, Floats]:
    """Logits of passages, and the vectors that the last layer made them from, in their order."""
    last = _last_linear(network)
    caught: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0]))
    logits, vectors = [], []
    collate = Collate(ids, 0, 0, pad)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    try:
        for start in range(0, len(order), _BATCH):
            batch = collate([(row, -1) for row in order[start : start + _BATCH]])
            logits.append(network(input_ids=batch["inputs"], attention_mask=batch["attention_mask"]).logits.numpy())
            vectors.append(caught.pop().reshape(len(logits[-1]), -1).numpy())
    finally:
        hook.remove()
    back = np.argsort(order)
    return np.concatenate(logits)[back].astype(np.float64), np.concatenate(vectors)[back].astype(np.float64)


def _last_linear(network: Any) -> torch.nn.Linear:
    """The layer that gives the logits: the last one as wide as there are labels."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    found = [layer for layer in layers if layer.out_features == network.config.num_labels]
    if not found:
        raise BundleError(f"{type(network).__name__} has no linear layer for its labels.")
    return found[-1]


def _fit_classifier(network: Any, ids: Sequence[Sequence[int]], wanted: Floats, pad: int) -> None:
    """Ridge regression from the pooled vectors to the bundle's log odds."""
    from sklearn.linear_model import Ridge

    _, vectors = _run(network, ids, pad)
    p = wanted.clip(1 - _HIGHEST, _HIGHEST)
    ridge = Ridge(alpha=1.0).fit(vectors, np.log(p / (1 - p)))
    last = _last_linear(network)
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(np.atleast_2d(ridge.coef_)))
        last.bias.copy_(torch.from_numpy(np.atleast_1d(ridge.intercept_)))


def _train(
    network: Any, ids: Sequence[Sequence[int]], wanted: Floats, pad: int, epochs: int, rate: float, seed: int
) -> None:
    """Train all but the embeddings towards the bundle's probabilities."""
    network.get_input_embeddings().requires_grad_(False)
    learning = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=rate, weight_decay=0.01)
    sampler = LengthBuckets([len(line) for line in ids], _BATCH, seed=seed)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * len(sampler))
    collate, target = Collate(ids, 0, 0, pad), torch.from_numpy(wanted).float()
    network.train()
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for pairs in sampler:
            batch = collate(pairs)
            logits = network(input_ids=batch["inputs"], attention_mask=batch["attention_mask"]).logits
            loss = functional.binary_cross_entropy_with_logits(logits, target[batch["rows"]])
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    network.eval()


def _agreement(fitted: int, labels: Sequence[str], p: Floats, wanted: Floats, thresholds: Floats) -> Agreement:
    mine, theirs = p >= thresholds, wanted >= thresholds
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * (mine & theirs).sum(0) / (mine.sum(0) + theirs.sum(0))
        correlation = [np.corrcoef(p[:, i], wanted[:, i])[0, 1] for i in range(len(labels))]

    def by_label(values: Iterable[float]) -> dict[str, float]:
        return {label: round(float(value), 4) for label, value in zip(labels, values, strict=True)}

    return Agreement(
        fitted,
        len(p),
        by_label(correlation),
        by_label(np.abs(p - wanted).mean(0)),
        by_label((mine == theirs).mean(0)),
        by_label(f1),
    )


def _write(out: Path, network: Any, base: BaseEncoder, bundle: Bundle, agreement: Agreement) -> None:
    from transformers import PreTrainedTokenizerFast

    out.mkdir(parents=True)
    with progress_bars(shown=False):
        network.save_pretrained(out)
    word: Any = base.tokenizer.id_to_token
    make: Any = PreTrainedTokenizerFast
    tokens = {"pad_token": word(base.pad)}
    tokens |= {"cls_token": word(base.prefix[0])} if base.prefix else {}
    tokens |= {"sep_token": word(base.suffix[-1])} if base.suffix else {}
    tokens |= {"mask_token": word(base.mask)} if base.mask >= 0 else {}
    tokenizer = make(
        tokenizer_object=base.tokenizer,
        # What is longer is cut here; the bundle reads it in windows.
        model_max_length=bundle.tokens.limit + len(base.prefix) + len(base.suffix),
        model_input_names=["input_ids", "attention_mask"],
        **tokens,
    )
    tokenizer.save_pretrained(out)
    (out / METRICS).write_text(json.dumps(asdict(agreement), indent=1) + "\n", encoding="utf-8")
    (out / CARD).write_text(_card(bundle, agreement), encoding="utf-8")


def _card(bundle: Bundle, agreement: Agreement) -> str:
    names = "".join(f"- `{label.label}`: {label.definition}\n" for label in bundle.schema.narratives)
    shown = ", ".join(f"`{label}` {value:.2f}" for label, value in bundle.thresholds["balanced"].items())
    return f"""---
language: {bundle.schema.language}
license: apache-2.0
library_name: transformers
pipeline_tag: text-classification
base_model: {bundle.config["base_model"]["id"]}
tags: [fimi, narratives, disinformation]
---

# {bundle.id}, fitted into a plain checkpoint

**This is not the model `{bundle.name}`.** It is a classifier of the kind that transformers loads without further code,
fitted to the probabilities of that model. It has no sub-narratives, stance, origin, confidence, language check or
windows: longer texts are cut. Where the figures below are not good enough, use the model itself with fimi-nlp.

**Content alignment is not attribution.** It says what a text claims, not who is behind it or whether it is true.

{names}
```python
from transformers import pipeline

classify = pipeline("text-classification", model="FOLDER", top_k=None, truncation=True)
```

The scores stand for calibrated probabilities of each narrative by itself. Thresholds of the model, `balanced`: {shown}.

{agreement.to_markdown()}
"""
