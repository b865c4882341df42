"""The folder in which a `NarrativeClassifier` is saved: JSON and NumPy arrays, nothing that is unpickled or run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.bundle import sha256
from fimi_nlp.errors import BundleError, InputError
from fimi_nlp.integrations._head import CALIBRATIONS, Curve, Head

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT, VERSION = "fimi-nlp-head", 1
CONFIG, ARRAYS = "head.json", "head.npz"
_AGAIN = "The folder is damaged: save the classifier again."


def write(folder: str | Path, head: Head, classes: npt.NDArray[Any], config: dict[str, Any]) -> None:
    """Write a head; `config` holds what else belongs to it, as JSON types.

    Raises
    ------
    InputError
        The folder cannot be written, or the classes have no JSON form.
    """
    folder = Path(folder)
    listed = classes.tolist()
    if not all(isinstance(value, (str, int, float, bool)) for value in listed):
        raise InputError("Classes are saved as JSON: texts or numbers.", remedy="Fit with such labels.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / ARRAYS, allow_pickle=False, **_arrays(head))
        entry = {
            "format": FORMAT,
            "version": VERSION,
            **config,
            "classes": {"dtype": classes.dtype.str if classes.dtype.kind != "O" else "object", "values": listed},
            "exclusive": head.exclusive,
            "curves": [curve.method for curve in head.curves],
            "iterations": head.iterations,
            "files": {ARRAYS: sha256(folder / ARRAYS)},
        }
        (folder / CONFIG).write_text(json.dumps(entry, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}.", remedy="Name another folder.") from error
    except TypeError as error:
        raise InputError(f"A parameter has no JSON form: {error}.", remedy="Use plain numbers and texts.") from error


def read(folder: str | Path) -> tuple[Head, npt.NDArray[Any], dict[str, Any]]:
    """The head, its classes, and the rest of the configuration.

    Raises
    ------
    BundleError
        A file is missing or malformed, its version is unknown, or the arrays are not those that were saved.
    """
    folder = Path(folder)
    config = _config(folder / CONFIG)
    path = folder / ARRAYS
    if not path.is_file():
        raise BundleError(f"{path}: not found.", remedy=_AGAIN)
    try:
        expected = config["files"][ARRAYS]
        if sha256(path) != expected:
            raise BundleError(f"{path}: SHA-256 is {sha256(path)}, expected {expected}.", remedy=_AGAIN)
        with np.load(path, allow_pickle=False) as arrays:
            head = _head(config, dict(arrays))
        kind = config["classes"]["dtype"]
        classes = np.array(config["classes"]["values"], dtype=object if kind == "object" else np.dtype(kind))
        rows = 1 if head.exclusive and len(classes) == 2 else len(classes)
        if head.coef.shape[0] != rows:
            raise ValueError(f"{len(classes)} classes and {head.coef.shape[0]} rows of coefficients")
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, OSError) as error:
        what = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{folder}: {what}.", remedy=_AGAIN) from error
    return head, classes, config


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{path}: not found.", remedy="Give a folder that NarrativeClassifier.save wrote.") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read: {error}.", remedy=_AGAIN) from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise BundleError(f"{path}: 'format' is not {FORMAT!r}.", remedy=_AGAIN)
    if config.get("version") != VERSION:
        raise BundleError(
            f"{path}: version {config.get('version')!r}; this release reads version {VERSION}.",
            remedy="Install a release of fimi-nlp that reads it, or save the classifier again.",
        )
    return config


def _arrays(head: Head) -> dict[str, npt.NDArray[np.float64]]:
    arrays = {"coef": head.coef, "intercept": head.intercept}
    for index, curve in enumerate(head.curves):
        arrays[f"x{index}"], arrays[f"y{index}"] = curve.x, curve.y
    return arrays


def _head(config: dict[str, Any], arrays: dict[str, npt.NDArray[np.float64]]) -> Head:
    coef, intercept = arrays["coef"], arrays["intercept"]
    if coef.ndim != 2 or intercept.shape != coef.shape[:1]:
        raise ValueError(f"coefficients of shape {coef.shape} and intercepts of shape {intercept.shape}")
    curves = tuple(
        Curve(method, arrays[f"x{index}"], arrays[f"y{index}"]) for index, method in enumerate(config["curves"])
    )
    if len(curves) not in (0, len(coef)) or not all(curve.method in CALIBRATIONS for curve in curves):
        raise ValueError("the calibration does not fit the coefficients")
    return Head(coef, intercept, bool(config["exclusive"]), curves, int(config["iterations"]))
