"""Label schemas: reading, round trips, and errors that point at the mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import fimi_nlp as fn
from fimi_nlp.errors import SchemaError

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = """
version = 1
name = "mine"
[[narratives]]
label = "climate_hoax"
definition = "Warming is a hoax."
subs = [{ label = "costs" }]
"""


def test_the_default_schema_has_the_labels_of_the_codebook() -> None:
    schema = fn.LabelSchema.default()
    assert schema.narrative_labels == ("us_democracy", "nato_alliances", "multipolarity", "western_hypocrisy")
    assert schema.stance_labels == ("asserts", "relays", "counters")
    assert schema.origin_labels == ("russia", "china", "other")
    assert [len(label.subs) for label in schema.narratives] == [5, 5, 5, 5]
    assert all(label.definition and label.guidance for label in schema.narratives)
    assert all(sub.definition for label in schema.narratives for sub in label.subs)


def test_a_schema_survives_a_round_trip() -> None:
    schema = fn.LabelSchema.default()
    assert fn.LabelSchema.from_dict(schema.to_dict()) == schema


def test_users_write_their_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    schema = fn.LabelSchema.from_toml(path)
    assert schema.sub_labels("climate_hoax") == ("costs", "other")
    assert schema.origin_labels == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "definition",
            "definitoin",
            "line 6: unknown key 'definitoin' in narratives 'climate_hoax'. Did you mean 'def",
        ),
        ("version = 1", "version = 9", "line 2: 'version' is 9. This release reads version 1."),
        ('"climate_hoax"', '"Climate hoax"', "line 5: 'label' in narratives is 'Climate hoax'. A label is lower case"),
        ('label = "costs"', 'label = "other"', "label 'other' is implied in climate_hoax.subs"),
        ('name = "mine"', "name = 3", "'name' of the schema must be a string"),
        ('name = "mine"', "", "'name' is missing"),
        ("[[narratives]]", "[[narrative]]", "unknown key 'narrative' in the schema. Did you mean 'narratives'?"),
        ("[[narratives]]", "[narratives]", "'narratives' must be a list of tables"),
        ("version = 1", "version = ", "not valid TOML"),
    ],
)
def test_mistakes_are_named_with_line_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace(old, new, 1))
    with pytest.raises(SchemaError) as caught:
        fn.LabelSchema.from_toml(path)
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_labels_of_different_heads_must_differ(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + '[[origins]]\nlabel = "climate_hoax"\n')
    with pytest.raises(SchemaError, match="'climate_hoax' stands both in narratives and in origins"):
        fn.LabelSchema.from_toml(path)


def test_an_unknown_label_gets_a_hint() -> None:
    with pytest.raises(SchemaError, match="Did you mean 'nato_alliances'"):
        fn.LabelSchema.default().sub_labels("nato_aliances")
