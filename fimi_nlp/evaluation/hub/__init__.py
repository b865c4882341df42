"""The metric of narratives as a module for the Hugging Face library `evaluate`."""

from __future__ import annotations

from pathlib import Path


def metric_path() -> str:
    """Folder of the metric, for ``evaluate.load``, which then needs no network; it can be pushed as a Space too.

    Examples
    --------
    >>> import evaluate
    >>> metric = evaluate.load(metric_path())
    >>> metric.compute(predictions=[["multipolarity"], []], references=[["multipolarity"], []])["macro_f1"]
    1.0
    """
    return str(Path(__file__).parent / "fimi_narratives")
