"""Conversions that end before the events: a training says so, a refit is refused, and `observed_until` has the last word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from worlds import at, product

import pql_model
from pql_model.errors import DataError
from pql_model.progress import Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY
from pql_model.workflows.forecast import forecast
from pql_model.workflows.known_outcomes import missing_outcomes, read_for_training, refuse_refit, with_warning

START = at("2026-01-01")


def shop(home: Path, paid_until: int, renew: bool = False, **config):
    """150 days, two sign-ups a day, who are active for three weeks; every second one pays after a week.

    With `renew` each pays again every four weeks, until the end.
    """
    accounts, events, paid = [], [], []
    for k in range(300):
        signed_up = int(START + k * DAY / 2)
        accounts.append({"account": f"a{k:03}", "signed_up": signed_up})
        events += [{"account": f"a{k:03}", "event": "opened", "time": signed_up + d * DAY + 1000} for d in range(21)]
        if k % 2 and signed_up + 7 * DAY < START + paid_until * DAY:
            times = range(signed_up + 7 * DAY, START + 150 * DAY, 28 * DAY)
            paid += [{"account": f"a{k:03}", "time": time} for time in (times if renew else times[:1])]
    events = [event for event in events if event["time"] < START + 150 * DAY]
    return product(home, accounts, events, paid, **config)


def read(config):
    with open_session("500MB") as con:
        return read_for_training(con, config, Stages())


def test_payments_that_reach_the_end_raise_no_question(tmp_path):
    sources, missing = read(shop(tmp_path, 150))

    assert missing is None
    assert sources.warnings == ()
    assert with_warning(sources, None) is sources
    refuse_refit(None)


@pytest.mark.parametrize("days", [45, 100, 125])
def test_payments_that_end_early_are_a_warning_with_a_remedy(tmp_path, days):
    sources, missing = read(shop(tmp_path, days))

    assert (missing.kind, missing.subject) == ("event_stopped", "conversions")
    [warning] = sources.warnings
    assert warning.startswith("Conversions in conversions.csv stopped on 2026-")
    assert "set `observed_until` to the day on which it ends" in warning
    with pytest.raises(DataError, match="a refit would learn that nobody buys any more"):
        refuse_refit(missing)


def test_whoever_sets_the_end_of_the_data_has_decided(tmp_path):
    config = shop(tmp_path, 100, observed_until="2026-05-30")
    with open_session("500MB") as con:
        sources, missing = read_for_training(con, config, Stages())
        assert missing is None
        assert missing_outcomes(sources, config) is None
    assert sources.warnings == ()


def test_renewals_or_the_config_show_that_nobody_new_buys_and_training_goes_on(tmp_path):
    """A refit then follows the level down."""
    (tmp_path / "renewing").mkdir()
    silent = shop(tmp_path, 100)
    complete = silent.conversions.model_copy(update={"complete_until": at("2026-05-28")})
    for config in (silent.model_copy(update={"conversions": complete}), shop(tmp_path / "renewing", 100, renew=True)):
        sources, missing = read(config)

        assert missing is None
        assert sources.warnings == ()
        refuse_refit(missing)


def test_a_forecast_says_that_it_counts_missing_payments_as_none(tmp_path):
    notes = forecast(shop(tmp_path, 110), weeks=2).notes

    [note] = [note for note in notes if "Conversions in conversions.csv stopped" in note]
    assert "`--as-of 2026-04-2" in note
    assert not [note for note in forecast(shop(tmp_path, 150), weeks=2).notes if "stopped" in note]


def test_a_refit_of_the_demo_without_its_newest_payments_is_refused(trained, tmp_path):
    source = trained.folder.parent.parent
    for name in ("pql.yaml", "events.parquet", "accounts.csv", "subscriptions.csv", "mlflow.db"):
        shutil.copy(source / name, tmp_path)
    paid = pd.read_csv(tmp_path / "subscriptions.csv")
    paid[paid["paid_at"].astype(str) < "2025-10-15"].to_csv(tmp_path / "subscriptions.csv", index=False)

    with pytest.raises(DataError, match="a refit would learn that nobody buys any more"):
        pql_model.train(tmp_path / "pql.yaml", refit=True)
    payload = json.loads(json.dumps(pql_model.check(tmp_path / "pql.yaml").to_dict()))
    assert any("Conversions in subscriptions.csv stopped on 2025-1" in warning for warning in payload["warnings"])
    assert not any("stopped" in warning for warning in trained.to_dict()["warnings"])
