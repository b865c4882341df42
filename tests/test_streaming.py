"""Long runs: constant memory, order, a rate to look at, and a kill that costs nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from fimi_nlp.batch import Summary, tag_records
from fimi_nlp.records import Record
from fimi_nlp.tagger import LOOKAHEAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import fimi_nlp as fn

COMMAND = [sys.executable, "-m", "fimi_nlp", "tag", "--threads", "1"]


def write(path: Path, count: int, text: str = "Bus {} is late.") -> Path:
    """Records, the third of them without a text."""
    rows = [{"id": number, "text": text.format(number)} if number != 2 else {"id": 2} for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_records_are_read_no_further_ahead_than_two_chunks(tagger: fn.Tagger) -> None:
    ahead = deepest = 0

    def endless() -> Iterator[Record]:
        nonlocal ahead, deepest
        for number in range(40 * LOOKAHEAD):
            ahead, deepest = ahead + 1, max(deepest, ahead + 1)
            yield Record(number, {"text": "1234" if number % 5 else ""}, "")

    for number, (record, _) in enumerate(tag_records(tagger, endless(), reject=lambda _: None)):
        ahead -= 1
        assert record["id"] == str(number)
    assert ahead == 0
    assert deepest <= 2 * LOOKAHEAD


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # A process starts with the peak of the one that forks it: so a small one stands between.
    between = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode;"
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )

    def peak(count: int) -> float:
        # Without words, so that the model has no part in it, and long, so that a file held in memory would show.
        source = write(tmp_path / f"{count}.jsonl", count, "{} " + "12345 " * 300)
        command = [sys.executable, "-c", between, *COMMAND, "-i", str(source), "-o", str(tmp_path / "out.jsonl")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        code, size = map(int, done.stdout.split())
        assert code == 3
        return size / (1024**2 if sys.platform == "darwin" else 1024)

    small, large = peak(2_000), peak(15_000)  # 4 MB and 27 MB of text
    assert large - small < 10


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_run_that_is_killed_goes_on_with_nothing_lost_or_doubled(tmp_path: Path) -> None:
    source, out, partial = write(tmp_path / "in.jsonl", 900), tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    command = [*COMMAND, "-i", str(source), "-o", str(out), "--resume"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    with partial.open("ab") as file:
        file.write(b'{"id": "torn')
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 3, done.stderr
    found = re.search(
        r"(\d+) texts tagged, 0 with narratives, \d+ a second; (\d+) were there already; 1 records", done.stderr
    )
    assert found is not None, done.stderr
    tagged, resumed = map(int, found.groups())
    assert tagged + resumed == 899
    assert resumed > 0
    assert tagged > 0
    assert [row["id"] for row in lines(out)] == [number for number in range(900) if number != 2]
    assert all(row["text"] == f"Bus {row['id']} is late." for row in lines(out))
    assert [row["number"] for row in lines(tmp_path / "out.jsonl.rejected.jsonl")] == [3]
    assert not partial.exists()


def test_a_terminal_is_told_how_many_and_how_fast(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    source = write(tmp_path / "in.jsonl", 300)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "-i", str(source), "-o", str(tmp_path / "out.jsonl")],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # what Linux says when the other end has gone
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait(timeout=60) == 3, shown.decode()
    assert re.search(rb"299 texts, \d+ a second", shown), shown.decode()
    assert b"299 texts tagged, 0 with narratives, " in shown


def test_a_summary_has_a_rate() -> None:
    assert Summary(tagged=30, resumed=5, rejected=0, with_narratives=1, seconds=1.5).rate == 20
    assert Summary(0, 0, 0, 0).rate == 0
