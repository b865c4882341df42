"""A stand-in for ``transformers.pipeline("text-classification")``: the same inputs, the same shapes, no torch.

>>> import fimi_nlp as fn
>>> from fimi_nlp.integrations.transformers import as_pipeline
>>> classify = as_pipeline(fn.load())                      # was: pipeline("text-classification", model=...)
>>> [found["label"] for found in classify(["NATO has provoked this war."])]
['nato_alliances']
>>> [len(found) for found in classify(["NATO has provoked this war."], top_k=None)]
[4]

Needs no extra: transformers itself is not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fimi_nlp.errors import InputError, InputTypeError
from fimi_nlp.integrations._shared import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fimi_nlp.integrations._shared import Model
    from fimi_nlp.types import Tag

__all__ = ["TextClassification", "as_pipeline"]

#: Arguments of a pipeline's call that say how to run it, not what to give: texts are read whole, in batches, anyway.
_WITHOUT_EFFECT = ("batch_size", "num_workers", "truncation", "padding", "max_length")


class TextClassification:
    """Classifies texts in the manner of ``transformers.TextClassificationPipeline``; made by `as_pipeline`.

    Parameters
    ----------
    model : Tagger, str, Path or None
        A tagger, or what `fimi_nlp.load` takes.
    top_k : int, None or ""
        See `as_pipeline`.

    Notes
    -----
    Scores are the calibrated probability of each narrative by itself: they do not sum to 1, and the first label is no
    verdict, since a text may carry none or several. The tagger's own thresholds are those of `Tag.narratives`. A text
    that is not read (empty, not English) gets 0 for every label.
    """

    task = "text-classification"

    def __init__(self, model: Model = None, *, top_k: int | str | None = "") -> None:
        self.tagger = resolve(model)
        self.labels = self.tagger.schema.narrative_labels
        self._top_k = _checked(top_k)

    def __repr__(self) -> str:
        return f"TextClassification({self.tagger!r})"

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Classify.

        Parameters
        ----------
        inputs : str, dict, list or other iterable
            A text, a mapping with ``text``, a list of either, or a generator or data set, which is read lazily.
        **options : Any
            ``top_k``, as in `as_pipeline`. ``batch_size``, ``num_workers``, ``truncation``, ``padding`` and
            ``max_length`` are taken and have no effect: a text is read to its end.

        Returns
        -------
        list, dict or iterator
            Of ``{"label": str, "score": float}``, nested as the pipeline nests them: without `top_k`, one for each
            text, and for a single text a list of one; with `top_k`, a list for each text, in a list of its own for a
            single text where `top_k` was given to `as_pipeline`.

        Raises
        ------
        InputError
            An option is unknown, or a pair of texts is given.
        InputTypeError
            An input is no text.
        """
        for name in options:
            if name != "top_k" and name not in _WITHOUT_EFFECT:
                raise InputError(f"Unknown option {name!r}.", remedy=f"Known: top_k, {', '.join(_WITHOUT_EFFECT)}.")
        top_k = _checked(options["top_k"]) if "top_k" in options else self._top_k
        if isinstance(inputs, str):
            result = self._shape(self.tagger.tag(inputs), top_k)
            return result if "top_k" in options else [result]
        if isinstance(inputs, Mapping):
            return self._shape(self.tagger.tag(_text(inputs)), top_k)
        if isinstance(inputs, bytes) or not (isinstance(inputs, Iterable) or hasattr(inputs, "__getitem__")):
            raise InputTypeError(f"{type(inputs).__name__} is no text.", remedy="Give a str, a dict, or several.")
        found = (self._shape(tag, top_k) for tag in self.tagger.stream(map(_text, _items(inputs))))
        return list(found) if isinstance(inputs, list) else found

    def _shape(self, tag: Tag, top_k: int | str | None) -> Any:
        ranked = sorted(self.labels, key=lambda label: -tag.scores.get(label, 0.0))
        scores = [{"label": label, "score": tag.scores.get(label, 0.0)} for label in ranked]
        if top_k == "":
            return scores[0]
        return scores if top_k is None else scores[: int(top_k)]


def as_pipeline(model: Model = None, *, top_k: int | str | None = "") -> TextClassification:
    """A callable that stands in for ``pipeline("text-classification", top_k=top_k)``.

    Parameters
    ----------
    model : Tagger, str, Path or None
        A tagger, or what `fimi_nlp.load` takes; by default the bundled model.
    top_k : int or None, optional
        How many labels for each text, the most probable first; ``None`` for all of them. Left out, the first alone,
        and not in a list of its own.

    Returns
    -------
    TextClassification
        To be called with texts.
    """
    return TextClassification(model, top_k=top_k)


def _items(inputs: Any) -> Iterator[Any]:
    if hasattr(inputs, "__iter__"):
        yield from inputs
        return
    # Data sets of torch, such as KeyDataset, have a length and positions alone.
    for index in range(len(inputs)):
        yield inputs[index]


def _text(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    if "text" not in item or item.get("text_pair") is not None:
        raise InputError(f"An input has the keys {', '.join(map(str, item))}.", remedy="It has `text`, and no pair.")
    return item["text"]


def _checked(top_k: Any) -> int | str | None:
    if top_k is None or top_k == "" or (isinstance(top_k, int) and top_k > 0):
        checked: int | str | None = top_k
        return checked
    raise InputError(f"top_k is {top_k!r}.", remedy="Give a positive number, or None for every label.")
