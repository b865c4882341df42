"""Arguments of a tagger, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimi_nlp.errors import InputError, InputTypeError, did_you_mean
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fimi_nlp.bundle import Bundle


def check_mode(mode: Mode | str) -> Mode:
    """The mode of that name; `InputError` where there is none."""
    try:
        return Mode(mode)
    except ValueError:
        known = [m.value for m in Mode]
        raise InputError(f"Unknown mode {mode!r}.", remedy=did_you_mean(str(mode), known)) from None


def check_thresholds(bundle: Bundle, mode: Mode, own: Mapping[str, float]) -> dict[str, float]:
    """The bundle's thresholds with the caller's own in their place; `InputError` where one of these is wrong."""
    thresholds = dict(bundle.thresholds[mode.value])
    for label, value in own.items():
        if label not in thresholds:
            raise InputError(
                f"A threshold is given for '{label}', which is no narrative of {bundle.id}.",
                remedy=did_you_mean(label, thresholds),
            )
        if not 0.0 <= value <= 1.0:
            raise InputError(f"The threshold of '{label}' is {value!r}.", remedy="Give a probability in [0, 1].")
        thresholds[label] = float(value)
    return thresholds


def not_a_text(value: object, where: str) -> InputTypeError:
    """What to raise for a value that is no text."""
    remedy = "Give a str."
    if isinstance(value, (bytes, bytearray)):
        remedy = "Decode it first: value.decode('utf-8')."
    elif isinstance(value, (list, tuple)):
        remedy = "Explain one text at a time." if where == "explain()" else "Use tag_many() for several texts."
    elif value is None or value != value:
        remedy = "Drop or fill missing texts first."
    return InputTypeError(f"{where}: expected a str, got {type(value).__name__} ({value!r:.60}).", remedy=remedy)
