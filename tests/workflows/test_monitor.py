"""`pql monitor` from the data to the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

import pql_model
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.monitoring.advice import REMEDIES
from pql_model.monitoring.finding import KINDS

EARLIER = "2025-09-15"


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory) -> Path:
    """A copy of the trained demo, which this module may change."""
    source = trained.folder.parent.parent
    folder = tmp_path_factory.mktemp("monitored")
    for name in ("pql.yaml", "events.parquet", "accounts.csv", "subscriptions.csv", "mlflow.db"):
        shutil.copy(source / name, folder)
    return folder


@pytest.fixture(scope="module")
def first_look(home):
    return pql_model.monitor(home / "pql.yaml")


def test_the_object_has_the_fields_of_the_contract(first_look):
    payload = json.loads(json.dumps(first_look.to_dict(), allow_nan=False))

    assert {"as_of", "model", "realised", "findings", "advice", "why"} <= set(payload)
    assert set(payload["model"]) == {"name", "version"}
    assert payload["advice"] in REMEDIES
    assert all(isinstance(why, str) for why in payload["why"])
    for finding in payload["findings"]:
        assert {"kind", "subject", "since", "figure", "expected", "words"} <= set(finding)
        assert finding["kind"] in KINDS


def test_right_after_the_training_nothing_can_judge_the_model_and_it_says_so(first_look):
    assert first_look.health.final == 0
    assert first_look.health.ranking is None
    assert any("No outcome that the model has not learnt from is final yet" in note for note in first_look.notes)
    assert not first_look.newer_outcomes
    assert first_look.training is None
    assert not {f.kind for f in first_look.findings} & {"performance_fell", "calibration_off", "criterion_stale"}


def test_the_page_is_beside_the_config_and_mlflow_has_the_figures(home, first_look):
    html = (home / "monitor.html").read_text(encoding="utf-8")
    assert first_look.advice.headline.split("`")[0] in html
    assert "acc-0" not in html
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    [experiment] = [e for e in client.search_experiments() if e.name == "nimbus-boards"]
    [run] = client.search_runs([experiment.experiment_id], "tags.`pql.monitoring` = 'true'")
    assert run.data.tags["advice"] == first_look.advice.remedy
    assert run.data.metrics["monitor/findings"] == len(first_look.findings)


def test_a_look_at_the_past_uses_nothing_later(home, first_look, tmp_path):
    past = pql_model.monitor(home / "pql.yaml", as_of="2025-10-01", output=tmp_path / "past.html")

    assert past.to_dict()["as_of"] == "2025-10-01"
    assert any("No version had been promoted on data of before 2025-10-01" in note for note in past.notes)
    assert past.health.final == 0
    assert past.changes.since is None  # the look of today is not the one before
    now = past.realised.total.rows if past.realised is not None else 0
    assert now < first_look.realised.total.rows


def test_a_look_at_the_future_is_refused_and_not_remembered(home, first_look):
    memory = next((home / ".pql").glob("monitor-*.json"))
    before = memory.read_text(encoding="utf-8")
    for future in ("2031-01-01", "2099-12-31T23:00"):
        with pytest.raises(DataError, match="A look is taken where the data end, or before"):
            pql_model.monitor(home / "pql.yaml", as_of=future)

    assert memory.read_text(encoding="utf-8") == before


def test_a_name_that_is_not_html_and_a_product_without_a_model_are_refused(home, tmp_path):
    with pytest.raises(DataError, match="page of the monitor is an HTML file"):
        pql_model.monitor(home / "pql.yaml", output="monitor.pdf")
    folder = pql_model.make_demo(tmp_path, accounts=300)
    with pytest.raises(ModelNotFoundError, match="no champion"):
        pql_model.monitor(folder / "pql.yaml")


@pytest.fixture(scope="module")
def watched(tmp_path_factory, train_once) -> Path:
    """The demo, trained on what was known in September; its data now reach to the end of the year."""
    folder = pql_model.make_demo(tmp_path_factory.mktemp("watched"), accounts=3000)
    config = folder / "pql.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}observed_until: {EARLIER}\n", encoding="utf-8")
    train_once(config, trials=2, promote="force")
    config.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_months_later_the_outcomes_judge_the_model(watched):
    seen = pql_model.monitor(watched / "pql.yaml")

    assert seen.health.final > 100
    assert seen.newer_outcomes
    assert seen.realised.total.converting > 10
    assert seen.health.rows == "version 1"
    assert not {f.kind for f in seen.findings} & {"performance_fell", "calibration_off"}
    assert seen.advice.remedy in ("keep", "watch")


@pytest.mark.slow
def test_odds_that_fall_are_found_and_a_recalibration_is_advised(watched, tmp_path):
    shutil.copytree(watched, tmp_path / "cut")
    path = tmp_path / "cut" / "subscriptions.csv"
    paid = pd.read_csv(path)
    late = paid["paid_at"].astype(str) >= EARLIER
    paid[~late | (paid.index % 6 == 0)].to_csv(path, index=False)
    seen = pql_model.monitor(tmp_path / "cut" / "pql.yaml")

    assert "calibration_off" in {f.kind for f in seen.findings}
    assert seen.advice.remedy == "recalibrate"
    assert seen.training == "recalibrate"
    assert seen.severity == "act"


@pytest.mark.slow
@pytest.mark.parametrize("proof", ["renewals", "config"])
def test_where_nobody_buys_any_more_the_level_is_refitted_and_no_repair_is_asked_for(watched, tmp_path, proof):
    folder = shutil.copytree(watched, tmp_path / "cut")
    path, config = folder / "subscriptions.csv", folder / "pql.yaml"
    paid = pd.read_csv(path)
    paid = paid[pd.to_datetime(paid["paid_at"], errors="coerce", utc=True) < pd.Timestamp("2025-11-15", tz="UTC")]
    paid.to_csv(path, index=False)
    assert pql_model.monitor(config).advice.remedy == "fix_tracking"

    if proof == "config":
        text = config.read_text(encoding="utf-8")
        config.write_text(
            text.replace("conversions:\n", "conversions:\n  complete_until: 2026-01-31\n"), encoding="utf-8"
        )
    else:
        first = pd.to_datetime(paid["paid_at"], utc=True)
        months = [paid.assign(paid_at=first + pd.Timedelta(days=30 * month)) for month in range(13)]
        rows = pd.concat(months)
        rows[rows["paid_at"] < "2026-01-31T20:00Z"].to_csv(path, index=False)
    seen = pql_model.monitor(config)

    [stopped] = [f for f in seen.findings if f.kind == "base_rate_changed"]
    assert "nobody new buys" in stopped.words
    assert seen.advice.remedy == "recalibrate"
    refit = pql_model.train(config, refit=True, promote="force")
    assert not any("stopped" in warning for warning in refit.to_dict()["warnings"])
