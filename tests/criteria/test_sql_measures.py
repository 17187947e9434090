"""What each condition saw, entity by entity: the statement's numbers are our engine's, on two databases."""

from __future__ import annotations

import math

import pytest
from raw_worlds import AS_OF, COLUMNS
from warehouse import asked

from pql_model.config.definition import Definition
from pql_model.criteria.sql import definition_sql
from pql_model.criteria.sql_measures import holds, sum_digits
from pql_model.criteria.sql_raw import col
from pql_model.features.spec import declared_feature
from pql_model.measures import MEASURES

EVERYBODY = {"event": "any", "operator": ">=", "threshold": 0}


def compared(crowd, con, dialect, measure):
    """What differs between the statement and our engine, and the features whose numbers are not all alike."""
    definition = Definition.model_validate({"any": [EVERYBODY, *crowd.conditions[measure]]})
    rows = asked(con, definition_sql(crowd.config, definition, dialect, AS_OF, COLUMNS))
    ours = crowd.table.sort_values("entity").to_dict("records")
    assert [row["entity"] for row in rows] == [row["entity"] for row in ours]
    features = [feature.name for feature in map(declared_feature, definition.criteria)]
    columns = list(rows[0])[2:]
    tolerance = 1e-12 if measure == "sum" else 0.0
    wrong = [
        (feature, our["entity"], our[feature], their[column])
        for feature, column in zip(dict.fromkeys(features), columns, strict=True)
        for our, their in zip(ours, rows, strict=True)
        if not same(our[feature], their[column], tolerance, 1e-4 if ".of+" in feature else 0.0)
    ]
    return wrong, [feature for feature in features[1:] if crowd.table[feature].nunique() > 1]


def same(ours, theirs, tolerance, rounded):
    """`rounded`: to the decimals that matter near the threshold of 1e7, which a share is far from."""
    if theirs is None:
        return math.isnan(ours)
    return math.isclose(ours, float(theirs), rel_tol=tolerance, abs_tol=rounded)


@pytest.mark.parametrize("measure", MEASURES)
def test_duckdb_gives_the_measures_of_the_batch(crowd, measure):
    wrong, varied = compared(crowd, crowd.warehouse, "duckdb", measure)

    assert wrong == []
    assert varied, "the numbers are all alike, so this compared nothing"


@pytest.mark.parametrize("measure", MEASURES)
def test_postgres_gives_the_measures_of_the_batch(crowd, crowd_in_postgres, measure):
    assert compared(crowd, crowd_in_postgres, "postgres", measure)[0] == []


@pytest.mark.parametrize(
    ("thresholds", "digits"), [([2000], 8), ([0.3], 12), ([5e9], 2), ([0.3, 2000], 12), ([0], None)]
)
def test_a_sum_is_rounded_as_finely_as_our_engine_does_near_the_threshold(thresholds, digits):
    assert sum_digits(thresholds) == digits


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ({"event": "x", "at_least": 2}, "seen >= 2"),
        ({"event": "x", "operator": "==", "threshold": 0.5}, "seen = 0.5"),
        ({"event": "x", "operator": "!=", "threshold": -3}, "seen <> -3"),
        ({"trait": "size", "in": ["51-200", 7]}, "seen IN ('51-200', '7', '7.0')"),
    ],
)
def test_a_condition_is_written_in_plain_sql(condition, written):
    criterion = Definition.model_validate({"all": [condition]}).criteria[0]
    assert holds(criterion, col("seen")).sql() == written
