from pql_model.activate.withdraw import count_withdrawals, withdrawal_of
from pql_model.decide.state import EntityState, RunState

STATE = RunState(9, {"a": EntityState(True, 9, 9), "b": EntityState(False, None, 3)})


def test_who_converted_or_is_no_longer_a_pql_is_withdrawn():
    reasons = {entity: withdrawal_of(STATE, {"a"}, entity) for entity in ("a", "b", "gone")}
    assert reasons == {"a": "converted", "b": "no_longer_pql", "gone": "no_longer_pql"}
    assert withdrawal_of(STATE, set(), "a") is None


def test_without_a_memory_of_runs_only_conversions_are_known():
    assert withdrawal_of(None, {"a"}, "a") == "converted"
    assert withdrawal_of(None, {"a"}, "b") is None


def test_a_withdrawal_is_counted_once():
    withdrawn = {("a", 1): "converted", ("b", 1): "converted", ("c", 1): "no_longer_pql"}
    assert count_withdrawals(withdrawn, {("a", 1)}) == {"converted": 1, "no_longer_pql": 1}
