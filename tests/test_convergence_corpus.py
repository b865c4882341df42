"""Tagged corpora with dates and sources: what is read, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from files import tagged_record

from fimi_nlp.columns import flatten
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.convergence import TaggedCorpus
from fimi_nlp.records import open_writer
from fimi_nlp.types import Reason

if TYPE_CHECKING:
    from pathlib import Path


def test_the_taggers_output_is_read_in_every_format(tmp_path: Path) -> None:
    records = [tagged_record(n, "a b" if n % 2 else "", day=f"2024-01-{n + 1:02d}") for n in range(6)]
    expected = TaggedCorpus.read(records, origin="input_origin")
    assert expected.carried.sum() == 6
    for name in ("tags.jsonl", "tags.csv", "tags.parquet"):
        path = tmp_path / name
        with open_writer(path) as writer:
            for record in records:
                writer.write(record if name.endswith("jsonl") else flatten(record))
        found = TaggedCorpus.read(path, origin="input_origin")
        np.testing.assert_array_equal(found.carried, expected.carried)
        np.testing.assert_array_equal(found.times, expected.times)
        assert found.origins.tolist() == ["russia"] * 6
        guessed = TaggedCorpus.read(path, origin="origin")
        assert guessed.origins.tolist() == ["other"] * 6
        assert guessed.origin_from_tags
    frame = TaggedCorpus.read(pd.DataFrame(records), origin="input_origin")
    np.testing.assert_array_equal(frame.carried, expected.carried)


def test_what_is_countered_or_not_read_is_not_carried() -> None:
    countered = {**tagged_record(0, "a"), "stance": {"label": "counters", "probability": 0.9}}
    unread = {**tagged_record(1), "reason": Reason.LANGUAGE.value}
    corpus = TaggedCorpus.read([countered, unread, tagged_record(2, "b")], origin="input_origin")
    assert (len(corpus), corpus.not_read, corpus.labels) == (2, 1, ("b",))
    every = TaggedCorpus.read([countered], origin="input_origin", stances=["counters"])
    assert every.labels == ("a",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": "tomorrow"}, "record 2: 'date' is 'tomorrow'"),
        ({"date": "29/02/2024"}, "record 2: 'date' is '29/02/2024'.*2024-02-29"),
        ({"date": None}, "record 2: 'date' is empty.*skip_undated=True"),
        ({"source": " "}, "record 2: 'source' is empty"),
        ({"narratives": "yes"}, "record 2: 'narratives' is not the tagger's"),
    ],
)
def test_bad_records_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TaggedCorpus.read([tagged_record(0), {**tagged_record(1), **change}], origin="input_origin")


@pytest.mark.parametrize("nothing", [None, "", float("nan"), pd.NaT])
def test_undated_texts_are_left_out_where_one_says_so(nothing: Any) -> None:
    records = [tagged_record(0, "a"), {**tagged_record(1, "b"), "date": nothing}]
    with pytest.raises(InputError, match="'date' is empty"):
        TaggedCorpus.read(records, origin="input_origin")
    corpus = TaggedCorpus.read(records, origin="input_origin", skip_undated=True)
    assert (len(corpus), corpus.undated, corpus.labels) == (1, 1, ("a",))
    with pytest.raises(InputError, match="no tagged texts with a 'date'"):
        TaggedCorpus.read(records[1:], origin="input_origin", skip_undated=True)


def test_times_with_a_zone_are_brought_to_utc() -> None:
    days = ["2024-01-01T01:00+03:00", dt.date(2024, 1, 2), pd.Timestamp("2024-01-03T05:00"), "2024-01-04T00:00:00Z"]
    corpus = TaggedCorpus.read([tagged_record(n, "a", day=day) for n, day in enumerate(days)], origin="input_origin")
    assert corpus.times.astype(str).tolist() == [
        "2023-12-31T22:00:00",
        "2024-01-02T00:00:00",
        "2024-01-03T05:00:00",
        "2024-01-04T00:00:00",
    ]


def test_periods() -> None:
    corpus = TaggedCorpus.read(
        [tagged_record(n, "a", day=f"2024-01-{n + 5:02d}") for n in range(12)], origin="input_origin"
    )
    weeks, which = corpus.periods("week")
    assert weeks.astype(str).tolist() == ["2024-01-01", "2024-01-08", "2024-01-15"]
    assert all(pd.Timestamp(day).weekday() == 0 for day in weeks)
    assert np.bincount(which).tolist() == [3, 7, 2]
    assert len(corpus.periods("day")[0]) == 12
    with pytest.raises(InputError, match="Did you mean 'month'"):
        corpus.periods("months")
