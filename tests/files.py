"""What the tests of records share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

from fimi_nlp.batch import merge
from fimi_nlp.types import Score, Tag

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = ("jsonl", "csv", "tsv", "parquet")
FIXTURES_OK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tagged_record(number: int, labels: str = "", day: str = "2024-01-01", **columns: Any) -> dict[str, Any]:
    """A record as the tagger writes it, that carries these narratives."""
    tag = Tag(
        narratives=tuple(Score(label, 0.9, 0.5) for label in labels.split()),
        stance=Score("asserts", 0.9) if labels else None,
        origin=Score("other", 0.8),
        windows=1,
    )
    own = {"text": f"text {number}", "date": day, "source": f"s{number % 3}", "origin": "russia", **columns}
    return merge(own, tag, number)
