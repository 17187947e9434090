import csv
import json
from dataclasses import replace

import pytest
from sync_world import DAY_0, World, make_world

from pql_model.activate.job import Job
from pql_model.activate.lists import preview_list, send_list
from pql_model.activate.outbox import DEAD, open_outbox
from pql_model.activate.secrets import Secrets
from pql_model.config.sync_targets import FileTarget, HubSpotTarget, TableTarget
from pql_model.progress import Silent
from pql_model.time import DAY

NEW = FileTarget(name="today", kind="file", path="new.csv")
DATED = FileTarget(name="today", kind="file", path="new-{as_of}.csv")
ALL = FileTarget(name="all", kind="file", path="all.jsonl", rows="all")
HUBSPOT = HubSpotTarget(name="hubspot", kind="hubspot", path="hubspot.csv")


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path, "abcde").targets({"name": "today", "kind": "file", "path": "new.csv"})


@pytest.fixture
def job(world: World):
    with open_outbox(world.home, "boards") as outbox:

        def make(target, withdrawn=(), of_users=False):
            return Job(
                home=world.home,
                product="boards",
                connection=None,
                of_users=of_users,
                outbox=outbox,
                run=outbox.run,
                secrets=Secrets(),
                ready=[key for key in outbox.open_keys(target.name) if key[0] not in withdrawn],
                withdrawal=lambda entity: "converted" if entity in withdrawn else None,
                listener=Silent(),
            )

        yield make


def entities(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [row["entity"] for row in csv.DictReader(file)]


def counts(outcome):
    return outcome.rows, outcome.sent, outcome.failed, outcome.pending


def test_syncing_twice_gives_the_same_file(world, job):
    world.score(0, new=["a", "b"])
    assert counts(send_list(NEW, job(NEW))) == (2, 2, 0, 0)
    first = (world.home / "new.csv").read_bytes()
    assert counts(send_list(NEW, job(NEW))) == (0, 0, 0, 0)
    assert (world.home / "new.csv").read_bytes() == first


def test_leads_that_no_sync_took_are_in_the_file_of_the_next(world, job):
    world.score(0, new=["a"])
    world.score(1, new=["b"], stay=["a"])
    assert counts(send_list(NEW, job(NEW))) == (2, 2, 0, 0)
    assert sorted(entities(world.home / "new.csv")) == ["a", "b"]
    world.score(2, new=["c"], stay=["a", "b"])
    send_list(NEW, job(NEW))
    assert entities(world.home / "new.csv") == ["c"]


def test_each_run_may_have_its_own_file(world, job):
    world.score(0, new=["a"])
    send_list(DATED, job(DATED))
    world.score(1, new=["b"], stay=["a"])
    send_list(DATED, job(DATED))
    assert entities(world.home / "new-2024-10-04.csv") == ["a"]
    assert entities(world.home / "new-2024-10-05.csv") == ["b"]


def test_who_is_withdrawn_after_delivery_leaves_the_file(world, job):
    world.score(0, new=["a", "b"])
    send_list(NEW, job(NEW))
    send_list(NEW, job(NEW, withdrawn=["a"]))
    assert entities(world.home / "new.csv") == ["b"]


def test_a_list_of_everybody_is_that_of_the_last_run(world, job):
    world.score(0, new=["a"], stay=["b"])
    assert counts(send_list(ALL, job(ALL))) == (2, 2, 0, 0)
    lines = [json.loads(line) for line in (world.home / "all.jsonl").read_text().splitlines()]
    assert [line["entity"] for line in lines] == ["a", "b"]


def test_a_file_that_cannot_be_written_keeps_its_leads_waiting(world, job):
    world.score(0, new=["a"])
    (world.home / "new.csv").write_text("something,else\n")
    outcome = send_list(NEW, job(NEW))
    assert counts(outcome) == (1, 0, 0, 1)
    assert "does not hold a list of leads" in outcome.problem
    (world.home / "new.csv").unlink()
    assert counts(send_list(NEW, job(NEW))) == (1, 1, 0, 0)


def test_overwritten_scores_are_a_problem_of_the_target_and_not_of_the_run(world, job):
    world.score(0, new=["a"])
    (world.home / "scores.parquet").unlink()
    outcome = send_list(ALL, job(ALL))
    assert "are gone" in outcome.problem
    assert not (world.home / "all.jsonl").exists()


def test_a_lead_without_a_contact_is_kept_for_later(world, job):
    world.score(0, new=["a", "b"])
    outcome = send_list(HUBSPOT, job(HUBSPOT))
    assert counts(outcome) == (2, 0, 2, 0)
    assert outcome.problem == "2 rows were left out: `Email` is missing"
    target = job(HUBSPOT)
    assert target.outbox.count("hubspot", DEAD) == 2
    assert target.ready == []


def test_users_are_their_own_contacts(world, job):
    world.score(0, new=["ada@example.com"])
    assert counts(send_list(HUBSPOT, job(HUBSPOT, of_users=True))) == (1, 1, 0, 0)
    assert "ada@example.com" in (world.home / "hubspot.csv").read_text()


@pytest.mark.parametrize("rows", ["newly_qualified", "all"])
def test_showing_counts_what_an_importer_would_refuse_among_all_rows(world, job, rows):
    target = HUBSPOT.model_copy(update={"rows": rows})
    world.score(0, new=["a@example.com", "b", "c@example.com", "d"])
    outcome = preview_list(target, job(target, of_users=True), 2)
    assert counts(outcome) == (4, 0, 2, 2)
    [(why, count)] = outcome.refused.items()
    assert (count, why) == (2, "`Email` does not have the form that the importer takes")
    assert outcome.preview[0]["Email"] == "a@example.com"
    assert outcome.preview[1] == {"entity": "b", "refused": why}
    assert send_list(target, job(target, of_users=True)).refused == outcome.refused


@pytest.mark.parametrize(("target", "refused"), [(NEW, 0), (ALL, 0), (HUBSPOT, 2)])
def test_showing_writes_nothing(world, job, target, refused):
    world.score(0, new=["a", "b"])
    outcome = preview_list(target, job(target), 1)
    assert counts(outcome) == (2, 0, refused, 2 - refused)
    assert len(outcome.preview) == 1
    assert {path.name for path in world.home.glob("*.csv")} == {"accounts.csv", "events.csv", "paid.csv"}
    assert job(target).ready == [("a", DAY_0), ("b", DAY_0)]


def test_a_secret_database_that_is_missing_is_named_by_its_variable(world, job):
    target = TableTarget(name="w", kind="table", connection_env="WAREHOUSE", table="t")
    world.score(0, new=["a"])
    secrets = Secrets({"WAREHOUSE": "duckdb:///srv/s3cr3t/w.duckdb"})
    outcome = send_list(target, replace(job(target), secrets=secrets))
    assert "Received: the value of WAREHOUSE. Fix: correct WAREHOUSE" in outcome.problem
    assert "s3cr3t" not in outcome.problem + outcome.output


def test_a_table_that_has_no_new_leads_is_not_touched(world, job):
    target = TableTarget(name="w", kind="table", connection="duckdb://none.duckdb", table="t", rows="newly_qualified")
    world.score(0, new=[])
    assert counts(send_list(target, job(target))) == (0, 0, 0, 0)
    world.score(1, new=["a"])
    outcome = send_list(target, job(target))
    assert counts(outcome) == (1, 0, 0, 1)
    assert "There is no database file for the table. Received: duckdb://none.duckdb" in outcome.problem
    assert "correct `sync.w.connection`" in outcome.problem
    assert outcome.output == "table t of duckdb://none.duckdb"
    assert job(target).run.as_of == DAY_0 + DAY
