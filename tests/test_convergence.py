"""Convergence, on simulated corpora about which the truth is known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from files import tagged_record
from matplotlib.patches import Rectangle
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom
from typer.testing import CliRunner

from fimi_nlp.cli import app
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.convergence import (
    LeadLag,
    TaggedCorpus,
    converge,
    echoes,
    lead_lag,
    mix_similarity,
    shares,
    simulate,
)
from fimi_nlp.records import open_writer

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

LEVEL = 0.05


def _false_alarms(autocorrelation: float, runs: int) -> tuple[int, int]:
    """How many of independent corpora the test, and the naive reading, find a lag in."""
    ours = naive = 0
    for seed in range(runs):
        corpus = simulate(autocorrelation=autocorrelation, labels=("a", "b"), seed=seed)
        found = lead_lag(corpus, permutations=99, seed=seed)
        ours += found.p_value <= LEVEL
        naive += min(peak.naive_p_value for peak in found.peaks) <= LEVEL
    return ours, naive


@pytest.mark.parametrize("autocorrelation", [0.0, 0.5, 0.8])
def test_false_alarms_are_as_rare_as_the_test_claims(autocorrelation: float) -> None:
    runs = 200
    ours, naive = _false_alarms(autocorrelation, runs)
    # With a rate of 5 %, more alarms than this come about once in a thousand times.
    assert ours <= binom.ppf(0.999, runs, LEVEL)
    assert naive > 2 * ours


@pytest.mark.parametrize("lag", [2, -3, 0])
def test_a_known_lag_is_found(lag: int) -> None:
    right = 0
    for seed in range(20):
        found = lead_lag(simulate(lag=lag, coupling=0.9, texts=80, seed=seed), permutations=99, seed=seed)
        first = found.peaks[0]
        right += first.p_value <= LEVEL and first.lag == lag and first.correlation > 0
    assert right >= 16


def test_the_sentence_says_who_moves_first() -> None:
    ahead, behind = (lead_lag(simulate(lag=lag, seed=1), permutations=199).sentences() for lag in (2, -3))
    assert "shares of 'russia' move first, those of 'china' the same way 2 weeks later" in ahead[0]
    assert "shares of 'china' move first, those of 'russia' the same way 3 weeks later" in behind[0]
    assert all("no order in time that chance would not give" in sentence for sentence in ahead[1:])
    together = lead_lag(simulate(lag=0, seed=1), permutations=199).sentences()
    assert "move in the same week" in together[0]


def test_the_same_seed_gives_the_same_answer() -> None:
    corpus = simulate(lag=1, seed=5)
    first, second = (lead_lag(corpus, permutations=99, seed=3) for _ in range(2))
    assert first.peaks == second.peaks
    np.testing.assert_array_equal(first.correlations, second.correlations)
    swapped = lead_lag(corpus, origins=("china", "russia"), permutations=99)
    np.testing.assert_allclose(swapped.correlations[:, ::-1], first.correlations, atol=1e-12)


def _constant(rate: float, spread: float, seed: int, sources: int = 40, texts: int = 20) -> TaggedCorpus:
    """One month in which every source keeps a rate of its own, around a common one."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(rate / spread, (1 - rate) / spread, sources)
    source = np.repeat(np.arange(sources), texts)
    carried = rng.random(len(source)) < rates[source]
    return TaggedCorpus(
        ("a",),
        carried[:, None],
        np.full(len(source), np.datetime64("2024-03-05", "s")),
        np.array([f"s{number}" for number in source]),
        np.full(len(source), "russia"),
        np.array([f"#{number}" for number in range(len(source))]),
        ("",) * len(source),
    )


def test_intervals_of_shares_cover_the_truth_when_sources_are_resampled() -> None:
    covered = {"source": 0, "document": 0}
    runs = 60
    for seed in range(runs):
        corpus = _constant(0.3, 0.3, seed)
        for cluster in covered:
            found = shares(corpus, origins=["russia"], cluster=cluster, resamples=300, seed=seed)
            assert found.value["russia"][0, 0] == corpus.carried.mean()
            covered[cluster] += bool(found.low["russia"][0, 0] <= 0.3 <= found.high["russia"][0, 0])
    assert covered["source"] >= binom.ppf(0.001, runs, 0.95)
    assert covered["document"] < binom.ppf(0.001, runs, 0.95)


def test_shares_where_there_is_little() -> None:
    records = [tagged_record(n, "a b" if n < 3 else "", source=f"s{n}") for n in range(6)]
    records += [tagged_record(9, "b", day="2024-03-31"), tagged_record(10, "a", origin="china", day="2024-03-01")]
    found = shares(TaggedCorpus.read(records, origin="input_origin"))
    assert found.labels == ("a", "b")
    assert found.starts.astype(str).tolist() == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert found.texts["russia"].tolist() == [6, 0, 1]
    assert found.value["russia"][0].tolist() == [0.5, 0.5]
    assert np.isnan(found.value["russia"][1]).all()
    assert np.isnan(found.low["russia"][2]).all()
    rows = found.to_records()
    assert len(rows) == 2 * 3 * 2
    assert rows[2]["share"] is None
    json.dumps(rows, allow_nan=False)
    none = TaggedCorpus.read([*records[3:6], records[-1]], origin="input_origin")
    found = shares(none, origins=["russia"])
    # Nobody carries it among three sources: the interval is Wilson's, and not of no width.
    assert (found.value["russia"][0, 0], found.low["russia"][0, 0]) == (0.0, 0.0)
    assert 0.3 < found.high["russia"][0, 0] < 0.7


def test_mixes() -> None:
    base = [[0.4, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.4]]
    apart = mix_similarity(simulate(base=base, seed=1), resamples=300)
    corpus = simulate(base=[[0.2] * 4] * 2, autocorrelation=0.0, seed=1, sources=20)
    alike = mix_similarity(corpus, resamples=300)
    counts = [corpus.carried[corpus.rows(origin)].sum(axis=0) for origin in ("russia", "china")]
    assert alike.distance.value == pytest.approx(jensenshannon(*counts, base=2))
    assert alike.distance.value < 0.06 < 0.3 < apart.distance.value
    assert apart.p_value < 0.01
    assert apart.chance < apart.distance.low < apart.distance.value < apart.distance.high
    assert [sum(part.value for part in parts) for parts in alike.mixes.values()] == pytest.approx([1.0, 1.0])
    assert len(alike.over_time) == len(alike.starts) == 24
    json.dumps(apart.to_dict(), allow_nan=False)
    with pytest.raises(InputError, match="Give two that differ"):
        mix_similarity(corpus, origins=("russia", "russia"))
    with pytest.raises(InputError, match="Did you mean 'china'"):
        mix_similarity(corpus, origins=("russia", "chinas"))


def test_chance_gives_large_distances_as_rarely_as_it_claims() -> None:
    runs, found = 100, 0
    for seed in range(runs):
        both = _constant(0.5, 0.2, seed, sources=40, texts=10)
        rng = np.random.default_rng(seed)
        carried = np.column_stack([both.carried[:, 0], rng.random(len(both)) < 0.5])
        origins = np.where(np.char.str_len(both.sources) == 2, "china", "russia")
        corpus = TaggedCorpus(("a", "b"), carried, both.times, both.sources, origins, both.documents, both.texts)
        found += mix_similarity(corpus, resamples=99, seed=seed).p_value <= LEVEL
    assert found <= binom.ppf(0.999, runs, LEVEL)


SAY = [
    "The alliance has moved to our borders year after year and calls each of its own steps a mere defence.",
    "Their congress is for sale, and whoever pays the most writes the laws that the others have to keep.",
    "A new order of many centres is being born, and no single power will ever again rule over all of them.",
]


def _echo_records() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(SAY):
        day = f"2024-01-{number * 5 + 1:02d}"
        rows.append(tagged_record(len(rows), "a", f"{day}T08:00", text=text, source="r1"))
        rows.append(tagged_record(len(rows), "a", f"{day}T20:00", text=text.upper(), source="r1"))
        rows.append(tagged_record(len(rows), "a", f"{day}T23:00:00Z", text=f"Now {text}", source="c1", origin="china"))
    rows.append(tagged_record(len(rows), "a", "2024-05-01", text=SAY[0], source="c2", origin="china"))
    rows.append(tagged_record(len(rows), "", "2024-01-02", text=SAY[0], source="c3", origin="china"))
    return rows


def test_echoes_tell_who_stands_first() -> None:
    corpus = TaggedCorpus.read(_echo_records(), origin="input_origin")
    found = echoes(corpus)
    assert [(pair.kind, pair.hours, pair.origins) for pair in found.pairs] == [("near", 15.0, ("russia", "china"))] * 3
    assert all(corpus.texts[pair.second] == f"Now {corpus.texts[pair.first]}" for pair in found.pairs)
    direction = found.between("russia", "china")
    assert (direction.pairs, direction.ties, direction.share.value) == (3, 0, 1.0)
    assert found.between("china", "russia").share.value == 0.0
    late = echoes(corpus, within=365.0)
    assert {pair.kind for pair in late.pairs} == {"near", "copy"}
    tied = echoes(corpus, tie=24.0).between("russia", "china")
    assert (tied.pairs, tied.ties) == (3, 3)
    assert np.isnan(tied.share.value)


def test_close_wordings_need_embeddings_and_a_narrative_in_common() -> None:
    rows = [tagged_record(n, label, text=f"{'x' * n} words of {n}", source=f"s{n}") for n, label in enumerate("aab")]
    corpus = TaggedCorpus.read(rows, origin="input_origin")
    vectors = np.tile([[1.0, 0.0]], (3, 1))
    assert [(p.first, p.second, p.kind) for p in echoes(corpus, embeddings=vectors).pairs] == [(0, 1, "close")]
    vectors[1] = [0.0, 1.0]
    assert echoes(corpus, embeddings=vectors).pairs == ()
    with pytest.raises(InputError, match="a vector for each text"):
        echoes(corpus, embeddings=vectors[:2])
    with pytest.raises(InputError, match="has no texts"):
        echoes(simulate(weeks=30))


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'country'"):
        TaggedCorpus.read([tagged_record(0)], origin="country")
    with pytest.raises(InputError, match="no tagged texts"):
        TaggedCorpus.read([], origin="origin")
    with pytest.raises(InputError, match="Give a file"):
        TaggedCorpus.read(3, origin="origin")
    with pytest.raises(InputError, match="No text carries 'c'"):
        TaggedCorpus.read([tagged_record(0, "a")], origin="origin", labels=["c"])
    with pytest.raises(InputError, match=r"'chna'.*Did you mean 'china'"):
        lead_lag(simulate(weeks=4), origins=("russia", "chna"))
    with pytest.raises(InputError, match="at most a quarter"):
        lead_lag(simulate(weeks=26), longest=8)
    corpus = simulate(weeks=104)
    few = np.flatnonzero((corpus.origins == "china") | (np.arange(len(corpus)) < 50))
    with pytest.raises(InputError, match="no texts in"):
        lead_lag(_part(corpus, few))
    with pytest.raises(InputError, match="An event has the date"):
        converge(simulate(weeks=30), events={"spring": "x"})


def _part(corpus: TaggedCorpus, rows: npt.NDArray[np.int64]) -> TaggedCorpus:
    return TaggedCorpus(
        corpus.labels,
        corpus.carried[rows],
        corpus.times[rows],
        corpus.sources[rows],
        corpus.origins[rows],
        corpus.documents[rows],
        tuple(corpus.texts[row] for row in rows),
    )


def test_the_report_describes_and_never_accuses(tmp_path: Path) -> None:
    corpus = simulate(lag=2, seed=4)
    report = converge(corpus, events={"2023-06-05": "a summit costing $5 <b>"}, every="month")
    path = report.save(tmp_path / "report")
    text = path.read_text(encoding="utf-8")
    assert "shares of 'russia' move first" in text
    for caveat in (report.shares.caveat, report.mix.caveat, report.lags.caveat if report.lags else "missing"):
        assert caveat in text
    assert "Like texts: The corpus has no texts." in text
    assert "never says who is behind a text" in text
    whole = (text + json.dumps(report.to_dict())).casefold()
    for word in ("coordinat", "co-ordinat", "orchestrat", "campaign", "attributed", "responsible for", "directed by"):
        assert word not in whole
    assert {p.name for p in path.parent.iterdir()} == {"report.md", "report.json", "shares.png", "mix.png", "lags.png"}
    assert json.loads((path.parent / "report.json").read_text())["lags"]["peaks"][0]["lag"] == 2
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in path.parent.glob("*.png"))


def test_origins_from_tags_come_with_a_warning() -> None:
    records = [{**tagged_record(n, "a"), "origin": {"label": ("russia", "china")[n % 2]}} for n in range(20)]
    text = converge(TaggedCorpus.read(records, origin="origin")).to_markdown()
    assert "goes round in a circle" in text
    assert "Lead and lag: The texts span 1 week," in text


def test_plots_show_what_they_should() -> None:
    report = converge(simulate(lag=2, seed=4), events={"2023-06-05": "summit"})
    assert isinstance(report.lags, LeadLag)
    figures = report.plots()
    panels = figures["shares"].axes
    assert [axis.get_title(loc="left") for axis in panels] == list(report.corpus.labels)
    assert any(text.get_text() == "summit" for text in panels[0].texts)
    drawn = np.asarray(panels[0].lines[0].get_ydata())
    np.testing.assert_allclose(drawn, report.shares.value["russia"][:, 0])
    patches = figures["lags"].axes[0].patches[-len(report.lags.lags) :]
    bars = [patch.get_height() for patch in patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(bars, report.lags.correlations[0])


def test_command(tmp_path: Path) -> None:
    tagged = tmp_path / "tags.jsonl"
    with open_writer(tagged) as writer:
        for record in _echo_records():
            writer.write(record)
    arguments = ["converge", str(tagged), "--origin", "input_origin", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--event", "2024-01-06=talks"])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "report.md").read_text()
    assert "3 pairs of different sources: 0 copies, 3 nearly the same words; close wordings not looked for" in text
    assert "`russia` stands first in 1.00" in text
    assert (tmp_path / "out" / "echoes.png").exists()
    assert CliRunner().invoke(app, [*arguments, "--event", "2024-01-06"]).exit_code == 2
    with open_writer(tagged) as writer:
        for record in [*_echo_records(), {**_echo_records()[0], "date": None}]:
            writer.write(record)
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "--skip-undated" in str(refused.exception)
    assert CliRunner().invoke(app, [*arguments, "--skip-undated"]).exit_code == 0
    assert "1 more have no date and are left out" in (tmp_path / "out" / "report.md").read_text()
