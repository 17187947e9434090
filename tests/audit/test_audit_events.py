import pytest

from pql_model.audit.events import audit_events, audit_values
from pql_model.sources.event_timing import EventTiming
from pql_model.statistics.estimate import wilson_around
from pql_model.time import HOUR

LOGIN = EventTiming("login", doers=1000, after=20, converters=100, near=3.0)
UPLOAD = EventTiming("upload", doers=700, after=60, converters=80, near=4.0)
FEATURES = ("login.count.ever", "checkout.count.ever", "checkout.active_days.ever", "any.count.ever")


def found(*events, allow=()):
    return audit_events([LOGIN, UPLOAD, *events], FEATURES, allow)


def checkout(near=90.0, converters=100, doers=160, after=0):
    return EventTiming("checkout", doers=doers, after=after, converters=converters, near=near)


def test_a_purchase_step_is_quarantined_with_all_its_features():
    (finding,) = found(checkout())
    assert (finding.column, finding.kind, finding.action) == ("checkout", "act_of_buying", "quarantined")
    assert finding.columns == ("checkout.count.ever", "checkout.active_days.ever")
    assert finding.reason.startswith(
        "90% of its occurrences for 100 converters fall within 30 minutes of the conversion, against 4% for other events"
    )


def test_intent_shortly_before_the_purchase_is_spared():
    assert found(checkout(near=45.0)) == []


def test_five_converters_prove_nothing():
    assert found(checkout(near=5.0, converters=5)) == []


def test_no_event_is_accused_if_everybody_buys_in_the_first_session():
    at_once = [EventTiming(name, 1000, 20, 100, near) for name, near in (("a", 70.0), ("b", 66.0), ("c", 75.0))]
    assert audit_events(at_once, FEATURES, ()) == []


def test_no_event_is_the_act_of_buying_if_minutes_are_unknown():
    assert found(EventTiming("checkout", 160, 10, 100, None)) == []


def test_an_event_that_only_customers_do_is_quarantined():
    (finding,) = found(checkout(near=0.0, converters=0, doers=80, after=79))
    assert finding.kind == "after_conversion"
    assert "99% of the 80 that did it did so first at or after their conversion, against 5%" in finding.reason


def test_an_event_done_mostly_by_customers_is_spared():
    assert found(checkout(near=0.0, converters=40, doers=400, after=264)) == []


@pytest.mark.parametrize("allow", [["checkout"], ["checkout.count.ever", "checkout.active_days.ever"]])
def test_an_event_is_allowed_by_its_name_or_by_all_its_columns(allow):
    (finding,) = found(checkout(), allow=allow)
    assert finding.action == "allowed"


def test_a_single_column_of_an_event_can_be_allowed():
    (finding,) = found(checkout(), allow=["checkout.count.ever"])
    assert (finding.action, finding.columns) == ("quarantined", ("checkout.active_days.ever",))


def test_an_event_without_model_columns_is_named():
    (finding,) = found(EventTiming("invoice", 160, 0, 100, 95.0))
    assert (finding.action, finding.columns) == ("named", ())


def test_backfilled_rows_are_reported_but_not_quarantined():
    written = EventTiming("checkout", 200, 0, 100, 2.0, known_converters=100, back=60.0, known_others=100, late=2.0)
    (finding,) = found(written)
    assert (finding.kind, finding.action, finding.columns) == ("written_back", "named", ())
    assert finding.reason.startswith("60% of its rows from before the conversion of 100 converters arrived after it")


def test_rows_that_are_late_for_everybody_are_not_backfilled():
    late = EventTiming("checkout", 200, 0, 100, 2.0, known_converters=100, back=30.0, known_others=100, late=40.0)
    assert found(late) == []


def test_no_events_give_no_findings():
    assert audit_events([EventTiming("a", 0, 0, 0, 0.0)], FEATURES, ()) == []
    assert audit_events([], FEATURES, ()) == []


def test_the_lower_bound_of_a_share():
    assert wilson_around(0.9, 100, 1.96).low == pytest.approx(0.8256, abs=1e-4)


# ---------------------------------------------------------------- names and what follows


def did(name, did, did_convert, after=0, **more):
    return EventTiming(name, did + after, after, 0, more.pop("near", 0.0), did=did, did_convert=did_convert, **more)


BASE = [did("login", 1000, 100), did("upload", 700, 80)]


def judged(*events, columns=None, allow=()):
    names = [f"{event.event.replace(' ', '+')}.count.ever" for event in events]
    return audit_events([*BASE, *events], names if columns is None else columns, allow)


@pytest.mark.parametrize(("doers", "converters"), [(41, 41), (100, 96), (400, 360)])
def test_what_is_followed_by_a_conversion_too_surely_is_quarantined_whatever_its_name(doers, converters):
    (finding,) = judged(did("workspace migrated", doers, converters))
    assert (finding.kind, finding.action) == ("sure_to_convert", "quarantined")
    assert f"of the {doers} that did it then converted (at least" in finding.reason


@pytest.mark.parametrize(("doers", "converters"), [(10, 10), (41, 30), (400, 300), (2000, 1600)])
def test_strong_intent_is_spared(doers, converters):
    assert all(finding.action == "kept" for finding in judged(did("Added payment method", doers, converters)))


def test_almost_sure_is_worth_a_look():
    (finding,) = judged(did("Added payment method", 400, 300))
    assert (finding.kind, finding.action) == ("suspicious", "kept")


def test_a_sure_event_is_spared_if_most_convert_anyway():
    base = [did("login", 1000, 700), did("upload", 700, 500)]
    assert audit_events([*base, did("seat added", 100, 90)], ["seat+added.count.ever"], ()) == []


@pytest.mark.parametrize("name", ["Converted", "subscription_started", "Payment Succeeded", "Abo abgeschlossen"])
def test_a_name_that_says_the_outcome_needs_less_evidence(name):
    (finding,) = judged(did(name, 12, 11))
    assert (finding.kind, finding.action) == ("name_says_outcome", "quarantined")


def test_a_name_alone_is_a_reason_to_ask():
    (finding,) = judged(did("Invoice paid", 200, 30))
    assert (finding.kind, finding.action) == ("suspicious", "kept")
    assert "`paid` in its name may say the outcome, but what follows it does not (30 of the 200" in finding.reason


def test_a_named_event_that_mostly_customers_do_is_quarantined():
    (finding,) = judged(did("Payment Succeeded", 10, 6, after=20))
    assert (finding.kind, finding.action) == ("name_says_outcome", "quarantined")


def test_a_delay_that_only_a_system_keeps_is_quarantined():
    regular = did("provisioned", 150, 100, regular=90, delay=26 * HOUR)
    (finding,) = judged(regular)
    assert finding.kind == "regular_delay"
    assert "it lies 26.0 hours before the conversion, to 5 minutes" in finding.reason


def test_a_delay_that_counts_from_the_sign_up_is_spared():
    assert judged(did("onboarded", 150, 60, regular=60, regular_age=60, delay=14 * 24 * HOUR)) == []


def test_a_regular_delay_of_an_event_that_everybody_does_is_spared():
    assert judged(did("synced", 1000, 100, regular=90, delay=HOUR)) == []


# ---------------------------------------------------------------- values


def level(text, did, did_convert, after=0, event="login", value="converted"):
    return EventTiming(event, did + after, after, 0, None, did=did, did_convert=did_convert, value=value, level=text)


VALUES = ("login.max.converted.ever", "login.last.converted.ever", "login.sum.size.ever", "login.count.ever")


def judged_values(*levels, allow=()):
    return audit_values(levels, BASE, VALUES, allow)


def test_a_value_of_converters_only_is_quarantined_with_all_its_features():
    (finding,) = judged_values(level("= 0.0", 900, 90), level("= 1.0", 41, 41), level("other than 0.0", 41, 41))
    assert (finding.column, finding.kind, finding.action) == ("login.converted", "sure_to_convert", "quarantined")
    assert finding.columns == ("login.max.converted.ever", "login.last.converted.ever")


def test_a_value_with_an_innocent_name_is_judged_by_what_follows():
    (finding,) = judged_values(level("= 7.0", 100, 96, value="size"), level("= 1.0", 900, 90, value="size"))
    assert (finding.column, finding.columns) == ("login.size", ("login.sum.size.ever",))


def test_a_value_that_only_customers_have_is_quarantined():
    (finding,) = judged_values(level("= 0.0", 900, 90), level("other than 0.0", 2, 1, after=90))
    assert finding.kind == "after_conversion"
    assert "with a value other than 0.0 had one first at or after their conversion" in finding.reason


def test_a_name_of_a_value_alone_is_spared():
    assert judged_values(level("= 0.0", 900, 90), level("other than 0.0", 300, 60)) == []


def test_an_honest_value_is_spared():
    levels = [level(f"above percentile {p}", 500, 60 + p, value="size") for p in range(0, 100, 5)]
    assert judged_values(*levels) == []


@pytest.mark.parametrize("allow", [["converted"], ["login.converted"], ["login"], list(VALUES[:2])])
def test_a_value_is_allowed_by_any_of_its_names(allow):
    (finding,) = judged_values(level("other than 0.0", 41, 41), allow=allow)
    assert finding.action == "allowed"
