"""Guesses what the columns of a table of conversions hold: who paid, when the first payment was, and how much it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pql_model.discovery.billing import CONVERSION_EXPORTS
from pql_model.discovery.conditions import Condition, select_payments, with_refunds
from pql_model.discovery.keys import EntityIds
from pql_model.discovery.roles import Guess, Recognition, find, require, require_entity
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import vocabulary
from pql_model.sources.currency import currency_column, is_currency
from pql_model.time import HOUR

_PAYMENT_TIMES = vocabulary(
    "paid converted conversion purchase purchased bought charged activated billed payment upgraded won adopted collected"
)
"""Words of times at which something was paid; a subscription merely starts at the others."""
_CANCELED = vocabulary("canceled cancelled ended churned cancellation terminated")
_MANY = 0.001
"""Share of the rows below which a case is not worth a line of the config."""


def recognise_conversions(sketch: TableSketch, ids: EntityIds | None = None) -> Guess:
    """Guess the entity, the time, the value and the rows that count in a table of payments, subscriptions or deals.

    A subscription that begins with a trial converts at the end of the trial, unless it was cancelled by then.
    """
    table = Recognition(sketch, "conversions", CONVERSION_EXPORTS)
    key = require_entity(table, ids, None)
    trial_end = _vendor_column(table, "trial_end") or _trial_end(table)
    require(table, "time", "the time of the conversion")
    find(table, "value")
    if "value" in table.roles:
        find(table, "refunded")
        _map_currency(table)
    export = table.export
    taken = [*table.roles.values(), *([trial_end.name] if trial_end else [])]
    selection = select_payments(sketch, export.family if export else None, taken, "refunded" in table.roles)
    table.questions += selection.questions
    conditions = _judge_ended(table, selection.conditions, trial_end)
    if "value" in table.roles and "refunded" not in table.roles:
        judged = [with_refunds(sketch, condition, table.column("value")) for condition in conditions]
        conditions = tuple(condition for condition, _ in judged)
        table.questions += [question for _, asked in judged for question in asked]
    if export and export.minor_units and "value" in table.roles:
        table.role_reasons["value"] += "; in the smallest unit of the currency, such as cents"
    guess = table.guess(key.kind if key.is_certain else None)
    reasons = [f"Rows of {sketch.file} count where {_written(c)}: {c.reason}." for c in conditions]
    return replace(guess, conditions=conditions, reasons=(*guess.reasons, *reasons), questions=tuple(table.questions))


def _map_currency(table: Recognition) -> None:
    """Assign the column of currencies where there are several, of which only one is used without rates."""
    texts = {column.name: column for column in table.free if column.kind == "text"}
    name = currency_column(texts, table.roles["value"])
    if name is None:
        return
    codes: Counter[str] = Counter()
    for code, rows in texts[name].counts.items():
        if is_currency(code):
            codes[code.upper()] += rows
    if len(codes) < 2:
        return
    (main, _), *_ = codes.most_common()
    table.assign("currency", texts[name], f"it holds {len(codes)} different codes")
    shown = ", ".join(f"{code} ({rows:,} rows)" for code, rows in codes.most_common(8))
    table.questions.append(
        f"What are {shown} of `{name}` in {table.sketch.file} worth in one currency? Until `conversions.rates` says so, only the "
        f"values in {main} are used."
    )


def _judge_ended(
    table: Recognition, conditions: tuple[Condition, ...], trial_end: ColumnSketch | None
) -> tuple[Condition, ...]:
    """Decide on the time of conversion, and whether subscriptions that ended had been paid before."""
    time = table.column("time")
    if not _PAYMENT_TIMES.intersection(time.words) or "subscription" in time.words:
        if trial_end is not None:
            _begin_at_trial_end(table, conditions, trial_end)
        canceled = _vendor_column(table, "canceled") or _named_canceled(table)
        conditions = tuple(_without_trials(table, c, canceled) if c.ended else c for c in conditions)
    return tuple(condition for condition in conditions if _excludes_any(table, condition))


def _begin_at_trial_end(table: Recognition, conditions: Sequence[Condition], trial_end: ColumnSketch) -> None:
    """Assign the end of the trial as the time, and the start for rows that count without a trial."""
    rows = table.sketch.together(trial_end.name, *(condition.column for condition in conditions))
    counting = [row for row in rows if all(c.accepts(v) for c, v in zip(conditions, row[1:], strict=True))] or rows
    trials = sum(row[0] is not None for row in counting) / max(1, len(counting))
    if trials < _MANY:
        return
    start = table.column("time")
    table.assign("time", trial_end, "a subscription that starts with a trial converts when the trial ends and is paid")
    if trials <= 1 - _MANY:
        table.assign("start", start, f"{1 - trials:.0%} have no trial and convert at their start")


def _without_trials(table: Recognition, condition: Condition, canceled: ColumnSketch | None) -> Condition:
    """Leave out the states of subscriptions that ended and were never paid."""
    counts = table.sketch.column(condition.column).counts
    paid = [value for value in condition.ended if _was_paid(table, condition.column, value, canceled)]
    if canceled is None:
        table.questions.append(_ask_about_ended(table, condition, paid))
    elif paid and "canceled" not in table.roles:
        table.assign("canceled", canceled, "a subscription that was cancelled by its first payment was never paid")
    unpaid = [value for value in condition.ended if value not in paid]
    if not unpaid:
        return condition
    ended = ", ".join(f"{value} ({counts[value]:,} rows)" for value in unpaid)
    reason = f"{condition.reason or 'not counted:'}{',' if condition.reason else ''} {ended}, none of them paid before"
    return replace(condition, values=tuple(v for v in condition.values if v not in unpaid), reason=reason)


def _excludes_any(table: Recognition, condition: Condition) -> bool:
    column = table.sketch.column(condition.column)
    return column.filled < 1 or not all(map(condition.accepts, column.counts))


def _was_paid(table: Recognition, state: str, value: str, canceled: ColumnSketch | None) -> bool:
    """Whether subscriptions in a state that ended were paid before: cancelled later than they would first have paid."""
    time = table.column("time")
    if canceled is None:
        return "trial" not in time.words
    starts = table.column("start").instant_cells if "start" in table.roles else time.instant_cells
    rows = zip(table.sketch.column(state).cells, time.instant_cells, starts, canceled.instant_cells, strict=True)
    begins = [(end, first if first is not None else start) for v, first, start, end in rows if v == value]
    return any(end is not None and begin is not None and end > begin + HOUR for end, begin in begins)


def _ask_about_ended(table: Recognition, condition: Condition, paid: list[str]) -> str:
    names = ", ".join(f"`{value}`" for value in condition.ended)
    says = "count" if paid else "do not count"
    return (
        f"Did the subscriptions with {names} in `{condition.column}` of {table.sketch.file} ever pay? No column says when "
        f"they ended; for now they {says}."
    )


def _vendor_column(table: Recognition, role: str) -> ColumnSketch | None:
    best = table.of_vendor(role, [column for column in table.free if column.is_time])
    return best[0] if best else None


def _trial_end(table: Recognition) -> ColumnSketch | None:
    if table.export is not None:
        return None
    ends = {"end", "ends", "ended", "until"}
    return next((c for c in table.free if c.is_time and "trial" in c.words and ends.intersection(c.words)), None)


def _named_canceled(table: Recognition) -> ColumnSketch | None:
    columns = [c for c in table.free if c.is_time and _CANCELED.intersection(c.words) and "trial" not in c.words]
    return max(columns, key=lambda c: ("canceled" in c.words or "cancelled" in c.words, c.filled), default=None)


def _written(condition: Condition) -> str:
    values = ", ".join(condition.values)
    return f"`{condition.column}` is {'not ' if condition.excludes else ''}{values}"
