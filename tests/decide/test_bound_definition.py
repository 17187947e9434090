import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import holds, meets
from pql_model.decide.bound_definition import BoundCriterion, BoundDefinition, Columns
from pql_model.decide.build import bind_criterion, bind_definition
from pql_model.serve.trait_encoding import text_of

INVITED = {"event": "Invite", "at_least": 2}
SEATS = {"trait": "seats", "operator": ">", "threshold": 3}
SIZE = {"trait": "size", "in": ["51-200", "7", "true"]}
TABLE = pd.DataFrame(
    {
        "Invite.count.ever": [3.0, 1.0, np.nan, 2.0],
        "trait.seats": ["4", "3", "x", None],
        "trait.size": [" 51-200", 7.0, True, None],
    }
)


def condition(raw, id=None):
    return bind_criterion(Criterion.model_validate(raw), id)


@pytest.mark.parametrize("raw", [INVITED, SEATS, SIZE])
def test_a_condition_holds_for_the_same_rows_as_its_criterion(raw):
    held = Columns.of_table(TABLE, [condition(raw)]).held(condition(raw))
    assert held.tolist() == holds(Criterion.model_validate(raw), TABLE).tolist()
    assert 0 < held.sum() < 4


@pytest.mark.parametrize(
    "join", [{"all": [INVITED, SEATS]}, {"any": [INVITED, SIZE]}, {"at_least_k": 2, "of": [INVITED, SEATS, SIZE]}]
)
def test_a_rulebook_is_met_by_the_same_rows_as_its_definition(join):
    definition = Definition.model_validate(join)
    book = bind_definition(definition)
    assert Columns.of_table(TABLE, book.conditions).meets(book).tolist() == meets(definition, TABLE).tolist()


@pytest.mark.parametrize("listed", [[True, 7], ["True", "7.0"], ["true", "7"]])
def test_a_truth_and_a_whole_number_are_listed_however_table_caller_and_config_write_them(listed):
    written = [True, "TRUE", "True", "true", 7, 7.0, "7", "7.0", "7.00", "007", "truth", False, 7.5]
    raw = {"trait": "size", "in": listed}
    table = pd.DataFrame({"trait.size": pd.Series(written, dtype=object)})
    asked = Columns(len(written), texts={"trait.size": np.array([text_of(one) for one in written], object)})

    assert holds(Criterion.model_validate(raw), table).tolist() == [True] * 9 + [False] * 4
    assert Columns.of_table(table, [condition(raw)]).held(condition(raw)).tolist() == [True] * 9 + [False] * 4
    assert asked.held(condition(raw)).tolist() == [True] * 9 + [False] * 4


def test_a_column_that_is_not_there_cannot_be_told():
    columns = Columns.of_table(TABLE.drop(columns="trait.size"), [condition(INVITED), condition(SIZE)])
    assert columns.held(condition(SIZE)) is None
    assert columns.meets(bind_definition(Definition.model_validate({"any": [INVITED, SIZE]}))) is None
    assert columns.any_of([condition(SIZE), condition(INVITED)]).tolist() == [True, False, False, True]


def test_one_row_made_of_arrays_is_the_same_as_a_table_of_one():
    columns = Columns(1, {"Invite.count.ever": np.array([3.0])}, {"trait.size": np.array(["51-200"], object)})
    assert columns.held(condition(INVITED)).tolist() == [True]
    assert columns.held(condition(SIZE)).tolist() == [True]


def test_some_rows_are_these_rows():
    columns = Columns.of_table(TABLE, [condition(INVITED), condition(SIZE)])[np.array([3, 0])]
    assert (columns.rows, columns.held(condition(INVITED)).tolist()) == (2, [True, True])
    assert columns.texts["trait.size"].tolist() == [None, "51-200"]


@pytest.mark.parametrize("raw", [INVITED, SEATS, SIZE])
def test_a_condition_reads_back_from_its_json(raw):
    payload = condition(raw, "c1")
    assert BoundCriterion.from_dict(payload.to_dict()) == payload
    assert payload.to_dict()["id"] == "c1"
    assert "id" not in condition(raw).to_dict()


def test_a_rulebook_reads_back_from_its_json():
    book = bind_definition(Definition.model_validate({"at_least_k": 2, "of": [INVITED, SEATS, SIZE]}), "d1")
    assert BoundDefinition.from_dict(book.to_dict()) == book
    assert (book.least, book.id) == (2, "d1")
