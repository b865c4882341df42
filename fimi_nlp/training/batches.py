"""Passages as tensors: encoded once, bucketed by length, masked where nobody annotated."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from fimi_nlp.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fimi_nlp.data import Corpus
    from fimi_nlp.training.distil import SoftTargets
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
    soft : SoftTargets, optional
        A teacher's probabilities.
    """

    narratives: Tensor
    mask: Tensor
    subs: Tensor
    stance: Tensor
    origin: Tensor
    soft: SoftTargets | None = None

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
        soft = self.soft.rows(i) if self.soft else None
        return Targets(self.narratives[i], self.mask[i], self.subs[i], self.stance[i], self.origin[i], soft)

    def joined(self, other: Targets) -> Targets:
        """The targets of passages joined with others, row by row: a join carries what either part carries.

        A cell counts where both parts are annotated, or one of them surely carries the label. Where the parts
        disagree on a choice, it is left out.
        """
        narratives = torch.maximum(self.narratives * self.mask, other.narratives * other.mask)
        mask = torch.maximum(self.mask * other.mask, (narratives > 0.5).to(self.mask.dtype))
        origin = torch.where(self.origin == other.origin, self.origin, IGNORE)
        soft = self.soft.joined(other.soft) if self.soft and other.soft else None
        subs, stance = _either(self.subs, other.subs), _either(self.stance, other.stance)
        return Targets(narratives, mask, subs, stance, origin, soft)

    def to(self, device: torch.device) -> Targets:
        """The targets on a device."""
        moved = {name: value.to(device) for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return Targets(**moved)

    def filled(self) -> Targets:
        """The targets with the teacher's word where nobody annotated: soft narratives, its first choices.

        A sub is filled in where the teacher finds its narrative, a stance where it finds any.
        """
        if self.soft is None:
            return self
        p = self.soft.narratives
        fill = (self.mask == 0) & ~p.isnan()
        *subs, (_, stance), (_, origin) = self.soft.blocks()
        found = p > 0.5
        chosen = [_first_choice(block, found[:, i]) for i, (_, block) in enumerate(subs)]
        return replace(
            self,
            narratives=torch.where(fill, p, self.narratives),
            mask=torch.where(fill, torch.ones_like(self.mask), self.mask),
            subs=torch.where(fill, torch.stack(chosen, dim=1), self.subs),
            stance=torch.where((self.stance == IGNORE) & fill.any(1), _first_choice(stance, found.any(1)), self.stance),
            origin=torch.where(self.origin == IGNORE, _first_choice(origin, torch.ones_like(found[:, 0])), self.origin),
        )


def _first_choice(block: Tensor, rows: Tensor) -> Tensor:
    """The most probable class in some rows, `IGNORE` in the others and where there is none."""
    if not block.shape[1]:
        return torch.full((len(block),), IGNORE)
    return torch.where(rows & ~block.isnan().any(1), block.nan_to_num(-1.0).argmax(1), IGNORE)


def _either(one: Tensor, other: Tensor) -> Tensor:
    """The choice that one part has, or that both share."""
    both = torch.where(one == other, one, IGNORE)
    return torch.where(one == IGNORE, other, torch.where(other == IGNORE, one, both))


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


#: A passage and the one joined to it, by row; -1 joins nothing.
Pair = tuple[int, int]


class Pairs(Dataset[Pair]):
    """A dataset whose items are their own keys: tensors are built for a whole batch at once, by `Collate`."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, pair: Pair) -> Pair:
        return pair


class LengthBuckets(Sampler[list[Pair]]):
    """Batches of passages of similar length, in an order that depends on seed and epoch alone.

    Some passages are joined with another one, drawn at random: that teaches the network to find a claim beside
    sentences that have nothing to do with it.

    Parameters
    ----------
    lengths : sequence of int
        Of the passages, in tokens.
    batch_size : int
        Passages in a batch.
    seed : int
        Of the order and of the joins.
    joining : float
        Share of the passages to join.
    limit : int
        Joins longer than this are not made.
    pool : int
        Passages are shuffled, then sorted within pools of this many batches: a larger pool pads less and mixes less.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        seed: int,
        joining: float = 0.0,
        limit: int = 0,
        pool: int = 40,
    ) -> None:
        self.lengths, self.batch_size, self.seed, self.pool = lengths, batch_size, seed, pool
        self.joining, self.limit = joining, limit
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[Pair]]:
        draw = random.Random(f"{self.seed}/{self.epoch}")  # noqa: S311 - an order, not a secret
        rows = list(range(len(self.lengths)))
        draw.shuffle(rows)
        pairs = [(row, self._partner(row, draw)) for row in rows]
        span = self.batch_size * self.pool
        pools = (sorted(pairs[i : i + span], key=self._length) for i in range(0, len(pairs), span))
        batches = [pool[i : i + self.batch_size] for pool in pools for i in range(0, len(pool), self.batch_size)]
        draw.shuffle(batches)
        yield from batches

    def _partner(self, row: int, draw: random.Random) -> int:
        if not self.joining or draw.random() >= self.joining:
            return -1
        partner = draw.randrange(len(self.lengths))
        return partner if self.lengths[row] + self.lengths[partner] <= self.limit else -1

    def _length(self, pair: Pair) -> int:
        row, partner = pair
        return self.lengths[row] + (self.lengths[partner] if partner >= 0 else 0)


@dataclass(slots=True)
class Collate:
    """Builds padded tensors from pairs of rows.

    Attributes
    ----------
    ids : sequence of sequence of int
        Token ids of all the passages, special tokens included.
    prefix, suffix : int
        How many special tokens stand before and after a passage.
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
    prefix: int
    suffix: int
    pad: int
    mask_id: int = -1
    masking: float = 0.0
    special: frozenset[int] = frozenset()

    def __call__(self, pairs: Sequence[Pair]) -> dict[str, Tensor]:
        """Rows, partners, token ids and attention mask of a batch."""
        lines = [self._line(*pair) for pair in pairs]
        ids = torch.full((len(lines), max(map(len, lines))), self.pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, line in enumerate(lines):
            ids[i, : len(line)] = torch.tensor(line)
            mask[i, : len(line)] = 1
        if self.masking and self.mask_id >= 0:
            hide = (torch.rand(ids.shape) < self.masking) & ~torch.isin(ids, torch.tensor(sorted(self.special)))
            ids = torch.where(hide, torch.full_like(ids, self.mask_id), ids)
        rows, partners = torch.tensor(list(pairs)).T
        return {"rows": rows, "partners": partners, "inputs": ids, "attention_mask": mask}

    def _line(self, row: int, partner: int) -> Sequence[int]:
        line = self.ids[row]
        if partner < 0:
            return line
        # Either order: which comes first is as random as which was drawn first.
        other = self.ids[partner]
        return [*line[: len(line) - self.suffix], *other[self.prefix :]]
