"""Each fault of the data or the config is exit 2 and a sentence; what can be tolerated is counted and works."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from products import trial_files
from worlds import product

from pql_model.cli.app import main

SMALL = {"horizon": "14d", "snapshots": {"at_days": [3]}, "observed_until": "2026-06-01"}


def day(number):
    return f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}"


def accounts(count=20, **changes):
    return [{"account": f"a{i}", "signed_up": day(3 * i), **changes} for i in range(count)]


def events(count=20):
    return [{"account": f"a{i}", "event": "login", "time": day(3 * i + 1)} for i in range(count)]


def paid(count=20, after=5):
    return [{"account": f"a{i}", "time": day(3 * i + after)} for i in range(0, count, 2)]


@pytest.fixture
def home(tmp_path):
    product(tmp_path, accounts(), events(), paid(), **SMALL)
    return tmp_path


@pytest.fixture
def refused(capsys):
    """Run a command that must fail with exit 2; the sentence, the same on stderr and in the JSON object."""

    def run(home, command="check"):
        with pytest.raises(SystemExit, match=r"^[02]$") as exit_info:
            main([command, "-c", str(home / "pql.yaml"), "--json"])
        payload = capsys.readouterr()
        assert exit_info.value.code == 2, payload.err
        assert payload.out.count("\n") == 1
        message = json.loads(payload.out)["error"]["message"]
        assert " ".join(message.split()) in " ".join(payload.err.split())
        assert "Traceback" not in payload.err
        return message

    return run


@pytest.fixture
def accepted(capsys):
    def run(home, command="check", *more):
        with pytest.raises(SystemExit, match=r"^[02]$") as exit_info:
            main([command, "-c", str(home / "pql.yaml"), "--json", *more])
        payload = capsys.readouterr()
        assert exit_info.value.code == 0, payload.err
        assert payload.out.count("\n") == 1
        return json.loads(payload.out)

    return run


def rewrite(home, **changes):
    raw = yaml.safe_load((home / "pql.yaml").read_text())
    (home / "pql.yaml").write_text(yaml.safe_dump({**raw, **changes}))


def test_a_missing_file(home, refused):
    rewrite(home, conversions={"table": "conversion.csv", "columns": {"entity": "account", "time": "time"}})
    assert refused(home).startswith("There is no file conversion.csv, did you mean `conversions.csv`?")


def test_a_missing_column_names_the_nearest(home, refused):
    rewrite(home, entities={"table": "accounts.csv", "columns": {"entity": "acount", "signed_up": "signed_up"}})
    message = refused(home)
    assert message.startswith("accounts.csv has no column `acount`, did you mean `account`?")
    assert "Received: entities.columns.entity: acount. Allowed: account, signed_up" in message


def test_a_config_with_five_faults_reports_all_five_with_their_lines(home, refused):
    text = """\
name: my product
entity: company
evnts: []
events:
  - table: events.csv
    columns: {entity: account, event: event}
entities: {table: accounts.csv, columns: {entity: account, signed_up: signed_up}}
conversions: {table: conversions.csv, columns: {entity: account, time: time}}
motion: trial
horizon: soon
"""
    (home / "pql.yaml").write_text(text)
    message = refused(home)
    assert message.startswith("pql.yaml has 5 errors:")
    for words in (
        "line 1: name",
        "line 2: entity",
        "line 3: evnts: unknown key `evnts`, did you mean `events`?",
        "line 6: events.0.columns.time: missing",
        "line 10: horizon",
    ):
        assert words in message


def test_an_empty_log(home, refused):
    (home / "events.csv").write_text("account,event,time\n")
    assert refused(home).startswith("No usable event is left. Received: tables without rows")


def test_an_empty_file(home, refused):
    (home / "events.csv").write_text("")
    assert refused(home).startswith("events.csv is empty")


def test_no_conversions(home, refused, with_store):
    with_store(home)
    (home / "conversions.csv").write_text("account,time\n")
    assert refused(home, "train").startswith("There are no conversions: conversions.csv has 0 rows")


def test_check_shows_its_counts_where_nothing_can_be_trained(home, capsys):
    (home / "conversions.csv").write_text("account,time\n")
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["check", "-c", str(home / "pql.yaml")])
    payload = capsys.readouterr()
    assert "20 usable events of 20 rows, 20 entities, 0 of them converted" in " ".join(payload.out.split())
    assert "not possible without conversions" in payload.out
    assert "Error: There are no conversions" in payload.err


def test_the_json_of_such_a_check_has_counts_and_error(home, capsys):
    (home / "conversions.csv").write_text("account,time\n")
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["check", "-c", str(home / "pql.yaml"), "--json"])
    payload = json.loads(capsys.readouterr().out)
    assert (payload["events"], payload["conversions"], payload["error"]["type"]) == (20, 0, "NotEnoughDataError")


def test_one_class_only_where_everyone_converts(tmp_path, refused):
    product(tmp_path, accounts(), events(), [{"account": f"a{i}", "time": day(3 * i + 5)} for i in range(20)], **SMALL)
    message = refused(tmp_path)
    assert message.startswith("There is only one class: all 20 snapshots converted within 14d")


def test_one_class_only_where_all_pay_too_late(tmp_path, refused):
    late = [{"account": f"a{i}", "time": "2026-05-30"} for i in range(3)]
    product(tmp_path, accounts(), events(), late, **SMALL)
    message = refused(tmp_path)
    assert message.startswith("There is only one class: none of the 20 snapshots converted within 14d")
    assert "whether conversions precede the snapshots" in message


def test_one_entity(tmp_path, refused):
    product(
        tmp_path,
        accounts(1),
        events(1),
        [{"account": "a0", "time": "2026-01-20"}],
        **{**SMALL, "snapshots": {"at_days": [1, 10]}},
    )
    assert refused(tmp_path).startswith("There is only one entity. Received: 2 snapshots of it")


def test_all_events_after_observed_until(home, refused):
    rewrite(
        home,
        observed_until="2025-06-01",
        conversions={"table": "early.csv", "columns": {"entity": "account", "time": "time"}},
    )
    (home / "early.csv").write_text("account,time\na1,2025-05-01\n")
    message = refused(home)
    assert message.startswith(
        "All events are later than observed_until. Received: observed_until 2025-06-01, first event 2026-01-02"
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("events", "20 of 20 rows of events.csv cannot be used, more than the share `max_set_aside: 0.5`"),
        ("accounts", "accounts.csv has no usable entity. Received: 20 unparsable_time"),
        ("conversions", "There are no conversions: conversions.csv has 10 rows and none can be used"),
    ],
)
def test_times_that_do_not_parse(home, refused, table, expected):
    rewrite(home, max_set_aside=0.5)
    frame = pd.read_csv(home / f"{table}.csv")
    frame[frame.columns[-1]] = "a while ago"
    frame.to_csv(home / f"{table}.csv", index=False)
    message = refused(home)
    assert message.startswith(expected)
    assert "Received: " in message
    assert "0 unparsable_time" in message


def test_mixed_time_zones(home, refused):
    with (home / "events.csv").open("a") as file:
        file.write("a1,login,2026-01-06T10:00:00+02:00\na1,login,2026-01-06T11:00:00\n")
    message = refused(home)
    assert message.startswith(
        "events.csv: the times of `time` mix time zones: some state their offset from UTC and some do not"
    )
    assert "1 with an offset, 1 without" in message


def test_conversions_that_all_lie_before_sign_up(tmp_path, refused):
    product(tmp_path, accounts(), events(), paid(after=-1)[1:], **SMALL)
    message = refused(tmp_path)
    assert message.startswith(
        "All 9 conversions precede the sign-up of their entity, so no entity converted while at risk"
    )
    assert "9 left out as converted_before" in message
    assert "`entities.columns.signed_up`" in message


def test_the_same_entity_twice_with_different_sign_ups(home, refused):
    with (home / "accounts.csv").open("a") as file:
        file.write("a0,2026-03-03\n")
    message = refused(home)
    assert message.startswith(
        "accounts.csv has several sign-up times per entity. Received: a0 (2026-01-01 and 2026-03-03)"
    )


def test_ids_that_match_in_no_table(home, refused):
    text = (home / "events.csv").read_text().replace("\na", "\nuser-")
    (home / "events.csv").write_text(text)
    assert refused(home).startswith("No entity of events.csv is listed in accounts.csv: the ids do not match")


# ---------------------------------------------------------------- tolerated and counted


def test_a_few_conversions_before_sign_up_only_mean_not_at_risk(tmp_path, accepted):
    early = [{"account": "a0", "time": "2025-12-24"}, {"account": "a2", "time": "2025-12-24"}]
    product(tmp_path, accounts(), events(), [*early, *paid()[2:]], **SMALL)
    payload = accepted(tmp_path)
    assert payload["snapshots"]["left_out"]["converted_before"] == 2
    assert payload["conversions"] == 10


def test_an_id_that_is_a_number_in_one_table_and_a_text_in_another(tmp_path, accepted):
    numbered = [{**row, "account": row["account"][1:]} for row in accounts()]
    product(tmp_path, numbered, [{**row, "account": row["account"][1:]} for row in events()], [], **SMALL)
    rows = [{"account": float(row["account"][1:]), "time": pd.Timestamp(row["time"])} for row in paid()]
    pd.DataFrame(rows).to_parquet(tmp_path / "paid.parquet")
    rewrite(tmp_path, conversions={"table": "paid.parquet", "columns": {"entity": "account", "time": "time"}})
    payload = accepted(tmp_path)
    assert (payload["events"], payload["conversions"], payload["set_aside"]) == (20, 10, {})
    assert "conversions" not in payload["set_aside_by_table"] or payload["set_aside_by_table"]["conversions"] == {}


def test_broken_lines_of_a_csv_are_counted_and_the_rest_is_read(home, accepted):
    with (home / "events.csv").open("a") as file:
        file.write("a1,login\na1,login,2026-01-06,extra,fields\na1,login,2026-01-07\n")
    payload = accepted(home)
    assert payload["set_aside"] == {"broken_line": 2}
    assert payload["events"] == 21
    assert payload["rows_read"] == 23


ODD = '🚀 "launch", [now] {x: 1}'


def test_an_event_name_with_emoji_quotes_comma_and_brackets_is_trained_on(tmp_path, with_store, accepted):
    trial_files(with_store(tmp_path), accounts=480, names=[ODD, "log\tin", "any"])
    payload = accepted(tmp_path, "train", "--trials", "1", "--promote", "never")
    behaviours = {behaviour["behaviour"]: behaviour["share"] for behaviour in payload["behaviours"]}
    assert behaviours[ODD] > 0.1  # it is what decides
    assert "any (event)" in behaviours
    assert payload["model"]["alias"] == "challenger"
    assert payload["test"]["roc_auc"]["value"] > 0.6
    names = [column["name"] for column in json.loads(Path(payload["files"]["features"]).read_text())["columns"]]
    assert all(name.isascii() and not set(name) & set('",:[]{}') for name in names)


def test_uninformative_features_are_refused_with_an_explanation(tmp_path, refused, with_store):
    with_store(tmp_path)
    # nobody does anything twice or differently, and there are no traits
    many = [{"account": f"a{i}", "signed_up": day(i)} for i in range(120)]
    log = [{"account": f"a{i}", "event": "login", "time": f"{day(i)}T01:00:00"} for i in range(120)]
    pays = [{"account": f"a{i}", "time": day(i + 5)} for i in range(0, 120, 3)]
    product(tmp_path, many, log, pays, **SMALL)
    assert refused(tmp_path, "train").startswith("No feature or trait distinguishes one entity from another")
