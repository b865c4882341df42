"""Label Studio and Argilla: what goes out comes back, and answers of annotators are read as they are meant."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from files import FIXTURES_OK
from hypothesis import given
from test_data import corpora

from fimi_nlp.data import (
    Corpus,
    Passage,
    argilla_settings,
    from_argilla,
    from_label_studio,
    label_studio_config,
    to_argilla,
    to_label_studio,
)
from fimi_nlp.errors import CorpusError, InputError, SchemaError
from fimi_nlp.schema import Label, LabelSchema

if TYPE_CHECKING:
    from pathlib import Path

US, NATO = "us_democracy", "nato_alliances"
SCHEMA = LabelSchema.default()
TOOLS = {"label-studio": (to_label_studio, from_label_studio), "argilla": (to_argilla, from_argilla)}
each_tool = pytest.mark.parametrize("tool", TOOLS)
ODD = 'a <b> & "c"\n$d \u2028 \x0b'


@each_tool
@given(corpus=corpora())
@FIXTURES_OK
def test_everything_comes_back(tmp_path: Path, tool: str, corpus: Corpus) -> None:
    write, read = TOOLS[tool]
    write(corpus, tmp_path / "out.json")
    assert read(tmp_path / "out.json") == corpus
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@each_tool
def test_the_hard_cases_come_back(tmp_path: Path, tool: str) -> None:
    write, read = TOOLS[tool]
    extra = {"extra": {"a": 1}, "flag": True, "big": 2**80, "n": 1.5, "list": [1, None], "ref": ODD}
    corpus = Corpus(
        [
            Passage("nothing annotated", "One."),
            Passage("carries none", "Two.", {}, stance="none"),
            Passage("one open", "Three.", {}, frozenset({US, NATO})),
            Passage("no sub", "Four.", {US: None, NATO: "vassals"}, unsure=frozenset({US}), stance="relays"),
            Passage("stance alone", "Five.", None, stance="counters"),
            Passage(ODD, ODD, {US: "other"}, source=ODD, group="g", date="2024-01-01", origin="other", extra=extra),
            Passage("surrogate", "half \ud83d", {}),
        ]
    )
    write(corpus, tmp_path / "out.json")
    assert read(tmp_path / "out.json") == corpus


@each_tool
@pytest.mark.parametrize("labels", ["suggestions", "none"])
def test_blind_and_suggested_exports_are_not_annotations(tmp_path: Path, tool: str, labels: str) -> None:
    write, read = TOOLS[tool]
    write(Corpus([Passage("a", "Text.", {US: "decline"}, stance="asserts")]), tmp_path / "out.json", labels=labels)
    (passage,) = read(tmp_path / "out.json")
    assert (passage.id, passage.narratives, passage.stance) == ("a", None, None)
    shown = (tmp_path / "out.json").read_text()
    assert ("decline" in shown) == (labels == "suggestions")
    with pytest.raises(InputError, match="Did you mean 'suggestions'"):
        write(Corpus([]), tmp_path / "out.json", labels="suggestion")


def task(identifier: str, *notes: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"text": f"Text of {identifier}.", "passage_id": identifier, **data}, "annotations": notes}


def note(by: Any, answers: dict[str, Any], *, cancelled: bool = False) -> dict[str, Any]:
    result = [
        {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": chosen}}
        for name, chosen in answers.items()
    ]
    return {"completed_by": by, "was_cancelled": cancelled, "result": result}


def put_json(folder: Path, data: Any) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps(data))
    return path


def test_label_studio_answers(tmp_path: Path) -> None:
    comment = {"from_name": "comment", "to_name": "text", "type": "textarea", "value": {"text": ["not clear"]}}
    who = {"id": 3, "email": "a@example.org"}
    first = note(who, {"narratives": [US, NATO], "sub_us_democracy": ["decline"], "unsure": [NATO]})
    first["result"].append(comment)
    tasks = [
        task("a", first, note(4, {"narratives": ["none"], "stance": ["none"]})),
        task("b", note(4, {"narratives": [US]}, cancelled=True), shelf="top", meta={"source": "s", "extra": {"n": 1}}),
        {"id": 9, "data": {"text": "From elsewhere.", "source": "web"}, "annotations": []},
    ]
    path = put_json(tmp_path, tasks)
    for annotator in (3, "3", "a@example.org"):
        a, b, c = from_label_studio(path, annotator=annotator)
        assert a.narratives == {US: "decline", NATO: None}
        assert a.unsure == frozenset({NATO})
        assert a.extra == {"comment": ["not clear"]}
    assert (b.narratives, b.source, dict(b.extra)) == (None, "s", {"shelf": "top", "n": 1})
    assert (c.id, c.source) == ("9", "web")
    other = from_label_studio(path, annotator=4)
    assert (other[0].narratives, other[0].stance) == ({}, "none")
    with pytest.raises(CorpusError, match=r"export.json, task 1: annotator: 2 annotators answered \(3, 4\)"):
        from_label_studio(path)
    with pytest.raises(InputError, match=r"nothing by annotator '5'. Known: 3, 4"):
        from_label_studio(path, annotator="5")


def test_argilla_answers(tmp_path: Path) -> None:
    items = [
        {
            "id": "a",
            "fields": {"text": "Text.", "title": "Headline"},
            "metadata": {"source": "web", "n": 3},
            "suggestions": {"stance": {"value": "asserts", "score": None, "agent": "m"}},
            "responses": {
                "narratives": [{"value": [US], "user_id": "u1"}, {"value": ["none"], "user_id": "u2"}],
                "sub_us_democracy": [{"value": "division", "user_id": "u1"}],
                "comment": [{"value": "not clear", "user_id": "u1"}],
                "stance": [{"value": "relays", "user_id": "u3", "status": "discarded"}],
            },
        }
    ]
    path = put_json(tmp_path, items)
    (passage,) = from_argilla(path, annotator="u1")
    assert (passage.narratives, passage.stance, passage.source) == ({US: "division"}, None, "web")
    assert dict(passage.extra) == {"title": "Headline", "n": 3, "comment": "not clear"}
    assert from_argilla(path, annotator="u2")[0].narratives == {}
    with pytest.raises(CorpusError, match=r"record 1: annotator: 2 annotators answered \(u1, u2\)"):
        from_argilla(path)
    with pytest.raises(InputError, match="nothing by annotator 'u3'"):
        from_argilla(path, annotator="u3")


@pytest.mark.parametrize(
    ("answers", "field", "message"),
    [
        ({"narratives": ["us_democrasy"]}, "narratives", "Did you mean 'us_democracy'"),
        ({"narratives": ["none", US]}, "narratives", f"'none' is chosen together with {US}"),
        ({"narratives": [NATO], "sub_us_democracy": ["decline"]}, "sub_us_democracy", f"not the narrative '{US}'"),
        ({"narratives": [US], "sub_us_democracy": ["decline", "other"]}, "sub_us_democracy", "one answer is wanted"),
        ({"narratives": [US], "sub_us_democracy": ["vassals"]}, "narratives", "unknown sub-narrative 'vassals'"),
        ({"narratives": ["none"], "stance": ["asserts"]}, "stance", "no narrative is carried"),
        ({"narratives": [5]}, "narratives", "must be a label"),
        ({"narratives": [US], "not_annotated": [US]}, "not_annotated", "carried and yet not annotated"),
    ],
)
def test_contradictions_are_named_with_their_place(
    tmp_path: Path, answers: dict[str, list[Any]], field: str, message: str
) -> None:
    tasks = put_json(tmp_path, [task("fine"), task("a", note(1, answers))])
    with pytest.raises(CorpusError) as caught:
        from_label_studio(tasks)
    (problem,) = caught.value.problems
    assert (problem.place, problem.field) == ("export.json, task 2", field)
    assert message in problem.message
    responses = {name: [{"value": chosen, "user_id": "u"}] for name, chosen in answers.items()}
    items = put_json(tmp_path, [{"id": "a", "fields": {"text": "Text."}, "responses": responses}])
    with pytest.raises(CorpusError) as caught:
        from_argilla(items)
    assert [(p.place, p.field) for p in caught.value.problems] == [("export.json, record 1", field)]


@each_tool
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "export.json, line 1, column 2: not valid JSON"),
        (b"{}", "holds dict and no list"),
        (b'["\xff"]', "not UTF-8"),
        (b"[3]", "1: "),
        (b'[{"data": {"passage_id": "a"}, "fields": {"title": "b"}}]', "text: missing"),
    ],
)
def test_files_that_are_no_export(tmp_path: Path, tool: str, content: bytes, message: str) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises((InputError, CorpusError), match=message):
        TOOLS[tool][1](path)
    with pytest.raises(InputError, match="cannot be read"):
        TOOLS[tool][1](tmp_path / "missing.json")


def test_the_text_may_have_another_key(tmp_path: Path) -> None:
    path = put_json(tmp_path, [{"id": 1, "data": {"body": "Text.", "text": "Headline"}}])
    (passage,) = from_label_studio(path, text_key="body")
    assert (passage.text, dict(passage.extra)) == ("Text.", {"text_": "Headline"})
    assert 'value="$body"' in label_studio_config(SCHEMA, "body")


def test_the_label_studio_configuration() -> None:
    odd = Label("odd", ODD, ODD, subs=(Label("one", "<One>"),))
    schema = LabelSchema("odd", (odd, Label("plain")), stances=(Label("asserts"),))
    root = ET.fromstring(label_studio_config(schema))
    controls = {element.attrib["name"]: element for element in root.iter("Choices")}
    assert list(controls) == ["narratives", "sub_odd", "stance", "unsure", "not_annotated"]
    values = {name: [choice.attrib["value"] for choice in element] for name, element in controls.items()}
    assert values["narratives"] == ["odd", "plain", "none"]
    assert values["sub_odd"] == ["one", "other"]
    assert values["stance"] == ["asserts", "none"]
    assert controls["narratives"][0].attrib["hint"] == 'a <b> & "c" $d : a <b> & "c" $d'
    assert {controls[name].attrib["choice"] for name in ("narratives", "unsure")} == {"multiple"}
    (view,) = (element for element in root.iter("View") if "visibleWhen" in element.attrib)
    assert view.attrib["whenChoiceValue"] == "odd"
    assert controls["sub_odd"] in list(view)


def test_the_argilla_settings() -> None:
    settings = json.loads(json.dumps(argilla_settings(SCHEMA)))
    asked = {question["name"]: question for question in settings["questions"]}
    assert [name for name, question in asked.items() if question["required"]] == ["narratives"]
    assert asked["narratives"]["settings"]["type"] == "multi_label_selection"
    assert asked["stance"]["settings"]["type"] == asked[f"sub_{US}"]["settings"]["type"] == "label_selection"
    assert [option["value"] for option in asked["stance"]["settings"]["options"]] == [*SCHEMA.stance_labels, "none"]
    assert settings["fields"][0]["name"] == "text"
    assert SCHEMA.guidance in settings["guidelines"]


def test_a_narrative_called_none_cannot_be_asked_for() -> None:
    with pytest.raises(SchemaError, match="'none'"):
        label_studio_config(LabelSchema("x", (Label("none"),)))
