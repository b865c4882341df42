"""Examples in README and docstrings are run; links in the docs lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fimi_nlp

ROOT = Path(__file__).parent.parent
PACKAGE = Path(fimi_nlp.__file__).parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def _modules() -> list[str]:
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts) for path in paths if path.stem not in {"__init__", "__main__"})


@pytest.mark.parametrize("name", [*_modules(), "fimi_nlp"])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), optionflags=OPTIONS).failed == 0


def test_readme_python_examples() -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(examples) >= 2
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, "README.md", None, None)
    assert len(test.examples) > 10
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(test).failed == 0


@pytest.mark.parametrize("name", ["convergence.md", "explanations.md"])
def test_examples_in_the_docs(name: str) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / name).read_text(), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, name, None, None)
    assert len(test.examples) > 5
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(test).failed == 0


def test_readme_file_commands(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## Tag files")[1].split("\n## ")[0]
    commands = re.findall(r"^\$ (.+)$", section, re.MULTILINE)
    assert len(commands) == 4
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, env=environment, timeout=120)
        assert done.returncode == 0, (command, done.stderr.decode())
    assert (tmp_path / "tags.csv").read_text().count("western_hypocrisy") >= 1
    assert len((tmp_path / "tags.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        assert other.exists(), target
        assert not anchor or anchor in _anchors(other), target


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_command_in_the_readme_exists() -> None:
    from typer.main import get_command

    from fimi_nlp.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"^\$ (?:.*&& )?fimi-nlp (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert used <= known
    assert {"tag", "train", "evaluate", "data"} <= used
