"""Splitting a corpus without cutting a document in two."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING

from fimi_nlp.data.checks import check
from fimi_nlp.data.corpus import Corpus
from fimi_nlp.data.similarity import Texts
from fimi_nlp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fimi_nlp.data.checks import CheckReport
    from fimi_nlp.data.corpus import Passage


def split(
    corpus: Corpus, fractions: Mapping[str, float], *, seed: int = 0, keep_similar: bool = True
) -> dict[str, Corpus]:
    """Split a corpus by groups, with about the same share of every label in each part.

    A group is never cut, and groups that share a text (case, white space and punctuation folded) stay together, so
    that no text is both learned and tested. By default this holds for near duplicates and runs of 12 words too, so that
    `check_split` finds nothing shared.

    Parameters
    ----------
    corpus : Corpus
        The passages.
    fractions : mapping of str to float
        Name of each part to its share; the shares sum to 1.
    seed : int
        The same seed gives the same parts, whatever the order of the passages.
    keep_similar : bool
        Keep groups together that share a near duplicate or a run of 12 words. Without it only same texts do, for
        corpora whose boilerplate would tie most groups to each other.

    Returns
    -------
    dict of str to Corpus
        The parts, whose passages have the part's name as their `split`, in the order of the corpus.

    Raises
    ------
    InputError
        The shares do not sum to 1, or there are fewer groups than parts.

    Examples
    --------
    >>> from fimi_nlp.data import Corpus, Passage
    >>> corpus = Corpus(Passage(str(n), f"Text number {n}.", {}) for n in range(10))
    >>> {name: len(part) for name, part in split(corpus, {"train": 0.8, "test": 0.2}).items()}
    {'train': 8, 'test': 2}
    """
    _check_fractions(fractions)
    units = _units(corpus, keep_similar=keep_similar)
    if len(units) < len(fractions):
        raise InputError(
            f"{len(units)} sets of groups that share texts cannot be split into {len(fractions)} parts.",
            remedy="Give the passages finer groups, ask for fewer parts, or try keep_similar=False.",
        )
    chosen = _assign(units, dict(fractions), random.Random(seed))  # noqa: S311
    members: dict[str, list[Passage]] = {name: [] for name in fractions}
    for passage in corpus:
        members[chosen[passage.group or passage.id]].append(passage)
    return {name: Corpus(passages, corpus.schema).with_split(name) for name, passages in members.items()}


def check_split(parts: Mapping[str, Corpus]) -> CheckReport:
    """Check the parts of a split against each other, whatever `split` their passages name.

    Parameters
    ----------
    parts : mapping of str to Corpus
        As `split` returns them.

    Returns
    -------
    CheckReport
        That of `check` over all parts.
    """
    if not parts:
        raise InputError("There are no parts to check.", remedy='Pass a mapping such as {"train": ..., "test": ...}.')
    passages = [passage for name, part in parts.items() for passage in part.with_split(name)]
    return check(Corpus(passages, next(iter(parts.values())).schema))


def _check_fractions(fractions: Mapping[str, float]) -> None:
    if not fractions or not all(name and math.isfinite(share) and share > 0 for name, share in fractions.items()):
        raise InputError(
            f"The parts {dict(fractions)!r} are not usable.", remedy="Each needs a name and a share above 0."
        )
    total = math.fsum(fractions.values())
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise InputError(f"The shares sum to {total:g}.", remedy="They must sum to 1.")


def _units(corpus: Corpus, *, keep_similar: bool) -> list[tuple[list[str], Counter[str]]]:
    """Sets of groups that stay together, each with how often it has every stratum; sorted by name."""
    names = corpus.groups
    parent = {group: group for group in names}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for members in _tied(corpus, keep_similar=keep_similar):
        for index in members[1:]:
            first, second = sorted((root(names[members[0]]), root(names[index])))
            parent[second] = first
    groups: dict[str, list[str]] = {}
    strata: dict[str, Counter[str]] = {}
    for group in sorted(parent):
        groups.setdefault(root(group), []).append(group)
    for passage, group in zip(corpus, names, strict=True):
        strata.setdefault(root(group), Counter()).update(_strata(passage))
    return [(groups[name], strata[name]) for name in sorted(groups)]


def _tied(corpus: Corpus, *, keep_similar: bool) -> Iterator[Sequence[int]]:
    """Passages whose groups must not be parted."""
    # The order decides which of several similar texts are compared; sorted, the parts do not depend on the corpus'.
    order = sorted(range(len(corpus)), key=lambda index: corpus[index].id)
    texts = Texts([corpus[index].text for index in order])
    found: list[Sequence[int]] = [*texts.same()]
    if keep_similar:
        found += [pair[:2] for pair in texts.near()]
        found += [members for _, members in texts.shared_runs(range(len(order)))]
    for members in found:
        yield [order[index] for index in members]


def _strata(passage: Passage) -> list[str]:
    """What a passage counts for: its size, each narrative, and its stance and origin."""
    if passage.narratives is None:
        labels = ["not annotated"]
    else:
        labels = [f"narrative {label}" for label in passage.narratives] or ["no narrative"]
    return ["passages", *labels, f"stance {passage.stance}", f"origin {passage.origin}"]


def _assign(
    units: list[tuple[list[str], Counter[str]]], fractions: dict[str, float], rng: random.Random
) -> dict[str, str]:
    """Greedy: the largest first, each to the part that lacks most of what it has."""
    units = list(units)
    rng.shuffle(units)
    units.sort(key=lambda unit: -unit[1]["passages"])
    totals: Counter[str] = Counter()
    for _, strata in units:
        totals.update(strata)
    have: dict[str, Counter[str]] = {name: Counter() for name in fractions}
    used: set[str] = set()
    chosen: dict[str, str] = {}
    for index, (groups, strata) in enumerate(units):
        empty = [name for name in fractions if name not in used]
        # The last units go to parts that are still empty, so that none stays so.
        open_parts = empty if len(units) - index <= len(empty) else list(fractions)

        def lack(name: str, strata: Counter[str] = strata) -> float:
            return math.fsum(
                count / totals[key] * (1 - have[name][key] / (fractions[name] * totals[key]))
                for key, count in strata.items()
            )

        best = max(open_parts, key=lack)
        used.add(best)
        have[best].update(strata)
        chosen |= dict.fromkeys(groups, best)
    return chosen
