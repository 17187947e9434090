import json

import pytest
from worlds import product

import pql_model
from pql_model.errors import DataError, ModelNotFoundError, PqlError
from pql_model.registry import tracking as module
from pql_model.registry.tracking import Tracking
from pql_model.workflows.rollback import models, rollback


@pytest.fixture
def config(tmp_path, with_store):
    return product(with_store(tmp_path), [{"account": "a", "signed_up": "2026-01-01"}], [], [])


@pytest.fixture
def registry(config, monkeypatch):
    """Versions 1 to 4 without files, of which 1, 2 and 3 were promoted in turn; every one but 4 can be loaded."""
    tracking = Tracking(config)
    tracking._ensure_registered_model()
    for version in ("1", "2", "3", "4"):
        run = tracking.client.create_run(tracking.experiment_id).info.run_id
        tracking.client.create_model_version(tracking.name, f"runs:/{run}/model", run, tags={"verdict": "weak"})
        if version != "4":
            tracking.promote(version)

    def get(self, alias):
        if alias == "4":
            raise DataError("A file of this model was changed")

    monkeypatch.setattr(module.Tracking, "load", get)
    return tracking


def test_rollback_restores_the_previous_champion_and_twice_the_one_before(config, registry):
    first = rollback(config)
    assert (first.champion.version, first.before.version, registry.champion()) == ("2", "3", "2")
    assert first.text == "Version 2 of small-world is champion again instead of version 3."
    assert first.before.rolled_back_at == first.champion.promoted_at
    assert rollback(config).champion.version == "1"
    with pytest.raises(
        ModelNotFoundError,
        match=r"no earlier champion of the model `small-world`. Received: version 1 is the only champion so far. Fix: name",
    ):
        rollback(config)
    assert registry.champion() == "1"


def test_any_version_can_be_named_even_one_that_never_was_champion(config, registry, monkeypatch):
    assert rollback(config, to=1).text == "Version 1 of small-world is champion again instead of version 3."
    monkeypatch.setattr(module.Tracking, "load", lambda self, alias: None)
    never = rollback(config, to="4")
    assert not never.was_champion
    assert never.text == "Version 4 of small-world is champion for the first time (verdict: weak) instead of version 1."
    assert rollback(config).champion.version == "1"  # and back


def test_an_unknown_version_is_refused_with_the_known_ones(config, registry):
    with pytest.raises(ModelNotFoundError, match=r"no such version.*Received: 9. Allowed: 4, 3, 2, 1."):
        rollback(config, to="9")
    assert registry.champion() == "3"


def test_rollback_to_the_champion_itself_is_refused(config, registry):
    with pytest.raises(PqlError, match="Version 3 of the model `small-world` is already the champion"):
        rollback(config, to="3")


def test_an_unloadable_version_is_refused_and_the_champion_stays(config, registry):
    with pytest.raises(
        DataError,
        match=r"Version 4 cannot become champion because it cannot be loaded. A file of this model was changed",
    ):
        rollback(config, to="4")
    assert registry.champion() == "3"


def test_without_versions_there_is_nothing_to_list_or_restore(config):
    assert models(config).to_dict() == {"name": "small-world", "models": []}
    for to in (None, "1"):
        with pytest.raises(ModelNotFoundError, match=r"of the model `small-world`.*Fix: train with `pql train`"):
            rollback(config, to=to)


def test_without_a_champion_the_most_recent_one_is_restored(config, registry):
    registry.client.delete_registered_model_alias(registry.name, "champion")
    result = rollback(config)
    assert (result.champion.version, result.before) == ("3", None)
    assert result.text == "Version 3 of small-world is champion again."


def test_models_and_rollback_give_json(config, registry):
    payload = json.loads(json.dumps(rollback(config).to_dict(), allow_nan=False))
    assert (payload["champion"]["version"], payload["before"]["version"], payload["was_champion"]) == ("2", "3", True)
    listed = json.loads(json.dumps(models(config).to_dict(), allow_nan=False))
    assert [(m["version"], m["aliases"]) for m in listed["models"]] == [
        ("4", []),
        ("3", []),
        ("2", ["champion"]),
        ("1", ["previous"]),
    ]
    assert {"verdict", "roc_auc", "trained_at", "promoted_at", "promotion", "run_id", "forced"} <= set(
        listed["models"][0]
    )


def test_a_trained_version_is_listed_with_its_figures_and_reasons(trained, retrained):
    second, first = pql_model.models(trained.folder.parent.parent / "pql.yaml").versions
    assert (first.aliases, second.aliases) == (("champion",), ("challenger",))
    assert first.verdict == trained.verdict.name
    assert first.roc_auc.value == pytest.approx(trained.evaluation.test["roc_auc"].value, abs=1e-6)
    assert first.promotion == trained.promotion.reason
    assert second.promotion == retrained.promotion.reason
    assert first.promoted_at is not None
    assert second.promoted_at is None
