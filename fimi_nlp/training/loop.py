"""The training loop: masked and soft targets, length-bucketed batches, averaged weights, early stopping, resume."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from fimi_nlp.training import checkpoint
from fimi_nlp.training.batches import IGNORE, Collate, LengthBuckets, Pairs, Targets
from fimi_nlp.training.distil import soft_loss
from fimi_nlp.training.frozen import StateCollate, Upper, lower_states
from fimi_nlp.training.model import NarrativeModel, split_subs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from accelerate import Accelerator
    from torch import nn

    from fimi_nlp.training.encoders import BaseEncoder
    from fimi_nlp.training.recipe import Recipe
    from fimi_nlp.training.recipe_parts import LossPart, TrainingPart

BEST = "best.safetensors"
_EVAL_BATCH = 64


@dataclass(frozen=True, slots=True)
class Split:
    """A part of the corpus, ready for the network.

    Attributes
    ----------
    ids : list of list of int
        Token ids.
    targets : Targets
        Labels.
    """

    ids: list[list[int]]
    targets: Targets


def loss_of(logits: Tensor, targets: Targets, model: NarrativeModel, weights: LossPart) -> Tensor:
    """Weighted sum of the heads' losses over the annotated cells of a batch."""
    parts = model.sizes.slices()
    cells = functional.binary_cross_entropy_with_logits(
        logits[:, parts["narratives"]], targets.narratives, weight=targets.mask, reduction="sum"
    )
    total = weights.narratives * cells / targets.mask.sum().clamp(min=1.0)
    subs = split_subs(logits[:, parts["subs"]], model.sizes.subs)
    choices = [(block, targets.subs[:, i], weights.subs) for i, block in enumerate(subs)]
    choices += [
        (logits[:, parts["stance"]], targets.stance, weights.stance),
        (logits[:, parts["origin"]], targets.origin, weights.origin),
    ]
    for block, classes, weight in choices:
        if weight and block.shape[1] and bool((classes != IGNORE).any()):
            total = total + weight * functional.cross_entropy(block, classes, ignore_index=IGNORE)
    return total


@torch.no_grad()
def predict(
    model: nn.Module, ids: Sequence[Sequence[int]], pad: int, accelerator: Accelerator | None = None
) -> npt.NDArray[np.float32]:
    """Logits of passages, in their order: shape (n, outputs)."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    collate = Collate(ids, 0, 0, pad)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    out: list[tuple[list[int], Tensor]] = []
    for start in range(0, len(order), _EVAL_BATCH):
        rows = order[start : start + _EVAL_BATCH]
        batch = collate([(row, -1) for row in rows])
        inputs = (batch["inputs"].to(device), batch["attention_mask"].to(device))
        if accelerator is None:
            logits = model(*inputs).logits
        else:
            with accelerator.autocast():
                logits = model(*inputs).logits
        out.append((rows, logits.float().cpu()))
    model.train(training)
    result = np.empty((len(ids), out[0][1].shape[1]), np.float32)
    for rows, logits in out:
        result[rows] = logits.numpy()
    return result


def macro_average_precision(logits: npt.NDArray[np.float32], targets: Targets) -> float:
    """Mean over the narratives that occur of the average precision on annotated cells; needs no threshold."""
    from sklearn.metrics import average_precision_score

    scores = []
    for label in range(targets.narratives.shape[1]):
        rows = targets.mask[:, label].numpy() > 0
        gold = targets.narratives[:, label].numpy()[rows] > 0.5
        if gold.any():
            scores.append(average_precision_score(gold, logits[rows, label]))
    return float(np.mean(scores)) if scores else 0.0


@dataclass
class Loop:
    """Trains a network in place and keeps its best weights in the run's folder.

    Attributes
    ----------
    recipe : Recipe
        What to do.
    model : NarrativeModel
        On the accelerator's device after `run`.
    base : BaseEncoder
        For padding and masking.
    train, dev : Split
        The data.
    folder : Path
        For checkpoints and the log.
    fingerprint : str
        Of the data; a checkpoint of other data is refused.
    accelerator : Accelerator
        Device, precision and processes.
    """

    recipe: Recipe
    model: NarrativeModel
    base: BaseEncoder
    train: Split
    dev: Split
    folder: Path
    fingerprint: str
    accelerator: Accelerator
    progress: bool = True
    #: Called with the record of every epoch; what it raises ends the run.
    watch: Callable[[dict[str, float]], None] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    _states: list[Tensor] = field(default_factory=list, repr=False)

    def run(self, *, resume: bool = False) -> list[dict[str, float]]:
        """Train, then load the best weights into `model`.

        Returns
        -------
        list of dict
            One record an epoch: loss, dev score, passages a second.
        """
        settings = self.recipe.training
        self.model.to(self.accelerator.device)
        average = _average(self.model, settings.average)
        sampler = LengthBuckets(
            [len(line) for line in self.train.ids],
            settings.batch_size,
            seed=settings.seed,
            joining=settings.joining,
            limit=settings.max_tokens,
        )
        optimizer = _optimizer(self.model, settings, fused=self.accelerator.device.type in {"cpu", "cuda"})
        state = self._restore(average, optimizer) if resume else None
        first = len(self.history)
        frozen = self.recipe.model.freeze_layers
        learner = Upper(self.model, frozen) if settings.cache else self.model
        if settings.cache and first < settings.epochs and not self._patience_spent():
            self._states = lower_states(self.model, self.train.ids, self.base.pad, frozen)
        model, optimizer, loader = self.accelerator.prepare(learner, optimizer, self._loader(sampler))
        steps = settings.epochs * len(loader)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            getattr(optimizer, "optimizer", optimizer), lambda step: _rate(step + first * len(loader), steps, settings)
        )
        if state is not None:
            torch.set_rng_state(state["random"])
        for epoch in range(first, settings.epochs):
            if self._patience_spent():
                break
            sampler.set_epoch(epoch)
            # accelerate counts epochs of its own, from 0, and would tell the sampler those.
            loader.set_epoch(epoch)
            record = self._epoch(epoch, model, average, optimizer, schedule, loader)
            self._finish(record, average, optimizer)
            if self.watch is not None:
                self.watch(record)
        # The accelerator wraps `forward` for mixed precision; what is exported must run as it was written.
        learner = self.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        self.model = learner.model if isinstance(learner, Upper) else learner
        checkpoint.load_model(self.model, self.folder / BEST)
        return self.history

    def _loader(self, sampler: LengthBuckets) -> Any:
        settings, base = self.recipe.training, self.base
        collate: StateCollate | Collate
        if settings.cache:
            collate = StateCollate(self._states, len(base.prefix), len(base.suffix), settings.token_masking)
            return DataLoader(Pairs(len(self.train.ids)), batch_sampler=sampler, collate_fn=collate)
        collate = Collate(
            self.train.ids,
            len(base.prefix),
            len(base.suffix),
            base.pad,
            base.mask,
            settings.token_masking,
            base.special,
        )
        return DataLoader(Pairs(len(self.train.ids)), batch_sampler=sampler, collate_fn=collate)

    def _epoch(
        self, epoch: int, model: nn.Module, average: AveragedModel | None, optimizer: Any, schedule: Any, loader: Any
    ) -> dict[str, float]:
        model.train()
        start, total, seen = time.perf_counter(), 0.0, 0
        for batch in self._bar(loader, epoch):
            targets = self._targets(batch["rows"].cpu(), batch["partners"].cpu()).to(self.accelerator.device)
            with self.accelerator.autocast():
                logits = model(batch["inputs"], batch["attention_mask"]).logits
            loss = loss_of(logits.float(), targets, self.model, self.recipe.loss)
            if targets.soft is not None:
                loss = loss + self.recipe.distil.weight * soft_loss(logits.float(), targets.soft, self.recipe.loss)
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(model.parameters(), self.recipe.training.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if average is not None:
                average.update_parameters(self.model)
            rows = len(batch["rows"])
            total, seen = total + float(loss.detach()) * rows, seen + rows
        seconds = time.perf_counter() - start
        logits = predict(average.module if average else self.model, self.dev.ids, self.base.pad, self.accelerator)
        return {
            "epoch": epoch + 1,
            "loss": round(total / seen, 4),
            "dev_average_precision": round(macro_average_precision(logits, self.dev.targets), 4),
            "passages_per_second": round(seen * self.accelerator.num_processes / seconds, 1),
        }

    def _targets(self, rows: Tensor, partners: Tensor) -> Targets:
        alone = self.train.targets.rows(rows)
        # A passage without a partner is joined with itself, which changes nothing.
        return alone.joined(self.train.targets.rows(torch.where(partners < 0, rows, partners)))

    def _bar(self, loader: Any, epoch: int) -> Any:
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        shown = self.progress and console.is_terminal and self.accelerator.is_main_process
        label = f"Epoch {epoch + 1}/{self.recipe.training.epochs}"
        return track(loader, label, total=len(loader), console=console, disable=not shown)

    def _finish(self, record: dict[str, float], average: AveragedModel | None, optimizer: Any) -> None:
        """Log an epoch, keep its weights where they are the best, write the checkpoint."""
        self.history.append(record)
        if not self.accelerator.is_main_process:
            return
        if record["dev_average_precision"] >= max(r["dev_average_precision"] for r in self.history):
            checkpoint.save_model(average.module if average else self.model, self.folder / BEST)
        checkpoint.save(
            self.folder,
            model=self.model,
            average=average,
            optimizer=getattr(optimizer, "optimizer", optimizer),
            state={**self._same(), "history": self.history},
        )
        log = "".join(json.dumps(line) + "\n" for line in self.history)
        (self.folder / "log.jsonl").write_text(log, encoding="utf-8")
        if self.progress:
            from rich.console import Console

            Console(stderr=True).print(
                "epoch {epoch}: loss {loss}, dev average precision {dev_average_precision},"
                " {passages_per_second} passages/s".format(**record),
                highlight=False,
            )

    def _restore(self, average: AveragedModel | None, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Read the checkpoint, where there is one, and take over its history."""
        state = checkpoint.restore(
            self.folder, model=self.model, average=average, optimizer=optimizer, same=self._same()
        )
        self.history[:] = state["history"] if state else []
        return state

    def _same(self) -> dict[str, Any]:
        recipe = self.recipe.to_dict()
        # Where the data lies, how the bundle is cut and how mixtures are weighted do not bear on the loop.
        parts = {key: recipe[key] for key in ("training", "loss")}
        if self.recipe.distil.teacher:
            parts["distil"] = {"weight": self.recipe.distil.weight}
        # Every seed has a folder of its own; how many there are is nothing to it.
        parts["training"].pop("seeds")
        apart = {"name", "start_share", "lexical_weight"}
        model = {key: value for key, value in recipe["model"].items() if key not in apart}
        return {"recipe": {**parts, "model": model}, "data": self.fingerprint}

    def _patience_spent(self) -> bool:
        patience = self.recipe.training.patience
        scores = [record["dev_average_precision"] for record in self.history]
        return bool(patience and scores and len(scores) - 1 - int(np.argmax(scores)) >= patience)


def _average(model: NarrativeModel, decay: float) -> AveragedModel | None:
    """Exponential moving average of the weights, with a short memory at first (Polyak averaging)."""
    if not decay:
        return None

    @torch.no_grad()
    def update(averaged: Any, current: Any, count: Any) -> None:
        done = int(count)
        torch._foreach_lerp_(list(averaged), list(current), 1 - min(decay, (done + 1) / (done + 10)))

    return AveragedModel(model, multi_avg_fn=update)


def _optimizer(model: NarrativeModel, settings: TrainingPart, *, fused: bool) -> torch.optim.Optimizer:
    encoder = [p for name, p in model.named_parameters() if name.startswith("encoder.") and p.requires_grad]
    heads = [p for name, p in model.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": encoder, "lr": settings.learning_rate}, {"params": heads, "lr": settings.head_learning_rate}]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=fused)


def _rate(step: int, steps: int, settings: TrainingPart) -> float:
    """Factor of the learning rates: a linear rise, then a linear fall to a fiftieth."""
    rise = max(1, int(settings.warmup * steps))
    return min(1.0, (step + 1) / rise) * max(0.02, (steps - step) / steps)
