import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from records import add, config_in, record
from small_model import MANIFEST, PARAMS, small_model, small_table

from pql_model.config.definition import Criterion
from pql_model.criteria.evaluate import BoundCriterion
from pql_model.decide.decider import KEY, Decider
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.explain.scored import scored_rows
from pql_model.model.age_level import AGE
from pql_model.model.booster import fit_ensemble, training_data
from pql_model.registry.history import version_tags
from pql_model.registry.tracking import Tracking
from pql_model.statistics.estimate import Estimate


def test_without_a_model_none_is_found_and_the_error_says_what_to_do(tmp_path, with_store):
    config = config_in(with_store(tmp_path))
    tracking = Tracking(config)
    assert tracking.load_if_registered("champion") is None
    assert tracking.load_if_registered("1") is None
    with pytest.raises(
        ModelNotFoundError, match=r"There is no champion of the model `small-world`.*Fix: train with `pql train`"
    ):
        tracking.load("champion")


def test_a_new_version_is_the_challenger_and_becomes_champion_when_promoted(logged, config, home):
    tracking = Tracking(config)
    assert tracking.load("challenger").version == logged.version == "1"
    tracking.promote("1")
    second = add(tracking, home, seed=2)
    assert (tracking.load("champion").version, tracking.load("challenger").version, second.version) == ("1", "2", "2")
    assert tracking.load("1").run_id == logged.run_id


def test_a_model_comes_back_bit_for_bit(logged, config):
    assert Tracking(config).load("1").model.predictor.save() == small_model().predictor.save()


def versions(tracking, home, number):
    """Register so many versions of one logged model: logging each would take a second."""
    logged = tracking.log(small_model(), record(home, trials=[]))
    return [tracking.register(logged, {"verdict": "ready"}).version for _ in range(number)]


def test_a_model_without_versions_has_an_empty_list_and_no_champion(fresh):
    assert (fresh.versions(), fresh.champion()) == ([], None)


def test_a_version_has_all_its_tags_from_the_start_and_is_the_only_challenger(fresh, tmp_path):
    made = add(fresh, tmp_path, **version_tags("weak", Estimate(0.7, 0.6, 0.8), "failed", "why"))
    (only,) = fresh.versions()
    assert (only.version, only.aliases, only.run_id) == ("1", ("challenger",), made.run_id)
    assert (only.verdict, only.roc_auc, only.promotion) == ("weak", Estimate(0.7, 0.6, 0.8), "why")
    assert (only.promoted_at, only.rolled_back_at, only.forced) == (None, None, False)
    assert only.trained_at > "2026"


def test_champions_are_recorded_in_order(fresh, tmp_path):
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


def test_a_champion_set_by_hand_in_mlflow_is_recorded_once_it_is_replaced(fresh, tmp_path):
    versions(fresh, tmp_path, 2)
    fresh.client.set_registered_model_alias(fresh.name, "champion", "1")
    fresh.promote("2")
    assert fresh.versions()[1].aliases == ("previous",)


def test_a_model_whose_files_are_missing_is_named_in_the_error(fresh, tmp_path):
    versions(fresh, tmp_path, 1)
    shutil.rmtree(tmp_path / "mlruns" / "models")
    with pytest.raises(
        DataError, match=r"The files of version 1 of the model `small-world` cannot be read.*pql models"
    ):
        fresh.load("1")


def test_the_stored_model_scores_tables_of_other_column_types(logged, config):
    table = small_table(rows=20)[0]
    odd = table.assign(**{"trait.seats": table["trait.seats"].astype("string"), "trait.size": [True, 12.0] * 10})
    for given in (table, odd):
        rows = Tracking(config).predict(logged, given)
        np.testing.assert_allclose(rows["probability"], small_model().probability(given), rtol=0, atol=1e-12)
        assert rows["reasons"].tolist() == scored_rows(small_model(), given)["reasons"].tolist()


def test_reasons_use_an_age_that_the_model_does_not_read(tmp_path, with_store):
    """A trial with one landmark: every age is the same, and no column."""
    table, y = small_table()
    manifest = MANIFEST.without([AGE])
    data = training_data(manifest.matrix(table), y, manifest.names, manifest.categorical)
    model = replace(small_model(), manifest=manifest, predictor=fit_ensemble(data, [PARAMS], 1))
    tracking = Tracking(config_in(with_store(tmp_path)))
    registered = tracking.register(tracking.log(model, record(tmp_path)), {})

    young = table.head(20).assign(**{AGE: 3.0})
    payload = tracking.predict(registered, young)["reasons"].tolist()
    assert payload == scored_rows(model, young)["reasons"].tolist()
    assert any("so far, of the first 7 days" in reasons for reasons in payload)


def test_a_trait_may_be_a_number_for_the_model_and_a_text_for_a_condition(tmp_path, with_store):
    """As a number, true would be 1 and 007 be 7, and no condition would hold."""
    asked = [BoundCriterion(Criterion.model_validate({"trait": t, "in": ["true"]}), t) for t in ("seats", "new")]
    decider = replace(Decider.of_facts(small_model().facts), criteria=tuple(asked))
    model = replace(small_model(), facts={**small_model().facts, KEY: decider.to_dict()})
    tracking = Tracking(config_in(with_store(tmp_path)))
    registered = tracking.register(tracking.log(model, record(tmp_path)), {})

    table = small_table(rows=6)[0].assign(
        **{"trait.seats": [True, False, True] * 2, "trait.new": [None, None, "true"] * 2}
    )
    rows = tracking.predict(registered, table)
    np.testing.assert_allclose(rows["probability"], model.probability(table), rtol=0, atol=1e-12)
    met = [[criterion["id"] for criterion in json.loads(payload)] for payload in rows["criteria_met"]]
    assert met == [["seats"], [], ["seats", "new"]] * 2


def test_a_stored_model_that_fails_is_reported(logged, config):
    with pytest.raises(DataError, match=r"MLflow cannot score with version 99 .*`pql models` lists them"):
        Tracking(config).predict(replace(logged, version="99"), small_table(rows=2)[0])
