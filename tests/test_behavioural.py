"""The behavioural suite: that it is what it says, and that its runner judges as it should."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import Suite
from fimi_nlp.evaluation.behavioural import Case, Function
from fimi_nlp.types import Reason, Score, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import fimi_nlp as fn

NATO, WEST = "nato_alliances", "western_hypocrisy"


def _tag(*labels: str, stance: str | None = None, origin: str | None = None, p: float = 0.9) -> Tag:
    scores = {label: (p if label in labels else 0.1) for label in (NATO, WEST, "us_democracy", "multipolarity")}
    return Tag(
        narratives=tuple(Score(label, p, 0.5) for label in labels),
        stance=Score(stance, 0.9, 0.0) if stance else None,
        origin=Score(origin, 0.9, 0.0) if origin else None,
        confidence=0.9,
        scores=scores,
        reason=Reason.OK,
        evidence=(),
        windows=1,
        language="en",
        model="fake@1",
    )


class _Fake:
    """Answers with the tags given, whatever the texts."""

    def __init__(self, *tags: Tag) -> None:
        self.tags = tags

    def tag_many(self, texts: Sequence[str]) -> list[Tag]:
        assert len(texts) == len(self.tags)
        return list(self.tags)


def _suite(test: str, *cases: Case, name: str = "f") -> Suite:
    return Suite([Function(name, "A test.", test)], cases)


def _case(number: int, *expect: str, group: str = "", name: str = "f", **more: object) -> Case:
    return Case(f"c{number}", name, group or f"g{number}", f"Text {number}.", expect, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "tag", "passes"),
    [
        (_case(1, NATO), _tag(NATO), True),
        (_case(1, NATO), _tag(), False),
        (_case(1, NATO), _tag(NATO, WEST), False),
        (_case(1, NATO, allow=(WEST,)), _tag(NATO, WEST), True),
        (_case(1), _tag(), True),
        (_case(1), _tag(WEST), False),
        (_case(1, NATO, stance="counters"), _tag(NATO, stance="counters"), True),
        (_case(1, NATO, stance="counters"), _tag(NATO, stance="asserts"), False),
    ],
)
def test_expectations(case: Case, tag: Tag, passes: bool) -> None:
    report = _suite("expect", case).run(_Fake(tag))
    assert (report.functions[0].n, report.functions[0].passed) == (1, int(passes))
    assert [failure.id for failure in report.failures] == ([] if passes else ["c1"])


def test_a_domestic_critic_is_not_read_as_foreign() -> None:
    case = _case(1, "us_democracy", name="domestic_left")
    suite = _suite("expect", case, name="domestic_left")
    assert suite.run(_Fake(_tag("us_democracy", origin="other"))).rate.value == 1
    assert suite.run(_Fake(_tag("us_democracy"))).rate.value == 1
    failed = suite.run(_Fake(_tag("us_democracy", origin="russia")))
    assert failed.rate.value == 0
    assert failed.failures[0].got == "origin russia"


def test_invariance_compares_with_the_first_of_the_group() -> None:
    cases = [_case(1, NATO, group="a"), _case(2, NATO, group="a"), _case(3, NATO, group="a")]
    report = _suite("same", *cases).run(_Fake(_tag(), _tag(), _tag(NATO)))
    # The base is wrong, but that is not what is tested here.
    assert (report.functions[0].n, report.functions[0].passed) == (2, 1)
    assert report.failures[0].id == "c3"


def test_direction() -> None:
    cases = [_case(1, NATO, group="a"), _case(2, group="a")]
    suite = _suite("lower", *cases)
    assert suite.run(_Fake(_tag(NATO), _tag())).rate.value == 1
    assert suite.run(_Fake(_tag(NATO, p=0.5), _tag(NATO, p=0.45))).rate.value == 0


def test_a_suite_of_ones_own_is_checked(tmp_path: Path) -> None:
    (tmp_path / "functions.toml").write_text('[f]\nwhat = "A test."\ntest = "expect"\n')
    with pytest.raises(InputError, match=r"cases\.jsonl: no such file"):
        Suite.read(tmp_path)
    good = {"id": "a", "function": "f", "group": "g", "text": "Text.", "expect": [NATO]}
    (tmp_path / "cases.jsonl").write_text(json.dumps(good) + "\n")
    assert Suite.read(tmp_path).cases[0].expect == (NATO,)
    for change, message in (
        ({"function": "ff"}, r"cases\.jsonl:1: unknown function 'ff'.*'f'"),
        ({"expect": ["nato_aliances"]}, r"unknown label 'nato_aliances'.*nato_alliances"),
        ({"text": None, "id": None, "function": 3}, "unknown function"),
    ):
        (tmp_path / "cases.jsonl").write_text(json.dumps(good | change) + "\n")
        with pytest.raises(InputError, match=message):
            Suite.read(tmp_path)
    (tmp_path / "functions.toml").write_text('[f]\nwhat = "A test."\ntest = "guess"\n')
    with pytest.raises(InputError, match="one of expect, same, lower"):
        Suite.read(tmp_path)


def test_the_shipped_suite() -> None:
    suite = Suite.read()
    assert len(suite.functions) >= 40
    assert len(suite.cases) >= 1500
    counts = Counter(case.function for case in suite.cases)
    assert min(counts[function.name] for function in suite.functions) >= 20
    texts = [case.text for case in suite.cases]
    assert len(set(texts)) == len(texts)
    tests = {function.name: function.test for function in suite.functions}
    sizes = Counter(case.group for case in suite.cases)
    assert all(sizes[case.group] >= 2 for case in suite.cases if tests[case.function] != "expect")
    assert all((case.stance is None) == (not case.expect) for case in suite.cases)


def test_the_bundled_model_on_the_shipped_suite(tagger: fn.Tagger) -> None:
    """The floor is what any release must reach; what the shipped model does reach is in its card."""
    report = Suite.read().run(tagger)
    assert report.rate.value > 0.79
    assert report.to_dict()["cases"] == sum(row.n for row in report.functions)
    assert "| `negation` |" in report.to_markdown()
