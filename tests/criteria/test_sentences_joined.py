"""Sentences that join events, users, days and an account's own quota or past: just below, exactly at and just above the line.

`who_meets` is that of `test_sentences`: rules as YAML, small logs, and the accounts that meet them on day 14.
"""

from __future__ import annotations

from test_sentences import BEGAN, on_days, times, who_meets  # noqa: F401

from pql_model.time import DAY, HOUR, MINUTE

DAY_14 = 14.0
"""`as_of`, in days after the sign-up."""


def test_ten_exports_or_five_if_it_is_a_software_company(who_meets):  # noqa: F811
    software = {"trait": "industry", "in": ["software"]}
    rule = {
        "any": [
            {"event": "Export Made", "at_least": 10},
            {"all": [{"event": "Export Made", "at_least": 5}, software]},
        ]
    }
    logs = {
        "9, bank": times("Export Made", 9),
        "10, bank": times("Export Made", 10),
        "4, software": times("Export Made", 4),
        "5, software": times("Export Made", 5),
        "6, software": times("Export Made", 6),
    }
    traits = {name: {"industry": name.split(", ")[-1]} for name in [*logs, "payer", "idle"]}
    assert who_meets(rule, logs, traits) == ["10, bank", "5, software", "6, software"]


def test_a_project_and_either_a_teammate_or_a_template(who_meets):  # noqa: F811
    either = {"any": [{"event": "Teammate Invited", "at_least": 1}, {"event": "Template Used", "at_least": 2}]}
    rule = {"all": [{"event": "Project Created", "at_least": 1}, either]}
    project = times("Project Created", 1)
    logs = {
        "a project alone": project,
        "a teammate alone": times("Teammate Invited", 3),
        "a project and a template": project + times("Template Used", 1),
        "a project and two templates": project + times("Template Used", 2),
        "a project and a teammate": project + times("Teammate Invited", 1),
    }
    assert who_meets(rule, logs) == ["a project and a teammate", "a project and two templates"]


def test_two_of_three_of_which_one_is_joined_in_turn(who_meets):  # noqa: F811
    both = {"all": [{"event": "b", "at_least": 1}, {"event": "c", "at_least": 1}]}
    rule = {"at_least_k": 2, "of": [{"event": "a", "at_least": 1}, both, {"event": "d", "at_least": 1}]}
    logs = {
        names: [row for name in names for row in times(name, 1)] for names in ("ab", "abc", "ad", "bc", "bcd", "bd")
    }
    assert who_meets(rule, logs) == ["abc", "ad", "bcd"]


def test_any_help_page_read_three_times(who_meets):  # noqa: F811
    rule = {"all": [{"event": ["Help: Billing", "Help: Setup", "Guide Read"], "at_least": 3}]}
    logs = {
        "2 of different pages": times("Help: Billing", 1) + times("Help: Setup", 1, 2),
        "3 of different pages": times("Help: Billing", 1) + times("Help: Setup", 1, 2) + times("Guide Read", 1, 3),
        "4 of one page": times("Guide Read", 4),
        "other pages": times("Pricing Viewed", 9),
    }
    assert who_meets(rule, logs) == ["3 of different pages", "4 of one page"]


def test_any_help_page_on_three_days(who_meets):  # noqa: F811
    rule = {"all": [{"event": ["Help: Billing", "Help: Setup"], "measure": "active_days", "at_least": 3}]}
    logs = {
        "two pages on the same two days": on_days(1, 2, event="Help: Billing") + on_days(1, 2, event="Help: Setup"),
        "two pages on three days": on_days(1, 2, event="Help: Billing") + on_days(3, event="Help: Setup"),
    }
    assert who_meets(rule, logs) == ["two pages on three days"]


def test_two_hours_in_the_editor(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Editor Active", "measure": "session_minutes", "at_least": 120}]}

    def minutes(count):
        return times("Editor Active", count // 10 + 1, 1.0, 10 * MINUTE)

    logs = {
        "110 minutes": minutes(110),
        "110 minutes, and more elsewhere": minutes(110) + times("Board Opened", 30, 1.2),
        "120 minutes": minutes(120),
        "130 minutes": minutes(130),
        "two days of 60": minutes(60) + times("Editor Active", 7, 3.0, 10 * MINUTE),
    }
    assert who_meets(rule, logs) == ["120 minutes", "130 minutes", "two days of 60"]


def test_exported_on_three_days_in_a_row(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Export Made", "measure": "longest_streak_days", "at_least": 3}]}
    logs = {
        "two in a row": on_days(1, 2, 4, event="Export Made"),
        "three in a row": on_days(5, 6, 7, event="Export Made"),
        "three in a row, of two kinds": on_days(1, 3, event="Export Made") + on_days(2, event="Board Opened"),
        "four in a row": on_days(1, 2, 3, 4, event="Export Made"),
    }
    assert who_meets(rule, logs) == ["four in a row", "three in a row"]


def test_exports_are_growing(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Export Made", "measure": "trend", "window": "last 7d", "operator": ">", "threshold": 0}]}

    def weeks(first, second):
        return times("Export Made", first, 2) + times("Export Made", second, 9)

    logs = {"fewer": weeks(4, 3), "the same": weeks(4, 4), "more": weeks(4, 5), "from nothing": weeks(0, 1)}
    assert who_meets(rule, logs) == ["from nothing", "more"]


def test_twice_as_many_as_in_the_week_before(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Export Made", "measure": "times_before", "within": "last 7d", "at_least": 2}]}

    def weeks(first, second):
        return times("Export Made", first, 2) + times("Export Made", second, 9)

    logs = {"5 after 3": weeks(3, 5), "6 after 3": weeks(3, 6), "7 after 3": weeks(3, 7), "5 after none": weeks(0, 5)}
    assert who_meets(rule, logs) == ["6 after 3", "7 after 3"]


def test_eighty_percent_of_its_own_quota_stored(who_meets):  # noqa: F811
    stored = {"event": "File Uploaded", "measure": "sum", "value": "megabytes", "share_of": "quota_mb", "at_least": 0.8}
    small, large = {"quota_mb": 500}, {"quota_mb": 5000}
    logs = {
        "399 of 500": times("File Uploaded", 1, megabytes=399),
        "400 of 500": times("File Uploaded", 4, megabytes=100),
        "401 of 500": times("File Uploaded", 1, megabytes=401),
        "3,999 of 5,000": times("File Uploaded", 1, megabytes=3999),
        "4,000 of 5,000": times("File Uploaded", 4, megabytes=1000),
        "no quota": times("File Uploaded", 1, megabytes=9000),
    }
    traits = {name: large if "5,000" in name else {} if name == "no quota" else small for name in logs}
    assert who_meets({"all": [stored]}, logs, traits) == ["4,000 of 5,000", "400 of 500", "401 of 500"]


def test_eighty_percent_of_a_quota_that_no_float_divides_exactly(who_meets):  # noqa: F811
    stored = {"event": "File Uploaded", "measure": "sum", "value": "gigabytes", "share_of": "quota_gb", "at_least": 0.8}
    logs = {f"{gb} of 3": times("File Uploaded", 1, gigabytes=gb) for gb in (2.39, 2.4, 2.41)}
    assert who_meets({"all": [stored]}, logs, {name: {"quota_gb": 3} for name in logs}) == ["2.4 of 3", "2.41 of 3"]


def test_four_of_five_seats_are_used(who_meets):  # noqa: F811
    used = {"event": "any", "measure": "distinct_users", "share_of": "seats", "at_least": 0.8}
    logs = {f"{n} of 5": [row for k in range(n) for row in times("Signed In", 1, user=f"u{k}")] for n in (3, 4, 5)}
    assert who_meets({"all": [used]}, logs, {name: {"seats": 5} for name in logs}) == ["4 of 5", "5 of 5"]


def test_shared_within_three_days_after_it_was_created(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Report Shared", "after": "Report Created", "gap": "3d", "at_least": 1}]}

    def shared(days):
        return times("Report Created", 1, 2) + times("Report Shared", 1, 2 + days)

    logs = {
        "never created": times("Report Shared", 5),
        "before it was created": shared(-0.5),
        "at the same instant": shared(0),
        "after two days": shared(2),
        "after three days": shared(3),
        "a minute later": shared(3 + MINUTE / DAY),
        "after the second report": shared(5) + times("Report Created", 1, 6),
    }
    assert who_meets(rule, logs) == ["after the second report", "after three days", "after two days"]


def test_invited_within_two_days_of_the_sign_up(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Teammate Invited", "measure": "days_to_first", "at_most": 2}]}
    logs = {
        "just before": times("Teammate Invited", 1, 2 - MINUTE / DAY),
        "after two days": times("Teammate Invited", 1, 2),
        "just after": times("Teammate Invited", 1, 2 + MINUTE / DAY),
        "never": times("Board Opened", 1),
    }
    assert who_meets(rule, logs) == ["after two days", "just before"]


def test_one_user_did_ten(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Export Made", "measure": "top_user_count", "at_least": 10}]}

    def made(**by):
        return [row for k, (user, n) in enumerate(by.items()) for row in times("Export Made", n, 1 + k, user=user)]

    logs = {
        "9 and 9": made(ann=9, bob=9),
        "10 and none": made(ann=10),
        "11 and 2": made(ann=11, bob=2),
        "20 by nobody": times("Export Made", 20),
    }
    assert who_meets(rule, logs) == ["10 and none", "11 and 2"]


def test_the_order_holds_across_users_and_the_window_is_about_the_second_event(who_meets):  # noqa: F811
    rule = {"all": [{"event": "Approved", "after": "Requested", "gap": "12h", "within": "last 1d", "at_least": 1}]}
    at = DAY_14 - HOUR / DAY
    logs = {
        "asked before the window": times("Requested", 1, DAY_14 - 1.1, user="ann")
        + times("Approved", 1, DAY_14 - 0.9, user="bob"),
        "approved before the window": times("Requested", 1, DAY_14 - 1.4) + times("Approved", 1, DAY_14 - 1.1),
        "too late": times("Requested", 1, DAY_14 - 0.6) + times("Approved", 1, at),
    }
    assert who_meets(rule, logs) == ["asked before the window"]
