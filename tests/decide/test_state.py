import pytest

from pql_model.decide.state import EntityState, RunState, previous_run

BEFORE, LAST = RunState(5, {"a": EntityState(True, 2, 2)}), RunState(9)


def test_a_repeated_run_builds_on_the_run_before():
    assert previous_run([], 9) == RunState()
    assert previous_run([BEFORE, LAST], 9) is BEFORE
    assert previous_run([LAST], 9) == RunState()


def test_a_later_run_builds_on_the_last_run():
    assert previous_run([BEFORE, LAST], 10) is LAST


@pytest.mark.parametrize("as_of", [4, 5, 7])
def test_a_run_earlier_than_the_last_has_no_previous_run(as_of):
    assert previous_run([BEFORE, LAST], as_of) is None
