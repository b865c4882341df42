"""Calibration, thresholds and abstention, fitted on the dev split to the logits of the exported model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.bundle import Calibration
from fimi_nlp.decision import Heads, calibrate, logit, raw_confidence
from fimi_nlp.training.thresholds import GRID, SURE, choose_thresholds
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fimi_nlp.data import Corpus
    from fimi_nlp.training.distil import SoftTargets

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

#: An origin is named for this share of the dev passages that carry a narrative. On sources left out of training it was
#: named for up to a tenth less of them (models/experiments.jsonl); three quarters are to get one there.
ORIGIN_COVERAGE = 0.8


def fit_calibration(
    logits: npt.NDArray[np.float32], corpus: Corpus, *, seed: int = 0, teacher: SoftTargets | None = None
) -> tuple[Calibration, dict[str, dict[str, float]]]:
    """Fit everything that turns logits into decisions.

    Parameters
    ----------
    logits : ndarray, shape (n, outputs)
        Of the exported model for the passages of `corpus`.
    corpus : Corpus
        The dev split; cells that are not annotated are left out.
    seed : int
        Of the resampling that steadies the thresholds.
    teacher : SoftTargets, optional
        Probabilities that stand in for cells that are not annotated: what is fitted there are expected counts.

    Returns
    -------
    Calibration
        Slopes, offsets, temperatures, and the thresholds of subs and origin.
    dict
        Mode to narrative to threshold.
    """
    schema, arrays = corpus.schema, corpus.label_arrays()
    gold, mask = arrays.narratives.astype(np.float64), arrays.narrative_mask
    choices = [*arrays.subs.T, arrays.stance, arrays.origin]
    identity = Calibration(
        tuple((1.0, 0.0) for _ in schema.narratives), 1.0, 1.0, 1.0, (1.0, 0.0), (1.0, 0.0), 0.0, 0.0
    )
    start = len(schema.narratives)
    widths = [len(label.sub_labels) for label in schema.narratives]
    edges = np.cumsum([start, *widths, len(schema.stances), len(schema.origins)])
    blocks = np.split(np.asarray(logits, np.float64), edges[:-1], axis=1)
    believed = [_one_hot(classes, block.shape[1]) for classes, block in zip(choices, blocks[1:], strict=True)]
    if teacher is not None:
        gold, mask, believed = _filled(gold, mask, believed, teacher)
    carries = np.asarray((gold > SURE).any(axis=1), bool)
    pairs = list(zip(blocks[1:], believed, strict=True))
    values = asdict(identity) | {
        "narratives": tuple(_platt(blocks[0][mask[:, i], i], gold[mask[:, i], i]) for i in range(start)),
        "subs": _temperature(pairs[:-2]),
        "stance": _temperature(pairs[-2:-1]),
        "origin": _temperature(pairs[-1:]),
    }
    heads = calibrate(logits, schema, Calibration(**values))
    thresholds = choose_thresholds(heads.narratives, gold, mask, corpus.groups, schema, seed)
    values["sub_threshold"] = _sub_threshold(heads.subs, believed[:-2])
    values["origin_threshold"] = _origin_threshold(heads, carries)
    named = [heads.narratives >= np.array(list(thresholds[mode.value].values())) for mode in Mode]
    values["confidence_named"], values["confidence_none"] = _confidence(
        heads.narratives, gold, np.asarray(mask.all(axis=1), bool), named
    )
    return Calibration(**values), thresholds


def to_config(calibration: Calibration) -> dict[str, Any]:
    """The calibration as plain JSON types, rounded so that it reads well."""

    def plain(value: Any) -> Any:
        return [plain(v) for v in value] if isinstance(value, tuple) else round(float(value), 6)

    return {key: plain(value) for key, value in asdict(calibration).items()}


def _one_hot(classes: npt.NDArray[np.int64], width: int) -> Floats:
    """Distributions over classes, shape (n, width); NaN where nothing is annotated."""
    out = np.full((len(classes), width), np.nan)
    rows = np.flatnonzero(classes >= 0)
    out[rows] = 0.0
    out[rows, classes[rows]] = 1.0
    return out


def _filled(
    gold: Floats, mask: Bools, believed: list[Floats], teacher: SoftTargets
) -> tuple[Floats, Bools, list[Floats]]:
    """Labels, and the teacher's probabilities where there are none.

    A sub counts where the teacher finds its narrative, a stance where it finds any: elsewhere these are about nothing.
    """
    p = teacher.narratives.numpy().astype(np.float64)
    fill = ~mask & ~np.isnan(p)
    found = [*(fill & (p > SURE)).T, fill.any(1) & (np.nan_to_num(p) > SURE).any(1), np.ones(len(p), bool)]
    filled = []
    for block, (_, theirs), rows in zip(believed, teacher.blocks(), found, strict=True):
        use = rows & np.isnan(block).all(1)
        filled.append(np.where(use[:, None], theirs.numpy(), block))
    return np.where(fill, p, gold), mask | fill, filled


def _platt(z: Floats, gold: Floats) -> tuple[float, float]:
    """Slope and offset of a logistic regression on one logit; the identity where there is only one class.

    A probability in `gold` counts as that much of a hit and the rest of a miss.
    """
    from sklearn.linear_model import LogisticRegression

    hit = gold > SURE
    if hit.all() or not hit.any():
        return 1.0, 0.0
    weights = None
    if ((gold > 0) & (gold < 1)).any():
        z, hit = np.concatenate([z, z]), np.repeat([True, False], len(gold))
        weights = np.concatenate([gold, 1 - gold])
    # A little regularisation: without any, a small set that is separated cleanly would give an endless slope.
    model = LogisticRegression(C=100.0).fit(z.reshape(-1, 1), hit, sample_weight=weights)
    return float(max(model.coef_[0, 0], 0.05)), float(model.intercept_[0])


def _temperature(heads: Sequence[tuple[Floats, Floats]]) -> float:
    """The temperature that maximises the likelihood of the classes believed in, over several soft-max heads."""
    from scipy.optimize import minimize_scalar

    pairs = [(block[rows], belief[rows]) for block, belief in heads if (rows := ~np.isnan(belief).any(1)).any()]
    pairs = [(block, belief) for block, belief in pairs if block.shape[1]]
    if not pairs:
        return 1.0

    def loss(log_temperature: float) -> float:
        total = 0.0
        for block, belief in pairs:
            z = block / np.exp(log_temperature)
            z = z - z.max(1, keepdims=True)
            total += float((np.log(np.exp(z).sum(1)) - (z * belief).sum(1)).sum())
        return total

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


def _sub_threshold(subs: Sequence[Floats], gold: Sequence[Floats]) -> float:
    """The threshold with the best F1 of naming the right sub, where gold carries the narrative; at least 0.3."""
    top = [
        (block[rows].max(1), block[rows].argmax(1) == belief[rows].argmax(1))
        for block, belief in zip(subs, gold, strict=True)
        if block.shape[1] and (rows := ~np.isnan(belief).any(1)).any()
    ]
    if not top:
        return 0.5
    p, right = (np.concatenate(part) for part in zip(*top, strict=True))
    grid = GRID[GRID >= 0.3]
    f1 = [2 * right[p >= t].sum() / max((p >= t).sum() + len(p), 1) for t in grid]
    return float(grid[int(np.argmax(f1))])


def _origin_threshold(heads: Heads, carries: Bools) -> float:
    if not carries.any() or not heads.origin.shape[1]:
        return 0.5
    top = heads.origin[carries].max(1)
    return float(np.floor(np.quantile(top, 1 - ORIGIN_COVERAGE) * 100) / 100)


def _confidence(
    p: Floats, gold: Floats, annotated: Bools, named: Sequence[Bools]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Platt scaling of the raw confidence over all the modes, apart for tags with and without narratives."""
    raw: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for choice in named:
        for row in np.flatnonzero(annotated):
            some = bool(choice[row].any())
            right = float(np.prod(gold[row][choice[row]]) if some else np.prod(1 - gold[row]))
            raw[some].append((logit(raw_confidence(p[row], choice[row])), right))
    pairs = []
    for some in (True, False):
        z, truth = np.array([v for v, _ in raw[some]]), np.array([r for _, r in raw[some]])
        pairs.append(_platt(z, truth) if len(z) else (1.0, 0.0))
    return pairs[0], pairs[1]
