"""Tag on Ray Data: the same call on a laptop, where Ray starts by itself, and on a cluster.

=================  =====================================================================================
`tag_dataset`      a Ray dataset with typed tag columns behind its own; lazy, streamed
`tag_files`        a folder or an object store, file by file; exactly once, goes on where a run stopped
=================  =====================================================================================

Needs ``pip install "fimi-nlp[ray]"``. ``docs/scale.md`` works a large job out on paper.
"""

from __future__ import annotations

import posixpath
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp._arguments import check_mode
from fimi_nlp._record_formats import resolve_format
from fimi_nlp.batch import rejects_of, tag_file
from fimi_nlp.bundle import Bundle, find
from fimi_nlp.columns import append, choose
from fimi_nlp.errors import BundleError, FimiError, InputError, did_you_mean, require
from fimi_nlp.tagger import Tagger, load

require("ray", "ray", "pyarrow")

import pyarrow.fs as pafs  # noqa: E402
import ray.data  # noqa: E402

from fimi_nlp.integrations._storage import existing, inputs, keep_settings, locate, publish  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    import pyarrow as pa

    from fimi_nlp.integrations._shared import Model
    from fimi_nlp.types import Mode

    #: Actors: a fixed number, or the smallest and the largest of a pool that grows while blocks wait.
    Concurrency: TypeAlias = int | tuple[int, int] | None

__all__ = ["Outcome", "tag_dataset", "tag_files"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files of a run.

    Attributes
    ----------
    files : int
        Files tagged by this call.
    skipped : int
        Files that an earlier call had finished.
    tagged, with_narratives, rejected : int
        Records of this call: tagged, of these with a narrative, and set aside beside the output.
    """

    files: int = 0
    skipped: int = 0
    tagged: int = 0
    with_narratives: int = 0
    rejected: int = 0


def tag_dataset(
    dataset: ray.data.Dataset,
    *,
    text_column: str = "text",
    model: Model = None,
    revision: str | None = None,
    mode: Mode | str = "balanced",
    columns: Sequence[str] | None = None,
    concurrency: Concurrency = None,
    batch_size: int = 1024,
    num_cpus: int = 1,
) -> ray.data.Dataset:
    """A Ray dataset with typed tag columns behind its own.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Any dataset with a column of texts.
    text_column : str
        Where the text stands.
    model : Tagger, str, Path or None
        A tagger, whose mode and thresholds count, or what `fimi_nlp.load` takes. Actors load the model themselves:
        a folder must be there on every node. The bundled model, the default, is where the package is.
    revision : str, optional
        Commit, tag or branch on the Hub.
    mode : {"high_precision", "balanced", "high_recall"}
        Which of the bundle's thresholds to use.
    columns : sequence of str, optional
        Which of `fimi_nlp.columns.NAMES` to add; all by default.
    concurrency : int or (int, int), optional
        Actors, or the fewest and the most; by default as many as the cluster has room for. A fixed number must leave
        cores free for Ray's reading tasks.
    batch_size : int
        Texts that an actor is given at a time.
    num_cpus : int
        Cores of each actor, and threads of its tagger.

    Returns
    -------
    ray.data.Dataset
        Lazy. Null texts give nulls and the reason ``MISSING``; an input column of the same name is kept as
        ``input_<name>``. Blocks may come in another order, unless ``DataContext`` says ``preserve_order``.

    Raises
    ------
    InputError
        There is no such column (found at once where the dataset knows its schema), or an argument is out of range.
    BundleError
        There is no such model, or a node has another one under its name.
    InputTypeError
        When it is run: the column holds something else than text.

    Notes
    -----
    Ray holds reading back while actors are busy, starts actors that die again, and gives their batches to others.
    """
    schema = dataset.schema(fetch_if_missing=False)
    if schema is not None and text_column not in schema.names:
        raise InputError(f"The dataset has no column '{text_column}'.", remedy=did_you_mean(text_column, schema.names))
    return dataset.map_batches(
        _TagBatches,
        fn_constructor_kwargs={
            "model": _describe(model, revision, mode, num_cpus),
            "text_column": text_column,
            "columns": choose(columns),
        },
        batch_format="pyarrow",
        batch_size=_at_least_one("batch_size", batch_size),
        compute=_pool(concurrency),
        num_cpus=num_cpus,
    )


def tag_files(
    source: str | Path,
    out: str | Path,
    *,
    text_column: str = "text",
    output_format: str = "parquet",
    model: Model = None,
    revision: str | None = None,
    mode: Mode | str = "balanced",
    concurrency: Concurrency = None,
    num_cpus: int = 1,
    filesystem: pafs.FileSystem | None = None,
) -> Outcome:
    """Tag the files of a folder or an object store, each into one file of the same name; exactly once.

    Every file is tagged as ``fimi-nlp tag`` would: in order, every column kept, unusable records set aside with their
    reason in ``<file>.rejected.jsonl``. A result is written under a temporary name and renamed when it is whole, so
    that a file which is there is done: call again with the same arguments after any interruption, and only what is
    missing is tagged.

    Parameters
    ----------
    source : str or Path
        A file or a folder, with the folders in it: a path, or an address that pyarrow knows (``s3://``, ``gs://``,
        ``hdfs://``). Files of suffixes that `fimi_nlp.records` reads are tagged, others passed over.
    out : str or Path
        A folder or an address for the results: ``a/b.jsonl`` becomes ``a/b.jsonl.parquet`` in it. One run at a time.
    text_column : str
        Where the text stands.
    output_format : {"parquet", "jsonl", "csv", "tsv"}
        Format of the results.
    model, revision, mode, concurrency, num_cpus
        As in `tag_dataset`.
    filesystem : pyarrow.fs.FileSystem, optional
        Where `source` and `out` are, with credentials of your own; by default what their addresses say.

    Returns
    -------
    Outcome
        Counts.

    Raises
    ------
    InputError
        Nothing is to be read, `out` holds the results of other settings or lies in `source`, or some files cannot be
        read: the others are done all the same.
    BundleError
        As in `tag_dataset`.
    """
    if output_format == "txt" or resolve_format(f"x.{output_format}", output_format) != output_format:
        raise InputError(f"Results cannot be {output_format!r}.", remedy="Use parquet, jsonl, csv or tsv.")
    reading, root = locate(source, filesystem)
    writing, folder = locate(out, filesystem)
    if reading.equals(writing) and f"{folder}/".startswith(f"{root}/"):
        raise InputError(f"{out} lies in {source}.", remedy="Write the results elsewhere.")
    described = _describe(model, revision, mode, num_cpus)
    jobs = [
        {"source": path, "target": posixpath.join(folder, f"{name}.{output_format}")}
        for path, name in inputs(reading, root, str(source))
    ]
    settings = {key: described[key] for key in ("name", "mode", "thresholds")}
    keep_settings(writing, folder, {**settings, "text_column": text_column, "output_format": output_format})
    done = existing(writing, folder)
    waiting = [job for job in jobs if job["target"] not in done]
    if not waiting:
        return Outcome(skipped=len(jobs))
    # A block is what Ray gives to another actor when one dies: so each file is one.
    tagged = ray.data.from_items(waiting, override_num_blocks=len(waiting)).map_batches(
        _TagFiles,
        fn_constructor_kwargs={
            "model": described,
            "text_column": text_column,
            "reading": reading,
            "writing": writing,
        },
        batch_format="pyarrow",
        batch_size=1,
        compute=_pool(concurrency, most=len(waiting)),
        num_cpus=num_cpus,
    )
    return _summarise(tagged.take_all(), skipped=len(jobs) - len(waiting))


class _Worker:
    """An actor's tagger."""

    def __init__(self, model: dict[str, Any]) -> None:
        self.tagger = load(
            model["place"],
            revision=model["revision"],
            mode=model["mode"],
            thresholds=model["thresholds"],
            threads=model["threads"],
        )
        if self.tagger.bundle.name != model["name"]:
            raise BundleError(
                f"This node has {self.tagger.bundle.name} where the others have {model['name']}.",
                remedy="Install the same version of fimi-nlp, and copy the same model, everywhere.",
            )


class _TagBatches(_Worker):
    """Tags batches of `tag_dataset`."""

    def __init__(self, model: dict[str, Any], text_column: str, columns: Sequence[str]) -> None:
        super().__init__(model)
        self.text_column, self.columns = text_column, columns

    def __call__(self, batch: pa.Table) -> pa.Table:
        return append(self.tagger, batch, self.text_column, self.columns)


class _TagFiles(_Worker):
    """Tags files of `tag_files`."""

    def __init__(
        self, model: dict[str, Any], text_column: str, reading: pafs.FileSystem, writing: pafs.FileSystem
    ) -> None:
        super().__init__(model)
        self.text_column, self.reading, self.writing = text_column, reading, writing

    def __call__(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_pylist([self._report(**job) for job in batch.to_pylist()])

    def _report(self, source: str, target: str) -> dict[str, Any]:
        counts = {"tagged": 0, "with_narratives": 0, "rejected": 0}
        try:
            return {"source": source, **counts, **self._tag(source, target), "error": ""}
        except (FimiError, OSError) as error:  # one damaged file must not end a run over a million of them
            return {"source": source, **counts, "error": str(error)}

    def _tag(self, source: str, target: str) -> dict[str, int]:
        with tempfile.TemporaryDirectory(prefix="fimi-nlp-") as scratch:
            local = Path(source)
            if not isinstance(self.reading, pafs.LocalFileSystem):
                local = Path(scratch, "in", posixpath.basename(source))
                local.parent.mkdir()
                pafs.copy_files(source, str(local), self.reading, pafs.LocalFileSystem())
            result = Path(scratch, posixpath.basename(target))
            summary = tag_file(self.tagger, local, result, text_column=self.text_column)
            rejects = rejects_of(result)
            # The result comes last: where it is, everything is.
            if rejects is not None and rejects.exists():
                publish(rejects, self.writing, str(rejects_of(target)))
            publish(result, self.writing, target)
        return {
            "tagged": summary.tagged,
            "with_narratives": summary.with_narratives,
            "rejected": summary.rejected,
        }


def _describe(model: Model, revision: str | None, mode: Mode | str, num_cpus: int) -> dict[str, Any]:
    """What an actor needs to load the tagger that is meant, and the name that it should have."""
    threads = _at_least_one("num_cpus", num_cpus)
    if isinstance(model, Tagger):
        return {
            "place": str(model.bundle.folder.resolve()),
            "revision": None,
            "name": model.bundle.name,
            "mode": model.mode.value,
            "thresholds": dict(model.thresholds),
            "threads": threads,
        }
    mode = check_mode(mode)
    bundle = Bundle.read(find(model, revision=revision))
    # A Hub id and the bundled model are found anew on each node; a folder is given by its whole path.
    place = str(Path(model).resolve()) if model is not None and Path(model).is_dir() else model
    return {
        "place": place,
        "revision": revision,
        "name": bundle.name,
        "mode": mode.value,
        "thresholds": dict(bundle.thresholds[mode.value]),
        "threads": threads,
    }


def _at_least_one(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} is {value!r}.", remedy="Give a whole number of at least 1.")
    return value


def _pool(concurrency: Concurrency, most: int | None = None) -> ray.data.ActorPoolStrategy:
    if concurrency is None:
        return ray.data.ActorPoolStrategy(min_size=1, max_size=most)
    fewest, largest = concurrency if isinstance(concurrency, tuple) else (concurrency, concurrency)
    if _at_least_one("concurrency", fewest) > _at_least_one("concurrency", largest):
        raise InputError(f"concurrency is {concurrency!r}.", remedy="Give the fewest actors first, then the most.")
    return ray.data.ActorPoolStrategy(min_size=fewest, max_size=largest)


def _summarise(rows: list[dict[str, Any]], *, skipped: int) -> Outcome:
    failed = sorted((row for row in rows if row["error"]), key=lambda row: str(row["source"]))
    if failed:
        raise InputError(
            f"{len(failed)} of {len(rows)} files could not be tagged, the first {failed[0]['source']}:"
            f" {failed[0]['error']}",
            remedy="The others are done. Mend or remove these and call again.",
        )
    sums = {key: sum(row[key] for row in rows) for key in ("tagged", "with_narratives", "rejected")}
    return Outcome(files=len(rows), skipped=skipped, **sums)
