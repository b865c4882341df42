"""A bundle from a handful of examples: contrastive fine-tuning of the encoder, then logistic heads.

The method is that of SetFit (Tunstall et al. 2022, *Efficient Few-Shot Learning Without Prompts*). From few examples
many pairs can be made: the encoder learns to put passages that share a narrative close to each other, and passages that
share none apart. What is left for the heads is easy enough for logistic regression on the mean of the token states.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fimi_nlp.data import Corpus
from fimi_nlp.errors import InputError
from fimi_nlp.training.batches import IGNORE, Collate, Targets, encode
from fimi_nlp.training.encoders import freeze_layers, load_encoder
from fimi_nlp.training.fitting import Fitted, head_sizes
from fimi_nlp.training.loop import macro_average_precision, predict
from fimi_nlp.training.model import HeadSizes, Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from fimi_nlp.training.recipe import Recipe

    Floats = npt.NDArray[np.float64]

#: Logit of a class that the examples never show.
NEVER = -8.0
#: Rows, and how alike the two passages of a pair should be.
Pair = tuple[int, int, float]


class FewShotNetwork(nn.Module):
    """An encoder and one linear layer over the mean of its token states, in the form that bundles have.

    Parameters
    ----------
    encoder : nn.Module
        A transformers encoder that returns ``last_hidden_state``.
    hidden : int
        Width of its token states.
    sizes : HeadSizes
        Widths of the heads.
    """

    lexical = None

    def __init__(self, encoder: nn.Module, hidden: int, sizes: HeadSizes) -> None:
        super().__init__()
        self.encoder, self.sizes = encoder, sizes
        self.heads = nn.Linear(hidden, sizes.total)

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Unit vectors ``(batch, hidden)``: the mean of the token states."""
        states = cast("Any", self.encoder)(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.to(states.dtype).unsqueeze(-1)
        return functional.normalize((states * mask).sum(1) / mask.sum(1).clamp(min=1.0), dim=-1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Output:
        """Logits and embeddings of a padded batch of token ids."""
        embedding = self.embed(input_ids, attention_mask).float()
        return Output(self.heads(embedding), embedding)


def draw_examples(corpus: Corpus, each: int, *, seed: int = 0) -> Corpus:
    """Draw some passages of every narrative, and as many that carry none.

    Parameters
    ----------
    corpus : Corpus
        Labelled passages.
    each : int
        How many of every narrative, where there are so many; a passage that carries two counts for both.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        A narrative has no passage.
    """
    order = list(range(len(corpus)))
    random.Random(f"examples/{seed}").shuffle(order)  # noqa: S311 - a sample, not a secret
    chosen: dict[int, None] = {}
    for label in corpus.schema.narrative_labels:
        carrying = [row for row in order if corpus[row].carries(label)]
        if not carrying:
            raise InputError(f"No training passage carries '{label}'.", remedy="Add some, or leave the label out.")
        there = sum(row in chosen for row in carrying)
        fresh = (row for row in carrying if row not in chosen)
        chosen |= {row: None for row, _ in zip(fresh, range(each - there), strict=False)}
    clean = (row for row in order if corpus[row].narratives == {} and not corpus[row].not_annotated)
    chosen |= {row: None for row, _ in zip(clean, range(each), strict=False)}
    return Corpus((corpus[row] for row in chosen), corpus.schema)


def pairs_of(targets: Targets, count: int, seed: int) -> list[Pair]:
    """Pairs of passages to compare: for each passage, so many that share a narrative with it, and so many that do not.

    Passages that carry nothing have nothing in common, so that they are never paired as alike; and nothing is paired
    over cells that are not annotated.
    """
    draw = random.Random(f"pairs/{seed}")  # noqa: S311 - an order, not a secret
    carried, known = targets.narratives > 0.5, targets.mask > 0
    carried &= known
    shared = (carried.float() @ carried.float().T) > 0
    # Apart: wherever one carries a narrative, the other is known not to.
    conflict = (carried.float() @ (~known).float().T) > 0
    apart = ~(shared | conflict | conflict.T)
    nothing = ~carried.any(1)
    apart &= ~(nothing[:, None] & nothing[None, :])
    shared &= ~torch.eye(len(shared), dtype=torch.bool)
    found: list[Pair] = []
    for row in range(len(carried)):
        for table, wanted in ((shared, 1.0), (apart, 0.0)):
            others = torch.nonzero(table[row]).flatten().tolist()
            if others:
                found += [(row, draw.choice(others), wanted) for _ in range(count)]
    draw.shuffle(found)
    return found


def fit_few_shot(recipe: Recipe, train: Corpus, dev: Corpus, folder: Path, *, progress: bool = True) -> Fitted:
    """Fit a network to a few examples of the training passages.

    Parameters
    ----------
    recipe : Recipe
        Its ``[few_shot]`` and ``[model]`` count; ``[training]`` gives the seed and the most tokens.
    train, dev : Corpus
        The passages; of `train`, examples are drawn. Nothing is chosen by `dev`; its figure is recorded.
    folder : Path
        For ``examples.jsonl``, the examples that were drawn.
    progress : bool
        Show progress on standard error.

    Raises
    ------
    InputError
        There are no pairs to compare.
    """
    settings, seed = recipe.few_shot, recipe.training.seed
    examples = draw_examples(train, settings.examples, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    examples.to_jsonl(folder / "examples.jsonl")
    base = load_encoder(recipe.model.encoder, recipe.model.revision, progress=progress)
    torch.manual_seed(seed)
    freeze_layers(base.encoder, recipe.model.freeze_layers)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = FewShotNetwork(base.encoder, base.hidden, head_sizes(train.schema)).to(device)
    encoded = {
        name: encode(part.texts, base, recipe.training.max_tokens) for name, part in (("train", examples), ("dev", dev))
    }
    ids, targets = encoded["train"].ids, Targets.of(examples)
    pairs = pairs_of(targets, settings.pairs, seed)
    if settings.epochs and not pairs:
        raise InputError("No two examples share a narrative.", remedy="Raise few_shot.examples.")
    history: list[dict[str, float]] = []
    for epoch in range(settings.epochs):
        loss = _epoch(network, ids, pairs, base.pad, recipe, epoch, progress=progress)
        history.append({"epoch": epoch + 1, "loss": round(loss, 4), "seed": seed})
    network.cpu().eval()
    _fit_heads(network, ids, targets, base.pad, settings.strength)
    score = macro_average_precision(predict(network, encoded["dev"].ids, base.pad), Targets.of(dev))
    for record in history[-1:]:
        record["dev_average_precision"] = round(score, 4)
    cut = {name: part.cut for name, part in encoded.items() if part.cut}
    return Fitted(cast("Any", network), base, encoded["dev"], cut, history, [seed], device.type, "no")


def _epoch(
    network: FewShotNetwork,
    ids: Sequence[Sequence[int]],
    pairs: Sequence[Pair],
    pad: int,
    recipe: Recipe,
    epoch: int,
    *,
    progress: bool,
) -> float:
    """Pull pairs to their wanted cosine: mean squared error, as SetFit does."""
    from rich.console import Console
    from rich.progress import track

    settings = recipe.few_shot
    size, device = settings.batch_size, next(network.parameters()).device
    collate = Collate(ids, 0, 0, pad)
    optimizer = torch.optim.AdamW([p for p in network.encoder.parameters() if p.requires_grad], settings.learning_rate)
    steps = -(-len(pairs) // size)
    rise = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(steps - rise, 1)) if step < steps else 0.0
    )
    order = list(pairs)
    random.Random(f"order/{recipe.training.seed}/{epoch}").shuffle(order)  # noqa: S311 - an order, not a secret
    console = Console(stderr=True)
    shown = progress and console.is_terminal
    network.train()
    total = 0.0
    batches = _chunks(order, size)
    for batch in track(batches, f"Pairs, epoch {epoch + 1}", total=steps, console=console, disable=not shown):
        left, right, wanted = zip(*batch, strict=True)
        # Passages that come in several pairs are read once.
        rows = sorted({*left, *right})
        place = {row: i for i, row in enumerate(rows)}
        inputs = collate([(row, -1) for row in rows])
        vectors = network.embed(inputs["inputs"].to(device), inputs["attention_mask"].to(device))
        one, two = vectors[[place[row] for row in left]], vectors[[place[row] for row in right]]
        loss = functional.mse_loss((one * two).sum(1), torch.tensor(wanted, device=device))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total += float(loss.detach()) * len(batch)
    return total / len(order)


def _chunks(items: Sequence[Pair], size: int) -> Iterator[Sequence[Pair]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@torch.no_grad()
def _fit_heads(
    network: FewShotNetwork, ids: Sequence[Sequence[int]], targets: Targets, pad: int, strength: float
) -> None:
    """One logistic regression a head, over the embeddings of the examples."""
    collate = Collate(ids, 0, 0, pad)
    rows = [collate([(row, -1)]) for row in range(len(ids))]
    design = torch.cat([network.embed(row["inputs"], row["attention_mask"]) for row in rows]).double().numpy()
    sizes = network.sizes
    weight = np.zeros((sizes.total, design.shape[1]))
    bias = np.full(sizes.total, NEVER)
    for label in range(sizes.narratives):
        known = np.where(targets.mask[:, label] > 0, targets.narratives[:, label] > 0.5, IGNORE).astype(np.int64)
        weight[[label]], bias[[label]] = _logistic(design, known, 1, strength)
    at = sizes.narratives
    choices = [*targets.subs.T, targets.stance, targets.origin]
    for width, classes in zip((*sizes.subs, sizes.stance, sizes.origin), choices, strict=True):
        block = slice(at, at + width)
        weight[block], bias[block] = _logistic(design, classes.numpy(), width, strength)
        at += width
    network.heads.weight.copy_(torch.from_numpy(weight))
    network.heads.bias.copy_(torch.from_numpy(bias))


def _logistic(design: Floats, classes: npt.NDArray[np.int64], width: int, strength: float) -> tuple[Floats, Floats]:
    """Weights and biases of a head; of a head of one output, for its yes."""
    from sklearn.linear_model import LogisticRegression

    weight, bias = np.zeros((width, design.shape[1])), np.full(width, NEVER)
    rows = classes >= 0
    present = np.unique(classes[rows])
    if len(present) < 2:
        if width > 1:
            bias[present] = 0.0
        elif 1 in present:
            bias[0] = -NEVER
        return weight, bias
    solver = LogisticRegression(C=strength, max_iter=1000).fit(design[rows], classes[rows])
    if width == 1:
        return solver.coef_, solver.intercept_
    if len(present) == 2:
        half, offset = solver.coef_[0] / 2, solver.intercept_[0] / 2
        weight[present], bias[present] = np.stack([-half, half]), [-offset, offset]
    else:
        weight[present], bias[present] = solver.coef_, solver.intercept_
    return weight, bias
