import json
import sqlite3

import pytest

from pql_model.activate.lead import Lead
from pql_model.activate.outbox import DEAD, SENT, WITHDRAWN, Run, open_outbox, outbox_path, read_deliveries
from pql_model.decide.state import EntityState, RunState
from pql_model.errors import DataError
from pql_model.time import DAY


def run(as_of, *targets, cool_down=14):
    return Run(as_of * DAY, "scores.parquet", "2024-10-04T05:30:00Z", "1", cool_down * DAY, targets)


def state(as_of, *alerted):
    return RunState(as_of * DAY, {e: EntityState(True, as_of * DAY, as_of * DAY) for e in alerted})


def rows(*entities):
    return [(e, 0.9 - place / 10, json.dumps({"entity": e})) for place, e in enumerate(entities)]


def scored(outbox, as_of, *entities, targets=("crm",), alerted=None):
    outbox.stage(run(as_of, *targets), rows(*entities))
    outbox.settle([state(as_of, *(entities if alerted is None else alerted))])


@pytest.fixture
def outbox(tmp_path):
    with open_outbox(tmp_path, "boards") as opened:
        yield opened


def test_leads_wait_for_each_target_by_probability(outbox):
    scored(outbox, 1, "a", "b", targets=("crm", "slack"))
    outbox.mark("slack", [("a", DAY)], SENT, None, 0)
    assert outbox.open_keys("crm") == [("a", DAY), ("b", DAY)]
    assert outbox.open_keys("slack") == [("b", DAY)]
    assert list(outbox.leads([("b", DAY), ("a", DAY)])) == [
        Lead("b", DAY, {"entity": "b"}),
        Lead("a", DAY, {"entity": "a"}),
    ]


def test_a_run_killed_before_it_was_remembered_leaves_no_lead(outbox):
    scored(outbox, 1, "a")
    outbox.stage(run(2, "crm"), rows("b"))
    outbox.settle([state(1, "a")])
    assert outbox.open_keys("crm") == [("a", DAY)]
    assert outbox.run.as_of == DAY
    assert not outbox.has_staged


def test_a_run_killed_after_it_was_remembered_loses_no_lead(tmp_path):
    with open_outbox(tmp_path, "boards") as outbox:
        outbox.stage(run(1, "crm"), rows("a", "b"))
    with open_outbox(tmp_path, "boards") as outbox:
        assert outbox.has_staged
        outbox.settle([state(1, "a", "b")])
        assert outbox.open_keys("crm") == [("a", DAY), ("b", DAY)]


def test_a_repeated_run_queues_only_what_it_alerted_itself(outbox):
    scored(outbox, 1, "a", "b")
    scored(outbox, 1, "a", "c")
    assert {entity for entity, _ in outbox.open_keys("crm")} == {"a", "b", "c"}


def test_an_entity_is_queued_once_within_the_cool_down_even_if_the_memory_of_runs_is_lost(outbox):
    scored(outbox, 1, "a")
    outbox.mark("crm", [("a", DAY)], SENT, None, 0)
    scored(outbox, 5, "a", "b")
    assert outbox.open_keys("crm") == [("b", 5 * DAY)]
    scored(outbox, 15, "a")
    assert ("a", 15 * DAY) in outbox.open_keys("crm")


def test_of_two_qualifications_that_were_not_sent_the_newest_is(outbox):
    scored(outbox, 1, "a")
    scored(outbox, 20, "a")
    assert outbox.open_keys("crm") == [("a", 20 * DAY)]


def test_a_new_target_starts_with_the_newest_run(outbox):
    scored(outbox, 1, "a")
    scored(outbox, 2, "b")
    assert outbox.open_keys("new") == [("b", 2 * DAY)]
    outbox.register("new")
    scored(outbox, 3, "c")
    assert [entity for entity, _ in outbox.open_keys("new")] == ["b", "c"]


def test_rows_are_kept_until_every_target_has_them_and_who_was_sent_for_good(outbox, tmp_path):
    scored(outbox, 1, "a", "b")
    outbox.mark("crm", [("a", DAY)], SENT, None, 0)
    outbox.mark("crm", [("b", DAY)], DEAD, "HTTP 400", 0)
    scored(outbox, 2)
    with sqlite3.connect(outbox_path(tmp_path, "boards")) as con:
        kept = dict(con.execute("SELECT entity, row FROM leads"))
    assert kept == {"a": None, "b": '{"entity": "b"}'}


def test_dead_letters_are_kept_and_can_be_replayed(outbox):
    scored(outbox, 1, "a")
    outbox.mark("crm", [("a", DAY)], DEAD, "HTTP 400", 0)
    assert (outbox.open_keys("crm"), outbox.count("crm", DEAD)) == ([], 1)
    assert outbox.open_keys("crm", also_dead=True) == [("a", DAY)]
    assert outbox.replay_dead("crm") == 1
    assert (outbox.open_keys("crm"), outbox.count("crm", DEAD)) == ([("a", DAY)], 0)


def test_leads_that_failed_go_behind_those_that_were_not_tried(outbox):
    scored(outbox, 1, "a", "b")
    outbox.note_attempt("crm", [("a", DAY)], "HTTP 500", 0)
    assert outbox.open_keys("crm") == [("b", DAY), ("a", DAY)]


def test_a_lead_that_is_no_longer_a_pql_may_return_and_one_that_converted_may_not(outbox):
    scored(outbox, 1, "a", "b")
    outbox.mark("crm", [("a", DAY)], WITHDRAWN, "converted", 0)
    outbox.mark("crm", [("b", DAY)], WITHDRAWN, "no_longer_pql", 0)
    assert outbox.open_keys("crm") == [("b", DAY)]
    outbox.reopen("crm", outbox.withdrawn_keys("crm") & {("b", DAY)})
    assert outbox.withdrawn_keys("crm") == {("a", DAY)}


def test_a_message_of_several_leads_holds_the_same_ones_when_it_is_repeated(outbox):
    scored(outbox, 1, "a", "b")
    outbox.assign_batch("slack", [("a", DAY), ("b", DAY)], "msg_1")
    scored(outbox, 2, "c")
    assert outbox.batches("slack", outbox.open_keys("slack")) == {}
    outbox.register("slack")
    assert outbox.batches("slack", outbox.open_keys("slack")) == {}  # it starts with the newest run
    outbox.assign_batch("crm", [("a", DAY), ("b", DAY)], "msg_2")
    assert outbox.batches("crm", outbox.open_keys("crm")) == {"msg_2": [("a", DAY), ("b", DAY)]}


def test_a_failing_change_changes_nothing(outbox):
    scored(outbox, 1, "a")

    def broken():
        yield from rows("b")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        outbox.stage(run(2, "crm"), broken())
    assert not outbox.has_staged
    assert outbox.open_keys("crm") == [("a", DAY)]


def test_a_file_that_is_not_an_outbox_is_refused(tmp_path):
    path = outbox_path(tmp_path, "boards")
    path.parent.mkdir()
    path.write_text("not a database, but long enough to look like a file of one" * 20)
    with (
        pytest.raises(DataError, match="The outbox cannot be used: file is not a database"),
        open_outbox(tmp_path, "boards"),
    ):
        pass


def test_a_target_can_ask_for_a_pause(outbox):
    scored(outbox, 1, "a")
    assert outbox.held_until("crm") is None
    outbox.hold("crm", 7)
    assert outbox.held_until("crm") == 7


def test_deliveries_are_read_and_no_outbox_is_created(tmp_path):
    assert read_deliveries(tmp_path, "boards") == []
    assert not outbox_path(tmp_path, "boards").exists()

    with open_outbox(tmp_path, "boards") as outbox:
        scored(outbox, 1, "a", "b", targets=("crm", "slack"))
        outbox.mark("crm", [("a", DAY)], SENT, None, 7)
        outbox.mark("slack", [("a", DAY)], SENT, None, 9)
        outbox.mark("crm", [("b", DAY)], DEAD, "gone", 8)

    assert sorted(read_deliveries(tmp_path, "boards")) == [("a", 7), ("a", 9)]
