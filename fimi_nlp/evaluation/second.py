"""A second annotator beside the model."""

from __future__ import annotations

from fimi_nlp.data.corpus import Corpus
from fimi_nlp.evaluation import metrics as m
from fimi_nlp.evaluation.bootstrap import ClusterBootstrap
from fimi_nlp.evaluation.results import AgreementScore, QuestionAgreement
from fimi_nlp.evaluation.scored import Scored


def agreement_score(scored: Scored, second: Corpus, boot: ClusterBootstrap) -> AgreementScore:
    """A second annotator beside the model, where both labelled the passage."""
    from fimi_nlp.data.agreements import agreement

    between = agreement(scored.corpus, second, n_bootstrap=boot.n, ci=boot.ci, seed=boot.seed)
    theirs = {passage.id: passage for passage in second}
    rows = [i for i, passage in enumerate(scored.corpus) if passage.id in theirs]
    ours = Corpus([scored.corpus[i] for i in rows], scored.schema)
    other = Scored(Corpus([theirs[passage.id] for passage in ours], scored.schema), scored.said.take(rows))
    part = ClusterBootstrap(ours.groups, n=boot.n, ci=boot.ci, seed=boot.seed)
    # Only cells that both annotated: the three figures are then about the same.
    mask = scored.mask[rows] & other.mask
    counts = [m.outcomes(gold, other.said.named, mask) for gold in (scored.gold[rows], other.gold)]
    (f1,) = between.macro_f1.values()
    return AgreementScore(
        n=len(rows),
        questions=tuple(
            QuestionAgreement(pair.question, pair.n, pair.observed, pair.kappa) for pair in between.pairs if pair.n
        ),
        macro_f1=f1,
        model_macro_f1=part.macro_f1(counts[0]),
        model_macro_f1_second=part.macro_f1(counts[1]),
    )
