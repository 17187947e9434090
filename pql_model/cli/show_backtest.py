"""A back-test for people, on stdout."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_FOLD = ("cut-off", "trained on", "rows", "converted", "expected", "ROC-AUC", "top tenth")
_POOLED = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "precision_at_10pct": "converts in the top tenth",
    "lift_at_10pct": "lift in the top tenth",
    "calibration_error": "calibration error",
}


def show_backtest(console: Console, found: dict[str, Any]) -> None:
    """A line for each cut-off, then all together beside the baselines."""
    table = _table("Had we used it since then", _FOLD, left=("cut-off",))
    for fold in found["folds"]:
        table.add_row(fold["cutoff"], f"{fold['train']['conversions']:,}", *_figures(fold))
    table.add_row("[bold]pooled[/]", "", *_figures(found["pooled"]))
    console.print()
    console.print(table)
    for fold in found["folds"]:
        if fold["note"]:
            console.print(f"{fold['cutoff']}: {escape(fold['note'])}.", style="dim", highlight=False)
        for reason, count in fold["left_out"].items():
            console.print(f"{fold['cutoff']}: {count:,} rows left out: {escape(reason)}", style="dim", highlight=False)
    for skip in found["skipped"]:
        console.print(f"{skip['cutoff']} is skipped: {escape(skip['reason'])}.", style="dim", highlight=False)
    _beside(console, found)
    console.print(
        f"\n`trained on` counts conversions; the last model is judged until {found['folds'][-1]['scored_to']}. Pooled ROC-AUC, "
        "average precision and lift compare inside a cut-off only; each conversion counts once.\n"
        f"{sum(found['seconds'].values()):.0f} seconds. Predictions: {escape(found['files']['predictions'])}",
        highlight=False,
    )


def _figures(part: dict[str, Any]) -> tuple[str, ...]:
    rate = part["precision_at_10"]
    return (
        f"{part['rows']:,}",
        f"{part['conversions']:,}",
        f"{part['calibration']['expected']:,.1f}",
        " ".join(_estimate(part["roc_auc"])),
        "-" if rate is None else f"{rate:.1%}",
    )


def _beside(console: Console, found: dict[str, Any]) -> None:
    pooled = found["pooled"]
    metrics = _table("All together", ("metric", "value", "95 % interval"), left=("metric", "95 % interval"))
    for name, words in _POOLED.items():
        metrics.add_row(words, *_estimate(pooled[name]))
    console.print()
    console.print(metrics)
    beside = {"the model": pooled, **found["baselines"]}
    if pooled["unseen_entities"]:
        beside["the model, entities in no training"] = pooled["unseen_entities"]
    table = _table("Beside the baselines", ("", "ROC-AUC", "95 % interval"), left=("", "95 % interval"))
    for name, values in beside.items():
        if "roc_auc" in values:
            table.add_row(name.replace("_", " "), *_estimate(values["roc_auc"]))
    console.print()
    console.print(table)


def _table(title: str, columns: tuple[str, ...], left: tuple[str, ...]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 1, 0, 0)
    )
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table


def _estimate(estimate: dict[str, Any]) -> tuple[str, str]:
    if estimate["value"] is None:
        return "-", ""
    low, high = ("-" if estimate[end] is None else f"{estimate[end]:.3f}" for end in ("low", "high"))
    return f"{estimate['value']:.3f}", f"({low}-{high})"
