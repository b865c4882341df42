"""Bundles: what is checked before anything is used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import fimi_nlp as fn
from fimi_nlp.bundle import find
from fimi_nlp.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


def test_the_bundled_model_is_complete() -> None:
    folder = find()
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "gate.npy",
        "metrics.json",
        "model.onnx",
        "tokenizer.json",
    ]
    assert (folder / "model.onnx").stat().st_size < 32_000_000
    bundle = fn.Bundle.read(folder)
    assert bundle.schema == fn.LabelSchema.default()
    record = bundle.config["training"]
    assert record["data"]["fingerprint"]
    assert record["versions"]["torch"]
    assert bundle.config["base_model"]["sha256"].startswith("53aa5117")
    assert bundle.config["parity"]["fp32_largest"] <= 1e-4
    assert bundle.config["parity"]["int8_mean"] <= 1e-2


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json: not found"),
        (lambda f: (f / "model.onnx").unlink(), "model.onnx: not found"),
        (lambda f: (f / "model.onnx").write_bytes(b"x"), "model.onnx: SHA-256 is"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer.json: SHA-256 is"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: cannot be read"),
        (lambda f: (f / "config.json").write_text("{}"), "'format' is not"),
        (lambda f: _edit(f, lambda c: c.update(version=2)), "bundle version 2; this release reads version 1"),
        (lambda f: _edit(f, lambda c: c.pop("tokens")), "key 'tokens' is missing"),
        (lambda f: _edit(f, lambda c: c["thresholds"].pop("balanced")), "key 'balanced' is missing"),
        (lambda f: _edit(f, lambda c: c["thresholds"]["balanced"].popitem()), "thresholds of mode 'balanced'"),
        (lambda f: _edit(f, lambda c: c["files"].update({"../x": "0"})), "outside the folder"),
        (lambda f: _edit(f, lambda c: c["schema"].update(narratives=[])), "the schema has no narratives"),
    ],
)
def test_damage_is_found_and_named(
    bundle_copy: Callable[[], Path], damage: Callable[[Path], object], message: str
) -> None:
    folder = bundle_copy()
    damage(folder)
    with pytest.raises(BundleError) as caught:
        fn.load(folder)
    assert message in str(caught.value)


def test_a_copy_elsewhere_is_the_same_model(bundle_copy: Callable[[], Path], tagger: fn.Tagger) -> None:
    assert fn.load(bundle_copy()).bundle.name == tagger.bundle.name


def test_a_missing_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such model folder"):
        fn.load(tmp_path / "nowhere")


def test_a_hub_id_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(*args: object, **kwargs: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(BundleError, match="no network"):
        fn.load("somebody/some-model", revision="abc")
