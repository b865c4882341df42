"""The figures of docs/performance.md: the tagger beside a transformers pipeline, all in one run.

    python benchmarks/throughput.py [--quick]

Needs the extra ``train``. Writes ``throughput.json`` and ``throughput.png`` in ``results``. A quiet machine gives
steady figures; on a busy one, read the ratios, which are taken round by round.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fimi_nlp.benchmark import Plan, run
from fimi_nlp.benchmark.report import lines, plot

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="A bundle's folder; by default the bundled model.")
    parser.add_argument("--quick", action="store_true", help="A minute instead of ten: to see that it runs.")
    arguments = parser.parse_args()
    plan = Plan(arguments.model, texts=400, rounds=7, singles=300, stream=100_000, document=100_000, cold=7)
    if arguments.quick:
        plan = Plan(arguments.model, texts=40, rounds=2, singles=20, stream=400, document=1_000, cold=1)
    result = run(plan, print)
    print("\n".join(lines(result)))
    if not arguments.quick:
        (RESULTS / "throughput.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        plot(result, RESULTS / "throughput.png")


if __name__ == "__main__":
    main()
