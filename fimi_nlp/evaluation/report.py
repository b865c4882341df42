"""The report of an evaluation: figures, and what to do with them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from fimi_nlp.errors import InputError, did_you_mean
from fimi_nlp.evaluation.results import Figures
from fimi_nlp.evaluation.serialise import check_format, plain, read_saved, restore, save_report

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from rich.console import Console

    from fimi_nlp.evaluation.comparison import Comparison
    from fimi_nlp.evaluation.results import SliceScore
    from fimi_nlp.evaluation.scored import Scored

#: Of the JSON form.
VERSION = 1
_FORMAT = "fimi-nlp evaluation"


@dataclass(frozen=True, slots=True)
class Report(Figures):
    """Everything measured on one corpus. In a notebook it shows itself.

    Attributes
    ----------
    model, data : str
        What was evaluated, and on which corpus: the start of its fingerprint.
    n, groups : int
        Passages; groups that the bootstrap draws.
    group : str
        The column that the groups come from.
    ci, seed, resamples : float, int, int
        Of the intervals.
    not_read : float
        Share of texts that the model did not read; in the scores they count as texts with nothing named.
    narratives, labels, false_alarms, subs, stance, origin, confidence, slices, agreement
        See the classes of `fimi_nlp.evaluation.results`. `subs`, `stance` and `origin` are ``None`` where the schema
        has none, or the model does not answer; `agreement` where there was no second annotator. `slices` come worst
        first within a field.
    curves : Curves
        What the plots are drawn from.
    scored : Scored or None
        The passages and what was said of them, for `compare`. It is not saved: ``None`` in a report read from a file.
    """

    scored: Scored | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        from fimi_nlp.evaluation.render import shown

        return f"Report({self.model!r}, {self.n} passages, macro-F1 {shown(self.narratives.macro_f1)})"

    @property
    def macro_f1(self) -> float:
        """Macro-F1 of the narratives, unsure cells as labelled."""
        return self.narratives.macro_f1.value

    @property
    def worst(self) -> tuple[SliceScore, ...]:
        """The slices of all fields, the worst first: see `fimi_nlp.evaluation.slices.badness`."""
        from fimi_nlp.evaluation.slices import badness

        return tuple(sorted(self.slices, key=badness))

    def to_dict(self, *, curves: bool = True) -> dict[str, Any]:
        """The report as plain JSON types; what could not be measured is ``None``.

        Parameters
        ----------
        curves : bool
            Whether the curves are in it, which `from_dict` needs.
        """
        names = [field.name for field in fields(Figures) if curves or field.name != "curves"]
        return {"format": _FORMAT, "version": VERSION, **{name: plain(getattr(self, name)) for name in names}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """The inverse of `to_dict`.

        Raises
        ------
        InputError
            The data are not those of a report, or of another version.
        """
        check_format(data, "report", _FORMAT, VERSION)
        figures = restore(Figures, data)
        return cls(**{field.name: getattr(figures, field.name) for field in fields(Figures)})

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a report that was saved as ``.json``.

        Raises
        ------
        InputError
            There is no such file, or it holds no report of this version.
        """
        return cls.from_dict(read_saved(path))

    def compare(self, other: Report, *, seed: int | None = None) -> Comparison:
        """Compare with the report of another model on the same passages.

        Parameters
        ----------
        other : Report
            Made from the same corpus, with the same groups.
        seed : int, optional
            Of the bootstrap; by default that of this report.

        Returns
        -------
        Comparison
            Differences are `other` minus this one.

        Raises
        ------
        InputError
            A report was read from a file, or the passages are not the same.
        """
        from fimi_nlp.evaluation.comparison import compare_reports

        return compare_reports(self, other, seed=self.seed if seed is None else seed)

    def thresholds(self, *, precision: float | None = None, recall: float | None = None) -> dict[str, float]:
        """Thresholds that reach a precision or a recall here, for ``fn.load(thresholds=...)``.

        Choose them on one part of your data and judge them on another: on the part that they were chosen on, they
        look better than they are.

        Parameters
        ----------
        precision, recall : float, optional
            Give one of them. Of the thresholds that reach the precision, the one with the highest recall is taken,
            and the other way round. With neither, the best F1.

        Returns
        -------
        dict of str to float
            For each narrative that the corpus carries.

        Raises
        ------
        InputError
            No threshold reaches it, or the model gives no probabilities.
        """
        from fimi_nlp.evaluation.curves import choose_threshold

        if not self.curves.thresholds:
            raise InputError(
                "The report has no probabilities to choose thresholds by.",
                remedy="Evaluate a model that gives probabilities, on passages that carry narratives.",
            )
        return {curve.label: choose_threshold(curve, precision, recall) for curve in self.curves.thresholds}

    def plot(self, kind: str) -> Figure:
        """Draw one figure; a notebook shows it, ``savefig`` saves it. Needs the extra ``eval``.

        Parameters
        ----------
        kind : str
            ``precision_recall``, ``thresholds``, ``reliability``, ``risk_coverage``, ``confusion`` or ``slices``.

        Raises
        ------
        InputError
            There is no such figure, or nothing to draw in it.
        """
        from fimi_nlp.evaluation.plots import FIGURES, NEEDS

        if kind not in FIGURES:
            raise InputError(f"There is no figure '{kind}'.", remedy=did_you_mean(kind, FIGURES))
        figure = FIGURES[kind](self)
        if figure is None:
            raise InputError(f"There is nothing to draw for '{kind}' in this report.", remedy=NEEDS[kind])
        return figure

    def to_markdown(self) -> str:
        """The report as Markdown tables."""
        from fimi_nlp.evaluation.render import markdown

        return markdown(self)

    def to_html(self) -> str:
        """The report as one HTML page that needs nothing else: no scripts, no files, no network."""
        from fimi_nlp.evaluation.html import page

        return page(self)

    def _repr_html_(self) -> str:
        from fimi_nlp.evaluation.html import fragment

        return fragment(self)

    def print(self, console: Console | None = None) -> None:
        """Show the report in the terminal."""
        from fimi_nlp.evaluation.render import show

        show(self, console)

    def save(self, path: str | Path) -> Path:
        """Write the report to a ``.html``, ``.md`` or ``.json`` file, and give its path back.

        Raises
        ------
        InputError
            The file name ends otherwise, or the file cannot be written.
        """
        return save_report(self, path)
