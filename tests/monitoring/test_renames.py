import pandas as pd
import pytest

from pql_model.monitoring.renames import Overlap, distance, find_renames, overlap, rename_findings
from pql_model.monitoring.volume import EventChange
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY

OLD = EventChange("Board Created", "stopped", 100, 0, 200.0, 20, True)
NEW = EventChange("board_created", "started", 100, 190.0, 0.0, 20, True)


@pytest.fixture(scope="module")
def con():
    with open_session("500MB") as con:
        yield con


def log_of(con, name, new_doers):
    """60 entities, of whom half did the old event before day 100; `new_doers` do the new one afterwards."""
    rows = [(f"a{i}", "login", day) for i in range(60) for day in (90, 105)]
    rows += [(f"a{i}", "Board Created", 95) for i in range(30)]
    rows += [(f"a{i}", "board_created", 106) for i in new_doers]
    frame = pd.DataFrame(rows, columns=["entity", "event", "day"])
    return con.create_table(name, frame.assign(time=frame["day"] * DAY))


def test_an_event_that_stops_as_another_starts_among_the_same_entities_is_renamed(con):
    [rename] = find_renames([OLD, NEW], log_of(con, "same", range(5, 30)), 0)
    [finding] = rename_findings([rename], 0)

    assert (finding.kind, finding.subject, finding.figure) == ("event_renamed", "Board Created", "board_created")
    assert finding.since == 100 * DAY


def test_others_that_do_a_new_event_do_not_make_it_a_new_name(con):
    assert find_renames([OLD, NEW], log_of(con, "others", range(30, 60)), 0) == []


def test_the_overlap_is_counted_among_those_active_before_and_after(con):
    assert overlap(log_of(con, "counted", range(20, 40)), "Board Created", "board_created", 100 * DAY) == Overlap(
        30, 10, 30, 10
    )


@pytest.mark.parametrize(
    "new",
    [
        EventChange("board_created", "started", 110, 190.0, 0.0, 10, True),
        EventChange("board_created", "started", 100, 30.0, 0.0, 20, True),
        EventChange("board_created", "started", 100, 900.0, 0.0, 20, True),
    ],
)
def test_another_time_or_rate_is_no_renaming(new):
    assert distance(OLD, new) == 1e6


def test_two_renamed_at_once_are_paired_by_their_names(con):
    others = [
        EventChange("Card Moved", "stopped", 100, 0, 195.0, 20, True),
        EventChange("card_moved", "started", 100, 200.0, 0.0, 20, True),
    ]
    renames = find_renames([OLD, NEW, *others], log_of(con, "two", range(30)), 0)

    assert {(r.old.name, r.new.name) for r in renames} == {
        ("Board Created", "board_created"),
        ("Card Moved", "card_moved"),
    }


def test_a_version_on_its_way_is_a_renaming_of_what_has_moved_so_far():
    fell = EventChange("Board Created", "fell", 100, 80.0, 200.0, 20, True)
    new = EventChange("board_created", "started", 100, 125.0, 0.0, 20, True)

    assert distance(fell, new) < 0.1
