"""Fit the first stage of ``load(..., fast=True)`` to a finished bundle.

It learns from the bundle's own answers, so that texts without labels serve as well. Its thresholds are set on texts
that it has not learned from, so that of those for which the whole model names a narrative a stated share goes on to
the model; what that costs and spares elsewhere is measured and written into the bundle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fimi_nlp.bundle import CARD, CONFIG, GATE, METRICS, Bundle, find, sha256
from fimi_nlp.errors import InputError
from fimi_nlp.gate import KEY, Gate, features
from fimi_nlp.reader import Reader
from fimi_nlp.sharing import export_bundle
from fimi_nlp.tagger import Tagger
from fimi_nlp.training.card import FIRST_STAGE, first_stage
from fimi_nlp.types import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from fimi_nlp.data import Corpus

    Floats = npt.NDArray[np.float64]

#: Share of the texts flagged by the whole model that the gate passes on, on the calibration split.
RECALL = 0.995
BUCKETS = 1 << 17
#: Features seen in fewer texts get no weight.
MIN_TEXTS = 3
#: Ridge penalty, on features scaled to unit length for a text of usual length.
PENALTY = 2.0
#: Margins beyond these are no surer: what matters is the side.
_LOWEST, _HIGHEST = -8.0, 5.0


def fit_gate(
    model: str | Path | None,
    out: str | Path,
    corpus: Corpus,
    *,
    texts: Iterable[str] = (),
    train: str = "train",
    calibrate: str = "dev",
    report: Sequence[str] = (),
    recall: float = RECALL,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Write a copy of a bundle that has a first stage.

    Parameters
    ----------
    model : str or Path, optional
        A bundle.
    out : str or Path
        A folder that does not exist yet.
    corpus : Corpus
        With the splits named below. Its labels are used for the confidence of texts that are let go, and no further.
    texts : iterable of str
        More texts to learn from, as like as can be to those that will be tagged.
    train, calibrate : str
        Splits to learn from and to set thresholds on.
    report : sequence of str
        Splits to measure on.
    recall : float
        Share of the texts flagged by the whole model that go on, on the calibration split, in every mode.
    advance : callable
        Called with the number of texts read so far.

    Returns
    -------
    dict
        The figures, as written under ``gate`` into ``metrics.json``: split to mode to figures.

    Raises
    ------
    InputError
        A split is missing or has too few texts that are flagged, or `out` exists.
    """
    out = Path(out)
    if out.exists():
        raise InputError(f"{out} exists.", remedy="Name a folder that does not exist yet.")
    if not 0.5 <= recall < 1.0:
        raise InputError(f"The recall of the first stage is {recall}.", remedy="Give a share from 0.5, below 1.")
    bundle = Bundle.read(find(model))
    reader = _Reader(bundle, advance)
    learned = reader.read([*_split(corpus, train).texts, *texts])
    gate = _fit(learned, reader.vocabulary)
    dev, parts = _split(corpus, calibrate), {name: _split(corpus, name) for name in report}
    answers = reader.read(dev.texts)
    labels = dev.label_arrays()
    clean = np.where(labels.narrative_mask.all(axis=1), labels.narratives.max(axis=1) <= 0.5, np.nan)
    scores = gate.scores(answers.windows)
    modes = {mode.value: _mode(scores, answers, clean[answers.rows], mode, recall) for mode in Mode}
    measured = {calibrate: _measure(gate, modes, answers)}
    measured |= {name: _measure(gate, modes, reader.read(part.texts)) for name, part in parts.items()}
    record = {
        "buckets": gate.buckets,
        "scale": gate.scale,
        "bias": gate.bias,
        "modes": modes,
        "recall": recall,
        "learned_from": len(learned.windows),
        "calibrated_on": calibrate,
        "teacher": bundle.name,
    }
    _write(bundle, out, gate, record, measured)
    return measured


class _Answers:
    """Texts of one window each, and by how much the whole model would name a narrative: ``(texts, modes)``."""

    def __init__(self, windows: list[list[int]], rows: list[int], margins: dict[Mode, Floats]) -> None:
        self.windows, self.rows, self.margins = windows, np.array(rows, int), margins


class _Reader:
    """Asks the whole model."""

    def __init__(self, bundle: Bundle, advance: Callable[[int], None]) -> None:
        self._tagger, self._reader, self._advance, self._done = Tagger(bundle), Reader(bundle), advance, 0
        self.vocabulary: int = self._reader.tokenizer.get_vocab_size()
        labels = bundle.schema.narrative_labels
        self._labels = labels
        self._thresholds = {mode: np.array([bundle.thresholds[mode.value][k] for k in labels]) for mode in Mode}

    def read(self, texts: Sequence[str]) -> _Answers:
        """The answers to those texts that are read in one window."""
        windows, rows, probabilities = [], [], []
        for row, (text, tag) in enumerate(zip(texts, self._tagger.stream(texts), strict=True)):
            if tag.windows == 1:
                windows.append(self._reader.prepare(text).ids[0])
                rows.append(row)
                probabilities.append([tag.scores[label] for label in self._labels])
            self._done += 1
            self._advance(self._done)
        odds = _log_odds(np.array(probabilities).reshape(-1, len(self._labels)))
        margins = {mode: (odds - _log_odds(t)).max(axis=1) for mode, t in self._thresholds.items()}
        return _Answers(windows, rows, margins)


def _log_odds(p: Floats) -> Floats:
    p = p.clip(1e-5, 1 - 1e-5)
    return np.asarray(np.log(p / (1 - p)))


def _fit(answers: _Answers, vocabulary: int) -> Gate:
    """Ridge regression on the margin in `balanced` mode; the other modes order texts much alike."""
    from scipy import sparse
    from sklearn.linear_model import Ridge

    if not answers.windows:
        raise InputError("There are no texts to fit the first stage to.")
    index, counts = features(answers.windows, vocabulary, BUCKETS)
    rows = np.repeat(np.arange(len(counts)), counts)
    size = vocabulary + BUCKETS
    design = sparse.csr_matrix((np.ones(len(index)), (rows, index)), shape=(len(counts), size))
    frequency = np.asarray((design > 0).sum(axis=0)).ravel()
    # Rare features weigh more, as in TF-IDF; the square root of the length makes short and long texts comparable.
    idf = (np.log((1 + len(counts)) / (1 + frequency)) + 1) * (frequency >= MIN_TEXTS)
    unit = np.sqrt(counts * max(float(np.mean(idf[index] ** 2)), 1e-9))
    scaled = sparse.diags(1 / unit) @ design @ sparse.diags(idf)
    ridge = Ridge(alpha=PENALTY, solver="lsqr").fit(scaled, answers.margins[Mode.BALANCED].clip(_LOWEST, _HIGHEST))
    weights = ridge.coef_ * idf * np.median(np.sqrt(counts) / unit)
    scale = max(float(np.abs(weights).max()), 1e-9) / 127
    return Gate(np.rint(weights / scale).astype(np.int8), BUCKETS, scale, float(ridge.intercept_))


def _mode(scores: Floats, answers: _Answers, clean: Floats, mode: Mode, recall: float) -> dict[str, float]:
    """Threshold, and the share of texts let go that carry nothing (`clean`: 1, 0, or NaN where nobody has said)."""
    counted = mode
    if mode is Mode.HIGH_PRECISION and (answers.margins[mode] >= 0).sum() < 1 / (1 - recall):
        # Too few to tell: what this mode names, `balanced` names too, and its threshold is the more cautious one.
        counted = Mode.BALANCED
    named = answers.margins[counted] >= 0
    flagged = np.sort(scores[named])
    if len(flagged) < 1 / (1 - recall):
        raise InputError(
            f"The calibration split has {len(flagged)} texts for which the model names a narrative in mode"
            f" '{counted.value}'; a recall of {recall} cannot be told from that.",
            remedy=f"Give at least {int(np.ceil(1 / (1 - recall)))}, or a lower recall.",
        )
    # Rounded down: no more than the stated share is lost.
    threshold = float(flagged[int(np.floor((1 - recall) * len(flagged)))])
    gone = clean[(scores < threshold) & ~np.isnan(clean)]
    # Rule of succession: with few texts let go, the confidence stays moderate.
    confidence = (gone.sum() + 1) / (len(gone) + 2)
    return {"threshold": threshold, "confidence": round(float(confidence), 5)}


def _measure(gate: Gate, modes: dict[str, dict[str, float]], answers: _Answers) -> dict[str, dict[str, Any]]:
    scores = gate.scores(answers.windows)
    figures = {}
    for mode in Mode:
        goes_on, flagged = scores >= modes[mode.value]["threshold"], answers.margins[mode] >= 0
        figures[mode.value] = {
            "texts": len(scores),
            "flagged": int(flagged.sum()),
            "lost": int((flagged & ~goes_on).sum()),
            "read": int(goes_on.sum()),
        }
    return figures


def _split(corpus: Corpus, name: str) -> Corpus:
    part = corpus.filter(split=name)
    if not len(part):
        there = ", ".join(sorted({str(passage.split) for passage in corpus}))
        raise InputError(f"The corpus has no passages of split '{name}'.", remedy=f"Splits there are: {there}.")
    return part


def _write(bundle: Bundle, out: Path, gate: Gate, record: dict[str, Any], measured: dict[str, Any]) -> None:
    export_bundle(bundle.folder, out)
    np.save(out / GATE, gate.weights, allow_pickle=False)
    config = {**bundle.config, KEY: record, "files": {**bundle.config["files"], GATE: sha256(out / GATE)}}
    (out / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path = out / METRICS
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    metrics |= {"model": Bundle.read(out).name, KEY: measured}
    path.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    _tell(out / CARD, measured)


def _tell(card: Path, measured: dict[str, Any]) -> None:
    """Put the figures at the end of the model card, in place of those of an earlier gate."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    kept = text.partition(f"\n{FIRST_STAGE}\n")[0].rstrip()
    card.write_text(f"{kept}\n\n{first_stage(measured)}".lstrip(), encoding="utf-8")
