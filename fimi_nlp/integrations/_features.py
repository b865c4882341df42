"""From texts to features: the first step of every head."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp._arguments import not_a_text
from fimi_nlp.errors import InputError, InputTypeError, did_you_mean, require
from fimi_nlp.integrations._shared import resolve

require("sklearn", "sklearn")

from sklearn.base import BaseEstimator, TransformerMixin  # noqa: E402

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Self

    from fimi_nlp.integrations._shared import Model
    from fimi_nlp.tagger import Tagger

#: Choices, and the parts that stand side by side in each.
_PARTS = {
    "embedding": ("embedding",),
    "scores": ("scores",),
    "both": ("embedding", "scores"),
    "words": ("words",),
    "embedding+words": ("embedding", "words"),
}
FEATURES = tuple(_PARTS)
#: Words and pairs of words are hashed into so many columns, so that there is nothing to fit and nothing to save.
WORDS = 2**15


class NarrativeEmbedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns texts into features, as the first step of a pipeline.

    Parameters
    ----------
    model : Tagger, str, Path or None
        A tagger, or what `fimi_nlp.load` takes; by default the bundled model.
    features : {"embedding", "scores", "both", "words", "embedding+words"}
        ``embedding``: unit vectors of `Tagger.embed` (384 dimensions in the bundled model). ``scores``: the tagger's
        calibrated probability of each narrative, stance and origin, zeros where the text was not read. ``both``: the
        two side by side, at twice the time. ``words``: unit vectors of hashed words and pairs of words, English stop
        words left out, as a sparse matrix. ``embedding+words``: the two side by side, sparse; for labels far from
        narratives, of which the bundled encoder has given up much.

    Notes
    -----
    There is nothing to fit. The embedder may be pickled and cached (``Pipeline(memory=...)``).

    Examples
    --------
    >>> NarrativeEmbedder(features="scores").transform(["NATO has provoked this war."]).shape
    (1, 10)
    """

    def __init__(self, model: Model = None, *, features: str = "embedding") -> None:
        self.model = model
        self.features = features

    def fit(self, X: Iterable[str], y: object = None) -> Self:  # noqa: ARG002, N803
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : iterable of str
            Texts.
        y : ignored
            For the sake of pipelines.
        """
        check_choice("features", self.features, FEATURES)
        return self

    def transform(self, X: Iterable[str]) -> Any:  # noqa: N803
        """Features of texts.

        Parameters
        ----------
        X : iterable of str, length n
            A list, a column, an array.

        Returns
        -------
        ndarray of float32, or sparse matrix in CSR format where there are words, shape (n, d)

        Raises
        ------
        InputTypeError
            `X` is a single string or a table, or holds what is no string; the message names its position.
        """
        check_choice("features", self.features, FEATURES)
        texts = as_texts(X)
        if texts is None:
            raise InputTypeError("X holds no texts.", remedy='Give a list or one column of str, as in frame["text"].')
        parts = [self._part(part, texts) for part in _PARTS[self.features]]
        if len(parts) == 1:
            return parts[0]
        if "words" in _PARTS[self.features]:
            from scipy.sparse import hstack

            return hstack(parts, format="csr", dtype=np.float32)
        return np.concatenate(parts, axis=1)

    def _part(self, part: str, texts: list[str]) -> Any:
        if part == "words":
            return _words(texts)
        tagger = resolve(self.model)
        if part == "embedding":
            return tagger.embed(texts)
        keys = _score_names(tagger)
        rows = [[tag.scores.get(key, 0.0) for key in keys] for tag in tagger.stream(texts)]
        return np.array(rows, np.float32).reshape(len(texts), len(keys))

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """Names of the features: ``embedding0``, ..., the labels of the scores, ``words0``, ..."""
        names = [name for part in _PARTS[self.features] for name in self._names(part)]
        return np.array(names, dtype=object)

    def _names(self, part: str) -> list[str]:
        if part == "words":
            return [f"words{i}" for i in range(WORDS)]
        tagger = resolve(self.model)
        if part == "embedding":
            return [f"embedding{i}" for i in range(tagger.embed([]).shape[1])]
        return _score_names(tagger)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, True, False
        tags.requires_fit, tags.no_validation = False, True
        return tags


def as_texts(values: Any) -> list[str] | None:
    """The texts of a list, an array or a column; ``None`` where it holds something else, as a table of numbers."""
    if isinstance(values, (str, bytes)):
        raise InputTypeError("X is a single text.", remedy="Give a list of texts: [text].")
    if not hasattr(values, "shape") and hasattr(values, "__array__"):
        values = np.asarray(values)
    if hasattr(values, "shape"):
        if len(values.shape) != 1 or not len(values):
            return None
    elif not isinstance(values, Iterable):
        return None
    listed = list(values)
    # Texts that are missing are refused by the tagger, with their position.
    return listed if any(isinstance(value, str) for value in listed[:1000]) else None


def refuse_table_of_texts(values: Any) -> None:
    """Say what is wrong where a column of texts comes as a table, ``frame[["text"]]``, or no text comes at all."""
    if isinstance(values, list) and not values:
        raise InputError("X holds no texts and no features.", remedy="Give at least one.")
    columns = getattr(values, "columns", None)
    if columns is not None and any(isinstance(value, str) for value in np.asarray(values[:1], dtype=object).flat):
        raise InputTypeError(
            f"X is a table that holds texts, with the columns {', '.join(map(str, columns))}.",
            remedy='Give its column of texts, as in frame["text"].',
        )


def _words(texts: list[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise not_a_text(text, f"text {index}")
    hashing = HashingVectorizer(ngram_range=(1, 2), n_features=WORDS, stop_words="english", dtype=np.float32)
    return hashing.transform(texts)


def _score_names(tagger: Tagger) -> list[str]:
    schema = tagger.schema
    return [*schema.narrative_labels, *schema.stance_labels, *schema.origin_labels]


def check_choice(name: str, value: object, options: tuple[str | None, ...]) -> None:
    """Refuse a parameter that is none of its options."""
    if value not in options:
        hint = did_you_mean(str(value), [str(option) for option in options])
        raise InputError(f"{name} is {value!r}.", remedy=hint)
