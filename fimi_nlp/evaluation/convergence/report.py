"""All of it in one report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.display import NOTE
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.convergence.echo import Direction, Echoes, echoes
from fimi_nlp.evaluation.convergence.lags import LeadLag, lead_lag
from fimi_nlp.evaluation.convergence.mix import MixSimilarity, mix_similarity
from fimi_nlp.evaluation.convergence.over_time import Shares, shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from fimi_nlp.evaluation.bootstrap import Estimate
    from fimi_nlp.evaluation.convergence.corpus import TaggedCorpus
    from fimi_nlp.tagger import Tagger

CIRCLE = (
    "The origins are the tagger's guesses from the content of the texts. Comparing the content of what was sorted by"
    " content goes round in a circle: take the sources' own records for anything that matters."
)


@dataclass(frozen=True, eq=False)
class ConvergenceReport:
    """What `converge` finds.

    Attributes
    ----------
    corpus : TaggedCorpus
        The texts.
    origins : (str, str)
        The two origins.
    shares : Shares
        Over time.
    mix : MixSimilarity
        How alike their mixes are.
    lags : LeadLag or None
        Who moves first; ``None`` where `skipped` says why.
    echoes : Echoes or None
        Like texts; ``None`` where the corpus has no texts.
    events : mapping of str to str
        Date to name, marked in the plots.
    skipped : tuple of str
        What could not be done, and why.
    """

    corpus: TaggedCorpus
    origins: tuple[str, str]
    shares: Shares
    mix: MixSimilarity
    lags: LeadLag | None
    echoes: Echoes | None
    events: Mapping[str, str]
    skipped: tuple[str, ...]

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Who is first among like texts of the two origins."""
        return () if self.echoes is None else (self.echoes.between(*self.origins),)

    def plots(self) -> dict[str, Figure]:
        """The figures, by name."""
        from fimi_nlp.evaluation.convergence import plots

        figures = {
            "shares": plots.plot_shares(self.shares, self.events),
            "mix": plots.plot_mix(self.mix, self.events),
        }
        if self.lags is not None:
            figures["lags"] = plots.plot_lags(self.lags)
        if any(not np.isnan(direction.share.value) for direction in self.directions):
            figures["echoes"] = plots.plot_echoes(self.directions)
        return figures

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "origins": list(self.origins),
            "texts": len(self.corpus),
            "origin_from_tags": self.corpus.origin_from_tags,
            "not_read": self.corpus.not_read,
            "undated": self.corpus.undated,
            "events": dict(self.events),
            "shares": self.shares.to_records(),
            "mix": self.mix.to_dict(),
            "lags": None if self.lags is None else self.lags.to_dict(),
            "echoes": None if self.echoes is None else self.echoes.to_records(),
            "skipped": list(self.skipped),
        }

    def to_markdown(self) -> str:
        """The findings with their caveats; the plots are named, not held."""
        first, second = (_code(origin) for origin in self.origins)
        parts = [
            f"# Narratives of {first} and {second} beside each other\n\n{self._about()}",
            f"## Shares over time\n\n![Shares](shares.png)\n\n{self.shares.caveat}",
            f"## How alike the mixes are\n\n![Mixes](mix.png)\n\n{self._mix()}\n\n{self.mix.caveat}",
        ]
        if self.lags is not None:
            found = "\n".join(f"- {_plain(sentence)}" for sentence in self.lags.sentences())
            parts.append(f"## Who moves first\n\n![Lags](lags.png)\n\n{found}\n\n{self.lags.caveat}")
        if self.echoes is not None:
            parts.append(f"## Like texts\n\n{self._echoes()}\n\n{self.echoes.caveat}")
        if self.skipped:
            parts.append("## Not done\n\n" + "\n".join(f"- {_plain(reason)}" for reason in self.skipped))
        return "\n\n".join([*parts, NOTE]) + "\n"

    def save(self, folder: str | Path) -> Path:
        """Write ``report.md``, its plots and ``report.json`` into a folder.

        Raises
        ------
        InputError
            The folder cannot be written.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, figure in self.plots().items():
                figure.savefig(folder / f"{name}.png", dpi=120)
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
            (folder / "report.json").write_text(text + "\n", encoding="utf-8")
            (folder / "report.md").write_text(self.to_markdown(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror}.", remedy="Check its rights.") from error
        return folder / "report.md"

    def _about(self) -> str:
        counts = ", ".join(f"{len(self.corpus.rows(origin)):,} of {_code(origin)}" for origin in self.origins)
        others = len(self.corpus) - sum(len(self.corpus.rows(origin)) for origin in self.origins)
        days = self.corpus.times.astype("datetime64[D]")
        lines = [
            f"{len(self.corpus):,} texts from {days.min()} to {days.max()}: {counts}, {others:,} of others or unknown."
        ]
        if self.corpus.not_read:
            lines.append(f"{self.corpus.not_read:,} more could not be read and are left out.")
        if self.corpus.undated:
            lines.append(f"{self.corpus.undated:,} more have no date and are left out.")
        if self.corpus.origin_from_tags:
            lines.append(CIRCLE)
        return " ".join(lines)

    def _mix(self) -> str:
        mix = self.mix
        return (
            f"Jensen-Shannon distance {_interval(mix.distance)}, from 0 (the same mix) to 1 (nothing in common). Two"
            f" samples of one mix lie below {mix.chance:.2f} in 95 % of cases (p = {mix.p_value:.3f})."
        )

    def _echoes(self) -> str:
        assert self.echoes is not None
        kinds = {kind: sum(pair.kind == kind for pair in self.echoes.pairs) for kind in ("copy", "near", "close")}
        close = f", {kinds['close']:,} close wordings." if self.echoes.wordings else "; close wordings not looked for."
        lines = [
            f"{len(self.echoes.pairs):,} pairs of different sources: {kinds['copy']:,} copies, {kinds['near']:,} nearly"
            f" the same words{close}"
        ]
        for d in self.directions:
            line = f"{d.pairs:,} pairs lie between {_code(d.first)} and {_code(d.second)}"
            if np.isnan(d.share.value):
                lines.append(f"{line}; their order cannot be told.")
            else:
                line += f", {d.ties:,} of them within {self.echoes.tie:g} hours;"
                lines.append(f"{line} of the others, {_code(d.first)} stands first in {_interval(d.share)}.")
        return " ".join(lines)


def converge(
    corpus: TaggedCorpus,
    *,
    origins: tuple[str, str] = ("russia", "china"),
    events: Mapping[str, str] | None = None,
    every: str = "month",
    lag_every: str = "week",
    longest: int = 8,
    cluster: str = "source",
    tagger: Tagger | None = None,
    seed: int = 0,
) -> ConvergenceReport:
    """Shares, mixes, lead and lag, and like texts of two origins.

    Parameters
    ----------
    corpus : TaggedCorpus
        The texts.
    origins : (str, str)
        Which two origins.
    events : mapping of str to str, optional
        ISO date to name; marked in the plots.
    every, lag_every : {"day", "week", "month"}
        The period of shares and mixes, and that of lead and lag.
    longest : int
        The longest lag, in periods.
    cluster : {"source", "document"}
        What is resampled; see `shares`.
    tagger : Tagger, optional
        Embeds the texts, so that close wordings are found too.
    seed : int
        Same seed, same report.

    Raises
    ------
    InputError
        An origin has no texts or carries nothing, or an argument is wrong. Where the corpus does not do for lead and
        lag or for like texts, the report says so and goes on without.
    """
    for day in events or {}:
        _check_day(day)
    skipped = []
    lags = found = None
    try:
        lags = lead_lag(corpus, origins=origins, every=lag_every, longest=longest, seed=seed)
    except InputError as error:
        skipped.append(f"Lead and lag: {error}")
    try:
        found = echoes(corpus, tagger=tagger)
    except InputError as error:
        skipped.append(f"Like texts: {error}")
    return ConvergenceReport(
        corpus,
        origins,
        shares(corpus, origins=origins, every=every, cluster=cluster, seed=seed),
        mix_similarity(corpus, origins=origins, every=every, cluster=cluster, seed=seed),
        lags,
        found,
        dict(events or {}),
        tuple(skipped),
    )


def _check_day(day: str) -> None:
    try:
        good = not np.isnat(np.datetime64(day, "D"))
    except ValueError:
        good = False
    if not good:
        raise InputError(f"An event has the date {day!r}.", remedy="Write dates as 2024-02-29.")


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _code(text: str) -> str:
    return f"`{_plain(text).replace('`', chr(39))}`"


def _plain(text: str) -> str:
    """Names from the data on one line; what Markdown would obey loses its force."""
    return " ".join(text.replace("<", "&lt;").split())
