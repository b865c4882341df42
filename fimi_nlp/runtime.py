"""ONNX Runtime behind the tagger: token ids in, logits and embeddings out.

Every window is run alone. Activations are quantised to int8 by the range of the whole tensor, padding included, so
that a window in a batch would get other logits than the same window by itself; alone, its answer depends on nothing
else. It costs little, since integer kernels gain next to nothing from more than some dozen rows. Many windows are
spread over threads, each with a window of its own, which also spares the waiting that threads inside one small
product do for each other.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

    import numpy.typing as npt

    from fimi_nlp.bundle import Bundle

#: From how many windows on each thread takes windows of its own; fewer are run one after another on all threads.
MANY = 64
#: ONNX Runtime's own fusions that make the model slower: its fused layer norm runs element by element.
SLOW_FUSIONS = ["SkipLayerNormFusion"]


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


class Pending:
    """Windows on their way through the model. Made by `Runtime.start`."""

    def __init__(self, windows: Sequence[Sequence[int]], raw: Raw) -> None:
        self._windows, self._raw = windows, raw
        # The longest first, so that no thread is left with a long one at the end.
        self._rows = deque(sorted(range(len(windows)), key=lambda row: -len(windows[row])))
        self._workers: list[Future[None]] = []
        self._here: Any = None

    def result(self) -> Raw:
        """Wait for all of them; in the order of the windows."""
        if self._here is not None:
            self._work(self._here)
        for worker in self._workers:
            worker.result()
        return self._raw

    def cancel(self) -> None:
        """Drop those that have not begun."""
        self._rows.clear()

    def _work(self, model: _Model) -> None:
        while True:
            try:
                row = self._rows.popleft()
            except IndexError:  # the other threads have taken the rest
                return
            try:
                self._raw.logits[row], self._raw.embeddings[row] = model(self._windows[row])
            except BaseException:
                self.cancel()
                raise


class Runtime:
    """Runs a bundle's model.

    Parameters
    ----------
    bundle : Bundle
        A checked bundle.
    threads : int, optional
        Threads of one call; by default as many as there are cores for this process.

    Notes
    -----
    Safe to share between threads. After a fork the child starts a session of its own on first use, since the threads
    of the parent's do not come along. One session is held at a time: one whose products use all threads for single
    texts, or one that every thread runs by itself for many. Which of them, the first windows decide: to start both
    would take time and memory for nothing.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        self._bundle = bundle
        self.threads = threads or cores()
        self._held: _Model | None = None
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    @property
    def dimensions(self) -> int:
        """Of an embedding."""
        return (self._held or self._model(self.threads)).dimensions

    def run(self, windows: Sequence[Sequence[int]]) -> Raw:
        """Run the model over windows of token ids, without prefix and suffix, in any number and order.

        Returns
        -------
        Raw
            In the order of `windows`. Neither order nor company nor the number of threads has a say in a row.
        """
        return self.start(windows).result()

    def start(self, windows: Sequence[Sequence[int]], *, more: bool = False) -> Pending:
        """Begin to run the model over windows; other work can be done until `Pending.result` is asked for.

        With one thread, or few windows, nothing begins before that.

        Parameters
        ----------
        windows : sequence of sequence of int
            Token ids.
        more : bool
            Part of a long row of calls: each thread takes windows of its own even where there are few, since another
            session for these would cost more than it gains.
        """
        few = self.threads == 1 or (len(windows) < MANY and not more)
        model = self._model(self.threads if few else 1)
        pending = Pending(windows, model.empty(len(windows)))
        if few:
            pending._here = model
        else:
            pool = self._executor()
            pending._workers = [pool.submit(pending._work, model) for _ in range(self.threads)]
        return pending

    def _model(self, threads: int) -> _Model:
        # Without a lock, which a fork could leave locked: two threads at once start a session too many, and it goes.
        key = (os.getpid(), threads)
        model = self._held
        if model is None or model.key != key:
            model = self._held = None  # before the next one takes memory
            model = self._held = _Model(self._bundle, key)
        return model

    def _executor(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        pool = self._pool
        if pool is None or pool[0] != os.getpid():
            pool = self._pool = os.getpid(), ThreadPoolExecutor(self.threads, "fimi-nlp")
        return pool[1]


class _Model:
    """A session, and how windows are fed to it."""

    def __init__(self, bundle: Bundle, key: tuple[int, int]) -> None:
        import onnxruntime as ort

        self.key = key
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = key[1]
        # Every length would get a memory plan of its own, kept for good.
        options.enable_mem_pattern = False
        # Threads that spin while they wait for work take the cores from whoever else needs them, this process included.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = ort.InferenceSession(
                str(bundle.model_path),
                sess_options=options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=SLOW_FUSIONS,
            )
        except Exception as error:
            raise BundleError(f"{bundle.model_path}: ONNX Runtime cannot load the model: {error}") from error
        _give_back()
        shapes: dict[str, list[Any]] = {output.name: output.shape for output in self._session.get_outputs()}
        if set(shapes) != {"logits", "embedding"}:
            raise BundleError(f"{bundle.model_path}: the model's outputs are {sorted(shapes)}, not embedding, logits.")
        self.outputs, self.dimensions = (int(shapes[name][-1]) for name in ("logits", "embedding"))
        self._prefix, self._suffix = bundle.tokens.prefix, bundle.tokens.suffix

    def __call__(self, window: Sequence[int]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return self.run(self.feed(window))

    def empty(self, windows: int) -> Raw:
        """Room for the answers on so many windows."""
        return Raw(np.empty((windows, self.outputs), np.float32), np.empty((windows, self.dimensions), np.float32))

    def feed(self, window: Sequence[int]) -> dict[str, npt.NDArray[np.int64]]:
        """The inputs of the graph for one window."""
        ids = np.array([(*self._prefix, *window, *self._suffix)], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    def run(self, feed: dict[str, npt.NDArray[np.int64]]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Logits and embedding of one window."""
        logits, embedding = self._session.run(["logits", "embedding"], feed)
        return logits[0], embedding[0]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _give_back() -> None:
    """Return to the system what reading a model has freed, 5 to 12 MB: glibc would keep it for as long as we run."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none, and need none
        if trim is not None:
            trim(0)
