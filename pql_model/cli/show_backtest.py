"""Text output of `pql backtest`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from pql_model.cli.tables import estimate, percent, print_table, say

_FOLD = ("cut-off", "trained\non", "rows", "converted", "expected", "ROC-AUC", "top\ntenth")
_POOLED = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "precision_at_10pct": "precision in the top tenth",
    "lift_at_10pct": "lift in the top tenth",
    "calibration_error": "calibration error",
}


def show_backtest(console: Console, payload: dict[str, Any]) -> None:
    """Print one line for each cut-off, then the pooled figures beside the baselines."""
    folds, all_folds = payload["folds"], payload["pooled"]
    rows = [(fold["cutoff"], f"{fold['train']['converting_entities']:,}", *_figures(fold)) for fold in folds]
    print_table(
        console,
        "Back-test: each model until the next cut-off",
        _FOLD,
        [*rows, (_bold("pooled"), "", *_figures(all_folds))],
    )
    for fold in folds:
        if fold["note"]:
            say(console, f"{fold['cutoff']}: {fold['note']}.", style="dim")
        for reason, count in fold["left_out"].items():
            say(console, f"{fold['cutoff']}: {count:,} rows left out: {reason}", style="dim")
    for skipped in payload["skipped"]:
        say(console, f"{skipped['cutoff']} is skipped: {skipped['reason']}.", style="dim")
    metrics = [(words, estimate(all_folds[name], 3)) for name, words in _POOLED.items()]
    print_table(console, "Pooled", ["metric", "value (95 % interval)"], metrics)
    scorers = {"the model": all_folds, **payload["baselines"]}
    if all_folds["unseen_entities"]:
        scorers["the model, on entities that were in no training"] = all_folds["unseen_entities"]
    rows = [(name.replace("_", " "), estimate(m["roc_auc"])) for name, m in scorers.items() if "roc_auc" in m]
    print_table(console, "Comparison with the baselines", ["", "ROC-AUC (95 % interval)"], rows)
    say(
        console,
        f"`trained on` counts the entities that converted. The last model is used until {folds[-1]['scored_to']}. Pooled ROC-AUC, average "
        "precision and lift compare rows of the same cut-off only; each conversion counts once.",
        gap=True,
    )
    say(console, f"{sum(payload['seconds'].values()):.0f} seconds. Predictions: {payload['files']['predictions']}")


def _figures(part: dict[str, Any]) -> tuple[str, ...]:
    counts = (f"{part['rows']:,}", f"{part['conversions']:,}", f"{part['calibration']['expected']:,.1f}")
    return (*counts, estimate(part["roc_auc"]), percent(part["precision_at_10"]))


def _bold(text: str) -> Text:
    return Text(text, style="bold")
