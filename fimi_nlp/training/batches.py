"""Passages as tensors: encoded once, bucketed by length, masked where nobody annotated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from fimi_nlp.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fimi_nlp.data import Corpus
    from fimi_nlp.training.encoders import BaseEncoder

#: Cells that no loss counts: not annotated, or no class applies.
IGNORE = -100


@dataclass(frozen=True, slots=True)
class Targets:
    """What the heads are trained towards, one row a passage.

    Attributes
    ----------
    narratives : Tensor of float32, shape (n, L)
        0, 1, or the soft target of an unsure cell.
    mask : Tensor of float32, shape (n, L)
        1 where the cell is annotated.
    subs : Tensor of int64, shape (n, L)
        Index of the sub-narrative, or `IGNORE`.
    stance, origin : Tensor of int64, shape (n,)
        Class index, or `IGNORE`.
    """

    narratives: Tensor
    mask: Tensor
    subs: Tensor
    stance: Tensor
    origin: Tensor

    @classmethod
    def of(cls, corpus: Corpus, unsure_target: float | None = None) -> Targets:
        """The targets of a corpus."""
        arrays = corpus.label_arrays(unsure_target)

        def classes(values: Any) -> Tensor:
            return torch.from_numpy(np.where(values < 0, IGNORE, values).astype(np.int64))

        return cls(
            torch.from_numpy(arrays.narratives.astype(np.float32)),
            torch.from_numpy(arrays.narrative_mask.astype(np.float32)),
            classes(arrays.subs),
            classes(arrays.stance),
            classes(arrays.origin),
        )

    def rows(self, index: Tensor | Sequence[int]) -> Targets:
        """Some rows of the targets."""
        i = torch.as_tensor(index)
        return Targets(self.narratives[i], self.mask[i], self.subs[i], self.stance[i], self.origin[i])

    def to(self, device: torch.device) -> Targets:
        """The targets on a device."""
        return Targets(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of passages, special tokens included.

    Attributes
    ----------
    ids : list of list of int
        One list a passage.
    cut : int
        How many passages were longer than the limit and were cut.
    """

    ids: list[list[int]]
    cut: int


def encode(texts: Sequence[str], base: BaseEncoder, max_tokens: int) -> Encoded:
    """Encode passages in the form that the tagger uses."""
    room = max_tokens
    ids, cut = [], 0
    for text in texts:
        tokens = base.tokenizer.encode(normalise(text), add_special_tokens=False).ids
        cut += len(tokens) > room
        ids.append([*base.prefix, *tokens[:room], *base.suffix])
    return Encoded(ids, cut)


class Rows(Dataset[int]):
    """A dataset of row numbers: tensors are built for a whole batch at once, by `Collate`."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, row: int) -> int:
        return row


class LengthBuckets(Sampler[list[int]]):
    """Batches of passages of similar length, in a random order that depends on seed and epoch alone.

    Parameters
    ----------
    lengths : sequence of int
        Of the passages, in tokens.
    batch_size : int
        Passages in a batch.
    seed : int
        Of the shuffle.
    pool : int
        Passages are shuffled, then sorted within pools of this many batches: a larger pool pads less and mixes less.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, *, seed: int, pool: int = 40) -> None:
        self.lengths, self.batch_size, self.seed, self.pool = lengths, batch_size, seed, pool
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        shuffle = random.Random(f"{self.seed}/{self.epoch}")  # noqa: S311 - an order, not a secret
        rows = list(range(len(self.lengths)))
        shuffle.shuffle(rows)
        span = self.batch_size * self.pool
        pools = (sorted(rows[i : i + span], key=self.lengths.__getitem__) for i in range(0, len(rows), span))
        batches = [
            pool[i : i + self.batch_size] for pool in pools for i in range(0, len(pool), self.batch_size)
        ]
        shuffle.shuffle(batches)
        yield from batches


@dataclass(slots=True)
class Collate:
    """Builds padded tensors from row numbers.

    Attributes
    ----------
    ids : sequence of sequence of int
        Token ids of all the passages.
    pad : int
        Padding id.
    mask_id : int
        Id that hides a token; -1 hides none.
    masking : float
        Share of the tokens to hide.
    special : frozenset of int
        Ids never hidden.
    """

    ids: Sequence[Sequence[int]]
    pad: int
    mask_id: int = -1
    masking: float = 0.0
    special: frozenset[int] = frozenset()

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Row numbers, token ids and attention mask of a batch."""
        width = max(len(self.ids[row]) for row in rows)
        ids = torch.full((len(rows), width), self.pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            line = self.ids[row]
            ids[i, : len(line)] = torch.tensor(line)
            mask[i, : len(line)] = 1
        if self.masking and self.mask_id >= 0:
            hide = (torch.rand(ids.shape) < self.masking) & ~torch.isin(ids, torch.tensor(sorted(self.special)))
            ids = torch.where(hide, torch.full_like(ids, self.mask_id), ids)
        return {"rows": torch.tensor(rows), "input_ids": ids, "attention_mask": mask}
