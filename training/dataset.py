"""Build the authored dataset from its readings, and print the figures of its datasheet.

    python training/dataset.py build       # readings.jsonl -> passages.jsonl, passages.parquet
    python training/dataset.py describe    # agreement, coverage, diversity; --reference FILE adds the comparison

``readings.jsonl`` is the source: every text that was written, what it was written to say, and how independent readers
labelled it from the codebook alone. A passage is kept with the labels that two readings share.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

from fimi_nlp._toml import read_toml
from fimi_nlp.data import Corpus, agreement, coverage, diversity
from fimi_nlp.errors import InputError
from fimi_nlp.schema import NO_STANCE, LabelSchema

FOLDER = Path(__file__).parent / "data"
KINDS = {
    "headline": "headline",
    "post": "post",
    "statement": "statement",
    "speech": "speech",
    "op_ed": "opinion",
    "news_report": "news",
    "analysis": "analysis",
}
#: Sets of readings of passages whose labels are known.
CONTROLS = ("control", "control_uncertain", "control_doubted")
Reading = dict[str, Any]


def readings() -> list[dict[str, Any]]:
    """Every text with its readings; the first is what the text was written to say."""
    return [json.loads(line) for line in (FOLDER / "readings.jsonl").read_text(encoding="utf-8").splitlines()]


def settle(found: list[Reading]) -> Reading | None:
    """The labels that two readings share: first the narratives, then, among those, stance and subs.

    Readings that agree on the narratives may differ on a sub; then the sub that most of them gave is kept, and none
    where there is no such sub. ``None``: no two readings agree, and the passage is dropped.
    """
    for one, two in itertools.combinations(range(len(found)), 2):
        labels = set(found[one]["narratives"])
        if labels != set(found[two]["narratives"]):
            continue
        agreed = [reading for reading in found if set(reading["narratives"]) == labels]
        stance = _shared([reading["stance"] for reading in agreed])
        if stance is None:
            return None
        subs = {label: _shared([reading["narratives"][label] for reading in agreed]) for label in sorted(labels)}
        return {"narratives": {k: True if v is None else v for k, v in subs.items()}, "stance": stance}
    return None


def _shared(values: list[str]) -> str | None:
    """The value that at least two readings gave."""
    value, count = Counter(values).most_common(1)[0]
    return value if count >= 2 else None


def passages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The passages that are kept, in the format of `Corpus`."""
    kept = []
    for row in rows:
        labels = settle([row["written"], *row["read"]])
        if labels is None:
            continue
        design = row["design"]
        kept.append(
            {
                "id": row["id"],
                "text": row["text"],
                **labels,
                "source": "authored",
                "kind": KINDS[design["register"]],
                "group": row["pair_id"] or row["id"],
                "split": "train",
                "lang": "en",
                "register": design["register"],
                "voice": design["voice"],
                "topic": design["topic"],
                "decade": design["decade"],
                "pair_id": row["pair_id"],
                "change": row["change"],
            }
        )
    # A pair shows something only while both of it are there and what they carry, or their stance, differs.
    sides: dict[str, list[str]] = {}
    for row in kept:
        if row["pair_id"]:
            sides.setdefault(row["pair_id"], []).append(json.dumps([sorted(row["narratives"]), row["stance"]]))
    for row in kept:
        if row["pair_id"] and len(set(sides[row["pair_id"]])) < 2:
            row["pair_id"] = row["change"] = None
    return [{key: value for key, value in row.items() if value is not None} for row in kept]


def design() -> dict[str, Any]:
    """The grid, and which cells are empty on purpose."""
    return read_toml(FOLDER / "design.toml", InputError)


def cells(grid: dict[str, Any], schema: LabelSchema) -> set[tuple[str, str, str, str, str]]:
    """Every cell that must hold a passage: narrative, sub, stance, register, voice."""
    subs = [(label, sub.label) for label in schema.narrative_labels for sub in schema[label].subs]
    product = itertools.product(subs, grid["stances"], grid["registers"], grid["voices"])
    return {(*sub, *rest) for sub, *rest in product if not _absent(grid, *rest)}  # type: ignore[misc]


def _absent(grid: dict[str, Any], stance: str, register: str, voice: str) -> bool:
    place = {"stance": stance, "register": register, "voice": voice}
    return any(all(value in rule.get(key, [value]) for key, value in place.items()) for rule in grid["absent"])


def filled(rows: list[dict[str, Any]]) -> set[tuple[str, str, str, str, str]]:
    """The cells that hold a passage."""
    return {
        (label, str(sub), row["stance"], row["register"], row["voice"])
        for row in rows
        for label, sub in row["narratives"].items()
    }


def build(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Write ``passages.jsonl`` and ``passages.parquet``."""
    rows = passages(readings())
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "passages.jsonl").write_text(lines, encoding="utf-8")
    Corpus.read(folder / "passages.jsonl").to_parquet(folder / "passages.parquet")
    return rows


def describe(reference: Path | None) -> dict[str, Any]:
    """The figures of the datasheet."""
    rows, schema = readings(), LabelSchema.default()
    kept = passages(rows)
    corpus = Corpus.read(kept)
    named = [row for row in kept if row["narratives"]]
    pairs = Counter(row["pair_id"] for row in kept if row.get("pair_id"))
    wanted = cells(design(), schema)
    first = Corpus.read([_reading(row, row["written"]) for row in rows])
    second = Corpus.read([_reading(row, row["read"][0]) for row in rows if row["read"]])
    source = None if reference is None else Corpus.read(reference).filter(split="train")
    return {
        "written": len(rows),
        "kept": len(kept),
        "carrying": len(named),
        "no_narrative_share": round(1 - len(named) / len(kept), 4),
        "in_pairs_share": round(sum(pairs.values()) / len(kept), 4),
        "pairs": len(pairs),
        "pairs_by_change": dict(Counter(row["change"].partition(":")[0] for row in kept if row.get("change"))),
        "stance": dict(Counter(row["stance"] for row in kept)),
        "narratives": dict(Counter(label for row in kept for label in row["narratives"])),
        "cells": len(wanted),
        "cells_filled": len(wanted & filled(kept)),
        "cells_empty": sorted(map("/".join, wanted - filled(kept))),
        "agreement": agreement(first, second).to_dict(),
        "controls": None if reference is None else _controls(Corpus.read(reference)),
        "diversity": diversity(corpus, source).to_dict(),
        "diversity_of_reference": None if source is None else diversity(source).to_dict(),
        "coverage": coverage(corpus, by=("register", "voice")).to_dict(),
    }


def _controls(labelled: Corpus) -> dict[str, Any]:
    """Agreement of later readers with the labels of the real passages that were read among others, by set."""
    lines = (FOLDER.parent / "standoff" / "readings.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {name: _agreement([r for r in rows if r["set"] == name], labelled) for name in CONTROLS}


def _agreement(rows: list[dict[str, Any]], labelled: Corpus) -> dict[str, Any]:
    found = {row["id"]: row for row in rows}
    given = labelled.filter(lambda passage: passage.id in found)
    read = [{**found[passage.id], "text": passage.text, "group": passage.group, "unsure": []} for passage in given]
    return agreement(given, Corpus.read(read)).to_dict()


def _reading(row: dict[str, Any], reading: Reading) -> dict[str, Any]:
    narratives = {k: True if v is None else v for k, v in reading["narratives"].items()}
    stance = reading["stance"] if narratives else NO_STANCE
    return {"id": row["id"], "text": row["text"], "group": row["pair_id"], "narratives": narratives, "stance": stance}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["build", "describe"])
    parser.add_argument("--reference", type=Path, help="real passages to compare the wording with")
    options = parser.parse_args()
    if options.command == "build":
        print(f"{len(build())} passages")
    else:
        print(json.dumps(describe(options.reference), indent=1))


if __name__ == "__main__":
    main()
