"""The examples of docs/evaluation.md run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "evaluation.md"


def test_the_examples_run() -> None:
    for module in ("sklearn", "scipy", "evaluate"):
        pytest.importorskip(module)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, PAGE.name, None, None)
    assert len(test.examples) > 20
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def test_every_figure_is_explained() -> None:
    pytest.importorskip("matplotlib")
    from fimi_nlp.evaluation.html import CAPTIONS
    from fimi_nlp.evaluation.plots import FIGURES

    assert set(CAPTIONS) == set(FIGURES)
    assert all(f"`{name}`" in PAGE.read_text() for name in FIGURES)
