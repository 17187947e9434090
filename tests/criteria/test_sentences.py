"""Every sentence the field says about a product-qualified lead can be written, and means what it says.

Each test writes the rule as YAML and a small log in which accounts stand just below, exactly at and just above it.
"""

from __future__ import annotations

import pytest
import yaml
from worlds import at, product

from pql_model.time import DAY, HOUR, MINUTE
from pql_model.workflows.criteria import test_criteria

BEGAN = at("2026-01-05T10:30")
TRIAL = 14


@pytest.fixture
def who_meets(tmp_path):
    """The accounts that meet a rule on day 14: from {account: rows of events} and {account: traits} to their names."""

    def meet(rule, logs, traits=None, **config):
        names = [*logs, "payer", "idle"]
        accounts = [{"account": name, "signed_up": BEGAN, **(traits or {}).get(name, {})} for name in names]
        events = [
            {"account": name, "event": "Signed In", "time": BEGAN, **row} for name, rows in logs.items() for row in rows
        ]
        end = {"account": "idle", "event": "Signed In", "time": BEGAN + 60 * DAY}
        paid = [{"account": "payer", "time": BEGAN + 20 * DAY}]
        settings = {"snapshots": {"at_days": [7, TRIAL]}, "windows": {"first": ["7d"], "last": []}, **config}
        product(tmp_path, accounts, [*events, end], paid, **settings)
        (tmp_path / "rule.yaml").write_text(yaml.safe_dump(rule), encoding="utf-8")
        result = test_criteria(tmp_path / "pql.yaml", tmp_path / "rule.yaml")
        assert result.rows == "as of day 14 of the trial"
        assert result.tested.rows == len(names)
        return result.qualified

    return meet


def times(event, count, day=1.0, step=MINUTE, **values):
    return [{"event": event, "time": BEGAN + int(day * DAY) + k * step, **values} for k in range(count)]


def on_days(*days, event="Board Opened"):
    """At noon of the given days of the trial, the day of sign-up being 0."""
    return [{"event": event, "time": at("2026-01-05T12:00") + day * DAY} for day in days]


def test_two_thousand_messages_sent_by_the_account(who_meets):
    rule = {"all": [{"event": "Message Sent", "at_least": 2000}]}
    logs = {
        name: times("Message Sent", 1000, user="ann") + times("Message Sent", other, 2, user="bob")
        for name, other in (("1,999 by two people", 999), ("2,000 by two people", 1000), ("2,001 by two people", 1001))
    }
    assert who_meets(rule, logs) == ["2,000 by two people", "2,001 by two people"]


def test_a_hundred_messages_and_five_gigabytes(who_meets):
    stored = {"event": "File Uploaded", "measure": "sum", "value": "megabytes", "at_least": 5000}
    rule = {"all": [{"event": "Message Sent", "at_least": 100}, stored]}
    files = {
        mb: times("File Uploaded", 4, megabytes=1000) + times("File Uploaded", 1, 2, megabytes=mb - 4000)
        for mb in (4999, 5000, 5001)
    }
    logs = {
        "both, exactly": times("Message Sent", 100) + files[5000],
        "both, and more": times("Message Sent", 101) + files[5001],
        "99 messages": times("Message Sent", 99) + files[5001],
        "4.999 GB": times("Message Sent", 101) + files[4999],
    }
    assert who_meets(rule, logs) == ["both, and more", "both, exactly"]


def test_eighty_percent_of_the_free_quota_used(who_meets):
    rule = {"all": [{"event": "Quota Checked", "measure": "last", "value": "quota_share", "at_least": 0.8}]}

    def checked(*shares):
        return [row for day, share in enumerate(shares) for row in times("Quota Checked", 1, day, quota_share=share)]

    logs = {
        "79 %": checked(0.2, 0.79),
        "80 %": checked(0.2, 0.8),
        "81 %": checked(0.2, 0.81),
        "was 90 %": checked(0.9, 0.4),
    }
    assert who_meets(rule, logs) == ["80 %", "81 %"]


def test_the_most_of_the_quota_ever_used_is_another_sentence(who_meets):
    rule = {"all": [{"event": "Quota Checked", "measure": "max", "value": "quota_share", "at_least": 0.8}]}
    logs = {
        "was 80 %": times("Quota Checked", 1, 1, quota_share=0.8) + times("Quota Checked", 1, 2, quota_share=0.4),
        "never": times("Quota Checked", 2, quota_share=0.79),
    }
    assert who_meets(rule, logs) == ["was 80 %"]


def test_the_desktop_app_installed_and_a_file_uploaded(who_meets):
    rule = {"all": [{"event": "Desktop App Installed", "at_least": 1}, {"event": "File Uploaded", "at_least": 1}]}
    logs = {
        "app only": times("Desktop App Installed", 2),
        "file only": times("File Uploaded", 5),
        "each once": times("Desktop App Installed", 1) + times("File Uploaded", 1, 3),
        "each twice": times("Desktop App Installed", 2) + times("File Uploaded", 2, 3),
    }
    assert who_meets(rule, logs) == ["each once", "each twice"]


def test_three_consecutive_days(who_meets):
    rule = {"all": [{"event": "any", "measure": "longest_streak_days", "at_least": 3}]}
    logs = {
        "three days with a gap": on_days(1, 2, 4),
        "three in a row": on_days(8, 9, 10),
        "four in a row": on_days(1, 2, 3, 4),
        "two in a row, busy": on_days(1, 1, 1, 2, 2),
    }
    assert who_meets(rule, logs) == ["four in a row", "three in a row"]


def test_ten_active_days_of_a_fourteen_day_trial(who_meets):
    rule = {"all": [{"event": "any", "measure": "active_days", "at_least": 10, "within": "first 14d"}]}
    logs = {
        "nine days, busy": on_days(*range(9), *range(9)),
        "ten days": on_days(*range(7), 9, 11, 13),
        "eleven days": on_days(*range(11)),
        "the tenth after the trial": on_days(*range(9), 14),
    }
    assert who_meets(rule, logs) == ["eleven days", "ten days"]


def test_a_premium_feature_tried(who_meets):
    premium = ["Gantt Chart Opened", "Audit Log Opened", "SSO Configured"]
    rule = {"any": [{"event": event, "at_least": 1} for event in premium]}
    logs = {
        "not one": times("Board Opened", 9),
        "one of them once": times("SSO Configured", 1),
        "another twice": times("Audit Log Opened", 2),
        "only after the trial": times("Gantt Chart Opened", 1, 14),
    }
    assert who_meets(rule, logs) == ["another twice", "one of them once"]


def test_two_hours_spent_in_the_product(who_meets):
    rule = {"all": [{"event": "any", "measure": "session_minutes", "at_least": 120}]}

    def spent(*minutes):
        return [{"event": "Board Opened", "time": BEGAN + 2 * DAY + 2 * HOUR + minute * MINUTE} for minute in minutes]

    logs = {
        "119 minutes": spent(0, 30, 60, 90, 119),
        "120 minutes": spent(0, 30, 60, 90, 120),
        "121 minutes": spent(0, 30, 60, 90, 120, 121),
        "a long break": spent(0, 30, 60, 90, 121),  # nobody is there in a pause of more than half an hour
    }
    assert who_meets(rule, logs) == ["120 minutes", "121 minutes"]


def test_two_hours_of_lessons_watched(who_meets):
    rule = {"all": [{"event": "Lesson Watched", "measure": "sum", "value": "minutes", "at_least": 120}]}
    logs = {
        f"{m} minutes": times("Lesson Watched", 1, minutes=60) + times("Lesson Watched", 1, 2, minutes=m - 60)
        for m in (119, 120, 121)
    }
    assert who_meets(rule, logs) == ["120 minutes", "121 minutes"]


def test_the_help_pages_read_three_times(who_meets):
    rule = {"all": [{"event": "Help Read", "at_least": 3}]}
    logs = {f"{n} times": times("Help Read", n) for n in (2, 3, 4)}
    assert who_meets(rule, logs) == ["3 times", "4 times"]


def test_the_settings_customised(who_meets):
    rule = {"all": [{"event": "Settings Changed", "at_least": 1}]}
    logs = {
        "never": times("Settings Opened", 3),
        "once": times("Settings Changed", 1),
        "twice": times("Settings Changed", 2),
    }
    assert who_meets(rule, logs) == ["once", "twice"]


def test_three_teammates_invited_in_the_first_week(who_meets):
    rule = {"all": [{"event": "Teammate Invited", "at_least": 3, "within": "first 7d"}]}
    two = times("Teammate Invited", 2)
    logs = {
        "two": two,
        "the third as the week ends": [*two, {"event": "Teammate Invited", "time": BEGAN + 7 * DAY - 1}],
        "the third at its end": [*two, {"event": "Teammate Invited", "time": BEGAN + 7 * DAY}],
        "four": two + times("Teammate Invited", 2, 3),
    }
    assert who_meets(rule, logs) == ["four", "the third as the week ends"]


def test_company_size_by_fit_and_activity_together(who_meets):
    fit = {"trait": "company_size", "in": ["51-200", "201+"]}
    rule = {"all": [fit, {"event": "any", "measure": "active_days", "at_least": 5, "within": "first 7d"}]}
    logs = {
        "large, 4 days": on_days(0, 1, 2, 3),
        "large, 5 days": on_days(0, 1, 2, 3, 4),
        "medium, 6 days": on_days(0, 1, 2, 3, 4, 5),
        "small, 6 days": on_days(0, 1, 2, 3, 4, 5),
        "unknown, 6 days": on_days(0, 1, 2, 3, 4, 5),
    }
    sizes = {"large": "201+", "medium": "51-200", "small": "1-10", "unknown": None}
    traits = {name: {"company_size": sizes[name.split(",")[0]]} for name in logs}
    assert who_meets(rule, logs, traits) == ["large, 5 days", "medium, 6 days"]


def test_two_of_three_signs(who_meets):
    signs = [{"event": e, "at_least": 1} for e in ("Teammate Invited", "File Uploaded")] + [
        {"trait": "seats", "at_least": 10}
    ]
    rule = {"definition": {"at_least_k": 2, "of": signs}}
    invited, uploaded = times("Teammate Invited", 1), times("File Uploaded", 1)
    logs = {
        "invited only": invited,
        "invited, uploaded": invited + uploaded,
        "uploaded, 10 seats": uploaded,
        "10 seats": [],
    }
    traits = {name: {"seats": 10 if "10 seats" in name else 9} for name in logs}
    assert who_meets(rule, logs, traits) == ["invited, uploaded", "uploaded, 10 seats"]
