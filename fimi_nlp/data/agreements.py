"""How far annotators agree: Cohen's kappa, Krippendorff's alpha, and F1 of one against the other.

Intervals are cluster-bootstrap intervals over groups, as in `fimi_nlp.evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.data.reliability import alpha_of, cohen_kappa, unit_counts
from fimi_nlp.errors import InputError
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap, Estimate
from fimi_nlp.evaluation.metrics import outcomes, ratio
from fimi_nlp.evaluation.serialise import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from fimi_nlp.data.corpus import Corpus, Passage

    Ints = npt.NDArray[np.int64]

#: How many ids `Agreement.lines` shows of a kind; `Agreement.to_dict` has all.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """What two annotators say to one question.

    Attributes
    ----------
    first, second : str
        The annotators.
    question : str
        A narrative, ``sub of NARRATIVE`` (where both name the narrative and give a sub), or ``stance`` (where both give
        one other than ``none``).
    n : int
        Passages that both answered.
    observed : float
        Share of them with the same answer.
    kappa : Estimate
        Cohen's kappa; ``NaN`` where both always give the same single answer.
    counts : mapping of str to mapping of str to int
        Answer of the first, to answer of the second, to how many passages; answers that occur.
    """

    first: str
    second: str
    question: str
    n: int
    observed: float
    kappa: Estimate
    counts: Mapping[str, Mapping[str, int]] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha of all annotators for one question.

    Attributes
    ----------
    question : str
        A narrative, or ``stance``.
    n : int
        Passages with two or more answers.
    alpha : Estimate
        1 is perfect, 0 is chance; ``NaN`` where all answers are the same.
    """

    question: str
    n: int
    alpha: Estimate


@dataclass(frozen=True, slots=True)
class Agreement:
    """What `agreement` found.

    Attributes
    ----------
    annotators : tuple of str
        Their names.
    passages : int
        Passages that two or more annotators have.
    alphas : tuple of Alpha
        For each narrative and the stance.
    pairs : tuple of PairAgreement
        For each two annotators and each question.
    macro_f1 : mapping of (str, str) to Estimate
        Of the second annotator's narratives, with the first's as gold. The other way round it is the same.
    missing : mapping of str to tuple of str
        Annotator to the ids that others have and this one has not.
    other_text : tuple of str
        Ids under which annotators have different texts: they are compared all the same.
    """

    annotators: tuple[str, ...]
    passages: int
    alphas: tuple[Alpha, ...]
    pairs: tuple[PairAgreement, ...]
    macro_f1: Mapping[tuple[str, str], Estimate] = field(hash=False)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    other_text: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types; ``NaN`` becomes ``None``."""
        return {
            "annotators": list(self.annotators),
            "passages": self.passages,
            "alphas": plain(self.alphas),
            "pairs": [
                {**plain(pair), "counts": {a: dict(row) for a, row in pair.counts.items()}} for pair in self.pairs
            ],
            "macro_f1": [{"first": a, "second": b, **plain(value)} for (a, b), value in self.macro_f1.items()],
            "missing": {name: list(ids) for name, ids in self.missing.items()},
            "other_text": list(self.other_text),
        }

    def lines(self) -> list[str]:
        """The result as lines of plain text."""
        lines = [f"{self.passages} passages in common, annotators: {', '.join(self.annotators)}"]
        lines += [
            f"alpha of {entry.question}: {_shown(entry.alpha)} ({entry.n} passages)" for entry in self.alphas if entry.n
        ]
        for names, f1 in self.macro_f1.items():
            lines.append(f"{names[0]} and {names[1]}: macro-F1 {_shown(f1)}")
            lines += [
                f"  {pair.question}: kappa {_shown(pair.kappa)}, same in {pair.observed:.1%} of {pair.n}"
                for pair in self.pairs
                if (pair.first, pair.second) == names and pair.n
            ]
        for name, ids in self.missing.items():
            lines.append(f"note: {name} lacks {len(ids)} passages that others have: {_some(ids)}")
        if self.other_text:
            lines.append(f"note: under {len(self.other_text)} ids the texts differ: {_some(self.other_text)}")
        return lines


def agreement(
    first: Corpus,
    second: Corpus,
    *others: Corpus,
    names: Sequence[str] | None = None,
    n_bootstrap: int = 1000,
    ci: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Compare the labels that annotators gave to the same passages.

    Passages are matched by their id. Labels count as they stand, unsure ones too; a narrative that one of two
    annotators did not annotate is left out between them. Origins say where a text is from and are not compared.

    Parameters
    ----------
    first, second, *others : Corpus
        One of each annotator, under one schema.
    names : sequence of str, optional
        What to call them; by default ``1``, ``2`` and so on.
    n_bootstrap, ci, seed
        Resamples, coverage and seed of the intervals. A resample draws groups, as the first corpus that has the
        passage tells them.

    Returns
    -------
    Agreement
        With ``lines()`` and ``to_dict()``.

    Raises
    ------
    InputError
        The schemas differ, an id stands twice in a corpus, or no passage is in two of them.
    """
    corpora = (first, second, *others)
    annotators = tuple(str(number) for number in range(1, len(corpora) + 1)) if names is None else tuple(names)
    if len(annotators) != len(corpora) or len(set(annotators)) != len(corpora):
        raise InputError(f"The names {annotators!r} do not fit.", remedy=f"Give {len(corpora)} names, all different.")
    by_id = [_by_id(corpus, name) for corpus, name in zip(corpora, annotators, strict=True)]
    if any(corpus.schema != first.schema for corpus in corpora):
        raise InputError("The corpora have different labels.", remedy="Read all of them with one schema.")
    everything = dict.fromkeys(key for passages in by_id for key in passages)
    ids = [key for key in everything if sum(key in passages for passages in by_id) > 1]
    if not ids:
        raise InputError("No passage is in two of the corpora.", remedy="Passages are matched by id: check the ids.")
    held = [[passages.get(key) for key in ids] for passages in by_id]
    groups = [next(p.group for p in column if p is not None) for column in zip(*held, strict=True)]
    bootstrap = ClusterBootstrap(groups, n=n_bootstrap, ci=ci, seed=seed)
    questions = _questions(first)
    answers = {
        question: np.array([_answers(column, question, options) for column in held])
        for question, options in questions.items()
    }
    two = list(combinations(range(len(corpora)), 2))
    return Agreement(
        annotators=annotators,
        passages=len(ids),
        alphas=tuple(_alphas(answers, questions, bootstrap)),
        pairs=tuple(
            _pair((annotators[a], annotators[b]), question, answers[question][[a, b]], options, bootstrap)
            for a, b in two
            for question, options in questions.items()
        ),
        macro_f1={(annotators[a], annotators[b]): _macro_f1(first, answers, a, b, bootstrap) for a, b in two},
        missing={
            name: lacking
            for name, passages in zip(annotators, by_id, strict=True)
            if (lacking := tuple(key for key in everything if key not in passages))
        },
        other_text=tuple(
            key
            for key, column in zip(ids, zip(*held, strict=True), strict=True)
            if len({p.text for p in column if p}) > 1
        ),
    )


def _questions(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """Every question that annotators answer, with the answers that there are."""
    schema = corpus.schema
    questions: dict[str, tuple[str, ...]] = dict.fromkeys(schema.narrative_labels, ("lacks", "carries"))
    questions |= {f"sub of {label.label}": label.sub_labels for label in schema.narratives if label.subs}
    return {**questions, "stance": schema.stance_labels} if schema.stances else questions


def _answers(passages: Sequence[Passage | None], question: str, options: Sequence[str]) -> list[int]:
    found = (None if passage is None else _answer(passage, question) for passage in passages)
    return [options.index(answer) if answer in options else -1 for answer in found]


def _answer(passage: Passage, question: str) -> str | None:
    if question == "stance":
        return passage.stance  # 'none' is not among the options: the narratives say it
    if question.startswith("sub of "):
        return (passage.narratives or {}).get(question.removeprefix("sub of "))
    if not passage.annotated(question):
        return None
    return "carries" if passage.carries(question) else "lacks"


def _alphas(
    answers: Mapping[str, Ints], questions: Mapping[str, Sequence[str]], bootstrap: ClusterBootstrap
) -> Iterator[Alpha]:
    for question, options in questions.items():
        if not question.startswith("sub of "):
            units = unit_counts(answers[question], len(options))
            yield Alpha(question, int((units[:, :-1].sum(axis=1) > 0).sum()), bootstrap.estimate(units, alpha_of))


def _pair(
    names: tuple[str, str], question: str, answers: Ints, options: Sequence[str], bootstrap: ClusterBootstrap
) -> PairAgreement:
    index = np.arange(len(options))
    # One table a passage, all zero where one of the two gave no answer.
    tables = ((answers[0][:, None] == index)[:, :, None] & (answers[1][:, None] == index)[:, None, :]).astype(
        np.float64
    )
    counts = tables.sum(axis=0)
    return PairAgreement(
        *names,
        question=question,
        n=int(counts.sum()),
        observed=float(ratio(np.trace(counts), counts.sum())),
        kappa=bootstrap.estimate(tables, cohen_kappa),
        counts={
            first: {second: int(counts[a, b]) for b, second in enumerate(options) if counts[:, b].any()}
            for a, first in enumerate(options)
            if counts[a].any()
        },
    )


def _macro_f1(corpus: Corpus, answers: Mapping[str, Ints], a: int, b: int, bootstrap: ClusterBootstrap) -> Estimate:
    columns = np.stack([answers[label] for label in corpus.schema.narrative_labels], axis=-1)
    return bootstrap.macro_f1(outcomes(columns[a] == 1, columns[b] == 1, (columns[a] >= 0) & (columns[b] >= 0)))


def _by_id(corpus: Corpus, name: str) -> dict[str, Passage]:
    passages: dict[str, Passage] = {}
    for passage in corpus:
        if passage.id in passages:
            raise InputError(f"The id '{passage.id}' stands twice with {name}.", remedy="Passages are matched by id.")
        passages[passage.id] = passage
    return passages


def _shown(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "undefined"
    return f"{estimate.value:.3f}" + ("" if np.isnan(estimate.low) else f" [{estimate.low:.3f}, {estimate.high:.3f}]")


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
