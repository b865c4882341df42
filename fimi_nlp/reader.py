"""From a text to what the model reads: normalise, check the language, cut into windows of token ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fimi_nlp.errors import BundleError
from fimi_nlp.language import identify
from fimi_nlp.text import any_word, normalise, sentences, windows
from fimi_nlp.types import Reason

if TYPE_CHECKING:
    from tokenizers import Encoding

    from fimi_nlp.bundle import Bundle


class Prepared(NamedTuple):
    """A text cut into windows.

    Attributes
    ----------
    ids : list of list of int
        Token ids of the windows; none where the model does not read the text.
    spans : list of (int, int)
        Their character spans.
    language : str
        ISO 639-1 code, ``und`` where undetermined.
    reason : Reason
        With no windows, why.
    """

    ids: list[list[int]]
    spans: list[tuple[int, int]]
    language: str
    reason: Reason


class Reader:
    """Prepares texts for a bundle's model.

    Parameters
    ----------
    bundle : Bundle
        A checked bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        from tokenizers import Tokenizer

        self._bundle = bundle
        try:
            self.tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        except Exception as error:
            raise BundleError(f"{bundle.tokenizer_path}: cannot be read: {error}") from error
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def prepare(self, text: str, *, any_language: bool = False) -> Prepared:
        """Cut a text into windows, or say why it is not read."""
        if not text.strip():
            return Prepared([], [], "und", Reason.EMPTY)
        plain = normalise(text)
        if not any_word(plain.replace("@user", " ")[:100_000]):
            return Prepared([], [], "und", Reason.NO_WORDS)
        language = None if any_language else identify(plain, self._bundle.schema.language)
        if language and not language.accepted:
            return Prepared([], [], language.code, Reason.LANGUAGE)
        ids, spans = self._cut(plain)
        return Prepared(ids, spans, language.code if language else "und", Reason.OK if ids else Reason.NO_WORDS)

    def cut(self, plain: str) -> tuple[Encoding, list[tuple[int, int]]]:
        """The tokens of a normalised text, and where each window of them starts and ends."""
        encoding = self.tokenizer.encode(plain, add_special_tokens=False)
        size, tokens = len(encoding), self._bundle.tokens
        if size <= tokens.limit:
            return encoding, [(0, size)] if size else []
        offsets = encoding.offsets
        starts = np.searchsorted([start for start, _ in offsets], [start for start, _ in sentences(plain)]).tolist()
        return encoding, windows(starts, size, limit=tokens.limit, size=tokens.window)

    def _cut(self, plain: str) -> tuple[list[list[int]], list[tuple[int, int]]]:
        encoding, cuts = self.cut(plain)
        ids = encoding.ids
        if len(cuts) < 2:
            return [ids] * len(cuts), [_trim(plain, 0, len(plain))] * len(cuts)
        offsets = encoding.offsets
        # The first and the last window reach to the ends of the text, so that the spans leave nothing out.
        spans = [
            _trim(plain, offsets[a][0] if a else 0, offsets[b][0] if b < len(ids) else len(plain)) for a, b in cuts
        ]
        return [ids[a:b] for a, b in cuts], spans


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return start, max(start, start + len(part.strip()))
