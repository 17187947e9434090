import pandas as pd
import pytest
from products import trial_files

from pql_model.config.load import load_config
from pql_model.errors import DataError
from pql_model.sources.dated_columns import check_event_features, read_dated_columns
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.entities import read_entities
from pql_model.time import parse_instant

SPEC = {"table": "nps.csv", "columns": {"entity": "account", "time": "day"}, "values": ["score"]}


def read(home, text, spec=SPEC, **config):
    (home / "nps.csv").write_text(text)
    loaded = load_config(trial_files(home, accounts=5, features=[spec], **config))
    with open_session() as con:
        entities = read_entities(con, loaded)
        [part] = read_dated_columns(con, loaded, entities.roster, entities.traits)
        return part, part.table.order_by("time").to_pandas()


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path):
    text = "account,day,score\n1,2025-01-02,7\n,2025-01-02,7\n2,soon,7\n99,2025-01-02,7\n3,2025-01-03,\n"
    part, rows = read(tmp_path, text, max_set_aside=1.0)
    assert rows["entity"].tolist() == ["1", "3"]
    assert rows["time"].tolist() == [parse_instant("2025-01-02"), parse_instant("2025-01-03")]
    assert part.set_aside == {"no_entity": 1, "unknown_entity": 1, "unparsable_time": 1}
    assert part.warning == ("Rows of nps.csv that cannot be used: 1 no_entity, 1 unknown_entity, 1 unparsable_time.")


def test_blank_texts_are_missing_and_an_unreadable_known_at_is_not_known_at_once(tmp_path):
    spec = {**SPEC, "columns": {**SPEC["columns"], "known_at": "loaded"}}
    text = "account,day,score,loaded\n1,2025-01-02, pro ,2025-01-04\n2,2025-01-02,  ,\n3,2025-01-02,x,never\n"
    part, rows = read(tmp_path, text, spec)
    assert rows.sort_values("entity")["value_0"].tolist()[0] == "pro"
    assert pd.isna(rows.sort_values("entity")["value_0"].tolist()[1])
    assert rows["known_at"].max() == parse_instant("2025-01-04")
    assert part.set_aside == {"unparsable_time": 1}


def test_a_table_that_is_mostly_unusable_stops_the_run(tmp_path):
    with pytest.raises(DataError, match=r"2 of 3 rows of nps.csv cannot be used"):
        read(tmp_path, "account,day,score\n1,2025-01-02,7\n98,2025-01-02,7\n99,2025-01-02,7\n")


def test_a_name_that_a_trait_has_is_refused(tmp_path):
    spec = {**SPEC, "values": {"seats": "score"}}
    with pytest.raises(DataError, match="has the name of a trait or of another dated column: seats"):
        read(tmp_path, "account,day,score\n1,2025-01-02,7\n", spec)


def test_an_event_that_the_log_does_not_have_is_refused_with_the_nearest(tmp_path):
    config = load_config(trial_files(tmp_path, accounts=5, features=[{"event": "uplaod"}]))
    with pytest.raises(DataError, match=r"`features` names the event `uplaod`, .* did you mean `upload`"):
        check_event_features(config, ["login", "upload"])
