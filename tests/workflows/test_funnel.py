"""`pql funnel` on files, with a ledger made by hand."""

import json

import pandas as pd
import pytest
from worlds import at, product

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.time import DAY, iso
from pql_model.workflows.funnel import funnel

START = at("2026-01-01")
DEFINITION = {"all": [{"event": "invited", "at_least": 1, "within": "first 7d"}]}


def small_product(home, **config):
    """24 accounts, one a day: every second invites, every third is an MQL, every fourth pays on day 20."""
    accounts = [
        {"account": f"a{k:02}", "signed_up": START + k * DAY, "region": "north" if k < 12 else "south"}
        for k in range(24)
    ]
    events = [{"account": f"a{k:02}", "event": "opened", "time": START + k * DAY + 9} for k in range(24)]
    events += [{"account": f"a{k:02}", "event": "invited", "time": START + (k + 2) * DAY} for k in range(0, 24, 2)]
    paid = [{"account": f"a{k:02}", "time": START + (k + 20) * DAY, "value": 9} for k in range(0, 24, 4)]
    stages = [("MQL", k, k + 4) for k in range(0, 24, 3)] + [("SQL", k, k + 3) for k in range(0, 24, 6)]
    rows = [{"account": f"a{k:02}", "stage": stage, "at": iso(START + day * DAY)} for stage, k, day in stages]
    pd.DataFrame(rows).to_csv(home / "stages.csv", index=False)
    table = {"table": "stages.csv", "columns": {"entity": "account", "time": "at", "stage": "stage"}}
    defaults = {"stages": table, "definition": DEFINITION, "observed_until": "2026-04-01"}
    return product(home, accounts, events, paid, **{**defaults, **config})


def log(home):
    """Every second account is a PQL at day 7, and nothing before 7 January was scored."""
    instants = pd.to_datetime([START + (k + 7) * DAY for k in range(24)], unit="us", utc=True)
    rows = pd.DataFrame(
        {
            "entity": [f"a{k:02}" for k in range(24)],
            "as_of": instants,
            "scored_at": instants,
            "source": "score",
            "model_name": "small-world",
            "model_version": "1",
            "feature_set": "x",
            "probability": 0.1,
            "is_pql": [k % 2 == 0 for k in range(24)],
        }
    )
    (home / "score_log").mkdir()
    rows.to_parquet(home / "score_log" / "part.parquet")


def test_each_stage_is_counted_with_its_rate_and_time(tmp_path):
    log(tmp_path)
    payload = json.loads(json.dumps(funnel(small_product(tmp_path)).to_dict(), allow_nan=False))
    stages = {stage["stage"]: stage for stage in payload["stages"]}
    assert list(stages) == ["signed_up", "activated", "PQL", "MQL", "SQL", "paid"]
    assert {name: stage["entities"] for name, stage in stages.items()} == {
        "signed_up": 24,
        "activated": 12,
        "PQL": 8,
        "MQL": 6,
        "SQL": 3,
        "paid": 6,
    }
    assert (stages["PQL"]["of"], stages["MQL"]["of"], stages["paid"]["of"]) == (17, 20, 24)
    assert stages["activated"]["days_from_sign_up"]["value"] == 3.0  # the first landmark
    assert stages["SQL"]["backwards"] == 3
    assert stages["paid"]["days_from_sign_up"]["value"] == 20.0
    assert payload["definition"].startswith("at least 1 `invited`")
    assert any(
        note.startswith("`PQL` is known of entities that signed up from 2026-01-08 on") for note in payload["notes"]
    )


def test_cohorts_segments_and_both_kinds_of_leads(tmp_path):
    log(tmp_path)
    result = funnel(small_product(tmp_path), segment="region")
    payload = result.to_dict()
    assert [part["cohort"] for part in payload["cohorts"]] == ["2026-01"]
    assert {part["segment"]: part["stages"][0]["entities"] for part in payload["segments"]} == {
        "north": 12,
        "south": 12,
    }
    leads = payload["pql_and_mql"]
    assert leads["other"] == "MQL"
    assert {key: leads[key]["entities"] for key in ("both", "pql_only", "mql_only", "neither")} == {
        "both": 2,
        "pql_only": 6,
        "mql_only": 3,
        "neither": 6,
    }
    assert leads["days_to_paid"]["pql"]["value"] == 13.0


def test_what_is_missing_is_said(tmp_path):
    result = funnel(small_product(tmp_path, stages=None, definition=None))
    assert [stage.stage for stage in result.stages] == ["signed_up", "paid"]
    assert [note.split(",")[0].split(":")[0] for note in result.notes] == [
        "There is no definition",
        "Nothing was scored yet",
        "There are no MQLs or SQLs",
    ]
    assert result.overlap is None


def test_a_stage_before_the_sign_up_moves_no_denominator(tmp_path):
    """A row with a wrong date, years before the table begins, would make every account one of which the stage is known."""
    log(tmp_path)
    config = small_product(tmp_path)
    before = funnel(config).to_dict()
    with (tmp_path / "stages.csv").open("a") as file:
        file.write("a03,MQL,2015-01-01T00:00:00Z\n" if file.tell() else "")
    after = funnel(config).to_dict()

    of = {stage["stage"]: stage["of"] for stage in after["stages"]}
    assert of == {stage["stage"]: stage["of"] for stage in before["stages"]}
    assert any("`MQL` is known of entities that signed up from 2026-01-05" in note for note in after["notes"])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"within": "soon"}, DataError, "`within` is not a time"),
        ({"within": "400d"}, NotEnoughDataError, "No entity was followed for 400 days"),
        ({"segment": "regoin"}, DataError, "did you mean `region`"),
    ],
)
def test_bad_input_is_refused(tmp_path, options, error, words):
    config = small_product(tmp_path)
    with pytest.raises(error, match=words):
        funnel(config, **options)


def test_without_a_sign_up_date_there_is_no_funnel(tmp_path):
    config = product(
        tmp_path,
        [{"account": "a", "region": "x"}],
        [{"account": "a", "event": "x", "time": START}],
        [{"account": "a", "time": START + DAY}],
        motion="freemium",
    )
    with pytest.raises(DataError, match="A funnel begins with the sign-up"):
        funnel(config)
