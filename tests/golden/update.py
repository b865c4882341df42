"""Rewrite the golden outputs from the bundled model. Look at every change before you commit it."""

from __future__ import annotations

import json
from pathlib import Path

import fimi_nlp as fn

HERE = Path(__file__).parent


def main() -> None:
    """Tag the texts alone, one by one, and keep what the test compares."""
    tagger = fn.load()
    texts = [json.loads(line) for line in (HERE / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = []
    for record in texts:
        tag = tagger.tag(record["text"]).to_dict()
        kept = {
            key: tag[key] for key in ("narratives", "stance", "origin", "confidence", "scores", "reason", "language")
        }
        lines.append(json.dumps({"id": record["id"], **kept}, ensure_ascii=False))
    head = json.dumps({"model": tagger.bundle.name})
    (HERE / "expected.jsonl").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
