"""The keys `feedback` and `stages`."""

from __future__ import annotations

import pytest
from configs import SMALL, fault, faults
from test_json_schema import SCHEMA, complaints, plain

from pql_model.config.load import dump_config, parse_config

COLUMNS = "columns: {entity: account, time: at, disposition: status, reason: why, owner: rep}"
MEANS = "means: {contacted: [contacted, demo], accepted: [accepted], rejected: [not_a_fit, junk], won: [won]}"
FEEDBACK = f"feedback: {{table: dispositions.csv, {COLUMNS}, {MEANS}}}\n"
STAGES = "stages: {table: stages.csv, columns: {entity: account, time: at, stage: stage}}\n"


@pytest.mark.parametrize("text", [FEEDBACK, STAGES, FEEDBACK + STAGES])
def test_the_tables_are_read_and_match_the_schema(text):
    assert complaints(plain(SMALL + text), SCHEMA) == []
    assert parse_config(dump_config(parse_config(SMALL + text))) == parse_config(SMALL + text)


def test_a_product_has_neither_by_default():
    assert (parse_config(SMALL).feedback, parse_config(SMALL).stages) == (None, None)


def test_reason_owner_and_meanings_may_be_left_out():
    text = "feedback: {table: d.csv, columns: {entity: a, time: t, disposition: s}, means: {won: [yes, 7]}}\n"
    feedback = parse_config(SMALL + text).feedback

    assert (feedback.columns.reason, feedback.columns.owner) == (None, None)
    assert feedback.means.words == {"contacted": [], "accepted": [], "rejected": [], "won": ["true", "7"]}


def test_a_table_of_feedback_states_its_marks_encoding_and_rows():
    more = "where: {kind: [lead]}, encoding: cp1252, decimal: ',', "
    feedback = parse_config(SMALL + FEEDBACK.replace("means:", more + "means:")).feedback

    assert (feedback.where["kind"].in_, feedback.encoding, feedback.decimal) == (["lead"], "cp1252", ",")


def test_a_disposition_with_two_meanings_is_refused():
    assert fault(SMALL + FEEDBACK.replace("[won]", "[won, junk]")) == (
        "each disposition has one meaning. Listed more than once: junk"
    )


@pytest.mark.parametrize("means", ["{}", "{won: []}"])
def test_at_least_one_meaning_has_dispositions(means):
    assert fault(SMALL + FEEDBACK.replace(MEANS, f"means: {means}")) == (
        "needs the dispositions of at least one meaning, such as `rejected: [junk]`. "
        "Allowed: contacted, accepted, rejected, won"
    )


def test_an_unknown_meaning_is_refused_with_the_nearest_one():
    assert fault(SMALL + FEEDBACK.replace("rejected:", "rejectd:")) == (
        "unknown key `rejectd`, did you mean `rejected`? Allowed: contacted, accepted, rejected, won"
    )


def test_every_error_of_both_tables_is_reported_at_once():
    text = FEEDBACK.replace("disposition: status, ", "") + STAGES.replace("stage: stage", "state: stage")

    assert sorted(faults(SMALL + text)) == [
        ("feedback.columns.disposition", 6),
        ("stages.columns.stage", 7),
        ("stages.columns.state", 7),
    ]
