"""Reading, validating, exporting and splitting corpora."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fimi_nlp.data import Corpus, LabelArrays, Passage
from fimi_nlp.errors import CorpusError, InputError, InputTypeError, SchemaError
from fimi_nlp.schema import LabelSchema

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = LabelSchema.default()
LABELS = SCHEMA.narrative_labels
FIXTURES_OK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)

plain = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
options = {label: st.sampled_from([None, *SCHEMA.sub_labels(label)]) for label in LABELS}


@st.composite
def passages(draw: st.DrawFn, identifier: str = "p") -> Passage:
    """Any valid passage."""
    annotated = draw(st.booleans())
    carried = draw(st.fixed_dictionaries({}, optional=options)) if annotated else None
    rest = [label for label in LABELS if label not in (carried or {})]
    skipped = draw(st.sets(st.sampled_from(rest), max_size=len(LABELS) - 1)) if annotated and rest else set()
    open_labels = [label for label in LABELS if label not in skipped] if annotated else []
    unsure = draw(st.sets(st.sampled_from(open_labels))) if open_labels else set()
    stances = SCHEMA.stance_labels if carried or skipped or not annotated else ()
    return Passage(
        identifier,
        draw(plain.filter(str.strip)),
        carried,
        frozenset(skipped),
        frozenset(unsure),
        draw(st.sampled_from([None, *stances, *([] if carried else ["none"])])),
        draw(st.sampled_from([None, *SCHEMA.origin_labels])),
        group=draw(st.sampled_from([None, "g1", "g2"])),
        split=draw(st.none() | plain),
        extra=draw(
            st.dictionaries(
                st.sampled_from(["ref", "n", "mixed"]),
                plain | st.integers(-(2**70), 2**70) | st.booleans() | st.lists(plain) | st.dictionaries(plain, plain),
            )
        ),
    )


@st.composite
def corpora(draw: st.DrawFn, most: int = 6) -> Corpus:
    """Any valid corpus."""
    return Corpus([draw(passages(f"p{number}")) for number in range(draw(st.integers(0, most)))])


def one(**record: Any) -> Passage:
    return Corpus.read([{"id": "a", "text": "Some words.", **record}])[0]


def problem(**record: Any) -> tuple[str, str]:
    with pytest.raises(CorpusError) as caught:
        one(**record)
    (found,) = caught.value.problems
    return found.field, found.message


# -------------------------------------------------------------------------------------------------------- notations


@pytest.mark.parametrize(
    ("cell", "carried", "not_annotated"),
    [
        (None, None, set()),
        (float("nan"), None, set()),
        ("", None, set()),
        ({}, {}, set()),
        ([], {}, set()),
        ("none", {}, set()),
        ("{}", {}, set()),
        ({"us_democracy": "division"}, {"us_democracy": "division"}, set()),
        ({"us_democracy": True, "multipolarity": False}, {"us_democracy": None}, set()),
        ({"us_democracy": "other", "multipolarity": None}, {"us_democracy": "other"}, {"multipolarity"}),
        (dict.fromkeys(LABELS), None, set()),
        (["us_democracy", "nato_alliances/vassals"], {"us_democracy": None, "nato_alliances": "vassals"}, set()),
        ([{"label": "us_democracy", "sub": "decline"}], {"us_democracy": "decline"}, set()),
        ([{"label": "us_democracy"}], {"us_democracy": None}, set()),
        ("us_democracy/corruption; nato_alliances", {"us_democracy": "corruption", "nato_alliances": None}, set()),
        ('{"us_democracy": null}', {}, {"us_democracy"}),
        ('["multipolarity"]', {"multipolarity": None}, set()),
        ("null", None, set()),
    ],
)
def test_every_notation_of_narratives(cell: Any, carried: Any, not_annotated: set[str]) -> None:
    passage = one(narratives=cell)
    assert passage.narratives == carried
    assert passage.not_annotated == frozenset(not_annotated)


@pytest.mark.parametrize(
    ("record", "field", "message"),
    [
        ({"narratives": {"nato_aliances": True}}, "narratives", "Did you mean 'nato_alliances'"),
        ({"narratives": {"x": True, "y": None}}, "narratives", "unknown narrative 'y'"),
        (
            {"narratives": {"us_democracy": "declin"}},
            "narratives",
            "unknown sub-narrative 'declin' of 'us_democracy'. Did",
        ),
        ({"narratives": {"us_democracy": 1}}, "narratives", "must be a sub-narrative, true, false or null; not 1"),
        ({"narratives": ["us_democracy/decline", "us_democracy/other"]}, "narratives", "stands twice"),
        ({"narratives": [{"label": "us_democracy", "subs": "x"}]}, "narratives", "unknown key 'subs'"),
        ({"narratives": 5}, "narratives", "not 5"),
        ({"narratives": "{us}"}, "narratives", "not valid JSON"),
        (
            {"narratives": {"us_democracy": True}, "not_annotated": ["us_democracy"]},
            "not_annotated",
            "is carried and yet",
        ),
        ({"narratives": {"us_democracy": None}, "unsure": ["us_democracy"]}, "unsure", "unsure and yet not annotated"),
        ({"unsure": ["us_democracy"]}, "unsure", "unsure and yet not annotated"),
        ({"unsure": {"us_democracy": 1}}, "unsure", "must be a list of labels"),
        ({"narratives": {}, "unsure": "us"}, "unsure", "unknown narrative 'us'"),
        ({"narratives": {}, "stance": "asserts"}, "stance", "though no narrative is carried"),
        ({"narratives": {"us_democracy": True}, "stance": "none"}, "stance", "though narratives are carried"),
        ({"stance": "assert"}, "stance", "Did you mean 'asserts'"),
        ({"origin": "rusia"}, "origin", "Did you mean 'russia'"),
        ({"source": ["a"]}, "source", "must be text"),
        ({"text": " \n"}, "text", "the text is empty"),
        ({"text": None}, "text", "must be text"),
        ({"extra": {"id": "b"}}, "extra", "'id' is a column of its own"),
    ],
)
def test_every_fault_names_its_field(record: dict[str, Any], field: str, message: str) -> None:
    found = problem(**record)
    assert found[0] == field
    assert message in found[1]


def test_all_faults_come_at_once_with_their_places(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"p{i % 2}", "text": "words", "origin": "mars"}) for i in range(30)]
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join([*lines, "{", '{"id": "q"}']))
    with pytest.raises(CorpusError) as caught:
        Corpus.read(path)
    problems, message = caught.value.problems, str(caught.value)
    assert len(problems) == 30 + 28 + 2
    assert (problems[0].place, problems[0].field, problems[0].value) == ("bad.jsonl, line 1", "origin", "mars")
    assert "'p0' stands twice, first in bad.jsonl, line 1" in [p.message for p in problems]
    assert "not valid JSON" in problems[-2].message
    assert problems[-1].message.startswith("no 'text'")
    assert message.startswith("The corpus has 60 problems:\n  bad.jsonl, line 1: origin: unknown origin 'mars'.")
    assert "... and 40 more." in message
    assert message.count("\n") == 22


def test_sources_that_are_none() -> None:
    for source in ({"train": 1}, 5):
        with pytest.raises(InputTypeError, match="cannot be read from"):
            Corpus.read(source)
    with pytest.raises(CorpusError, match="must be a mapping of columns"):
        Corpus.read([5])


def test_defaults_and_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,body,unsure,stance,origin,note,narratives,date\nx,One.,,,,kept,none,2024\ny,Two.,,,,,,\n")
    first, second = Corpus.read([path], text_column="body")
    assert (first.id, first.group, first.text, first.narratives, first.date) == ("row-1", "row-1", "One.", {}, "2024")
    assert first.extra == {"note": "kept", "text_": "x"}
    assert (second.id, second.narratives, second.extra) == ("row-2", None, {"text_": "y"})
    assert (first.place, second.place) == ("a.csv, line 2", "a.csv, line 3")
    assert one(id=7).id == "7"
    assert Corpus.read([path, path], text_column="body")[3].id == "row-4"  # counted over all sources


def test_a_data_frame_is_read() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["One.", "Two."], "narratives": ["none", None], "n": [1.0, None]})
    corpus = Corpus.read(frame)
    assert [p.narratives for p in corpus] == [{}, None]
    assert corpus[1].extra == {}


# ------------------------------------------------------------------------------------------------------ round trips


@FIXTURES_OK
@given(corpora())
def test_round_trips_change_nothing(tmp_path: Path, corpus: Corpus) -> None:
    corpus.to_jsonl(tmp_path / "a.jsonl")
    first = Corpus.read(tmp_path / "a.jsonl")
    first.to_parquet(tmp_path / "a.parquet")
    second = Corpus.read(tmp_path / "a.parquet")
    second.to_jsonl(tmp_path / "b.jsonl")
    third = Corpus.read(tmp_path / "b.jsonl")
    assert corpus == first == second == third
    assert corpus.fingerprint == third.fingerprint
    assert Corpus.read(p.to_dict() for p in corpus) == corpus == Corpus.read(list(corpus))


@settings(deadline=None, max_examples=10)
@given(corpora())
def test_a_dataset_and_back(corpus: Corpus) -> None:
    pytest.importorskip("datasets")
    assert Corpus.read(corpus.to_dataset()) == corpus


def test_nulls_of_arrow_structs_mean_absent() -> None:
    datasets = pytest.importorskip("datasets")
    rows = [
        {"text": "One.", "narratives": {"us_democracy": "decline", "multipolarity": None}, "not_annotated": None},
        {
            "text": "Two.",
            "narratives": {"us_democracy": None, "multipolarity": None},
            "not_annotated": ["multipolarity"],
        },
        {"text": "Three.", "narratives": None, "not_annotated": None},
    ]
    first, second, third = Corpus.read(datasets.Dataset.from_list(rows))
    assert first.narratives == {"us_democracy": "decline"}
    assert first.not_annotated == frozenset()
    assert second.narratives == {}
    assert second.not_annotated == frozenset({"multipolarity"})
    assert third.narratives is None
    features = datasets.Features(
        {"text": datasets.Value("string"), "origin": datasets.ClassLabel(names=["china", "russia"])}
    )
    named = datasets.Dataset.from_dict({"text": ["One.", "Two."], "origin": [1, None]}, features=features)
    assert [p.origin for p in Corpus.read(named)] == ["russia", None]


# --------------------------------------------------------------------------------------------------------- sequence


@FIXTURES_OK
@given(corpora(), st.randoms())
def test_the_fingerprint_is_of_the_content(corpus: Corpus, random: Any) -> None:
    shuffled = list(corpus)
    random.shuffle(shuffled)
    assert Corpus(shuffled).fingerprint == corpus.fingerprint
    for change in ({"text": "other words entirely"}, {"stance": "made-up"}, {"id": "made-up"}):
        if len(corpus):
            changed = [dataclasses.replace(shuffled[0], **change), *shuffled[1:]]  # type: ignore[arg-type]
            assert Corpus(changed).fingerprint != corpus.fingerprint


def test_slices_and_filters() -> None:
    corpus = Corpus(
        Passage(f"p{i}", f"Text {i}.", split="train" if i < 7 else "dev", extra={"n": i}) for i in range(10)
    )
    assert isinstance(corpus[2:4], Corpus)
    assert [p.id for p in corpus[2:4]] == ["p2", "p3"]
    assert corpus[-1].id == "p9"
    assert corpus.texts[:1] == ["Text 0."]
    assert corpus.groups == [f"p{i}" for i in range(10)]
    assert len(corpus.filter(split="dev")) == 3
    assert len(corpus.filter(split={"dev", "train"}, n=(1, 2))) == 2
    assert [p.id for p in corpus.filter(lambda p: p.id > "p7", split="dev")] == ["p8", "p9"]
    with pytest.raises(InputError, match=r"no field 'splt'.*Did you mean 'split'"):
        corpus.filter(splt="dev")
    with pytest.raises(InputTypeError, match="cannot be called"):
        corpus.filter("dev")  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- arrays


@settings(deadline=None)
@given(corpora(), st.none() | st.floats(0, 1, width=32))
def test_arrays_say_what_the_passages_say(corpus: Corpus, soft: float | None) -> None:
    arrays = corpus.label_arrays(unsure_target=soft)
    assert isinstance(arrays, LabelArrays)
    assert arrays.narratives.dtype == np.float32
    for row, passage in enumerate(corpus):
        for column, label in enumerate(LABELS):
            assert arrays.narrative_mask[row, column] == passage.annotated(label)
            assert arrays.unsure[row, column] == (label in passage.unsure)
            target = 1.0 if soft is None or label not in passage.unsure else soft
            assert arrays.narratives[row, column] == (target if passage.carries(label) else 0.0)
            sub = (passage.narratives or {}).get(label)
            at = arrays.subs[row, column]
            assert at == -1 if sub is None else SCHEMA.sub_labels(label)[at] == sub
        for name, labels in (("stance", SCHEMA.stance_labels), ("origin", SCHEMA.origin_labels)):
            value, at = getattr(passage, name), getattr(arrays, name)[row]
            assert at == -1 if value in (None, "none") else labels[at] == value


def test_arrays_refuse_what_they_do_not_know() -> None:
    with pytest.raises(InputError, match=r"unsure_target is 1.5"):
        Corpus([]).label_arrays(1.5)
    with pytest.raises(SchemaError, match=r"no narrative 'us'"):
        Corpus([Passage("a", "Text.", {"us": None})]).label_arrays()


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys; from fimi_nlp.data import Corpus; Corpus.read([{'text': 'Some words.'}]).fingerprint\n"
        "print([m for m in ('numpy', 'pyarrow', 'datasets', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
