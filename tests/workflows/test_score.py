import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from products import START, trial_files

from pql_model.config.load import load_config
from pql_model.decide.decider import KEY, Decider
from pql_model.decide.state_file import state_path
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.registry.tracking import Tracking
from pql_model.workflows.score import score
from pql_model.workflows.train import train

AS_OF = "2025-06-10T12:00:00Z"
COLUMNS = [
    "entity",
    "as_of",
    "probability",
    "score",
    "expected_value",
    "expected_value_low",
    "expected_value_high",
    "band",
    "is_pql",
    "usage",
    "fit",
    "timing",
    "reasons",
    "criteria_met",
    "meets_definition",
    "meets_in_force",
    "nearest_missing",
    "next_step",
    "contact",
    "contacts",
    "newly_qualified",
    "suppressed",
    "model_version",
    "feature_set",
    "scored_at",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory, with_store):
    """Aged 5 to 11 days, so that a day in the middle has a few dozen at risk; a model in force."""
    path = trial_files(
        with_store(tmp_path_factory.mktemp("score")),
        accounts=400,
        each=10,
        snapshots={"at_days": [5, 10]},
        exclude={"entities": {"seats": [3]}},
        policy={"capacity": {"leads": 4, "per": "7d"}},
        definition={"all": [{"event": "login", "at_least": 6, "within": "first 5d"}]},
    )
    train(path, trials=1, promote="force")
    return path


def memory(config):
    return state_path(config.parent, "small-trial")


@pytest.fixture(autouse=True)
def _first_run(config):
    """No test is to depend on what another has scored."""
    memory(config).unlink(missing_ok=True)


def expected_reasons(config, as_of):
    """Who is scored and who is not, worked out by hand."""
    at = pd.Timestamp(as_of)
    who = pd.read_parquet(config.parent / "accounts.parquet").astype({"account": str})
    paid = pd.read_parquet(config.parent / "paid.parquet").astype({"account": str}).set_index("account")["time"]
    age = (at - who["created"]) / pd.Timedelta(days=1)
    converted = who["account"].map(paid) < at
    reason = np.select(
        [who["seats"] == "3", converted, age < 0, age < 5, age > 11],
        ["excluded", "converted", "not_signed_up_yet", "too_young", "too_old"],
        "",
    )
    return pd.Series(reason, index=who["account"])


def test_everyone_at_risk_is_scored_and_the_others_are_counted_by_reason(config, tmp_path):
    result = score(config, as_of=AS_OF, output=tmp_path / "scores.parquet")
    reasons = expected_reasons(config, AS_OF)
    assert sorted(result.rows["entity"]) == sorted(reasons.index[reasons == ""])
    assert len(result.rows) > 5
    assert result.not_scored == reasons[reasons != ""].value_counts().to_dict()
    assert set(result.not_scored) == {"excluded", "converted", "not_signed_up_yet", "too_young", "too_old"}


def test_rows_have_the_contract_columns_and_start_with_the_highest_probability(config, tmp_path):
    result = score(config, as_of=AS_OF, output=tmp_path / "scores.parquet")
    rows = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(rows.columns) == COLUMNS
    pd.testing.assert_frame_equal(rows, result.rows, check_dtype=False)
    assert rows["probability"].is_monotonic_decreasing
    assert rows["probability"].between(0, 1).all()
    assert rows["as_of"].unique().tolist() == [pd.Timestamp(AS_OF)]
    assert rows["is_pql"].is_monotonic_decreasing
    assert 1 <= rows["is_pql"].sum() <= 4  # some places are kept for better leads of the week
    assert rows["meets_definition"].isin([True, False]).all()
    assert rows["meets_definition"].any()
    assert set(json.loads(rows["reasons"].iloc[0])[0]) == {
        "sign",
        "log_odds",
        "effect",
        "behaviour",
        "part",
        "column",
        "value",
        "words",
    }


def test_the_json_has_every_field_of_the_contract(config, tmp_path):
    payload = json.loads(
        json.dumps(score(config, as_of=AS_OF, output=tmp_path / "s.parquet").to_dict(), allow_nan=False)
    )
    assert {"rows", "pql", "newly_qualified", "output", "model", "expected_conversions"} <= set(payload)
    assert 1 <= payload["pql"] == payload["newly_qualified"] <= 4
    assert payload["model"] == {"name": "small-trial", "version": "1"}
    expected = payload["expected_conversions"]
    assert 0 <= expected["low"] <= expected["value"] <= expected["high"] <= 4
    assert payload["output"] == str(tmp_path / "s.parquet")
    assert Path(payload["score_log"]).is_relative_to(config.parent / "score_log")
    steps = payload["next_steps"]
    assert steps["rows"] == sum(step["rows"] for step in steps["criteria"]) <= payload["rows"]


def test_the_summary_has_bands_not_to_call_and_suppressed(config, tmp_path):
    result = score(config, as_of=AS_OF, output=tmp_path / "s.parquet")
    payload, rows = result.to_dict(), result.rows
    assert list(payload["bands"]) == ["high", "medium", "low", "very_low"]
    assert {name: band["rows"] for name, band in payload["bands"].items() if band["rows"]} == rows[
        "band"
    ].value_counts().to_dict()
    assert sum(band["rows"] for band in payload["bands"].values()) == payload["rows"]
    assert payload["suppressed"] == rows["suppressed"].value_counts().to_dict()
    assert payload["not_to_call"]["rows"] == int(((rows["band"] == "very_low") & ~rows["is_pql"]).sum())
    assert payload["expected_conversions"]["value"] == pytest.approx(rows.loc[rows["is_pql"], "probability"].sum())
    assert (payload["held_out"], payload["notes"]) == (0, [])


def test_the_nearest_missing_condition_is_given(config, tmp_path):
    rows = score(config, as_of=AS_OF, output=tmp_path / "s.parquet").rows
    lacking = rows[rows["nearest_missing"].notna()]
    assert len(lacking) > 0
    assert not lacking[
        "meets_definition"
    ].any()  # the recommended one: of the one in force, the first five days are over
    assert "first 5 days" not in "".join(lacking["nearest_missing"])
    assert all(json.loads(text) is not None for text in rows["criteria_met"])


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_a_second_run_at_the_same_instant_gives_the_same_answer(config, tmp_path, name):
    first = score(config, as_of=AS_OF, output=tmp_path / name).rows
    again = score(config, as_of=AS_OF, output=tmp_path / name).rows
    assert first["newly_qualified"].tolist() == first["is_pql"].tolist()
    pd.testing.assert_frame_equal(again.drop(columns="scored_at"), first.drop(columns="scored_at"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_later_run_alerts_nobody_twice_and_keeps_the_weekly_capacity(config, tmp_path):
    days = [pd.Timestamp(AS_OF) + pd.Timedelta(days=k) for k in range(8)]
    runs = [score(config, as_of=day, output=tmp_path / "a.parquet").rows for day in days]
    again = score(config, as_of=days[-1], output=tmp_path / "b.parquet").rows
    assert again["newly_qualified"].tolist() == runs[-1]["newly_qualified"].tolist()
    alerted = [rows.loc[rows["newly_qualified"], "entity"].tolist() for rows in runs]
    assert sum(map(len, alerted[:7])) == sum(map(len, alerted[1:])) == 4
    everybody = [entity for run in alerted for entity in run]
    assert len(set(everybody)) == len(everybody) > 4


def test_an_earlier_instant_is_decided_as_a_first_run_and_not_remembered(config, tmp_path):
    score(config, as_of=AS_OF, output=tmp_path / "a.parquet")
    remembered = memory(config).read_bytes()
    past = score(config, as_of="2025-06-03", output=tmp_path / "b.parquet")
    assert past.notes == (
        "This instant is earlier than that of the last scoring run: decided as a first run, and not remembered.",
    )
    assert past.rows["newly_qualified"].tolist() == past.rows["is_pql"].tolist()
    assert memory(config).read_bytes() == remembered


def test_decisions_of_another_model_than_the_champion_are_not_remembered(config, tmp_path, monkeypatch):
    monkeypatch.setattr(Tracking, "champion", lambda self: "77")
    result = score(config, as_of=AS_OF, output=tmp_path / "a.parquet", model="1")
    assert result.notes == (
        "Scored with a model other than the champion: its decisions are not remembered for the next run.",
    )
    assert not memory(config).exists()


def test_decisions_at_a_future_instant_are_not_remembered(config, tmp_path):
    """Otherwise every run until then would be earlier than the last one, and alert everybody again."""
    score(config, as_of=AS_OF, output=tmp_path / "a.parquet")
    remembered = memory(config).read_bytes()
    ahead = score(config, as_of="2999-01-01", output=tmp_path / "b.parquet")
    assert ahead.notes[0] == "This instant lies in the future: the decisions are not remembered for the next run."
    assert memory(config).read_bytes() == remembered
    assert score(config, as_of="2025-06-11T12:00:00Z", output=tmp_path / "c.parquet").notes == ()


def test_a_note_says_that_events_end_long_before_as_of(config, tmp_path):
    newest = pd.read_parquet(config.parent / "events.parquet")["time"].max()
    for days, payload in ((1, ""), (3, "3 days before this instant: accounts active since then look idle.")):
        at = (newest + pd.Timedelta(days=days)).isoformat()
        notes = score(config, as_of=at, output=tmp_path / "a.parquet").notes
        assert [note[-len(payload) :] for note in notes] == ([payload] if payload else [])


def test_another_product_in_the_folder_has_its_own_state(config, tmp_path):
    home = shutil.copytree(config.parent, tmp_path / "copy")
    score(home / "pql.yaml", as_of=AS_OF, output=tmp_path / "a.parquet")
    remembered = memory(home / "pql.yaml").read_bytes()
    other = home / "other.yaml"
    other.write_text((home / "pql.yaml").read_text().replace("small-trial", "other"))
    result = Tracking(load_config(home / "pql.yaml")).load("champion")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tracking, "load", lambda *_: result)
        payload = score(other, as_of="2025-06-11T12:00:00Z", output=tmp_path / "b.parquet").to_dict()
    assert payload["newly_qualified"] == payload["pql"] > 0  # as in a first run
    assert memory(home / "pql.yaml").read_bytes() == remembered
    assert state_path(home, "other").exists()


def test_an_unreadable_state_file_stops_the_run_before_anything_is_written(config, tmp_path):
    memory(config).write_bytes(b"no parquet")
    with pytest.raises(DataError, match="The decisions of the last scoring run cannot be read"):
        score(config, as_of=AS_OF, output=tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_note_says_that_the_policy_changed_since_training(config, tmp_path):
    home = shutil.copytree(config.parent, tmp_path / "copy")
    text = (home / "pql.yaml").read_text().replace("leads: 4", "leads: 40")
    (home / "pql.yaml").write_text(text)
    result = score(home / "pql.yaml", as_of=AS_OF, output=tmp_path / "a.parquet")
    assert result.notes == (
        "The config's `policy:` changed since this model was trained; the model decides as it was trained.",
    )
    assert int(result.rows["is_pql"].sum()) <= 4


def test_a_note_says_that_a_service_would_read_events_differently(config, tmp_path):
    home = shutil.copytree(config.parent, tmp_path / "copy")
    raw = yaml.safe_load((home / "pql.yaml").read_text())
    (home / "pql.yaml").write_text(yaml.safe_dump({**raw, "exclude": {**raw["exclude"], "users": ["nobody"]}}))
    assert score(home / "pql.yaml", as_of=AS_OF, output=tmp_path / "a.parquet").notes == (
        "The config's `exclude:` changed since this model was trained: this run uses the new value, a service of this model "
        "the old one. Train again.",
    )


def test_a_missing_trait_that_decisions_read_is_named(config, tmp_path, monkeypatch):
    model = Tracking(load_config(config)).load("champion").model
    raw = {**model.facts[KEY], "exclude": [{"text": "x", "trait": "plan", "in": ["free"]}]}
    monkeypatch.setitem(model.facts, KEY, raw)
    decider = Decider.of_facts(model.facts)
    monkeypatch.setattr(Decider, "of_facts", lambda *_: decider)
    with pytest.raises(DataError, match=r"The entities lack traits that the model decides by: plan. Received: seats"):
        score(config, as_of=AS_OF, output=tmp_path / "a.parquet")


def test_csv_and_parquet_have_the_same_rows(config, tmp_path):
    result = score(config, as_of=AS_OF, output=tmp_path / "scores.csv")
    rows = pd.read_csv(tmp_path / "scores.csv", dtype={"entity": str})
    assert list(rows.columns) == COLUMNS
    assert rows["entity"].tolist() == result.rows["entity"].tolist()
    np.testing.assert_allclose(rows["probability"], result.rows["probability"], rtol=1e-12)


def test_events_after_as_of_change_no_score(config, tmp_path):
    before = score(config, as_of=AS_OF, output=tmp_path / "a.parquet").rows
    home = shutil.copytree(config.parent, tmp_path / "copy")
    at = pd.Timestamp(AS_OF).tz_convert("UTC")
    someone = before["entity"].astype(int).to_numpy()

    def append(name, **columns):
        table = pd.read_parquet(home / name)
        more = pd.DataFrame(columns).astype({"account": table["account"].dtype})
        pd.concat([table, more], ignore_index=True).to_parquet(home / name)

    times = [at, at + pd.Timedelta(hours=1), at + pd.Timedelta(days=90)]
    for time in times:  # the first is at as_of itself, which is not before it
        append("events.parquet", account=someone, action="login", time=time)
    append("events.parquet", account=someone, action="unheard of", time=times[1])
    append("paid.parquet", account=someone, time=times[0])
    append("accounts.parquet", account=[9001], created=[times[1]], seats=["2"])
    after = score(home / "pql.yaml", as_of=AS_OF, output=tmp_path / "b.parquet").rows
    pd.testing.assert_frame_equal(after.drop(columns="scored_at"), before.drop(columns="scored_at"))


def test_nobody_at_risk_gives_a_file_without_rows(config, tmp_path):
    result = score(config, as_of="2026-06-01", output=tmp_path / "scores.parquet")
    assert (len(result.rows), result.to_dict()["pql"]) == (0, 0)
    assert result.notes[-1].startswith("Nobody is at risk at this instant: ")
    assert "--as-of " in result.notes[-1]
    assert "too old" in result.notes[-1]
    assert list(pd.read_parquet(tmp_path / "scores.parquet").columns) == COLUMNS
    assert set(result.not_scored) == {"excluded", "converted", "too_old"}
    again = score(config, as_of=AS_OF, output=tmp_path / "scores.parquet")  # an older instant: nothing to build on
    assert again.to_dict()["newly_qualified"] >= 1


def test_as_of_defaults_to_the_newest_event_and_output_to_the_folder_of_the_config(config):
    result = score(config)
    newest, last_payment = (
        pd.read_parquet(config.parent / n)["time"].max() for n in ("events.parquet", "paid.parquet")
    )
    assert newest < last_payment  # where nobody's behaviour is known any more
    assert result.as_of == int((newest - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(microseconds=1))
    assert result.output == config.parent / "scores.parquet"
    assert result.output.exists()
    assert newest > pd.Timestamp(START, tz="UTC")


def test_an_invalid_time_is_refused(config):
    with pytest.raises(DataError, match=r"`as_of` is not a time. Received: yesterday. Allowed: a date 2026-06-30"):
        score(config, as_of="yesterday")


def test_an_output_of_another_format_is_refused(config, tmp_path):
    with pytest.raises(DataError, match=r"Scores are written as parquet or csv. Received: .*scores.xlsx"):
        score(config, output=tmp_path / "scores.xlsx")


@pytest.mark.parametrize(("name", "content"), [("a.csv", b"x,y\n1,2\n"), ("a.csv", b""), ("a.parquet", b"no parquet")])
def test_a_file_without_scores_is_not_overwritten(config, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="The output file exists and does not hold scores"):
        score(config, as_of=AS_OF, output=tmp_path / name)
    assert (tmp_path / name).read_bytes() == content


def test_a_model_that_does_not_exist_is_refused(config):
    with pytest.raises(ModelNotFoundError, match="There is no 99 of the model `small-trial`"):
        score(config, model="99")
