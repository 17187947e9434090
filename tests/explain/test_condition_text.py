import pandas as pd
import pytest

from pql_model.config.definition import Criterion
from pql_model.explain.condition_text import condition_text


@pytest.mark.parametrize(
    ("criterion", "row", "words"),
    [
        (
            {"event": "x", "at_least": 2, "within": "first 7d"},
            {"x.count.first_7d": 0.0},
            "no `x` in the first 7 days; needs at least 2",
        ),
        (
            {"event": "x", "at_least": 2, "within": "first 7d"},
            {"x.count.first_7d": 1.0, "any.days_since_signup.ever": 3.0},
            "1 `x` so far, of the first 7 days; needs at least 2",
        ),
        (
            {"event": "any", "measure": "days_since_last", "less_than": 3},
            {"any.days_since_last.ever": None},
            "not active so far; needs less than 3 days",
        ),
        (
            {"event": "x", "measure": "sum", "value": "mb", "more_than": 5000},
            {"x.sum.mb.ever": 2400.0},
            "2.4 GB of `x` so far; needs more than 5 GB",
        ),
        (
            {"event": "any", "measure": "active_days", "at_least": 1, "within": "last 7d"},
            {"any.active_days.last_7d": 0.0},
            "not active in the last 7 days; needs at least 1 day",
        ),
        (
            {"event": "any", "measure": "top_user_share", "at_most": 0.5},
            {"any.top_user_share.ever": 0.8},
            "the most active user did 80% of the events so far; needs at most 50%",
        ),
        ({"trait": "size", "in": ["a", "b"]}, {"trait.size": "c"}, "size is c; needs one of a, b"),
        ({"trait": "size", "in": ["a"]}, {"trait.size": None}, "size is unknown; needs a"),
        ({"trait": "seats", "at_most": 10}, {"trait.seats": "12"}, "seats is 12; needs at most 10"),
        (
            {"trait": "seats", "operator": "!=", "threshold": 1},
            {"trait.seats": 1},
            "seats is 1; needs any number but 1",
        ),
    ],
)
def test_the_value_is_shown_beside_the_threshold(criterion, row, words):
    table = pd.DataFrame({name: [value] for name, value in row.items()})
    assert condition_text(Criterion.model_validate(criterion), table) == words
