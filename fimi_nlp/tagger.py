"""The tagger: texts in, tags out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sized
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp._arguments import check_mode, check_thresholds, not_a_text
from fimi_nlp.bundle import Bundle, find
from fimi_nlp.decision import Decider, calibrate
from fimi_nlp.errors import InputTypeError
from fimi_nlp.gate import Sieve
from fimi_nlp.reader import Reader
from fimi_nlp.runtime import MANY, Runtime
from fimi_nlp.types import Mode, Reason, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from fimi_nlp.columns import MapFunction
    from fimi_nlp.explain import Explanation
    from fimi_nlp.occlusion import Replacement
    from fimi_nlp.reader import Prepared
    from fimi_nlp.runtime import Pending
    from fimi_nlp.schema import LabelSchema

#: How many texts `Tagger.stream` prepares while the model runs over as many.
LOOKAHEAD = 256
#: Long texts end a chunk early, so that memory stays bounded.
MAX_WINDOWS = 4 * LOOKAHEAD


class Tagger:
    """Tags texts with narratives, stance, origin and confidence. Made by `load`.

    Parameters
    ----------
    bundle : Bundle
        A checked bundle.
    mode : Mode or str
        Which of the bundle's thresholds to use.
    thresholds : mapping of str to float, optional
        Thresholds of your own for some narratives; the others keep the mode's.
    threads : int, optional
        Threads of one call; all cores by default.
    fast : bool
        Let texts go that a quick look finds nothing in; see `load`.

    Notes
    -----
    A tagger may be shared between threads. It starts no processes.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        mode: Mode | str = Mode.BALANCED,
        thresholds: Mapping[str, float] | None = None,
        threads: int | None = None,
        fast: bool = False,
    ) -> None:
        self.bundle = bundle
        self.mode, self.fast = check_mode(mode), fast
        self.thresholds = check_thresholds(bundle, self.mode, thresholds or {})
        self._sieve = Sieve(bundle, self.mode, self.thresholds) if fast else None
        self._reader = Reader(bundle)
        self._runtime = Runtime(bundle, threads=threads)
        self._threads = threads
        self._decider = Decider(bundle.schema, bundle.calibration, self.thresholds, bundle.name)

    def __repr__(self) -> str:
        return f"Tagger({self.bundle.name!r}, mode={self.mode.value!r}{', fast=True' if self.fast else ''})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy for another process loads the bundle again: sessions do not travel.
        return _restore, (str(self.bundle.folder), self.mode.value, self.thresholds, self._threads, self.fast)

    def __deepcopy__(self, memo: object) -> Tagger:
        # Nothing in a tagger changes, so that a copy is itself: scikit-learn copies parameters for every fold.
        return self

    @property
    def schema(self) -> LabelSchema:
        """The labels that this tagger knows."""
        return self.bundle.schema

    def tag(self, text: str) -> Tag:
        """Tag one text.

        Parameters
        ----------
        text : str
            Any length; a long text is read in overlapping windows, to its end.

        Returns
        -------
        Tag
            Always one tag. A text that cannot be read gets one whose `reason` says why.

        Raises
        ------
        InputTypeError
            `text` is not a string.
        """
        if not isinstance(text, str):
            raise not_a_text(text, "tag()")
        chunk = [self._prepare(text)]
        return next(self._decide(chunk, self._start(chunk)))

    def tag_many(self, texts: Iterable[str], *, progress: bool = False) -> list[Tag]:
        """Tag texts, in order.

        Parameters
        ----------
        texts : iterable of str
            A list, a column, a generator.
        progress : bool
            Show a progress bar on standard error.

        Returns
        -------
        list of Tag
            One for each text.

        Raises
        ------
        InputTypeError
            `texts` is a single string, or one of them is not a string; the message names its position.
        """
        if not progress:
            return list(self.stream(texts))
        from rich.console import Console
        from rich.progress import track

        total = len(texts) if isinstance(texts, Sized) else None
        console = Console(stderr=True)
        return list(track(self.stream(texts), "Tagging", total=total, console=console))

    def stream(self, texts: Iterable[str]) -> Iterator[Tag]:
        """Tag texts lazily, in order and in constant memory.

        Parameters
        ----------
        texts : iterable of str
            May be endless; some hundred texts are read ahead, so that no thread waits for the next.

        Yields
        ------
        Tag
            One for each text.

        Raises
        ------
        InputTypeError
            As `tag_many`.
        """
        if isinstance(texts, (str, bytes)):
            raise InputTypeError(
                "tag_many() and stream() take an iterable of texts, not a single one.", remedy="Use tag() for one text."
            )
        return self._stream(texts)

    def embed(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Embed texts with the fine-tuned encoder, for search, clustering and quick heads.

        Parameters
        ----------
        texts : iterable of str
            Texts in any language; the language gate does not apply.

        Returns
        -------
        ndarray of float32, shape (n, dimensions)
            Unit vectors (384 dimensions in the bundled model); that of a text of several windows is the mean of
            theirs, and that of a text without words is zero.
        """
        if isinstance(texts, (str, bytes)):
            raise InputTypeError("embed() takes an iterable of texts, not a single one.", remedy="Use embed([text]).")
        blocks = [self._embed_chunk(chunk) for chunk in self._chunks(texts, any_language=True)]
        return np.concatenate(blocks) if blocks else np.empty((0, self._runtime.dimensions), np.float32)

    def as_map_fn(self, text_column: str = "text", columns: Sequence[str] | None = None) -> MapFunction:
        """A function for ``datasets``: ``dataset.map(tagger.as_map_fn(), batched=True)``.

        Parameters
        ----------
        text_column : str
            Where the text stands.
        columns : sequence of str, optional
            Which of `fimi_nlp.columns.NAMES` to add; all by default. An input column of the same name is kept as
            ``input_<name>``.

        Notes
        -----
        With ``batched=True`` the columns have their types whatever the first batch holds. ``remove_columns`` counts,
        but for datasets in the format ``arrow``: there ``datasets`` takes what a function gives for all the columns.
        """
        from fimi_nlp.columns import MapFunction, choose

        return MapFunction(self, text_column, choose(columns), self.bundle.name)

    def explain(
        self, text: str, labels: Sequence[str] | None = None, *, replacement: Replacement = "mask"
    ) -> Explanation:
        """Which windows, sentences and words carry each narrative of a text.

        Parameters
        ----------
        text : str
            Any length; of a long text, the strongest windows are looked into.
        labels : sequence of str, optional
            Keys of `Tag.scores`. By default the narratives named.
        replacement : {"mask", "delete"}
            What becomes of a part that is hidden.

        Returns
        -------
        Explanation
            Shows itself in a notebook and in a terminal.

        Raises
        ------
        InputTypeError, InputError
            `text` is not a string; unknown label or replacement.
        """
        from fimi_nlp.explain import explain

        return explain(self, text, labels, replacement=replacement)

    def _stream(self, texts: Iterable[str]) -> Iterator[Tag]:
        waiting: deque[tuple[list[Prepared], Pending]] = deque()
        try:
            more = False
            for chunk in self._chunks(texts):
                # However few of them the first stage lets through: the next chunk may have many again.
                more = more or len(chunk) >= MANY
                waiting.append((chunk, self._start(chunk, more=more)))
                if len(waiting) > 1:
                    yield from self._decide(*waiting.popleft())
            while waiting:
                yield from self._decide(*waiting.popleft())
        finally:
            for _, pending in waiting:
                pending.cancel()

    def _chunks(self, texts: Iterable[str], *, any_language: bool = False) -> Iterator[list[Prepared]]:
        chunk: list[Prepared] = []
        pending = 0
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise not_a_text(text, f"text {index}")
            chunk.append(self._prepare(text, any_language=any_language))
            pending += len(chunk[-1].ids)
            if len(chunk) >= LOOKAHEAD or pending >= MAX_WINDOWS:
                yield chunk
                chunk, pending = [], 0
        if chunk:
            yield chunk

    def _prepare(self, text: str, *, any_language: bool = False) -> Prepared:
        prepared = self._reader.prepare(text, any_language=any_language)
        return prepared if self._sieve is None or any_language else self._sieve(prepared)

    def _start(self, chunk: Sequence[Prepared], *, more: bool = False) -> Pending:
        return self._runtime.start([window for item in chunk for window in item.ids], more=more)

    def _decide(self, chunk: Sequence[Prepared], pending: Pending) -> Iterator[Tag]:
        read = [(item.spans, item.language) for item in chunk if item.ids]
        heads = calibrate(pending.result().logits, self.schema, self.bundle.calibration)
        tags = iter(self._decider.tags(heads, read))
        for item in chunk:
            yield next(tags) if item.ids else self._unread(item)

    def _unread(self, item: Prepared) -> Tag:
        sure = self._sieve.confidence if self._sieve and item.reason is Reason.SKIPPED else 0.0
        return Tag(reason=item.reason, language=item.language, confidence=sure, model=self.bundle.name)

    def _embed_chunk(self, chunk: Sequence[Prepared]) -> npt.NDArray[np.float32]:
        rows = iter(self._start(chunk).result().embeddings)
        out = np.zeros((len(chunk), self._runtime.dimensions), np.float32)
        for index, item in enumerate(chunk):
            if item.ids:
                mean = np.mean(list(islice(rows, len(item.ids))), axis=0)
                out[index] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return out


def load(
    model: str | Path | None = None,
    *,
    revision: str | None = None,
    mode: Mode | str = Mode.BALANCED,
    thresholds: Mapping[str, float] | None = None,
    threads: int | None = None,
    fast: bool = False,
) -> Tagger:
    """Load a tagger.

    Parameters
    ----------
    model : str or Path, optional
        A bundle's folder, or a Hub id (``owner/name``). By default the bundled English model, offline.
    revision : str, optional
        Commit, tag or branch on the Hub; pin it.
    mode : {"high_precision", "balanced", "high_recall"}
        Which of the bundle's thresholds to use.
    thresholds : mapping of str to float, optional
        Thresholds of your own for some narratives, in [0, 1].
    threads : int, optional
        Threads of one call; all cores by default.
    fast : bool
        Let a quick look at the words decide whether the model reads a text at all. Texts that are let go get no
        narratives, the reason ``SKIPPED``, and as `Tag.confidence` the share of such texts in which there is none;
        all others, and texts of several windows, get the tag that they get without it. How many are let go depends on
        the texts, and what is lost stands in the bundle's card; the bundle needs a first stage (``fimi-nlp gate``).

    Raises
    ------
    BundleError
        There is no such model, it fails its checks, or `fast` is asked of one without a first stage.
    InputError
        Unknown mode, a threshold for an unknown narrative, or with `fast` one below the mode's.

    Examples
    --------
    >>> import fimi_nlp as fn
    >>> tagger = fn.load()
    >>> tagger.tag("").reason.value
    'EMPTY'
    """
    bundle = Bundle.read(find(model, revision=revision))
    return Tagger(bundle, mode=mode, thresholds=thresholds, threads=threads, fast=fast)


def _restore(folder: str, mode: str, thresholds: dict[str, float], threads: int | None, fast: bool) -> Tagger:
    return load(folder, mode=mode, thresholds=thresholds, threads=threads, fast=fast)
