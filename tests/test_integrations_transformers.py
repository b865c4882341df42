"""`as_pipeline` beside a real text-classification pipeline on a tiny random BERT."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import pytest
from conftest import CLAIM, EVENT
from tiny import write_encoder

from fimi_nlp.errors import InputError, InputTypeError
from fimi_nlp.integrations.transformers import as_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    import fimi_nlp as fn

UNSET = object()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, tagger: fn.Tagger) -> Any:
    """Makes pipelines of transformers with the same labels."""
    import transformers

    library: Any = transformers

    folder = write_encoder(tmp_path_factory.mktemp("bert") / "encoder")
    labels = dict(enumerate(tagger.schema.narrative_labels))
    model = library.BertForSequenceClassification.from_pretrained(
        folder, num_labels=len(labels), id2label=labels, problem_type="multi_label_classification"
    )
    tokenizer = library.AutoTokenizer.from_pretrained(folder)

    def make(**options: Any) -> Any:
        return library.pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu", **options)

    return make


def shape(found: Any) -> Any:
    """Types, lengths and keys, with every value that may differ taken out."""
    if isinstance(found, dict):
        assert isinstance(found["label"], str)
        assert isinstance(found["score"], float)
        return sorted(found)
    if isinstance(found, list):
        return [shape(item) for item in found]
    return ["lazy", [shape(item) for item in found]]


def key_dataset(texts: list[str]) -> Any:
    from datasets import Dataset
    from transformers.pipelines import pt_utils

    library: Any = pt_utils
    return library.KeyDataset(Dataset.from_dict({"text": texts}), "text")


INPUTS: dict[str, Callable[[], Any]] = {
    "text": lambda: CLAIM,
    "list": lambda: [CLAIM, EVENT],
    "list of one": lambda: [CLAIM],
    "mapping": lambda: {"text": CLAIM},
    "list of mappings": lambda: [{"text": CLAIM}, {"text": EVENT}],
    "generator": lambda: (text for text in [CLAIM, EVENT]),
    "generator of mappings": lambda: ({"text": text} for text in [CLAIM, EVENT]),
    "data set": lambda: key_dataset([CLAIM, EVENT]),
}


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("at_call", [UNSET, None, 1, 2], ids=["unset", "None", "1", "2"])
@pytest.mark.parametrize("at_start", [UNSET, None, 1, 3], ids=["unset", "None", "1", "3"])
def test_shapes_are_those_of_transformers(
    real: Any, tagger: fn.Tagger, inputs: str, at_start: Any, at_call: Any
) -> None:
    start = {} if at_start is UNSET else {"top_k": at_start}
    call = {} if at_call is UNSET else {"top_k": at_call}
    theirs = real(**start)(INPUTS[inputs](), **call)
    ours = as_pipeline(tagger, **start)(INPUTS[inputs](), **call)
    assert shape(ours) == shape(theirs)


def test_an_empty_list(real: Any, tagger: fn.Tagger) -> None:
    assert as_pipeline(tagger)([]) == []
    assert list(as_pipeline(tagger)(iter([]))) == []


def test_scores_are_the_calibrated_probabilities(tagger: fn.Tagger) -> None:
    found = as_pipeline(tagger, top_k=None)([CLAIM, EVENT, ""])
    for scores, tag in zip(found, tagger.tag_many([CLAIM, EVENT, ""]), strict=True):
        labels = tagger.schema.narrative_labels
        assert {entry["label"]: entry["score"] for entry in scores} == {
            label: tag.scores.get(label, 0.0) for label in labels
        }
        assert [entry["score"] for entry in scores] == sorted((entry["score"] for entry in scores), reverse=True)
    assert as_pipeline(tagger)(CLAIM)[0]["label"] == "nato_alliances"


def test_generators_are_read_lazily(tagger: fn.Tagger) -> None:
    read: list[int] = []
    endless = (read.append(i) or CLAIM for i in range(10**9))  # type: ignore[func-returns-value]
    found = as_pipeline(tagger)(endless)
    assert isinstance(found, types.GeneratorType)
    assert next(found)["label"] == "nato_alliances"
    assert len(read) < 1000


def test_options_of_a_call(tagger: fn.Tagger) -> None:
    classify = as_pipeline(tagger)
    assert classify([CLAIM], batch_size=8, truncation=True, max_length=512) == classify([CLAIM])
    with pytest.raises(InputError, match=r"'function_to_aply'\. Known: top_k, batch_size, num_workers"):
        classify([CLAIM], function_to_aply="softmax")
    with pytest.raises(InputError, match="top_k is 0"):
        classify([CLAIM], top_k=0)
    with pytest.raises(InputError, match="no pair"):
        classify({"text": CLAIM, "text_pair": EVENT})
    for wrong in (7, b"bytes", [3], [None]):
        with pytest.raises(InputTypeError):
            classify(wrong)
