"""Fit the lexical branch: logistic regressions over idf-weighted word pieces and hashed pairs of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fimi_nlp.training.model import HeadSizes, LexicalBranch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fimi_nlp.training.batches import Targets
    from fimi_nlp.training.recipe_parts import ModelPart

    Floats = npt.NDArray[np.float64]

#: Features seen in fewer passages get no weight.
MIN_PASSAGES = 6
#: Logit of a class that the training data never shows.
NEVER = -8.0


def fit_lexical(
    ids: Sequence[Sequence[int]], targets: Targets, sizes: HeadSizes, vocabulary: int, model: ModelPart
) -> LexicalBranch:
    """Fit one linear model per head.

    Parameters
    ----------
    ids : sequence of sequence of int
        Token ids of the training passages, special tokens included.
    targets : Targets
        Their labels. Soft targets count as labels of less weight, masked cells not at all.
    sizes : HeadSizes
        Widths of the heads.
    vocabulary : int
        Number of token ids.
    model : ModelPart
        Buckets and regularisation.
    """
    counts = _counts(ids, vocabulary, model.lexical_buckets)
    frequency = np.asarray((counts > 0).sum(0)).ravel()
    kept = np.flatnonzero(frequency >= MIN_PASSAGES)
    idf = np.log((1 + len(ids)) / (1 + frequency[kept])) + 1
    counts = counts[:, kept]
    norms = np.sqrt(np.asarray(counts @ (idf**2)).ravel().clip(1e-6))
    design = _scaled(counts, 1 / norms, idf)
    weights, bias = _fit_heads(design, targets, sizes, model.lexical_strength)
    branch = LexicalBranch(vocabulary, model.lexical_buckets, len(kept), sizes.total)
    table = weights * idf[:, None]
    scale = np.abs(table).max(0).clip(1e-9) / 127
    branch.slot[torch.from_numpy(kept)] = torch.arange(1, len(kept) + 1, dtype=torch.int32)
    branch.table[1:] = torch.from_numpy(np.rint(table / scale).astype(np.int8))
    branch.squared_idf[1:] = torch.from_numpy((idf**2).astype(np.float32))
    branch.scale.copy_(torch.from_numpy(scale.astype(np.float32)))
    branch.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
    return branch


def _counts(ids: Sequence[Sequence[int]], vocabulary: int, buckets: int) -> Any:
    """Sparse counts (passages x features), from the very function that the network uses."""
    from scipy import sparse

    rows, columns = [], []
    for row, line in enumerate(ids):
        tokens = torch.tensor([list(line)])
        index, _ = LexicalBranch.features(tokens, torch.ones_like(tokens), vocabulary, buckets)
        columns.append(index[0].numpy())
        rows.append(np.full(len(columns[-1]), row))
    data = (np.ones(sum(map(len, rows))), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(data, shape=(len(ids), vocabulary + buckets))


def _scaled(matrix: Any, rows: Floats, columns: Floats) -> Any:
    from scipy import sparse

    return (sparse.diags(rows) @ matrix @ sparse.diags(columns)).tocsr()


def _fit_heads(design: Any, targets: Targets, sizes: HeadSizes, strength: float) -> tuple[Floats, Floats]:
    weights = np.zeros((design.shape[1], sizes.total))
    bias = np.zeros(sizes.total)
    soft, mask = targets.narratives.numpy(), targets.mask.numpy()
    for label in range(sizes.narratives):
        annotated = mask[:, label] > 0
        certainty = np.abs(2 * soft[:, label] - 1)
        weights[:, [label]], bias[[label]] = _fit(
            design, np.where(annotated, soft[:, label] > 0.5, -1).astype(int), 2, strength, certainty
        )
    parts = sizes.slices()
    start = parts["subs"].start
    for label, width in enumerate(sizes.subs):
        columns = slice(start, start + width)
        weights[:, columns], bias[columns] = _fit(design, targets.subs[:, label].numpy(), width, strength)
        start += width
    for head, classes in (("stance", targets.stance), ("origin", targets.origin)):
        columns = parts[head]
        weights[:, columns], bias[columns] = _fit(design, classes.numpy(), columns.stop - columns.start, strength)
    return weights, bias


def _fit(
    design: Any, classes: npt.NDArray[np.int64], width: int, strength: float, certainty: Floats | None = None
) -> tuple[Floats, Floats]:
    """Weights and bias of one head; two classes that stand for no and yes give the one logit of yes."""
    from sklearn.linear_model import LogisticRegression

    rows = np.flatnonzero(classes >= 0)
    present = np.unique(classes[rows])
    binary = certainty is not None
    outputs = 1 if binary else width
    weights, bias = np.zeros((design.shape[1], outputs)), np.full(outputs, NEVER)
    if len(present) < 2:
        bias[present if not binary else present[present == 0]] = NEVER if binary else 0.0
        if binary and present.tolist() == [1]:
            bias[:] = -NEVER
        return weights, bias
    # liblinear is the faster of the two by far, but knows two classes only.
    solver = LogisticRegression(C=strength, solver="liblinear" if binary else "lbfgs", max_iter=200)
    solver.fit(design[rows], classes[rows], sample_weight=None if certainty is None else certainty[rows])
    if binary:
        return solver.coef_.T, solver.intercept_
    if len(present) == 2:
        half, offset = solver.coef_.T / 2, solver.intercept_ / 2
        weights[:, present] = np.hstack([-half, half])
        bias[present] = np.concatenate([-offset, offset])
    else:
        weights[:, present], bias[present] = solver.coef_.T, solver.intercept_
    return weights, bias
