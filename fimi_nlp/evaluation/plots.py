"""The figures of a report. Needs the extra ``eval``.

Drawn through the object interface of matplotlib: pyplot would choose a window system and keep global state.
"""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.display import plain
from fimi_nlp.errors import require

require("eval", "matplotlib")

from matplotlib import rc_context  # noqa: E402 - after the check, which says what to install
from matplotlib.figure import Figure  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.comparison import Comparison
    from fimi_nlp.evaluation.report import Report
    from fimi_nlp.evaluation.results import ChoiceScore

#: Colours that people with any colour vision can tell apart (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
_SLICES_SHOWN = 15
_LONGEST = 36


class Chart(Figure):
    """A matplotlib figure that notebooks show without pyplot."""

    def _repr_svg_(self) -> str:
        return svg(self)


def svg(figure: Figure) -> str:
    """A figure as an SVG element: text stays text, and the same figure gives the same bytes."""
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fimi-nlp"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    # What stands before the element refers to a file elsewhere, and the metadata say nothing of use.
    return re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)


def precision_recall(report: Report) -> Chart | None:
    """Precision over recall of each narrative, with the point at which the model stands."""
    if not report.curves.thresholds:
        return None
    figure, axes = _single(5.2, 4.2)
    scores = {row.label: row for row in report.labels}
    for colour, marker, curve in zip(_cycle(COLOURS), _cycle(_MARKERS), report.curves.thresholds, strict=False):
        score = scores[curve.label]
        name = f"{_text(curve.label)} (AP {score.average_precision.value:.2f})"
        axes.plot(curve.recall, curve.precision, color=colour, label=name, linewidth=1.4)
        axes.plot(
            score.recall.value, score.precision.value, marker, color=colour, markersize=7, markeredgecolor="white"
        )
    _unit(axes, "recall", "precision")
    axes.legend(fontsize=8, loc="lower left")
    return figure


def thresholds(report: Report) -> Chart | None:
    """Precision, recall, F1 and share flagged over the threshold; the dotted line is the model's own."""
    curves = report.curves.thresholds
    if not curves:
        return None
    figure, grid = _grid(len(curves), width=3.6, height=2.7)
    used = {row.label: row.threshold for row in report.labels}
    for axes, curve in zip(grid, curves, strict=False):
        lines = (("precision", curve.precision), ("recall", curve.recall), ("F1", curve.f1), ("flagged", curve.flagged))
        for colour, style, (name, values) in zip(COLOURS, ("-", "--", "-", ":"), lines, strict=False):
            axes.plot(curve.thresholds, values, style, color=colour, label=name, linewidth=1.8 if name == "F1" else 1.2)
        if math.isfinite(used[curve.label]):
            axes.axvline(used[curve.label], color="grey", linestyle=":", linewidth=1)
        _unit(axes, "threshold", "")
        axes.set_title(_text(curve.label), fontsize=9)
    figure.legend(*grid[0].get_legend_handles_labels(), fontsize=8, ncols=4, loc="outside lower center")
    return figure


def reliability(report: Report) -> Chart | None:
    """How often probabilities come true: on the diagonal, they mean what they say."""
    if not report.curves.reliability:
        return None
    figure, axes = _single(4.6, 4.4)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    for colour, marker, curve in zip(_cycle(COLOURS), _cycle(_MARKERS), report.curves.reliability, strict=False):
        whole = curve.label == "confidence"
        colour = "black" if whole else colour
        axes.plot(curve.probability, curve.share, "-", color=colour, linewidth=2.0 if whole else 0.9)
        size = [10 + 90 * n / max(curve.n) for n in curve.n]
        axes.scatter(curve.probability, curve.share, s=size, marker=marker, color=colour, label=_text(curve.label))
    _unit(axes, "mean probability", "share that came true")
    axes.legend(fontsize=8, loc="upper left")
    return figure


def risk_coverage(report: Report) -> Chart | None:
    """How the share of wrong tags falls as the least confident ones are held back."""
    curve = report.curves.risk
    if not curve.coverage:
        return None
    figure, axes = _single(4.6, 3.2)
    axes.plot(curve.coverage, curve.risk, color=COLOURS[0], linewidth=1.6)
    whole = 1 - report.confidence.accuracy
    axes.axhline(whole, color="grey", linestyle=":", linewidth=1)
    axes.text(0.02, whole, "if confidence said nothing", fontsize=7, color="dimgrey", va="bottom")
    axes.set(xlim=(0, 1), xlabel="coverage: share of tags kept, the surest first", ylabel="risk: share wrong of these")
    axes.set_ylim(0, max(*curve.risk, whole) * 1.2 or 1)
    axes.set_title(f"AURC {report.confidence.aurc:.3f}", fontsize=9)
    axes.grid(alpha=0.3)
    return figure


def confusion(report: Report) -> Chart | None:
    """Gold by answer of stance and origin: counts, shaded by share of the row."""
    choices = [(name, choice) for name, choice in (("stance", report.stance), ("origin", report.origin)) if choice]
    if not choices:
        return None
    figure = Chart(figsize=(4.2 * len(choices), 3.4), layout="constrained")
    for axes, (name, choice) in zip(figure.subplots(1, len(choices), squeeze=False)[0], choices, strict=True):
        _matrix(axes, name, choice)
    return figure


def slices(report: Report) -> Chart | None:
    """F1 and share flagged of the slices with their intervals, the worst first; the line is the whole corpus."""
    fields = {row.field: [r for r in report.slices if r.field == row.field][:_SLICES_SHOWN] for row in report.slices}
    if not fields:
        return None
    heights = [0.9 + 0.24 * len(rows) for rows in fields.values()]
    figure = Chart(figsize=(8.4, sum(heights)), layout="constrained")
    panels = figure.subplots(len(fields), 2, squeeze=False, height_ratios=heights)
    whole = next(row.rate.value for row in report.false_alarms if row.origin == "all")
    for (left, right), (field, rows) in zip(panels, fields.items(), strict=True):
        names = [f"{_text(row.value)} ({row.n})" for row in rows]
        _forest(left, names, [row.f1 for row in rows], report.narratives.micro_f1.value)
        _forest(right, [], [row.false_alarms for row in rows], whole)
        left.set_title(f"by {_text(field)}: F1, all labels pooled", fontsize=9, loc="left")
        right.set_title("share flagged without a narrative", fontsize=9, loc="left")
    return figure


def differences(comparison: Comparison) -> Chart | None:
    """Differences of two models with their intervals; right of 0 the second has more."""
    rows = [row for row in comparison.differences if math.isfinite(row.difference.value)]
    if not rows:
        return None
    return _differing([_text(row.measure) for row in rows], [row.difference for row in rows], "second - first")


def slice_differences(comparison: Comparison) -> Iterator[tuple[str, Chart]]:
    """For each field by which the corpus was cut, the differences of F1 within its slices."""
    for field in dict.fromkeys(row.field for row in comparison.slices):
        own = (row for row in comparison.slices if row.field == field and math.isfinite(row.difference.value))
        if rows := list(own)[:_SLICES_SHOWN]:
            names = [f"{_text(row.value)} ({row.n})" for row in rows]
            yield field, _differing(names, [row.difference for row in rows], "F1, second - first")


#: Name to what draws it; ``None`` where there is nothing to draw.
FIGURES: dict[str, Callable[[Report], Chart | None]] = {
    "precision_recall": precision_recall,
    "thresholds": thresholds,
    "reliability": reliability,
    "risk_coverage": risk_coverage,
    "confusion": confusion,
    "slices": slices,
}

_PROBABLE = "It needs a model that gives probabilities, and passages that carry narratives."
#: Name to what the figure cannot be drawn without.
NEEDS = {
    "precision_recall": _PROBABLE,
    "thresholds": _PROBABLE,
    "reliability": _PROBABLE,
    "risk_coverage": "It needs a model that gives probabilities or a confidence.",
    "confusion": "It needs a model that gives stance or origin, and a schema that has them.",
    "slices": 'Evaluate with slices, such as slices=["source"].',
}


# --- parts -----------------------------------------------------------------------------------------------------------


def _differing(names: Sequence[str], estimates: Sequence[Estimate], label: str) -> Chart:
    figure, axes = _single(6.4, 0.9 + 0.26 * len(names))
    _forest(axes, names, estimates, 0.0)
    reach = max(0.02, *(abs(x) for row in estimates for x in row if math.isfinite(x))) * 1.1
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(label, fontsize=8)
    return figure


def _forest(axes: Axes, names: Sequence[str], estimates: Sequence[Estimate], whole: float) -> None:
    """Values with their intervals, one a line, from top to bottom."""
    lines = np.arange(len(estimates))
    for y, estimate in zip(lines, estimates, strict=True):
        if math.isfinite(estimate.low):
            axes.plot([estimate.low, estimate.high], [y, y], color=COLOURS[0], linewidth=1.4, solid_capstyle="butt")
        # Without an interval, nobody knows how far it might move: hollow.
        known = math.isfinite(estimate.low)
        axes.plot(estimate.value, y, "o", color=COLOURS[0], markersize=5, markerfacecolor=None if known else "white")
    if math.isfinite(whole):
        axes.axvline(whole, color="grey", linestyle=":", linewidth=1)
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.set_yticks(lines, names if names else [""] * len(lines), fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlim(-0.03, 1.03)
    axes.grid(axis="x", alpha=0.3)


def _matrix(axes: Axes, name: str, choice: ChoiceScore) -> None:
    table = np.array(choice.matrix, float)
    rows = table.sum(axis=1, keepdims=True)
    shares = table / np.where(rows > 0, rows, 1)
    # A mesh, not an image: in the page, an image would be a thing to load.
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1)
    axes.invert_yaxis()
    for (y, x), count in np.ndenumerate(table):
        colour = "white" if shares[y, x] > 0.6 else "black"
        axes.text(
            x + 0.5, y + 0.5, f"{count:.0f}\n{shares[y, x]:.0%}", ha="center", va="center", fontsize=8, color=colour
        )
    answers = [*map(_text, choice.labels), "no answer"]
    axes.set_xticks(np.arange(len(answers)) + 0.5, answers, fontsize=8, rotation=20, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(choice.labels)) + 0.5, [_text(label) for label in choice.labels], fontsize=8)
    axes.set(xlabel="answer", ylabel="gold")
    axes.set_title(name, fontsize=9)


def _single(width: float, height: float) -> tuple[Chart, Axes]:
    figure = Chart(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _grid(panels: int, *, width: float, height: float) -> tuple[Chart, Sequence[Axes]]:
    rows = -(-panels // 2)
    figure = Chart(figsize=(2 * width, rows * height), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in grid[panels:]:
        axes.set_axis_off()
    return figure, list(grid)


def _unit(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)


def _cycle(items: Sequence[Any]) -> Any:
    return (items[i % len(items)] for i in range(1_000))


def _text(name: str) -> str:
    r"""A name from a file as it is, cut where it is long: a dollar would start a formula."""
    line = " ".join(plain(name).split())
    return (line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…").replace("$", r"\$")
