"""Reports as tables, for the terminal and for Markdown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.results import ChoiceScore, Report

_SLICES_SHOWN = 40


class Sheet(NamedTuple):
    """A table: the first column holds names, the others figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def sheets(report: Report) -> Iterator[Sheet]:
    """The tables of a report, the most important first."""
    yield _summary(report)
    yield _labels(report)
    yield Sheet(
        "Passages without a narrative",
        ("origin", "n", "share flagged"),
        tuple((row.origin, str(row.n), _estimate(row.rate)) for row in report.false_alarms),
    )
    for name, choice in (("Stance", report.stance), ("Origin", report.origin)):
        if choice is not None:
            yield _matrix(name, choice)
    yield from _slices(report)


def markdown(report: Report) -> str:
    """The report as Markdown."""
    parts = ["# Evaluation", _intro(report)]
    for sheet in sheets(report):
        table = [sheet.columns, ("---", *["---:"] * (len(sheet.columns) - 1)), *sheet.rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
        parts += [f"## {sheet.title}", "\n".join(lines), sheet.note]
    return "\n\n".join(part for part in parts if part) + "\n"


def show(report: Report, console: Console | None = None) -> None:
    """The report in the terminal."""
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    console = console or RichConsole()
    console.print(Text(_intro(report)))
    for sheet in sheets(report):
        # Without frames the tables fit a terminal of 80 columns.
        table = Table(
            title=sheet.title,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            show_edge=False,
        )
        for i, column in enumerate(sheet.columns):
            # Names stay whole; in a narrow terminal it is the intervals that wrap.
            table.add_column(column, justify="right" if i else "left", no_wrap=not i, overflow="fold")
        for row in sheet.rows:
            # Names come from users' files: they are text, never rich markup.
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        console.print(Text(sheet.note + "\n" if sheet.note else ""))


def _intro(report: Report) -> str:
    return (
        f"{report.n:,} passages in {report.groups:,} groups ({report.group}); {_number(100 * report.not_read, 1)} %"
        f" not read. Brackets: {100 * report.ci:g} % intervals, cluster bootstrap over the groups,"
        f" {report.resamples:,} resamples, seed {report.seed}."
    )


def _summary(report: Report) -> Sheet:
    scores, confidence = report.narratives, report.confidence
    rows = [
        ("narratives: macro-F1, strict", _estimate(scores.macro_f1)),
        ("narratives: macro-F1, lenient", _estimate(scores.macro_f1_lenient)),
        ("narratives: macro-F1, mean of both", _estimate(scores.macro_f1_mean)),
        ("narratives: micro-F1", _number(scores.micro_f1)),
        ("narratives: samples F1 (carrying passages only)", _both(scores.samples_f1, scores.samples_f1_carrying)),
        ("narratives: all labels right", _number(scores.subset_accuracy)),
        ("narratives: macro average precision", _number(scores.macro_average_precision)),
        ("narratives: macro ECE", _number(scores.macro_ece)),
    ]
    if report.subs is not None:
        rows += [
            ("subs: macro-F1", _estimate(report.subs.macro_f1)),
            ("subs: accuracy (where given)", _both(report.subs.accuracy, report.subs.accuracy_answered)),
        ]
    if report.stance is not None:
        rows.append(("stance: macro-F1", _estimate(report.stance.macro_f1)))
    if report.origin is not None:
        rows += [
            ("origin: macro-F1 where answered", _estimate(report.origin.macro_f1)),
            (
                "origin: share answered (carrying passages only)",
                _both(report.origin.coverage, report.origin.coverage_carrying),
            ),
        ]
    rows += [
        ("confidence: ECE", _number(confidence.ece)),
        ("confidence: risk-coverage area (share of wrong tags)", _both(confidence.aurc, 1 - confidence.accuracy)),
    ]
    left_out = scores.left_out
    note = f"{left_out} narratives have neither positives nor predictions: not in the macro averages." * bool(left_out)
    return Sheet("Summary", ("measure", "value"), tuple(rows), note)


def _labels(report: Report) -> Sheet:
    columns = ("narrative", "gold", "P", "R", "F1", "AP", "ECE", "from")
    note = "gold: passages that carry it; from: the probability from which it is named."
    return Sheet(
        "Narratives",
        columns,
        tuple(
            (
                row.label,
                str(row.support),
                _number(row.precision),
                _number(row.recall),
                _estimate(row.f1),
                _number(row.average_precision),
                _number(row.ece),
                _number(row.threshold, 2),
            )
            for row in report.labels
        ),
        note,
    )


def _matrix(name: str, choice: ChoiceScore) -> Sheet:
    rows = tuple(
        (label, *map(str, counts), _number(f1))
        for label, counts, f1 in zip(choice.labels, choice.matrix, choice.f1, strict=True)
    )
    columns = ("gold", *choice.labels, "no answer", "F1")
    return Sheet(f"{name}: gold by answer", columns, rows)


def _slices(report: Report) -> Iterator[Sheet]:
    for field in dict.fromkeys(row.field for row in report.slices):
        rows = [row for row in report.slices if row.field == field]
        yield Sheet(
            f"By {field}, worst first",
            (field, "n", "carrying", "macro-F1", "flagged", "origin accuracy"),
            tuple(
                (
                    row.value,
                    str(row.n),
                    str(row.carrying),
                    _number(row.macro_f1),
                    _number(row.false_alarms),
                    _number(row.origin_accuracy),
                )
                for row in rows[:_SLICES_SHOWN]
            ),
            f"{len(rows) - _SLICES_SHOWN} more: see to_dict()." if len(rows) > _SLICES_SHOWN else "",
        )


def _number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "-"


def _both(value: float, other: float) -> str:
    return f"{_number(value)} ({_number(other)})"


def _estimate(estimate: Estimate) -> str:
    value, low, high = _number(estimate.value), _number(estimate.low, 2), _number(estimate.high, 2)
    return value if low == "-" else f"{value} [{low}, {high}]"
