"""A learner of somebody's own behind the same folds, calibration, gate, bundle and service."""

import json

import numpy as np
import pandas as pd
import pytest
from own_learner import Logistic
from products import trial_files

import pql_model
from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.errors import ConfigError, LearnerError
from pql_model.model import learners
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.serve.engine import ScoringEngine
from pql_model.workflows.extensions import extend_config


@pytest.fixture(scope="module")
def own(tmp_path_factory, with_store):
    home = with_store(tmp_path_factory.mktemp("own"))
    config = trial_files(home, accounts=400)
    return config, pql_model.train(config, learner=Logistic(C=0.1), promote="force")


def test_a_custom_learner_is_calibrated_evaluated_and_registered(own):
    _, result = own
    model = result.registered.model
    assert model.learner == "own_logistic"
    assert result.fit.tuned.trials == ()
    assert 0.5 < result.fit.tuned.score < 1
    assert model.calibration.kind == "platt"
    assert result.evaluation.test["roc_auc"].value > 0.6
    assert model.facts["learner"] == {"name": "own_logistic", "params": {"C": 0.1}}
    assert set(result.evaluation.baselines) >= {"activity", "logistic_regression"}


def test_a_custom_learner_gives_the_same_scores_in_batch_registry_and_service(own):
    config, _ = own
    verified = pql_model.verify(config, model="1", rows=80)
    assert verified.same
    assert [path.path for path in verified.paths] == ["pyfunc", "in process"]


def test_the_reasons_of_a_custom_learner_add_up_to_the_margin(own):
    config, result = own
    rows = pql_model.score(config, as_of="2025-07-20", model="1").rows
    model = result.registered.model
    base = model.predictor.intercept
    margin = rows["usage"] + rows["fit"] + rows["timing"] + base
    np.testing.assert_allclose(model.calibration.apply(margin.to_numpy()), rows["probability"], rtol=0, atol=1e-9)


def test_a_custom_learner_is_explained_and_exported_as_text(own, tmp_path):
    config, result = own
    entity = result.prepared.snapshots.frame["entity"].iloc[0]
    explained = pql_model.explain_entity(config, str(entity), model="1", as_of="2025-01-10").explained
    assert explained is None or explained.behaviours
    bundle = pql_model.export(config, model="1", output=tmp_path / "bundle").bundle
    [weights] = bundle.path.glob("*/model/weights.json")
    assert json.loads(weights.read_text())["categories"]
    engine = ScoringEngine(bundle)
    raw = {"entity": "x", "signed_up": "2025-01-01", "as_of": "2025-01-08", "traits": {}, "events": []}
    assert 0 < engine.score(raw, now=1_800_000_000_000_000).row["probability"] < 1


def test_a_process_that_does_not_know_the_learner_says_how_to_register_it(own, monkeypatch):
    config, _ = own
    monkeypatch.setattr(learners, "_registered", {})
    with pytest.raises(LearnerError, match="No learner is registered under the name `own_logistic`"):
        pql_model.score(config, model="1")
    pql_model.register_learner(Logistic())
    assert len(pql_model.score(config, model="1", as_of="2025-07-20").rows)


def test_a_back_test_trains_a_custom_learner_at_each_cut_off(own):
    config, _ = own
    result = pql_model.backtest(config, cutoffs=["2025-05-01", "2025-06-01"], learner=Logistic(C=0.1))
    assert [fold.facts["parameters"] for fold in result.folds] == [{"C": 0.1}, {"C": 0.1}]
    assert result.predictions["probability"].between(0, 1, inclusive="neither").all()


def test_arguments_override_the_config(tmp_path):
    config = load_config(trial_files(tmp_path, model={"params": {"num_leaves": 4}, "search": {"rounds": [20, 30]}}))
    same, learner = extend_config(config)
    assert same is config
    assert learner == LightGBM({"num_leaves": 4}, {"rounds": [20, 30]})
    changed, learner = extend_config(config, params={"max_bin": 63})
    assert learner == LightGBM({"max_bin": 63}, {"rounds": [20, 30]})
    assert changed.model.params.chosen() == {"max_bin": 63}
    assert changed.home == config.home
    other, learner = extend_config(config, learner=Logistic())
    assert (other.model.learner, learner) == ("own_logistic", Logistic())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"params": {"num_leafs": 4}}, "This call has 1 error.*did you mean `num_leaves`"),
        ({"params": {"objective": "huber"}}, "`objective` cannot be set"),
        ({"learner": Logistic(), "params": {"rounds": 4}}, "`params` and `search` belong to the learner `lightgbm`"),
    ],
)
def test_invalid_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        extend_config(trial_files(tmp_path), **arguments)


def test_an_unknown_name_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(LearnerError, match=r"`lightbgm`, did you mean `lightgbm`\?"):
        pql_model.train(trial_files(tmp_path), learner="lightbgm")


# ---------------------------------------------------------------- features of one's own


def nps_of(home):
    """A score that is asked for every few days; who will pay gives a higher one."""
    rng = np.random.default_rng(3)
    accounts = pd.read_parquet(home / "accounts.parquet")
    paid = set(pd.read_parquet(home / "paid.parquet")["account"])
    who = np.repeat(accounts["account"].to_numpy(), 4)
    began = accounts.set_index("account")["created"].loc[who].to_numpy()
    score = rng.normal(5, 2, len(who)) + np.where(pd.Series(who).isin(paid), 3.0, 0.0)
    days = rng.uniform(-2, 12, len(who))
    at = pd.to_datetime(began, utc=True) + pd.to_timedelta((days * 86_400).round(), unit="s")
    late = pd.to_timedelta((rng.exponential(1, len(who)) * 86_400).round(), unit="s")
    plan = np.where(score > 6, "pro", "basic")
    return pd.DataFrame({"account": who, "at": at, "loaded": at + late, "nps": score.round(1), "plan": plan})


@pytest.fixture(scope="module")
def dated(tmp_path_factory, with_store):
    home = with_store(tmp_path_factory.mktemp("dated"))
    config = trial_files(home, accounts=400)
    columns = {"entity": "account", "time": "at", "known_at": "loaded"}
    features = [
        pql_model.Feature("upload", "days_to_first"),
        {"event": ["login", "upload"], "window": "last 2d"},
        {"event": "upload", "after": "login", "gap": "2d"},
        {"event": "upload", "share_of": "nps"},
        {"table": nps_of(home), "columns": columns, "values": ["nps", "plan"]},
    ]
    result = pql_model.train(config, features=features, trials=2, promote="force")
    return pql_model.with_features(config, features), result


def test_own_features_reach_the_model_point_in_time(dated):
    config, result = dated
    names = result.registered.model.manifest.names
    assert {"trait.nps", "trait.plan", "upload.days_to_first.ever", "upload.count.ever.of+nps"} <= set(names)
    assert {"login.count.last_2d.or+upload", "upload.count.ever.after+login.gap+2d"} <= set(names)
    table = nps_of(config.home).assign(entity=lambda t: t["account"].astype(str))
    rows = result.prepared.table.sample(60, random_state=1)
    for row in rows.itertuples():
        as_of = pd.Timestamp(row.as_of, unit="us", tz="UTC")
        mine = table[(table["entity"] == row.entity) & (table["at"] < as_of) & (table["loaded"] < as_of)]
        right = mine.sort_values("at")["nps"].iloc[-1] if len(mine) else None
        actual = rows.loc[row.Index, "trait.nps"]
        assert actual == right or (pd.isna(actual) and right is None)


def test_own_features_are_served_with_the_numbers_of_the_batch(dated):
    config, _ = dated
    verified = pql_model.verify(config, model="1", rows=80)
    assert verified.same
    assert [path.path for path in verified.paths] == ["pyfunc", "in process"]


def test_the_service_accepts_dated_values_or_the_value_as_a_trait(dated, tmp_path):
    config, _ = dated
    engine = ScoringEngine(pql_model.export(config, model="1", output=tmp_path / "bundle").bundle)
    now = 1_800_000_000_000_000
    raw = {"entity": "x", "signed_up": "2025-01-01", "as_of": "2025-01-08", "events": []}
    dated_values = [
        {"name": "nps", "time": "2025-01-03", "value": 1.0},
        {"name": "nps", "time": "2025-01-05", "value": 9.5},
        {"name": "nps", "time": "2025-01-06", "value": 2.0, "known_at": "2025-01-08"},
        {"name": "nps", "time": "2025-01-08", "value": 3.0},
    ]
    by_rows = engine.score({**raw, "columns": dated_values}, now).row
    by_trait = engine.score({**raw, "traits": {"nps": 9.5}}, now).row
    assert by_rows == by_trait
    assert by_rows["probability"] != engine.score(raw, now).row["probability"]


def test_a_model_with_own_features_cannot_score_without_them(dated):
    config, _ = dated
    with pytest.raises(pql_model.PqlError, match="The entities lack traits that the model decides by: nps"):
        pql_model.score(config.home / "pql.yaml", model="1", as_of="2025-07-20")
    assert len(pql_model.score(config, model="1", as_of="2025-07-20").rows)


def test_the_same_table_gives_the_same_config(dated):
    config, _ = dated
    columns = {"entity": "account", "time": "at"}
    one, two = (
        pql_model.with_features(config, [{"table": nps_of(config.home), "columns": columns, "values": {"n": "nps"}}])
        for _ in range(2)
    )
    assert one == two
    assert (config.home / one.features[-1].table).is_file()


def test_sql_refuses_a_dated_column(dated):
    config, _ = dated
    definition = {"all": [{"trait": "nps", "operator": ">=", "threshold": 5}]}
    rule = Definition.model_validate(definition)
    with pytest.raises(pql_model.PqlError, match="reads the dated column `nps`, which the SQL cannot read"):
        pql_model.criteria_sql(config, dialect="duckdb", definition=rule)
    assert 0 <= pql_model.test_criteria(config, rule).tested.rate.value <= 1
