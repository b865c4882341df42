"""Starting from a trained model: a run folder gives its weights back exactly, a bundle to within its rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny

import fimi_nlp as fn
from fimi_nlp.errors import BundleError, RecipeError

torch = pytest.importorskip("torch")

from fimi_nlp.training import Recipe  # noqa: E402
from fimi_nlp.training.batches import encode  # noqa: E402
from fimi_nlp.training.encoders import load_encoder  # noqa: E402
from fimi_nlp.training.export import export_onnx  # noqa: E402
from fimi_nlp.training.fitting import build_model, fit, head_sizes  # noqa: E402
from fimi_nlp.training.loop import predict  # noqa: E402
from fimi_nlp.training.warm_start import read_trained, start_from  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from fimi_nlp.training.encoders import BaseEncoder
    from fimi_nlp.training.model import NarrativeModel

TEXTS = [row["text"] for row in tiny.passages()[:24]]


def fresh(name: str, schema: fn.LabelSchema) -> tuple[NarrativeModel, BaseEncoder]:
    base = load_encoder(name)
    torch.manual_seed(1)
    return build_model(base, head_sizes(schema), Recipe()), base


def test_the_bundled_encoder_comes_back_from_int8(tagger: fn.Tagger) -> None:
    model, base = fresh("all-MiniLM-L6-v2", tagger.schema)
    untouched = {name: value.clone() for name, value in base.encoder.state_dict().items()}
    assert start_from(model, base, tagger.schema, "default") == list(tagger.schema.narrative_labels)
    ids = encode(TEXTS, base, 192).ids
    with torch.no_grad():
        own = np.stack(
            [model.eval()(torch.tensor([i]), torch.ones(1, len(i)).long()).embedding[0].numpy() for i in ids]
        )
    cosine = (own * tagger.embed(TEXTS)).sum(1)
    assert cosine.min() > 0.96
    assert cosine.mean() > 0.985
    # What was frozen in training is the base encoder's own, to the last bit; what was trained is not.
    frozen, trained = (f"encoder.layer.{layer}.intermediate.dense.weight" for layer in (0, 5))
    assert torch.equal(base.encoder.state_dict()[frozen], untouched[frozen])
    assert not torch.equal(base.encoder.state_dict()[trained], untouched[trained])
    scores = [[tag.scores[label] for label in tagger.schema.narrative_labels] for tag in tagger.tag_many(TEXTS)]
    logits = predict(model, ids, base.pad)[:, :4]
    assert np.corrcoef(logits.ravel(), np.array(scores).ravel())[0, 1] > 0.85


def test_a_graph_gives_back_the_weights_that_went_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    from fimi_nlp.training import warm_start

    schema = fn.LabelSchema.default()
    model, base = fresh(str(tiny.write_encoder(tmp_path / "encoder", layers=2)), schema)
    # Training moves every parameter; as they are made, some are all ones or zeros, which the exporter writes once.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    fp32, int8 = export_onnx(model, tmp_path, heads=2, hidden=base.hidden)
    for path, exact in ((fp32, True), (int8, False)):
        weights, steps = warm_start._weights(onnx.load(str(path)).graph)
        state = {k: v for k, v in model.state_dict().items() if "pooler" not in k and k != "lexical_weight"}
        assert set(weights) == set(state)
        assert bool(steps) is not exact
        for name, value in state.items():
            off = (weights[name] - value).abs()
            assert (off <= 0.5001 * steps[name] if name in steps else off < 1e-6).all(), name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A short run and what it fitted."""
    folder = tmp_path_factory.mktemp("start")
    corpus = fn.Corpus.read(tiny.passages())
    recipe = Recipe.from_dict(
        {"model": {"encoder": str(tiny.write_encoder(folder / "encoder")), "lexical": False}, "training": {"epochs": 1}}
    )
    parts = corpus.filter(split="train"), corpus.filter(split="dev")
    return folder, fit(recipe, *parts, folder / "run", fingerprint="x", progress=False)


def test_a_run_gives_its_weights_back_exactly(run: tuple[Path, Any]) -> None:
    folder, fitted = run
    schema = fn.LabelSchema.default()
    model, base = fresh(str(folder / "encoder"), schema)
    start_from(model, base, schema, str(folder / "run"))
    ids = encode(TEXTS, base, 64).ids
    np.testing.assert_array_equal(predict(model, ids, base.pad), predict(fitted.model, ids, base.pad))


def test_heads_are_taken_over_by_name(run: tuple[Path, Any]) -> None:
    folder, fitted = run
    source = (
        'version = 1\nname = "more"\n[[narratives]]\nlabel = "doom"\n[[narratives]]\nlabel = "nato_alliances"\n'
        '[[narratives.subs]]\nlabel = "vassals"\n[[narratives.subs]]\nlabel = "novelty"\n'
        '[[origins]]\nlabel = "other"\n[[origins]]\nlabel = "mars"\n'
    )
    schema = fn.LabelSchema.from_string(source)
    model, base = fresh(str(folder / "encoder"), schema)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert start_from(model, base, schema, str(folder / "run")) == ["nato_alliances"]
    now, old = model.state_dict(), fitted.model.state_dict()
    nato = fn.LabelSchema.default().narrative_labels.index("nato_alliances")
    assert torch.equal(now["narrative_weight"][1], old["narrative_weight"][nato])
    assert torch.equal(now["pool.query"][1], old["pool.query"][nato])
    assert torch.equal(now["pool.query"][3], old["pool.query"][5])
    assert torch.equal(now["narrative_weight"][0], before["narrative_weight"][0])
    vassals = fn.LabelSchema.default().sub_labels("nato_alliances").index("vassals")
    assert torch.equal(now["sub_heads.1.weight"][0], old[f"sub_heads.{nato}.weight"][vassals])
    assert torch.equal(now["sub_heads.1.weight"][1], before["sub_heads.1.weight"][1])
    assert torch.equal(now["origin_head.weight"][0], old["origin_head.weight"][2])
    assert torch.equal(now["origin_head.bias"][1], before["origin_head.bias"][1])


def test_a_start_of_another_encoder_is_refused(run: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = run
    schema = fn.LabelSchema.default()
    model, base = fresh(str(folder / "encoder"), schema)
    with pytest.raises(BundleError, match="tokenizer"):
        start_from(model, base, schema, "default")
    other, other_base = fresh(str(tiny.write_encoder(tmp_path / "deeper", layers=2)), schema)
    with pytest.raises(BundleError, match="the encoder that it was trained from"):
        start_from(other, other_base, schema, str(folder / "run"))
    with pytest.raises(BundleError, match="no such model folder"):
        read_trained(str(tmp_path / "nothing"))


def test_a_recipe_starts_from_a_run(run: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = run
    (tmp_path / "old").mkdir()
    recipe = Recipe.from_dict(
        {
            "model": {"encoder": str(folder / "encoder"), "lexical": False, "start": str(folder / "run")},
            "training": {"epochs": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9, "average": 0.0},
        }
    )
    corpus = fn.Corpus.read(tiny.passages())
    parts = corpus.filter(split="train"), corpus.filter(split="dev")
    fitted = fit(recipe, *parts, tmp_path / "run", fingerprint="x", progress=False)
    ids = encode(TEXTS, fitted.base, 64).ids
    np.testing.assert_allclose(predict(fitted.model, ids, 0), predict(run[1].model, ids, 0), atol=1e-4)
    assert fitted.started == list(corpus.schema.narrative_labels)
    assert recipe.published()["model"]["start"] == "run"


def test_the_weights_kept_can_lie_between_start_and_end(run: tuple[Path, Any], tmp_path: Path) -> None:
    folder, fitted = run
    corpus = fn.Corpus.read(tiny.passages())
    parts = corpus.filter(split="train"), corpus.filter(split="dev")
    start = {"encoder": str(folder / "encoder"), "lexical": False, "start": str(folder / "run")}

    def weights(share: float) -> dict[str, Any]:
        recipe = Recipe.from_dict({"model": {**start, "start_share": share}, "training": {"epochs": 1}})
        return fit(recipe, *parts, tmp_path / str(share), fingerprint="x", progress=False).model.state_dict()

    first, last, between = fitted.model.state_dict(), weights(0.0), weights(0.25)
    assert not torch.equal(first["narrative_weight"], last["narrative_weight"])
    for name, value in between.items():
        torch.testing.assert_close(value, 0.25 * first[name] + 0.75 * last[name], msg=name)


def test_no_mean_with_heads_that_were_not_there(run: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = run
    schema = fn.LabelSchema.from_string('version = 1\nname = "more"\n[[narratives]]\nlabel = "doom"\n')
    corpus = fn.Corpus.read([{"text": text, "narratives": ["doom"]} for text in TEXTS], schema=schema)
    recipe = Recipe.from_dict(
        {
            "model": {
                "encoder": str(folder / "encoder"),
                "lexical": False,
                "start": str(folder / "run"),
                "start_share": 0.5,
            }
        }
    )
    with pytest.raises(RecipeError, match="does not know 'doom'"):
        fit(recipe, corpus, corpus, tmp_path, fingerprint="x", progress=False)
    with pytest.raises(RecipeError, match=r"0 unless model\.start is set"):
        Recipe.from_dict({"model": {"start_share": 0.5}})
