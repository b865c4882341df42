"""Ray Data, as it runs: nothing lost, nothing doubled, whoever dies."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import CLAIM, EVENT

from fimi_nlp.columns import NAMES, arrow_schema, tag_rows
from fimi_nlp.errors import BundleError, InputError

pytest.importorskip("ray.data")

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import ray

from fimi_nlp.integrations import ray as on_ray
from fimi_nlp.integrations.ray import Outcome, tag_dataset, tag_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fimi_nlp as fn

TEXTS = [CLAIM, None, EVENT, "", "12345 !!!", "Das Treffen findet am Dienstag in Wilna statt."]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_agent_register_timeout_ms", "120000")  # for machines that are busy
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=80 * 1024**2,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        progress = ray.data.DataContext.get_current().enable_progress_bars
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.data.DataContext.get_current().enable_progress_bars = progress
        ray.shutdown()


def put(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def ids(folder: Path) -> Counter[Any]:
    tables = [pq.read_table(folder / name) for name in names(folder) if name.endswith(".parquet")]
    return Counter(identifier for table in tables for identifier in table["id"].to_pylist())


def put_in_place(monkeypatch: pytest.MonkeyPatch, actor: type) -> None:
    """Have Ray start this class where the integration names its own."""
    original = ray.data.Dataset.map_batches

    def map_batches(self: ray.data.Dataset, _: type, **options: Any) -> ray.data.Dataset:
        return original(self, actor, **options)

    monkeypatch.setattr(ray.data.Dataset, "map_batches", map_batches)


def posts(folder: Path, files: int = 3) -> Path:
    for number in range(files):
        rows = [{"id": 10 * number + row, "text": text} for row, text in enumerate((CLAIM, EVENT, ""))]
        put(folder, f"day={number}/posts.jsonl", rows)
    return folder


def test_the_columns_are_those_of_every_table(tagger: fn.Tagger) -> None:
    rows = [{"id": number, "text": text, "reason": "mine"} for number, text in enumerate(TEXTS)]
    dataset = ray.data.from_arrow([pa.Table.from_pylist(rows[:2]), pa.Table.from_pylist(rows[2:])])
    tables = ray.get(tag_dataset(dataset, concurrency=1, batch_size=2).to_arrow_refs())
    whole = pa.concat_tables(table for table in tables if table.num_rows)
    assert whole.column_names == ["id", "text", "input_reason", *NAMES]
    assert whole.select(list(NAMES)).schema.equals(arrow_schema(tagger.schema))
    found = sorted(whole.to_pylist(), key=lambda row: int(row["id"]))
    assert [row["id"] for row in found] == list(range(len(TEXTS)))
    for row, wanted in zip(found, tag_rows(tagger, TEXTS), strict=True):
        for name in ("labels", "stance_label", "origin_label", "reason", "language", "model"):
            assert row[name] == wanted[name]
        assert row["confidence"] == pytest.approx(wanted["confidence"], abs=0.05)
    assert [row["reason"] for row in found][1] == "MISSING"


def test_an_actor_that_dies_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = str(tmp_path / "killed")

    class Mortal(on_ray._TagBatches):
        def __call__(self, batch: pa.Table) -> pa.Table:
            if 21 in batch["id"].to_pylist() and not os.path.exists(killed):  # noqa: PTH110
                Path(killed).touch()
                os._exit(9)
            return super().__call__(batch)

    put_in_place(monkeypatch, Mortal)
    dataset = ray.data.from_items([{"id": number, "text": f"Bus {number} is late."} for number in range(40)])
    tagged = tag_dataset(dataset.repartition(8), columns=["reason"], concurrency=(1, 2), batch_size=5)
    rows = tagged.take_all()
    assert Path(killed).exists()
    assert sorted(row["id"] for row in rows) == list(range(40))
    assert {row["reason"] for row in rows} == {"OK"}


def test_files_are_tagged_as_the_command_line_does(tagger: fn.Tagger, tmp_path: Path) -> None:
    from fimi_nlp.batch import tag_file

    source, out = posts(tmp_path / "in", 1), tmp_path / "out"
    put(source, "more.parquet", [{"id": 90, "text": CLAIM, "day": "Tuesday"}, {"id": 91, "text": None, "day": "x"}])
    put(source, "_skipped/posts.jsonl", [{"id": 99, "text": CLAIM}])
    (source / "notes.md").write_text("passed over")
    assert tag_files(source, out, model=tagger, concurrency=1) == Outcome(
        files=2, tagged=4, with_narratives=2, rejected=1
    )
    more = "more.parquet.parquet"
    assert names(out) == ["_fimi_nlp.json", "day=0/posts.jsonl.parquet", more, f"{more}.rejected.jsonl"]
    assert "null" in json.loads((out / f"{more}.rejected.jsonl").read_text())["reason"]
    tag_file(tagger, source / "day=0/posts.jsonl", tmp_path / "alone.parquet")
    found, alone = (pq.read_table(path) for path in (out / "day=0/posts.jsonl.parquet", tmp_path / "alone.parquet"))
    assert found.schema.equals(alone.schema)
    assert found["id"].to_pylist() == [0, 1, 2]
    assert found["labels"].to_pylist() == alone["labels"].to_pylist() == ["nato_alliances", "", ""]


def test_a_file_whose_actor_dies_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out, killed = posts(tmp_path / "in"), tmp_path / "out", str(tmp_path)

    class Mortal(on_ray._TagFiles):
        def _tag(self, source: str, target: str) -> dict[str, int]:
            def die_once(name: str) -> None:
                marker = Path(killed, name)
                if f"day={name}" in source and not marker.exists():
                    marker.touch()
                    os._exit(9)

            die_once("0")  # before it has begun
            counts = super()._tag(source, target)
            die_once("2")  # the result is there, and nobody was told
            return counts

    put_in_place(monkeypatch, Mortal)
    assert tag_files(source, out, concurrency=1) == Outcome(files=3, tagged=9, with_narratives=3)
    assert Path(killed, "0").exists()
    assert Path(killed, "2").exists()
    assert ids(out) == dict.fromkeys([0, 1, 2, 10, 11, 12, 20, 21, 22], 1)


def test_a_run_goes_on_where_one_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = posts(tmp_path / "in"), tmp_path / "out"
    put(source, "day=1/posts.jsonl", [])
    (source / "day=1/posts.jsonl").write_bytes(b'{"id": 10, "text": "\xff"}\n')
    with pytest.raises(InputError, match=r"1 of 3 files .* posts.jsonl is not UTF-8.* call again"):
        tag_files(source, out, concurrency=1)
    finished = ["day=0/posts.jsonl.parquet", "day=2/posts.jsonl.parquet"]
    assert names(out) == ["_fimi_nlp.json", *finished]
    before = [(out / name).stat().st_mtime_ns for name in finished]
    (out / "day=1").mkdir(exist_ok=True)
    (out / "day=1/.posts.jsonl.parquet.0123abcd.fimi-tmp").write_bytes(b"half of it")
    posts(source)
    # An object store stands in for the folder: files are copied from it to be read.
    store = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    assert tag_files("in", "out", concurrency=1, filesystem=store) == Outcome(1, 2, 3, 1, 0)
    assert names(out) == ["_fimi_nlp.json", finished[0], "day=1/posts.jsonl.parquet", finished[1]]
    assert [(out / name).stat().st_mtime_ns for name in finished] == before
    assert set(ids(out).values()) == {1}
    assert tag_files(source, out) == Outcome(skipped=3)
    with pytest.raises(InputError, match="holds results with mode 'balanced', not 'high_recall'"):
        tag_files(source, out, mode="high_recall")


def test_a_node_with_another_model_is_refused(tagger: fn.Tagger) -> None:
    model = {**on_ray._describe(tagger, None, "balanced", 1), "name": "minilm-en@other"}
    with pytest.raises(BundleError, match="where the others have minilm-en@other"):
        on_ray._TagBatches(model, "text", NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text_column": "txet"}, "Did you mean 'text'"),
        ({"columns": ["label"]}, "Did you mean 'labels'"),
        ({"mode": "strict"}, "Unknown mode"),
        ({"num_cpus": 0}, "num_cpus is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"concurrency": (3, 2)}, "fewest actors first"),
    ],
)
def test_a_dataset_call_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tag_dataset(ray.data.from_arrow(pa.table({"text": [EVENT]})), **change)


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    source = posts(tmp_path / "in", 1)
    with pytest.raises(InputError, match="no such file or folder"):
        tag_files(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="lies in"):
        tag_files(source, source / "out")
    with pytest.raises(InputError, match="Results cannot be 'txt'"):
        tag_files(source, tmp_path / "out", output_format="txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file to tag"):
        tag_files(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputError, match="nonsense"):
        tag_files("nonsense://a/b", tmp_path / "out")
