"""The first stage of `load(..., fast=True)`: lets texts go that the model would say nothing of.

A linear model over word pieces and hashed pairs of neighbouring ones, trained to foresee the whole model's answer
(distillation; `fimi_nlp.training.gate`). It reads token ids in microseconds. A window's score is
``bias + scale * sum(weight) / sqrt(number of features)``; a text goes on to the model where that reaches the
threshold of the mode. Texts of several windows always go on: a claim buried in a long text would be diluted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.bundle import GATE
from fimi_nlp.errors import BundleError, InputError
from fimi_nlp.reader import Prepared
from fimi_nlp.types import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from fimi_nlp.bundle import Bundle
    from fimi_nlp.types import Mode

#: Where ``config.json`` has everything about the gate but its weights.
KEY = "gate"
#: Multipliers of the pair hash: odd, and small enough for int64 with any vocabulary.
_FIRST, _SECOND = 1_000_003, 8_191


@dataclass(frozen=True, slots=True)
class Gate:
    """A fitted first stage.

    Attributes
    ----------
    weights : ndarray of int8, shape (vocabulary + buckets,)
        Of the word pieces, then of the hashed pairs.
    buckets : int
        How many of them are of pairs.
    scale, bias : float
        From the sum of weights to the score.
    """

    weights: npt.NDArray[np.int8]
    buckets: int
    scale: float
    bias: float

    @classmethod
    def read(cls, bundle: Bundle) -> Gate:
        """The gate of a bundle.

        Raises
        ------
        BundleError
            It has none, or it is malformed.
        """
        config = bundle.config.get(KEY)
        if not isinstance(config, dict) or GATE not in bundle.config["files"]:
            raise BundleError(
                f"{bundle.name} has no first stage, so that it cannot be loaded with fast=True.",
                remedy="Load it without, or fit one: fimi-nlp gate MODEL CORPUS --out FOLDER.",
            )
        path = bundle.folder / GATE
        try:
            weights = np.load(path, allow_pickle=False)
            gate = cls(weights, int(config["buckets"]), float(config["scale"]), float(config["bias"]))
            if weights.dtype != np.int8 or weights.ndim != 1 or not 0 < gate.buckets < len(weights):
                raise ValueError(f"weights of {weights.dtype}, shape {weights.shape}")
            if set(config["modes"]) != set(bundle.thresholds):
                raise ValueError("'modes' are not those of the thresholds")
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{path}: no usable first stage: {error}.", remedy="Export the bundle again.") from error
        return gate

    def scores(self, windows: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
        """How much each window of token ids looks like one that carries a narrative: shape (n,)."""
        if not windows:
            return np.zeros(0)
        index, counts = features(windows, len(self.weights) - self.buckets, self.buckets)
        sums = np.add.reduceat(self.weights[index].astype(np.int64), np.cumsum(counts) - counts)
        return np.asarray(self.bias + self.scale * sums / np.sqrt(counts))


class Sieve:
    """A gate at the threshold of a mode.

    Parameters
    ----------
    bundle : Bundle
        One that has a gate.
    mode : Mode
        Whose thresholds are used.
    thresholds : mapping of str to float
        Of each narrative, as the tagger uses them.

    Attributes
    ----------
    confidence : float
        Chance that a text that is let go carries no narrative, from the split on which the gate was calibrated.

    Raises
    ------
    InputError
        A threshold is below the mode's: the gate lets texts go that it would name.
    """

    def __init__(self, bundle: Bundle, mode: Mode, thresholds: Mapping[str, float]) -> None:
        self._gate = Gate.read(bundle)
        below = [label for label, value in bundle.thresholds[mode.value].items() if thresholds[label] < value]
        if below:
            raise InputError(
                f"The threshold of '{below[0]}' is below that of mode '{mode.value}', for which the first stage was"
                " calibrated.",
                remedy=f"Raise it to {bundle.thresholds[mode.value][below[0]]}, choose another mode, or load without"
                " fast=True.",
            )
        values: dict[str, Any] = bundle.config[KEY]["modes"][mode.value]
        self._threshold, self.confidence = float(values["threshold"]), float(values["confidence"])

    def __call__(self, text: Prepared) -> Prepared:
        """The text; or one without windows, where its only window does not reach the threshold."""
        if len(text.ids) != 1 or self._gate.scores(text.ids)[0] >= self._threshold:
            return text
        return Prepared([], [], text.language, Reason.SKIPPED)


def features(
    windows: Sequence[Sequence[int]], vocabulary: int, buckets: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Feature indices of windows of token ids, window by window, and how many each has.

    Parameters
    ----------
    windows : sequence of sequence of int
        None of them empty.
    vocabulary : int
        Number of token ids; features from there on are pairs.
    buckets : int
        Number of hash buckets for pairs.
    """
    lengths = np.array([len(window) for window in windows])
    ids = np.concatenate([np.asarray(window, np.int64) for window in windows])
    # One place for each piece and one for the pair that it begins; the last piece of a window begins none.
    index = np.empty((len(ids), 2), np.int64)
    index[:, 0] = ids
    index[:-1, 1] = (ids[:-1] * _FIRST + ids[1:] * _SECOND) % buckets + vocabulary
    kept = np.ones(index.shape, bool)
    kept[np.cumsum(lengths) - 1, 1] = False
    return index[kept], 2 * lengths - 1
