"""Every criterion in common use, planted among correlated behaviours, is found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from planted import DAYS, Planted, counts, criterion, days_of, feature, pace, planted, product, streak

from pql_model.config.definition import Criterion
from pql_model.criteria.mine import MinedCriterion
from pql_model.measures import ANY

ROWS = 6000
AROUND = ("Board Created", "Comment Added", "Search Used", "Report Shared")


@dataclass
class Rows:
    """Entities with their pace and their features."""

    rng: np.random.Generator
    busy: np.ndarray
    values: dict[Any, np.ndarray]

    def find(self, *rule: Criterion, weight: float = 1.6, kinds: dict[str, Any] | None = None) -> list[MinedCriterion]:
        drawn: Planted = planted(self.rng, self.values, [(c, weight) for c in rule], trait_kinds=kinds)
        return drawn.mine(resamples=25)


def rows(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    busy = pace(rng, ROWS)
    return Rows(rng, busy, product(rng, ROWS, AROUND, busy))


def active(data: Rows) -> np.ndarray:
    """Days with any event, (rows, days)."""
    return np.asarray(data.rng.random((ROWS, DAYS)) < (0.15 + 0.2 * data.busy[:, None]).clip(0, 0.9))


def activity(days: np.ndarray) -> dict[Any, np.ndarray]:
    """Measures of active days, with correlated minutes and sessions."""
    minutes = days.sum(axis=1) * 9.7
    return {
        feature(ANY, "active_days"): days.sum(axis=1),
        feature(ANY, "active_days", "first 7d"): days[:, :7].sum(axis=1),
        feature(ANY, "active_days", "last 7d"): days[:, 7:].sum(axis=1),
        feature(ANY, "longest_streak_days"): streak(days),
        feature(ANY, "session_minutes"): minutes,
    }


def exactly(found: list[MinedCriterion], *rule: Criterion) -> bool:
    return sorted(m.condition.model_dump_json() for m in found) == sorted(c.model_dump_json() for c in rule)


def test_two_thousand_messages_by_the_account():
    data = rows(1)
    sent = data.rng.poisson(data.busy * data.rng.gamma(1.2, 1100, ROWS)).astype(float)
    data.values |= {
        feature("Message Sent"): sent,
        feature("Message Sent", "active_days"): np.minimum(sent // 150, 14),
        feature("Message Sent", "count", "first 7d"): np.floor(sent * data.rng.beta(8, 8, ROWS)),
    }
    [m] = data.find(criterion(event="Message Sent", at_least=2000))
    assert (m.column, m.condition.threshold) == ("Message+Sent.count.ever", 2000)
    assert m.threshold_interval[0] <= 2000 <= m.threshold_interval[1]
    assert m.threshold_interval[1] - m.threshold_interval[0] < 600


def test_a_hundred_messages_and_five_gigabytes():
    data = rows(2)
    sent = data.rng.poisson(data.busy * data.rng.gamma(1.2, 70, ROWS)).astype(float)
    files = data.rng.poisson(3 * data.busy)
    gigabytes = np.round(files * data.rng.gamma(1.5, 0.7, ROWS), 3)
    data.values |= {
        feature("Message Sent"): sent,
        feature("File Uploaded"): files,
        feature("File Uploaded", "sum", "ever", "gb"): gigabytes,
        feature("File Uploaded", "max", "ever", "gb"): np.where(files > 0, gigabytes / 2, np.nan),
    }
    messages, size = data.find(
        criterion(event="Message Sent", at_least=100),
        criterion(event="File Uploaded", measure="sum", value="gb", at_least=5),
    )
    messages, size = sorted((messages, size), key=lambda m: m.family, reverse=True)
    assert (messages.column, size.column) == ("Message+Sent.count.ever", "File+Uploaded.sum.gb.ever")
    assert (messages.condition.threshold, size.condition.threshold) == (100, 5)
    assert messages.threshold_interval[0] <= 100 <= messages.threshold_interval[1]
    assert size.threshold_interval[0] <= 5 <= size.threshold_interval[1]


@pytest.mark.parametrize("measure", ["last", "max"])
def test_eighty_per_cent_of_a_quota(measure):
    data = rows(3)
    share = np.round(100 * data.rng.beta(1.2 + data.busy, 2.0), 1)
    looked = data.rng.random(ROWS) < 0.9
    other = "max" if measure == "last" else "last"
    beside = share + 12 * data.rng.random(ROWS) * (1 if other == "max" else -1)
    data.values |= {
        feature("Quota Checked"): np.where(looked, data.rng.poisson(2 * data.busy) + 1, 0),
        feature("Quota Checked", measure, "ever", "percent"): np.where(looked, share, np.nan),
        feature("Quota Checked", other, "ever", "percent"): np.where(looked, beside, np.nan),
    }
    [m] = data.find(criterion(event="Quota Checked", measure=measure, value="percent", at_least=80))
    assert (m.condition.measure, m.condition.threshold) == (measure, 80)
    assert m.threshold_interval[0] <= 80 <= m.threshold_interval[1]


def test_the_desktop_app_installed_and_a_file_uploaded():
    data = rows(4)
    installed = days_of(data.rng, data.busy, 0.03)
    data.values |= {
        **counts("Desktop App Installed", installed),
        **counts("File Uploaded", days_of(data.rng, data.busy, 0.06)),
    }
    rule = (criterion(event="Desktop App Installed", at_least=1), criterion(event="File Uploaded", at_least=1))
    assert exactly(data.find(*rule), *rule)


def test_three_consecutive_days():
    data = rows(5)
    data.values |= activity(active(data))
    rule = criterion(event=ANY, measure="longest_streak_days", at_least=3)
    assert exactly(data.find(rule), rule)


def test_ten_active_days_of_a_trial_of_fourteen():
    data = rows(6)
    data.values |= activity(active(data))
    rule = criterion(event=ANY, measure="active_days", at_least=10)
    assert exactly(data.find(rule), rule)


def test_a_premium_feature_tried():
    data = rows(7)
    data.values |= counts("Premium Feature Tried", days_of(data.rng, data.busy, 0.04))
    rule = criterion(event="Premium Feature Tried", at_least=1)
    assert exactly(data.find(rule), rule)


def test_two_hours_spent():
    data = rows(8)
    days = active(data)
    minutes = np.round(days.sum(axis=1) * data.rng.gamma(4, 5, ROWS), 2)
    data.values |= {
        **activity(days),
        feature(ANY, "session_minutes"): minutes,
        feature(ANY, "sessions"): days.sum(axis=1) + data.rng.poisson(data.busy),
    }
    [m] = data.find(criterion(event=ANY, measure="session_minutes", at_least=120))
    assert (m.column, m.condition.threshold) == ("any.session_minutes.ever", 120)
    assert m.threshold_interval[0] <= 120 <= m.threshold_interval[1]


def test_help_read_three_times():
    data = rows(9)
    data.values |= counts("Help Read", days_of(data.rng, data.busy, 0.15))
    rule = criterion(event="Help Read", at_least=3)
    assert exactly(data.find(rule), rule)


def test_settings_customised():
    data = rows(10)
    data.values |= counts("Settings Customised", days_of(data.rng, data.busy, 0.05))
    rule = criterion(event="Settings Customised", at_least=1)
    assert exactly(data.find(rule), rule)


def test_company_size_by_fit_and_activity_together():
    data = rows(11)
    names = ("1-10", "11-50", "51-200", "201-1000", "1000+")
    size = data.rng.choice(names, ROWS, p=[0.4, 0.25, 0.15, 0.12, 0.08])
    data.values |= {**activity(active(data)), "company size": size}
    fit = criterion(trait="company size", **{"in": ["51-200", "201-1000"]})
    busy = criterion(event=ANY, measure="active_days", at_least=8)
    assert exactly(data.find(fit, busy, kinds={"company size": ("category", names)}), fit, busy)


def test_seats_as_a_number_and_activity_together():
    data = rows(12)
    seats = data.rng.geometric(0.06, ROWS)
    data.values |= {**activity(active(data)), "seats": seats}
    fit = criterion(trait="seats", operator=">=", threshold=20)
    busy = criterion(event="Comment Added", at_least=4)
    missing = data.find(fit, busy, kinds={"seats": ("number",)})
    assert {m.condition.trait or m.condition.event for m in missing} == {"seats", "Comment Added"}
    [of_seats] = [m for m in missing if m.condition.trait]
    assert of_seats.threshold_interval[0] <= 20 <= of_seats.threshold_interval[1]
