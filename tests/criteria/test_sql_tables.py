"""Who is at risk, step by step."""

import pytest
from configs_of_sql import config_of

from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.criteria.sql_raw import Raw
from pql_model.criteria.sql_tables import Trait, at_risk, conversions, entities, moment
from pql_model.time import parse_instant

DUCKDB = DIALECTS["duckdb"]


def raw(columns=None):
    return Raw(DUCKDB, "a.csv", "a", columns=columns)


def ranked(config, table, **traits):
    return dict(entities(config, table, traits))["entities_ranked"].sql("duckdb")


def test_the_moment_is_given_or_now():
    assert (
        moment(DUCKDB, parse_instant("2026-01-08"))[1].sql("duckdb")
        == "SELECT CAST('2026-01-08' AS TIMESTAMP) AS as_of"
    )
    assert moment(DUCKDB, None)[1].sql("duckdb") == "SELECT CURRENT_TIMESTAMP AT TIME ZONE 'UTC' AS as_of"


def test_the_ages_of_a_trial_are_those_that_are_scored():
    sql = at_risk(config_of("trial", snapshots={"at_days": [3, 7]}), DUCKDB, [])[1].sql("duckdb")

    assert "n.signed_up <= (m.as_of - INTERVAL '3' DAY)" in sql
    assert "n.signed_up >= (m.as_of - INTERVAL '8' DAY)" in sql


def test_from_day_0_somebody_is_at_risk_at_once():
    sql = at_risk(config_of("trial", snapshots={"at_days": [0, 7]}), DUCKDB, [])[1].sql("duckdb")

    assert "n.signed_up <= m.as_of AND" in sql


def test_in_freemium_a_sign_up_may_be_unknown_or_not_mapped():
    assert "(n.signed_up IS NULL OR n.signed_up < m.as_of)" in at_risk(config_of("freemium"), DUCKDB, [])[1].sql(
        "duckdb"
    )
    assert "signed_up" not in at_risk(config_of("freemium", signed_up=None), DUCKDB, [])[1].sql("duckdb")
    assert "signed_up" not in ranked(config_of("freemium", signed_up=None), raw())


def test_conversions_after_the_end_of_the_data_are_ignored():
    until = parse_instant("2026-01-05")

    assert "c.converted_at <= CAST('2026-01-05' AS TIMESTAMP)" in conversions(config_of("trial"), raw(), until)[1][
        1
    ].sql("duckdb")
    assert "<=" not in conversions(config_of("trial"), raw(), None)[1][1].sql("duckdb")


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        (None, "signed_up, tie_1)"),  # only what is read is known
        (["e", "s", "plan", "size", "region"], "signed_up, tie_1, tie_2)"),  # up to the trait that is read
    ],
)
def test_the_first_of_several_rows_by_its_traits_counts_as_in_the_batch(columns, order):
    result = ranked(config_of("trial"), raw(columns), trait_size=Trait("size", as_text=True))

    assert f"ORDER BY excluded DESC, {order}" in result.replace(" NULLS LAST", "")
