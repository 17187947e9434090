"""Feedback of sales: which rows count, what each means, and why a row is set aside."""

from __future__ import annotations

import pytest
from worlds import product, rows_of

from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.feedback import read_feedback
from pql_model.sources.read import read_sources
from pql_model.time import parse_instant

ACCOUNTS = [{"account": name, "signed_up": "2026-01-01"} for name in ("a", "b", "c")]
EVENTS = [{"account": "a", "event": "login", "time": "2026-01-02T10:00:00"}]
PAID = [{"account": "c", "time": "2026-01-02"}]
SPEC = {
    "table": "dispositions.csv",
    "columns": {"entity": "account", "time": "at", "disposition": "status", "reason": "why", "owner": "rep"},
    "means": {"contacted": ["contacted", "demo"], "accepted": ["ok"], "rejected": ["junk"], "won": ["won"]},
}
HEADER = "account,at,status,why,rep\n"


def read(home, text, spec=SPEC, accounts=ACCOUNTS, **config):
    (home / "dispositions.csv").write_text(HEADER + text)
    config = product(home, accounts, EVENTS, PAID, feedback=spec, **config)
    with open_session("1GB") as con:
        feedback = read_feedback(con, config, read_sources(con, config))
        return feedback, sorted(
            (r["entity"], r["time"], r["meaning"], r["reason"], r["owner"]) for r in rows_of(feedback.table)
        )


def test_each_disposition_has_the_meaning_of_the_config(tmp_path):
    text = "a,2026-01-05T09:00,demo,,ann\na,2026-01-06T09:00,won,,ann\nb,2026-01-05T09:00,junk,student,\n"

    feedback, rows = read(tmp_path, text)

    assert rows == [
        ("a", parse_instant("2026-01-05T09:00"), "contacted", None, "ann"),
        ("a", parse_instant("2026-01-06T09:00"), "won", None, "ann"),
        ("b", parse_instant("2026-01-05T09:00"), "rejected", "student", None),
    ]
    assert feedback.set_aside == {}


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path):
    text = (
        ",2026-01-05T09:00,won,,\na,soon,won,,\nz,2026-01-05T09:00,won,,\na,2199-01-01,won,,\n"
        "a,2026-01-05T09:00,,,\na,2026-01-05T09:00,nurture,,\na,2026-01-05T09:00,won,,\na,2026-01-05T09:00,won,,\n"
    )

    feedback, rows = read(tmp_path, text)

    assert feedback.set_aside == {
        "in_the_future": 1,
        "no_entity": 1,
        "unknown_entity": 1,
        "unparsable_time": 1,
        "no_disposition": 1,
        "unknown_disposition": 1,
        "repeated": 1,
    }
    assert [row[2] for row in rows] == ["won"]


def test_unknown_dispositions_and_words_that_do_not_occur_are_named(tmp_path):
    text = "a,2026-01-05T09:00,won,,\na,2026-01-05T10:00,Junk,,\nb,2026-01-05T10:00,nurture,,\nc,2026-01-06T10:00,nurture,,\n"

    feedback, _ = read(tmp_path, text)

    assert feedback.warnings == (
        "`feedback.means` does not list these dispositions of dispositions.csv, and their rows are set aside: "
        "nurture (2), Junk (1).",
        "`feedback.means` lists dispositions that do not occur in dispositions.csv: contacted, demo, ok, junk.",
    )


def test_accepted_and_rejected_at_the_same_instant_contradict_each_other(tmp_path):
    at = "2026-01-05T09:00"
    text = f"a,{at},ok,,\na,{at},junk,student,\na,{at},demo,,\nb,{at},ok,,\nb,2026-01-05T09:01,junk,student,\n"

    feedback, rows = read(tmp_path, text)

    assert [(row[0], row[2]) for row in rows] == [("a", "contacted"), ("b", "accepted"), ("b", "rejected")]
    assert feedback.set_aside == {"contradictory": 2}


def test_dispositions_without_a_known_word_stop_the_run(tmp_path):
    with pytest.raises(
        DataError,
        match=r"`feedback.means` lists only dispositions that do not occur in dispositions.csv, did you mean `Won`\? "
        r"Received: .*Allowed: Won \(1\)",
    ):
        read(tmp_path, "a,2026-01-05,Won,,\n")


def test_where_selects_and_numbers_are_dispositions_too(tmp_path):
    spec = {**SPEC, "where": {"rep": ["ann"]}, "means": {"won": [7]}}

    feedback, rows = read(tmp_path, "a,2026-01-05T09:00,7,1.5,ann\nb,2026-01-05T09:00,7,,bob\n", spec)

    assert [(row[0], row[2], row[3]) for row in rows] == [("a", "won", "1.5")]
    assert feedback.set_aside == {"not_selected": 1}


def test_dates_beside_events_with_a_time_of_day_are_named(tmp_path):
    feedback, _ = read(tmp_path, "a,2026-01-05,won,,\na,2026-01-06,ok,,\na,2026-01-06,junk,,\n")

    assert feedback.warnings[-1] == (
        "dispositions.csv has dates without a time of day: its feedback counts as of midnight, before the scores of the "
        "same day. Export the times, or set `resolution: day`."
    )
    assert feedback.set_aside == {"contradictory": 2}


def test_a_product_without_feedback_has_none(tmp_path):
    config = product(tmp_path, ACCOUNTS, EVENTS, PAID)
    with open_session("1GB") as con:
        assert read_feedback(con, config, read_sources(con, config)) is None
