import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Definition
from pql_model.criteria.evaluate import check_names, definition_features, meets
from pql_model.errors import DataError
from pql_model.features.spec import Feature
from pql_model.time import Window

INVITED = {"event": "Teammate Invited", "at_least": 2, "within": "first 7d"}
SMALL = {"trait": "company size", "in": ["1-10", "11-50"]}
SEATS = {"trait": "seats", "operator": ">", "threshold": 3}
TABLE = pd.DataFrame(
    {
        "Teammate+Invited.count.first_7d": [1.0, 2.0, 3.0, np.nan],
        "trait.company+size": ["1-10", "51-200", "11-50", None],
        "trait.seats": [3, 4, 5, None],
    }
)


def definition(**raw):
    return Definition.model_validate(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"all": [INVITED]}, [False, True, True, False]),
        ({"all": [SMALL]}, [True, False, True, False]),
        ({"all": [SEATS]}, [False, True, True, False]),
        ({"all": [INVITED, SMALL]}, [False, False, True, False]),
        ({"any": [INVITED, SMALL]}, [True, True, True, False]),
        ({"at_least_k": 2, "of": [INVITED, SMALL, SEATS]}, [False, True, True, False]),
    ],
)
def test_a_definition_is_met_row_by_row(raw, expected):
    assert meets(definition(**raw), TABLE).tolist() == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [(">=", [0, 1, 1]), (">", [0, 0, 1]), ("<=", [1, 1, 0]), ("<", [1, 0, 0]), ("==", [0, 1, 0]), ("!=", [1, 0, 1])],
)
def test_every_operator_and_a_missing_value_meets_none(operator, expected):
    condition = {"event": "Teammate Invited", "window": "first 7d", "operator": operator, "threshold": 2}
    assert meets(definition(all=[condition]), TABLE).tolist() == [*map(bool, expected), False]


def test_a_threshold_of_zero_is_a_threshold():
    condition = {"event": "Teammate Invited", "within": "first 7d", "at_most": 0}
    assert meets(definition(all=[condition]), TABLE).tolist() == [False] * 4


def test_the_features_of_a_definition_are_named_once_and_traits_are_none():
    found = definition_features(definition(all=[INVITED, {**INVITED, "at_least": 5}, SMALL]))
    assert found == [Feature("Teammate Invited", "count", Window.parse("first 7d"))]
    assert definition_features(None) == []


def test_an_event_or_trait_that_the_data_do_not_have_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"names event `Teammate Invited`, .*, did you mean `Teammates Invited`?"):
        check_names(definition(all=[INVITED]), ["Teammates Invited", "Upload"], [])
    with pytest.raises(DataError, match=r"names trait `company size`, .*, did you mean `company_size`?"):
        check_names(definition(all=[SMALL]), [], ["company_size"])
    with pytest.raises(DataError, match=r"names trait `seats`, which the data do not have. Received"):
        check_names(definition(all=[SEATS]), ["seats"], ["region"])


def test_names_that_exist_pass_and_any_always_does():
    anything = {"event": "any", "measure": "active_days", "at_least": 3}
    check_names(definition(all=[INVITED, SMALL, anything]), ["Teammate Invited"], ["company size"])
    check_names(None, [], [])
