import pytest

from pql_model.audit.events import audit_events
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.sources.event_timing import EventTiming
from pql_model.statistics.estimate import wilson_around

LOGIN = EventTiming("login", doers=1000, after=20, converters=100, near=3.0)
UPLOAD = EventTiming("upload", doers=700, after=60, converters=80, near=4.0)
FEATURES = ("login.count.ever", "checkout.count.ever", "checkout.active_days.ever", "any.count.ever")
MANIFEST = Manifest((*(ModelColumn(name, "feature") for name in FEATURES), ModelColumn("trait.x", "number")))


def found(*events, allow=()):
    return audit_events([LOGIN, UPLOAD, *events], MANIFEST, allow)


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
    assert audit_events(at_once, MANIFEST, ()) == []


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
    assert audit_events([EventTiming("a", 0, 0, 0, 0.0)], MANIFEST, ()) == []
    assert audit_events([], MANIFEST, ()) == []


def test_the_lower_bound_of_a_share():
    assert wilson_around(0.9, 100, 1.96).low == pytest.approx(0.8256, abs=1e-4)
