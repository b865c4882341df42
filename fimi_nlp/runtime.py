"""ONNX Runtime behind token-budget batches: token ids in, logits and embeddings out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from fimi_nlp.bundle import Bundle

#: Tokens in a batch, padding included. Larger ones gain little in int8 and cost memory.
BUDGET = 512


class Raw(NamedTuple):
    """What the model gives for ``n`` windows.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, outputs)
        Narratives, subs, stance and origin side by side.
    embeddings : ndarray of float32, shape (n, dimensions)
        Unit vectors.
    """

    logits: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]


class Runtime:
    """Runs a bundle's model.

    Parameters
    ----------
    bundle : Bundle
        A checked bundle.
    threads : int, optional
        Threads of one call; all cores by default.

    Notes
    -----
    Safe to share between threads. After a fork the child starts a session of its own on first use, since the threads
    of the parent's do not come along.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        self._bundle, self._threads = bundle, threads
        self._pid = 0
        self._session: Any = self._start()
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        if set(shapes) != {"logits", "embedding"}:
            raise BundleError(f"{bundle.model_path}: the model's outputs are {sorted(shapes)}, not embedding, logits.")
        self.outputs, self.dimensions = int(shapes["logits"][-1]), int(shapes["embedding"][-1])

    def _start(self) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.inter_op_num_threads = 1
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        try:
            session = ort.InferenceSession(
                str(self._bundle.model_path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise BundleError(f"{self._bundle.model_path}: ONNX Runtime cannot load the model: {error}") from error
        self._pid = os.getpid()
        return session

    def run(self, windows: Sequence[Sequence[int]]) -> Raw:
        """Run the model over windows of token ids, without prefix and suffix, in any number and order.

        Returns
        -------
        Raw
            In the order of `windows`.
        """
        if self._pid != os.getpid():
            self._session = self._start()
        logits = np.empty((len(windows), self.outputs), np.float32)
        embeddings = np.empty((len(windows), self.dimensions), np.float32)
        for rows in _batches([len(window) for window in windows], extra=self._extra):
            feed = self._feed([windows[row] for row in rows])
            logits[rows], embeddings[rows] = self._session.run(["logits", "embedding"], feed)
        return Raw(logits, embeddings)

    @property
    def _extra(self) -> int:
        tokens = self._bundle.tokens
        return len(tokens.prefix) + len(tokens.suffix)

    def _feed(self, windows: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[np.int64]]:
        tokens = self._bundle.tokens
        width = max(map(len, windows)) + self._extra
        ids = np.full((len(windows), width), tokens.pad, np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            line = (*tokens.prefix, *window, *tokens.suffix)
            ids[row, : len(line)] = line
            mask[row, : len(line)] = 1
        return {"input_ids": ids, "attention_mask": mask}


def _batches(lengths: Sequence[int], *, extra: int) -> Iterator[list[int]]:
    """Rows sorted by length and cut where a batch, padded to its longest, would pass the budget."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * (lengths[row] + extra) > BUDGET:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
