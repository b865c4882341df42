"""Tags as columns of Arrow, pandas, Polars and datasets: the same ones everywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import CLAIM, EVENT

import fimi_nlp as fn
import fimi_nlp.integrations.pandas
import fimi_nlp.integrations.polars
from fimi_nlp.columns import NAMES, arrow_schema, flatten, kept_name, tag_rows
from fimi_nlp.errors import FimiError, InputError, InputTypeError
from fimi_nlp.integrations.arrow import tag_table
from fimi_nlp.types import Tag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = [CLAIM, None, EVENT, "", "Das Treffen findet am Dienstag in Wilna statt.", "12345 !!!", CLAIM.lower()]
LANGUAGE = 4


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture(scope="module")
def expected(tagger: fn.Tagger) -> list[dict[str, Any]]:
    """What every table should hold, from `tag_many` alone."""
    rows = [
        {**flatten(tag.to_dict()), "scores": dict(tag.scores) or None}
        for tag in tagger.tag_many([t or "" for t in TEXTS])
    ]
    rows[1] = {**dict.fromkeys(rows[1]), "reason": "MISSING"}
    return [{name: row[name] for name in NAMES} for row in rows]


def fimi(expression: pl.Expr) -> fimi_nlp.integrations.polars.FimiNamespace:
    """The namespace, which no type checker knows of."""
    found = expression.fimi  # type: ignore[attr-defined]
    assert isinstance(found, fimi_nlp.integrations.polars.FimiNamespace)
    return found


def alike(found: Any, wanted: Any) -> bool:
    """The same, but for what int8 arithmetic makes of other batches."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(alike(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(alike, found, wanted))
    return bool(found == pytest.approx(wanted, abs=0.1)) if isinstance(wanted, float) else bool(found == wanted)


def test_rows(tagger: fn.Tagger, expected: list[dict[str, Any]]) -> None:
    assert tag_rows(tagger, TEXTS) == expected
    assert [row["reason"] for row in expected] == ["OK", "MISSING", "OK", "EMPTY", "LANGUAGE", "NO_WORDS", "OK"]
    assert expected[0]["labels"] == "nato_alliances"
    for null in (float("nan"), pd.NA, pd.NaT, np.float64("nan")):
        assert tag_rows(tagger, [null])[0]["reason"] == "MISSING"


def test_the_command_line_has_the_same_columns(
    tagger: fn.Tagger, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    from fimi_nlp.batch import tag_file

    source, target = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_text(json.dumps({"text": CLAIM}) + "\n")
    tag_file(tagger, source, target)
    import pyarrow.parquet as pq

    row = pq.read_table(target).to_pylist()[0]
    assert set(row) == {"id", "text", *NAMES}
    for name in ("labels", "stance_label", "origin_label", "confidence", "reason", "language", "windows", "model"):
        assert alike(row[name], expected[0][name])
    assert alike(json.loads(row["narratives"]), expected[0]["narratives"])


#: Columns that stand in the way of every kind of tag column, and what an earlier tagging left.
IN_THE_WAY = {"labels": "mine", "stance_label": "mine too", "origin_label": "o", "stance": "s", "input_stance": "older"}
KEPT_IN_TABLES = {kept_name(name): value for name, value in IN_THE_WAY.items()}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("source_suffix", ["jsonl", "csv", "parquet"])
def test_files_lose_no_column(tagger: fn.Tagger, tmp_path: Path, source_suffix: str, suffix: str) -> None:
    from fimi_nlp.batch import tag_file
    from fimi_nlp.records import open_writer, read_records

    source, target, again = (
        tmp_path / f"{name}.{end}" for name, end in (("a", source_suffix), ("b", suffix), ("c", suffix))
    )
    with open_writer(source) as writer:
        writer.write({"text": CLAIM, **IN_THE_WAY})
        writer.write({"text": EVENT, **IN_THE_WAY})
    tag_file(tagger, source, target)
    first, second = (row.data for row in read_records(target))  # type: ignore[union-attr]
    kept = KEPT_IN_TABLES if suffix != "jsonl" else {kept_name(n, Tag().to_dict()): v for n, v in IN_THE_WAY.items()}
    assert {name: first[name] for name in kept} == {name: second[name] for name in kept} == kept
    if suffix != "jsonl":
        assert first["labels"] == "nato_alliances"
        assert first["stance_label"] == "asserts"
    # Tagging what was tagged: each column moves on by one, and none is lost.
    tag_file(tagger, target, again)
    row = next(iter(read_records(again))).data  # type: ignore[union-attr]
    assert {str(value) for value in first.values()} <= {str(value) for value in row.values()}
    assert len(row) == len(first) + len(NAMES if suffix != "jsonl" else Tag().to_dict())


def test_tables_lose_no_column(tagger: fn.Tagger) -> None:
    columns = {"text": [CLAIM], **{name: [value] for name, value in IN_THE_WAY.items()}}
    function = tagger.as_map_fn()
    dataset = datasets.Dataset.from_dict(columns)
    streamed = dataset.to_iterable_dataset()
    rows = [
        tag_table(pa.table(columns), model=tagger).to_pylist()[0],
        pd.DataFrame(columns).fimi.tag("text", tagger).to_dict("records")[0],
        fimi_nlp.integrations.polars.tag(pl.DataFrame(columns), model=tagger).to_dicts()[0],
        *(next(iter(made.map(function, batched=batched))) for made in (dataset, streamed) for batched in (False, True)),
    ]
    for row in rows:
        assert {name: row[name] for name in KEPT_IN_TABLES} == KEPT_IN_TABLES
        assert row["labels"] == "nato_alliances"


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_arrow(tagger: fn.Tagger, expected: list[dict[str, Any]], kind: pa.DataType) -> None:
    half = len(TEXTS) // 2
    column = pa.chunked_array([pa.array(part, pa.string()).cast(kind) for part in (TEXTS[:half], TEXTS[half:])])
    tagged = tag_table(pa.table({"n": range(len(TEXTS)), "text": column}), model=tagger)
    assert tagged.column_names == ["n", "text", *NAMES]
    assert tagged.select(list(NAMES)).to_pylist() == expected
    assert tagged.select(list(NAMES)).schema == arrow_schema(tagger.schema)
    assert tagged["text"].type == kind
    batch = pa.record_batch({"text": TEXTS[:2]})
    assert tag_table(batch, model=tagger).num_rows == 2
    assert tag_table(pa.table({"text": pa.array([], kind)}), model=tagger).schema.field(
        "scores"
    ) == tagged.schema.field("scores")


def test_pandas(tagger: fn.Tagger, expected: list[dict[str, Any]]) -> None:
    index = pd.MultiIndex.from_tuples([("a", i) for i in range(len(TEXTS), 0, -1)])
    frame = pd.DataFrame({"text": TEXTS, "n": range(len(TEXTS))}, index=index)
    before = frame.copy()
    tagged = frame.fimi.tag("text", tagger)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(tagged[["text", "n"]], before)
    assert tagged.index.equals(index)
    assert list(tagged.columns) == ["text", "n", *NAMES]
    again = pa.Table.from_pandas(tagged[list(NAMES)], preserve_index=False)
    assert again.to_pylist() == expected
    assert tagged["confidence"].dtype == pd.ArrowDtype(pa.float64())
    assert tagged["stance"].isna().tolist() == [row["stance"] is None for row in expected]
    assert tagged.groupby("labels").size()["nato_alliances"] == 2


def test_pandas_keeps_a_repeated_index_and_odd_column_names(tagger: fn.Tagger) -> None:
    frame = pd.DataFrame({"text": [CLAIM, EVENT], 3: [1, 2], "model": ["T", "S"]}, index=[7, 7])
    tagged = frame.fimi.tag("text", tagger, columns=["labels", "model"])
    assert list(tagged.columns) == ["text", 3, "input_model", "labels", "model"]
    assert tagged["input_model"].tolist() == ["T", "S"]
    assert tagged.index.tolist() == [7, 7]


def test_polars(tagger: fn.Tagger, expected: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame({"text": TEXTS, "n": range(len(TEXTS))})
    structs = frame.select(fimi(pl.col("text")).tag(tagger))
    assert structs["text"].to_list() == expected
    lazy = frame.lazy().with_columns(tag=fimi(pl.col("text")).tag(tagger))
    assert lazy.collect_schema()["tag"] == structs.schema["text"]
    assert alike(lazy.collect()["tag"].to_list(), expected)
    assert alike(lazy.collect(engine="streaming").sort("n")["tag"].to_list(), expected)
    tagged = fimi_nlp.integrations.polars.tag(frame, model=tagger)
    assert tagged.columns == ["text", "n", *NAMES]
    assert tagged.select(NAMES).to_dicts() == expected
    assert tagged.select(NAMES).schema == structs.unnest("text").schema
    again = fimi_nlp.integrations.polars.tag(tagged, model=tagger, columns=["labels"])
    assert again.columns[-1] == "labels"
    assert "input_labels" in again.columns


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_datasets_are_typed_whatever_the_first_batch_holds(
    tagger: fn.Tagger, expected: list[dict[str, Any]], size: int
) -> None:
    texts, rows = TEXTS[::-1], expected[::-1]
    dataset = datasets.Dataset.from_dict({"text": texts, "y": [0, 1] * 3 + [0]})
    dataset = dataset.cast_column("y", datasets.ClassLabel(names=["no", "yes"]))
    for source in (dataset, dataset.with_format("arrow")):
        tagged = source.map(tagger.as_map_fn(), batched=True, batch_size=size).with_format(None)
        assert alike([{name: row[name] for name in NAMES} for row in tagged], rows)
        assert tagged.features["y"] == dataset.features["y"]
        typed = datasets.Features.from_arrow_schema(arrow_schema(tagger.schema))
        assert {name: tagged.features[name] for name in NAMES} == dict(typed)


@pytest.mark.parametrize("batched", [False, True])
def test_datasets_remove_columns(tagger: fn.Tagger, expected: list[dict[str, Any]], batched: bool) -> None:
    function = tagger.as_map_fn(columns=["labels", "reason"])
    dataset = datasets.Dataset.from_dict({"text": TEXTS, "n": range(7), "labels": list("abcdefg")})
    wanted = [{"labels": row["labels"], "reason": row["reason"]} for row in expected]
    for source in (dataset, dataset.to_iterable_dataset()):
        tagged = source.map(function, batched=batched, remove_columns=["text", "n"])
        rows = [dict(row) for row in tagged]
        assert [{name: row[name] for name in ("labels", "reason")} for row in rows] == wanted
        assert set(rows[0]) == {"labels", "reason", "input_labels"}
        # A column that is removed and made anew is there, as `datasets` has it.
        bare = source.map(function, batched=batched, remove_columns=["text", "n", "labels"])
        assert [row["labels"] for row in bare] == [row["labels"] for row in expected]


def test_a_batch_of_tags_may_be_changed_before_it_is_written(tagger: fn.Tagger) -> None:
    def function(batch: Any) -> Any:
        tags = tagger.as_map_fn(columns=["labels"])(batch)
        tags["labels"][0] = "changed"
        return tags

    tagged = datasets.Dataset.from_dict({"text": [CLAIM, None]}).map(function, batched=True)
    assert tagged["labels"][:] == ["changed", None]


def test_datasets_row_by_row_and_streamed(tagger: fn.Tagger, expected: list[dict[str, Any]]) -> None:
    function = tagger.as_map_fn("body", columns=["labels", "reason"])
    dataset = datasets.Dataset.from_dict({"body": TEXTS, "labels": list("abcdefg")})
    wanted = [(row["labels"], row["reason"]) for row in expected]
    streamed = dataset.to_iterable_dataset()
    for tagged in (dataset.map(function), streamed.map(function), streamed.map(function, batched=True, batch_size=3)):
        rows = list(tagged)
        assert [(row["labels"], row["reason"]) for row in rows] == wanted
        assert [row["input_labels"] for row in rows] == list("abcdefg")


def test_datasets_see_another_model_as_another_function(tagger: fn.Tagger) -> None:
    from datasets.fingerprint import Hasher

    other = fn.load(mode="high_precision")
    hashes = [Hasher.hash(t.as_map_fn()) for t in (tagger, fn.load(), other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert Hasher.hash(tagger.as_map_fn(columns="labels")) != hashes[0]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda t: tag_table(pa.table({"txt": [CLAIM]}), "text", t), "Did you mean 'txt'"),
        (lambda t: pd.DataFrame({"txt": [CLAIM]}).fimi.tag("text", t), "Did you mean 'txt'"),
        (lambda t: pd.DataFrame([[CLAIM, EVENT]], columns=["text", "text"]).fimi.tag("text", t), "more than one"),
        (lambda t: fimi_nlp.integrations.polars.tag(pl.DataFrame({"txt": [CLAIM]}), "text", t), "Did you mean 'txt'"),
        (lambda t: t.as_map_fn("txet")({"text": [CLAIM]}), "Did you mean 'text'"),
        (lambda t: t.as_map_fn(columns=["label"]), "Did you mean 'labels'"),
        (lambda t: fimi(pl.col("text")).tag(t, columns=["x"]), "no column 'x'"),
    ],
)
def test_a_column_that_is_not_there(tagger: fn.Tagger, act: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        act(tagger)


def test_a_cell_that_is_no_text_is_named(tagger: fn.Tagger) -> None:
    with pytest.raises(InputTypeError, match="text 2"):
        pd.DataFrame({"text": [CLAIM, None, 7]}).fimi.tag("text", tagger)
    with pytest.raises(FimiError, match="text 1"):
        tag_table(pa.table({"text": [None, 5]}), "text", tagger)
    with pytest.raises((InputTypeError, pl.exceptions.ComputeError), match="text 0"):
        pl.DataFrame({"text": [5]}).select(fimi(pl.col("text")).tag(tagger))


def test_by_default_the_bundled_model_is_used(expected: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame({"text": TEXTS[:1]}).fimi.tag()
    assert frame["model"][0] == expected[0]["model"]
