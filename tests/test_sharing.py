"""Handing a model on: folder, Hub, and a plain transformers checkpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
from typer.testing import CliRunner

import fimi_nlp as fn
from fimi_nlp.cli import app
from fimi_nlp.errors import BundleError, ExportError, InputError
from fimi_nlp.sharing import FILES, export_bundle, push

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_an_exported_bundle_is_the_same_model(tmp_path: Path, tagger: fn.Tagger) -> None:
    bundle = export_bundle(None, tmp_path / "deep" / "copy")
    assert bundle.name == tagger.bundle.name
    assert sorted(path.name for path in bundle.folder.iterdir()) == sorted(FILES)
    with pytest.raises(InputError, match="exists"):
        export_bundle(None, tmp_path / "deep" / "copy")


def test_a_damaged_bundle_is_not_handed_on(bundle_copy: Callable[[], Path], tmp_path: Path) -> None:
    folder = bundle_copy()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match="SHA-256"):
        export_bundle(folder, tmp_path / "out")
    with pytest.raises(BundleError, match="SHA-256"):
        push(folder, "someone/model", dry_run=True)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_lists_what_would_be_sent(bundle_copy: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: Any) -> None:
        raise AssertionError("a dry run asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    folder = bundle_copy()
    (folder / "notes.txt").write_text("private notes")
    upload = push(folder, "someone/model", dry_run=True)
    assert upload.private
    assert upload.url == ""
    assert [name for name, _ in upload.files] == list(FILES)
    assert upload.size == sum((folder / name).stat().st_size for name in FILES)
    result = CliRunner().invoke(app, ["push", str(folder), "someone/model", "--dry-run"])
    assert "nothing was sent" in result.output
    assert "model.onnx" in result.output
    assert "notes.txt" not in result.output


def test_a_push_makes_a_private_repository_and_sends_the_bundle_alone(
    bundle_copy: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    calls: dict[str, dict[str, Any]] = {}

    class Recorder(huggingface_hub.HfApi):
        def create_repo(self, repo_id: str, **options: Any) -> Any:
            calls["create"] = {"repo_id": repo_id, **options}

        def upload_folder(self, **options: Any) -> Any:
            calls["upload"] = options
            return type("Commit", (), {"commit_url": "https://example.org/commit"})

    monkeypatch.setattr(huggingface_hub, "HfApi", Recorder)
    folder = bundle_copy()
    upload = push(folder, "someone/model", branch="next")
    assert calls["create"] == {"repo_id": "someone/model", "private": True, "exist_ok": True}
    assert calls["upload"]["allow_patterns"] == list(FILES)
    assert (calls["upload"]["folder_path"], calls["upload"]["revision"]) == (folder, "next")
    assert upload.url == "https://example.org/commit"


def test_what_cannot_be_pushed_is_named(bundle_copy: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    with pytest.raises(InputError, match="owner/name"):
        push(None, "model", dry_run=True)
    folder = bundle_copy()
    (folder / "README.md").unlink()
    with pytest.raises(ExportError, match="no card"):
        push(folder, "someone/model", dry_run=True)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(ExportError, match=r"the Hub refused: no route"):
        push(None, "someone/model")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """A tiny bundle, the checkpoint that was fitted to it, and how far they agree."""
    pytest.importorskip("torch")
    from fimi_nlp.training import to_transformers

    folder = tmp_path_factory.mktemp("plain")
    bundle = tiny.write_bundle(folder / "bundle", tiny.write_encoder(folder / "encoder"))
    texts = [row["text"] for row in tiny.passages()]
    agreement = to_transformers(bundle, folder / "plain", texts, epochs=20, learning_rate=3e-3)
    return bundle, folder / "plain", agreement


def test_transformers_loads_the_checkpoint_by_itself(checkpoint: tuple[Path, Path, Any]) -> None:
    from transformers import AutoModelForSequenceClassification, pipeline

    bundle, folder, _ = checkpoint
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert type(model).__module__.startswith("transformers.")
    assert (folder / "model.safetensors").is_file()
    classify: Any = pipeline("text-classification", model=str(folder), top_k=None, truncation=True)
    texts = [row["text"] for row in tiny.passages()]
    answers = [{row["label"]: row["score"] for row in rows} for rows in classify(texts)]
    labels = fn.LabelSchema.default().narrative_labels
    assert set(answers[0]) == set(labels)
    # Each narrative has a probability of its own: they do not sum to one.
    assert any(abs(sum(answer.values()) - 1) > 0.05 for answer in answers)
    own = fn.load(bundle).tag_many(texts)
    mine = np.array([[answer[label] for label in labels] for answer in answers])
    theirs = np.array([[tag.scores[label] for label in labels] for tag in own])
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.7
    assert classify("word " * 500)


def test_the_agreement_is_measured_on_texts_held_out_and_written_down(checkpoint: tuple[Path, Path, Any]) -> None:
    _, folder, agreement = checkpoint
    count = len({row["text"] for row in tiny.passages()})
    assert agreement.held_out == round(0.2 * count)
    assert agreement.fitted + agreement.held_out == count
    assert all(0 <= value <= 1 for value in agreement.same.values())
    card = (folder / "README.md").read_text()
    assert agreement.to_markdown() in card
    assert "This is not the model" in card
    assert json.loads((folder / "metrics.json").read_text())["same"] == agreement.same
    names = [name for name, _ in push(folder, "someone/plain", dry_run=True).files]
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(names)


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from fimi_nlp.training import to_transformers

    with pytest.raises(InputError, match="at least 20"):
        to_transformers(None, tmp_path / "out", ["One text."] * 100)
    result = CliRunner().invoke(app, ["export", "default", str(tmp_path / "out"), "--format", "transformers"])
    assert result.exit_code == 2
    assert "--texts" in result.output
