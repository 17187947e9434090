"""Text output of `pql check`, `train`, `score` and `demo`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from rich.console import Console
from rich.text import Text

from pql_model.cli.tables import estimate, percent, percent_estimate, print_table, say

_SPARKS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"ready": "green", "weak": "yellow", "suspicious": "red", "no_signal": "red", "too_few_conversions": "red"}
_SUPPRESSED = {
    "excluded": "excluded by the policy",
    "held_out": "in the hold-out",
    "cool_down": "in the cool-down after an alert",
    "capacity": "beyond the capacity",
}
_METRICS = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "lift_at_10pct": "lift in the top tenth",
    "precision_at_10pct": "precision in the top tenth",
    "precision_at_capacity": "precision within capacity",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
}
_ESTIMATE = "value (95 % interval)"


def show_check(console: Console, payload: dict[str, Any]) -> None:
    """Print the usable and unusable rows, by reason and by week."""
    say(
        console,
        (f"{payload['events']:,}", "bold"),
        f" usable events of {payload['rows_read']:,} rows, ",
        f"of which some belong to several entities ({payload['rows_added']:,} more), " if payload["rows_added"] else "",
        (f"{payload['entities']:,}", "bold"),
        " entities, ",
        (f"{payload['conversions']:,}", "bold"),
        f" of them converted; the data end {payload['observed_until']}.",
    )
    tables = payload["set_aside_by_table"].items()
    rows = [(table, reason, f"{count:,}") for table, counts in tables for reason, count in counts.items()]
    print_table(console, "Rows set aside", ["table", "reason", "rows"], rows)
    counts = [week["events"] for week in payload["weeks"]]
    if counts:
        first, last = payload["weeks"][0]["week"], payload["weeks"][-1]["week"]
        say(console, ("Events by week", "bold"), f", {first} to {last}, at most {max(counts):,}", gap=True)
        say(console, _sparkline(counts))
    trainable = payload["snapshots"] is not None
    if trainable:
        _snapshots(console, payload["snapshots"])
    if trainable or payload["conversions"]:
        _leakage(console, payload["leakage"], payload["traits_not_used"])
    else:
        say(console, ("Leakage audit", "bold"), ": not possible without conversions.", gap=True)
    if trainable:
        say(console, f"{payload['events_offered']}; {payload['features']} features.", gap=True)
    for warning in payload["warnings"]:
        say(console, ("Warning:", "yellow"), f" {warning}")


def show_train(console: Console, payload: dict[str, Any]) -> None:
    """Print the verdict of a training, then the figures behind it."""
    say(
        console,
        (payload["verdict"], f"bold {_COLOURS[payload['verdict']]}"),
        f"  {payload['verdict_sentence']}",
        gap=True,
    )
    say(console, f"What would change it: {payload['verdict_would_change']}")
    if payload["supported"]:
        _supported(console, payload["supported"])
    _snapshots(console, payload["snapshots"])
    test = payload["test"]
    _metrics(console, f"Test on later accounts (base rate {percent(test['base_rate'])})", test)
    if payload["unseen_entities"]:
        _metrics(console, "Test on entities that were not in training", payload["unseen_entities"])
    scorers = {"the model": test, **payload["baselines"]}
    rows = [
        (name.replace("_", " "), estimate(m["roc_auc"]), estimate(m["roc_auc_within_age"]))
        for name, m in scorers.items()
        if "roc_auc" in m
    ]
    columns = ["", "ROC-AUC (95 % interval)", "among accounts of the same age"]
    print_table(console, "Comparison with the baselines", columns, rows)
    _calibration(console, payload["calibration"])
    if payload["value"]:
        show_value(console, payload["value"])
    behaviours = [b for b in payload["behaviours"] if b["share"] >= 0.005][:8]
    shares = [(b["behaviour"], b["part"], percent(b["share"])) for b in behaviours]
    print_table(console, "Most important behaviours", ["behaviour", "part", "share"], shares)
    _leakage(console, payload["leakage"], payload["traits_not_used"])
    _rules(console, payload["recommended"], payload["in_force"])
    model = payload["model"]
    say(
        console,
        "Model ",
        (model["name"], "bold"),
        f" version {model['version']}: {payload['promotion']['reason']}.",
        gap=True,
    )
    seconds = sum(payload["seconds"].values())
    say(console, f"Run {payload['run_id']}, {seconds:.0f} seconds. Model card: {payload['files']['model_card']}")
    say(console, f"Growth report: {payload['report']}")


def show_score(console: Console, payload: dict[str, Any], best: Iterable[dict[str, Any]]) -> None:
    """Print how many accounts were scored, the best ones, and the ones that were left out."""
    expected, model = payload["expected_conversions"], payload["model"]
    say(
        console,
        "Scored ",
        (f"{payload['rows']:,}", "bold"),
        f" at {payload['as_of']} with {model['name']} version {model['version']}. ",
        (f"{payload['pql']:,}", "bold"),
        f" are PQLs ({payload['rule']}), {payload['newly_qualified']:,} of them new; about {expected['value']:.0f} will "
        f"convert ({expected['low']:.0f} to {expected['high']:.0f}).",
        gap=True,
    )
    for line in _decisions(payload):
        say(console, line)
    rows = [(r["entity"], percent(r["probability"]), f"{r['score']:.0f}", r["why"]) for r in best]
    print_table(console, "Highest probabilities", ["entity", "probability", "score", "why"], rows)
    if payload["not_scored"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in payload["not_scored"].items())
        say(console, f"Not scored: {reasons}.", gap=True)
    say(console, f"Rows: {payload['output']}")
    if payload.get("score_log"):
        say(console, f"Score log: {payload['score_log']}")


def show_value(console: Console, value: dict[str, Any]) -> None:
    """Print what a conversion is worth, and what the training period expected of the test period."""
    mean, checked = value["per_conversion"], value["checked"]
    parts = [f"{name} {part['value']:,.0f}" for name, part in value["segments"].items()]
    by = f" (by {unquote_plus(value['segmented_by'].removeprefix('trait.'))}: {', '.join(parts)})" if parts else ""
    said = f" {mean['value']:,.0f} ({mean['low']:,.0f} to {mean['high']:,.0f}), from {value['conversions']:,} conversions{by}."
    say(console, ("A conversion is worth", "bold"), said, gap=True)
    if checked is not None:
        expected = checked["expected"]
        say(
            console,
            f"In the test period {expected['value']:,.0f} were expected ({expected['low']:,.0f} to {expected['high']:,.0f}), and "
            f"{checked['observed']:,.0f} came.",
        )


def _next_steps(steps: dict[str, Any]) -> str:
    """Say for how many accounts a next step is predicted to gain, and which one is the most frequent."""
    if not steps["rows"]:
        return "Next steps: nothing is worth a nudge. No open criterion has a predicted gain beyond noise."
    first = steps["criteria"][0]
    return (
        f"Next steps: {steps['rows']:,} have one with a predicted gain beyond noise, {first['rows']:,} of them "
        f"{first['criterion']}."
    )


def _decisions(payload: dict[str, Any]) -> Iterable[str]:
    """Print the bands, the accounts not worth a call with the conversions missed, and the suppressed ones."""
    yield "Bands: " + ", ".join(f"{band['rows']:,} {name}" for name, band in payload["bands"].items()) + "."
    skipped = payload["not_to_call"]
    missed, expected = skipped["expected_conversions"], skipped["of"]["value"]
    if skipped["rows"]:
        yield (
            f"{percent(skipped['share'])} are in band {' or '.join(skipped['bands'])} and are not PQLs; skipping them would miss "
            f"about {missed['value']:.0f} of {expected:.0f} expected conversions ({missed['low']:.0f} to {missed['high']:.0f})."
        )
    if (worth := payload["expected_value"]) is not None:
        everybody = payload["expected_value_all"]["value"]
        yield (
            f"The PQLs are expected to bring {worth['value']:,.0f} ({worth['low']:,.0f} to {worth['high']:,.0f}), everybody "
            f"{everybody:,.0f}."
        )
    if payload["rows"]:
        yield _next_steps(payload["next_steps"])
    held_back = [f"{count:,} {_SUPPRESSED[reason]}" for reason, count in payload["suppressed"].items()]
    if held_back:
        yield f"Qualified but not alerted: {', '.join(held_back)}."


def show_comparison(console: Console, lines: Iterable[dict[str, Any]]) -> None:
    """Print the planted truth of the demo beside the results."""
    rows = [
        (Text("✓", "green") if line["agrees"] else Text("✗", "red"), line["what"], line["planted"], line["found"])
        for line in lines
    ]
    print_table(console, "What the demo planted, and what was found", ["", "what", "planted", "found"], rows)


def _rules(console: Console, best: dict[str, Any] | None, in_force: dict[str, Any] | None) -> None:
    """Print the recommended rule and the rule in force; `pql criteria list` shows all."""
    if best is None:
        say(console, "No rule was confirmed on later accounts.", gap=True)
    else:
        metrics = best["tested"]
        say(
            console,
            ("Rule", "bold"),
            f"  {best['text']}: {percent_estimate(metrics['rate'])} of the later accounts that meet it converted, against "
            f"{percent(metrics['base_rate']['value'])} of all.",
            gap=True,
        )
    if in_force is not None:
        say(console, f"In force: {in_force['text']}: {in_force['verdict']}. {in_force['sentence']}")


def _metrics(console: Console, title: str, metrics: dict[str, Any]) -> None:
    rows = [(words, estimate(metrics[name])) for name, words in _METRICS.items() if name in metrics]
    print_table(console, title, ["metric", _ESTIMATE], rows)


def _snapshots(console: Console, snapshots: dict[str, Any]) -> None:
    rows = [
        (name, f"{p['rows']:,}", f"{p['entities']:,}", f"{p['conversions']:,}", str(p["from"])[:10], str(p["to"])[:10])
        for name, p in (("training", snapshots["train"]), ("test, later", snapshots["test"]))
    ]
    print_table(console, "Snapshots", ["", "rows", "entities", "conversions", "from", "to"], rows)
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in snapshots["left_out"].items() if count)
    if left_out:
        say(console, f"left out: {left_out}", style="dim")


def _supported(console: Console, supported: dict[str, Any]) -> None:
    """Print the univariate rates, which are shown when the model is refused."""
    say(console, f"What the data do support: {supported['sentence']}", gap=True)
    rows = []
    for behaviour in supported["behaviours"]:
        times = "at least once" if behaviour["at_least"] == 1 else f"at least {behaviour['at_least']} times"
        rates = [percent_estimate(behaviour[side]["rate"]) for side in ("did", "did_not")]
        rows.append((behaviour["event"], times, *rates, f"{behaviour['p_value']:.2g}"))
    columns = ["behaviour", "", "of those who did it", "of the others", "p, corrected"]
    print_table(console, "Single behaviours and the share that converted", columns, rows)


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
    columns = ["month", "rows", "expected", "95 % interval", "observed", "", "expected, corrected"]
    print_table(console, f"Calibration by month ({calibration['method']})", columns, rows)
    say(console, calibration["sentence"])


def _leakage(console: Console, findings: list[dict[str, Any]], unused: dict[str, str]) -> None:
    rows = [(f["column"], "" if f["auc"] is None else f"{f['auc']:.3f}", f["action"], f["reason"]) for f in findings]
    print_table(console, "Leakage audit", ["column", "ROC-AUC alone", "action", "reason"], rows)
    if not findings:
        say(console, ("Leakage audit", "bold"), ": no findings.", gap=True)
    audited = {f["column"].removeprefix("trait.") for f in findings}
    for trait, reason in unused.items():
        if trait not in audited:
            say(console, f"trait {trait} is not used: {reason}", style="dim")


def _sparkline(counts: list[int]) -> str:
    top = max(counts) or 1
    return "".join(_SPARKS[0 if not count else 1 + int(count / top * (len(_SPARKS) - 2))] for count in counts)
