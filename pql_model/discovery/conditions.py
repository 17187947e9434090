"""Which rows of a table count: the states of a payment, of a subscription or of a deal, and flags such as test mode.

A list of payments also holds what was never paid. Every value of a column of states is looked up in the vocabulary of
the table's family; a condition is written only where a value that does not count occurs, and a value that is in no
vocabulary is asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pql_model.discovery.exports import Family
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import vocabulary, words
from pql_model.sources.scalars import leading_sign

Verdict = Literal["counts", "not", "ended"]
"""A row counts, does not, or began as one that counts and has ended since: a cancelled subscription."""

_NEVER = vocabulary(
    "failed failure fail error void voided draft open pending processing in_progress requires incomplete "
    "incomplete_expired declined denied rejected uncollectible abandoned unpaid not_paid payment_due authorized "
    "authorised authorization timeout timed_out needs_attention scheduled future test trial trialing trialling in_trial "
    "trial_expired free lost closed_lost closedlost lead blocked sandbox disqualified"
)
_STATES: dict[Family, dict[Verdict, frozenset[str]]] = {
    "payment": {
        "counts": vocabulary(
            "paid succeeded success successful complete completed settled captured collected approved ok okay done "
            "fulfilled charged accepted partially_refunded partial_refund partially_paid won sale active"
        ),
        "not": _NEVER
        | vocabulary(
            "refunded refund reversed canceled cancelled expired past_due overdue posted due billed ready chargeback "
            "disputed dispute under_review paused"
        ),
    },
    "subscription": {
        "counts": vocabulary("active past_due non_renewing renewing paid live won subscribed upgraded"),
        "not": _NEVER | vocabulary("none inactive never"),
        "ended": vocabulary("canceled cancelled churned expired ended paused deleted terminated inactive_since"),
    },
    "deal": {"counts": vocabulary("won closed_won closedwon"), "not": _NEVER | vocabulary("deleted not_won")},
    "person": {},
}
_RENEWS = vocabulary("active trialing trialling in_trial non_renewing renewing churned incomplete_expired")
"""States that only subscriptions have."""
_STATE_WORDS = vocabulary("status state stage dealstage stagename outcome result")
_STATE_OWNERS = _STATE_WORDS | vocabulary(
    "payment charge invoice transaction txn order subscription financial deal opportunity billing current name to new"
)
_CHANGED_TO = vocabulary("to new")
"""`to_status`: a row is a change of state, and not the state of a subscription."""
"""A column such as `dunning_status` or `card_type` speaks of something else than the row."""
_MODE_WORDS = vocabulary("mode environment env")
_MODES: dict[Verdict, frozenset[str]] = {
    "counts": vocabulary("live production prod real prd"),
    "not": vocabulary("test testing sandbox staging stage dev development qa demo debug preview local ci"),
}
_TAKES_BACK = vocabulary(
    "refund chargeback dispute reversal payment_reversal credit_note credit_memo creditnote creditmemo"
)
"""Kinds of rows that take back an earlier payment."""
_TYPE_WORDS = vocabulary("type kind transaction txn entry payment record balance charge document doc")
_TYPES: dict[Verdict, frozenset[str]] = {
    "counts": vocabulary("payment charge purchase sale capture recurring invoice"),
    "not": _TAKES_BACK
    | vocabulary(
        "authorization authorisation verify verification payout fee adjustment void transfer trial test stripe_fee"
    ),
}
_WON = vocabulary("is_won won hs_is_closed_won is_closed_won")
_MONEY_FLAGS = {
    **dict.fromkeys(_WON, True),
    **dict.fromkeys(["paid", "is_paid", "succeeded", "captured", "is_captured", "successful"], True),
    **dict.fromkeys(["refunded", "is_refunded", "disputed", "voided", "is_voided", "failed", "deleted"], False),
    **dict.fromkeys(["is_deleted", "is_trial", "is_free", "fivetran_deleted", "fraudulent"], False),
}
_TEST_FLAGS = {
    **dict.fromkeys(["livemode", "live_mode", "live", "is_live", "is_production"], True),
    **dict.fromkeys(
        ["test", "is_test", "testmode", "test_mode", "is_sandbox", "sandbox", "is_internal", "is_demo"], False
    ),
}
_TRUE, _FALSE = vocabulary("true t yes y 1"), vocabulary("false f no n 0")
_MOST_VALUES = 40


@dataclass(frozen=True)
class Condition:
    """The values of a column that count, or the ones that do not where rows without a value count too.

    Attributes
    ----------
    values
        The values, as the table spells them.
    excludes
        Whether the values are those that do not count.
    ended
        Values of subscriptions that ended after they had been paid; in `values` too if they count.
    """

    column: str
    values: tuple[str, ...]
    reason: str
    excludes: bool = False
    ended: tuple[str, ...] = ()

    def accepts(self, value: str | None) -> bool:
        return value not in self.values if self.excludes else value in self.values


@dataclass(frozen=True)
class Selection:
    """The conditions of a table, and the questions that its values raise."""

    conditions: tuple[Condition, ...] = ()
    questions: tuple[str, ...] = ()


def select_payments(
    sketch: TableSketch, family: Family | None, taken: Collection[str], amount_refunded: bool
) -> Selection:
    """Find the rows that are payments.

    Parameters
    ----------
    sketch : TableSketch
        A table of conversions.
    family : Family, optional
        What its rows are; default: what its states say.
    taken : collection of str
        Columns with another role.
    amount_refunded : bool
        Whether a column with the refunded amount is mapped, which says more than a flag.
    """
    columns = [column for column in sketch.columns if column.name not in taken and _is_category(column)]
    family = family or family_of(columns)
    conditions: list[Condition] = []
    questions: list[str] = []
    won = [column for column in columns if column.slug in _WON and _is_flag(column)]
    for column in won[:1] or columns:
        if column.slug == "refunded" and amount_refunded:
            continue
        condition = _flag(sketch, column, {**_MONEY_FLAGS, **_TEST_FLAGS}) or _mode(sketch, column)
        if condition is None and not _is_flag(column):
            if _STATE_WORDS.intersection(column.words) and _STATE_OWNERS.issuperset(column.words):
                condition, asked = _state(sketch, column, family)
                questions += asked
            elif _names_kinds(column):
                condition, _ = _condition(sketch, column, _TYPES)
        if condition is not None:
            conditions.append(condition)
    if won:
        conditions += [c for column in columns if (c := _flag(sketch, column, {**_TEST_FLAGS, "is_deleted": False}))]
    return Selection(tuple(conditions), tuple(questions))


def with_refunds(sketch: TableSketch, condition: Condition, value: ColumnSketch) -> tuple[Condition, list[str]]:
    """Let rows of refunds with negative amounts count, so that they take back what was paid; ask about positive ones."""
    column = sketch.column(condition.column)
    left_out = [kind for kind in column.counts if not condition.accepts(kind) and _is_refund(kind)]
    if condition.excludes or not _names_kinds(column) or not left_out:
        return condition, []
    rows = sketch.together(column.name, value.name)
    negative = [kind for kind in left_out if _are_negative([cell for of_kind, cell in rows if of_kind == kind])]
    if not negative:
        return condition, [
            f"{_listed(column, left_out)} of `{column.name}` in {sketch.file} take back payments, and their amounts are not "
            "negative: the payments still count. Which ones were taken back?"
        ]
    out = [kind for kind in column.counts if not condition.accepts(kind) and kind not in negative]
    reasons = [_reason(column, out), f"{_listed(column, negative)} with negative amounts take back what was paid"]
    return replace(condition, values=(*condition.values, *negative), reason="; ".join(filter(None, reasons))), []


def _names_kinds(column: ColumnSketch) -> bool:
    return bool({"type", "kind"}.intersection(column.words)) and _TYPE_WORDS.issuperset(column.words)


def _is_refund(kind: str) -> bool:
    return _verdict(kind, {"not": _TAKES_BACK}) is not None


def _are_negative(cells: Sequence[str | None]) -> bool:
    present = [leading_sign(cell.strip()) for cell in cells if cell is not None]
    return bool(present) and sum(cell.startswith("-") for cell in present) > 0.9 * len(present)


def select_real(sketch: TableSketch, taken: Collection[str]) -> Selection:
    """Find the rows of production in any other table: those of a test or staging environment do not count."""
    columns = [c for c in sketch.columns if c.name not in taken and _is_category(c)]
    found = (_flag(sketch, column, _TEST_FLAGS) or _mode(sketch, column) for column in columns)
    return Selection(tuple(condition for condition in found if condition is not None))


def family_of(columns: Iterable[ColumnSketch]) -> Family:
    """Tell what the rows of a table are from the values of its states."""
    values = {
        slug for column in columns if _STATE_WORDS.intersection(column.words) for slug in map(_slug, column.counts)
    }
    if values & _STATES["deal"]["counts"]:
        return "deal"
    return "subscription" if values & _RENEWS else "payment"


def _is_category(column: ColumnSketch) -> bool:
    return 0 < len(column.counts) <= _MOST_VALUES and not column.is_time and (column.filled >= 0.5 or _is_flag(column))


def _is_flag(column: ColumnSketch) -> bool:
    return {value.lower() for value in column.counts} <= _TRUE | _FALSE


def _slug(value: str) -> str:
    return "_".join(words(value))


def _verdict(value: str, states: dict[Verdict, frozenset[str]]) -> Verdict | None:
    """Look a value up, whole first, then the longest phrase inside it: `6 - Closed Won`, `Payment failed`."""
    parts = words(value)
    for length in range(len(parts), 0, -1):
        for start in range(len(parts) - length + 1):
            phrase = "_".join(parts[start : start + length])
            for verdict in ("not", "ended", "counts"):
                if phrase in states.get(verdict, ()):
                    return verdict
    return None


def _state(sketch: TableSketch, column: ColumnSketch, family: Family) -> tuple[Condition | None, list[str]]:
    states = _STATES[family]
    if column.words[0] in _CHANGED_TO:
        states = {
            **states,
            "not": states.get("not", frozenset()) | states.get("ended", frozenset()),
            "ended": frozenset(),
        }
    condition, unknown = _condition(sketch, column, states, only_known=family == "deal")
    file = sketch.file
    if condition is None and unknown and any(_verdict(value, states) for value in column.counts) and family != "deal":
        return None, [f"Which values of `{column.name}` in {file} are payments? {_listed(column, column.counts)}."]
    if condition is None and family == "deal" and len(unknown) == len(column.counts) > 1:
        return None, [
            f"Which values of `{column.name}` in {file} are won deals? None of {_listed(column, column.counts)} says so, "
            "so every row counts for now."
        ]
    if condition is not None and unknown and family != "deal":
        left = "counts" if set(unknown) <= set(condition.values) else "does not count"
        return condition, [
            f"Is {_listed(column, unknown)} of `{column.name}` in {file} a payment? For now it {left} (`where:`)."
        ]
    return condition, []


def _condition(
    sketch: TableSketch, column: ColumnSketch, states: dict[Verdict, frozenset[str]], only_known: bool = False
) -> tuple[Condition | None, list[str]]:
    """The condition on a column, or None if nothing in it says that a row does not count; and the unknown values."""
    verdicts = {value: _verdict(value, states) for value in column.counts}
    unknown = [value for value, verdict in verdicts.items() if verdict is None]
    counts = [value for value, verdict in verdicts.items() if verdict == "counts"]
    ended = [value for value, verdict in verdicts.items() if verdict == "ended"]
    out = [value for value, verdict in verdicts.items() if verdict == "not"]
    if only_known and counts:
        out, unknown = [*out, *unknown], []
    allowed = counts or ([] if only_known else unknown)
    if not (out or ended) or not (allowed or ended):
        return None, unknown
    return Condition(column.name, tuple(allowed + ended), _reason(column, out), ended=tuple(ended)), unknown


def _mode(sketch: TableSketch, column: ColumnSketch) -> Condition | None:
    if not _MODE_WORDS.intersection(column.words) or _is_flag(column):
        return None
    condition, _ = _condition(sketch, column, _MODES)
    return condition


def _flag(sketch: TableSketch, column: ColumnSketch, flags: dict[str, bool]) -> Condition | None:
    wanted = flags.get(column.slug)
    if wanted is None or not _is_flag(column):
        return None
    yes = [value for value in column.counts if value.lower() in (_TRUE if wanted else _FALSE)]
    no = [value for value in column.counts if value not in yes]
    has_blanks = column.filled < 1
    if column.slug in _WON and yes and (no or has_blanks):
        return Condition(column.name, tuple(yes), _reason(column, no) or "only won deals")
    if not no or not (yes or has_blanks):
        return None
    return Condition(column.name, tuple(no if has_blanks else yes), _reason(column, no), excludes=has_blanks)


def _reason(column: ColumnSketch, out: Collection[str]) -> str:
    return f"not counted: {_listed(column, out)}" if out else ""


def _listed(column: ColumnSketch, values: Collection[str], most: int = 8) -> str:
    shown = [f"{value} ({column.counts[value]:,} rows)" for value in list(values)[:most]]
    return ", ".join(shown) + (f" and {len(values) - most} more" if len(values) > most else "")
