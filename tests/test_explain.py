"""Explanations, through the public API."""

from __future__ import annotations

import html
import io
import json
import pickle
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import CLAIM, EVENT, FILLER
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from fimi_nlp.cli import app
from fimi_nlp.display import plain
from fimi_nlp.errors import InputError, InputTypeError
from fimi_nlp.occlusion import Part

if TYPE_CHECKING:
    from pathlib import Path

    import fimi_nlp as fn
    from fimi_nlp.explain import Explanation

LABEL = "nato_alliances"
TEXT = f"The weather was fine on Sunday. {CLAIM} The café serves soup."


@pytest.fixture(scope="module")
def explanation(tagger: fn.Tagger) -> Explanation:
    return tagger.explain(TEXT)


def _console(explanation: Explanation) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    console.print(explanation)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_sentence_that_makes_the_claim_weighs_most(explanation: Explanation, tagger: fn.Tagger) -> None:
    assert explanation.labels == explanation.tag.labels == (LABEL,)
    assert explanation.tag == tagger.tag(TEXT)
    parts = explanation.sentences(LABEL)
    assert [TEXT[p.start : p.end] for p in parts] == [
        "The weather was fine on Sunday.",
        CLAIM,
        "The café serves soup.",
    ]
    assert max(parts, key=lambda p: p.weight) == parts[1]
    assert parts[1].probability < tagger.thresholds[LABEL] < explanation.tag.scores[LABEL]
    (window,) = explanation.windows(LABEL)
    assert (window.start, window.end, window.probability) == (0, len(TEXT), explanation.tag.scores[LABEL])


def test_words_have_exact_offsets_and_the_claim_has_the_weight(explanation: Explanation) -> None:
    words = explanation.words(LABEL)
    assert [TEXT[w.start : w.end] for w in words] == re.findall(r"\w+", TEXT)
    inside = TEXT.index(CLAIM)
    assert all(inside <= part.start < inside + len(CLAIM) for part in explanation.top(LABEL, 3))
    assert [p.weight for p in explanation.top(LABEL, 3)] == sorted((w.weight for w in words), reverse=True)[:3]


def test_weight_is_the_fall_of_the_log_odds(explanation: Explanation) -> None:
    def odds(p: float) -> float:
        return float(np.log(p / (1 - p)))

    whole = odds(explanation.tag.scores[LABEL])
    for part in explanation.words(LABEL):
        assert part.weight == pytest.approx(whole - odds(part.probability), abs=0.01)


@pytest.mark.parametrize("replacement", ["mask", "delete"])
def test_hiding_what_weighs_most_undoes_the_label_sooner_than_chance(tagger: fn.Tagger, replacement: str) -> None:
    explanation = tagger.explain(TEXT, replacement=replacement)  # type: ignore[arg-type]
    curve = explanation.deletion_curve(LABEL, orders=5)
    assert (curve.hidden[0], curve.hidden[-1], len(curve.probability)) == (0.0, 1.0, 11)
    assert curve.probability[0] == pytest.approx(explanation.tag.scores[LABEL], abs=0.1)
    assert curve.area < curve.random_area - 0.1
    reverse = explanation.deletion_curve(LABEL, weights=[-w.weight for w in explanation.words(LABEL)], orders=1)
    assert curve.area < reverse.area
    assert explanation.deletion_curve(LABEL, orders=5) == curve


def test_a_long_text_is_explained_where_it_carries_the_label(tagger: fn.Tagger) -> None:
    text = FILLER * 40 + CLAIM
    explanation = tagger.explain(text, [LABEL])
    windows = explanation.windows(LABEL)
    assert len(windows) == explanation.tag.windows > 5
    assert [(e.start, e.end) for e in windows if e.probability >= tagger.thresholds[LABEL]] == [
        (e.start, e.end) for e in explanation.tag.evidence if e.label == LABEL
    ]
    best = max(explanation.sentences(LABEL), key=lambda p: p.weight)
    assert text[best.start : best.end] == CLAIM
    words = explanation.words(LABEL)
    assert 0 < len(words) < len(text.split()) / 2
    assert len({(w.start, w.end) for w in words}) == len(words)


def test_other_labels_can_be_asked_for(tagger: fn.Tagger) -> None:
    explanation = tagger.explain(EVENT)
    assert explanation.labels == ()
    with pytest.raises(InputError, match="Ask for it"):
        explanation.words(LABEL)
    asked = tagger.explain(EVENT, [LABEL, "russia", LABEL])
    assert asked.labels == (LABEL, "russia")
    assert len(asked.words(LABEL)) == len(asked.words("russia")) == len(EVENT.split())
    with pytest.raises(InputError, match="Did you mean 'nato_alliances'"):
        tagger.explain(EVENT, ["nato_aliances"])
    with pytest.raises(InputError, match="Give a list"):
        tagger.explain(EVENT, LABEL)
    with pytest.raises(InputError, match="Did you mean 'delete'"):
        tagger.explain(EVENT, replacement="deleted")  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="expected a str"):
        tagger.explain(None)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="Explain one text at a time"):
        tagger.explain([EVENT])  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "1234 !!", "https://example.org", "Это русский текст о погоде"])
def test_what_is_not_read_explains_nothing(tagger: fn.Tagger, text: str) -> None:
    explanation = tagger.explain(text, [LABEL])
    assert explanation.tag == tagger.tag(text)
    assert explanation.labels == ()
    with pytest.raises(InputError, match=rf"not read \({explanation.tag.reason.value}\)"):
        explanation.top(LABEL)
    assert "Not read" in explanation.to_html()
    assert "Not read" in _console(explanation)


def test_links_are_no_words_and_handles_entities_and_styled_letters_keep_their_place(tagger: fn.Tagger) -> None:
    styled = "".join(chr(0x1D5D4 + ord(c) - 65) for c in "NATO")
    text = f"@some_body says {styled} provoked &amp; prolonged this war: https://example.org/nato-war"
    shown = [text[w.start : w.end] for w in tagger.explain(text, [LABEL]).words(LABEL)]
    assert shown == ["some_body", "says", styled, "provoked", "prolonged", "this", "war"]


def test_curves_refuse_what_they_cannot_draw(explanation: Explanation) -> None:
    with pytest.raises(InputError, match="1 weights for"):
        explanation.deletion_curve(LABEL, weights=[1.0])
    with pytest.raises(InputError, match="no curve"):
        explanation.deletion_curve(LABEL, steps=0)
    with pytest.raises(InputError, match="not explained here"):
        explanation.deletion_curve("multipolarity")


def test_explanations_travel(explanation: Explanation) -> None:
    copy = pickle.loads(pickle.dumps(explanation))
    assert copy == explanation
    assert copy.deletion_curve(LABEL, orders=1) == explanation.deletion_curve(LABEL, orders=1)
    data = json.loads(json.dumps(explanation.to_dict()))
    assert data["tag"] == explanation.tag.to_dict()
    assert [Part(**word) for word in data["labels"][LABEL]["words"]] == list(explanation.words(LABEL))


class _Page(HTMLParser):
    """Collects the elements, their attributes and the text of a fragment."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "p":
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


HOSTILE = st.one_of(
    st.text(alphabet=st.characters(), max_size=60),
    st.text(alphabet="<>&\"'/= abscriptonload", max_size=60),
    st.sampled_from(
        ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</mark></p><b>", "&lt;b&gt; <!-- ", "]]>"]
    ),
)


@settings(max_examples=40, deadline=None)
@given(before=HOSTILE, after=HOSTILE)
def test_html_shows_any_text_and_obeys_none(tagger: fn.Tagger, before: str, after: str) -> None:
    text = f"{before} NATO provoked this war on purpose {after}"
    explanation = tagger.explain(text, [LABEL])
    page = _Page(explanation._repr_html_())
    assert set(page.elements) <= {"div", "p", "strong", "small", "mark"}
    assert page.attributes <= {"class", "style", "title"}
    shown = plain(re.sub(r"[\ud800-\udfff]", "\ufffd", text))
    assert page.texts[1] == shown + "\n"
    explanation.to_html().encode("utf-8")


def test_marks_stand_on_the_weighty_words(explanation: Explanation) -> None:
    marked = re.findall(r"<mark[^>]*>([^<]*)</mark>", explanation.to_html())
    (best,) = explanation.top(LABEL, 1)
    assert html.escape(TEXT[best.start : best.end]) in marked
    assert len(marked) < len(explanation.words(LABEL))


def test_the_terminal_gets_colour_and_no_orders(tagger: fn.Tagger) -> None:
    shown = _console(tagger.explain(f"[red]{CLAIM}[/red] \x1b[2J\u202e"))
    assert "[red]" in shown
    assert "leans on:" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert re.search(r"\x1b\[1;31m\w+", shown)
    assert "never says who is behind" in " ".join(shown.split())


def test_command(tmp_path: Path, explanation: Explanation) -> None:
    runner = CliRunner()
    page = tmp_path / "page.html"
    done = runner.invoke(app, ["explain", TEXT, "--out", str(page)])
    assert done.exit_code == 0, done.output
    assert explanation.to_html() in page.read_text(encoding="utf-8")
    done = runner.invoke(app, ["explain", "-", "--json"], input=TEXT)
    assert json.loads(done.stdout) == {**explanation.to_dict()}
    done = runner.invoke(app, ["explain", EVENT])
    assert "No narrative is named." in done.stdout
    done = runner.invoke(app, ["explain", TEXT, "--out", str(tmp_path / "page.pdf")])
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "page.pdf").exists()
    done = runner.invoke(app, ["explain", EVENT, "--label", "nato"])
    assert isinstance(done.exception, InputError)
