"""Reports as HTML: for notebooks, and as a page that needs nothing else.

Names come from users' files and are escaped. The page has no scripts, and forbids itself to load anything.
"""

from __future__ import annotations

import importlib.util
import math
from html import escape
from typing import TYPE_CHECKING

from fimi_nlp.display import plain
from fimi_nlp.evaluation.render import intro, number, sheets, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.comparison import Comparison
    from fimi_nlp.evaluation.render import Sheet
    from fimi_nlp.evaluation.report import Report

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
.fimi-report { color: #1a1a1a; background: #fff; font: 14px/1.45 system-ui, sans-serif; max-width: 72rem;
  padding: 1rem; }
.fimi-report h1 { font-size: 1.5rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
.fimi-report h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
.fimi-report p { margin: .3rem 0; max-width: 60rem; }
.fimi-report .note, .fimi-report figcaption { color: #555; font-size: .86rem; }
.fimi-report .key { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; padding: 0; list-style: none; }
.fimi-report .key li { border: 1px solid #ccc; border-radius: 6px; padding: .5rem .9rem; min-width: 9rem; }
.fimi-report .key b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.fimi-report .scroll { overflow-x: auto; }
.fimi-report table { border-collapse: collapse; background: none; color: inherit; font-size: .9rem; margin: .2rem 0; }
.fimi-report th, .fimi-report td { padding: .18rem .7rem .18rem 0; text-align: right; border-bottom: 1px solid #e4e4e4;
  font-variant-numeric: tabular-nums; white-space: nowrap; background: none; }
.fimi-report th:first-child { text-align: left; font-weight: normal; max-width: 24rem; white-space: normal;
  overflow-wrap: anywhere; }
.fimi-report thead th, .fimi-report thead th:first-child { font-weight: 600; border-bottom: 1px solid #888; }
.fimi-report .figures { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.fimi-report figure { margin: 0; max-width: 100%; }
.fimi-report figure svg { max-width: 100%; height: auto; display: block; }
.fimi-report figcaption { max-width: 34rem; }
"""

#: How to read each figure.
CAPTIONS = {
    "precision_recall": "Up and to the right is better. The mark is where the model stands at its thresholds.",
    "thresholds": "What another threshold would give, on these passages. The dotted line is the model's own.",
    "reliability": "Below the diagonal the model is surer than it should be, above it less sure. Large marks hold many"
    " passages.",
    "risk_coverage": "How few tags are wrong if a person reads the least confident ones.",
    "confusion": "Rows are what the annotator said, columns what the model said.",
    "slices": "Worst first, by the upper end of the interval; hollow marks have no interval. In brackets, passages."
    " The dotted line is the whole corpus.",
}


_CLEAR = "An interval that leaves out 0 is a clear difference; hollow marks have no interval."


def page(report: Report) -> str:
    """A whole page."""
    return whole_page(f"{report.model or 'Evaluation'}: {report.n:,} passages", fragment(report))


def whole_page(title: str, body: str) -> str:
    """A page that loads nothing: no scripts, no files, no network."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{_text(title)}</title>\n</head>\n<body>\n{body}\n</body>\n</html>"
    )


def fragment(report: Report) -> str:
    """What a notebook shows: key figures, tables, figures."""
    parts = [f"<h1>{_text(report.model or 'Evaluation')}</h1>", f"<p>{_text(intro(report))}</p>", _key(report)]
    every = list(sheets(report))
    # First what most readers look for: the whole, each narrative, false alarms.
    for sheet in every[:3]:
        parts += _table(sheet)
    parts += _figures(report)
    for sheet in every[3:]:
        parts += _table(sheet)
    return _division(parts)


def comparison_fragment(comparison: Comparison) -> str:
    """What a notebook shows of a comparison."""
    parts = ["<h1>Comparison</h1>", f"<p>{_text(comparison.intro())}</p>"]
    if _drawable():
        from fimi_nlp.evaluation.plots import differences, slice_differences, svg

        drawn = [("Differences", differences(comparison))]
        drawn += [(f"Differences by {field}", figure) for field, figure in slice_differences(comparison)]
        figures = [_figure(name, svg(figure), _CLEAR) for name, figure in drawn if figure is not None]
        if figures:
            parts.append('<div class="figures">' + "\n".join(figures) + "</div>")
    for sheet in comparison.sheets():
        parts += _table(sheet)
    return _division(parts)


def _division(parts: Iterable[str]) -> str:
    return '<div class="fimi-report">\n<style>' + _STYLE + "</style>\n" + "\n".join(parts) + "\n</div>"


def _key(report: Report) -> str:
    flagged = next(row.rate for row in report.false_alarms if row.origin == "all")
    figures: list[tuple[str, Estimate]] = [
        ("macro-F1 of narratives", report.narratives.macro_f1),
        ("macro average precision", report.narratives.macro_average_precision),
        ("flagged without a narrative", flagged),
    ]
    items = [_item(name, number(value.value), _interval(value)) for name, value in figures]
    items.append(_item("calibration error of the confidence", number(report.confidence.ece), ""))
    return '<ul class="key">' + "".join(items) + "</ul>"


def _item(name: str, value: str, interval: str) -> str:
    return f"<li><b>{value}</b>{_text(name)}<br><span class='note'>{interval}</span></li>"


def _interval(estimate: Estimate) -> str:
    return _text(shown(estimate).partition(" ")[2]) if math.isfinite(estimate.low) else ""


def _table(sheet: Sheet) -> Iterator[str]:
    yield f"<h2>{_text(sheet.title)}</h2>"
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in sheet.columns)
    rows = (
        f'<tr><th scope="row">{_text(name)}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
        for name, *cells in sheet.rows
    )
    yield f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    if sheet.note:
        yield f'<p class="note">{_text(sheet.note)}</p>'


def _figures(report: Report) -> Iterator[str]:
    yield "<h2>Figures</h2>"
    if not _drawable():
        yield '<p class="note">Figures need matplotlib: pip install "fimi-nlp[eval]"</p>'
        return
    from fimi_nlp.evaluation.plots import FIGURES, svg

    drawn = ((name, draw(report)) for name, draw in FIGURES.items())
    figures = [
        _figure(name.replace("_", " and ").capitalize(), svg(figure), CAPTIONS[name])
        for name, figure in drawn
        if figure is not None
    ]
    yield '<div class="figures">' + "\n".join(figures) + "</div>"


def _figure(name: str, drawing: str, caption: str) -> str:
    # The element that svg() gives starts with its name: what a screen reader says goes beside it.
    labelled = drawing.replace("<svg", f'<svg role="img" aria-label="{_text(name)}"', 1)
    return f"<figure>{labelled}<figcaption><b>{_text(name)}.</b> {_text(caption)}</figcaption></figure>"


def _drawable() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _text(value: str) -> str:
    """Text that stays text."""
    return escape(" ".join(plain(value).split()))
