from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Criterion
from pql_model.config.load import load_config, parse_config
from pql_model.demo.mechanism import payments, true_probabilities
from pql_model.demo.usage import NEVER, draw_accounts, trial_usage
from pql_model.demo.world import World, make_world, write_world
from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.statistics.univariate_auc import roc_auc
from pql_model.time import DAY

DAYS = pd.Timedelta(days=1)
END = pd.Timestamp("2026-02-01", tz="UTC")
PLANTED_IN_4000 = {
    "no_entity": 48,
    "unparsable_time": 24,
    "duplicate_id": 200,
    "bot": 240,
    "unknown_entity": 80,
    "before_signup": 80,
    "after_observed_until": 16,
}


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def signed_up(world: World) -> pd.Series:
    return pd.to_datetime(world.accounts.set_index("account_id")["created_at"])


@pytest.fixture(scope="module")
def paid(world: World) -> pd.Series:
    return pd.to_datetime(world.conversions["paid_at"]).groupby(world.conversions["account_id"]).min()


@pytest.fixture(scope="module")
def judged(world: World, signed_up: pd.Series) -> pd.DataFrame:
    """The events with the reason to set each aside, judged row by row as a reader of the rules would."""
    t = world.events.assign(
        time=pd.to_datetime(world.events["occurred"], errors="coerce", format="ISO8601", utc=True),
        born=world.events["account_id"].map(signed_up),
    )
    reasons = [
        ("no_entity", t["account_id"].fillna("").eq("")),
        ("no_event", t["action"].fillna("").eq("")),
        ("unparsable_time", t["time"].isna()),
        ("duplicate_id", t["event_id"].duplicated()),
        ("bot", t["user_id"].eq("uptime-bot") | t["user_agent"].fillna("").str.contains("Googlebot/2.1")),
        ("unknown_entity", t["born"].isna()),
        ("before_signup", t["time"] < t["born"]),
        ("after_observed_until", t["time"] > END),
    ]
    names = np.array([name for name, _ in reasons])
    return t.assign(reason=np.select([hit for _, hit in reasons], names, default=""))


@pytest.fixture(scope="module")
def snapshots(world: World, signed_up: pd.Series, paid: pd.Series) -> pd.DataFrame:
    t = world.truth.probabilities
    t = t.assign(as_of=t["as_of"].dt.tz_localize("UTC"), paid=t["entity"].map(paid))
    return t.assign(
        age=(t["as_of"] - t["entity"].map(signed_up)) / DAYS,
        mature=t["as_of"] + 30 * DAYS <= END,
        converted=(t["paid"] >= t["as_of"]) & (t["paid"] < t["as_of"] + 30 * DAYS),
    )


def before(judged: pd.DataFrame, days: int) -> pd.DataFrame:
    return judged[(judged["reason"] == "") & (judged["time"] < judged["born"] + days * DAYS)]


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    one, same, other = make_world(200, seed=3), make_world(200, seed=3), make_world(200, seed=4)
    pd.testing.assert_frame_equal(one.accounts, same.accounts)
    pd.testing.assert_frame_equal(one.events, same.events)
    pd.testing.assert_frame_equal(one.conversions, same.conversions)
    assert one.truth.to_dict() == same.truth.to_dict()
    assert one.truth.to_dict() != other.truth.to_dict()


def test_every_planted_row_has_its_reason_and_no_other_row_has_one(world: World, judged: pd.DataFrame) -> None:
    assert world.truth.expected_set_aside == PLANTED_IN_4000
    assert judged["reason"].value_counts().drop("").to_dict() == PLANTED_IN_4000


def test_duplicates_repeat_a_whole_row(world: World) -> None:
    again = world.events["event_id"].duplicated()
    assert again.sum() == 200
    assert world.events.duplicated().sum() == 200


def test_the_truth_is_as_hard_as_real_products_are(world: World) -> None:
    assert 0.72 <= world.truth.roc_auc <= 0.80
    assert 0.08 <= world.truth.base_rate <= 0.12
    assert 200_000 <= len(world.events) <= 320_000


def test_the_truth_agrees_with_the_written_files(world: World, snapshots: pd.DataFrame) -> None:
    mature = snapshots[snapshots["mature"]]
    assert world.truth.base_rate == pytest.approx(mature["converted"].mean(), abs=1e-12)
    auc = roc_auc(mature["probability"].to_numpy(), mature["converted"].to_numpy())
    assert world.truth.roc_auc == pytest.approx(auc, abs=1e-12)


@pytest.mark.parametrize("age", [7, 14])
def test_raw_activity_alone_ranks_much_worse_than_the_truth(
    judged: pd.DataFrame, snapshots: pd.DataFrame, age: int
) -> None:
    at = snapshots[snapshots["mature"] & (snapshots["age"] == age)]
    events = at["entity"].map(before(judged, age)["account_id"].value_counts()).fillna(0)
    assert 0.60 <= roc_auc(events.to_numpy(float), at["converted"].to_numpy()) <= 0.68


def test_roc_auc_counts_ties_half() -> None:
    assert roc_auc(np.array([0.9, 0.1, 0.5, 0.5]), np.array([True, False, True, False])) == 0.875
    assert roc_auc(np.array([0.1, 0.2]), np.array([False, False])) == 0.5


def test_snapshots_are_at_day_7_and_14_of_accounts_at_risk(world: World, snapshots: pd.DataFrame) -> None:
    assert snapshots["age"].unique().tolist() == [7.0, 14.0]
    assert not (snapshots["paid"] < snapshots["as_of"]).any()
    internal = world.accounts.loc[world.accounts["email_domain"] == "nimbus.test", "account_id"]
    assert len(internal) == 20
    assert not snapshots["entity"].isin(internal).any()
    assert not internal.isin(world.conversions["account_id"]).any()
    assert str(world.truth.probabilities["as_of"].dtype) == "datetime64[us]"


def test_most_pay_between_day_10_and_40_and_a_few_before_day_7(signed_up: pd.Series, paid: pd.Series) -> None:
    age = (paid - signed_up[paid.index]) / DAYS
    assert (age > 0).all()
    assert age.between(10, 40).mean() > 0.8
    assert 10 <= (age < 7).sum() <= 60


def test_several_payments_of_an_account_come_in_any_order(world: World, paid: pd.Series) -> None:
    times = pd.to_datetime(world.conversions["paid_at"])
    first_row = times.groupby(world.conversions["account_id"]).first()
    assert len(paid) < len(world.conversions)
    assert (first_row > paid).any()
    assert set(world.conversions["account_id"]) <= set(world.accounts["account_id"])


def test_the_chance_at_day_14_reads_the_criteria_met_before_and_the_size_and_nothing_else(
    world: World, judged: pd.DataFrame, snapshots: pd.DataFrame
) -> None:
    week, trial = before(judged, 7), before(judged, 14)
    at = snapshots[snapshots["age"] == 14].set_index("entity")
    size = world.accounts.set_index("account_id")["company_size"].fillna("").reindex(at.index)
    invites = week[week["action"] == "Teammate Invited"]["account_id"].value_counts()
    runs = trial[trial["action"] == "Automation Run"]["account_id"].value_counts()
    users = trial.groupby("account_id")["user_id"].nunique()
    met = pd.DataFrame(
        {
            "invited": invites.reindex(at.index, fill_value=0) >= 3,
            "automated": runs.reindex(at.index, fill_value=0) >= 2,
            "shared": users.reindex(at.index, fill_value=0) >= 4,
            "size": size,
        }
    )
    chances = at["probability"].round(12).groupby([met[column] for column in met]).agg(["nunique", "first"])
    assert len(chances) == 40
    assert (chances["nunique"] == 1).all()
    small = chances["first"].xs("1-10", level="size")
    one_met = [small[True, False, False], small[False, True, False], small[False, False, True]]
    assert one_met == sorted(one_met, reverse=True)
    assert one_met[-1] > small[False, False, False]


def test_deleting_later_events_changes_neither_chance_nor_payment() -> None:
    who = draw_accounts(np.random.default_rng(1), 400)
    log = trial_usage(np.random.default_rng(2), who)
    age = log["time"].to_numpy() - who.signed_up[log["account"]]
    week, trial = log[age < 7 * DAY], log[age < 14 * DAY]
    paid = payments(np.random.default_rng(3), who, log)
    assert (payments(np.random.default_rng(3), who, trial) == paid).all()
    whole = true_probabilities(who, log, paid)
    pd.testing.assert_frame_equal(true_probabilities(who, trial, paid), whole)
    at_7 = whole["as_of"] == who.signed_up[whole["account"]] + 7 * DAY
    pd.testing.assert_frame_equal(true_probabilities(who, week, paid)[at_7], whole[at_7])
    assert len(week) < len(trial) < len(log)


@pytest.mark.parametrize("age", [7, 14])
def test_the_true_probabilities_are_calibrated_in_every_fifth(age: int) -> None:
    rng = np.random.default_rng(11)
    who = draw_accounts(rng, 20_000)
    log = trial_usage(rng, who)
    t = true_probabilities(who, log, payments(rng, who, log))
    t = t[t["as_of"] == who.signed_up[t["account"]] + age * DAY]
    fifth = t.groupby(pd.qcut(t["probability"].rank(method="first"), 5, labels=False))
    spread = np.sqrt((t["probability"] * (1 - t["probability"])).groupby(fifth.ngroup()).sum())
    off = (fifth["converted"].sum() - fifth["probability"].sum()) / spread
    assert off.abs().max() < 3.5


def test_internal_accounts_never_pay() -> None:
    rng = np.random.default_rng(5)
    who = draw_accounts(rng, 2000)
    assert (payments(rng, who, trial_usage(rng, who))[who.internal] == NEVER).all()


def test_the_leaking_columns_leak_and_the_honest_ones_do_not(world: World, paid: pd.Series) -> None:
    t = world.accounts[world.accounts["email_domain"] != "nimbus.test"]
    pays = t["account_id"].isin(paid.index).to_numpy()
    assert world.truth.leaking_columns == ["lifetime_logins", "account_manager"]
    assert roc_auc(t["lifetime_logins"].to_numpy(float), pays) > 0.95
    assert roc_auc(t["account_manager"].notna().to_numpy(float), pays) > 0.95
    assert not t.loc[~pays, "account_manager"].notna().any()
    for honest in ("company_size", "region", "email_kind"):
        rate = pd.Series(pays).groupby(t[honest].fillna("").to_numpy()).transform("mean")
        assert roc_auc(rate.to_numpy(), pays) < 0.62
    assert t["company_size"].isna().mean() == pytest.approx(0.06, abs=0.015)
    assert t["email_domain"].nunique() > 1000


def test_usage_increases_after_payment(judged: pd.DataFrame, paid: pd.Series) -> None:
    t = judged[(judged["reason"] == "") & judged["account_id"].isin(paid.index)]
    since = (t["time"] - t["account_id"].map(paid)) / DAYS
    assert since.between(0, 14).sum() > 3 * since.between(-14, 0, inclusive="left").sum()


def test_the_planted_criteria_can_be_written_in_a_config(world: World) -> None:
    criteria = [Criterion(**{k: v for k, v in planted.items() if k != "weight"}) for planted in world.truth.criteria]
    assert [criterion.threshold for criterion in criteria] == [3, 2, 4]
    assert [planted["weight"] for planted in world.truth.criteria] == [1.5, 1.2, 0.8]
    assert set(world.truth.traits["company_size"]) == {"1-10", "11-50", "51-200", "201-1000", ""}


def test_the_config_is_valid_and_leaves_observed_until_to_the_data(world: World) -> None:
    config = parse_config(world.config)
    assert config.name == "nimbus-boards"
    assert config.schedule.at_days == [7, 14]
    assert config.horizon.days == 30
    assert config.observed_until is None
    assert config.exclude.entities == {"email_domain": ["nimbus.test"]}


def test_written_files_read_back_as_they_were(tmp_path) -> None:
    world = make_world(200)
    write_world(world, tmp_path / "new" / "demo")
    folder = tmp_path / "new" / "demo"
    assert sorted(path.name for path in folder.iterdir()) == [
        "accounts.csv",
        "events.parquet",
        "pql.yaml",
        "subscriptions.csv",
        "truth.json",
    ]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "events.parquet"), world.events)
    pd.testing.assert_frame_equal(pd.read_csv(folder / "accounts.csv"), world.accounts)
    pd.testing.assert_frame_equal(pd.read_csv(folder / "subscriptions.csv"), world.conversions)
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["expected_set_aside"] == world.truth.expected_set_aside
    assert truth["roc_auc"] == world.truth.roc_auc
    assert len(truth["probabilities"]["entity"]) == len(world.truth.probabilities)
    assert truth["probabilities"]["as_of"][0].endswith("Z")


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch) -> None:
    write_world(make_world(60, seed=1), tmp_path)
    before_failure = (tmp_path / "events.parquet").read_bytes()

    def fail(self, path, **options):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        write_world(make_world(60, seed=2), tmp_path)
    assert (tmp_path / "events.parquet").read_bytes() == before_failure
    assert not list(tmp_path.glob(".*"))


def test_the_ordinary_sources_set_aside_exactly_what_was_planted(tmp_path) -> None:
    world = make_world(300)
    write_world(world, tmp_path)
    with open_session() as con:
        sources = read_sources(con, load_config(tmp_path / "pql.yaml"))
        assert sources.events.by_reason() == world.truth.expected_set_aside


def test_too_few_accounts_are_refused() -> None:
    with pytest.raises(DataError, match=r"too few accounts.*Received: 10\. Allowed: 50 or more"):
        make_world(accounts=10)
