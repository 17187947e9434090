import json
import math

import pandas as pd
import pytest
from products import START, freemium_files, trial_files, weekly_counts
from worlds import at, product

import pql_model
from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.errors import ConfigError, DataError, NotEnoughDataError
from pql_model.time import DAY, HOUR
from pql_model.workflows.criteria import test_criteria

EIGHT = {"event": "login", "at_least": 8, "within": "first 5d"}  # a window that the config does not list


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    return trial_files(tmp_path_factory.mktemp("trial"), accounts=400)


@pytest.fixture(scope="module")
def freemium(tmp_path_factory):
    return freemium_files(tmp_path_factory.mktemp("freemium"))[0]


def definition(*conditions, join="all"):
    return Definition.model_validate({join: list(conditions)})


def naive_trial(config, least=8, days=5.0, landmark=7, horizon=14):
    """By hand, from the files: (entity, as_of, meets `EIGHT`, converts) of every account at day 7 whose outcome is final."""
    home = config.parent
    events, accounts, paid = (pd.read_parquet(home / f"{name}.parquet") for name in ("events", "accounts", "paid"))

    def day(times):
        return (times.dt.tz_localize(None) - pd.Timestamp(START)) / pd.Timedelta("1D")

    began = pd.Series(day(accounts["created"]).to_numpy(), accounts["account"])
    pays = pd.Series(day(paid["time"]).to_numpy(), paid["account"]).reindex(began.index)
    events = events.assign(age=day(events["time"]) - events["account"].map(began))
    logins = (
        events[(events["action"] == "login") & (events["age"] < days)]
        .groupby("account")
        .size()
        .reindex(began.index, fill_value=0)
    )
    end = max(day(frame[column]).max() for frame, column in ((events, "time"), (accounts, "created"), (paid, "time")))
    at = began + landmark
    kept = ~(pays < at) & (at + horizon <= end)
    return pd.DataFrame({"at": at, "met": logins >= least, "converted": pays < at + horizon})[kept]


def test_the_figures_are_those_counted_by_hand_from_the_files(trial):
    result = test_criteria(trial, definition(EIGHT))
    rows = naive_trial(trial)
    met = rows[rows["met"]]
    assert 40 < len(met) < 360
    actual = result.tested
    assert (actual.rows, actual.qualified, actual.conversions) == (len(rows), len(met), int(met["converted"].sum()))
    assert actual.rate.value == pytest.approx(met["converted"].mean())
    assert actual.base.value == pytest.approx(rows["converted"].mean())
    assert sorted(map(int, result.qualified)) == sorted(met.index)
    assert (result.rows, result.notes) == ("as of day 7 of the trial", ())


def test_earlier_and_later_rows_are_those_of_training_and_test_and_share_no_account(trial):
    result = test_criteria(trial, definition(EIGHT))
    rows = naive_trial(trial).sort_values("at")
    earlier, later = rows.head(result.earlier.rows), rows.tail(result.later.rows)
    assert 0 < result.earlier.rows + result.later.rows < len(rows)  # between the two lies a gap of one horizon
    assert later["at"].min() - earlier["at"].max() > 14
    assert (result.earlier.qualified, result.later.qualified) == (earlier["met"].sum(), later["met"].sum())
    assert result.later.conversions == (later["met"] & later["converted"]).sum()
    assert "If the rule was found on these data, rely on the later figures (from 2025-" in result.text


def test_a_file_a_definition_and_a_key_in_another_file_give_the_same(trial, tmp_path):
    (tmp_path / "bare.yaml").write_text("all: [{event: login, at_least: 8, within: first 5d}]\n")
    (tmp_path / "criteria.yaml").write_text(
        "made: today\ndefinition:\n  all: [{event: login, at_least: 8, within: first 5d}]\n"
    )
    payload = [
        test_criteria(load_config(trial), source).to_dict()
        for source in (definition(EIGHT), tmp_path / "bare.yaml", str(tmp_path / "criteria.yaml"))
    ]
    for one in payload:
        one.pop("seconds")
    assert payload[0] == payload[1] == payload[2]


def test_the_json_has_every_field_of_the_contract(trial):
    payload = json.loads(json.dumps(test_criteria(trial, definition(EIGHT)).to_dict(), allow_nan=False))
    assert payload["definition"] == {
        "text": "at least 8 `login` in the first 5 days",
        "parts": ["at least 8 `login` in the first 5 days"],
        "short": "login ≥ 8, first 5d",
        "join": "all",
        "k": None,
        "conditions": [{"event": "login", "measure": "count", "window": "first 5d", "operator": ">=", "threshold": 8}],
    }
    assert set(payload) == {"definition", "tested", "later", "earlier", "rows", "words", "notes", "seconds"}
    for part in ("tested", "later", "earlier"):
        assert {"entities", "qualified", "conversions", "rate", "lift", "recall"} <= set(payload[part])


def test_nothing_is_trained_or_written(trial):
    before = sorted(path.name for path in trial.parent.iterdir())
    test_criteria(trial, definition(EIGHT))
    assert sorted(path.name for path in trial.parent.iterdir()) == before


def test_in_freemium_rows_are_a_horizon_apart_and_no_conversion_counts_twice(freemium):
    result = test_criteria(freemium, definition({"event": "file uploaded", "at_least": 3, "within": "last 30d"}))
    assert result.rows == "snapshots at least 30 days apart"
    assert "snapshots meet it" in result.text
    rows = pd.DataFrame(
        {"entity": result.outcomes.entity, "as_of": result.outcomes.as_of, "converted": result.outcomes.converted}
    )
    gaps = rows.sort_values(["entity", "as_of"]).groupby("entity")["as_of"].diff().dropna()
    assert gaps.min() >= 30 * DAY
    assert rows.groupby("entity")["converted"].sum().max() == 1
    assert result.tested.entities == rows["entity"].nunique() < result.tested.rows
    assert (result.outcomes.begins == result.outcomes.as_of).all()


def test_a_history_too_short_to_split_still_has_its_figures(tmp_path):
    begins = [
        at("2026-01-05") + k * HOUR for k in range(80)
    ]  # all within four days, so no later period is a horizon away
    accounts = [{"account": f"a{k}", "signed_up": begin} for k, begin in enumerate(begins)]
    events = [{"account": f"a{k}", "event": "login", "time": begins[k] + DAY} for k in range(0, 80, 2)]
    paid = [{"account": f"a{k}", "time": begins[k] + 10 * DAY} for k in range(0, 80, 5)]
    config = product(
        tmp_path, accounts, events, paid, horizon="14d", snapshots={"at_days": [7]}, observed_until="2026-02-10"
    )
    result = test_criteria(config, definition({"event": "login", "at_least": 1}))
    assert (result.tested.rows, result.tested.qualified, result.tested.conversions) == (80, 40, 8)
    assert (result.earlier, result.later) == (None, None)
    assert result.to_dict()["later"] is None
    assert result.text.endswith("The history is too short to check it on later accounts.")


def test_a_definition_that_nobody_meets_is_explained(trial):
    result = test_criteria(trial, definition({"event": "login", "at_least": 500}, {"event": "upload", "at_least": 1}))
    assert result.text == f"Nobody meets it: 0 of {result.tested.rows:,} accounts."
    assert result.notes[0].startswith(
        f"Alone, at least 500 `login` so far: met by 0 of {result.tested.rows} rows; the values range from "
    )
    assert result.notes[1].startswith("Alone, at least 1 `upload` so far: met by ")
    assert math.isnan(result.tested.rate.value)
    assert result.qualified == []


def test_a_definition_that_everybody_meets_is_evaluated(trial):
    result = test_criteria(trial, definition({"event": "any", "at_least": 1}))
    assert result.tested.note == "everybody meets it"
    assert result.text.startswith("Everybody meets it, so it separates nobody: of the ")


def test_fewer_than_thirty_are_too_few_to_judge(trial):
    result = test_criteria(trial, definition({"event": "login", "at_least": 12, "within": "first 6d"}))
    assert 0 < result.tested.qualified < 30
    assert result.tested.note == "too few to judge"
    assert result.text.startswith(
        f"Too few to judge: {result.tested.qualified} of {result.tested.rows} accounts meet it"
    )


def test_a_first_window_longer_than_the_landmark_is_noted(trial):
    result = test_criteria(trial, definition({"event": "login", "at_least": 8, "within": "first 30d"}))
    rows = result.tested.rows
    assert result.notes == (f"`first 30d` is still open at all {rows} rows: only events up to that point are counted.",)


def test_an_unknown_event_is_refused_with_the_nearest_and_the_file_to_correct(trial, tmp_path):
    (tmp_path / "rule.yaml").write_text("all: [{event: logn, at_least: 8}]\n")
    with pytest.raises(DataError, match=r"names event `logn`, .*, did you mean `login`\?.*Fix: correct rule\.yaml"):
        test_criteria(trial, tmp_path / "rule.yaml")


def test_an_unknown_trait_and_an_unknown_value_of_one_are_refused(trial):
    with pytest.raises(DataError, match=r"names trait `seat`, .*, did you mean `seats`\?"):
        test_criteria(trial, definition({"trait": "seat", "at_least": 3}))
    with pytest.raises(DataError, match=r"No entity has `80` as trait `seats`.*Allowed: 1, 2, 3, 4, 5, 6, 7, 8"):
        test_criteria(trial, definition({"trait": "seats", "in": [80]}))


def test_traits_are_compared_and_listed(trial):
    listed = test_criteria(trial, definition({"trait": "seats", "in": [7, 8]}))
    compared = test_criteria(trial, definition({"trait": "seats", "at_least": 7}))
    assert listed.qualified == compared.qualified != []


def test_all_impossible_conditions_are_reported_together_before_anything_is_counted(trial):
    rule = definition(
        {"event": "login", "at_least": 0},
        {"event": "any", "measure": "active_days", "at_least": 30, "within": "first 7d"},
    )
    with pytest.raises(
        ConfigError,
        match=r"the definition has 2 errors:\n  - all\.0: everybody meets it.*\n  - all\.1: nobody can meet it",
    ):
        test_criteria(trial, rule)


def test_a_value_that_no_table_has_is_refused_with_the_nearest(freemium):
    rule = definition({"event": "file uploaded", "measure": "sum", "value": "megabyte", "at_least": 5})
    with pytest.raises(
        ConfigError, match=r"reads the value `megabyte`, which no table has in `values`, did you mean `megabytes`\?"
    ):
        test_criteria(freemium, rule)


def test_a_window_from_sign_up_needs_a_sign_up(tmp_path):
    config = weekly_counts(tmp_path, portals=40)
    with pytest.raises(ConfigError, match=r"`count` of window `first 7d`, which needs `entities\.columns\.signed_up`"):
        test_criteria(config, definition({"event": "email_sent", "at_least": 5, "within": "first 7d"}))
    assert (
        test_criteria(
            config, definition({"event": "email_sent", "at_least": 20, "within": "last 28d"})
        ).tested.qualified
        > 0
    )


def test_without_conversions_a_definition_cannot_be_tested(tmp_path):
    config = trial_files(tmp_path, accounts=40)
    pd.read_parquet(tmp_path / "paid.parquet").head(0).to_parquet(tmp_path / "paid.parquet")
    with pytest.raises(NotEnoughDataError, match=r"paid\.parquet"):
        test_criteria(config, definition(EIGHT))


def test_test_criteria_is_public(trial):
    assert pql_model.test_criteria is test_criteria
