"""The errors that users meet. Each says what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class FimiError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, naming the input.
    remedy : str, optional
        What to do about it; shown after the message.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class InputError(FimiError, ValueError):
    """A text, a record or an argument cannot be used."""


class InputTypeError(FimiError, TypeError):
    """A value has the wrong type."""


class SchemaError(FimiError, ValueError):
    """A label schema is malformed, or a label is not part of it."""


class RecipeError(FimiError, ValueError):
    """A training recipe is malformed."""


class BundleError(FimiError, ValueError):
    """A model folder is missing, incomplete, damaged or of an unknown version."""


class ExportError(FimiError, RuntimeError):
    """An export failed its checks; nothing was written."""


class CorpusError(FimiError, ValueError):
    """A corpus has faults.

    Parameters
    ----------
    message : str
        Summary of the faults.
    problems : iterable
        All the faults, each with file, line and value.
    remedy : str, optional
        What to do about them.
    """

    def __init__(self, message: str, *, problems: Iterable[Any] = (), remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.problems = tuple(problems)


class MissingExtraError(FimiError, ImportError):
    """A part of the package needs an optional dependency that is not installed."""


def require(extra: str, *modules: str) -> None:
    """Check that the modules of an extra can be imported.

    Parameters
    ----------
    extra : str
        Name of the extra, as in ``pip install "fimi-nlp[extra]"``.
    *modules : str
        Top-level modules that the extra brings.

    Raises
    ------
    MissingExtraError
        Naming the modules that are missing and the exact command that installs them.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"This part of fimi-nlp needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not"
            " installed.",
            remedy=f'Run: pip install "fimi-nlp[{extra}]"',
        )


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A hint that names the closest of the options, or lists them.

    Examples
    --------
    >>> did_you_mean("nato_aliances", ["us_democracy", "nato_alliances"])
    "Did you mean 'nato_alliances'?"
    >>> did_you_mean("x", ["a", "b"])
    'Known: a, b.'
    """
    known = list(options)
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."
