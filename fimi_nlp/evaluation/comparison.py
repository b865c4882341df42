"""Two models on the same passages, and whether the difference is more than chance.

The bootstrap draws groups and scores both models on each resample, so that what is hard for both cancels out.
McNemar's test (1947) looks at the passages that one model gets right and the other wrong; it is exact (binomial), for
few such passages and for many, and takes passages for independent, which those of one group are not: where the two
disagree, believe the bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.errors import InputError, require
from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate, parts, share
from fimi_nlp.evaluation.compared_slices import SliceDifference, slice_differences, slice_sheets
from fimi_nlp.evaluation.render import Sheet, inline, number, show_sheets, signed, tables
from fimi_nlp.evaluation.scoring import evaluate
from fimi_nlp.evaluation.serialise import check_format, plain, read_saved, restore, save_report
from fimi_nlp.evaluation.slices import field_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    from rich.console import Console

    from fimi_nlp.data import Corpus
    from fimi_nlp.evaluation.report import Report
    from fimi_nlp.evaluation.scored import Scored

    Floats = npt.NDArray[np.float64]

VERSION = 1
_FORMAT = "fimi-nlp comparison"


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both models.

    Attributes
    ----------
    measure : str
        In words.
    first, second : float
        Of either model.
    difference : Estimate
        Second minus first, with its paired interval.
    """

    measure: str
    first: float
    second: float
    difference: Estimate

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True, slots=True)
class McNemar:
    """Which passages either model gets right.

    Attributes
    ----------
    question : str
        A narrative, or ``all labels``.
    both, only_first, only_second, neither : int
        Passages that they get right.
    p : float
        Two-sided; 1 where they are right on the same passages.
    """

    question: str
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two models differ in. In a notebook it shows itself.

    Attributes
    ----------
    first, second, data : str
        The models, and the start of the fingerprint of the corpus.
    n, groups, group, ci, seed, resamples
        As in `Report`.
    differences : tuple of Difference
        Of the figures that both models have.
    mcnemar : tuple of McNemar
        For all labels together, and for each narrative. Several tests: with five, one in four such comparisons of
        equal models has some p below 0.05.
    slices : tuple of SliceDifference
        By the fields that the first report is sliced by; within each, those where the second falls behind most first.
        With many slices, some intervals leave out 0 by chance.
    """

    first: str
    second: str
    data: str
    n: int
    groups: int
    group: str
    ci: float
    seed: int
    resamples: int
    differences: tuple[Difference, ...]
    mcnemar: tuple[McNemar, ...]
    slices: tuple[SliceDifference, ...]

    def __getitem__(self, measure: str) -> Difference:
        for row in self.differences:
            if row.measure == measure:
                return row
        raise KeyError(measure)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain JSON types."""
        return {
            "format": _FORMAT,
            "version": VERSION,
            **{field.name: plain(getattr(self, field.name)) for field in fields(self)},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Comparison:
        """The inverse of `to_dict`.

        Raises
        ------
        InputError
            The data are not those of a comparison, or of another version.
        """
        check_format(data, "comparison", _FORMAT, VERSION)
        return restore(cls, data)

    @classmethod
    def load(cls, path: str | Path) -> Comparison:
        """Read a comparison that was saved as ``.json``.

        Raises
        ------
        InputError
            There is no such file, or it holds no comparison of this version.
        """
        return cls.from_dict(read_saved(path))

    def to_markdown(self) -> str:
        """The comparison as Markdown tables."""
        return "\n\n".join(["# Comparison", inline(self.intro()), *tables(self.sheets())]) + "\n"

    def to_html(self) -> str:
        """The comparison as one HTML page that needs nothing else."""
        from fimi_nlp.evaluation.html import comparison_fragment, whole_page

        return whole_page(f"{self.first} and {self.second}", comparison_fragment(self))

    def _repr_html_(self) -> str:
        from fimi_nlp.evaluation.html import comparison_fragment

        return comparison_fragment(self)

    def print(self, console: Console | None = None) -> None:
        """Show the comparison in the terminal."""
        show_sheets(self.intro(), self.sheets(), console)

    def save(self, path: str | Path) -> Path:
        """Write the comparison to a ``.html``, ``.md`` or ``.json`` file, and give its path back."""
        return save_report(self, path)

    def intro(self) -> str:
        """What was compared, and how."""
        return (
            f"{self.second} (second) against {self.first} (first) on {self.n:,} passages in {self.groups:,} groups"
            f" ({self.group}). Brackets: {100 * self.ci:g} % intervals of second minus first, paired cluster bootstrap"
            f" over the groups, {self.resamples:,} resamples, seed {self.seed}."
        )

    def sheets(self) -> Iterator[Sheet]:
        """The tables."""
        yield Sheet(
            "Differences",
            ("measure", "first", "second", "second - first"),
            tuple(
                (row.measure, number(row.first), number(row.second), signed(row.difference) + " *" * row.clear)
                for row in self.differences
            ),
            "*: the interval leaves out 0. Of share flagged, less is better.",
        )
        yield Sheet(
            "Passages right (McNemar, exact)",
            ("question", "both", "only first", "only second", "neither", "p"),
            tuple(
                (
                    row.question,
                    *map(str, (row.both, row.only_first, row.only_second, row.neither)),
                    number(row.p) if row.p >= _SMALL else f"< {_SMALL:g}",
                )
                for row in self.mcnemar
            ),
            "The test takes passages for independent. Where it and the bootstrap disagree, believe the bootstrap.",
        )
        yield from slice_sheets(self.slices)


_SMALL = 0.001


def compare(
    first: Any, second: Any, corpus: Corpus, *, group: str = "group", ci: float = 0.95, seed: int = 0, **options: Any
) -> Comparison:
    """Evaluate two models on a corpus and compare them.

    Parameters
    ----------
    first, second : any model
        As `evaluate` takes them.
    corpus : Corpus
        Passages with labels.
    group, ci, seed
        As in `evaluate`.
    **options
        Others of `evaluate`, for both, such as ``slices``.

    Returns
    -------
    Comparison
        Differences are `second` minus `first`.

    Examples
    --------
    >>> from fimi_nlp.data import Corpus
    >>> corpus = Corpus.read([{"text": f"NATO provoked war {i}.", "narratives": ["nato_alliances"]} for i in range(9)])
    >>> silent, right = (lambda texts: [[]] * 9), (lambda texts: [["nato_alliances"]] * 9)
    >>> found = compare(silent, right, corpus)
    >>> found["macro-F1, strict"].difference.value, round(found.mcnemar[0].p, 4)
    (1.0, 0.0039)
    """
    common = {"slices": (), "group": group, "ci": ci, "seed": seed, **options}
    return evaluate(first, corpus, **common).compare(evaluate(second, corpus, **common))


def compare_reports(first: Report, second: Report, *, seed: int) -> Comparison:
    """See `Report.compare`."""
    require("eval", "scipy")
    a, b = first.scored, second.scored
    if a is None or b is None:
        raise InputError(
            "A report read from a file has no passages to compare by.",
            remedy="Evaluate again: from the model, or from a file of its predictions.",
        )
    if a.corpus != b.corpus:
        raise InputError(
            "The reports are not about the same passages.", remedy="Evaluate both models on the same corpus."
        )
    columns = dict.fromkeys(row.field for row in first.slices)
    boot = ClusterBootstrap(field_values(a.corpus, first.group), n=first.resamples, ci=first.ci, seed=seed)
    return Comparison(
        first=first.model,
        second=second.model,
        data=first.data,
        n=first.n,
        groups=boot.groups,
        group=first.group,
        ci=first.ci,
        seed=seed,
        resamples=boot.n,
        differences=tuple(_differences(a, b, boot)),
        mcnemar=tuple(_tests(a, b)),
        slices=tuple(slice_differences(a, b, columns, boot)),
    )


def _differences(a: Scored, b: Scored, boot: ClusterBootstrap) -> Iterator[Difference]:
    def of_sums(measure: str, rows: Callable[[Scored], Floats], metric: Callable[[Floats], Floats]) -> Difference:
        return Difference(measure, *boot.difference(rows(a), rows(b), metric))

    def macro(measure: str, rows: Callable[[Scored], Floats]) -> Difference:
        x, y = rows(a), rows(b)
        first, second = boot.macro_f1(x).value, boot.macro_f1(y).value
        estimate = boot.around(second - first, lambda: boot.drawn_macro_f1(y) - boot.drawn_macro_f1(x))
        return Difference(measure, first, second, estimate)

    yield macro("macro-F1, strict", lambda s: s.strict)
    yield macro("macro-F1, lenient", lambda s: s.lenient)
    yield macro("macro-F1, mean of both", lambda s: np.stack([s.strict, s.lenient], axis=1))
    yield of_sums("micro-F1", lambda s: s.strict.sum(axis=1), m.f1)
    yield of_sums("all labels right", lambda s: parts(_all_right(s)), share)
    yield of_sums("share flagged without a narrative", lambda s: parts(np.where(s.plain, s.flagged, np.nan)), share)
    if not any(np.isnan(s.said.probabilities).any() for s in (a, b)):
        yield _average_precision(a, b, boot)
    for j, label in enumerate(a.schema.narrative_labels):
        yield of_sums(f"F1: {label}", lambda s, j=j: s.strict[:, j], m.f1)  # type: ignore[misc]
    for head in ("stance", "origin"):
        if all(head in s.said.questions for s in (a, b)) and getattr(a.schema, f"{head}_labels"):
            yield macro(f"macro-F1: {head}", lambda s, head=head: s.choice_counts(head))  # type: ignore[misc]


def _average_precision(a: Scored, b: Scored, boot: ClusterBootstrap) -> Difference:
    first, second = (s.average_precisions(boot) for s in (a, b))
    one, two = (float(m.mean_of_scored(measured[0])) for measured in (first, second))

    def drawn() -> Floats:
        filled = [np.where(np.isnan(draws), of_all, draws) for of_all, draws in (first, second)]
        return m.mean_of_scored(filled[1]) - m.mean_of_scored(filled[0])

    return Difference("macro average precision", one, two, boot.around(two - one, drawn))


def _tests(a: Scored, b: Scored) -> Iterator[McNemar]:
    yield _mcnemar("all labels", _all_right(a), _all_right(b))
    for j, label in enumerate(a.schema.narrative_labels):
        rows = a.mask[:, j]
        yield _mcnemar(label, *((s.said.named[rows, j] == s.gold[rows, j]).astype(np.float64) for s in (a, b)))


def _mcnemar(question: str, first: Floats, second: Floats) -> McNemar:
    from scipy.stats import binomtest

    known = np.isfinite(first)
    x, y = first[known] > 0, second[known] > 0
    only = int((x & ~y).sum()), int((~x & y).sum())
    p = float(binomtest(only[0], sum(only)).pvalue) if sum(only) else 1.0
    return McNemar(question, int((x & y).sum()), *only, int((~x & ~y).sum()), p)


def _all_right(s: Scored) -> Floats:
    return m.all_right(s.gold, s.said.named, s.mask)
