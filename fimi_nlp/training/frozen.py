"""Training on the token states of frozen layers, computed once.

Where the lowest layers do not learn, their output for a passage is the same in every epoch. Keeping it saves their
forward pass; a BERT encoder of six layers with four frozen trains about twice as fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fimi_nlp.errors import RecipeError
from fimi_nlp.training.batches import Collate
from fimi_nlp.training.encoders import layers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimi_nlp.training.batches import Pair
    from fimi_nlp.training.model import NarrativeModel, Output

_BATCH_TOKENS = 8192


class Upper(nn.Module):
    """The layers that learn, and the heads: what is left of a network whose lower states are at hand.

    Parameters
    ----------
    model : NarrativeModel
        Its parameters are shared, not copied. The encoder must be a BERT.
    frozen : int
        How many layers lie below.
    """

    def __init__(self, model: NarrativeModel, frozen: int) -> None:
        super().__init__()
        if getattr(model.encoder.config, "model_type", "") != "bert":
            raise RecipeError(
                "training.cache knows how the layers of BERT encoders are called, and this is another encoder.",
                remedy="Set training.cache to false.",
            )
        self.model, self.layers = model, layers_of(model.encoder)[frozen:]

    def forward(self, states: Tensor, attention_mask: Tensor) -> Output:
        """Logits and embeddings from states ``(batch, tokens, hidden)`` and their mask ``(batch, tokens)``."""
        bias = (1.0 - attention_mask[:, None, None, :].to(states.dtype)) * torch.finfo(states.dtype).min
        for layer in self.layers:
            out = layer(states, attention_mask=bias)
            states = out[0] if isinstance(out, tuple) else out
        return self.model.read(states, attention_mask)


@dataclass(slots=True)
class StateCollate:
    """Builds padded batches of token states, as `Collate` does of token ids.

    Attributes
    ----------
    states : list of Tensor
        ``(tokens, hidden)`` of every passage, special tokens included.
    prefix, suffix : int
        How many special tokens stand before and after a passage.
    masking : float
        Share of the tokens to leave out.
    """

    states: Sequence[Tensor]
    prefix: int
    suffix: int
    masking: float = 0.0

    def __call__(self, pairs: Sequence[Pair]) -> dict[str, Tensor]:
        """Rows, partners, token states and attention mask of a batch."""
        lines = [self._thinned(self._line(*pair)) for pair in pairs]
        states = torch.nn.utils.rnn.pad_sequence(lines, batch_first=True)
        mask = torch.zeros(states.shape[:2], dtype=torch.long)
        for i, line in enumerate(lines):
            mask[i, : len(line)] = 1
        rows, partners = torch.tensor(list(pairs)).T
        return {"rows": rows, "partners": partners, "inputs": states, "attention_mask": mask}

    def _line(self, row: int, partner: int) -> Tensor:
        line = self.states[row]
        if partner < 0:
            return line
        # Each part was read alone below; above, the two see each other.
        return torch.cat([line[: len(line) - self.suffix], self.states[partner][self.prefix :]])

    def _thinned(self, line: Tensor) -> Tensor:
        if not self.masking:
            return line
        keep = torch.rand(len(line)) >= self.masking
        keep[: self.prefix] = True
        keep[len(line) - self.suffix :] = True
        return line[keep]


@torch.no_grad()
def lower_states(model: NarrativeModel, ids: Sequence[Sequence[int]], pad: int, frozen: int) -> list[Tensor]:
    """Token states below the layers that learn: one ``(tokens, hidden)`` tensor a passage, in their order."""
    found: list[Any] = [None] * len(ids)
    caught: list[Tensor] = []
    stack = layers_of(model.encoder)
    hook = stack[frozen - 1].register_forward_hook(
        lambda _module, _inputs, out: caught.append(out[0] if isinstance(out, tuple) else out)
    )
    # The layers above are not needed here.
    above = list(stack[frozen:])
    del stack[frozen:]
    training = model.training
    model.eval()
    try:
        collate = Collate(ids, 0, 0, pad)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        start = 0
        while start < len(order):
            size = max(1, _BATCH_TOKENS // max(len(ids[order[start]]), 1))
            rows = order[start : start + size]
            batch = collate([(row, -1) for row in rows])
            model.encode(batch["inputs"], batch["attention_mask"])
            states = caught.pop()
            for row, line in zip(rows, states, strict=True):
                found[row] = line[: len(ids[row])].clone()
            start += size
    finally:
        hook.remove()
        stack.extend(above)
        model.train(training)
    return found
