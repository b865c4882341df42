"""Reports as tables, for the terminal and for Markdown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fimi_nlp.display import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.report import Report
    from fimi_nlp.evaluation.results import AgreementScore, ChoiceScore

#: Of each field; all of them are in ``to_dict``.
SLICES_SHOWN = 40
#: Columns of a terminal from which tables are shown whole.
_WIDE = 110


class Sheet(NamedTuple):
    """A table: the first column holds names, the others figures; a narrow terminal does without the `minor` ones."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    minor: tuple[str, ...] = ()


def sheets(report: Report) -> Iterator[Sheet]:
    """The tables of a report, the most important first."""
    yield _summary(report)
    yield _labels(report)
    yield Sheet(
        "Passages without a narrative",
        ("origin", "n", "share flagged"),
        tuple((row.origin, str(row.n), shown(row.rate)) for row in report.false_alarms),
        "flagged: a narrative is named all the same.",
    )
    yield _calibration(report)
    for name, choice in (("Stance", report.stance), ("Origin", report.origin)):
        if choice is not None:
            yield _matrix(name, choice)
    if report.agreement is not None:
        yield _agreement(report.agreement)
    yield from _slices(report)


def markdown(report: Report) -> str:
    """The report as Markdown."""
    return "\n\n".join(["# Evaluation", inline(intro(report)), *tables(sheets(report))]) + "\n"


def tables(found: Iterable[Sheet]) -> Iterator[str]:
    """Tables as Markdown, each with its heading."""
    for sheet in found:
        rows = [sheet.columns, ("---", *["---:"] * (len(sheet.columns) - 1)), *sheet.rows]
        yield f"## {inline(sheet.title)}"
        yield "\n".join("| " + " | ".join(inline(cell) for cell in row) + " |" for row in rows)
        if sheet.note:
            yield sheet.note


def inline(text: str) -> str:
    """Text in Markdown: it stays on its line and in its cell, and nothing in it is HTML."""
    line = " ".join(plain(text).split())
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def show(report: Report, console: Console | None = None) -> None:
    """The report in the terminal."""
    show_sheets(intro(report), sheets(report), console)


def show_sheets(head: str, found: Iterable[Sheet], console: Console | None = None) -> None:
    """Tables in the terminal."""
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    console = console or RichConsole()
    wide = console.width >= _WIDE
    console.print(Text(plain(head)))
    for sheet in found:
        # Without frames the tables fit a terminal of 80 columns.
        table = Table(
            title=Text(plain(sheet.title)),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            show_edge=False,
        )
        kept = [i for i, column in enumerate(sheet.columns) if wide or column not in sheet.minor]
        for i, column in ((i, sheet.columns[i]) for i in kept):
            # Names stay whole; in a narrow terminal it is the intervals that wrap.
            table.add_column(column, justify="right" if i else "left", no_wrap=not i, overflow="fold")
        for row in sheet.rows:
            # Names come from users' files: they are text, never rich markup.
            table.add_row(*(Text(plain(row[i])) for i in kept))
        console.print(table)
        console.print(Text(plain(sheet.note) + "\n" if sheet.note else ""))


def intro(report: Report) -> str:
    """What was evaluated on what, and what the brackets mean."""
    model = f"{report.model} on {report.n:,}" if report.model else f"{report.n:,}"
    return (
        f"{model} passages in {report.groups:,} groups ({report.group}), corpus {report.data};"
        f" {number(100 * report.not_read, 1)} % not read."
        f" Brackets: {100 * report.ci:g} % intervals, cluster bootstrap over the groups,"
        f" {report.resamples:,} resamples, seed {report.seed}."
    )


def _summary(report: Report) -> Sheet:
    scores, confidence = report.narratives, report.confidence
    rows = [
        ("narratives: macro-F1, strict", shown(scores.macro_f1)),
        ("narratives: macro-F1, lenient", shown(scores.macro_f1_lenient)),
        ("narratives: macro-F1, mean of both", shown(scores.macro_f1_mean)),
        ("narratives: macro precision", shown(scores.macro_precision)),
        ("narratives: macro recall", shown(scores.macro_recall)),
        ("narratives: micro precision", shown(scores.micro_precision)),
        ("narratives: micro recall", shown(scores.micro_recall)),
        ("narratives: micro-F1", shown(scores.micro_f1)),
        ("narratives: samples F1", shown(scores.samples_f1)),
        ("narratives: samples F1, carrying passages only", shown(scores.samples_f1_carrying)),
        ("narratives: all labels right", shown(scores.subset_accuracy)),
        ("narratives: macro average precision", shown(scores.macro_average_precision)),
    ]
    if report.subs is not None:
        rows += [
            ("subs: macro-F1", shown(report.subs.macro_f1)),
            ("subs: accuracy (where given)", _both(report.subs.accuracy, report.subs.accuracy_answered)),
        ]
    if report.stance is not None:
        rows += [
            ("stance: macro-F1, a missed narrative counting as wrong", shown(report.stance.macro_f1)),
            ("stance: macro-F1 where given", shown(report.stance.macro_f1_answered)),
        ]
    if report.origin is not None:
        coverage = _both(report.origin.coverage, report.origin.coverage_carrying)
        rows += [
            ("origin: macro-F1 where answered", shown(report.origin.macro_f1)),
            ("origin: share answered (carrying passages only)", coverage),
        ]
    rows.append(
        ("confidence: risk-coverage area (share of wrong tags)", _both(confidence.aurc, 1 - confidence.accuracy))
    )
    rows += [
        (f"confidence: share wrong of the surest {coverage:.0%}", number(risk))
        for coverage, risk in zip(confidence.coverages, confidence.risks, strict=True)
    ]
    left_out = scores.left_out
    note = f"{left_out} narratives have neither positives nor predictions: not in the macro averages." * bool(left_out)
    return Sheet("Summary", ("measure", "value"), tuple(rows), note)


def _labels(report: Report) -> Sheet:
    return Sheet(
        "Narratives",
        ("narrative", "gold", "named", "P", "R", "F1", "AP", "flagged", "from"),
        tuple(
            (
                row.label,
                str(row.support),
                str(row.predicted),
                number(row.precision.value),
                number(row.recall.value),
                shown(row.f1),
                shown(row.average_precision),
                number(row.flagged.value),
                number(row.threshold, 2),
            )
            for row in report.labels
        ),
        "gold: passages that carry it; flagged: share of passages without a narrative for which it is named; from: the"
        " probability from which it is named.",
        minor=("named", "flagged"),
    )


def _calibration(report: Report) -> Sheet:
    scores, confidence = report.narratives, report.confidence
    rows = [
        (row.label, number(row.ece), number(row.ece_adaptive), shown(row.brier))
        for row in report.labels
        if row.annotated
    ]
    rows += [
        ("macro", number(scores.macro_ece), number(scores.macro_ece_adaptive), shown(scores.macro_brier)),
        ("confidence", number(confidence.ece), number(confidence.ece_adaptive), number(confidence.brier)),
    ]
    return Sheet("Calibration", ("probability of", "ECE", "adaptive ECE", "Brier"), tuple(rows))


def _matrix(name: str, choice: ChoiceScore) -> Sheet:
    rows = tuple(
        (label, *map(str, counts), number(f1))
        for label, counts, f1 in zip(choice.labels, choice.matrix, choice.f1, strict=True)
    )
    columns = ("gold", *choice.labels, "no answer", "F1")
    return Sheet(f"{name}: gold by answer", columns, rows)


def _agreement(score: AgreementScore) -> Sheet:
    rows = [
        ("narratives: macro-F1 between annotators", str(score.n), shown(score.macro_f1)),
        ("narratives: macro-F1, model and first annotator", str(score.n), shown(score.model_macro_f1)),
        ("narratives: macro-F1, model and second annotator", str(score.n), shown(score.model_macro_f1_second)),
    ]
    rows += [(f"kappa: {row.question}", str(row.n), shown(row.kappa)) for row in score.questions]
    return Sheet("Second annotator", ("measure", "passages", "value"), tuple(rows))


def _slices(report: Report) -> Iterator[Sheet]:
    for field in dict.fromkeys(row.field for row in report.slices):
        rows = [row for row in report.slices if row.field == field]
        yield Sheet(
            f"By {field}, worst first",
            (field, "n", "groups", "carrying", "F1", "macro-F1", "flagged", "origin right"),
            tuple(
                (
                    row.value,
                    str(row.n),
                    str(row.groups),
                    str(row.carrying),
                    shown(row.f1),
                    number(row.macro_f1.value),
                    shown(row.false_alarms),
                    number(row.origin_accuracy.value),
                )
                for row in rows[:SLICES_SHOWN]
            ),
            beyond_shown(rows),
            minor=("groups", "macro-F1", "origin right"),
        )


def number(value: float, decimals: int = 3) -> str:
    """A number, or a dash where there is none."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else "-"


def _both(value: float, other: float) -> str:
    return f"{number(value)} ({number(other)})"


def shown(estimate: Estimate) -> str:
    """A value, and its interval where there is one."""
    value, low, high = number(estimate.value), number(estimate.low, 2), number(estimate.high, 2)
    return value if low == "-" else f"{value} [{low}, {high}]"


def beyond_shown(slices: Sequence[object]) -> str:
    """How many slices a table leaves out."""
    return f"{len(slices) - SLICES_SHOWN} more: see to_dict()." if len(slices) > SLICES_SHOWN else ""


def signed(estimate: Estimate) -> str:
    """A difference with its sign, and its interval where there is one."""
    if not math.isfinite(estimate.value):
        return "-"
    value = f"{estimate.value:+.3f}"
    return f"{value} [{estimate.low:+.3f}, {estimate.high:+.3f}]" if math.isfinite(estimate.low) else value
