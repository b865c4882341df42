"""The same text gives the same tag: alone, in any company, in any order, on any number of threads."""

from __future__ import annotations

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import CLAIM, EVENT, FILLER
from hypothesis import given, settings
from hypothesis import strategies as st

import fimi_nlp as fn
from fimi_nlp.errors import InputTypeError
from fimi_nlp.runtime import MANY, Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = Path(__file__).parent / "behavioural" / "cases.jsonl"
TEXTS = [json.loads(line)["text"] for line in CASES.read_text(encoding="utf-8").splitlines()[::97]]
TEXTS += ["", "Привет, как дела сегодня", "Short one.", FILLER * 4 + CLAIM, FILLER * 30]
#: Between sessions of different numbers of threads: the order of additions in the fp32 heads.
BOUND = 1e-4


@pytest.fixture(scope="module")
def alone() -> dict[str, fn.Tag]:
    """Each text by itself, on one thread."""
    tagger = fn.load(threads=1)
    return {text: tagger.tag(text) for text in TEXTS}


@pytest.fixture(scope="module", params=[1, 2, 3])
def threaded(request: pytest.FixtureRequest) -> fn.Tagger:
    """A tagger on one, two or three threads."""
    return fn.load(threads=request.param)


def _assert_same(found: fn.Tag, expected: fn.Tag) -> None:
    assert found.labels == expected.labels
    assert (found.reason, found.language, found.windows) == (expected.reason, expected.language, expected.windows)
    assert [(e.label, e.start, e.end) for e in found.evidence] == [(e.label, e.start, e.end) for e in expected.evidence]
    assert found.scores == pytest.approx(dict(expected.scores), abs=BOUND)
    assert found.confidence == pytest.approx(expected.confidence, abs=BOUND)


@settings(max_examples=8, deadline=None)
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12))
def test_company_and_order_have_no_say(threaded: fn.Tagger, alone: dict[str, fn.Tag], texts: list[str]) -> None:
    for text, tag in zip(texts, threaded.tag_many(texts), strict=True):
        _assert_same(tag, alone[text])


def test_nor_has_a_crowd_that_is_spread_over_the_threads(threaded: fn.Tagger, alone: dict[str, fn.Tag]) -> None:
    texts = random.Random(0).choices(TEXTS, k=MANY + 20)
    for text, tag in zip(texts, threaded.tag_many(texts), strict=True):
        _assert_same(tag, alone[text])


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(8)))
def test_on_one_thread_rows_agree_to_the_last_bit(order: list[int]) -> None:
    runtime = _runtime(1)
    windows = [list(range(2000 + 7 * i, 2000 + 9 * i + 5)) for i in range(8)]
    one = [runtime.run([window]) for window in windows]
    many = runtime.run([windows[i] for i in order])
    for row, i in enumerate(order):
        assert np.array_equal(many.logits[row], one[i].logits[0])
        assert np.array_equal(many.embeddings[row], one[i].embeddings[0])


def test_embeddings_agree_too(threaded: fn.Tagger) -> None:
    together = threaded.embed(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        assert threaded.embed([text])[0] == pytest.approx(row, abs=BOUND)


def test_threads_of_the_caller_may_share_a_tagger(threaded: fn.Tagger, alone: dict[str, fn.Tag]) -> None:
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(threaded.tag_many, [TEXTS[::-1], TEXTS, TEXTS[5:], TEXTS[3:] + TEXTS[:3]]))
    for text, tag in zip(TEXTS, batches[1], strict=True):
        _assert_same(tag, alone[text])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_gets_the_same(threaded: fn.Tagger, alone: dict[str, fn.Tag]) -> None:
    texts = [EVENT, *TEXTS[:3]] * 20
    threaded.tag_many(texts)  # so that sessions and threads are there before the fork
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        tags = zip(texts, threaded.tag_many(texts), strict=True)
        same = all(tag.labels == alone[text].labels for text, tag in tags if text in alone)
        os.write(writer, b"1" if same else b"0")
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"1"
    os.waitpid(child, 0)


def test_a_stream_that_is_left_early_stops_working() -> None:
    tagger = fn.load(threads=2)
    stream = tagger.stream([CLAIM * 9] * 600)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    tagger.tag_many([EVENT] * MANY)  # waits for what had begun, and not for the rest
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


def test_an_error_of_the_model_is_not_swallowed() -> None:
    runtime = _runtime(2)
    with pytest.raises(Exception, match=r"INVALID_ARGUMENT|out of"):
        runtime.run([[10**7]] * (MANY + 1))
    assert runtime.run([[2000]]).logits.shape == runtime.run([[2000, 2001]]).logits.shape


def test_what_is_no_text_stops_a_stream_with_its_position() -> None:
    def texts() -> Iterator[str]:
        yield from [EVENT] * 300
        yield None  # type: ignore[misc]

    with pytest.raises(InputTypeError, match="text 300"):
        list(islice(fn.load().stream(texts()), 301))


def _runtime(threads: int) -> Runtime:
    return Runtime(fn.load().bundle, threads=threads)
