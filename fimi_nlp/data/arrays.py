"""Labels as arrays, with masks for what was not annotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fimi_nlp.errors import InputError, SchemaError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fimi_nlp.data.corpus import Corpus


@dataclass(frozen=True, slots=True, eq=False)
class LabelArrays:
    """Labels of n passages over the L narratives of a schema.

    Attributes
    ----------
    narratives : ndarray of float32, (n, L)
        1 where carried (or the target for unsure ones), 0 elsewhere; meaningless where the mask is false.
    narrative_mask : ndarray of bool, (n, L)
        Whether the narrative was annotated.
    unsure : ndarray of bool, (n, L)
        Whether the annotator was unsure.
    subs : ndarray of int64, (n, L)
        Index into ``schema.sub_labels(label)``; -1 where not carried or not annotated.
    stance : ndarray of int64, (n,)
        Index into ``schema.stance_labels``; -1 where ``none`` or not annotated.
    origin : ndarray of int64, (n,)
        Index into ``schema.origin_labels``; -1 where not annotated.
    """

    narratives: npt.NDArray[np.float32]
    narrative_mask: npt.NDArray[np.bool_]
    unsure: npt.NDArray[np.bool_]
    subs: npt.NDArray[np.int64]
    stance: npt.NDArray[np.int64]
    origin: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stance)


def label_arrays(corpus: Corpus, unsure_target: float | None) -> LabelArrays:
    """See `Corpus.label_arrays`."""
    if unsure_target is not None and not 0 <= unsure_target <= 1:
        raise InputError(f"unsure_target is {unsure_target}.", remedy="It is a probability, from 0 to 1.")
    schema = corpus.schema
    labels = schema.narrative_labels
    column = {label: index for index, label in enumerate(labels)}
    sub_index = {(label, sub): i for label in labels for i, sub in enumerate(schema.sub_labels(label))}
    shape = (len(corpus), len(labels))
    narratives, mask = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    unsure, subs = np.zeros(shape, np.bool_), np.full(shape, -1, np.int64)
    for row, passage in enumerate(corpus):
        if passage.narratives is None:
            continue
        mask[row] = True
        for label in passage.not_annotated:
            mask[row, _index(column, label, "narrative")] = False
        for label in passage.unsure:
            unsure[row, _index(column, label, "narrative")] = True
        for label, sub in passage.narratives.items():
            at = (row, _index(column, label, "narrative"))
            narratives[at] = 1.0 if unsure_target is None or not unsure[at] else unsure_target
            if sub is not None:
                subs[at] = _index(sub_index, (label, sub), f"sub-narrative of '{label}'")
    stances = [None if passage.stance == "none" else passage.stance for passage in corpus]
    origins = [passage.origin for passage in corpus]
    return LabelArrays(
        narratives,
        mask,
        unsure,
        subs,
        _choices(stances, schema.stance_labels, "stance"),
        _choices(origins, schema.origin_labels, "origin"),
    )


def _choices(values: Sequence[str | None], labels: Sequence[str], what: str) -> npt.NDArray[np.int64]:
    position = {label: index for index, label in enumerate(labels)}
    found = [-1 if value is None else _index(position, value, what) for value in values]
    return np.array(found, dtype=np.int64)


def _index(position: dict[str, int] | dict[tuple[str, str], int], key: str | tuple[str, str], what: str) -> int:
    if key in position:
        return position[key]  # type: ignore[index]
    word = key if isinstance(key, str) else key[-1]
    known = [option if isinstance(option, str) else option[-1] for option in position]
    raise SchemaError(f"The schema has no {what} '{word}'.", remedy=did_you_mean(word, known))
