"""The examples of docs/integrations.md are run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import fimi_nlp.integrations.spacy  # noqa: F401  (the entry point, where the package is not installed anew)

PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"


def test_the_examples_of_the_page_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, PAGE.name, None, None)
    assert len(test.examples) > 40
    assert doctest.DocTestRunner().run(test).failed == 0
