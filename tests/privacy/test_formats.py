"""Rows of one entity leave a file of each format; the others stay as they were."""

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pql_model.privacy.formats import Match, ParquetRows, SqliteRows, TextRows
from pql_model.privacy.subject import Subject

ANN = json.dumps({"user": "ann"})
SUBJECT = Subject(frozenset({"a-1"}), frozenset({"ann"}))
TABLE = pa.table(
    {
        "entity": ["a-1", "a-10", "b", None, "a-1"],
        "as_of": [1, 2, 3, 4, 5],
        "contact": [ANN, None, ANN, json.dumps({"user": "eve"}), json.dumps({"user": "ray"})],
        "inputs": pa.array([[1.0], [2.0, None], None, [], [5.0]], pa.list_(pa.float64())),
    }
).replace_schema_metadata({"kept": "yes"})


def test_parquet_keeps_other_rows_schema_metadata_and_compression(tmp_path):
    path = tmp_path / "scores.parquet"
    pq.write_table(TABLE, path, compression="zstd")
    rows, schema = ParquetRows(path), pq.read_schema(path)

    assert rows.users(SUBJECT) == {"ann", "ray"}
    assert rows.count(SUBJECT) == Match(rows=2, cleared=1)
    rows.forget(SUBJECT, rows=True)
    left = pq.read_table(path)
    assert left.schema.equals(schema, check_metadata=True)
    assert left["entity"].to_pylist() == ["a-10", "b", None]
    assert left["contact"].to_pylist() == [None, None, json.dumps({"user": "eve"})]
    assert left["inputs"].to_pylist() == [[2.0, None], None, []]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert b"a-1\x00" not in path.read_bytes()
    assert not rows.count(SUBJECT)
    assert [file.name for file in tmp_path.iterdir()] == ["scores.parquet"]


def test_clearing_users_leaves_the_rows_that_name_them(tmp_path):
    path = tmp_path / "scores.parquet"
    pq.write_table(TABLE, path)
    ParquetRows(path).forget(SUBJECT, rows=False)

    assert pq.read_table(path)["entity"].to_pylist() == TABLE["entity"].to_pylist()
    assert pq.read_table(path)["contact"].to_pylist()[:3] == [ANN, None, None]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_ids_of_any_text_type_are_compared(tmp_path, kind):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"entity": pa.array(["a-1", "b"]).cast(kind), "as_of": [1, 2]}), path)
    ParquetRows(path).forget(SUBJECT, rows=True)

    assert pq.read_table(path)["entity"].to_pylist() == ["b"]


def test_a_file_of_which_nothing_is_left_can_still_be_read(tmp_path):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"entity": ["a-1"], "as_of": [1]}), path)
    ParquetRows(path).forget(SUBJECT, rows=True)
    ParquetRows(path).forget(SUBJECT, rows=True)

    assert pq.read_table(path).num_rows == 0


def test_csv_keeps_the_text_of_other_rows(tmp_path):
    path = tmp_path / "scores.csv"
    kept = '"b",1.50,"two\r\nlines, ""quoted""",eve\r\n'
    path.write_text(f"entity,p,reasons,contact\r\na-1,0.1,x,ann\r\n{kept}c,1,y,ann\r\n'a-1,0,z,ray\r\n", newline="")
    rows = TextRows(path)

    assert rows.users(SUBJECT) == {"ann", "ray"}
    assert rows.count(SUBJECT) == Match(rows=2, cleared=1)
    rows.forget(SUBJECT, rows=True)
    assert path.read_bytes().decode() == f"entity,p,reasons,contact\r\n{kept}c,1,y,\r\n"


def test_rows_for_an_importer_go_by_their_id_columns_only(tmp_path):
    path = tmp_path / "hubspot.csv"
    path.write_text("Email,PQL account,PQL score\nx@y,a-1,1\nann,b,2\nz@y,c,a-1\n")
    TextRows(path).forget(SUBJECT, rows=True)
    assert path.read_text() == "Email,PQL account,PQL score\nz@y,c,a-1\n"

    path = tmp_path / "salesforce.csv"
    path.write_text("Id,PQL_Score__c\n0015000000Gv7qJAAR,1\n0015000000Gv7qKAAR,2\n")
    TextRows(path).forget(Subject(frozenset({"0015000000Gv7qJ"})), rows=True)
    assert path.read_text() == "Id,PQL_Score__c\n0015000000Gv7qKAAR,2\n"


def test_json_lines_keep_the_text_of_other_rows(tmp_path):
    path = tmp_path / "new.jsonl"
    kept = '{"entity":"b",   "as_of": 1.50}\n'
    path.write_text(
        f'{{"entity": "a-1", "contact": {{"user": "ray"}}}}\n{kept}{{"entity": "c", "contact": {{"user": "ann"}}}}\n\n'
    )
    rows = TextRows(path)

    assert rows.users(SUBJECT) == {"ray"}
    assert rows.count(SUBJECT) == Match(rows=1, cleared=1)
    rows.forget(SUBJECT, rows=True)
    assert path.read_text() == f'{kept}{{"entity": "c", "contact": null}}\n\n'


def test_sqlite_keeps_other_rows_and_no_trace_in_free_pages(tmp_path):
    path = tmp_path / "outbox.sqlite"
    with closing(sqlite3.connect(path)) as con:
        con.execute("CREATE TABLE leads (entity TEXT, at INTEGER, row TEXT, PRIMARY KEY (entity, at)) WITHOUT ROWID")
        con.execute("CREATE TABLE targets (target TEXT)")
        con.execute("INSERT INTO targets VALUES ('a-1 is a target')")
        rows = [(f"b{k}", k, json.dumps({"entity": f"b{k}", "contact": {"user": "eve"}})) for k in range(200)]
        rows += [("a-1", 1, json.dumps({"secret": "of a-1", "contact": {"user": "ray"}}))]
        rows += [("c", 1, json.dumps({"contact": {"user": "ann"}, "score": 3}))]
        con.executemany("INSERT INTO leads VALUES (?, ?, ?)", rows)
        con.commit()
    outbox = SqliteRows(path)

    assert outbox.users(SUBJECT) == {"ray"}
    assert outbox.count(SUBJECT) == Match(rows=1, cleared=1)
    outbox.forget(SUBJECT, rows=True)
    with closing(sqlite3.connect(path)) as con:
        assert con.execute("SELECT count(*) FROM leads").fetchone() == (201,)
        assert con.execute("SELECT row FROM leads WHERE entity = 'c'").fetchone() == ('{"contact": null, "score": 3}',)
        assert con.execute("SELECT target FROM targets").fetchone() == ("a-1 is a target",)
    assert b"secret" not in path.read_bytes()
    assert b"ann" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_a_flat_list_tells_of_a_forgotten_contact_goes_with_the_id(tmp_path, kind):
    flat = {
        "contact_share": [0.5, 0.5],
        "contact_last_seen": ["2025-12-12", "2025-12-13"],
        "brought_in_by": ["u3", "u3"],
    }
    rows = pd.DataFrame({"entity": ["a", "b"], "contact": ["u1", "u2"], **flat, "other_contacts": ["u2", "u1"]})
    path = tmp_path / f"new.{kind}"
    (rows.to_csv if kind == "csv" else rows.to_parquet)(path, index=False)
    (TextRows if kind == "csv" else ParquetRows)(path).forget(Subject(frozenset(), frozenset({"u1"})), rows=False)
    after = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    assert after.loc[0, "contact"] == "u2"  # the next one
    assert after.loc[0, [*flat, "other_contacts"]].isna().all()
    assert after.loc[1, ["contact", *flat]].tolist() == ["u2", 0.5, "2025-12-13", "u3"]
    assert after.loc[1, ["other_contacts"]].isna().all()


def write_scores(path, rows):
    """Write rows with contacts as each format holds them."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return TextRows(path)
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as con:
            con.execute("CREATE TABLE leads (entity TEXT, row TEXT)")
            con.executemany("INSERT INTO leads VALUES (?, ?)", [(row["entity"], json.dumps(row)) for row in rows])
            con.commit()
        return SqliteRows(path)
    texts = [{k: json.dumps(v) if k.startswith("contact") else v for k, v in row.items()} for row in rows]
    table = pd.DataFrame(texts)
    (table.to_csv if path.suffix == ".csv" else table.to_parquet)(path, index=False)
    return TextRows(path) if path.suffix == ".csv" else ParquetRows(path)


def read_contacts(path):
    """Entity -> its contact and contacts."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    elif path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as con:
            rows = [json.loads(text) for (text,) in con.execute("SELECT row FROM leads")]
    else:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        rows = [{k: None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]
        rows = [{k: json.loads(v) if k.startswith("contact") and v else v for k, v in row.items()} for row in rows]
    return {row["entity"]: (row["contact"], row["contacts"]) for row in rows}


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "sqlite"])
def test_every_format_counts_rows_alike_and_the_next_contact_takes_the_place(tmp_path, kind):
    ann, bob, eve = ({"user": user, "brought_in_by": None} for user in ("ann", "bob", "eve"))
    people = {
        "a": [ann, bob],
        "b": [ann],
        "c": [bob, ann, eve],
        "d": [bob, {**eve, "brought_in_by": "ann"}],
        "e": [eve],
    }
    path = tmp_path / f"scores.{kind}"
    rows = write_scores(path, [{"entity": k, "as_of": 1, "contact": v[0], "contacts": v} for k, v in people.items()])
    person = Subject(frozenset({"ann"}), frozenset({"ann"}))

    assert rows.count(person) == Match(cleared=4)
    rows.forget(person, rows=True)
    assert read_contacts(path) == {
        "a": (bob, [bob]),
        "b": (None, None),
        "c": (bob, [bob, eve]),
        "d": (bob, [bob, eve]),
        "e": (eve, [eve]),
    }
    assert not rows.count(person)


def test_an_account_of_an_importer_keeps_its_row_without_a_forgotten_contact(tmp_path):
    path = tmp_path / "salesforce.csv"
    path.write_text("Id,PQL_Contact__c,PQL_Score__c\n0015000000Gv7qJAAR,ann,1\n0015000000Gv7qKAAR,bob,2\n")
    rows = TextRows(path)

    assert rows.count(Subject(frozenset({"ann"}), frozenset({"ann"}))) == Match(cleared=1)
    rows.forget(Subject(frozenset({"ann"}), frozenset({"ann"})), rows=True)
    assert path.read_text() == "Id,PQL_Contact__c,PQL_Score__c\n0015000000Gv7qJAAR,,1\n0015000000Gv7qKAAR,bob,2\n"
