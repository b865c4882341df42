"""What the integrations share: which tagger is meant."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from fimi_nlp.bundle import CONFIG, find
from fimi_nlp.tagger import Tagger, load

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

#: A tagger, or what `fimi_nlp.load` takes for one.
Model: TypeAlias = "Tagger | str | Path | None"


def resolve(model: Model = None, *, revision: str | None = None, mode: str | None = None) -> Tagger:
    """The tagger that is meant: itself, or the one loaded from a folder, a Hub id or, with ``None``, the bundle.

    The last taggers loaded here are kept, since pipelines name their model again and again (scikit-learn copies an
    estimator for every fold); a folder that has changed is loaded anew.

    Raises
    ------
    BundleError
        There is no such model, or it fails its checks.
    InputError
        The mode is unknown.
    """
    if isinstance(model, Tagger):
        return model
    folder = find(model, revision=revision)
    config = folder / CONFIG
    changed = config.stat().st_mtime_ns if config.is_file() else 0
    return _load(folder, mode or "balanced", changed)


@lru_cache(maxsize=2)
def _load(folder: Path, mode: str, changed: int) -> Tagger:  # noqa: ARG001
    return load(folder, mode=mode)
