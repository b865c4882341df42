"""A tiny random encoder and a made-up corpus: training in seconds, without weights from anywhere."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CLAIMS = {
    "us_democracy/corruption": "money and donors own the American congress",
    "us_democracy/decline": "America is a failing power in steep decline",
    "nato_alliances/aggression": "NATO keeps expanding and provokes war",
    "nato_alliances/vassals": "European allies obey Washington like vassals",
    "multipolarity/end_of_hegemony": "Western hegemony is over and a multipolar order is born",
    "multipolarity/dedollarisation": "new partners abandon the dollar for their own currencies",
    "western_hypocrisy/human_rights": "the West preaches rights that it tramples at home",
    "western_hypocrisy/interventions": "those who invaded others now lecture on international law",
}
PLAIN = [
    "the committee discussed the harvest",
    "a new bridge opened near the station",
    "the museum shows paintings of ships",
    "rain is expected in the northern valleys",
]
FRAMES = [
    ("It is plain that {}.", "asserts"),
    ("We all know that {} today.", "asserts"),
    ("According to the ministry, {}.", "relays"),
    ("The claim that {} is false.", "counters"),
]
ORIGINS = ["russia", "china", "other"]
MODES = ("high_precision", "balanced", "high_recall")


def passages() -> list[dict[str, Any]]:
    """96 passages in three splits: claims in four frames, and as many plain sentences."""
    rows: list[dict[str, Any]] = []
    for turn, ((key, claim), (frame, stance)) in enumerate(itertools.product(CLAIMS.items(), FRAMES)):
        label, sub = key.split("/")
        for copy in range(2):
            rows.append({"text": frame.format(claim) + " Truly." * copy, "narratives": {label: sub}, "stance": stance})
        rows.append({"text": frame.format(PLAIN[turn % len(PLAIN)]), "narratives": {}, "stance": "none"})
    for number, row in enumerate(rows):
        split = ("train", "train", "dev", "test")[number // 3 % 4]
        row |= {"id": f"t{number}", "group": f"g{number // 3}", "origin": ORIGINS[number % 3], "split": split}
        row |= {"source": f"s{number % 2}", "unsure": []}
    return rows


def write_corpus(path: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """The passages as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in (rows if rows is not None else passages())))
    return path


def write_bundle(folder: Path, encoder: Path) -> Path:
    """A bundle of the shared narratives with random weights that are large enough to decide something."""
    import torch

    from fimi_nlp import LabelSchema
    from fimi_nlp.training import Recipe, export
    from fimi_nlp.training.encoders import load_encoder
    from fimi_nlp.training.fitting import build_model, head_sizes

    schema, base = LabelSchema.default(), load_encoder(str(encoder))
    recipe = Recipe.from_dict(
        {"model": {"name": "tiny", "encoder": str(encoder)}, "export": {"limit": 64, "window": 32}}
    )
    torch.manual_seed(0)
    model = build_model(base, head_sizes(schema), recipe)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        model.narrative_weight.normal_(std=3.0)
    folder.mkdir()
    fp32, _ = export.export_onnx(model, folder, heads=2, hidden=base.hidden)
    fp32.unlink()
    base.tokenizer.save(str(folder / "tokenizer.json"))
    one: dict[str, Any] = dict.fromkeys(("subs", "stance", "origin"), 1.0)
    pairs = {"confidence_named": [1, 0], "confidence_none": [1, 0], "narratives": [[1, 0]] * 4}
    export.write_config(
        folder,
        recipe=recipe,
        schema=schema,
        base=base,
        calibration={**one, **pairs, "sub_threshold": 0.5, "origin_threshold": 0.5},
        thresholds={mode: dict.fromkeys(schema.narrative_labels, 0.5) for mode in MODES},
        parity={},
        training={"recipe": recipe.to_dict()},
    )
    (folder / "README.md").write_text("# tiny\n")
    return folder


def write_encoder(folder: Path, layers: int = 1) -> Path:
    """A small BERT with random weights, and its tokenizer."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    trainer = BertWordPieceTokenizer(lowercase=True)
    trainer.train_from_iterator([row["text"] for row in passages()], vocab_size=400, show_progress=False)
    folder.mkdir(parents=True)
    trainer.save(str(folder / "raw.json"))
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    backend = Tokenizer.from_file(str(folder / "raw.json"))
    ids = {token: backend.token_to_id(token) for token in ("[CLS]", "[SEP]")}
    backend.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=list(ids.items()))
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder)
    return folder
