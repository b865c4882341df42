"""The multi-head network: one encoder, a lexical branch, and a head per question.

Every label attends to the passage on its own (label-wise attention, Mullenbach et al. 2018, *Explainable
Prediction of Medical Codes*), since a narrative is often one clause of a longer passage and mean pooling dilutes it.
A linear branch over hashed word-piece n-grams stands beside the encoder: on sources that neither has seen, the two
err differently, so that the weighted sum of their logits is better than each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class HeadSizes(NamedTuple):
    """How many outputs each head has.

    Attributes
    ----------
    narratives : int
        Independent labels (one sigmoid each).
    subs : tuple of int
        For every narrative, how many sub-narratives exclude each other under it (one softmax each).
    stance, origin : int
        Mutually exclusive classes (one softmax each).
    """

    narratives: int
    subs: tuple[int, ...]
    stance: int
    origin: int

    @property
    def total(self) -> int:
        """Width of the concatenated logits."""
        return self.narratives + sum(self.subs) + self.stance + self.origin

    def slices(self) -> dict[str, slice]:
        """Where each head stands in the concatenated logits."""
        ends = [0]
        for width in (self.narratives, sum(self.subs), self.stance, self.origin):
            ends.append(ends[-1] + width)
        names = ("narratives", "subs", "stance", "origin")
        return {n: slice(a, b) for n, a, b in zip(names, ends, ends[1:], strict=False)}


class Encoder(Protocol):
    """What the network needs of a transformers encoder."""

    def __call__(self, *, input_ids: Tensor, attention_mask: Tensor) -> object:
        """Token states as ``last_hidden_state``."""


class LabelAttention(nn.Module):
    """One learned query per label over the token states.

    Parameters
    ----------
    hidden : int
        Width of the token states.
    queries : int
        How many pooled vectors to give.
    """

    def __init__(self, hidden: int, queries: int) -> None:
        super().__init__()
        self.key = nn.Linear(hidden, hidden)
        self.query = nn.Parameter(torch.randn(queries, hidden) * 0.02)
        self.scale = float(hidden) ** -0.5

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Pool ``(batch, tokens, hidden)`` states into ``(batch, queries, hidden)``."""
        scores = torch.matmul(torch.tanh(self.key(states)), self.query.t()) * self.scale
        # -1e4 and not -inf, so that the exported graph stays finite in int8 and half precision.
        scores = scores + (1.0 - mask.unsqueeze(-1)) * -1e4
        weights = torch.softmax(scores.transpose(1, 2), dim=-1)
        return torch.matmul(weights, states)


class LexicalBranch(nn.Module):
    """A linear model over word pieces and hashed pairs of neighbouring word pieces.

    It is a TF-IDF logistic regression written as table look-ups, so that it runs inside the exported graph:
    ``logit = scale * sum(table[slot]) / norm + bias``, where ``norm`` is the length of the passage's idf vector.
    Weights are int8 with one scale per output, here as in the bundle, so that training and export agree exactly.

    Parameters
    ----------
    vocabulary : int
        Number of word pieces (features ``0 .. vocabulary - 1``).
    buckets : int
        Number of hash buckets for pairs (the features after those).
    kept : int
        How many features have weights.
    outputs : int
        Width of the concatenated logits.
    """

    #: Multipliers of the pair hash: odd, and small enough for int64 with any vocabulary.
    MULTIPLIERS = (1_000_003, 8_191)

    slot: Tensor
    table: Tensor
    squared_idf: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, vocabulary: int, buckets: int, kept: int, outputs: int) -> None:
        super().__init__()
        self.vocabulary, self.buckets = vocabulary, buckets
        # Feature to row of the table; row 0 stands for every feature that is not kept, and weighs nothing.
        self.register_buffer("slot", torch.zeros(vocabulary + buckets, dtype=torch.int32))
        self.register_buffer("table", torch.zeros(kept + 1, outputs, dtype=torch.int8))
        self.register_buffer("squared_idf", torch.zeros(kept + 1))
        self.register_buffer("scale", torch.ones(outputs))
        self.register_buffer("bias", torch.zeros(outputs))

    @classmethod
    def features(cls, input_ids: Tensor, mask: Tensor, vocabulary: int, buckets: int) -> tuple[Tensor, Tensor]:
        """Feature indices and their 0/1 weights, each ``(batch, 2 * tokens - 1)``."""
        first, second = cls.MULTIPLIERS
        pairs = torch.remainder(input_ids[:, :-1] * first + input_ids[:, 1:] * second, buckets) + vocabulary
        return torch.cat([input_ids, pairs], dim=1), torch.cat([mask, mask[:, 1:]], dim=1)

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Logits ``(batch, outputs)``."""
        index, weight = self.features(input_ids, mask, self.vocabulary, self.buckets)
        rows = self.slot[index].long()
        total = (self.table[rows].to(weight.dtype) * weight.unsqueeze(-1)).sum(1)
        norm = (self.squared_idf[rows] * weight).sum(1, keepdim=True).clamp(min=1e-6).sqrt()
        return total * self.scale / norm + self.bias


class Output(NamedTuple):
    """What the network gives for a batch of ``n`` passages.

    Attributes
    ----------
    logits : Tensor
        ``(n, HeadSizes.total)``: narratives, subs, stance, origin side by side.
    embedding : Tensor
        ``(n, hidden)`` unit vectors: the mean of the token states.
    """

    logits: Tensor
    embedding: Tensor


class NarrativeModel(nn.Module):
    """Encoder, label-wise attention, lexical branch and heads.

    Parameters
    ----------
    encoder : nn.Module
        A transformers encoder that returns ``last_hidden_state``.
    hidden : int
        Width of its token states.
    sizes : HeadSizes
        Widths of the heads.
    lexical : LexicalBranch, optional
        Fitted branch; its logits are mixed in by the weight of each head in `lexical_weight`, 0 until it is set.
    dropout : float
        On the pooled vectors.
    """

    lexical_weight: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        hidden: int,
        sizes: HeadSizes,
        *,
        lexical: LexicalBranch | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder, self.sizes, self.lexical = encoder, sizes, lexical
        #: One query per narrative, one for the stance, one for the origin.
        self.pool = LabelAttention(hidden, sizes.narratives + 2)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.narrative_weight = nn.Parameter(torch.randn(sizes.narratives, hidden) * 0.02)
        self.narrative_bias = nn.Parameter(torch.zeros(sizes.narratives))
        self.sub_heads = nn.ModuleList(_head(hidden, width) for width in sizes.subs)
        self.stance_head = _head(hidden, sizes.stance)
        self.origin_head = _head(hidden, sizes.origin)
        self.register_buffer("lexical_weight", torch.zeros(sizes.total))

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token states ``(batch, tokens, hidden)``."""
        output = cast("Encoder", self.encoder)(input_ids=input_ids, attention_mask=attention_mask)
        return cast("Tensor", output.last_hidden_state)  # type: ignore[attr-defined]

    def neural_logits(self, states: Tensor, mean: Tensor, mask: Tensor) -> Tensor:
        """Logits of the heads on the encoder alone, ``(batch, HeadSizes.total)``."""
        pooled = self.pool(states, mask)
        context = mean.unsqueeze(1).expand(-1, pooled.shape[1], -1)
        pooled = self.dropout(torch.nn.functional.gelu(self.mix(torch.cat([pooled, context], dim=-1))))
        n = self.sizes.narratives
        narratives = (pooled[:, :n] * self.narrative_weight).sum(-1) + self.narrative_bias
        parts: list[Tensor] = [narratives]
        parts += [head(pooled[:, i]) for i, head in enumerate(self.sub_heads)]
        parts += [self.stance_head(pooled[:, n]), self.origin_head(pooled[:, n + 1])]
        return torch.cat(parts, dim=-1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Output:
        """Logits and embeddings of a padded batch of token ids, both inputs ``(batch, tokens)`` int64."""
        output = self.read(self.encode(input_ids, attention_mask), attention_mask)
        if self.lexical is None:
            return output
        lexical = self.lexical(input_ids, attention_mask.to(output.embedding.dtype))
        logits = (1.0 - self.lexical_weight) * output.logits + self.lexical_weight * lexical
        return Output(logits, output.embedding)

    def read(self, states: Tensor, attention_mask: Tensor) -> Output:
        """What the heads make of token states ``(batch, tokens, hidden)``, without the lexical branch."""
        mask = attention_mask.to(states.dtype)
        mean = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1.0)
        logits = self.neural_logits(states, mean, mask)
        return Output(logits.float(), torch.nn.functional.normalize(mean.float(), dim=-1))


class _NoHead(nn.Module):
    """Stands where a schema has no classes; its logits have width 0."""

    def forward(self, states: Tensor) -> Tensor:
        """Logits ``(batch, 0)``."""
        return states[:, :0]


def _head(hidden: int, width: int) -> nn.Module:
    return nn.Linear(hidden, width) if width else _NoHead()


def split_subs(logits: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """Cut the sub-narrative logits ``(batch, sum(widths))`` into one block per narrative."""
    return list(torch.split(logits, list(widths), dim=-1))
