"""The model folder: what it holds, and the checks made before any of it is used.

A bundle is data alone: ``config.json``, ``model.onnx``, ``tokenizer.json``, ``README.md`` and ``metrics.json``.
Nothing in it is unpickled or run as code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fimi_nlp.errors import BundleError, SchemaError, did_you_mean
from fimi_nlp.schema import LabelSchema
from fimi_nlp.types import Mode

FORMAT = "fimi-nlp-bundle"
VERSION = 1
CONFIG, MODEL, TOKENIZER, CARD, METRICS = "config.json", "model.onnx", "tokenizer.json", "README.md", "metrics.json"
#: The weights of the first stage, in bundles that have one.
GATE = "gate.npy"
DEFAULT = "minilm-en"


@dataclass(frozen=True, slots=True)
class Tokens:
    """How token ids are laid out for the model.

    Attributes
    ----------
    prefix, suffix : tuple of int
        Ids put before and after every window.
    pad : int
        Id of the padding.
    limit : int
        A text of up to this many tokens is read in one window.
    window : int
        The most tokens in a window of a longer text.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad: int
    limit: int
    window: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How raw logits become probabilities, and when the tagger is sure enough to say a thing.

    Attributes
    ----------
    narratives : tuple of (float, float)
        Slope and offset of each narrative's logit (Platt scaling).
    subs, stance, origin : float
        Temperatures of the soft-max heads.
    confidence_named, confidence_none : (float, float)
        Slope and offset on the logit of the raw confidence, with and without narratives named.
    sub_threshold, origin_threshold : float
        A sub-narrative or an origin is named from this probability.
    """

    narratives: tuple[tuple[float, float], ...]
    subs: float
    stance: float
    origin: float
    confidence_named: tuple[float, float]
    confidence_none: tuple[float, float]
    sub_threshold: float
    origin_threshold: float


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked model folder.

    Attributes
    ----------
    folder : Path
        Where it lies.
    id : str
        Its name.
    revision : str
        First 12 digits of the hash of its configuration, which holds the hashes of the other files.
    schema : LabelSchema
        Its labels.
    tokens : Tokens
        Layout of its input.
    calibration : Calibration
        From logits to probabilities.
    thresholds : dict
        Mode to narrative to the probability from which it is named.
    config : dict
        Everything that ``config.json`` holds, the training record included.
    """

    folder: Path
    id: str
    revision: str
    schema: LabelSchema
    tokens: Tokens
    calibration: Calibration
    thresholds: dict[str, dict[str, float]]
    config: dict[str, Any]

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer file."""
        return self.folder / TOKENIZER

    @property
    def name(self) -> str:
        """``id@revision``, as tags record it."""
        return f"{self.id}@{self.revision}"

    @classmethod
    def read(cls, folder: str | Path) -> Bundle:
        """Read and check a bundle.

        Raises
        ------
        BundleError
            A file is missing or its hash differs, the version is unknown, or the configuration is malformed.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise BundleError(f"{folder}: no such model folder.", remedy="Give a folder that `fimi-nlp train` wrote.")
        source, config = _read_config(folder / CONFIG)
        _check_files(folder, config)
        try:
            return cls(
                folder=folder,
                id=str(config["id"]),
                revision=hashlib.sha256(source).hexdigest()[:12],
                schema=LabelSchema.from_dict(config["schema"], name=f"{folder / CONFIG}: schema"),
                tokens=_tokens(config["tokens"]),
                calibration=_calibration(config["calibration"]),
                thresholds=_thresholds(config),
                config=config,
            )
        except SchemaError as error:
            raise BundleError(str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            what = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
            raise BundleError(f"{folder / CONFIG}: {what}.", remedy=_AGAIN) from error


_AGAIN = "The bundle is damaged: export or download it again."


def _read_config(path: Path) -> tuple[bytes, dict[str, Any]]:
    try:
        source = path.read_bytes()
        config = json.loads(source)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: not found, so this folder is no bundle.", remedy=_AGAIN) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read: {error}.", remedy=_AGAIN) from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise BundleError(f"{path}: 'format' is not {FORMAT!r}, so this folder is no bundle.", remedy=_AGAIN)
    if config.get("version") != VERSION:
        raise BundleError(
            f"{path}: bundle version {config.get('version')!r}; this release reads version {VERSION}.",
            remedy="Install a release of fimi-nlp that reads it, or export the bundle again.",
        )
    return source, config


def _check_files(folder: Path, config: dict[str, Any]) -> None:
    files = config.get("files")
    if not isinstance(files, dict) or not {MODEL, TOKENIZER} <= set(files):
        raise BundleError(f"{folder / CONFIG}: 'files' does not give the hashes of the model's files.", remedy=_AGAIN)
    for name, expected in files.items():
        if Path(name).name != name:
            raise BundleError(f"{folder / CONFIG}: 'files' names {name!r}, outside the folder.", remedy=_AGAIN)
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{path}: not found.", remedy=_AGAIN)
        found = sha256(path)
        if found != expected:
            raise BundleError(f"{path}: SHA-256 is {found}, expected {expected}.", remedy=_AGAIN)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _tokens(data: dict[str, Any]) -> Tokens:
    tokens = Tokens(tuple(data["prefix"]), tuple(data["suffix"]), data["pad"], data["limit"], data["window"])
    if not 8 <= tokens.window <= tokens.limit:
        raise ValueError(f"'tokens' has window {tokens.window} and limit {tokens.limit}")
    return tokens


def _calibration(data: dict[str, Any]) -> Calibration:
    def pair(values: Any) -> tuple[float, float]:
        slope, offset = (float(value) for value in values)
        return slope, offset

    return Calibration(
        narratives=tuple(pair(values) for values in data["narratives"]),
        confidence_named=pair(data["confidence_named"]),
        confidence_none=pair(data["confidence_none"]),
        **{key: float(data[key]) for key in ("subs", "stance", "origin", "sub_threshold", "origin_threshold")},
    )


def _thresholds(config: dict[str, Any]) -> dict[str, dict[str, float]]:
    labels = [table["label"] for table in config["schema"]["narratives"]]
    thresholds = {mode.value: config["thresholds"][mode.value] for mode in Mode}
    for mode, values in thresholds.items():
        if sorted(values) != sorted(labels) or not all(0 <= value <= 1 for value in values.values()):
            raise ValueError(f"thresholds of mode '{mode}' do not give one probability for each narrative")
    if len(config["calibration"]["narratives"]) != len(labels):
        raise ValueError("'calibration.narratives' does not have one pair for each narrative")
    return thresholds


def find(model: str | Path | None = None, *, revision: str | None = None) -> Path:
    """The folder of a model: the bundled one, a path, or a Hub repository (downloaded once, then cached).

    Parameters
    ----------
    model : str or Path, optional
        ``None`` or the name of a bundled model; a folder; or a Hub id (``owner/name``).
    revision : str, optional
        Commit, tag or branch on the Hub.

    Raises
    ------
    BundleError
        There is no such model.
    """
    if model is None or str(model) == DEFAULT:
        return _bundled(DEFAULT)
    path = Path(model)
    if path.is_dir():
        return path
    name = str(model)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _download(name, revision)
    raise BundleError(
        f"{name}: no such model folder.",
        remedy="Give a folder, a Hub id (owner/name), or nothing for the bundled model."
        f" {did_you_mean(name, [DEFAULT])}",
    )


def _bundled(name: str) -> Path:
    package = Path(__file__).parent
    # In the wheel the bundles lie inside the package; in an editable install, beside it.
    for folder in (package / "models" / name, package.parent / "models" / name):
        if folder.is_dir():
            return folder
    raise BundleError(
        f"The bundled model '{name}' is not in this installation.",
        remedy="Install fimi-nlp again, from a wheel or from a full checkout.",
    )


def _download(name: str, revision: str | None) -> Path:
    # huggingface_hub comes with tokenizers; it is imported only when a Hub id is asked for.
    from huggingface_hub import snapshot_download

    try:
        files = [CONFIG, MODEL, TOKENIZER, CARD, METRICS, GATE]
        return Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except Exception as error:
        raise BundleError(
            f"{name}: neither a folder here nor a model that could be fetched from the Hub: {error}",
            remedy="Check the id, the revision and the network, or give a folder.",
        ) from error
