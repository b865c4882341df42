"""One tagger for many threads, for asyncio and over a fork; the examples of docs/servers.md are run."""

from __future__ import annotations

import multiprocessing
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import CLAIM, EVENT, FILLER

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

    import fimi_nlp as fn

PAGE = Path(__file__).parent.parent / "docs" / "servers.md"
TEXTS = [CLAIM, EVENT, "", FILLER * 12 + CLAIM, "Das Treffen findet am Dienstag in Wilna statt.", f"{EVENT} {CLAIM}"]
FORK = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")


def test_many_threads_on_one_tagger_get_the_same_answers(tagger: fn.Tagger) -> None:
    """Every method from 16 threads at once, each call beginning together, against the answers of one thread."""
    alone = [tagger.tag(text) for text in TEXTS]
    together, embedded = tagger.tag_many(TEXTS), tagger.embed(TEXTS)
    start = threading.Barrier(16)

    def work(seed: int) -> int:
        start.wait(timeout=60)
        order = np.random.default_rng(seed).permutation(len(TEXTS)).tolist()
        for turn in range(3):
            match (seed + turn) % 4:
                case 0:
                    assert [tagger.tag(TEXTS[i]) for i in order] == [alone[i] for i in order]
                case 1:
                    assert tagger.tag_many(TEXTS) == together
                case 2:
                    assert list(tagger.stream(iter(TEXTS))) == together
                case _:
                    np.testing.assert_array_equal(tagger.embed(TEXTS), embedded)
        return len(order)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == [len(TEXTS)] * 16


def test_two_streams_may_be_read_in_turn(tagger: fn.Tagger) -> None:
    expected = tagger.tag_many(TEXTS)
    pairs = zip(tagger.stream(iter(TEXTS)), tagger.stream(iter(TEXTS)), strict=True)
    assert [list(pair) for pair in pairs] == [[tag, tag] for tag in expected]


def _child(tagger: fn.Tagger, answers: Queue[Any]) -> None:
    with ThreadPoolExecutor(4) as pool:  # the first use of the child comes from several threads at once
        found = list(pool.map(tagger.tag, TEXTS))
    answers.put(([tag.to_dict() for tag in found], tagger.embed(TEXTS)))


def _answers(tagger: fn.Tagger, method: str) -> Any:
    context: Any = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=_child, args=(tagger, answers), daemon=True)
    child.start()
    found = answers.get(timeout=120)
    child.join(timeout=60)
    assert child.exitcode == 0
    return found


@FORK
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_gives_the_same_answers(tagger: fn.Tagger) -> None:
    """The parent has run the model, and other threads run it while the fork happens."""
    expected, embedded = [tagger.tag(text).to_dict() for text in TEXTS], tagger.embed(TEXTS)
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            tagger.tag(CLAIM)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        found, vectors = _answers(tagger, "fork")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert found == expected
    np.testing.assert_array_equal(vectors, embedded)
    assert tagger.tag(CLAIM).to_dict() == expected[0]


def test_a_spawned_child_gives_the_same_answers(tagger: fn.Tagger) -> None:
    found, vectors = _answers(tagger, "spawn")
    assert found == [tagger.tag(text).to_dict() for text in TEXTS]
    np.testing.assert_array_equal(vectors, tagger.embed(TEXTS))


def test_the_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) >= 2
    space: dict[str, Any] = {"__name__": "page"}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), space)
    assert capsys.readouterr().out.splitlines()[:3] == ["('nato_alliances',)", "()", "()"]
