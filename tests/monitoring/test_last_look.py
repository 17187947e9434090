"""What has changed since the last look."""

from __future__ import annotations

import pytest
from said import START

from pql_model.errors import DataError
from pql_model.monitoring.advice import advise
from pql_model.monitoring.finding import Finding
from pql_model.monitoring.last_look import Changes, Look, look_before, look_path, read_looks, write_look
from pql_model.time import WEEK

STOPPED = Finding("event_stopped", "login", START, 0, 9, "`login` stopped.", "act")
DRIFT = Finding("score_drift", "score", START, 0.3, 0.1, "Scores are lower.", "watch")


def look(week: int, *findings: Finding) -> Look:
    return Look.of(START + week * WEEK, advise(findings), findings)


def test_new_findings_and_gone_ones_are_told_apart(tmp_path):
    path = look_path(tmp_path, "boards")
    write_look(path, look(0, DRIFT))
    changes = Changes.between(look_before(read_looks(path), START + WEEK), look(1, STOPPED))

    assert (changes.new, changes.gone, changes.advice) == (("`login` stopped.",), ("Scores are lower.",), "watch")
    assert changes.to_dict()["since"] == "2026-01-01"


def test_a_look_that_is_repeated_has_the_same_changes_again(tmp_path):
    path = look_path(tmp_path, "boards")
    for week, finding in ((0, DRIFT), (1, STOPPED), (1, STOPPED)):
        write_look(path, look(week, finding))
    again = Changes.between(look_before(read_looks(path), START + WEEK), look(1, STOPPED))

    assert again.new == ("`login` stopped.",)
    assert [one.as_of for one in read_looks(path)] == [START, START + WEEK]


def test_a_look_at_the_past_is_not_the_last(tmp_path):
    path = look_path(tmp_path, "boards")
    write_look(path, look(5, STOPPED))
    write_look(path, look(2))
    assert [one.as_of for one in read_looks(path)] == [START + 5 * WEEK]
    assert look_before(read_looks(path), START + 2 * WEEK) is None


def test_a_first_look_has_no_changes(tmp_path):
    assert read_looks(look_path(tmp_path, "boards")) == []
    assert Changes.between(None, look(0, DRIFT)) == Changes(None, None, (), ())


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    path = look_path(tmp_path, "boards")
    path.parent.mkdir()
    path.write_text('{"as_of": 3}', encoding="utf-8")
    with pytest.raises(DataError, match="last looks of the monitor cannot be read"):
        read_looks(path)


def test_a_look_at_the_future_that_was_remembered_is_forgotten(tmp_path):
    path = look_path(tmp_path, "boards")
    write_look(path, look(1, DRIFT))
    write_look(path, look(260, STOPPED))
    now = START + 3 * WEEK
    write_look(path, look(2, STOPPED), now)

    assert [one.as_of for one in read_looks(path)] == [START + WEEK, START + 2 * WEEK]
    write_look(path, look(260))
    assert look_before(read_looks(path, now), now).as_of == START + 2 * WEEK
