"""Pictures for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.convergence.echo import Direction
    from fimi_nlp.evaluation.convergence.lags import LeadLag
    from fimi_nlp.evaluation.convergence.mix import MixSimilarity
    from fimi_nlp.evaluation.convergence.over_time import Shares

#: Distinguishable with the common forms of colour blindness (Okabe and Ito 2008).
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")


def plot_shares(shares: Shares, events: Mapping[str, str] | None = None) -> Figure:
    """A panel for each narrative: the share of each origin with its interval, over time, events marked.

    Parameters
    ----------
    shares : Shares
        See `shares`.
    events : mapping of str to str, optional
        Date to name.
    """
    figure, axes = _figure(len(shares.labels), 8.0, 2.2)
    for column, (axis, label) in enumerate(zip(axes, shares.labels, strict=True)):
        for colour, origin in zip(COLOURS * 9, shares.value, strict=False):
            low, high = shares.low[origin][:, column], shares.high[origin][:, column]
            axis.plot(
                shares.starts, shares.value[origin][:, column], color=colour, marker="o", ms=3, label=_text(origin)
            )
            axis.fill_between(shares.starts, low, high, color=colour, alpha=0.2, lw=0)
        axis.set_title(_text(label), fontsize=9, loc="left")
        axis.set_ylim(bottom=0.0)
        axis.set_ylabel("share of texts", fontsize=8)
        _events(axis, events, named=column == 0)
    axes[0].legend(fontsize=8, frameon=False)
    figure.supxlabel(f"{shares.every}; bands: {shares.ci:.0%} intervals", fontsize=8)
    return figure


def plot_mix(mix: MixSimilarity, events: Mapping[str, str] | None = None) -> Figure:
    """The two mixes side by side, and their distance over time beside what two samples of one mix give."""
    figure, (left, right) = _figure(2, 5.0, 3.2, columns=2)
    height = 0.38
    for number, origin in enumerate(mix.origins):
        places = np.arange(len(mix.labels)) + (number - 0.5) * height
        _bars(left, places, mix.mixes[origin], height, COLOURS[number], origin)
    left.set_yticks(range(len(mix.labels)), [_text(label) for label in mix.labels], fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("part of the narratives carried", fontsize=8)
    left.legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0.0, 1.0))  # bars may be anywhere
    values = np.array([[part.value, part.low, part.high] for part in mix.over_time])
    right.plot(mix.starts, values[:, 0], color="black", marker="o", ms=3, label="distance")
    right.fill_between(mix.starts, values[:, 1], values[:, 2], color="black", alpha=0.15, lw=0)
    right.plot(mix.starts, mix.chance_over_time, color="tab:gray", ls=":", label="one mix: below this in 95 %")
    right.set_ylim(0.0, 1.0)
    right.set_ylabel("Jensen-Shannon distance", fontsize=8)
    right.tick_params(axis="x", labelrotation=30)
    _events(right, events, named=True)
    right.legend(fontsize=8, frameon=False)
    return figure


def plot_lags(lags: LeadLag) -> Figure:
    """Correlation by lag for each narrative, with the bound that chance stays below."""
    figure, axes = _figure(len(lags.labels), 6.0, 1.8)
    for axis, label, row, peak in zip(axes, lags.labels, lags.correlations, lags.peaks, strict=True):
        axis.axhspan(-lags.bound, lags.bound, color="tab:gray", alpha=0.2, lw=0)
        axis.axhline(0.0, color="black", lw=0.6)
        colours = [COLOURS[0] if abs(value) > lags.bound else "tab:gray" for value in row]
        axis.bar(lags.lags, row, color=colours, width=0.6)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(f"{_text(label)}, p = {peak.p_value:.3f}", fontsize=9, loc="left")
        axis.set_ylim(-1.0, 1.0)
    first, second = map(_text, lags.origins)
    figure.supxlabel(
        f"lag ({lags.every}s): left of 0 {second} moves first, right of it {first}; grey band: 95 % by chance",
        fontsize=8,
    )
    return figure


def plot_echoes(directions: Sequence[Direction]) -> Figure:
    """For each pair of origins, in which share of like texts the first named is the earlier."""
    figure, (axis,) = _figure(1, 6.0, 1.0 + 0.4 * max(len(directions), 1))
    shares = [direction.share for direction in directions]
    _bars(axis, np.arange(len(shares)), shares, 0.5, COLOURS[1], None)
    names = [f"{_text(d.first)} before {_text(d.second)}\n({d.pairs - d.ties} pairs)" for d in directions]
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.axvline(0.5, color="black", lw=0.8, ls=":")
    axis.set_xlim(0.0, 1.0)
    axis.set_xlabel("share of pairs", fontsize=8)
    return figure


def _figure(panels: int, width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    require("eval", "matplotlib")
    # The object interface: pyplot would choose a window system and keep global state.
    from matplotlib.figure import Figure

    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, height * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=columns == 1).ravel()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, axes


def _bars(axis: Any, places: Any, parts: Sequence[Estimate], height: float, colour: str, label: str | None) -> None:
    values = np.array([[part.value, part.low, part.high] for part in parts]).reshape(-1, 3)
    axis.barh(places, values[:, 0], height, color=colour, alpha=0.8, label=None if label is None else _text(label))
    axis.hlines(places, values[:, 1], values[:, 2], color="black", lw=1)


def _events(axis: Any, events: Mapping[str, str] | None, *, named: bool) -> None:
    for day, name in (events or {}).items():
        axis.axvline(np.datetime64(day), color="tab:gray", ls="--", lw=0.8)
        if named:
            place = (np.datetime64(day), 1.0)
            axis.annotate(_text(name), place, xycoords=("data", "axes fraction"), fontsize=7, rotation=30, va="bottom")


def _text(value: str) -> str:
    r"""Text that stays text: a dollar would start a formula."""
    return value.replace("$", r"\$")
