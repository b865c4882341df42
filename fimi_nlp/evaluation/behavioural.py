"""The behavioural suite: what a reader does without thinking, one function at a time.

In the manner of HateCheck (Röttger et al. 2021) and CheckList (Ribeiro et al. 2020), a function tests one thing, say
a quoted claim, a budget debate or a typing error, on short texts written for the purpose, and its pass rate says
whether a model can be trusted with it. ``cases.jsonl`` holds the cases and ``functions.toml`` what each function is.

>>> from fimi_nlp.evaluation import Suite
>>> len(Suite.read().functions) >= 40
True
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp._toml import read_toml
from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.evaluation.bootstrap import wilson
from fimi_nlp.evaluation.suite_report import Failure, FunctionScore, SuiteReport
from fimi_nlp.schema import LabelSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fimi_nlp.evaluation.predictions import TagsMany
    from fimi_nlp.types import Tag

#: How far the probability must fall in a case of a ``lower`` function.
FALL = 0.1
TESTS = ("expect", "same", "lower")


@dataclass(frozen=True, slots=True)
class Function:
    """What one function tests.

    Attributes
    ----------
    name, what : str
        Its name, and a sentence on it.
    test : {"expect", "same", "lower"}
        See ``functions.toml``.
    fair : bool
        Whether it protects people: domestic critics, reporters, debunkers, neutrals, authors of any nation.
    """

    name: str
    what: str
    test: str
    fair: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One text and what is expected of it.

    Attributes
    ----------
    id, function, group, text : str
        The first case of a group is what the others are compared with. A case without a group is one by itself.
    expect : tuple of str
        Narratives that it carries; where the file does not say it, those that have a sub.
    allow : tuple of str
        Narratives that a fair reader might add; naming them is no fault.
    stance : str or None
        Where it carries one.
    subs : mapping of str to str
        Sub-narrative of each narrative, for reference; not tested.
    """

    id: str
    function: str
    group: str
    text: str
    expect: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    stance: str | None = None
    subs: Mapping[str, str] = field(default_factory=dict, hash=False)


class Suite:
    """Functions and their cases.

    Parameters
    ----------
    functions : iterable of Function
        What is tested.
    cases : iterable of Case
        The texts, in the order of their groups.
    schema : LabelSchema, optional
        Whose labels the cases use; by default the four shared narratives.
    """

    def __init__(self, functions: Iterable[Function], cases: Iterable[Case], schema: LabelSchema | None = None) -> None:
        self.functions = tuple(functions)
        self.cases = tuple(cases)
        self.schema = LabelSchema.default() if schema is None else schema

    @classmethod
    def read(cls, folder: str | Path | None = None, *, schema: LabelSchema | None = None) -> Suite:
        """Read a suite from a folder with ``functions.toml`` and ``cases.jsonl``; by default the one shipped.

        Raises
        ------
        InputError
            A file is missing or a case is not right; the message says where.
        """
        place = _shipped() if folder is None else Path(folder)
        schema = LabelSchema.default() if schema is None else schema
        table = read_toml(place / "functions.toml", InputError)
        functions = [_function(name, entry, place / "functions.toml") for name, entry in table.items()]
        known = {function.name for function in functions}
        path = place / "cases.jsonl"
        if not path.is_file():
            raise InputError(f"{path}: no such file.", remedy="A suite needs functions.toml and cases.jsonl.")
        cases = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                cases.append(_case(line, f"{path}:{number}", known, schema))
        return cls(functions, cases, schema)

    def run(self, tagger: TagsMany) -> SuiteReport:
        """Tag the cases and judge the tags.

        Parameters
        ----------
        tagger : object with ``tag_many``
            Any model; it sees the texts alone.
        """
        return self.judge(tagger.tag_many([case.text for case in self.cases]))

    def judge(self, tags: Sequence[Tag]) -> SuiteReport:
        """Judge tags that are at hand, one for each case, in order."""
        if len(tags) != len(self.cases):
            raise InputError(f"The tagger gave {len(tags)} tags for {len(self.cases)} texts.")
        first: dict[str, int] = {}
        for index, case in enumerate(self.cases):
            first.setdefault(case.group, index)
        rows: dict[str, list[bool]] = {function.name: [] for function in self.functions}
        failures = []
        tests = {function.name: function.test for function in self.functions}
        for index, (case, tag) in enumerate(zip(self.cases, tags, strict=True)):
            base = first[case.group]
            test = tests[case.function]
            if test != "expect" and base == index:
                continue
            verdict = _judge(test, case, tag, self.cases[base], tags[base])
            rows[case.function].append(verdict is None)
            if verdict is not None:
                failures.append(Failure(case.id, case.function, case.text, *verdict))
        scores = [_score(function, rows[function.name]) for function in self.functions if rows[function.name]]
        everything = [passed for part in rows.values() for passed in part]
        return SuiteReport(
            tuple(sorted(scores, key=lambda row: (row.rate.value, row.name))),
            tuple(failures),
            wilson(sum(everything), len(everything)),
        )


def _score(function: Function, passed: Sequence[bool]) -> FunctionScore:
    rate = wilson(sum(passed), len(passed))
    return FunctionScore(function.name, function.test, function.fair, len(passed), sum(passed), rate)


def _judge(test: str, case: Case, tag: Tag, base: Case, base_tag: Tag) -> tuple[str, str] | None:
    """What was wanted and what came instead; ``None`` where the case passes."""
    named = {score.label for score in tag.narratives}
    if test == "same":
        wanted = {score.label for score in base_tag.narratives}
        return None if named == wanted else (f"as for {base.id}: {_shown(wanted)}", _shown(named))
    if test == "lower":
        label = next(iter(base.expect))
        before, after = base_tag.scores.get(label, 0.0), tag.scores.get(label, 0.0)
        fine = before - after >= FALL
        return None if fine else (f"{label} below {before - FALL:.2f}", f"{after:.2f}")
    if not set(case.expect) <= named or not named <= {*case.expect, *case.allow}:
        return _shown(case.expect), _shown(named)
    stance = tag.stance.label if tag.stance else None
    if case.stance and stance != case.stance:
        return f"{_shown(named)}, {case.stance}", f"{_shown(named)}, {stance}"
    origin = tag.origin.label if tag.origin else None
    if case.function.startswith("domestic_") and origin in {"russia", "china"}:
        return "origin other, or none", f"origin {origin}"
    return None


def _shown(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels)) or "no narrative"


def _shipped() -> Path:
    """The suite in the wheel, or in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "suites" / "behavioural", package.parent / "tests" / "behavioural"):
        if (folder / "cases.jsonl").is_file():
            return folder
    raise InputError("The behavioural suite is not installed.", remedy="Give the folder of a suite.")


def _function(name: str, entry: Any, path: Path) -> Function:
    if not isinstance(entry, dict) or entry.get("test") not in TESTS or not entry.get("what"):
        raise InputError(f"{path}: [{name}] needs 'what', and 'test' as one of {', '.join(TESTS)}.")
    return Function(name, str(entry["what"]), str(entry["test"]), bool(entry.get("fair", False)))


def _case(line: str, place: str, functions: set[str], schema: LabelSchema) -> Case:
    try:
        data = json.loads(line)
        case = Case(
            id=data["id"],
            function=data["function"],
            group=data.get("group", data["id"]),
            text=data["text"],
            expect=tuple(data.get("expect", data.get("subs", ()))),
            allow=tuple(data.get("allow", ())),
            stance=data.get("stance"),
            subs=data.get("subs", {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{place}: not a case: {error!r}.", remedy="It needs id, function, text.") from None
    if case.function not in functions:
        raise InputError(f"{place}: unknown function '{case.function}'.", remedy=did_you_mean(case.function, functions))
    for label in (*case.expect, *case.allow):
        if label not in schema.narrative_labels:
            raise InputError(f"{place}: unknown label '{label}'.", remedy=did_you_mean(label, schema.narrative_labels))
    return case
