"""Predictions from tags, and whole reports of taggers whose scores are known."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from fimi_nlp.data import Corpus, Passage
from fimi_nlp.errors import InputError, SchemaError
from fimi_nlp.evaluation import Predictions, Report, evaluate, predict, score
from fimi_nlp.evaluation.bootstrap import wilson
from fimi_nlp.schema import Label, LabelSchema
from fimi_nlp.types import Reason, Score, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SCHEMA = LabelSchema(
    name="weather",
    narratives=(
        Label("rain", subs=(Label("drizzle"), Label("storm"))),
        Label("sun"),
        Label("snow"),
    ),
    stances=(Label("asserts"), Label("relays")),
    origins=(Label("coast"), Label("hills")),
)


def passage(number: int, narratives: dict[str, str | None] | None, **fields: Any) -> Passage:
    fields.setdefault("stance", None if narratives is None else "asserts" if narratives else "none")
    return Passage(f"p{number}", f"Weather note number {number}.", narratives, **fields)


def corpus() -> Corpus:
    """Six passages; snow is never carried."""
    return Corpus(
        [
            passage(0, {"rain": "storm"}, origin="coast", source="bay", group="a", date="2024-05-01"),
            passage(1, {"rain": "drizzle", "sun": None}, origin="hills", source="peak", group="b", stance="relays"),
            passage(2, {"sun": None}, origin="coast", source="bay", group="a", unsure=frozenset({"sun"})),
            passage(3, {}, origin="coast", source="bay", group="c"),
            passage(4, {}, origin=None, source="peak", group="d"),
            passage(5, {}, origin="hills", source="peak", group="d", not_annotated=frozenset({"snow"})),
        ],
        SCHEMA,
    )


class Fixed:
    """Says what a function of the passage's number tells it to."""

    def __init__(self, say: Callable[[int], Tag]) -> None:
        self.say = say

    def tag_many(self, texts: Sequence[str]) -> list[Tag]:
        return [self.say(int(text.split()[-1].rstrip("."))) for text in texts]


def tag(
    narratives: dict[str, str | None],
    *,
    stance: str | None = None,
    origin: str | None = None,
    confidence: float = 0.75,
    threshold: float = 0.5,
) -> Tag:
    scores = {label: 1.0 if label in narratives else 0.0 for label in SCHEMA.narrative_labels}
    scores |= dict.fromkeys((*SCHEMA.stance_labels, *SCHEMA.origin_labels), 0.5)
    return Tag(
        narratives=tuple(Score(label, 1.0, threshold, sub) for label, sub in narratives.items()),
        stance=Score(stance, 0.5) if stance else None,
        origin=Score(origin, 0.5) if origin else None,
        confidence=confidence,
        scores=scores,
        windows=1,
    )


def perfect() -> Fixed:
    known = corpus()

    def say(i: int) -> Tag:
        gold = known[i]
        stance = None if gold.stance == "none" else gold.stance
        return tag(dict(gold.narratives or {}), stance=stance, origin=gold.origin, confidence=1.0)

    return Fixed(say)


# --- predictions -----------------------------------------------------------------------------------------------------


def test_predictions_hold_what_the_tags_say() -> None:
    said = {
        0: tag({"rain": "storm"}, stance="asserts", origin="hills", threshold=0.3),
        1: tag({"rain": None, "sun": None}, stance="relays", threshold=0.3),
        2: Tag(reason=Reason.LANGUAGE),
    }
    p = predict(Fixed(lambda i: said.get(i, tag({}))), corpus())
    assert p.named[:3].tolist() == [[True, False, False], [True, True, False], [False, False, False]]
    assert p.subs[:2].tolist() == [[1, -1, -1], [-1, -1, -1]]
    assert p.stance[:3].tolist() == [0, 1, -1]
    assert p.origin[:3].tolist() == [1, -1, -1]
    assert p.read.tolist() == [True, True, False, True, True, True]
    assert p.probabilities[2].tolist() == [0, 0, 0]
    assert p.thresholds[:2].tolist() == [0.3, 0.3]
    assert math.isnan(p.thresholds[2])
    assert p.stance_probabilities is not None
    assert p.stance_probabilities[0].tolist() == [0.5, 0.5]
    part = p.take(p.read)
    assert len(part) == 5
    assert part.thresholds is p.thresholds


def test_taggers_with_narratives_alone_are_welcome() -> None:
    plain = dataclasses.replace(tag({}), scores=dict.fromkeys(SCHEMA.narrative_labels, 0.1))
    p = predict(Fixed(lambda i: plain), corpus())
    assert p.stance_probabilities is None
    assert p.origin_probabilities is None


def test_taggers_that_do_not_fit_are_refused() -> None:
    class Short:
        def tag_many(self, texts: Sequence[str]) -> list[Tag]:
            return [tag({})]

    with pytest.raises(InputError, match="1 answers for 6 texts"):
        predict(Short(), corpus())
    with pytest.raises(SchemaError, match=r"'rein'.*Did you mean 'rain'"):
        predict(Fixed(lambda i: tag({"rein": None})), corpus())
    with pytest.raises(SchemaError, match="no score for 'rain'"):
        predict(Fixed(lambda i: Tag(scores={"sun": 0.1})), corpus())


def test_progress_is_passed_on_only_where_asked() -> None:
    class Chatty(Fixed):
        seen: bool | None = None

        def tag_many(self, texts: Sequence[str], *, progress: bool = False) -> list[Tag]:
            self.seen = progress
            return super().tag_many(texts)

    tagger = Chatty(lambda i: tag({}))
    evaluate(tagger, corpus(), progress=True)
    assert tagger.seen is True


# --- reports ---------------------------------------------------------------------------------------------------------


def test_a_perfect_tagger() -> None:
    report = evaluate(perfect(), corpus(), slices=("source", "kind", "year"))
    assert report.macro_f1 == 1.0
    assert report.narratives.left_out == 1  # snow is neither carried nor named
    scores = report.narratives
    assert scores.micro_f1.value == scores.samples_f1.value == scores.subset_accuracy.value == 1.0
    assert report.narratives.macro_average_precision.value == 1.0
    assert report.narratives.macro_ece == 0.0
    assert [row.rate.value for row in report.false_alarms if row.n] == [0.0] * 3
    assert report.stance is not None
    assert report.stance.macro_f1.value == 1.0
    assert report.origin is not None
    assert report.origin.macro_f1.value == report.origin.coverage == 1.0
    assert report.subs is not None
    assert (report.subs.n, report.subs.accuracy) == (2, 1.0)
    assert report.subs.left_out == len(SCHEMA.sub_labels("rain")) - 2
    assert (report.confidence.ece, report.confidence.aurc, report.not_read) == (0.0, 0.0, 0.0)


def test_a_tagger_that_always_says_the_same() -> None:
    always = tag({"rain": "storm", "snow": None}, stance="asserts", origin="coast", confidence=0.5)
    report = evaluate(Fixed(lambda i: always), corpus())
    rain, sun, snow = report.labels
    assert (rain.support, rain.predicted, rain.precision.value, rain.recall.value) == pytest.approx((2, 6, 1 / 3, 1.0))
    assert (sun.f1.value, sun.precision.value, sun.support) == (0.0, 0.0, 2)
    # Nobody's snow, named on all the five passages annotated for it.
    assert (snow.f1.value, snow.support, snow.predicted, snow.annotated) == (0.0, 0, 5, 5)
    assert report.macro_f1 == pytest.approx((0.5 + 0 + 0) / 3)
    assert report.narratives.left_out == 0
    # Passage 5 is not annotated throughout, so it is not known to carry nothing.
    assert {row.origin: row.n for row in report.false_alarms} == {"all": 2, "coast": 1, "hills": 0, "unknown": 1}
    assert report.false_alarms[0].rate == wilson(2, 2)  # all of them, from two groups
    assert report.stance is not None
    assert report.stance.matrix == ((2, 0, 0), (1, 0, 0))
    assert report.stance.macro_f1.value == pytest.approx(0.8 / 2)
    assert report.origin is not None
    assert (report.origin.n, report.origin.coverage, report.origin.accuracy) == pytest.approx((5, 1.0, 3 / 5))
    assert report.subs is not None
    assert (report.subs.accuracy, report.subs.answered) == (0.5, 2)
    # Known to be wrong wherever the cells named are annotated: passages 0 to 4.
    assert (report.confidence.n, report.confidence.accuracy, report.confidence.ece) == (5, 0.0, 0.5)
    assert report.confidence.aurc == 1.0


def test_a_stance_is_judged_with_and_without_the_missed_narratives() -> None:
    def answer(i: int) -> Tag:
        return tag({"rain": "storm"}, stance="asserts") if i == 0 else tag({})

    found = evaluate(Fixed(answer), corpus()).stance
    assert found is not None
    assert found.matrix == ((1, 0, 1), (0, 0, 1))
    assert found.macro_f1.value == pytest.approx((2 / 3) / 2)
    assert found.macro_f1_answered.value == 1.0


def test_a_silent_tagger() -> None:
    report = evaluate(Fixed(lambda i: tag({}, confidence=0.5)), corpus())
    assert report.macro_f1 == 0.0
    assert report.stance is not None
    assert report.stance.macro_f1.value == 0.0  # no answer is an error ...
    assert math.isnan(report.stance.macro_f1_answered.value)  # ... but none of those given is wrong
    assert report.stance.matrix == ((0, 0, 2), (0, 0, 1))
    assert report.origin is not None
    assert math.isnan(report.origin.macro_f1.value)  # no answer is an abstention
    assert (report.origin.coverage, report.origin.coverage_carrying) == (0.0, 0.0)
    # Right on passages 3 and 4; of passage 5 it is not known.
    assert (report.confidence.n, report.confidence.accuracy) == (5, 0.4)


def test_strict_and_lenient() -> None:
    # Only the unsure cell (sun in passage 2) is missed.
    known = perfect()
    report = evaluate(Fixed(lambda i: tag({}) if i == 2 else known.say(i)), corpus())
    sun = 2 / 3
    assert report.narratives.macro_f1.value == pytest.approx((1 + sun) / 2)
    assert report.narratives.macro_f1_lenient.value == 1.0
    assert report.narratives.macro_f1_mean.value == pytest.approx((1 + (1 + sun) / 2) / 2)


def test_texts_that_were_not_read() -> None:
    known = perfect()
    report = evaluate(Fixed(lambda i: Tag(reason=Reason.LANGUAGE) if i == 0 else known.say(i)), corpus())
    assert report.not_read == pytest.approx(1 / 6)
    assert report.labels[0].recall.value == 0.5
    assert report.labels[0].ece == 0.0  # no probability, so no calibration
    assert report.confidence.n == 4  # of passage 5 it is not known


def test_abstaining_on_origin() -> None:
    known = perfect()
    report = evaluate(Fixed(lambda i: dataclasses.replace(known.say(i), origin=None) if i else known.say(0)), corpus())
    assert report.origin is not None
    assert (report.origin.answered, report.origin.coverage) == pytest.approx((1, 1 / 5))
    assert report.origin.coverage_carrying == pytest.approx(1 / 3)
    assert (report.origin.macro_f1.value, report.origin.left_out) == (1.0, 1)


def test_slices_worst_first() -> None:
    known = perfect()
    report = evaluate(
        Fixed(lambda i: known.say(i) if corpus()[i].source == "peak" else tag({"sun": None})), corpus(), slices="source"
    )
    assert [row.value for row in report.slices] == ["bay", "peak"]
    bay, peak = report.slices
    # Bay: rain missed (0), sun found with false alarms on 0 and 3 (precision 1/3, recall 1).
    assert bay.macro_f1.value == pytest.approx((0 + 0.5) / 2)
    assert bay.f1.value == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))
    assert (bay.n, bay.groups, bay.carrying, bay.false_alarms.value) == (3, 2, 2, 1.0)
    assert math.isnan(bay.origin_accuracy.value)
    assert (peak.macro_f1.value, peak.false_alarms.value, peak.origin_accuracy.value) == (1.0, 0.0, 1.0)
    assert bay.f1.low < bay.f1.value < bay.f1.high
    years = evaluate(known, corpus(), slices=["year"]).slices
    assert {row.value: row.n for row in years} == {"2024": 1, "(none)": 5}


def test_passages_without_annotation_are_left_out() -> None:
    whole = Corpus([*corpus(), passage(6, None), passage(7, None)], SCHEMA)
    known = perfect()
    report = evaluate(Fixed(lambda i: known.say(i) if i < 6 else tag({"snow": None})), whole)
    assert (report.n, report.labels[2].annotated, report.labels[2].predicted) == (8, 5, 0)
    assert report.macro_f1 == report.narratives.subset_accuracy.value == 1.0
    assert report.confidence.n == 5


def test_a_schema_of_narratives_alone() -> None:
    bare = Corpus([passage(0, {"sun": None}, stance=None), passage(1, {})], LabelSchema("bare", (Label("sun"),)))
    say = {0: Tag((Score("sun", 0.9, 0.5),), scores={"sun": 0.9}), 1: Tag(scores={"sun": 0.1})}
    report = evaluate(Fixed(lambda i: say[i]), bare)
    assert (report.stance, report.origin, report.subs) == (None, None, None)
    assert [row.origin for row in report.false_alarms] == ["all"]
    assert "Stance" not in report.to_markdown()


def test_any_column_can_be_sliced_by() -> None:
    rows = [
        Passage("a", "Sun " * 10, {"sun": None}, date="2024-05-01", extra={"desk": "north"}),
        Passage("b", "Sun " * 30, {"sun": None}, date="2023-01", extra={"desk": "south", "tags": ["x"]}),
        Passage("c", "Sun " * 250, {}, extra={"desk": "north"}),
    ]
    report = score(
        predict(lambda texts: [["sun"]] * 3, Corpus(rows, SCHEMA)),
        Corpus(rows, SCHEMA),
        slices=["desk", "length", "year", "tags"],
    )
    found = {(row.field, row.value): row.n for row in report.slices}
    assert found == {
        ("desk", "north"): 2, ("desk", "south"): 1,
        ("length", "1-20 words"): 1, ("length", "21-50 words"): 1, ("length", "over 200 words"): 1,
        ("year", "2024"): 1, ("year", "2023"): 1, ("year", "(none)"): 1,
        ("tags", "['x']"): 1, ("tags", "(none)"): 2,
    }  # fmt: skip


def test_a_small_slice_does_not_come_first_by_chance() -> None:
    """Forty passages with half of them missed are surely bad; two passages missed are not surely anything."""
    rows = [Passage(f"big{i}", f"Sun {i}.", {"sun": None}, source="big") for i in range(40)]
    rows += [Passage(f"small{i}", f"Sun {i}.", {"sun": None}, source="small") for i in range(2)]
    rows += [Passage(f"plain{i}", f"Noon {i}.", {}, source="plain") for i in range(5)]
    said = [["sun"] if i % 2 and i < 40 else [] for i in range(47)]
    report = evaluate(lambda texts: said, Corpus(rows, SCHEMA))
    assert [row.value for row in report.slices] == ["big", "small", "plain"]
    big, small, plain = report.slices
    assert big.f1.value == pytest.approx(2 / 3)
    assert big.f1.low < big.f1.value < big.f1.high
    assert (small.f1.value, math.isnan(small.f1.low)) == (0.0, True)
    assert math.isnan(plain.f1.value)
    assert plain.false_alarms.value == 0.0
    assert plain.false_alarms.high == pytest.approx(0.434, abs=0.01)
    assert report.worst == report.slices


def test_a_false_positive_of_a_label_that_a_slice_lacks_counts() -> None:
    rows = [passage(i, {"sun": None}, source="bay") for i in range(4)] + [passage(4, {"snow": None}, source="peak")]
    right = evaluate(lambda texts: [["sun"]] * 4 + [["snow"]], Corpus(rows, SCHEMA))
    wrong = evaluate(lambda texts: [["sun", "snow"]] + [["sun"]] * 3 + [["snow"]], Corpus(rows, SCHEMA))
    by_name = [{row.value: row for row in report.slices} for report in (right, wrong)]
    assert by_name[0]["bay"].f1.value == 1.0
    assert by_name[1]["bay"].f1.value == pytest.approx(2 * 4 / (2 * 4 + 1))
    assert by_name[1]["bay"].macro_f1.value == 0.5


# --- a second annotator ----------------------------------------------------------------------------------------------


def test_a_second_annotator() -> None:
    first = Corpus([passage(i, {"sun": None} if i < 4 else {}) for i in range(8)], SCHEMA)
    # The second reads passages 1 to 8, and is of another mind on 4.
    second = Corpus([passage(i, {"sun": None} if i < 5 else {}) for i in range(1, 9)], SCHEMA)
    report = evaluate(lambda texts: [["sun"] if i < 3 else [] for i in range(8)], first, second=second)
    found = report.agreement
    assert found is not None
    assert found.n == 7
    assert found.macro_f1.value == pytest.approx(2 * 3 / (2 * 3 + 1))
    assert found.model_macro_f1.value == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert found.model_macro_f1_second.value == pytest.approx(2 * 2 / (2 * 2 + 2))
    kappa = {row.question: row.kappa.value for row in found.questions}
    # Observed 6/7; by chance (3/7)(4/7) + (4/7)(3/7).
    assert kappa["sun"] == pytest.approx((6 / 7 - 24 / 49) / (1 - 24 / 49))
    assert "Second annotator" in report.to_markdown()


# --- curves and thresholds -------------------------------------------------------------------------------------------


def _graded() -> Report:
    """Sun has probabilities that rank well, but not perfectly; rain is never carried."""
    p = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    gold = [0, 0, 0, 1, 0, 1, 1, 1]
    rows = [passage(i, {"sun": None} if y else {}) for i, y in enumerate(gold)]
    return evaluate(lambda texts: [{"sun": x, "rain": 0.0, "snow": 0.0} for x in p], Corpus(rows, SCHEMA))


def test_threshold_curves_are_exact() -> None:
    (curve,) = _graded().curves.thresholds
    assert curve.label == "sun"
    assert curve.thresholds == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert curve.precision == pytest.approx([4 / 8, 4 / 7, 4 / 6, 4 / 5, 3 / 4, 1, 1, 1])
    assert curve.recall == pytest.approx([1, 1, 1, 1, 3 / 4, 3 / 4, 2 / 4, 1 / 4])
    assert curve.flagged == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4, 1 / 4, 0, 0, 0])
    assert curve.f1[3] == pytest.approx(2 * 0.8 / 1.8)


def test_thresholds_for_a_stated_precision() -> None:
    report = _graded()
    assert report.thresholds(precision=1.0) == {"sun": pytest.approx(0.6)}
    assert report.thresholds(recall=1.0) == {"sun": pytest.approx(0.4)}
    assert report.thresholds() == {"sun": pytest.approx(0.4)}
    named = evaluate(lambda texts: [["sun"]] * 2, Corpus([passage(0, {"sun": None}), passage(1, {})], SCHEMA))
    with pytest.raises(InputError, match="no probabilities"):
        named.thresholds()
    poor = evaluate(
        lambda texts: [{"sun": 0.2, "rain": 0.0, "snow": 0.0}, {"sun": 0.9, "rain": 0.0, "snow": 0.0}],
        Corpus([passage(0, {"sun": None}), passage(1, {})], SCHEMA),
    )
    with pytest.raises(InputError, match=r"No threshold of 'sun' reaches 0\.9; the best is 0\.500"):
        poor.thresholds(precision=0.9)
    with pytest.raises(InputError, match="Both"):
        report.thresholds(precision=0.9, recall=0.9)


def test_long_curves_are_thinned_and_stay_exact() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(3000)
    y = rng.random(3000) < p
    rows = [passage(i, {"sun": None} if y[i] else {}) for i in range(3000)]
    report = evaluate(lambda texts: [{"sun": x, "rain": 0.0, "snow": 0.0} for x in p], Corpus(rows, SCHEMA), slices=())
    (curve,) = report.curves.thresholds
    assert 50 <= len(curve.thresholds) <= 100
    for threshold, precision, recall in zip(curve.thresholds, curve.precision, curve.recall, strict=True):
        named = p >= threshold
        assert precision == pytest.approx((named & y).sum() / named.sum())
        assert recall == pytest.approx((named & y).sum() / y.sum())
    sun = report.curves.reliability[1]
    assert (sun.label, sum(sun.n)) == ("sun", 3000)
    # The probabilities come true.
    assert sun.share == pytest.approx(sun.probability, abs=0.12)
    assert report.labels[1].ece < 0.05
    assert report.curves.risk.risk[-1] == pytest.approx(1 - report.confidence.accuracy)
    assert report.curves.risk.risk[9] < report.curves.risk.risk[-1]


# --- forms -----------------------------------------------------------------------------------------------------------


def test_reports_come_back_from_json(tmp_path: Path) -> None:
    known = perfect()
    tagger = Fixed(lambda i: known.say(i) if i % 2 else tag({"rain": None}))
    for report in (evaluate(tagger, corpus(), second=corpus()), evaluate(lambda texts: [[]] * 6, corpus())):
        again = Report.load(report.save(tmp_path / "r.json"))
        assert again.to_dict() == report.to_dict()
        assert again.to_markdown() == report.to_markdown()
        assert type(again.narratives) is type(report.narratives)
        assert again.scored is None
    assert "curves" not in report.to_dict(curves=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99"),
        ({"format": "other"}, "not those of a report"),
        ({"n": "many"}, "'many' is no int"),
        ({"narratives": {}}, "KeyError"),
    ],
)
def test_what_is_no_report_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    data = evaluate(perfect(), corpus()).to_dict() | change
    with pytest.raises(InputError, match=message):
        Report.from_dict(data)
    (tmp_path / "r.json").write_text("{oops")
    with pytest.raises(InputError, match="cannot be read as a report"):
        Report.load(tmp_path / "r.json")


def test_reports_can_be_written(tmp_path: Path) -> None:
    report = evaluate(Fixed(lambda i: tag({})), corpus())
    data = report.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["narratives"]["macro_f1"]["value"] == 0.0
    assert data["origin"]["macro_f1"] == {"value": None, "low": None, "high": None}
    assert [row["label"] for row in data["labels"]] == ["rain", "sun", "snow"]
    assert json.loads(report.save(tmp_path / "r.json").read_text()) == data
    text = report.save(str(tmp_path / "r.md")).read_text()
    assert text == report.to_markdown()
    assert "| snow | 0 |" in text
    with pytest.raises(InputError, match=r"Name a \.html, \.md or \.json file"):
        report.save(tmp_path / "r.pdf")


def test_reports_can_be_printed() -> None:
    odd = Corpus([passage(0, {"sun": None}, source="[red]odd|name"), passage(1, {}, source=None)], SCHEMA)
    report = evaluate(Fixed(lambda i: tag({})), odd)
    console = Console(file=StringIO(), width=120)
    report.print(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]odd|name" in shown
    assert "(none)" in shown
    assert "odd\\|name" in report.to_markdown()


def test_the_same_seed_gives_the_same_report() -> None:
    known = perfect()
    tagger = Fixed(lambda i: known.say(i) if i % 2 else tag({"rain": None}))
    p = predict(tagger, corpus())
    first: Report = score(p, corpus(), seed=1)
    assert first.to_dict() == evaluate(tagger, corpus(), seed=1).to_dict()
    assert first.to_dict() != score(p, corpus(), seed=2).to_dict()
    assert score(p, corpus(), group="source").groups == 2


def test_scoring_needs_no_extra() -> None:
    code = (
        "import sys; from fimi_nlp.evaluation import evaluate; print({'sklearn', 'scipy', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="no passages"):
        evaluate(perfect(), Corpus([], SCHEMA))
    with pytest.raises(InputError, match=r"'sorce'.*Did you mean 'source'"):
        evaluate(perfect(), corpus(), slices=["sorce"])
    with pytest.raises(InputError, match="no field 'cluster'"):
        evaluate(perfect(), corpus(), group="cluster")
    unlabelled = Corpus([passage(i, None) for i in range(6)], SCHEMA)
    bare = Corpus(
        [dataclasses.replace(p, stance=None, origin=None, extra={"theme": "sun"}) for p in unlabelled], SCHEMA
    )
    with pytest.raises(InputError, match=r"has labels.*narratives, stance and origin.*theme"):
        evaluate(perfect(), bare)
    assert math.isnan(score(predict(perfect(), bare), bare).macro_f1)  # a training does not stop for it
    said: Predictions = predict(perfect(), corpus())
    with pytest.raises(InputError, match="6 predictions for 5 passages"):
        score(said, corpus()[:5])
