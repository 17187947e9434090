from pql_model.audit.finding import Finding
from pql_model.report.health import health_lines


def finding(action):
    return Finding("lifetime_logins", "separates_too_well", "alone it has ROC-AUC 0.97", 0.97, action)


def levels(*findings, **other):
    given = {"set_aside": {}, "rows_read": 1000, "warnings": [], "moved": None, **other}
    return [line["level"] for line in health_lines(findings, **given)]


def test_clean_data_have_one_line():
    assert levels() == ["ok"]


def test_quarantined_is_amber_and_allowed_is_red():
    assert levels(finding("quarantined"), finding("allowed"), finding("kept"), finding("named")) == [
        "amber",
        "red",
        "amber",
    ]


def test_a_trait_is_shown_by_its_own_name():
    [line] = health_lines([Finding("trait.lifetime+logins", "suspicious", "why", 0.9, "kept")], {}, 10, [], None)
    assert line["saw"] == "`lifetime logins`: why"


def test_the_status_of_unusable_rows_depends_on_their_share():
    assert levels(set_aside={"bot": 99}) == ["ok"]
    assert levels(set_aside={"bot": 100}) == ["amber"]
    assert levels(set_aside={"bot": 200, "duplicate": 100}) == ["red"]
    [line] = health_lines([], {"bot": 200, "before_signup": 100}, 1000, [], None)
    assert line["saw"] == "30% of the event rows cannot be used: bot 200, before signup 100."


def test_warnings_and_a_moved_base_rate_are_lines():
    assert levels(warnings=["No events in the week of 2026-01-05"], moved="The base rate fell.") == ["amber", "amber"]


def test_no_rows_give_no_share():
    assert levels(rows_read=0) == ["ok"]
