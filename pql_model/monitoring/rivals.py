"""When a model should not be used at all: a baseline ranks better, and a new training has not helped."""

from __future__ import annotations

from collections.abc import Mapping

from pql_model.monitoring.ranking import Ranking, Rival

NAMES = {
    "activity": "the number of events",
    "logistic_regression": "logistic regression",
    "definition": "the definition in force",
}


def hopeless(ranking: Ranking | None, rivals: Mapping[str, Rival], retrained: str | None) -> str | None:
    """Say why the scores should not be used; None where they may, or where a new training has not been tried.

    Parameters
    ----------
    rivals
        Baseline -> the model beside it, on rows that it has not learnt from.
    retrained
        What became of a training on these outcomes; None if there was none.
    """
    if ranking is None or not ranking.fell or retrained is None:
        return None
    better = [NAMES[name] for name, rival in rivals.items() if rival.better]
    if not better and ranking.roc_auc.low > 0.5:
        return None
    beaten = (
        f"{better[0][:1].upper()}{better[0][1:]} ranks better" if better else "The ranking cannot be told from chance"
    )
    return f"{beaten} on outcomes that the model has not learnt from, and a new training on them has not helped: {retrained}."
