"""Soft targets: what a teacher says of every passage, beside the labels or where there are none.

A teacher is a bundle, or a file of probabilities keyed by passage id (``.npz`` or ``.parquet``), which may come from
any model, or from several. A student that is trained towards a teacher's probabilities keeps what the teacher knows
while it learns from new labels (knowledge distillation: Hinton et al. 2015, *Distilling the Knowledge in a Neural
Network*; against forgetting: Li & Hoiem 2016, *Learning without Forgetting*).

Outputs are matched by name, so that teacher and student may have different schemas: see `columns`. A choice between
classes (subs, stance, origin) is taken over only where both know the same classes, since a teacher has no say on a
class that it never saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fimi_nlp.errors import CorpusError, InputError, RecipeError, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from fimi_nlp.data import Corpus
    from fimi_nlp.schema import LabelSchema
    from fimi_nlp.training.model import HeadSizes
    from fimi_nlp.training.recipe_parts import LossPart

    Floats = npt.NDArray[np.float32]

_FILES = (".npz", ".parquet")


def columns(schema: LabelSchema) -> list[list[str]]:
    """Names of a network's outputs, in its order, in blocks that stand or fall together.

    Examples
    --------
    >>> from fimi_nlp import LabelSchema
    >>> blocks = columns(LabelSchema.default())
    >>> blocks[0], blocks[-1]
    (['narratives/us_democracy'], ['origin/russia', 'origin/china', 'origin/other'])
    """
    blocks = [[f"narratives/{label}"] for label in schema.narrative_labels]
    blocks += [[f"subs/{label.label}/{sub}" for sub in label.sub_labels] for label in schema.narratives]
    blocks += [[f"stance/{label}" for label in schema.stance_labels]]
    blocks += [[f"origin/{label}" for label in schema.origin_labels]]
    return blocks


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """A teacher's probabilities for passages, in the student's outputs.

    Attributes
    ----------
    values : Tensor of float32, shape (n, outputs)
        Of each narrative by itself, of the subs given their narrative, of the stance given that any is carried, of the
        origin; NaN where the teacher says nothing.
    sizes : HeadSizes
        Widths of the student's heads.
    """

    values: Tensor
    sizes: HeadSizes

    @property
    def narratives(self) -> Tensor:
        """Probabilities of the narratives, shape (n, L)."""
        return self.values[:, : self.sizes.narratives]

    def blocks(self) -> list[tuple[str, Tensor]]:
        """The choices: ``subs`` once a narrative, then ``stance`` and ``origin``."""
        parts = self.sizes.slices()
        subs = torch.split(self.values[:, parts["subs"]], list(self.sizes.subs), dim=1)
        rest = [(name, self.values[:, parts[name]]) for name in ("stance", "origin")]
        return [*(("subs", block) for block in subs), *rest]

    def rows(self, index: Tensor) -> SoftTargets:
        """Some rows."""
        return replace(self, values=self.values[index])

    def to(self, device: torch.device) -> SoftTargets:
        """The same on a device."""
        return replace(self, values=self.values.to(device))

    def joined(self, other: SoftTargets) -> SoftTargets:
        """Targets of passages joined with others, row by row, decided as the tagger decides over windows.

        The more probable part gives a narrative and its sub, the part with the most probable narrative the stance; the
        origin is the mean of both.
        """
        mine, theirs, parts = self.values, other.values, self.sizes.slices()
        first = self.narratives.nan_to_num(-1.0) >= other.narratives.nan_to_num(-1.0)
        widths = torch.tensor(self.sizes.subs, device=mine.device)
        leads = first.repeat_interleave(widths, dim=1)
        strongest = self.narratives.nan_to_num(-1.0).amax(1) >= other.narratives.nan_to_num(-1.0).amax(1)
        return replace(
            self,
            values=torch.cat(
                [
                    torch.maximum(self.narratives, other.narratives),
                    torch.where(leads, mine[:, parts["subs"]], theirs[:, parts["subs"]]),
                    torch.where(strongest[:, None], mine[:, parts["stance"]], theirs[:, parts["stance"]]),
                    (mine[:, parts["origin"]] + theirs[:, parts["origin"]]) / 2,
                ],
                dim=1,
            ),
        )


def soft_loss(logits: Tensor, soft: SoftTargets, weights: LossPart) -> Tensor:
    """Weighted sum of the heads' losses towards a teacher's probabilities, over what the teacher says.

    Cross-entropy per narrative, and between distributions for the choices. A choice under a narrative counts as much as
    the teacher believes that the narrative is carried.
    """
    p, parts = soft.narratives, soft.sizes.slices()
    known = ~p.isnan()
    total = logits.new_zeros(())
    if known.any():
        total = weights.narratives * functional.binary_cross_entropy_with_logits(
            logits[:, parts["narratives"]][known], p[known]
        )
    carried = p.nan_to_num(0.0)
    start = soft.sizes.narratives
    for number, (head, target) in enumerate(soft.blocks()):
        weight, width = getattr(weights, head), target.shape[1]
        block, start = logits[:, start : start + width], start + width
        rows = ~target.isnan().any(1) if width else torch.zeros(len(target), dtype=torch.bool)
        if not weight or not width or not rows.any():
            continue
        each = functional.cross_entropy(block[rows], target[rows], reduction="none")
        share = carried[:, number] if head == "subs" else carried.amax(1)
        importance = torch.ones_like(each) if head == "origin" else share[rows]
        total = total + weight * (each * importance).sum() / importance.sum().clamp(min=1.0)
    return total


def soft_targets(corpus: Corpus, teachers: Sequence[str], sizes: HeadSizes, *, max_tokens: int) -> SoftTargets:
    """Ask teachers about the passages of a corpus; where several answer, the mean of their probabilities counts.

    Parameters
    ----------
    corpus : Corpus
        The passages; its schema names the outputs.
    teachers : sequence of str
        Bundles as `fimi_nlp.load` takes them (``default`` for the bundled one), or files that `write_answers` wrote.
    sizes : HeadSizes
        Widths of the student's heads.
    max_tokens : int
        A bundle reads this much of a longer passage, as the student does.

    Raises
    ------
    RecipeError
        A teacher shares no output with the schema.
    CorpusError
        A file has none of the passages.
    InputError, BundleError
        A teacher cannot be read.
    """
    total = np.zeros((len(corpus), sizes.total), np.float64)
    count = np.zeros_like(total)
    for teacher in teachers:
        answers = answers_of(teacher, corpus, max_tokens=max_tokens)
        known = ~np.isnan(answers)
        total[known] += answers[known]
        count += known
    with np.errstate(invalid="ignore"):
        mean = total / np.where(count, count, np.nan)
    return SoftTargets(torch.from_numpy(mean.astype(np.float32)), sizes)


def answers_of(teacher: str, corpus: Corpus, *, max_tokens: int = 192) -> Floats:
    """One teacher's probabilities in the outputs of the corpus's schema, shape (n, outputs); NaN where it has none."""
    if Path(teacher).suffix in _FILES:
        ids, names, values = _read_answers(Path(teacher))
        row_of = {identifier: row for row, identifier in enumerate(ids)}
        rows = np.array([row_of.get(passage.id, -1) for passage in corpus], np.int64)
        if len(rows) and (rows < 0).all():
            raise CorpusError(f"{teacher}: has soft targets for none of the {len(corpus)} passages.", remedy=_IDS)
    else:
        names, values = _ask_bundle(teacher, corpus.texts, max_tokens)
        rows = np.arange(len(corpus))
    blocks = columns(corpus.schema)
    out = np.full((len(corpus), sum(map(len, blocks))), np.nan, np.float32)
    theirs = {name: column for column, name in enumerate(names)}
    start, shared = 0, 0
    for block in blocks:
        if block and _same_classes(block, names):
            at = [theirs[name] for name in block]
            out[:, start : start + len(block)] = np.where(rows[:, None] < 0, np.nan, values[rows][:, at])
            shared += 1
        start += len(block)
    if not shared:
        raise RecipeError(
            f"{teacher}: this teacher has no output in common with the schema '{corpus.schema.name}'.",
            remedy=f"Outputs are matched by name, such as '{blocks[0][0]}'; the teacher has {', '.join(names[:5])}...",
        )
    return out


_IDS = "Rows are found by the passages' ids; write the file from the same corpus."


def _same_classes(block: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a teacher chooses between the very classes of a block."""
    if block[0].startswith("narratives/"):
        return block[0] in names
    head = block[0].rpartition("/")[0] + "/"
    return set(block) == {name for name in names if name.startswith(head)}


def further_texts(files: Sequence[str], beside: Corpus) -> Corpus:
    """Passages to train on with a teacher's answers alone: what files say of labels is left out.

    Raises
    ------
    CorpusError
        A record has no text, or its id is that of a passage in `beside` as well.
    """
    from fimi_nlp.data import Corpus
    from fimi_nlp.records import Record, read_records

    kept = ("id", "text", "source", "kind", "group", "date", "lang")
    records = [
        replace(record, data={key: record.data[key] for key in kept if key in record.data})
        if isinstance(record, Record)
        else record
        for file in files
        for record in read_records(file)
    ]
    corpus = Corpus.read(records, schema=beside.schema)
    twice = {passage.id for passage in corpus} & {passage.id for passage in beside}
    if twice:
        raise CorpusError(
            f"{len(twice)} passages of distil.texts have ids of training passages, such as '{min(twice)}'.",
            remedy="Soft targets are found by id: give them ids of their own.",
        )
    return corpus


def write_answers(
    path: str | Path, ids: Sequence[str], schema: LabelSchema, probabilities: npt.NDArray[np.floating]
) -> None:
    """Write soft targets that ``[distil] teacher`` reads: arrays in ``.npz``, or a table in ``.parquet``.

    Parameters
    ----------
    path : str or Path
        Its suffix chooses the format.
    ids : sequence of str
        Of the passages.
    schema : LabelSchema
        Names the columns.
    probabilities : ndarray, shape (n, outputs)
        As `answers_of` gives them.
    """
    path, names = Path(path), [name for block in columns(schema) for name in block]
    values = np.asarray(probabilities, np.float32)
    if values.shape != (len(ids), len(names)):
        raise InputError(
            f"The probabilities have shape {values.shape}.",
            remedy=f"One row a passage and one column an output are {(len(ids), len(names))}.",
        )
    if path.suffix == ".npz":
        np.savez_compressed(path, ids=np.array(ids, str), columns=np.array(names, str), probabilities=values)
    elif path.suffix == ".parquet":
        require("parquet", "pyarrow")
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = {"id": list(ids), **{name: values[:, i] for i, name in enumerate(names)}}
        pq.write_table(pa.table(table), path)
    else:
        raise InputError(f"{path}: soft targets are .npz or .parquet.", remedy="Choose one of these suffixes.")


def _read_answers(path: Path) -> tuple[list[str], list[str], Floats]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                found = [str(i) for i in data["ids"]], [str(c) for c in data["columns"]], data["probabilities"]
        else:
            require("parquet", "pyarrow")
            import pyarrow.parquet as pq

            table = pq.read_table(path)
            names = [name for name in table.column_names if name != "id"]
            values = np.stack([table[name].to_numpy().astype(np.float32) for name in names], axis=1)
            found = [str(i) for i in table["id"].to_pylist()], names, values
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: soft targets cannot be read: {error}.",
            remedy="A file has passage ids, names of outputs and probabilities: see fimi_nlp.training.write_answers.",
        ) from error
    ids, names, values = found
    values = np.asarray(values, np.float32)
    if values.shape != (len(ids), len(names)) or np.nanmin(values) < 0 or np.nanmax(values) > 1:
        raise InputError(f"{path}: values are not {len(ids)} rows of {len(names)} probabilities from 0 to 1.")
    return ids, names, values


def _ask_bundle(name: str, texts: Iterable[str], max_tokens: int) -> tuple[list[str], Floats]:
    """Calibrated probabilities of a bundle, each text read in one window."""
    from tokenizers import Tokenizer

    from fimi_nlp.bundle import Bundle, find
    from fimi_nlp.decision import calibrate
    from fimi_nlp.runtime import Runtime
    from fimi_nlp.text import normalise

    bundle = Bundle.read(find(None if name == "default" else name))
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    room = min(max_tokens, bundle.tokens.limit)
    windows = [tokenizer.encode(normalise(text), add_special_tokens=False).ids[:room] for text in texts]
    heads = calibrate(Runtime(bundle).run(windows).logits, bundle.schema, bundle.calibration)
    values = np.concatenate([heads.narratives, *heads.subs, heads.stance, heads.origin], axis=1)
    return [name for block in columns(bundle.schema) for name in block], values.astype(np.float32)
