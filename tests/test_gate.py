"""The first stage of `load(..., fast=True)`: what it lets go, what it never changes, and what it refuses."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import CLAIM, EVENT, FILLER
from typer.testing import CliRunner

import fimi_nlp as fn
from fimi_nlp.errors import BundleError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("sklearn")

CASES = Path(__file__).parent / "behavioural" / "cases.jsonl"
TEXTS = [json.loads(line)["text"] for line in CASES.read_text(encoding="utf-8").splitlines()[::7]]
RECALL = 0.9


def _corpus(path: Path, texts: list[str] = TEXTS) -> fn.Corpus:
    splits = ("train", "dev", "test")
    rows = [
        {"id": str(i), "text": text, "narratives": {}, "split": splits[i % 3], "group": str(i)}
        for i, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return fn.Corpus.read(path)


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The bundled model with a first stage, and what was measured of it."""
    from fimi_nlp.training.gate import fit_gate

    folder = tmp_path_factory.mktemp("gate")
    corpus = _corpus(folder / "corpus.jsonl")
    return folder / "bundle", fit_gate(None, folder / "bundle", corpus, report=["test"], recall=RECALL)


@pytest.mark.parametrize("mode", list(fn.Mode))
def test_what_goes_on_is_tagged_as_without_and_nothing_is_added(gated: tuple[Path, Any], mode: fn.Mode) -> None:
    folder, measured = gated
    texts = [text for i, text in enumerate(TEXTS) if i % 3 == 2]
    fast, whole = fn.load(folder, mode=mode, fast=True).tag_many(texts), fn.load(folder, mode=mode).tag_many(texts)
    lost = flagged = read = 0
    for quick, full in zip(fast, whole, strict=True):
        flagged += bool(full.labels)
        if quick.reason is fn.Reason.SKIPPED:
            lost += bool(full.labels)
            assert (quick.narratives, quick.stance, quick.origin, dict(quick.scores)) == ((), None, None, {})
            assert (quick.windows, quick.language, quick.model) == (0, "en", full.model)
            assert 0 < quick.confidence < 1
        else:
            read += bool(full.windows)
            assert quick == full
    figures = measured["test"][mode.value]
    assert (figures["lost"], figures["flagged"], figures["read"]) == (lost, flagged, read)


def test_the_recall_asked_for_is_kept_where_it_was_set(gated: tuple[Path, dict[str, Any]]) -> None:
    for figures in gated[1]["dev"].values():
        assert figures["lost"] <= (1 - RECALL) * figures["flagged"]
        assert figures["read"] < figures["texts"]


def test_ways_of_asking_agree(gated: tuple[Path, Any]) -> None:
    tagger = fn.load(gated[0], fast=True)
    texts = [*TEXTS[:20], "", "Привет, как дела сегодня", FILLER * 30]
    together = tagger.tag_many(texts)
    assert [tagger.tag(text) for text in texts] == together
    assert pickle.loads(pickle.dumps(tagger)).tag_many(texts) == together
    assert "fast=True" in repr(tagger)
    assert tagger.embed([EVENT]).any()  # the first stage has no say in embeddings


def test_long_texts_are_always_read(gated: tuple[Path, Any]) -> None:
    tag = fn.load(gated[0], fast=True).tag(FILLER * 30 + CLAIM)
    assert "nato_alliances" in tag.labels


def test_the_figures_and_the_hash_are_in_the_bundle(gated: tuple[Path, dict[str, Any]]) -> None:
    folder, measured = gated
    assert json.loads((folder / "metrics.json").read_text())["gate"] == measured
    bundle = fn.Bundle.read(folder)
    assert bundle.config["gate"]["teacher"] == fn.load().bundle.name != bundle.name
    weights = np.load(folder / "gate.npy")
    weights[0] += 1
    np.save(folder / "gate.npy.tmp.npy", weights)
    copy = (folder / "gate.npy").read_bytes()
    try:
        (folder / "gate.npy.tmp.npy").replace(folder / "gate.npy")
        with pytest.raises(BundleError, match=r"gate.npy: SHA-256"):
            fn.load(folder)
    finally:
        (folder / "gate.npy").write_bytes(copy)


def test_own_thresholds_may_be_higher_and_not_lower(gated: tuple[Path, Any]) -> None:
    fn.load(gated[0], fast=True, thresholds={"multipolarity": 0.99})
    with pytest.raises(InputError, match="below that of mode 'balanced'"):
        fn.load(gated[0], fast=True, thresholds={"multipolarity": 0.01})


def test_a_bundle_without_one_says_how_to_get_one(bundle_copy: Callable[[], Path]) -> None:
    folder = bundle_copy()
    config = json.loads((folder / "config.json").read_text())
    config.pop("gate", None)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="fimi-nlp gate MODEL"):
        fn.load(folder, fast=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibrate": "nowhere"}, "no passages of split 'nowhere'"),
        ({"recall": 1.0}, "recall of the first stage"),
        ({"recall": 0.9999}, "cannot be told from that"),
    ],
)
def test_what_cannot_be_fitted_is_an_error(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    from fimi_nlp.training.gate import fit_gate

    with pytest.raises(InputError, match=message):
        fit_gate(None, tmp_path / "out", _corpus(tmp_path / "corpus.jsonl", TEXTS[:30]), **options)
    assert not (tmp_path / "out").exists()


def test_the_commands(gated: tuple[Path, Any], tmp_path: Path) -> None:
    from fimi_nlp.cli import app

    _corpus(tmp_path / "corpus.jsonl", TEXTS[:90])
    (tmp_path / "more.txt").write_text("\n".join(TEXTS[90:100]))
    arguments = ["gate", "default", str(tmp_path / "corpus.jsonl"), "--out", str(tmp_path / "out"), "--recall", "0.6"]
    done = CliRunner().invoke(app, [*arguments, "--texts", str(tmp_path / "more.txt")])
    assert done.exit_code == 0, done.output
    assert "dev, balanced:" in done.output
    skipped = [t for t, tag in zip(TEXTS, fn.load(gated[0], fast=True).tag_many(TEXTS), strict=True) if not tag.windows]
    done = CliRunner().invoke(app, ["tag", skipped[0], "--fast", "--model", str(gated[0])])
    assert json.loads(done.output)["reason"] == "SKIPPED"
