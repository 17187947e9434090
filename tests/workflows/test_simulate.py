"""A policy replayed on the demo: what it says equals daily scoring, and each figure has its sense."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pql_model import time
from pql_model.config.load import load_config
from pql_model.config.policy_settings import Policy
from pql_model.decide.decider import Decider
from pql_model.errors import ConfigError, DataError
from pql_model.progress import Stages
from pql_model.registry.tracking import Tracking
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.workflows import simulate as module
from pql_model.workflows.score import score
from pql_model.workflows.simulate import simulate_policy

FROM, TO = "2025-11-03", "2025-11-16"


@pytest.fixture(scope="module")
def home(trained):
    return Path(trained.folder.parent.parent)


@pytest.fixture(scope="module")
def beside_present(home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate")
    policy = folder / "policy.yaml"
    policy.write_text("policy:\n  capacity: {leads: 5, per: 7d}\n")
    return simulate_policy(home / "pql.yaml", policy, from_=FROM, to=TO, model="1", output=folder / "p.png")


def test_the_json_has_every_field_of_the_contract(beside_present):
    payload = json.loads(json.dumps(beside_present.to_dict(), allow_nan=False))
    for policy in (payload, payload["present"]):
        assert {"days", "most_in_period", "wait_days", "wins"} <= set(policy)
        assert [set(day) for day in policy["days"]] == [{"as_of", "alerted", "waiting"}] * 14
        assert set(policy["wait_days"]) == {"p50", "p95"}
        assert policy["wins"]["low"] <= policy["wins"]["value"] <= policy["wins"]["high"]
        assert policy["alerts"] == sum(day["alerted"] for day in policy["days"]) > 0
    assert payload["rule"] == "the 5 best per 7 days"
    assert payload["most_in_period"] <= 5 < payload["present"]["alerts"]
    assert Path(payload["files"]["plot"]).read_bytes().startswith(b"\x89PNG")


def test_probabilities_are_those_of_scoring_by_the_model_that_has_not_seen_the_period(home):
    config = load_config(home / "pql.yaml")
    model = Tracking(config).load("1").model
    decider = Decider.of_facts(model.facts)
    at = [time.as_instant(day) for day in ("2025-11-05", "2025-11-08T13:00:00Z")]
    with open_session() as con:
        sources = read_sources(con, config)
        runs = list(module._score(con, config, sources, model, [decider], at, Stages(None)))
    for run in runs:
        rows = score(config, as_of=time.iso(run.as_of), model="1", output=home / "s.parquet").rows
        scored = rows.set_index("entity")["probability"]
        pd.testing.assert_series_equal(
            pd.Series(run.probability, run.entity).sort_index(), scored.sort_index(), check_names=False
        )


def test_wins_are_counted_from_the_table_of_conversions(home, beside_present):
    paid = pd.read_csv(home / "subscriptions.csv")
    alerts = beside_present.policy.simulation.alerts
    first = pd.to_datetime(paid["paid_at"], utc=True).groupby(paid["account_id"]).min()
    at = pd.to_datetime(alerts["as_of"], unit="us", utc=True)
    when = alerts["entity"].map(first)
    won = (when >= at) & (when < at + pd.Timedelta(days=30))
    assert beside_present.policy.wins.wins.value == won.sum()


def test_days_before_the_test_period_are_said_to_be_flattered(home, tmp_path):
    result = simulate_policy(
        home / "pql.yaml", from_="2025-03-01", to="2025-03-03", model="1", output=tmp_path / "p.png"
    )
    assert any("has learnt from snapshots before" in note for note in result.notes)
    assert result.present is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"from_": "2025-11-03", "to": "2025-11-01"}, "from a first to a later last instant"),
        ({"from_": "2031-01-01", "to": "2031-02-01"}, "from a first to a later last instant"),
        ({"every": "soon"}, "`every` is not a time"),
        ({"from_": FROM, "to": TO, "every": "10m"}, "Too many runs to simulate"),
        ({"output": "plot.pdf"}, "The plot is written as png"),
    ],
)
def test_what_cannot_be_simulated_is_refused(home, tmp_path, given, message):
    with pytest.raises(DataError, match=message):
        simulate_policy(home / "pql.yaml", model="1", **{"output": tmp_path / "p.png", **given})


def test_a_period_in_which_nobody_is_at_risk_leaves_the_earlier_plot(home, tmp_path):
    plot = tmp_path / "simulation.png"
    plot.write_bytes(b"earlier")
    result = simulate_policy(home / "pql.yaml", from_="2026-01-25", to="2026-01-26", output=plot)
    assert result.plot is None
    assert result.to_dict()["files"] == {"plot": None}
    assert "Nobody was at risk in any of these runs." in result.notes
    assert plot.read_bytes() == b"earlier"


def test_a_policy_file_with_a_fault_is_refused_with_its_line(home, tmp_path):
    (tmp_path / "policy.yaml").write_text("capacity: {leads: many, per: 7d}\n")
    with pytest.raises(ConfigError, match="line 1"):
        simulate_policy(home / "pql.yaml", tmp_path / "policy.yaml", model="1")


def test_a_policy_that_names_what_the_data_lack_is_refused(home):
    policy = Policy.model_validate({"probability": 0.2, "exclude": {"kontinent": ["x"]}})
    with pytest.raises((ConfigError, DataError), match="kontinent"):
        simulate_policy(home / "pql.yaml", policy, model="1")
