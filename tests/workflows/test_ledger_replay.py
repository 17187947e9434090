"""What is replayed where nothing was logged, by a model that has not learnt from the outcome."""

from __future__ import annotations

import pytest

from pql_model.time import DAY
from pql_model.workflows.ledger_replay import _covered


@pytest.mark.parametrize(
    ("runs", "covered"),
    [
        ([], []),
        ([10], [(9, 17)]),
        ([10, 17, 3], [(2, 24)]),  # weekly runs leave no gap
        ([3, 40], [(2, 10), (39, 47)]),
        ([3, 11, 12], [(2, 19)]),
    ],
)
def test_a_logged_run_covers_the_day_before_it_and_the_week_after(runs, covered):
    assert [(first // DAY, last // DAY) for first, last in _covered([run * DAY for run in runs])] == covered
