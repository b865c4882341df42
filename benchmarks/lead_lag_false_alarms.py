"""How often `lead_lag` finds an order in time where there is none, and where there is one.

    python benchmarks/lead_lag_false_alarms.py --corpora 1000

Simulated corpora of four narratives and two origins, 40 texts of each a week, lags of up to 8 weeks, level 5 %. For the
false alarms the origins are independent; for the power the second follows the first in one narrative after two weeks.
The naive reading is the correlation of the raw series at the best lag of the best narrative, taken at face value.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from fimi_nlp.evaluation.convergence import lead_lag, simulate

LEVEL = 0.05
LAG = 2


def trial(weeks: int, autocorrelation: float, corpora: int, permutations: int) -> dict[str, Any]:
    """Rates over as many corpora of each kind."""
    ours = naive = power = 0
    for seed in range(corpora):
        shape: dict[str, Any] = {"weeks": weeks, "autocorrelation": autocorrelation, "seed": seed}
        found = lead_lag(simulate(**shape), permutations=permutations, seed=seed)
        ours += found.p_value <= LEVEL
        naive += min(peak.naive_p_value for peak in found.peaks) <= LEVEL
        peak = lead_lag(simulate(lag=LAG, **shape), permutations=permutations, seed=seed).peaks[0]
        power += peak.p_value <= LEVEL and peak.lag == LAG
    interval = binomtest(ours, corpora).proportion_ci(method="wilson")
    return {
        "weeks": weeks,
        "autocorrelation": autocorrelation,
        "naive": round(naive / corpora, 3),
        "false_alarms": round(ours / corpora, 3),
        "interval": [round(float(interval.low), 3), round(float(interval.high), 3)],
        "lag_found": round(power / corpora, 3),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--out", type=Path, help="Write the figures as JSON.")
    arguments = parser.parse_args()
    rows = []
    print(
        "| weeks | autocorrelation | naive | this test | lag of two weeks found |\n| ---: | ---: | ---: | ---: | ---: |"
    )
    for weeks in (52, 104):
        for autocorrelation in (0.0, 0.5, 0.8, 0.9):
            row = trial(weeks, autocorrelation, arguments.corpora, arguments.permutations)
            rows.append(row)
            low, high = row["interval"]
            alarms = f"{row['false_alarms']:.1%} [{low:.1%}, {high:.1%}]"
            print(
                f"| {weeks} | {autocorrelation} | {row['naive']:.0%} | {alarms} | {row['lag_found']:.0%} |", flush=True
            )
    if arguments.out:
        record = {"corpora": arguments.corpora, "permutations": arguments.permutations, "level": LEVEL, "rows": rows}
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
