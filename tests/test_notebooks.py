"""Notebooks run from top to bottom, and their committed outputs are those of their code."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def _read(path: Path) -> nbformat.NotebookNode:
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def _kinds(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """What each code cell puts out; printing in one go or in several is the same."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            outputs = [out.output_type for out in cell.outputs]
            found.append([kind for i, kind in enumerate(outputs) if kind != "stream" or "stream" not in outputs[:i]])
    return found


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook(path: Path) -> None:
    committed = _read(path)
    nbformat.validate(committed)
    opening = committed.cells[0].source
    assert opening.startswith("# ")
    assert "**Needs**" in opening
    assert "**Takes**" in opening
    text = path.read_text(encoding="utf-8")
    assert not any(
        place in text for place in ("/home/", "/root/", "/tmp/", "/work/", "site-packages", str(Path.home()))
    )

    notebook = _read(path)
    manager = AsyncKernelManager(kernel_name="python3")
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = sys.executable
    client = NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()
    assert _kinds(notebook) == _kinds(committed)
