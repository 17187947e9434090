import json
import os
import shutil
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from small_model import MANIFEST, PARAMS, small_model, small_table
from worlds import product

from pql_model.config.definition import Criterion
from pql_model.criteria.evaluate import BoundCriterion
from pql_model.decide.decider import KEY, Decider
from pql_model.decide.nearest import AGE
from pql_model.errors import DataError, ModelNotFoundError, PqlError
from pql_model.explain.scored import scored_rows
from pql_model.model.booster import fit_ensemble, training_data
from pql_model.model.learner import Trial
from pql_model.registry import tracking as module
from pql_model.registry.tracking import Record, Tracking
from pql_model.statistics.estimate import Estimate

NAN = float("nan")


def record(folder, **changes):
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "card.md").write_text("card")
    given = {
        "params": {"num_leaves": 7, "seed": 7},
        "trials": [Trial(0, {"num_leaves": 7}, 0.71, "complete"), Trial(1, {"num_leaves": 3}, None, "pruned")],
        "metrics": {"roc_auc": Estimate(0.7, 0.6, 0.8), "brier": Estimate(0.1, NAN, NAN)},
        "numbers": {"activity_roc_auc": 0.6},
        "tags": {"verdict": "ready"},
        "files": {".": folder / "files"},
    }
    return Record(**{**given, **changes})


def add(tracking, home, seed=1, **tags):
    """Log and register a model."""
    return tracking.register(tracking.log(small_model(seed), record(home)), tags)


@pytest.fixture(scope="module")
def home(tmp_path_factory, with_store):
    return with_store(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def config(home):
    return product(home, [{"account": "a", "signed_up": "2026-01-01"}], [], [])


@pytest.fixture(scope="module")
def logged(config, home):
    return add(Tracking(config), home, verdict="ready")


@pytest.fixture(scope="module")
def client(home):
    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


def test_without_a_model_none_is_found_and_the_error_says_what_to_do(tmp_path, with_store):
    config = product(with_store(tmp_path), [{"account": "a", "signed_up": "2026-01-01"}], [], [])
    tracking = Tracking(config)
    assert tracking.find("champion") is None
    assert tracking.find("1") is None
    with pytest.raises(
        ModelNotFoundError, match=r"There is no champion of the model `small-world`.*Fix: train with `pql train`"
    ):
        tracking.get("champion")


def test_a_run_holds_parameters_metrics_with_their_interval_tags_and_files(logged, client):
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"num_leaves": "7", "seed": "7"}
    assert run.data.metrics == {
        "roc_auc": 0.7,
        "roc_auc_low": 0.6,
        "roc_auc_high": 0.8,
        "brier": 0.1,
        "activity_roc_auc": 0.6,
    }
    assert run.data.tags["verdict"] == "ready"
    assert [item.path for item in client.list_artifacts(logged.run_id)] == ["card.md"]


def test_every_trial_is_a_run_inside_the_run(logged, client):
    experiment = client.get_run(logged.run_id).info.experiment_id
    runs = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{logged.run_id}'")
    found = sorted((r.info.run_name, r.info.status, r.data.params, r.data.metrics) for r in runs)
    assert found == [
        ("trial 0", "FINISHED", {"num_leaves": "7"}, {"fold_roc_auc": 0.71}),
        ("trial 1", "KILLED", {"num_leaves": "3"}, {}),
    ]


def test_a_new_version_is_the_challenger_and_becomes_champion_when_promoted(logged, config, home):
    tracking = Tracking(config)
    assert tracking.get("challenger").version == logged.version == "1"
    tracking.promote("1")
    second = add(tracking, home, seed=2)
    assert (tracking.get("champion").version, tracking.get("challenger").version, second.version) == ("1", "2", "2")
    assert tracking.get("1").run_id == logged.run_id


def test_a_model_comes_back_bit_for_bit(logged, config):
    assert Tracking(config).get("1").model.predictor.texts() == small_model().predictor.texts()


def test_the_model_that_is_stored_holds_no_pickle(logged, home):
    stored = [path for path in (home / "mlruns" / "models").rglob("*") if path.is_file()]
    assert {path.suffix for path in stored} == {".txt", ".json", ".yaml", ".py", ""}  # "" is MLmodel
    assert not any(path.read_bytes().startswith(b"\x80") for path in stored)
    (about, *_) = (home / "mlruns" / "models").rglob("MLmodel")
    assert "model_code_path" in about.read_text()
    assert "python_model.pkl" not in about.read_text()


def test_the_environment_is_left_as_it_was(config, home, monkeypatch):
    before = {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")}
    Tracking(config).get("1")
    assert {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")} == before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'other.db'}")
    Tracking(config, f"sqlite:///{home / 'mlflow.db'}").get("1")
    assert os.environ["MLFLOW_TRACKING_URI"] == mlflow.get_tracking_uri() == f"sqlite:///{home / 'other.db'}"


def test_a_run_that_breaks_while_it_logs_leaves_no_version(config, home, client, monkeypatch):
    def broken(self, model):
        raise OSError("disk full")

    before = len(client.search_model_versions("name = 'small-world'"))
    monkeypatch.setattr(Tracking, "_log_model", broken)
    with pytest.raises(OSError, match="disk full"):
        add(Tracking(config), home)
    assert len(client.search_model_versions("name = 'small-world'")) == before
    assert "MLFLOW_TRACKING_URI" not in os.environ


# ---------------------------------------------------------------- versions, champions, and the way back


@pytest.fixture
def fresh(tmp_path, with_store):
    """A product of its own: nothing registered yet."""
    return Tracking(product(with_store(tmp_path), [{"account": "a", "signed_up": "2026-01-01"}], [], []))


def versions(tracking, home, number):
    """Register so many versions of one logged model: logging each would take a second."""
    logged = tracking.log(small_model(), record(home, trials=[]))
    return [tracking.register(logged, {"verdict": "ready"}).version for _ in range(number)]


def test_what_has_no_version_has_no_list_and_no_champion(fresh):
    assert (fresh.versions(), fresh.champion()) == ([], None)


def test_a_version_has_all_its_tags_from_the_start_and_nobody_but_it_is_the_challenger(fresh, tmp_path):
    made = add(fresh, tmp_path, verdict="weak", roc_auc="0.7", roc_auc_low="0.6", roc_auc_high="0.8", promotion="why")
    (only,) = fresh.versions()
    assert (only.version, only.aliases, only.run_id) == ("1", ("challenger",), made.run_id)
    assert (only.verdict, only.roc_auc, only.promotion) == ("weak", Estimate(0.7, 0.6, 0.8), "why")
    assert (only.promoted_at, only.rolled_back_at, only.forced) == (None, None, False)
    assert only.trained_at > "2026"


def test_champions_are_remembered_in_their_order_and_the_way_back_is_shown(fresh, tmp_path):
    versions(fresh, tmp_path, 3)
    for version in ("1", "2", "3"):
        fresh.promote(version)
    assert [(v.version, v.aliases) for v in fresh.versions()] == [
        ("3", ("challenger", "champion")),
        ("2", ("previous",)),
        ("1", ()),
    ]
    assert fresh.client.get_registered_model(fresh.name).tags["champions"] == '["1", "2", "3"]'
    fresh.promote("2", by="rollback")
    three, two, one = fresh.versions()
    assert (three.aliases, two.aliases, one.aliases) == (("challenger",), ("champion",), ("previous",))
    assert three.rolled_back_at == two.promoted_at
    fresh.promote("3", by="force")  # the tag of having been left goes
    assert fresh.versions()[0].rolled_back_at is None


def test_a_champion_made_by_hand_in_mlflow_is_known_once_it_is_replaced(fresh, tmp_path):
    versions(fresh, tmp_path, 2)
    fresh.client.set_registered_model_alias(fresh.name, "champion", "1")
    fresh.promote("2")
    assert fresh.versions()[1].aliases == ("previous",)


def test_a_model_whose_files_are_gone_is_an_error_that_names_it(fresh, tmp_path):
    versions(fresh, tmp_path, 1)
    shutil.rmtree(tmp_path / "mlruns" / "models")
    with pytest.raises(
        DataError, match=r"The files of version 1 of the model `small-world` cannot be read.*pql models"
    ):
        fresh.get("1")


# ---------------------------------------------------------------- what a killed process leaves


def test_runs_that_a_killed_process_left_running_are_closed_by_the_next_and_others_are_not(fresh, tmp_path):
    place = {module._PLACE: fresh._place}
    dead, elsewhere, by_hand = (
        fresh.client.create_run(fresh.experiment_id, tags=tags).info.run_id
        for tags in (place, {module._PLACE: "another folder"}, {})
    )
    logged = fresh.log(small_model(), record(tmp_path))
    status = {run.info.run_id: run.info.status for run in fresh.client.search_runs([fresh.experiment_id])}
    assert (status[dead], status[elsewhere], status[by_hand]) == ("KILLED", "RUNNING", "RUNNING")
    assert status[logged.run_id] == "FINISHED"
    assert fresh.versions() == []  # logged, not registered


def test_the_store_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    class Killed:
        def __init__(self, uri, _):
            self.path = uri.removeprefix("sqlite:///")

        def search_experiments(self):
            with open(self.path, "w") as half:
                half.write("half a database")
            raise OSError("killed")

    monkeypatch.setattr(module, "MlflowClient", Killed)
    with pytest.raises(OSError, match="killed"):
        module._make_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert [path.name for path in tmp_path.iterdir()] == [".pql"]


def test_an_experiment_that_another_training_makes_at_the_same_moment_is_used(config, monkeypatch):
    tracking = Tracking(config)
    real, asked = tracking.client.get_experiment_by_name, []

    def not_yet(name):
        asked.append(name)
        return None if len(asked) == 1 else real(name)

    monkeypatch.setattr(tracking.client, "get_experiment_by_name", not_yet)
    assert tracking._experiment(config) == tracking.experiment_id


def test_a_tracking_server_that_makes_no_sense_is_refused_in_words(config):
    with pytest.raises(
        PqlError, match=r"MLflow cannot be used: .*Received: nonsense://here. Fix: check MLFLOW_TRACKING_URI"
    ):
        Tracking(config, "nonsense://here")


def test_the_stored_model_takes_missing_values_other_orders_and_what_conforms(logged, config, home):
    table = small_table(rows=20)[0].fillna({"trait.seats": 5})
    texts = MANIFEST.conform(table.astype({"trait.seats": "string", "Teammate+Invited.count.first_7d": "int64"}))
    blank = table.assign(**{"trait.size": None, "trait.seats": np.nan})
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    try:
        model = mlflow.pyfunc.load_model("models:/small-world/1")
        for given in (table, texts, blank, table[table.columns[::-1]]):
            expected = small_model().probability(given.reindex(columns=table.columns))
            np.testing.assert_allclose(model.predict(given)["probability"], expected, rtol=0, atol=1e-12)
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def test_what_was_stored_scores_a_table_as_it_comes(logged, config):
    table = small_table(rows=20)[0]
    odd = table.assign(**{"trait.seats": table["trait.seats"].astype("string"), "trait.size": [True, 12.0] * 10})
    for given in (table, odd):
        rows = Tracking(config).predict(logged, given)
        np.testing.assert_allclose(rows["probability"], small_model().probability(given), rtol=0, atol=1e-12)
        assert rows["reasons"].tolist() == scored_rows(small_model(), given)["reasons"].tolist()


def test_the_words_ask_for_an_age_that_the_model_does_not_read(tmp_path, with_store):
    """A trial with one landmark: every age is the same, and no column."""
    table, y = small_table()
    manifest = MANIFEST.without([AGE])
    data = training_data(manifest.matrix(table), y, manifest.names, manifest.categorical)
    model = replace(small_model(), manifest=manifest, predictor=fit_ensemble(data, [PARAMS], 1))
    tracking = Tracking(product(with_store(tmp_path), [{"account": "a", "signed_up": "2026-01-01"}], [], []))
    registered = tracking.register(tracking.log(model, record(tmp_path)), {})

    young = table.head(20).assign(**{AGE: 3.0})
    payload = tracking.predict(registered, young)["reasons"].tolist()
    assert payload == scored_rows(model, young)["reasons"].tolist()
    assert any("so far, of the first 7 days" in reasons for reasons in payload)


def test_what_the_model_reads_as_a_number_and_a_condition_as_a_text_is_both_to_the_stored_model(tmp_path, with_store):
    """As a number, true would be 1 and 007 be 7, and no condition would hold."""
    asked = [BoundCriterion(Criterion.model_validate({"trait": t, "in": ["true"]}), t) for t in ("seats", "new")]
    decider = replace(Decider.of_facts(small_model().facts), criteria=tuple(asked))
    model = replace(small_model(), facts={**small_model().facts, KEY: decider.to_dict()})
    tracking = Tracking(product(with_store(tmp_path), [{"account": "a", "signed_up": "2026-01-01"}], [], []))
    registered = tracking.register(tracking.log(model, record(tmp_path)), {})

    table = small_table(rows=6)[0].assign(
        **{"trait.seats": [True, False, True] * 2, "trait.new": [None, None, "true"] * 2}
    )
    rows = tracking.predict(registered, table)
    np.testing.assert_allclose(rows["probability"], model.probability(table), rtol=0, atol=1e-12)
    met = [[criterion["id"] for criterion in json.loads(payload)] for payload in rows["criteria_met"]]
    assert met == [["seats"], [], ["seats", "new"]] * 2


def test_a_stored_model_that_cannot_be_asked_is_said(logged, config):
    with pytest.raises(DataError, match=r"MLflow cannot score with version 99 .*`pql models` lists them"):
        Tracking(config).predict(replace(logged, version="99"), small_table(rows=2)[0])
