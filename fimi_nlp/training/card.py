"""The model card, written from the bundle and from the reports on it, never by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fimi_nlp.bundle import Bundle
    from fimi_nlp.evaluation import Report, ShortcutReport, SuiteReport


#: Heading of the section that `first_stage` writes; it ends the card.
FIRST_STAGE = "## First stage"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a bundle through the public API.

    Attributes
    ----------
    reports : dict of str to Report
        Split to figures in ``balanced`` mode, the dev split first.
    modes : mapping of str to mapping of str to Report
        The other modes: mode to split to figures.
    suite : SuiteReport or None
        The behavioural suite, where the schema is that of the suite.
    masked : mapping of str to ShortcutReport
        Split to what the origin leans on; empty where the schema has no origins.
    """

    reports: dict[str, Report]
    modes: Mapping[str, Mapping[str, Report]]
    suite: SuiteReport | None = None
    masked: Mapping[str, ShortcutReport] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "splits": {name: report.to_dict(curves=False) for name, report in self.reports.items()},
            "modes": {
                mode: {name: _brief(report) for name, report in reports.items()} for mode, reports in self.modes.items()
            },
            "behavioural": self.suite.to_dict() if self.suite else None,
            "masked": {name: report.to_dict() for name, report in self.masked.items()},
        }


def _brief(report: Report) -> dict[str, Any]:
    return {
        "macro_f1": round(report.macro_f1, 4),
        "micro_precision": round(report.narratives.micro_precision.value, 4),
        "micro_recall": round(report.narratives.micro_recall.value, 4),
        "flagged": {row.origin: [round(value, 4) for value in row.rate] for row in report.false_alarms},
    }


def card(bundle: Bundle, measured: Measured) -> str:
    """The model card in Markdown, with the front matter that model hubs read.

    Parameters
    ----------
    bundle : Bundle
        The model.
    measured : Measured
        Its figures.
    """
    return "\n\n".join(part.strip() for part in _parts(bundle, measured) if part.strip()) + "\n"


def _parts(bundle: Bundle, measured: Measured) -> Iterator[str]:
    config, schema = bundle.config, bundle.schema
    training = config["training"]
    yield (
        f"---\nlanguage: {schema.language}\nlicense: apache-2.0\nlibrary_name: fimi-nlp\npipeline_tag:"
        f" text-classification\nbase_model: {config['base_model']['id']}\ntags: [fimi, narratives, disinformation]\n---"
    )
    yield f"# {bundle.id}"
    yield schema.description or f"Narratives of the schema '{schema.name}'."
    yield (
        "**Content alignment is not attribution.** The model says what a passage claims and whose register it"
        " resembles."
        " It does not say who is behind a text, whether a claim is true, or that anything is coordinated. It is not for"
        " action against individuals."
    )
    yield _use(bundle)
    yield "## Data\n\n" + training["recipe"]["card"]["data"].strip() + "\n\n" + _counts(training)
    yield _method(config)
    yield _figures(measured.reports)
    yield _modes(measured)
    yield _behaviour(measured.suite)
    yield _masked(measured.masked)
    yield _thresholds(bundle)
    if limits := training["recipe"]["card"]["limits"].strip():
        yield "## Limits\n\n" + limits


def _use(bundle: Bundle) -> str:
    names = "".join(f"- `{label.label}`: {label.definition}\n" for label in bundle.schema.narratives)
    return (
        "## Intended use\n\nFor analysts, newsrooms and researchers who study information manipulation: to sort, search"
        f" and count texts for a person to read. Texts carry none, one or several of these narratives:\n\n{names}"
    )


def _counts(training: dict[str, Any]) -> str:
    data = training["data"]
    passages = ", ".join(f"{count:,} {name}" for name, count in data["passages"].items())
    labels = ", ".join(f"{count:,} `{label}`" for label, count in data["labels"].items())
    return f"Passages: {passages}. Labels in training: {labels}. Data fingerprint `{data['fingerprint'][:16]}`."


def _method(config: dict[str, Any]) -> str:
    training, parity = config["training"], config["parity"]
    recipe = training["recipe"]
    lexical = (
        f"its logits mixed ({1 - recipe['model']['lexical_weight']:g} to {recipe['model']['lexical_weight']:g}) with"
        " those of a linear model on hashed word-piece pairs, inside the same graph; "
        if recipe["model"]["lexical"]
        else ""
    )
    settings = {key: recipe["training"][key] for key in ("epochs", "batch_size", "learning_rate", "average", "joining")}
    seeds = training.get("averaged_seeds", [recipe["training"]["seed"]])
    frozen = recipe["model"].get("freeze_layers", 0)
    shown = ", ".join(f"{key} {value}" for key, value in settings.items())
    start = f"The encoder `{config['base_model']['id']}` with label-wise attention and a head per question, {lexical}"
    if few := recipe.get("few_shot", {}).get("examples"):
        start = (
            f"The encoder `{config['base_model']['id']}`, fine-tuned on pairs of {few} examples of each narrative, and"
            " logistic heads on the mean of its token states (SetFit), "
        )
        shown = ", ".join(f"{key} {recipe['few_shot'][key]}" for key in ("pairs", "epochs", "learning_rate"))
    teachers = ", ".join(f"`{name}`" for name in recipe.get("distil", {}).get("teacher", ()))
    return (
        f"## Method\n\n{start}trained with {shown}"
        + (f", towards the labels and the probabilities of {teachers}" if teachers else "")
        + _started(recipe["model"])
        + (f", the {frozen} lowest layers left as they were" if frozen else "")
        + (f", the weights of seeds {', '.join(map(str, seeds))} averaged" if len(seeds) > 1 else f", seed {seeds[0]}")
        + f", on a {training['device']}. Probabilities are calibrated per label (Platt) on the dev split. The model is"
        f" stored in int8: on {parity['texts']} dev passages its probabilities differ from the trained ones by"
        f" {parity['int8_mean']:.4f} on average and {parity['int8_largest']:.2f} at most. Every window is run alone, so"
        " that a text gets the same probabilities in any company."
    )


def _started(model: dict[str, Any]) -> str:
    if not (start := model.get("start")):
        return ""
    share = model.get("start_share", 0.0)
    kept = f", of which {share:g} is kept in a mean with those at the end" if share else ""
    return f", from the weights of `{start}`{kept}"


def _figures(reports: Mapping[str, Report]) -> str:
    parts = [
        "## Figures\n\nAs shipped, through the public API, in `balanced` mode. The dev split was used to stop training,"
        " to calibrate and to set thresholds, so that figures on it flatter; nothing was fitted to the other splits."
        " Brackets: 95 % intervals. Each table is printed by"
    ]
    for name, report in reports.items():
        parts.append(f"`fimi-nlp evaluate MODEL PASSAGES.jsonl --split {name} --slice source --slice kind`")
        body = report.to_markdown().split("\n", 1)[1].replace("\n## ", "\n#### ")
        parts.append(f"### Split `{name}`\n{body}".strip())
    return "\n\n".join(parts)


def _modes(measured: Measured) -> str:
    head = "| mode | split | macro-F1 | precision | recall | flagged: all | flagged: by origin |\n"
    head += "| --- | --- | ---: | ---: | ---: | ---: | --- |\n"
    rows = ""
    for mode, reports in {"balanced": measured.reports, **measured.modes}.items():
        for split, report in reports.items():
            brief = _brief(report)
            flagged = {name: f"{values[0]:.1%}" for name, values in brief["flagged"].items()}
            everyone = flagged.pop("all")
            by_origin = ", ".join(f"{name} {value}" for name, value in flagged.items())
            rows += (
                f"| `{mode}` | `{split}` | {brief['macro_f1']:.3f} | {brief['micro_precision']:.3f} |"
                f" {brief['micro_recall']:.3f} | {everyone} | {by_origin} |\n"
            )
    return (
        "## Modes\n\nPrecision and recall are those of all narratives pooled; flagged is the share of passages"
        f" without a narrative for which one is named.\n\n{head}{rows}"
    )


def _behaviour(suite: SuiteReport | None) -> str:
    if suite is None:
        return ""
    low = [f"`{row.name}`" for row in suite.functions if row.rate.value < 0.85]
    known = f"\n\nKnown failures, below 85 %: {', '.join(low)}." if low else ""
    return (
        "## Behavioural suite\n\nShort texts written for the purpose, one thing tested at a time, none of them trained"
        " on. Printed by `fimi-nlp evaluate MODEL --suite behavioural`.\n\n" + suite.to_markdown() + known
    )


def _masked(reports: Mapping[str, ShortcutReport]) -> str:
    if not reports:
        return ""
    parts = [
        "## What the origin leans on\n\nThe texts again, with names of nations blanked, Russia and China swapped, and"
        " habits of posting and of outlets removed; each row is on the texts that its masking changes. Printed by"
        " `fimi-nlp evaluate MODEL PASSAGES.jsonl --split SPLIT --shortcuts`."
    ]
    return "\n\n".join(parts + [f"### Split `{name}`\n\n{report.to_markdown()}" for name, report in reports.items()])


def first_stage(figures: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """The section on the first stage: split to mode to figures, as `fimi_nlp.training.gate.fit_gate` gives them."""
    head = "| split | mode | texts | read by the model | named by the model | of these let go |\n"
    head += "| --- | --- | ---: | ---: | ---: | ---: |\n"
    rows = "".join(
        f"| `{split}` | `{mode}` | {row['texts']} | {row['read']} | {row['flagged']} | {row['lost']} |\n"
        for split, modes in figures.items()
        for mode, row in modes.items()
    )
    return (
        f"{FIRST_STAGE}\n\nWith `fast=True` a linear model on word pieces decides which texts the model reads; it names"
        " nothing itself. These passages were drawn for their topic, so that most of them are read."
        f" Its thresholds were set on the first split.\n\n{head}{rows}"
    )


def _thresholds(bundle: Bundle) -> str:
    modes = list(bundle.thresholds)
    rows = "".join(
        f"| `{label}` | " + " | ".join(f"{bundle.thresholds[mode][label]:.2f}" for mode in modes) + " |\n"
        for label in bundle.schema.narrative_labels
    )
    head = "| narrative | " + " | ".join(modes) + " |\n| --- |" + " ---: |" * len(modes)
    return (
        "## Thresholds\n\nFitted on the dev split: `balanced` is the most cautious whose F1 is within a standard error"
        " of the best (one-standard-error rule, at most 0.05 of F1); `high_precision` so that, with a confidence of"
        " 90 %, at most 1 % of further passages like those of dev that carry nothing are flagged (learn then test);"
        " `high_recall` to find 90 % of those that do. On other sources no such promise holds: see the tables above."
        " An origin is named from"
        f" {bundle.calibration.origin_threshold:.2f}, a sub-narrative from {bundle.calibration.sub_threshold:.2f};"
        f" below that the tagger abstains.\n\n{head}\n{rows}"
    )
