"""Hand a model on: to a folder, or to the Hub."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fimi_nlp.bundle import CARD, CONFIG, GATE, METRICS, MODEL, TOKENIZER, Bundle, find
from fimi_nlp.errors import ExportError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The files of a bundle; nothing else in its folder is handed on.
FILES = (CONFIG, MODEL, TOKENIZER, CARD, METRICS, GATE)


class Upload(NamedTuple):
    """What goes to the Hub, or would.

    Attributes
    ----------
    repository : str
        ``owner/name``.
    private : bool
        Whether a repository that is made for it is private; one that is there already stays as it is.
    files : tuple of (str, int)
        Names and sizes in bytes.
    url : str
        Of the commit; empty in a dry run.
    """

    repository: str
    private: bool
    files: tuple[tuple[str, int], ...]
    url: str = ""

    @property
    def size(self) -> int:
        """Of all the files, in bytes."""
        return sum(size for _, size in self.files)


def export_bundle(model: str | Path | None, out: str | Path, *, revision: str | None = None) -> Bundle:
    """Copy a model, checked before and after, into a folder that `fimi_nlp.load` takes anywhere.

    Parameters
    ----------
    model : str, Path or None
        As for `fimi_nlp.load`.
    out : str or Path
        A folder that does not exist yet.
    revision : str, optional
        Of a Hub id.

    Raises
    ------
    InputError
        The folder exists.
    BundleError
        There is no such model, or it fails its checks.
    """
    out = Path(out)
    if out.exists():
        raise InputError(f"{out} exists.", remedy="Name a folder that does not exist yet.")
    bundle = Bundle.read(find(model, revision=revision))
    out.mkdir(parents=True)
    for name, _ in _present(bundle.folder, FILES):
        shutil.copyfile(bundle.folder / name, out / name)
    return Bundle.read(out)


def push(
    model: str | Path | None,
    repository: str,
    *,
    private: bool = True,
    branch: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Upload:
    """Send a bundle, or a plain transformers checkpoint, to the Hub.

    Parameters
    ----------
    model : str, Path or None
        As for `fimi_nlp.load`, or the folder that `fimi_nlp.training.to_transformers` wrote.
    repository : str
        ``owner/name``; made where it is not there.
    private : bool
        Of a repository that is made.
    branch : str, optional
        Of the repository; its main one by default.
    message : str, optional
        Of the commit.
    dry_run : bool
        Only say what would be sent; needs no network.

    Raises
    ------
    InputError
        `repository` is not of the form ``owner/name``.
    BundleError
        There is no such model, or it fails its checks.
    ExportError
        It has no card, or the Hub refused; nothing was sent.

    Notes
    -----
    Log in with ``hf auth login``, or set ``HF_TOKEN``: this library handles no tokens.
    """
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise InputError(f"'{repository}' is no repository of the Hub.", remedy="It has the form owner/name.")
    folder, names, title = _source(model)
    files = _present(folder, names)
    if CARD not in dict(files):
        raise ExportError(f"{folder}: there is no card ({CARD}).", remedy="Describe the model in it first.")
    upload = Upload(repository, private, files)
    if dry_run:
        return upload
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[name for name, _ in files],
            commit_message=message or f"Add {title}",
            revision=branch,
        )
    except Exception as error:
        raise ExportError(
            f"{repository}: the Hub refused: {error}", remedy="Check the name, the network, and `hf auth whoami`."
        ) from error
    return upload._replace(url=str(commit.commit_url))


def _source(model: str | Path | None) -> tuple[Path, Sequence[str], str]:
    """Folder, files and name of what is to be sent."""
    if model is not None and (Path(model) / "model.safetensors").is_file():
        folder = Path(model)
        known = (".json", ".safetensors", ".txt", ".md")
        return folder, sorted(path.name for path in folder.iterdir() if path.suffix in known), folder.name
    bundle = Bundle.read(find(model))
    return bundle.folder, FILES, bundle.name


def _present(folder: Path, names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple((name, (folder / name).stat().st_size) for name in names if (folder / name).is_file())
