"""The model card: what the model predicts, what it was tested on, and its limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pql_model.audit.audit import Finding
from pql_model.evaluation.evaluate import Evaluation
from pql_model.evaluation.gate import Promotion
from pql_model.evaluation.univariate_rates import Group, UnivariateRates
from pql_model.evaluation.verdict import Verdict
from pql_model.model.artifact import FittedModel
from pql_model.statistics.estimate import Estimate

_SHOWN = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_error",
    "lift_at_10pct",
    "precision_at_10pct",
)


def model_card(
    model: FittedModel,
    evaluation: Evaluation,
    verdict: Verdict,
    promotion: Promotion,
    findings: Sequence[Finding],
    importance: pd.DataFrame,
    set_aside: dict[str, int],
    supported: UnivariateRates | None = None,
) -> str:
    """The card as Markdown."""
    facts = model.facts
    lines = [
        f"# Model card: {facts['name']}",
        "",
        f"**Verdict: {verdict.name}.** {verdict.sentence} What would change it: {verdict.would_change}",
        "",
        f"{promotion.reason[:1].upper()}{promotion.reason[1:]}.",
        "",
        *(_supported(supported) if supported is not None else []),
        "## What it predicts",
        "",
        f"The probability that {'an account' if facts['entity'] == 'account' else 'a user'} who has not paid yet pays within "
        f"{facts['horizon']}, from what was known at that instant ({facts['motion']}).",
        "",
        "## What it was tested on",
        "",
        "| | rows | entities | conversions | from | to |",
        "|---|---|---|---|---|---|",
        *[
            f"| {n} | {p['rows']:,} | {p['entities']:,} | {p['conversions']:,} | {p['from']} | {p['to']} |"
            for n, p in (("training", facts["train"]), ("test, later", facts["test"]))
        ],
        "",
        *_folds(facts.get("folds")),
        "| metric on the test rows | value | 95 % interval |",
        "|---|---|---|",
        *[_row(name, evaluation.test[name]) for name in _SHOWN],
        "",
        "| baseline on the same rows | ROC-AUC | 95 % interval |",
        "|---|---|---|",
        *[_row(name, metrics["roc_auc"]) for name, metrics in evaluation.baselines.items() if "roc_auc" in metrics],
        "",
        *_refit(facts.get("refit")),
        *_value(facts.get("value")),
        "## Expected and observed conversions by month",
        "",
        evaluation.calibration_over_time.sentence,
        "",
        "| month | rows | expected | 95 % interval | observed | | expected, corrected |",
        "|---|---|---|---|---|---|---|",
        *[
            f"| {m.month} | {m.rows:,} | {m.expected:.1f} | {m.low:,} to {m.high:,} | {m.observed:,} | {m.flag} | {m.corrected_expected:.1f} |"
            for m in evaluation.calibration_over_time.months.itertuples()
        ],
        "",
        "## Most important behaviours",
        "",
        *[f"- {b.behaviour} ({b.part}): {b.share:.0%} of the total" for b in importance.head(10).itertuples()],
        "",
        "## Leakage audit",
        "",
        *([f"- `{f.column}`: {f.reason} ({f.action})" for f in findings] or ["No findings."]),
        "",
        "## Rows set aside",
        "",
        *([f"- {reason}: {count:,}" for reason, count in set_aside.items()] or ["None."]),
        "",
        "## Limits",
        "",
        "It predicts; it does not say what causes a conversion. It was tested on the period above: a change of product, price "
        "or market may make it wrong. Sales contact in the past may itself have caused conversions.",
        "",
    ]
    return "\n".join(lines)


def _refit(refit: dict[str, Any] | None) -> list[str]:
    """What the model that is served has learnt from beyond the tested one."""
    if refit is None:
        return []
    level = refit["level"]
    return [
        "## What is served",
        "",
        f"The same settings, fitted again on all {refit['rows']:,} snapshots with a final outcome ({refit['entities']:,} entities, "
        f"{refit['conversions']:,} conversions, {refit['from']} to {refit['to']}). The figures above are those of the tested model, "
        "which has not learnt from the test period. The level is set by the newest outcomes: of "
        f"{level['entities']:,} entities whose outcome became final in the last 90 days, {level['expected']:.1f} were "
        f"expected to convert and {level['observed']:.0f} did, so the odds are multiplied by {math.exp(level['addition']):.2f}; the "
        f"standard error of the level is {level['relative_error']:.0%}.",
        "",
    ]


def _value(value: dict[str, Any] | None) -> list[str]:
    """What a conversion is worth, and what the training period expected of the test period."""
    if value is None:
        return []
    mean, checked = value["per_conversion"], value["checked"]
    text = (
        f"A conversion is worth {mean['value']:,.2f} (95 % interval {mean['low']:,.2f} to {mean['high']:,.2f}), from "
        f"{value['conversions']:,} conversions."
    )
    if checked is not None:
        expected = checked["expected"]
        text += (
            f" In the test period {expected['value']:,.0f} were expected ({expected['low']:,.0f} to {expected['high']:,.0f}), and "
            f"{checked['observed']:,.0f} came."
        )
    by = f"by {value['segmented_by'].removeprefix('trait.')}" if value["segmented_by"] else ""
    rows = [
        f"| {_cell(name)} | {part['conversions']:,} | {part['value']:,.2f} | {part['low']:,.2f} to {part['high']:,.2f} |"
        for name, part in value["segments"].items()
    ]
    head = [f"| {by} | conversions | value | 95 % interval |", "|---|---|---|---|"] if rows else []
    return ["## Value", "", text, "", *head, *rows, ""]


def _supported(supported: UnivariateRates) -> list[str]:
    rows = [
        f"| {_cell(s.text)} | {_side(s.did)} | {_side(s.did_not)} | {s.p_value:.2g} |" for s in supported.behaviours
    ]
    head = (
        ["", "| behaviour | of those who did it | of the others | p, corrected |", "|---|---|---|---|"] if rows else []
    )
    return ["## What the data do support", "", supported.sentence, *head, *rows, ""]


def _side(side: Group) -> str:
    return (
        f"{side.conversions:,} of {side.looks:,}, {side.rate.value:.1%} ({side.rate.low:.1%} to {side.rate.high:.1%})"
    )


def _folds(folds: dict[str, Any] | None) -> list[str]:
    """How many folds it was tuned on, and which were left out."""
    if folds is None:
        return []
    description = {
        "expanding": "later and later in time",
        "grouped": "by entity, as too few conversions fall into folds in time",
    }
    omissions = [f"- Left out: {fold}." for fold in folds["left_out"]]
    return [
        f"Tuned and calibrated on {folds['used']} folds of the training rows, {description[folds['kind']]}.",
        "",
        *omissions,
        *([""] if omissions else []),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _row(name: str, estimate: Estimate) -> str:
    value, low, high = ("-" if number != number else f"{number:.3f}" for number in vars(estimate).values())
    return f"| {name} | {value} | {low} to {high} |"
