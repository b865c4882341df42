"""The examples of docs/integrations.md are run; a module whose extra is missing says which."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fimi_nlp.integrations.spacy  # noqa: F401  (the entry point, where the package is not installed anew)

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize(("page", "least"), [("integrations.md", 41), ("scale.md", 7)])
def test_the_examples_of_the_page_run(page: str, least: int) -> None:
    examples = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, page, None, None)
    assert len(test.examples) >= least
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("sklearn", "sklearn", "sklearn"),
        ("spacy", "spacy", "spacy"),
        ("pandas", "pandas", "pandas"),
        ("polars", "polars", "polars"),
        ("arrow", "pyarrow", "parquet"),
        ("ray", "ray", "ray"),
    ],
)
def test_a_missing_extra_names_the_command(module: str, library: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules['{library}'] = None\n"
        f"try: import fimi_nlp.integrations.{module}\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert f'pip install "fimi-nlp[{extra}]"' in done.stdout


def test_the_stand_in_for_transformers_brings_nothing() -> None:
    code = (
        "import sys, fimi_nlp.integrations.transformers; print({'torch', 'transformers', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"
