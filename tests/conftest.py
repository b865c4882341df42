"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fimi_nlp as fn
from fimi_nlp.bundle import find

if TYPE_CHECKING:
    from collections.abc import Callable

CLAIM = "NATO has expanded right up to our borders and provoked this war on purpose."
EVENT = "The heads of government will meet in Vilnius next week to discuss the budget."
FILLER = "The local council met on Tuesday to talk about the new bus timetable and the swimming pool. "


@pytest.fixture(scope="session")
def tagger() -> fn.Tagger:
    """The bundled model."""
    return fn.load()


@pytest.fixture
def bundle_copy(tmp_path: Path) -> Callable[[], Path]:
    """Makes copies of the bundled model that a test may damage."""

    def copy() -> Path:
        import shutil

        return Path(shutil.copytree(find(), tmp_path / "bundle"))

    return copy
