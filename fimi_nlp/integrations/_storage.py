"""Files on a disk or an object store that a run reads and writes: found, published whole, known again."""

from __future__ import annotations

import json
import posixpath
import secrets
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from fimi_nlp._record_formats import resolve_format
from fimi_nlp.errors import InputError

#: What a run was asked for, in the folder that it writes.
SETTINGS = "_fimi_nlp.json"
_TEMPORARY = ".fimi-tmp"


def locate(place: str | Path, filesystem: pafs.FileSystem | None) -> tuple[pafs.FileSystem, str]:
    """The file system of a place, and its path there."""
    if filesystem is not None:
        return filesystem, str(place).rstrip("/")
    if "://" not in str(place):
        return pafs.LocalFileSystem(), Path(place).resolve().as_posix()
    try:
        found, path = pafs.FileSystem.from_uri(str(place))
    except (ValueError, OSError) as error:
        raise InputError(f"{place}: {error}.", remedy="Give a path, or an address that pyarrow.fs knows.") from error
    return found, path.rstrip("/")


def inputs(filesystem: pafs.FileSystem, root: str, shown: str) -> list[tuple[str, str]]:
    """The paths of the files to tag, and their names below the root, in order of these."""
    info = filesystem.get_file_info(root)
    if info.type == pafs.FileType.NotFound:
        raise InputError(f"{shown}: no such file or folder.", remedy="Check the path.")
    paths = [root]
    if info.type == pafs.FileType.Directory:
        paths = _files(filesystem, root)
    base = root if info.type == pafs.FileType.Directory else posixpath.dirname(root)
    named = [(path, posixpath.relpath(path, base)) for path in sorted(paths)]
    found = [(path, name) for path, name in named if not _hidden(name) and _readable(name)]
    if not found:
        raise InputError(f"{shown}: no file to tag.", remedy="Known: .txt, .jsonl, .ndjson, .csv, .tsv, .parquet.")
    return found


def _hidden(name: str) -> bool:
    """Whether a part of the path starts as those do that Spark, Arrow and Ray pass over."""
    return any(part.startswith((".", "_")) for part in name.split("/"))


def _readable(name: str) -> bool:
    try:
        resolve_format(name, None)
    except InputError:
        return False
    return True


def _files(filesystem: pafs.FileSystem, folder: str) -> list[str]:
    selector = pafs.FileSelector(folder, recursive=True, allow_not_found=True)
    return [info.path for info in filesystem.get_file_info(selector) if info.type == pafs.FileType.File]


def existing(filesystem: pafs.FileSystem, folder: str) -> set[str]:
    """The results that are there; what a killed run left half written is removed."""
    whole = set()
    for path in _files(filesystem, folder):
        name = posixpath.basename(path)
        if name.startswith(".") and name.endswith(_TEMPORARY):
            filesystem.delete_file(path)
        else:
            whole.add(path)
    return whole


def publish(local: Path, filesystem: pafs.FileSystem, target: str) -> None:
    """Copy a file to where it belongs, under a name that it only gets when it is whole."""
    folder, name = posixpath.split(target)
    filesystem.create_dir(folder, recursive=True)
    temporary = posixpath.join(folder, f".{name}.{secrets.token_hex(4)}{_TEMPORARY}")
    pafs.copy_files(str(local), temporary, pafs.LocalFileSystem(), filesystem)
    filesystem.move(temporary, target)


def keep_settings(filesystem: pafs.FileSystem, folder: str, settings: dict[str, Any]) -> None:
    """Write down what a run was asked for, lest a second one with other settings fill its gaps."""
    path = posixpath.join(folder, SETTINGS)
    if filesystem.get_file_info(path).type == pafs.FileType.File:
        with filesystem.open_input_file(path) as file:
            before = json.loads(file.read())
        for key, value in settings.items():
            if before.get(key) != value:
                raise InputError(
                    f"{folder} holds results with {key} {before.get(key)!r}, not {value!r}.",
                    remedy="Write to another folder, or empty this one.",
                )
        return
    with tempfile.TemporaryDirectory(prefix="fimi-nlp-") as scratch:
        local = Path(scratch, SETTINGS)
        local.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        publish(local, filesystem, path)
