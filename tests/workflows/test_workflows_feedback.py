"""`pql feedback` on products with and without a model."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

import pql_model
from pql_model.score_log.files import write_log
from pql_model.score_log.log_schema import log_table
from pql_model.time import DAY, iso, parse_instant
from tests.outreach.product import write_product


def test_contacts_reasons_of_the_score_and_owners_are_counted(tmp_path):
    result = pql_model.feedback(write_product(tmp_path, contacted=0.6, per_day=10, days=70))
    payload = result.to_dict()

    assert 0.5 < payload["overall"]["contacted"] / payload["overall"]["leads"] < 0.7
    assert [group["group"] for group in payload["groups"]["reason"]] == ["Opened"]
    assert [group["group"] for group in payload["groups"]["owner"]] == ["kim"]
    assert payload["contact_delay"]["median_days"] < 3
    assert payload["untouched"]["leads"] > 0
    assert payload["rejected_traits"]["enough"] is False


def test_as_of_an_earlier_instant_later_answers_do_not_exist(tmp_path):
    product = write_product(tmp_path, per_day=10, days=70)
    early, late = pql_model.feedback(product, as_of="2026-01-25"), pql_model.feedback(product)

    assert early.summary.overall.leads < late.summary.overall.leads
    assert early.summary.overall.contacted < late.summary.overall.contacted


@pytest.fixture(scope="module")
def rejecting(trained, tmp_path_factory):
    """The demo with an alert a day for each account on day 7, of which sales rejects the smallest companies."""
    home = tmp_path_factory.mktemp("feedback") / "demo"
    shutil.copytree(trained.folder.parent.parent, home, ignore=shutil.ignore_patterns("score_log", ".pql"))
    config = yaml.safe_load((home / "pql.yaml").read_text(encoding="utf-8"))
    accounts = pd.read_csv(home / config["entities"]["table"], dtype=str)
    columns = config["entities"]["columns"]
    rng = np.random.default_rng(1)
    sizes = accounts["company_size"].fillna("")
    rows, answers = [], []
    for entity, signed_up, size in zip(accounts[columns["entity"]], accounts[columns["signed_up"]], sizes, strict=True):
        at = parse_instant(signed_up) + 7 * DAY
        rows.append((entity, at))
        rejected = rng.random() < (0.8 if size == sizes.mode()[0] else 0.2)
        answers.append((entity, iso(at + DAY), "no" if rejected else "yes", "too small" if rejected else "", "kim"))
    with (home / "answers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("account", "at", "status", "why", "rep"), *answers])
    instants = pd.to_datetime([at for _, at in rows], unit="us", utc=True)
    logged = pd.DataFrame(
        {
            "entity": [entity for entity, _ in rows],
            "as_of": instants,
            "scored_at": instants + pd.Timedelta(1, "h"),
            "probability": 0.3,
            "band": "high",
            "is_pql": True,
            "newly_qualified": True,
            "model_version": "unregistered",
            "feature_set": "f",
            "reasons": "[]",
        }
    )
    write_log(
        home / "score_log", [log_table(logged, [np.zeros(1)] * len(logged), "score", [config["name"]] * len(logged))]
    )
    config["score_log"] = "score_log/"
    config["feedback"] = {
        "table": "answers.csv",
        "columns": {"entity": "account", "time": "at", "disposition": "status", "reason": "why", "owner": "rep"},
        "means": {"accepted": ["yes"], "rejected": ["no"]},
    }
    (home / "pql.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return home / "pql.yaml", sizes.mode()[0]


def test_a_trait_that_rejected_leads_share_is_named(rejecting):
    config, size = rejecting
    result = pql_model.feedback(config)

    confirmed = [trait.text for trait in result.summary.traits.confirmed]
    assert f"`company_size` is {size}" in confirmed
    assert any(line.startswith("Rejected more often: ") for line in result.sentences)
    assert result.to_dict()["rejection_reasons"][0]["reason"] == "too small"
