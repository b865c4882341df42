"""How fast a model is on this machine, and where the time goes: what ``fimi-nlp bench`` prints.

>>> from fimi_nlp.benchmark import Plan, run
>>> result = run(Plan(texts=40, rounds=1))      # doctest: +SKIP

The core is enough to measure the tagger. The extra ``train`` adds the peer, a transformers pipeline on the same
architecture, the limit that integer products have here, and the plot.
"""

from __future__ import annotations

from fimi_nlp.benchmark.run import Plan, run
from fimi_nlp.benchmark.workload import Workload

__all__ = ["Plan", "Workload", "run"]
