"""Clocks: rates of several ways in turn, latencies, cold starts, memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(slots=True)
class Rates:
    """Texts a second of one way, a value for each round.

    Attributes
    ----------
    wall : list of float
        By the clock on the wall.
    cpu : list of float
        By the processor time of this process, all its threads together: steadier where others use the machine.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Medians and rounds, as plain JSON types."""
        return {
            "texts_per_second": round(float(np.median(self.wall)), 2),
            "texts_per_cpu_second": round(float(np.median(self.cpu)), 2),
            "rounds": [round(value, 2) for value in self.wall],
        }


def in_turn(
    ways: Mapping[str, Callable[[list[str]], object]], draw: Callable[[], list[str]], rounds: int
) -> dict[str, Rates]:
    """Give the same new texts to each way, round by round; one more round, not counted, warms up."""
    rates = {name: Rates() for name in ways}
    for number in range(rounds + 1):
        texts = draw()
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way(texts)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number:
                rates[name].wall.append(len(texts) / wall)
                rates[name].cpu.append(len(texts) / max(cpu, 1e-9))
    return rates


def latencies(ways: Mapping[str, Callable[[str], object]], texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Milliseconds for one text, warm: each text goes to every way in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for text in texts:
        for name, way in ways.items():
            start = time.perf_counter()
            way(text)
            times[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: {"p50_ms": round(float(np.median(v)), 2), "p99_ms": round(float(np.percentile(v, 99)), 2)}
        for name, v in times.items()
    }


def cold_starts(codes: Mapping[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds that new Python processes take, from their start to their end, in turn."""
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            start = time.perf_counter()
            python(code)
            times[name].append(time.perf_counter() - start)
    return {name: {"seconds": round(float(np.median(values)), 3)} for name, values in times.items()}


_STREAM = """
import json, sys
import fimi_nlp as fn
from fimi_nlp.benchmark.workload import Workload
from fimi_nlp.benchmark.timing import resident
tagger, marks, points = fn.load({model!r}, threads={threads!r}), {marks!r}, {{}}
for number, _ in enumerate(tagger.stream(Workload(1).stream(marks[-1])), 1):
    if number in marks:
        points[number] = resident()
print(json.dumps(points))
"""


def stream_memory(model: str | None, count: int, threads: int | None) -> dict[str, float]:
    """Megabytes that a process of its own holds at points of a stream, by the number of texts tagged."""
    marks = sorted({max(count // 10, 1), max(count // 2, 1), count})
    points: dict[str, float] = json.loads(python(_STREAM.format(model=model, threads=threads, marks=marks)))
    return points


_DOCUMENT = """
import json, time
import fimi_nlp as fn
from fimi_nlp.benchmark.timing import peak
from fimi_nlp.benchmark.workload import Workload
tagger, words = fn.load({model!r}, threads={threads!r}), {words!r}
text = " ".join(Workload(1, shortest=words, longest=words).texts(1))
tagger.tag(text[:20_000])  # with the buffers that any long text needs
before, start = peak(), time.perf_counter()
windows = tagger.tag(text).windows
print(json.dumps({{"windows": windows, "seconds": time.perf_counter() - start, "more_mb": peak() - before}}))
"""


def long_documents(model: str | None, most: int, threads: int | None) -> dict[str, dict[str, float]]:
    """What one text of a hundredth, a tenth and all of `most` words takes, by its number of words.

    Each in a process of its own: windows, seconds, windows a second, and by how many megabytes the most that the
    process ever held has grown beyond what a text of some 3,000 words needs.
    """
    found = {}
    for words in sorted({max(most // 100, 1), max(most // 10, 1), most}):
        row = json.loads(python(_DOCUMENT.format(model=model, threads=threads, words=words)))
        rate = round(row["windows"] / row["seconds"], 2)
        seconds, more = round(row["seconds"], 2), round(row["more_mb"], 1)
        found[str(words)] = {**row, "seconds": seconds, "windows_per_second": rate, "more_mb": more}
    return found


def peak() -> float:
    """The most memory that this process has held, in megabytes (10^6 bytes)."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def resident() -> float:
    """Resident memory of this process in megabytes (10^6 bytes); where the system does not say, its peak."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no path of the user's
            return round(int(file.read().split()[1]) * resource.getpagesize() / 1e6, 1)
    except (ImportError, OSError):
        return round(peak(), 1)


def python(code: str) -> str:
    """What a new Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout
