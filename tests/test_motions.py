"""The examples of docs/motions.md run, and their snapshots, windows and labels are what the page says."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from worlds import opened

from pql_model.config.load import load_config
from pql_model.features.spec import parse_feature
from pql_model.features.table import feature_table
from pql_model.snapshots.labels import label_snapshots
from pql_model.time import DAY, parse_instant

PAGE = (Path(__file__).parents[1] / "docs" / "motions.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```yaml\n(.+?)```", PAGE, re.DOTALL))
START = parse_instant("2025-01-01")
ACCOUNTS = 600


def iso(days):
    return pd.to_datetime(START + (np.asarray(days, float) * DAY).astype(np.int64), unit="us", utc=True).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def write(home, name, **columns):
    pd.DataFrame(columns).to_csv(home / name, index=False)


def make_product(home, example):
    """600 accounts over 300 days that do two things; who does more of the first pays more often."""
    rng = np.random.default_rng(3)
    account, created = np.array([f"a{k:03}" for k in range(ACCOUNTS)]), np.sort(rng.uniform(0, 300, ACCOUNTS))
    keen = rng.random(ACCOUNTS) < 0.4
    pays = rng.random(ACCOUNTS) < np.where(keen, 0.55, 0.08)
    rows = [
        (name, action, begun + day)
        for name, begun, much in zip(account, created, keen, strict=True)
        for action, rate in (("Board Created", 0.6 if much else 0.15), ("Page Viewed", 0.4))
        for day in rng.uniform(0.01, 60, rng.poisson(rate * 60))
    ]
    who, action, at = zip(*rows, strict=True)
    write(home, "events.csv", account=who, action=action, at=iso(at))
    write(home, "accounts.csv", account=account, created=iso(created), size=rng.choice(["small", "large"], ACCOUNTS))
    paid = created[pays] + rng.uniform(29, 50, pays.sum())
    if example == "reverse_trial":
        write(home, "payments.csv", account=account[pays], paid_at=iso(paid), amount=20)
    elif example == "expansion":
        write(home, "customers.csv", account=account, first_paid=iso(created), seats=rng.integers(1, 9, ACCOUNTS))
        change = np.where(rng.random(pays.sum()) < 0.8, "upgrade", "downgrade")
        write(home, "plan_changes.csv", account=account[pays], changed_at=iso(paid), change=change, added=15)
    else:
        number = np.tile([1, 2, 3], pays.sum())
        first = created[pays] + rng.uniform(15, 25, pays.sum())
        last = np.repeat(rng.choice([1, 3], pays.sum(), p=[0.3, 0.7]), 3)  # 3 in 10 leave after their first month
        invoices = pd.DataFrame(
            {
                "account": np.repeat(account[pays], 3),
                "number": number,
                "paid_at": iso(np.repeat(first, 3) + 30 * (number - 1)),
                "amount": 20,
            }
        )
        invoices[number <= last].to_csv(home / "invoices.csv", index=False)
    (home / "pql.yaml").write_text(EXAMPLES[example], encoding="utf-8")
    return load_config(home / "pql.yaml")


@pytest.fixture
def of(tmp_path):
    return lambda example: make_product(tmp_path, example)


def test_the_page_has_an_example_of_each_way_that_is_not_a_plain_one():
    assert list(EXAMPLES) == ["reverse_trial", "expansion", "paid_and_stayed"]
    for text in re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL):
        assert {"motion", "snapshots", "horizon", "windows"} <= set(yaml.safe_load(text))


def test_windows_of_a_reverse_trial_are_the_time_before_and_after_the_fall(of):
    config = of("reverse_trial")
    before, after = (parse_feature(f"Board+Created.count.{window}") for window in ("first_14d", "last_14d"))
    with opened(config) as (con, sources):
        snapshots = label_snapshots(con, config, sources)
        table = feature_table(sources, snapshots.table, [before, after], {})
        frame = snapshots.frame
    log = pd.read_csv(config.home / "events.csv")
    log = log[log["action"] == "Board Created"]
    age = (frame["as_of"] - frame["signed_up"].astype("int64")) // DAY
    assert set(age) == {14, 21, 28}
    late = frame[age == 28].head(40)
    at = pd.Series(pd.to_datetime(log["at"], utc=True).dt.as_unit("us").astype("int64").to_numpy(), log["account"])
    table = table.set_index(["entity", "as_of"])
    for row in late.itertuples():
        when = at[at.index == row.entity].to_numpy()
        fall = int(row.signed_up) + 14 * DAY
        counted = table.loc[(row.entity, row.as_of)]
        assert counted[before.name] == ((when >= int(row.signed_up)) & (when < fall)).sum()
        assert counted[after.name] == ((when >= fall) & (when < row.as_of)).sum()


def test_an_expansion_counts_upgrades_of_paying_accounts_only(of):
    config = of("expansion")
    with opened(config) as (con, sources):
        frame = label_snapshots(con, config, sources).frame
        set_aside = sources.conversions.set_aside
    changes = pd.read_csv(config.home / "plan_changes.csv")
    upgraded = set(changes.loc[changes["change"] == "upgrade", "account"])
    assert set(frame.loc[frame["converted"], "entity"]) <= upgraded
    assert set_aside == {"not_selected": int((changes["change"] == "downgrade").sum())}
    assert (frame["as_of"] > frame["signed_up"]).all()


def test_who_paid_and_left_is_not_converted_and_a_label_waits_for_the_stay(of):
    config = of("paid_and_stayed")
    with opened(config) as (con, sources):
        frame, until = label_snapshots(con, config, sources).frame, sources.observed_until
    invoices = pd.read_csv(config.home / "invoices.csv")
    months = invoices.groupby("account")["number"].max()
    left, stayed = set(months.index[months == 1]), set(months.index[months == 3])
    converted = frame.groupby("entity")["converted"].any()
    assert not converted[[name for name in left if name in converted.index]].any()
    assert converted[[name for name in stayed if name in converted.index]].all()
    assert frame["as_of"].max() + 90 * DAY <= until


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_trains(of, train_once, example):
    result = train_once(of(example).home / "pql.yaml", trials=1)
    assert result.evaluation.test["roc_auc"].value > 0.55
