"""The comment on top of a statement."""

import pytest
from configs_of_sql import config_of

from pql_model.config.definition import Definition
from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.criteria.sql_header import header
from pql_model.criteria.sql_raw import Raw
from pql_model.time import parse_instant

RULE = Definition.model_validate({"all": [{"event": "Invited", "at_least": 2, "within": "first 7d"}]})
AS_OF = parse_instant("2026-01-08T12:00:00Z")


def comment(config, dialect="duckdb", definition=RULE, as_of=AS_OF, known=True, raws=()):
    return header(config, definition, DIALECTS[dialect], as_of, {raw.table: raw for raw in raws}, known)


def test_the_header_states_the_definition_the_accounts_and_the_instant():
    text = comment(config_of("trial", snapshots={"at_days": [3, 7]}))

    assert text.splitlines()[:3] == [
        "-- The accounts of small that meet, as of 2026-01-08T12:00:00Z:",
        "--   at least 2 `Invited` in the first 7 days",
        "-- among accounts at risk: signed up 3 to 8 days before (the ages that are scored), not converted, not excluded.",
    ]


def test_without_as_of_it_refers_to_the_moment_the_statement_runs():
    assert "that meet, at the moment the statement runs:" in comment(config_of("trial"), as_of=None)


@pytest.mark.parametrize(
    ("signed_up", "within", "words"),
    [("s", "28d", "signed up before, active in the last 28 days,"), (None, None, "listed, not converted")],
)
def test_freemium_states_the_activity_required(signed_up, within, words):
    snapshots = {"every": "7d"} | ({"active_within": within} if within else {})
    assert words in comment(config_of("freemium", signed_up=signed_up, snapshots=snapshots))


def test_the_header_lists_the_columns_read_and_their_types():
    raw = Raw(DIALECTS["duckdb"], "data/e.csv", "e")
    raw.text("who")
    raw.instant("at")
    raw.text("props.size")
    unread = Raw(DIALECTS["duckdb"], "x.csv", "x")

    text = comment(config_of("trial"), raws=[raw, unread])
    assert "--   e (data/e.csv): who (text or whole numbers); at (TIMESTAMP); props (JSON)" in text
    assert "x.csv" not in text


@pytest.mark.parametrize(
    ("dialect", "config", "known", "sentence"),
    [
        ("postgres", {}, True, "Run it in a UTC session: SET TIME ZONE 'UTC'"),
        ("postgres", {}, True, "A text that is not a valid time or number makes it fail"),
        ("duckdb", {"resolution": "day"}, True, "Times are truncated to their date"),
        ("duckdb", {}, False, "The columns of the tables were not known: a column such as is_bot is not read"),
        ("duckdb", {"observed_until": "2026-06-30"}, True, "`observed_until` has no effect here"),
    ],
)
def test_the_header_states_the_assumptions_of_the_statement(dialect, config, known, sentence):
    assert sentence in comment(config_of("trial", **config), dialect, known=known)


def test_the_header_omits_assumptions_that_do_not_apply():
    text = comment(config_of("trial", observed_until="2026-01-01"), "bigquery")
    for word in ("UTC session:", "makes it fail", "truncated to", "not known", "observed_until"):
        assert word not in text


def test_no_name_breaks_out_of_the_comment():
    definition = Definition.model_validate({"all": [{"event": "x\nDROP TABLE y; --\r\u2028z", "at_least": 1}]})

    assert all(line.startswith("--") for line in comment(config_of("trial"), definition=definition).splitlines())
