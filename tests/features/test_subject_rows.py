"""The rows of a log that count for a subject, chosen in Ibis."""

from __future__ import annotations

import ibis
import pytest

from pql_model.features.spec import Subject
from pql_model.features.subject_rows import subject_keys, subject_rows
from pql_model.time import DAY, Duration

CODES = {"report": 1, "shared": 2, "mailed": 3}
LOG = [
    {"entity": entity, "event": CODES[event], "time": time}
    for entity, event, time in (
        ("a", "report", 0),
        ("a", "shared", 0),
        ("a", "shared", 1),
        ("a", "shared", DAY),
        ("a", "shared", DAY + 1),
        ("b", "shared", 5),
        ("b", "mailed", DAY),
        ("b", "report", DAY - 1),
    )
]


def rows(*subjects):
    found = subject_rows(ibis.memtable(LOG), subjects, "entity", CODES).to_pandas()
    return sorted(zip(found["event"], found["entity"], found["time"], strict=True))


def test_plain_subjects_keep_their_numbers_and_any_keeps_all():
    assert rows(Subject(("report",)), Subject(("mailed",))) == [
        (1, "a", 0),
        (1, "b", DAY - 1),
        (3, "b", DAY),
    ]
    assert len(rows(Subject(("any",)))) == len(LOG)
    assert subject_keys([Subject(("report",)), Subject(("mailed",))], CODES) == [1, 3]


def test_an_event_that_the_log_does_not_have_has_no_rows():
    assert rows(Subject(("never",))) == []
    assert rows(Subject(("never", "else"))) == []
    assert rows(Subject(("shared",), "never", Duration(DAY))) == []


def test_a_row_may_count_for_several_subjects():
    both = (Subject(("report", "mailed")), Subject(("mailed", "shared")))
    assert subject_keys(both, CODES) == [0, 1]
    assert [name for name, *_ in rows(*both)].count(0) == 3
    assert [name for name, *_ in rows(*both)].count(1) == 6


@pytest.mark.parametrize(("gap", "times"), [(1, [1]), (DAY, [1, DAY]), (DAY + 1, [1, DAY, DAY + 1])])
def test_only_rows_that_follow_of_the_same_entity_within_the_gap_and_not_at_the_same_instant(gap, times):
    order = Subject(("shared",), "report", Duration(gap))
    assert rows(order) == [(0, "a", time) for time in times]


def test_a_group_may_follow():
    order = Subject(("shared", "mailed"), "report", Duration(1))
    assert rows(order) == [(0, "a", 1), (0, "b", DAY)]
