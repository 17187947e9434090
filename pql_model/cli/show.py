"""Results for people, on stdout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_BARS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"ready": "green", "weak": "yellow", "no_signal": "red", "too_few_conversions": "red"}
_SUPPRESSED = {
    "excluded": "excluded by the policy",
    "held_out": "in the hold-out",
    "cool_down": "alerted not long ago",
    "capacity": "beyond the capacity",
}
_METRICS = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "lift_at_10pct": "lift in the top tenth",
    "precision_at_10pct": "converts in the top tenth",
    "precision_at_capacity": "converts within capacity",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
}


def show_check(console: Console, found: dict[str, Any]) -> None:
    """What the data hold, by reason and by week."""
    console.print(
        f"[bold]{found['events']:,}[/] usable events of {found['rows_read']:,} rows, [bold]{found['entities']:,}[/] entities, "
        f"[bold]{found['conversions']:,}[/] that converted; the data end {found['observed_until']}."
    )
    tables = [
        (name, reason, count)
        for name, counts in found["set_aside_by_table"].items()
        for reason, count in counts.items()
    ]
    _table(console, "Set aside", ["table", "reason", "rows"], [(n, r, f"{c:,}") for n, r, c in tables])
    counts = [week["events"] for week in found["weeks"]]
    if counts:
        console.print(
            f"\n[bold]Events by week[/], {found['weeks'][0]['week']} to {found['weeks'][-1]['week']}, at most {max(counts):,}"
        )
        console.print(_spark(counts), highlight=False)
    trainable = found["snapshots"] is not None
    if trainable:
        _snapshots(console, found["snapshots"])
    if trainable or found["conversions"]:
        _leakage(console, found["leakage"], found["traits_not_used"])
    else:
        console.print("\n[bold]Leakage audit[/]: nothing can be said without conversions.")
    if trainable:
        console.print(f"\n{escape(found['events_offered'])}; {found['features']} features.", highlight=False)
    for warning in found["warnings"]:
        console.print(f"[yellow]Warning:[/] {escape(warning)}", highlight=False)


def show_train(console: Console, result: dict[str, Any]) -> None:
    """The verdict first, then the figures behind it."""
    colour = _COLOURS[result["verdict"]]
    console.print(f"\n[bold {colour}]{result['verdict']}[/]  {escape(result['verdict_sentence'])}", highlight=False)
    console.print(f"What would change it: {escape(result['verdict_would_change'])}", highlight=False)
    if result["supported"]:
        _supported(console, result["supported"])
    _snapshots(console, result["snapshots"])
    test = result["test"]
    rows = [(words, *_numbers(test[name])) for name, words in _METRICS.items() if name in test]
    _table(
        console, f"On later accounts (base rate {test['base_rate']:.1%})", ["metric", "value", "95 % interval"], rows
    )
    if result["unseen_entities"]:
        rows = [
            (_METRICS[n], *_numbers(result["unseen_entities"][n]))
            for n in ("roc_auc", "average_precision", "lift_at_10pct")
        ]
        _table(console, "The same for entities that were never in training", ["metric", "value", "95 % interval"], rows)
    others = {"the model": test, **result["baselines"]}
    rows = [(name.replace("_", " "), *_numbers(m["roc_auc"])) for name, m in others.items() if "roc_auc" in m]
    _table(console, "Beside the baselines", ["", "ROC-AUC", "95 % interval"], rows)
    _calibration(console, result["calibration"])
    shown = [b for b in result["behaviours"] if b["share"] >= 0.005][:8]
    rows = [(b["behaviour"], b["part"], f"{b['share']:.0%}") for b in shown]
    _table(console, "What it looks at", ["behaviour", "part", "share"], rows)
    _leakage(console, result["leakage"], result["traits_not_used"])
    _rules(console, result["recommended"], result["in_force"])
    model = result["model"]
    console.print(
        f"\nModel [bold]{escape(model['name'])}[/] version {model['version']}, {escape(result['promotion']['reason'])}.",
        highlight=False,
    )
    console.print(
        f"Run {result['run_id']}, {sum(result['seconds'].values()):.0f} seconds. Model card: {result['files']['model_card']}",
        highlight=False,
    )
    console.print(f"Growth report: {result['report']}", highlight=False)


def _rules(console: Console, best: dict[str, Any] | None, in_force: dict[str, Any] | None) -> None:
    """The rule that people can use, and the one they use; `pql criteria list` shows all."""
    if best is None:
        console.print("\nNo written rule held on later accounts.", highlight=False)
    else:
        rate, base = _numbers(best["tested"]["rate"]), _numbers(best["tested"]["base_rate"])
        console.print(
            f"\n[bold]Rule[/]  {escape(best['text'])}: {rate[0]} ({rate[1]}) of later accounts that meet it converted, of all {base[0]}.",
            highlight=False,
        )
    if in_force is not None:
        console.print(
            f"In force: {escape(in_force['text'])}: {in_force['verdict']}. {escape(in_force['sentence'])}",
            highlight=False,
        )


def show_score(console: Console, result: dict[str, Any], best: Iterable[dict[str, Any]]) -> None:
    """How many, who first, and who was left out."""
    expected = result["expected_conversions"]
    console.print(
        f"\nScored [bold]{result['rows']:,}[/] at {result['as_of']} with {escape(result['model']['name'])} version "
        f"{result['model']['version']}. [bold]{result['pql']:,}[/] are PQLs ({escape(result['rule'])}), "
        f"{result['newly_qualified']:,} of them new; about {expected['value']:.0f} will convert "
        f"({expected['low']:.0f} to {expected['high']:.0f}).",
        highlight=False,
    )
    for line in _decided(result):
        console.print(escape(line), highlight=False)
    rows = [(r["entity"], f"{r['probability']:.1%}", f"{r['score']:.0f}", r["why"]) for r in best]
    _table(console, "The first", ["entity", "probability", "score", "why"], rows)
    if result["not_scored"]:
        left = ", ".join(f"{n:,} {reason}" for reason, n in result["not_scored"].items())
        console.print(f"\nNot scored: {left}.", highlight=False)
    console.print(f"Rows: {result['output']}", highlight=False)
    if result.get("score_log"):
        console.print(f"Also in the score log: {result['score_log']}", highlight=False, markup=False)


def _decided(result: dict[str, Any]) -> Iterable[str]:
    """Bands, who need not be called and what that costs, and who is held back."""
    yield "Bands: " + ", ".join(f"{band['rows']:,} {name}" for name, band in result["bands"].items()) + "."
    left = result["not_to_call"]
    cost, everybody = left["expected_conversions"], left["of"]["value"]
    if left["rows"]:
        yield (
            f"{left['share']:.0%} are {' or '.join(left['bands'])} and no PQLs: leaving them costs about {cost['value']:.0f} of "
            f"{everybody:.0f} conversions ({cost['low']:.0f} to {cost['high']:.0f})."
        )
    held_back = [f"{n:,} {_SUPPRESSED[reason]}" for reason, n in result["suppressed"].items()]
    if held_back:
        yield f"Qualified and not alerted: {', '.join(held_back)}."


def show_comparison(console: Console, lines: Iterable[dict[str, Any]]) -> None:
    """Planted beside found."""
    rows = [
        ("[green]✓[/]" if line["agrees"] else "[red]✗[/]", *(escape(line[k]) for k in ("what", "planted", "found")))
        for line in lines
    ]
    table = Table(title="Planted and found", title_justify="left", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("", "what", "planted", "found"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)


def _snapshots(console: Console, snapshots: dict[str, Any]) -> None:
    rows = [
        (name, f"{p['rows']:,}", f"{p['entities']:,}", f"{p['conversions']:,}", str(p["from"])[:10], str(p["to"])[:10])
        for name, p in (("training", snapshots["train"]), ("test, later", snapshots["test"]))
    ]
    _table(console, "Snapshots", ["", "rows", "entities", "conversions", "from", "to"], rows)
    left = ", ".join(f"{count:,} {reason}" for reason, count in snapshots["left_out"].items() if count)
    if left:
        console.print(f"left out: {left}", style="dim", highlight=False)


def _supported(console: Console, supported: dict[str, Any]) -> None:
    """What is left to say where the model is refused."""
    console.print(f"\nWhat the data do support: {escape(supported['sentence'])}", highlight=False)
    rows = []
    for behaviour in supported["behaviours"]:
        times = "at least once" if behaviour["at_least"] == 1 else f"at least {behaviour['at_least']} times"
        sides = (behaviour[side]["rate"] for side in ("did", "did_not"))
        rates = [f"{rate['value']:.1%} ({rate['low']:.1%} to {rate['high']:.1%})" for rate in sides]
        rows.append((behaviour["event"], times, *rates, f"{behaviour['p_value']:.2g}"))
    columns = ["behaviour", "", "of those who did it", "of the others", "p, corrected"]
    _table(console, "Single behaviours and the share that converted", columns, rows)


def _calibration(console: Console, calibration: dict[str, Any]) -> None:
    rows = [
        (
            m["month"],
            f"{m['rows']:,}",
            f"{m['expected']:.1f}",
            f"{m['low']} to {m['high']}",
            str(m["observed"]),
            m["flag"],
            f"{m['corrected_expected']:.1f}",
        )
        for m in calibration["months"]
    ]
    columns = ["month", "rows", "expected", "95 % of the time", "observed", "", "expected, corrected"]
    _table(console, f"Does the probability keep its word? ({calibration['method']})", columns, rows)
    console.print(escape(calibration["sentence"]), highlight=False)


def _leakage(console: Console, findings: list[dict[str, Any]], unused: dict[str, str]) -> None:
    rows = [(f["column"], "" if f["auc"] is None else f"{f['auc']:.3f}", f["action"], f["reason"]) for f in findings]
    _table(console, "Leakage audit", ["column", "ROC-AUC alone", "", "why"], rows)
    if not findings:
        console.print("\n[bold]Leakage audit[/]: nothing found.")
    payload = {f["column"].removeprefix("trait.") for f in findings}
    for trait, why in unused.items():
        if trait not in payload:
            console.print(f"trait {trait} is not used: {why}", style="dim", highlight=False, markup=False)


def _table(console: Console, title: str, columns: list[str], rows: Iterable[Iterable[str]]) -> None:
    rows = list(rows)
    if not rows:
        return
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        right = column in ("rows", "entities", "conversions", "value", "ROC-AUC", "share", "probability", "score")
        table.add_column(column, justify="right" if right else "left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print()
    console.print(table)


def _numbers(estimate: dict[str, Any]) -> tuple[str, str]:
    if estimate["value"] is None:
        return "-", "-"
    digits = 4 if abs(estimate["value"]) < 0.05 else 3
    low, high = (("-" if estimate[k] is None else f"{estimate[k]:.{digits}f}") for k in ("low", "high"))
    return f"{estimate['value']:.{digits}f}", f"{low} to {high}"


def _spark(counts: list[int]) -> str:
    top = max(counts) or 1
    return "".join(_BARS[0 if not c else 1 + int(c / top * (len(_BARS) - 2))] for c in counts)
