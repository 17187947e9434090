import pandas as pd
import pytest
from staging import put
from worlds import at, opened, product

from pql_model.errors import DataError
from pql_model.sources.leak_evidence import read_leak_evidence
from pql_model.sources.trait_changes import TraitChanges, read_trait_changes

NOW = [
    {"account": "a", "signed_up": "2026-01-01", "stage": "customer", "seats": 3, "city": None},
    {"account": "b", "signed_up": "2026-01-02", "stage": "open", "seats": 5, "city": "Bern"},
    {"account": "c", "signed_up": "2026-01-03", "stage": "open", "seats": 4, "city": None},
]
EVENTS = [{"account": "a", "event": "login", "time": "2026-01-05"}]
PAID = [{"account": "a", "time": "2026-02-01"}]
END = at("2026-06-01")
THEN = "account,stage,seats,city\na,open,3.0,\nb,open,5,\nc,open,4.50,\nd,open,1,\n"


def entities(table="then.csv"):
    columns = {"entity": "account", "signed_up": "signed_up"}
    return {"table": "accounts.csv", "columns": columns, "earlier": {"table": table}}


def changes(home, then=THEN, name="then.csv", until=END, **config):
    put(home, name, then)
    config_ = product(home, NOW, EVENTS, PAID, **{"entities": entities(name), **config})
    with opened(config_) as (con, sources):
        return read_trait_changes(con, config_, sources, until)


def test_changes_are_counted_for_converters_and_others(tmp_path):
    assert changes(tmp_path) == [
        TraitChanges("stage", converters=1, converters_changed=1, others=2, others_changed=0),
        TraitChanges(
            "seats", converters=1, converters_changed=0, others=2, others_changed=1
        ),  # 3 is 3.0, 4 is not 4.50
        TraitChanges("city", converters=1, converters_changed=0, others=2, others_changed=1),  # filled since
    ]


def test_traits_missing_in_one_extract_are_not_compared(tmp_path):
    assert [c.trait for c in changes(tmp_path, "account,stage,colour\na,open,red\n")] == ["stage"]


def test_an_entity_that_is_listed_twice_is_left_out(tmp_path):
    (found,) = changes(tmp_path, "account,stage\na,open\na,won\nb,open\n")
    assert found == TraitChanges("stage", converters=0, converters_changed=0, others=1, others_changed=0)


def test_types_may_differ_between_the_two(tmp_path):
    then = pd.DataFrame({"account": ["a", "b", "c"], "seats": [3, 5, 9], "stage": [True, None, False]})
    then.to_parquet(tmp_path / "then.parquet")
    config = product(tmp_path, NOW, EVENTS, PAID, entities=entities("then.parquet"))
    with opened(config) as (con, sources):
        found = {
            c.trait: c.converters_changed + c.others_changed for c in read_trait_changes(con, config, sources, END)
        }
    assert found == {"stage": 3, "seats": 1}


def test_later_sign_ups_and_conversions_are_ignored(tmp_path):
    early = {c.trait: c for c in changes(tmp_path, until=at("2026-01-03"))}
    assert early["stage"] == TraitChanges("stage", converters=0, converters_changed=0, others=2, others_changed=1)
    assert changes(tmp_path, until=at("2025-01-01"))[0].others == 0


def test_without_an_earlier_extract_there_is_nothing_to_compare(tmp_path):
    config = product(tmp_path, NOW, EVENTS, PAID)
    with opened(config) as (con, sources):
        assert read_trait_changes(con, config, sources, END) == []


@pytest.mark.parametrize(
    ("then", "lacking"), [("account,colour\na,red\n", "trait"), ("account,stage\nx,open\n", "entity")]
)
def test_extracts_without_common_entities_are_refused(tmp_path, then, lacking):
    with pytest.raises(DataError, match=rf"then.csv cannot be compared with accounts.csv: they share no {lacking}"):
        changes(tmp_path, then)


def test_a_missing_file_is_refused_with_the_nearest(tmp_path):
    put(tmp_path, "then.csv", THEN)
    config = product(tmp_path, NOW, EVENTS, PAID, entities=entities("them.csv"))
    with opened(config) as (con, sources), pytest.raises(DataError, match=r"There is no file them\.csv"):
        read_trait_changes(con, config, sources, END)


@pytest.mark.parametrize(
    ("name", "then"),
    [("then.csv", THEN), ("then.csv.gz", THEN), ("then.jsonl", '{"account": "a", "stage": "open"}\n')],
)
def test_extract_can_be_read_for_several_cut_offs(tmp_path, name, then):
    put(tmp_path, name, then)
    config = product(tmp_path, NOW, EVENTS, PAID, entities=entities(name))
    with opened(config) as (con, sources):
        first, second = (read_leak_evidence(con, config, sources, at(day)) for day in ("2026-02-02", "2026-03-01"))
    assert first.trait_changes == second.trait_changes
    assert first.trait_changes
