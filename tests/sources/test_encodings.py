"""A text file in another encoding is read where the config names it, and otherwise refused by its name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from staging import put, read, rows_of_raw, shop

from pql_model.config.load import parse_config
from pql_model.errors import ConfigError, DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.encodings import in_utf8, refuse_other_encoding
from pql_model.sources.files import read_raw
from pql_model.sources.read import read_sources
from pql_model.sources.schema_probe import probe_schema

CITIES = ("Köln", "Łódź", "Rome", "Zürich")


def csv(cities, rows=40):
    return "account,city\n" + "".join(f"a{n},{cities[n % len(cities)]}\n" for n in range(rows))


def cities_in(home, table, encoding=None):
    with open_session("1GB") as con:
        raw = read_raw(con, table, home, encoding=encoding)
        return sorted({row["city"] for row in rows_of_raw(raw)}), raw.unread


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv"])
@pytest.mark.parametrize(
    ("written", "fits"), [("cp1252", "cp1252"), ("latin-1", "cp1252"), ("utf-16", "utf-16"), ("utf-32", "utf-32")]
)
def test_other_encoding_is_refused_by_its_name_and_read_where_the_table_names_it(tmp_path, name, written, fits):
    text = csv(("Köln", "Zürich", "Rome")).replace(",", "\t" if name == "t.tsv" else ",")
    put(tmp_path, name, text.encode(written))

    with pytest.raises(DataError, match=rf"{name} is not UTF-8 text\. .*Fix: set `encoding: {fits}` for this table"):
        cities_in(tmp_path, name)
    assert cities_in(tmp_path, name, fits) == (["Köln", "Rome", "Zürich"], {"broken_line": 0, "not_utf8": 0})


def test_json_lines_in_another_encoding_are_refused_and_read_likewise(tmp_path):
    lines = "".join(f'{{"account": "a{n}", "city": "Köln"}}\n' for n in range(20))
    put(tmp_path, "t.jsonl.gz", lines.encode("cp1252"))

    with pytest.raises(DataError, match=r"t\.jsonl\.gz is not UTF-8 text\. Received: 20 of 20 lines.*`.*Köln"):
        cities_in(tmp_path, "t.jsonl.gz")
    assert cities_in(tmp_path, "t.jsonl.gz", "cp1252")[0] == ["Köln"]


def test_bytes_that_cp1252_does_not_have_fit_latin_1(tmp_path):
    put(tmp_path, "t.csv", csv(("K\x81ln", "Zürich")).encode("latin-1"))

    with pytest.raises(DataError, match="set `encoding: latin-1`"):
        cities_in(tmp_path, "t.csv")


def test_error_shows_how_the_letters_look_so_that_a_person_can_judge(tmp_path):
    put(tmp_path, "t.csv", csv(("Rome", "Rome", "Köln")).encode("cp1252"))

    with pytest.raises(DataError, match=r"Received: 13 of 41 lines, the first is line 4: `.*Köln` if it is cp1252"):
        cities_in(tmp_path, "t.csv")


def test_file_that_changes_its_encoding_in_the_middle_is_refused_with_the_line(tmp_path):
    put(tmp_path, "t.csv", csv(("Köln",)).encode() + b"b1,Z\xfcrich\nb2,Z\xfcrich\n")

    with pytest.raises(DataError, match=r"t\.csv changes its encoding: 40 lines are UTF-8 .* the first is line 42"):
        cities_in(tmp_path, "t.csv")


def test_one_damaged_line_of_a_file_is_set_aside_under_its_own_reason(tmp_path):
    put(tmp_path, "t.csv", csv(("Köln", "Rome"), 400).encode() + b"b,\xff\xfe\n")

    assert cities_in(tmp_path, "t.csv") == (["Köln", "Rome"], {"broken_line": 0, "not_utf8": 1})


def test_byte_order_mark_takes_precedence_and_utf_8_stays_utf_8(tmp_path):
    put(tmp_path, "1.csv", csv(("Köln",)).encode("cp1252"))
    put(tmp_path, "2.csv", csv(("Łódź",)).encode("utf-16"))
    put(tmp_path, "3.csv", csv(("Zürich",)).encode("utf-8-sig"))
    put(tmp_path, "4.csv.gz", csv(("Málaga",)).encode())

    assert cities_in(tmp_path, "*.csv*", "cp1252")[0] == ["Köln", "Málaga", "Zürich", "Łódź"]


def test_one_file_of_several_is_named(tmp_path):
    put(tmp_path, "part/1.csv", csv(("Köln",)))
    put(tmp_path, "part/2.csv", csv(("Köln",)).encode("cp1252"))

    with pytest.raises(DataError, match=r"2\.csv of part/\*\.csv is not UTF-8 text"):
        cities_in(tmp_path, "part/*.csv")


def test_text_that_is_not_in_the_named_encoding_is_refused(tmp_path):
    put(tmp_path, "t.csv", csv(("Köln",)).encode("cp1252"))

    with pytest.raises(DataError, match=r"t\.csv is not text in the encoding `ascii`.*Fix: correct `encoding:`"):
        cities_in(tmp_path, "t.csv", "ascii")


def test_copies_are_removed(tmp_path):
    put(tmp_path, "t.csv.gz", csv(("Köln",)).encode("cp1252"))
    with in_utf8("t", [str(tmp_path / "t.csv.gz")], "cp1252") as paths:
        assert "Köln" in Path(paths[0]).read_text(encoding="utf-8")
    assert not Path(paths[0]).exists()
    assert gzip.decompress((tmp_path / "t.csv.gz").read_bytes()) == csv(("Köln",)).encode("cp1252")


def test_utf_8_is_never_refused(tmp_path):
    put(tmp_path, "t.csv", csv(CITIES))

    refuse_other_encoding("t.csv", [str(tmp_path / "t.csv")])
    assert read(tmp_path, "t.csv")[1] == 0


def test_every_table_takes_an_encoding(tmp_path):
    accounts = "account,signed_up,city\na,2026-01-05,Köln\nb,2026-01-06,Rome\nc,2026-01-07,Köln\n"
    events = "account,person,action,at\n" + "".join(f"{a},Jörg,größe,2026-01-1{d}\n" for a in "abc" for d in range(5))
    paid = "account,paid_at,mrr,note\na,2026-01-20,100,für\n"
    named = {name: {"encoding": "cp1252"} for name in ("log", "who", "buys")}
    config = shop(tmp_path, events, accounts, paid, **named)
    for table in ("events.csv", "accounts.csv", "paid.csv"):
        put(tmp_path, table, (tmp_path / table).read_text(encoding="utf-8").encode("cp1252"))
    with open_session("1GB") as con:
        sources = read_sources(con, config)

        assert set(sources.entities.table.to_pyarrow()["trait_city"].to_pylist()) == {"Köln", "Rome"}
        assert set(sources.events.table.to_pyarrow()["event"].to_pylist()) == {"größe"}
        assert sources.conversions.rows == 1
        assert probe_schema(con, config).events == ("größe",)


def test_unknown_encoding_is_refused_by_the_config():
    text = (
        "name: x\nevents: [{table: e.csv, event: y, encoding: latin9000, columns: {entity: a, time: t}}]\n"
        "entities: {table: a.csv, columns: {entity: a, signed_up: s}}\n"
        "conversions: {table: c.csv, columns: {entity: a, time: t}}\nmotion: trial\n"
    )
    with pytest.raises(ConfigError, match=r"`latin9000` is not an encoding\. Allowed: such as utf-8, cp1252"):
        parse_config(text)
