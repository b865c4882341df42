"""Which shared anti-Western narratives an English text carries, in which stance, in whose register, and how surely.

>>> import fimi_nlp as fn
>>> tagger = fn.load()
>>> tag = tagger.tag("The summit will be held in Vilnius next week.")
>>> tag.narratives
()

The tool describes content. It never says who is behind a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp._lazy import attach

if TYPE_CHECKING:
    from fimi_nlp.bundle import Bundle
    from fimi_nlp.data import Corpus
    from fimi_nlp.errors import FimiError
    from fimi_nlp.evaluation import evaluate
    from fimi_nlp.explain import Explanation
    from fimi_nlp.schema import Label, LabelSchema
    from fimi_nlp.tagger import Tagger, load
    from fimi_nlp.training import train
    from fimi_nlp.types import Evidence, Mode, Reason, Score, Tag, tag_json_schema

__version__ = "0.1.0"

# Public names and where they live: each is imported when it is first used, so that the import itself costs nothing.
_HOMES = {
    "Bundle": "bundle",
    "Corpus": "data",
    "Evidence": "types",
    "Explanation": "explain",
    "FimiError": "errors",
    "Label": "schema",
    "LabelSchema": "schema",
    "Mode": "types",
    "Reason": "types",
    "Score": "types",
    "Tag": "types",
    "Tagger": "tagger",
    "evaluate": "evaluation",
    "load": "tagger",
    "tag_json_schema": "types",
    "train": "training",
}

__all__ = [
    "Bundle",
    "Corpus",
    "Evidence",
    "Explanation",
    "FimiError",
    "Label",
    "LabelSchema",
    "Mode",
    "Reason",
    "Score",
    "Tag",
    "Tagger",
    "__version__",
    "evaluate",
    "load",
    "tag_json_schema",
    "train",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
