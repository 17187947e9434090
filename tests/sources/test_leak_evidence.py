import duckdb
import numpy as np
import pandas as pd
import pytest
from staging import put
from worlds import at, opened, product

from pql_model.sources.leak_evidence import read_leak_evidence

EVENTS = [{"account": "a2", "event": "login", "time": "2026-01-05"}]
PAID = [{"account": "a1", "time": "2026-02-01"}]
NAMES = ["a2", "a0", "a1"]


def order_of(config):
    with opened(config) as (con, sources):
        return read_leak_evidence(con, config, sources, at("2026-03-01")).order


def accounts(names=NAMES):
    return [{"account": name, "signed_up": f"2026-01-0{int(name[1]) + 1}"} for name in names]


def test_every_entity_has_its_position_and_its_sign_up(tmp_path):
    order = order_of(product(tmp_path, accounts(), EVENTS, PAID))
    assert order["position"].to_dict() == {"a2": 0, "a0": 1, "a1": 2}
    assert order.loc["a0", "signed_up"] == at("2026-01-01")


def test_position_is_that_of_the_first_row(tmp_path):
    order = order_of(product(tmp_path, accounts(["a2", "a0", "a2", "a1"]), EVENTS, PAID))
    assert order["position"].to_dict() == {"a2": 0, "a0": 1, "a1": 3}


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "jsonl"])
def test_a_large_file_keeps_its_order(tmp_path, kind):
    n = 150_000
    names = np.random.default_rng(1).permutation(n)
    table = pd.DataFrame({"account": [f"a{name}" for name in names], "signed_up": "2026-01-01"})
    if kind == "parquet":
        table.to_parquet(tmp_path / "who.parquet", row_group_size=20_000)
    elif kind == "jsonl":
        table.to_json(tmp_path / "who.jsonl", orient="records", lines=True)
    else:
        table.to_csv(tmp_path / f"who.{kind}", index=False)
    columns = {"entity": "account", "signed_up": "signed_up"}
    config = product(tmp_path, accounts(), EVENTS, PAID, entities={"table": f"who.{kind}", "columns": columns})
    assert (order_of(config)["position"].reindex(table["account"]).to_numpy() == np.arange(n)).all()


def test_positions_continue_over_several_files(tmp_path):
    put(tmp_path, "who_1.csv", "account,signed_up\na0,2026-01-01\n")
    put(tmp_path, "who_2.csv", "signed_up,account\n2026-01-01,a2\n2026-01-01,a1\n")
    columns = {"entity": "account", "signed_up": "signed_up"}
    config = product(tmp_path, accounts(), EVENTS, PAID, entities={"table": "who_*.csv", "columns": columns})
    assert order_of(config)["position"].to_dict() == {"a0": 0, "a2": 1, "a1": 2}


def test_a_table_of_a_database_has_no_order(tmp_path):
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("create table who as select 'a' || i as account, date '2026-01-01' as signed_up from range(3) t(i)")
    columns = {"entity": "account", "signed_up": "signed_up"}
    config = product(
        tmp_path,
        accounts(),
        EVENTS,
        PAID,
        connection="duckdb://shop.duckdb",
        entities={"table": "who", "columns": columns},
    )
    assert order_of(config)["position"].isna().all()


def test_without_a_sign_up_only_the_position_is_known(tmp_path):
    rows = [{"account": name} for name in NAMES]
    order = order_of(product(tmp_path, rows, EVENTS, PAID, motion="freemium"))
    assert order["signed_up"].isna().all()
    assert order["position"].to_dict() == {"a2": 0, "a0": 1, "a1": 2}


def test_events_are_counted_up_to_the_cut_off(tmp_path):
    config = product(tmp_path, accounts(), EVENTS, PAID)
    with opened(config) as (con, sources):
        early, late = (
            read_leak_evidence(con, config, sources, at(day)).event_timing for day in ("2026-01-05", "2026-01-06")
        )
        assert read_leak_evidence(con, config, sources, at("2026-01-05")).key == "account"
    assert (early, [found.event for found in late]) == ([], ["login"])
