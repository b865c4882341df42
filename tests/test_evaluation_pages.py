"""Reports as pages and figures: what is in them, that names stay text, that nothing is loaded."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from fimi_nlp.data import Corpus, Passage
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation import Report, evaluate
from fimi_nlp.schema import Label, LabelSchema
from fimi_nlp.types import Score, Tag

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("matplotlib")

SCHEMA = LabelSchema(
    "weather", (Label("rain"), Label("sun")), stances=(Label("asserts"),), origins=(Label("coast"), Label("hills"))
)
EVIL = "<script>document.title='owned'</script> & $x^2$ \x1b[31m | <img src=https://example.org/x.png>"
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)


class Warm:
    """Sure of sun where the number is even, and a little less where it is not."""

    def tag_many(self, texts: list[str]) -> list[Tag]:
        tags = []
        for i in range(len(texts)):
            p = 0.9 - (i % 7) / 10
            named = (Score("sun", p, 0.5),) if p >= 0.5 else ()
            stance = Score("asserts", 0.8) if named else None
            scores = {"sun": p, "rain": 0.1, "asserts": 0.8, "coast": 0.6, "hills": 0.4}
            tags.append(Tag(named, stance, Score("coast", 0.6), p, scores, windows=1, model=EVIL))
        return tags


def corpus() -> Corpus:
    def passage(i: int) -> Passage:
        carries = i % 3 > 0
        return Passage(
            f"p{i}",
            f"Note {i}.",
            {"sun": None} if carries else {},
            stance="asserts" if carries else "none",
            origin=("coast", "hills")[i % 2],
            source=("bay", EVIL)[i % 2],
            group=f"g{i // 2}",
        )

    return Corpus([passage(i) for i in range(60)], SCHEMA)


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(Warm(), corpus(), slices=["source", "origin"])


class _Page(HTMLParser):
    """Collects elements, and whatever could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.loads: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "href", "xlink:href", "data", "action") and not (value or "").startswith("#"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_has_everything_and_loads_nothing(report: Report, tmp_path: Path) -> None:
    text = report.save(tmp_path / "r.html").read_text()
    found = _Page(text)
    assert found.elements.count("svg") == 6
    assert not {"script", "img", "image", "iframe", "link", "object", "embed"} & set(found.elements)
    assert found.loads == []
    assert not re.search(r"url\((?!#)|@import", text)
    assert "default-src 'none'" in text
    shown = "".join(found.texts)
    for words in ("Summary", "Narratives", "Calibration", "Origin: gold by answer", "By source, worst first", "AURC"):
        assert words in shown
    assert f"{report.macro_f1:.3f}" in shown
    titles = ("Summary", "Narratives", "Passages without a narrative", "Figures", "Calibration")
    order = [shown.index(title) for title in titles]
    assert order == sorted(order)
    assert f"corpus {report.data}" in shown


def test_names_stay_text(report: Report) -> None:
    text = report.to_html()
    assert "<script" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text
    assert EVIL.split(" $")[0] in "".join(_Page(text).texts)
    markdown = report.to_markdown()
    assert "<script" not in markdown
    rows = [line for line in markdown.splitlines() if "script" in line and line.startswith("|")]
    assert rows
    # The bar in the name does not make a cell of its own.
    assert all(
        len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"\|", rows[0].split("\\|")[1])) + 1 for row in rows
    )
    console = Console(file=StringIO(), width=200)
    report.print(console)
    assert "\x1b[31m" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_notebook_shows_the_report(report: Report) -> None:
    pytest.importorskip("IPython")
    from IPython.core.formatters import DisplayFormatter

    show: Any = DisplayFormatter()
    html = show.format(report)[0]["text/html"]
    assert html == report._repr_html_()
    assert html.startswith('<div class="fimi-report">')
    assert html.count("<svg") == 6
    drawn = show.format(report.plot("reliability"))[0]
    assert drawn["image/svg+xml"].startswith("<svg")
    comparison = report.compare(report)
    assert "second - first" in show.format(comparison)[0]["text/html"]


@pytest.mark.parametrize(
    "kind", ["precision_recall", "thresholds", "reliability", "risk_coverage", "confusion", "slices"]
)
def test_figures(report: Report, kind: str, tmp_path: Path) -> None:
    figure = report.plot(kind)
    figure.savefig(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5_000
    # The same figure, byte for byte: outputs of notebooks do not change without reason.
    first, second = (report.plot(kind)._repr_svg_() for _ in range(2))  # type: ignore[attr-defined]
    assert first == second


def test_figures_show_the_figures(report: Report) -> None:
    lines: dict[str, Any] = {str(line.get_label()): line for line in report.plot("thresholds").axes[0].lines}
    (curve,) = report.curves.thresholds
    assert lines["precision"].get_ydata().tolist() == list(curve.precision)
    axes = report.plot("slices").axes[0]
    points = [float(np.ravel(line.get_xdata())[0]) for line in axes.lines if line.get_marker() == "o"]
    assert points == [row.f1.value for row in report.slices if row.field == "source"]


def test_what_cannot_be_drawn() -> None:
    bare = evaluate(lambda texts: [["sun"]] * 60, corpus(), slices=())
    with pytest.raises(InputError, match="Did you mean 'reliability'"):
        bare.plot("reliabilty")
    for kind in ("precision_recall", "thresholds", "reliability", "risk_coverage", "confusion", "slices"):
        with pytest.raises(InputError, match=r"nothing to draw.*(needs|slices=)"):
            bare.plot(kind)
    assert _Page(bare.to_html()).elements.count("svg") == 0


def test_figures_come_back_with_a_saved_report(report: Report, tmp_path: Path) -> None:
    again = Report.load(report.save(tmp_path / "r.json"))
    assert _Page(again.to_html()).elements == _Page(report.to_html()).elements


def test_importing_and_drawing_change_no_global_state() -> None:
    code = """
import sys, matplotlib
def settings():  # but for the backend: to ask for it is to choose one
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if not key.startswith("backend")}
before = settings()
from fimi_nlp.data import Corpus
from fimi_nlp.evaluation import evaluate
rows = [{"text": f"NATO {i}", "narratives": ["nato_alliances"] if i % 2 else []} for i in range(8)]
labels = ("us_democracy", "nato_alliances", "multipolarity", "western_hypocrisy")
report = evaluate(lambda texts: [dict.fromkeys(labels, i / 8) for i in range(8)], Corpus.read(rows))
assert "<svg" in report.to_html()
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: apt-get install chromium")
def test_the_page_in_a_browser(report: Report, tmp_path: Path) -> None:
    path = report.save(tmp_path / "r.html")
    log = tmp_path / "net.json"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [CHROMIUM, *flags, f"--log-net-log={log}", "--enable-logging=stderr", "--v=0", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = _Page(done.stdout)
    assert found.elements.count("svg") == 6
    assert "script" not in found.elements
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert "script" in title[1]  # the name itself, not what it would have done
    assert "Content Security Policy" not in done.stderr  # nothing was refused, so nothing was asked for
    assert "example.org" not in log.read_text()
