import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import (
    BoundCriterion,
    BoundDefinition,
    Columns,
    check_names,
    definition_features,
    holds,
    lacking,
    meets,
    met_by,
)
from pql_model.errors import DataError
from pql_model.features.spec import Feature
from pql_model.serve.trait_encoding import text_of
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
def test_every_operator_and_a_missing_value_never_passes(operator, expected):
    condition = {"event": "Teammate Invited", "window": "first 7d", "operator": operator, "threshold": 2}
    assert meets(definition(all=[condition]), TABLE).tolist() == [*map(bool, expected), False]


def test_a_threshold_of_zero_is_a_threshold():
    condition = {"event": "Teammate Invited", "within": "first 7d", "at_most": 0}
    assert meets(definition(all=[condition]), TABLE).tolist() == [False] * 4


def test_each_feature_of_a_definition_is_listed_once_and_traits_are_not():
    features = definition_features(definition(all=[INVITED, {**INVITED, "at_least": 5}, SMALL]))
    assert features == [Feature("Teammate Invited", "count", Window.parse("first 7d"))]
    assert definition_features(None) == []


def test_an_unknown_event_or_trait_is_rejected_with_the_nearest_name():
    with pytest.raises(DataError, match=r"names event `Teammate Invited`, .*, did you mean `Teammates Invited`?"):
        check_names(definition(all=[INVITED]), ["Teammates Invited", "Upload"], [])
    with pytest.raises(DataError, match=r"names trait `company size`, .*, did you mean `company_size`?"):
        check_names(definition(all=[SMALL]), [], ["company_size"])
    with pytest.raises(DataError, match=r"names trait `seats`, which the data do not have. Received"):
        check_names(definition(all=[SEATS]), ["seats"], ["region"])


def test_known_names_pass_and_any_always_does():
    anything = {"event": "any", "measure": "active_days", "at_least": 3}
    check_names(definition(all=[INVITED, SMALL, anything]), ["Teammate Invited"], ["company size"])
    check_names(None, [], [])


INVITE = {"event": "Invite", "at_least": 2}
MANY_SEATS = {"trait": "seats", "operator": ">", "threshold": 3}
SIZE_LISTED = {"trait": "size", "in": ["51-200", "7", "true"]}
MIXED = pd.DataFrame(
    {
        "Invite.count.ever": [3.0, 1.0, np.nan, 2.0],
        "trait.seats": ["4", "3", "x", None],
        "trait.size": [" 51-200", 7.0, True, None],
    }
)


def condition(raw, id=None):
    return BoundCriterion(Criterion.model_validate(raw), id)


@pytest.mark.parametrize("raw", [INVITE, MANY_SEATS, SIZE_LISTED])
def test_columns_and_tables_hold_a_criterion_in_the_same_rows(raw):
    held = Columns.of_table(MIXED, [condition(raw)]).holds(condition(raw))
    assert held.tolist() == holds(Criterion.model_validate(raw), MIXED).tolist()
    assert 0 < held.sum() < 4


@pytest.mark.parametrize(
    "join",
    [
        {"all": [INVITE, MANY_SEATS]},
        {"any": [INVITE, SIZE_LISTED]},
        {"at_least_k": 2, "of": [INVITE, MANY_SEATS, SIZE_LISTED]},
    ],
)
def test_columns_and_tables_meet_a_definition_in_the_same_rows(join):
    definition = Definition.model_validate(join)
    bound = BoundDefinition(definition)
    assert Columns.of_table(MIXED, bound.conditions).meets(bound).tolist() == meets(definition, MIXED).tolist()


@pytest.mark.parametrize("listed", [[True, 7], ["True", "7.0"], ["true", "7"]])
def test_booleans_and_whole_numbers_match_however_they_are_written(listed):
    written = [True, "TRUE", "True", "true", 7, 7.0, "7", "7.0", "7.00", "007", "truth", False, 7.5]
    raw = {"trait": "size", "in": listed}
    table = pd.DataFrame({"trait.size": pd.Series(written, dtype=object)})
    columns = Columns(len(written), texts={"trait.size": np.array([text_of(one) for one in written], object)})

    assert holds(Criterion.model_validate(raw), table).tolist() == [True] * 9 + [False] * 4
    assert Columns.of_table(table, [condition(raw)]).holds(condition(raw)).tolist() == [True] * 9 + [False] * 4
    assert columns.holds(condition(raw)).tolist() == [True] * 9 + [False] * 4


def test_a_criterion_on_an_absent_column_is_undecided():
    columns = Columns.of_table(MIXED.drop(columns="trait.size"), [condition(INVITE), condition(SIZE_LISTED)])
    assert columns.holds(condition(SIZE_LISTED)) is None
    assert columns.meets(BoundDefinition(Definition.model_validate({"any": [INVITE, SIZE_LISTED]}))) is None
    assert columns.holds_any([condition(SIZE_LISTED), condition(INVITE)]).tolist() == [True, False, False, True]


def test_arrays_of_length_one_are_evaluated_as_a_table_of_one_row():
    columns = Columns(1, {"Invite.count.ever": np.array([3.0])}, {"trait.size": np.array(["51-200"], object)})
    assert columns.holds(condition(INVITE)).tolist() == [True]
    assert columns.holds(condition(SIZE_LISTED)).tolist() == [True]


def test_columns_are_sliced_by_row():
    columns = Columns.of_table(MIXED, [condition(INVITE), condition(SIZE_LISTED)])[np.array([3, 0])]
    assert (columns.rows, columns.holds(condition(INVITE)).tolist()) == (2, [True, True])
    assert columns.texts["trait.size"].tolist() == [None, "51-200"]


@pytest.mark.parametrize("raw", [INVITE, MANY_SEATS, SIZE_LISTED])
def test_a_criterion_reads_back_from_its_dict(raw):
    payload = condition(raw, "c1")
    assert BoundCriterion.from_dict(payload.to_dict()) == payload
    assert payload.to_dict()["id"] == "c1"
    assert "id" not in condition(raw).to_dict()


def test_a_definition_reads_back_from_its_dict():
    bound = BoundDefinition(Definition.model_validate({"at_least_k": 2, "of": [INVITE, MANY_SEATS, SIZE_LISTED]}), "d1")
    assert BoundDefinition.from_dict(bound.to_dict()) == bound
    assert (bound.definition.least, bound.id) == (2, "d1")


ABC = [{"trait": name, "at_least": 1} for name in "abc"]
JOINS = {
    "all": {"all": ABC},
    "any": {"any": ABC},
    "two": {"at_least_k": 2, "of": ABC},
    "one beside any": {"all": [ABC[0], {"any": ABC[1:]}]},
    "one beside all": {"any": [ABC[0], {"all": ABC[1:]}]},
}


@pytest.mark.parametrize("join", JOINS)
def test_what_a_row_lacks_is_the_smallest_number_of_further_criteria_that_make_it_meet_the_definition(join):
    definition = Definition.model_validate(JOINS[join])
    masks = np.array(list(np.ndindex(2, 2, 2)), bool)
    needs = lacking(definition, masks.T)
    met = met_by(definition, masks)
    by_hand = [
        min((row | more).sum() - row.sum() for more in masks if met[masks.tolist().index((row | more).tolist())])
        for row in masks
    ]
    assert needs.tolist() == by_hand
    assert ((needs == 0) == met).all()
    for k in range(3):
        assert (
            met_by(definition, masks, {k: True}).tolist()
            == met_by(definition, np.insert(np.delete(masks, k, 1), k, True, 1)).tolist()
        )
