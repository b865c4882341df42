"""Experiments side by side: means over seeds with their spread, as a Markdown table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Column heads and where the figure stands in a record.
COLUMNS = {
    "macro-F1": ("macro_f1",),
    "average precision": ("average_precision",),
    "flagged": ("flagged", "all"),
    "flagged, other": ("flagged", "other"),
    "stance F1": ("stance_f1",),
    "sub F1": ("sub_f1",),
    "origin F1": ("origin_f1",),
    "calibration error": ("ece",),
    "behavioural": ("behavioural", "all"),
    "fairness": ("behavioural", "fair"),
}


def table(records: Iterable[dict[str, Any]]) -> str:
    """Compare experiments.

    Parameters
    ----------
    records : iterable of dict
        As `run_plan` writes them. Runs of one experiment are put together; of an experiment with folds each seed counts
        as the mean of its folds.

    Returns
    -------
    str
        One Markdown table for each split that was reported on: means over seeds, and the standard deviation where there
        are several.
    """
    found: dict[str, dict[str, dict[int, list[dict[str, Any]]]]] = {}
    for record in records:
        for split, figures in record["figures"].items():
            seeds = found.setdefault(split, {}).setdefault(record["experiment"], {})
            # The suite has nothing to do with the split, and stands beside every one.
            seeds.setdefault(record["seed"], []).append({**figures, "behavioural": record.get("behavioural")})
    return "\n\n".join(_split_table(split, experiments) for split, experiments in found.items()) + "\n"


def _split_table(split: str, experiments: dict[str, dict[int, list[dict[str, Any]]]]) -> str:
    lines = [f"### `{split}`", "", f"| experiment | seeds | {' | '.join(COLUMNS)} |"]
    lines.append("| --- | ---: |" + " ---: |" * len(COLUMNS))
    for name, seeds in experiments.items():
        cells = [
            _cell([_mean([_at(run, path) for run in runs]) for runs in seeds.values()]) for path in COLUMNS.values()
        ]
        lines.append(f"| `{name}` | {len(seeds)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _at(figures: dict[str, Any], path: Sequence[str]) -> float:
    value: Any = figures
    for key in path:
        value = None if value is None else value.get(key)
    return float("nan") if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _cell(values: Sequence[float]) -> str:
    mean = _mean(values)
    if np.isnan(mean):
        return ""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{mean:.3f}{spread}"
