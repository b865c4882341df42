"""The tagger: texts in, tags out."""

from __future__ import annotations

from collections.abc import Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fimi_nlp._arguments import check_mode, check_thresholds, not_a_text
from fimi_nlp.bundle import Bundle, find
from fimi_nlp.decision import Decider, calibrate
from fimi_nlp.errors import BundleError, InputTypeError
from fimi_nlp.language import identify
from fimi_nlp.runtime import Runtime
from fimi_nlp.text import normalise, sentences, windows, words
from fimi_nlp.types import Mode, Reason, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from tokenizers import Encoding

    from fimi_nlp.explain import Explanation
    from fimi_nlp.occlusion import Replacement
    from fimi_nlp.schema import LabelSchema

#: How many texts `Tagger.stream` reads ahead, to sort them by length.
LOOKAHEAD = 512
#: Long texts end a chunk early, so that memory stays bounded.
MAX_WINDOWS = 4 * LOOKAHEAD


class _Prepared(NamedTuple):
    """A text cut into windows; with no windows, `reason` says why."""

    ids: list[list[int]]
    spans: list[tuple[int, int]]
    language: str
    reason: Reason


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
    ) -> None:
        from tokenizers import Tokenizer

        self.bundle = bundle
        self.mode = check_mode(mode)
        self.thresholds = check_thresholds(bundle, self.mode, thresholds or {})
        try:
            self._tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        except Exception as error:
            raise BundleError(f"{bundle.tokenizer_path}: cannot be read: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._runtime = Runtime(bundle, threads=threads)
        self._threads = threads
        self._decider = Decider(bundle.schema, bundle.calibration, self.thresholds, bundle.name)

    def __repr__(self) -> str:
        return f"Tagger({self.bundle.name!r}, mode={self.mode.value!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy for another process loads the bundle again: sessions do not travel.
        return _restore, (str(self.bundle.folder), self.mode.value, self.thresholds, self._threads)

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
        return self._tag_chunk([self._prepare(text)])[0]

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
            May be endless; some hundred texts are read ahead, so that they can be sorted by length.

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
        blocks = [self._embed_chunk(chunk) for chunk in self._chunks(texts, gate=False)]
        return np.concatenate(blocks) if blocks else np.empty((0, self._runtime.dimensions), np.float32)

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
        for chunk in self._chunks(texts):
            yield from self._tag_chunk(chunk)

    def _chunks(self, texts: Iterable[str], *, gate: bool = True) -> Iterator[list[_Prepared]]:
        chunk: list[_Prepared] = []
        pending = 0
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise not_a_text(text, f"text {index}")
            chunk.append(self._prepare(text, gate=gate))
            pending += len(chunk[-1].ids)
            if len(chunk) >= LOOKAHEAD or pending >= MAX_WINDOWS:
                yield chunk
                chunk, pending = [], 0
        if chunk:
            yield chunk

    def _prepare(self, text: str, *, gate: bool = True) -> _Prepared:
        if not text.strip():
            return _Prepared([], [], "und", Reason.EMPTY)
        plain = normalise(text)
        if not _has_words(plain):
            return _Prepared([], [], "und", Reason.NO_WORDS)
        language = identify(plain, self.schema.language) if gate else None
        if language and not language.accepted:
            return _Prepared([], [], language.code, Reason.LANGUAGE)
        ids, spans = self._cut(plain)
        return _Prepared(ids, spans, language.code if language else "und", Reason.OK if ids else Reason.NO_WORDS)

    def _cut(self, plain: str) -> tuple[list[list[int]], list[tuple[int, int]]]:
        encoding, cuts = self._cut_tokens(plain)
        ids, offsets = encoding.ids, encoding.offsets
        if len(cuts) < 2:
            return [ids] * len(cuts), [_trim(plain, 0, len(plain))] * len(cuts)
        # The first and the last window reach to the ends of the text, so that the spans leave nothing out.
        spans = [
            _trim(plain, offsets[a][0] if a else 0, offsets[b][0] if b < len(ids) else len(plain)) for a, b in cuts
        ]
        return [ids[a:b] for a, b in cuts], spans

    def _cut_tokens(self, plain: str) -> tuple[Encoding, list[tuple[int, int]]]:
        """The tokens of a text, and where each window of them starts and ends."""
        encoding = self._tokenizer.encode(plain, add_special_tokens=False)
        size, tokens = len(encoding), self.bundle.tokens
        if size <= tokens.limit:
            return encoding, [(0, size)] if size else []
        offsets = encoding.offsets
        starts = np.searchsorted([start for start, _ in offsets], [start for start, _ in sentences(plain)]).tolist()
        return encoding, windows(starts, size, limit=tokens.limit, size=tokens.window)

    def _tag_chunk(self, chunk: Sequence[_Prepared]) -> list[Tag]:
        raw = self._runtime.run([window for item in chunk for window in item.ids])
        heads = calibrate(raw.logits, self.schema, self.bundle.calibration)
        tags, row = [], 0
        for item in chunk:
            if item.ids:
                rows = slice(row, row + len(item.ids))
                tags.append(self._decider.tag(heads, rows, item.spans, item.language))
                row = rows.stop
            else:
                tags.append(Tag(reason=item.reason, language=item.language, model=self.bundle.name))
        return tags

    def _embed_chunk(self, chunk: Sequence[_Prepared]) -> npt.NDArray[np.float32]:
        rows = iter(self._runtime.run([window for item in chunk for window in item.ids]).embeddings)
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

    Raises
    ------
    BundleError
        There is no such model, or it fails its checks.
    InputError
        Unknown mode, or a threshold for an unknown narrative.

    Examples
    --------
    >>> import fimi_nlp as fn
    >>> tagger = fn.load()
    >>> tagger.tag("").reason.value
    'EMPTY'
    """
    bundle = Bundle.read(find(model, revision=revision))
    return Tagger(bundle, mode=mode, thresholds=thresholds, threads=threads)


def _restore(folder: str, mode: str, thresholds: dict[str, float], threads: int | None) -> Tagger:
    return load(folder, mode=mode, thresholds=thresholds, threads=threads)


def _has_words(plain: str) -> bool:
    return any(len(word) > 1 for word in words(plain.replace("@user", " ")[:100_000]))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return start, max(start, start + len(part.strip()))
