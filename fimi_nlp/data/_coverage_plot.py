"""The picture of a coverage report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fimi_nlp.errors import InputError, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fimi_nlp.data.balance import CoverageReport, CrossTable

#: Width of a panel, and height of a line in it, in inches.
_WIDTH, _LINE = 6.0, 0.22


def plot(report: CoverageReport, path: str | Path) -> None:
    """See `CoverageReport.plot`."""
    require("data", "matplotlib")
    # The object interface: pyplot would choose a window system and keep global state.
    from matplotlib.figure import Figure

    path = Path(path)
    panels: list[tuple[Any, Any, int]] = [(_bars, item, len(item[1])) for item in report.counts.items()]
    panels += [(_heat_map, table, len(table.row_values)) for table in report.tables if table.row_values]
    if not panels:
        raise InputError("There is nothing to draw.", remedy="Name at least one column.")
    heights = [1.2 + _LINE * lines for _, _, lines in panels]
    rows = [max(heights[start : start + 2]) for start in range(0, len(heights), 2)]
    figure = Figure(figsize=(2 * _WIDTH, sum(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 2, squeeze=False, height_ratios=rows).ravel()
    for axes, (draw, item, _) in zip(grid, panels, strict=False):
        draw(axes, item)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        raise InputError(f"Cannot draw '{path.name}'.", remedy="Name a .png, .svg or .pdf file.")
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}.", remedy="Check its folder.") from error


def _bars(axes: Any, item: tuple[str, Mapping[str, int]]) -> None:
    column, counts = item
    values, numbers = list(counts), list(counts.values())
    bars = axes.barh(range(len(values)), numbers, color="tab:blue")
    axes.bar_label(bars, padding=2, fontsize=7)
    axes.set_yticks(range(len(values)), [_plain(value) for value in values], fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(_plain(column), fontsize=9)


def _heat_map(axes: Any, table: CrossTable) -> None:
    most = max((count for line in table.counts for count in line), default=0)
    axes.imshow([list(line) or [0] for line in table.counts], cmap="Blues", aspect="auto", vmin=0, vmax=most or 1)
    names = [_plain(value) for value in table.column_values]
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=20, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(table.row_values)), [_plain(v) for v in table.row_values], fontsize=7)
    for y, line in enumerate(table.counts):
        for x, count in enumerate(line):
            # An empty cell is what one looks for.
            color = "tab:red" if not count else "white" if count > most / 2 else "black"
            axes.text(x, y, str(count), ha="center", va="center", fontsize=7, color=color)
    axes.set_title(f"{_plain(table.rows)} and {_plain(table.columns)}", fontsize=9)


def _plain(value: str) -> str:
    r"""Text that stays text: a dollar would start a formula."""
    shown = value if len(value) <= 40 else f"{value[:37]}..."
    return shown.replace("$", r"\$")
