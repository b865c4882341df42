"""What is in a corpus, and what makes figures measured on it wrong: duplicates, leakage, contradictions."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fimi_nlp.data.corpus import FIELDS
from fimi_nlp.data.similarity import NEAR, RUN, Texts
from fimi_nlp.errors import InputError
from fimi_nlp.schema import NO_STANCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fimi_nlp.data.corpus import Corpus, Passage

#: How many findings of a kind `CheckReport.lines` shows; `CheckReport.to_dict` has all.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Passages with the same text, or nearly.

    Attributes
    ----------
    ids : tuple of str
        The passages.
    similarity : float
        Jaccard similarity of their word shingles; 1 where the texts are the same but for case, white space and
        punctuation.
    """

    ids: tuple[str, ...]
    similarity: float = 1.0


@dataclass(frozen=True, slots=True)
class Leak:
    """Passages of two or more splits that have something in common.

    Attributes
    ----------
    kind : str
        ``group``, ``duplicate``, ``near_duplicate`` or ``run`` (of words).
    splits, ids : tuple of str
        Where, and which passages.
    detail : str
        The group, the similarity, or the words.
    """

    kind: str
    splits: tuple[str, ...]
    ids: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Passages with the same text, or nearly, and labels that contradict each other.

    Attributes
    ----------
    ids : tuple of str
        The passages.
    field : str
        ``narratives``, ``sub`` or ``stance``.
    values : tuple of str
        The label of each passage.
    exact : bool
        Whether the texts are the same. Where they are only similar the labels may well differ (a negation, a
        contrast set), so these are shown but are no fault.
    """

    ids: tuple[str, ...]
    field: str
    values: tuple[str, ...]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found.

    Attributes
    ----------
    passages : int
        How many there are.
    counts : mapping of str to mapping of str to int
        ``split``, ``source``, ``narratives`` (those carried, ``(none)`` and ``(not annotated)``), ``unsure``,
        ``stance``, ``origin``: how many passages have each value.
    duplicates, near_duplicates : tuple of Duplicates
        Same texts (all that are the same together) and similar ones (pairs).
    leaks : tuple of Leak
        What splits share.
    conflicts : tuple of Conflict
        Contradicting labels.
    notes : tuple of str
        What a person should know, without being a fault.
    """

    passages: int
    counts: Mapping[str, Mapping[str, int]]
    duplicates: tuple[Duplicates, ...] = ()
    near_duplicates: tuple[Duplicates, ...] = ()
    leaks: tuple[Leak, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether figures on this corpus can be believed.

        False where two splits share a group, a text, a near duplicate or a run of 12 words, or where the same text
        has narratives or a stance that contradict each other. Duplicates within a split, other sub-narratives and
        contradictions between merely similar texts are shown, but are no fault.
        """
        return not self.leaks and not any(c.exact and c.field != "sub" for c in self.conflicts)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        data = {key: [asdict(entry) for entry in getattr(self, key)] for key in _FINDINGS}
        data = {key: [{k: _plain(v) for k, v in entry.items()} for entry in entries] for key, entries in data.items()}
        counts = {key: dict(values) for key, values in self.counts.items()}
        return {"ok": self.ok, "passages": self.passages, "counts": counts, **data, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """The report as lines of plain text."""
        lines = [f"{self.passages} passages"]
        for key, values in self.counts.items():
            if values:
                lines.append(f"{key}: " + ", ".join(f"{value} {count}" for value, count in values.items()))
        for title, findings in (
            ("same text", self.duplicates),
            ("similar texts", self.near_duplicates),
            ("shared between splits", self.leaks),
            ("contradicting labels", self.conflicts),
        ):
            lines.append(f"{title}: {len(findings) or 'none'}")
            lines += [f"  {_line(finding)}" for finding in findings[:SHOWN]]
            lines += [f"  ... and {len(findings) - SHOWN} more"] if len(findings) > SHOWN else []
        lines += [f"note: {note}" for note in self.notes]
        return [*lines, "ok" if self.ok else "not ok: splits share texts, or labels contradict each other"]


_FINDINGS = ("duplicates", "near_duplicates", "leaks", "conflicts")


def check(corpus: Corpus) -> CheckReport:
    """Count what a corpus holds and look for duplicates, leakage between splits and contradicting labels.

    Texts are compared without case, white space and punctuation. Near duplicates have a Jaccard similarity of 0.8 or
    more over shingles of three words. Passages without a split take no part in the search for leaks.

    Parameters
    ----------
    corpus : Corpus
        The passages.

    Returns
    -------
    CheckReport
        With ``ok``, ``lines()`` and ``to_dict()``.
    """
    texts = Texts(corpus.texts)
    same, near = texts.same(), texts.near()
    names = sorted({passage.split for passage in corpus if passage.split})
    parts = [names.index(passage.split) if passage.split else -1 for passage in corpus]
    runs = texts.shared_runs(parts) if len(names) > 1 else []
    ids = [passage.id for passage in corpus]
    return CheckReport(
        passages=len(corpus),
        counts=_counts(corpus),
        duplicates=_same(ids, same),
        near_duplicates=_near(ids, near),
        leaks=tuple(_leaks(corpus, same, near, runs)),
        conflicts=tuple(_conflicts(corpus, same, near)),
        notes=tuple(_notes(corpus)),
    )


def find_near_duplicates(corpus: Corpus, threshold: float = NEAR) -> tuple[Duplicates, ...]:
    """Passages with the same text, or nearly, compared as `check` compares them.

    Parameters
    ----------
    corpus : Corpus
        The passages.
    threshold : float
        Jaccard similarity of shingles of three words from which two texts count as near duplicates. The search is made
        for 0.7 and above: of pairs at 0.6 it misses one in eight, of pairs at 0.5 about half.

    Returns
    -------
    tuple of Duplicates
        Those that are the same together, then pairs of similar ones, the most similar first. Of texts that are the
        same only the first is compared with others.

    Raises
    ------
    InputError
        The threshold is not above 0 and at most 1.

    Examples
    --------
    >>> from fimi_nlp.data import Corpus, Passage
    >>> words = "The treaty was signed in the old town hall by twelve ministers on a rainy Monday"
    >>> find_near_duplicates(Corpus([Passage("a", words), Passage("b", words + " morning.")]))
    (Duplicates(ids=('a', 'b'), similarity=0.933),)
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}.", remedy="It is a similarity: above 0, at most 1.")
    texts, ids = Texts(corpus.texts), [passage.id for passage in corpus]
    return (*_same(ids, texts.same()), *_near(ids, sorted(texts.near(threshold), key=lambda pair: -pair[2])))


def _same(ids: Sequence[str], groups: Sequence[Sequence[int]]) -> tuple[Duplicates, ...]:
    return tuple(Duplicates(tuple(ids[index] for index in group)) for group in groups)


def _near(ids: Sequence[str], pairs: Sequence[tuple[int, int, float]]) -> tuple[Duplicates, ...]:
    return tuple(Duplicates((ids[left], ids[right]), round(value, 3)) for left, right, value in pairs)


def _counts(corpus: Corpus) -> dict[str, dict[str, int]]:
    carried: Counter[str] = Counter()
    unsure: Counter[str] = Counter()
    for passage in corpus:
        found = ["(not annotated)"] if passage.narratives is None else list(passage.narratives) or ["(none)"]
        carried.update(found)
        unsure.update(passage.unsure)
    schema = corpus.schema
    order = (*schema.narrative_labels, "(none)", "(not annotated)")
    counts = {key: _count(corpus, key) for key in ("split", "source", "stance", "origin")}
    narratives = {label: carried[label] for label in order if carried[label] or label in schema.narrative_labels}
    unsure_counts = {label: unsure[label] for label in schema.narrative_labels if unsure[label]}
    return {
        "split": counts["split"],
        "narratives": narratives,
        "unsure": unsure_counts,
        "stance": counts["stance"],
        "origin": counts["origin"],
        "source": counts["source"],
    }


def _count(corpus: Corpus, key: str) -> dict[str, int]:
    found = Counter(getattr(passage, key) or "(not known)" for passage in corpus)
    return {} if set(found) <= {"(not known)"} else dict(found.most_common())


def _leaks(
    corpus: Corpus,
    same: Sequence[Sequence[int]],
    near: Sequence[tuple[int, int, float]],
    runs: Sequence[tuple[str, list[int]]],
) -> Iterator[Leak]:
    groups: dict[str, list[int]] = {}
    for index, group in enumerate(corpus.groups):
        groups.setdefault(group, []).append(index)
    for group, members in groups.items():
        yield from _leak(corpus, "group", members, group)
    for duplicates in same:
        yield from _leak(corpus, "duplicate", duplicates, "the same text")
    copies = {index: group for group in same for index in group}
    for left, right, value in near:  # of texts that are the same only one was compared: its copies leak with it
        members = [*copies.get(left, [left]), *copies.get(right, [right])]
        yield from _leak(corpus, "near_duplicate", members, f"similarity {value:.2f}")
    for run, members in runs:
        yield from _leak(corpus, "run", members, f"{RUN} words: {run}")


def _leak(corpus: Corpus, kind: str, members: Sequence[int], detail: str) -> Iterator[Leak]:
    passages = [corpus[index] for index in members]
    splits = sorted({passage.split for passage in passages if passage.split})
    if len(splits) > 1:
        yield Leak(kind, tuple(splits), tuple(passage.id for passage in passages if passage.split), detail)


def _conflicts(
    corpus: Corpus, same: Sequence[Sequence[int]], near: Sequence[tuple[int, int, float]]
) -> Iterator[Conflict]:
    groups = [(list(group), True) for group in same] + [([left, right], False) for left, right, _ in near]
    for members, exact in groups:
        passages = [corpus[index] for index in members]
        for field in ("narratives", "sub", "stance"):
            known = [(p, label) for p in passages if (label := _label(p, field, passages)) is not None]
            if len({label for _, label in known}) > 1:
                yield Conflict(tuple(p.id for p, _ in known), field, tuple(label for _, label in known), exact)


def _label(passage: Passage, field: str, passages: Sequence[Passage]) -> str | None:
    """A label in a form that can be compared; ``None`` where nothing certain is known."""
    if field == "stance":  # 'none' says nothing that the narratives do not say
        return None if passage.stance == NO_STANCE else passage.stance
    annotated = [other for other in passages if other.narratives is not None]
    if passage.narratives is None:
        return None
    open_labels = frozenset().union(*(other.not_annotated | other.unsure for other in annotated))
    if field == "narratives":
        return ", ".join(sorted(set(passage.narratives) - open_labels)) or "none"
    shared = [
        label
        for label in sorted(set(passage.narratives) - open_labels)
        if all((other.narratives or {}).get(label) is not None for other in annotated)
    ]
    return ", ".join(f"{label}/{passage.narratives[label]}" for label in shared) or None


def _notes(corpus: Corpus) -> Iterator[str]:
    if len(corpus) and all(passage.narratives is None for passage in corpus):
        yield "no passage has annotated narratives"
    if len(corpus) and all(passage.group == passage.id for passage in corpus):
        yield "no groups: every passage counts as a document of its own, so leakage by document cannot be seen"
    for key in sorted({key for passage in corpus for key in passage.extra}):
        close = difflib.get_close_matches(key, FIELDS, n=1, cutoff=0.8)
        if close:
            yield f"column '{key}' was kept but is not read; did you mean '{close[0]}'?"
    wordless = sum(1 for passage in corpus if not any(map(str.isalnum, passage.text)))
    if wordless:
        yield f"{wordless} passages have no words"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _line(finding: Duplicates | Leak | Conflict) -> str:
    ids = ", ".join(finding.ids[:SHOWN]) + (", ..." if len(finding.ids) > SHOWN else "")
    if isinstance(finding, Leak):
        return f"{finding.kind} in {', '.join(finding.splits)}: {ids} ({finding.detail})"
    if isinstance(finding, Conflict):
        text = "same text" if finding.exact else "similar texts"
        return f"{finding.field}: {ids}: {' | '.join(finding.values[:SHOWN])} ({text})"
    return ids if finding.similarity == 1.0 else f"{ids} (similarity {finding.similarity:.2f})"
