"""The plot of a training log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def plot_history(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw the loss and the dev score of each epoch into a PNG file.

    Parameters
    ----------
    history : sequence of dict
        Records of `Loop.run`.
    path : Path
        Where the picture goes.
    """
    from fimi_nlp.errors import require

    require("train", "matplotlib")
    # The object interface: pyplot would choose a window system and keep global state.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [record["epoch"] for record in history]
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    left = figure.subplots()
    left.plot(epochs, [record["loss"] for record in history], color="tab:gray", marker="o", label="training loss")
    left.set_xlabel("epoch")
    left.set_ylabel("training loss")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right = left.twinx()
    scores = [record["dev_average_precision"] for record in history]
    right.plot(epochs, scores, color="tab:blue", marker="s", label="dev average precision")
    right.set_ylabel("dev average precision", color="tab:blue")
    figure.savefig(path, dpi=120)
