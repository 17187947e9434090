import json
import shutil

import pandas as pd
import pytest
from reading import read

from pql_model.errors import DataError, ModelNotFoundError
from pql_model.workflows.leads import write_leads
from pql_model.workflows.score import score

BEFORE, AS_OF = "2025-11-18", "2025-11-20"


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """The demo after two scoring runs; its data end with the second."""
    folder = tmp_path_factory.mktemp("leads") / "demo"
    shutil.copytree(trained.folder.parent.parent, folder, ignore=shutil.ignore_patterns("score_log", ".pql"))
    events = pd.read_parquet(folder / "events.parquet")
    known = pd.to_datetime(events["occurred"], utc=True, errors="coerce", format="mixed") < pd.Timestamp(
        AS_OF, tz="UTC"
    )
    events[known].to_parquet(folder / "events.parquet", index=False)
    for as_of in (BEFORE, AS_OF):
        score(folder / "pql.yaml", as_of=as_of)
    return folder


@pytest.fixture
def scores(home, tmp_path):
    return shutil.copy(home / "scores.parquet", tmp_path / "scores.parquet")


@pytest.fixture(scope="module")
def result(home):
    return write_leads(home / "pql.yaml", as_of=AS_OF)


def test_the_json_counts_every_row_of_the_scores_in_one_section(home, result):
    rows = pd.read_parquet(home / "scores.parquet")
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))

    assert payload["output"] == str(home / "leads.html")
    assert payload["bytes"] == (home / "leads.html").stat().st_size
    assert (
        payload["rows"] == len(rows) == sum(payload[key] for key in ("new", "open", "waiting", "others", "not_to_call"))
    )
    assert payload["new"] == rows["newly_qualified"].sum()
    assert payload["new"] + payload["open"] == rows["is_pql"].sum()
    assert payload["as_of"] == AS_OF
    assert payload["model"]["version"] == "1"
    assert payload["names"] is None


def test_every_entity_is_a_row_of_the_page_once(home, result):
    tree = read(result.path.read_text(encoding="utf-8"))
    named = [row.one("th").text_content() for table in tree.all("tbody") for row in table.all("tr")]

    assert sorted(named) == sorted(pd.read_parquet(home / "scores.parquet")["entity"])


def test_an_open_lead_says_since_when(home, result):
    table = read(result.path.read_text(encoding="utf-8")).one("table", data_table="open")

    assert "PQL since 18 Nov 2025 (2 days)" in table.text_content()


def test_whoever_has_paid_since_is_not_to_be_called(home, tmp_path):
    paid = pd.read_csv(home / "subscriptions.csv")
    later = paid[paid["paid_at"] >= AS_OF].groupby("account_id").size().index
    rows = pd.read_parquet(home / "scores.parquet")
    expected = rows["entity"].isin(later) & ~rows["entity"].isin(paid.loc[paid["paid_at"] < AS_OF, "account_id"])
    result = write_leads(home / "pql.yaml", output=tmp_path / "now.html")
    waiting = read(result.path.read_text(encoding="utf-8")).one("table", data_table="waiting").one("tbody")
    has_paid = [row.one("th").text_content() for row in waiting.all("tr") if "has paid on" in row.text_content()]

    assert sorted(has_paid) == sorted(rows.loc[expected, "entity"])
    assert has_paid


def test_names_come_from_the_column_that_is_obviously_one(home, tmp_path):
    accounts = pd.read_csv(home / "accounts.csv", dtype=str)
    named = tmp_path / "named"
    shutil.copytree(home, named)
    accounts.assign(**{"Company Name": "Firm " + accounts["account_id"]}).to_csv(named / "accounts.csv", index=False)
    result = write_leads(named / "pql.yaml", as_of=AS_OF)

    assert result.names == "Company Name"
    assert {lead.name for lead in result.leads.listed} == {f"Firm {lead.entity}" for lead in result.leads.listed}


def test_scores_in_a_csv_file_give_the_same_page(home, result, tmp_path):
    rows = pd.read_parquet(home / "scores.parquet")
    rows.to_csv(tmp_path / "scores.csv", index=False)
    other = write_leads(home / "pql.yaml", as_of=AS_OF, scores=tmp_path / "scores.csv", output=tmp_path / "x.html")

    assert other.path.read_text(encoding="utf-8") == result.path.read_text(encoding="utf-8")


def test_nothing_scored_yet_is_an_error_with_the_way_out(home, tmp_path):
    with pytest.raises(DataError, match=r"Nothing has been scored yet.*pql score"):
        write_leads(home / "pql.yaml", scores=tmp_path / "none.parquet")


def test_older_scores_are_said_to_be_old(home, scores, tmp_path):
    rows = pd.read_parquet(scores)
    old = pd.Timestamp(AS_OF, tz="UTC") - pd.Timedelta(days=5)
    rows.assign(as_of=old).to_parquet(scores)
    result = write_leads(home / "pql.yaml", scores=scores, output=tmp_path / "x.html")
    said = "These scores are 4 days older than the newest event, of 19 Nov 2025: of what happened since, only payments are known"

    assert result.to_dict()["note"].startswith(said)
    assert said in read(result.path.read_text(encoding="utf-8")).one("header").text_content()
    of_that_day = write_leads(home / "pql.yaml", scores=scores, as_of="2025-11-15", output=tmp_path / "x.html")
    assert of_that_day.to_dict()["note"] is None


def test_scores_whose_horizon_is_over_are_an_error(home, scores):
    rows = pd.read_parquet(scores)
    rows.assign(as_of=pd.Timestamp(AS_OF, tz="UTC") - pd.Timedelta(days=31)).to_parquet(scores)
    with pytest.raises(DataError, match=r"30 days older than the newest event.*30 days is over.*--as-of 2025-10-20"):
        write_leads(home / "pql.yaml", scores=scores)
    with pytest.raises(DataError, match=r"of another time.*pql score --as-of 2025-11-20"):
        write_leads(home / "pql.yaml", scores=scores, as_of=AS_OF)


def test_scores_of_another_model_are_an_error(home, scores):
    pd.read_parquet(scores).assign(model_version="9").to_parquet(scores)
    with pytest.raises(DataError, match=r"of another model.*version 9; the champion is version 1"):
        write_leads(home / "pql.yaml", scores=scores, as_of=AS_OF)
    with pytest.raises(ModelNotFoundError, match="9"):
        write_leads(home / "pql.yaml", scores=scores, as_of=AS_OF, model="9")


def test_a_file_that_holds_no_scores_is_an_error(home, tmp_path):
    (tmp_path / "scores.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "scores.parquet").write_text("no", encoding="utf-8")
    for name in ("scores.csv", "scores.parquet"):
        with pytest.raises(DataError, match="The scores cannot be read"):
            write_leads(home / "pql.yaml", scores=tmp_path / name)


def test_the_list_must_be_an_html_file(home, tmp_path):
    with pytest.raises(DataError, match="is an HTML file"):
        write_leads(home / "pql.yaml", output=tmp_path / "leads.pdf")


def test_nobody_at_risk_is_a_page_that_says_so(home, scores, tmp_path):
    pd.read_parquet(scores).head(0).to_parquet(scores)
    result = write_leads(home / "pql.yaml", scores=scores, output=tmp_path / "x.html")

    assert result.to_dict()["words"] == "Nobody to call today"
    assert result.to_dict()["rows"] == 0


def test_a_failed_run_leaves_yesterdays_page(home, tmp_path, monkeypatch):
    page = tmp_path / "leads.html"
    page.write_text("yesterday", encoding="utf-8")
    monkeypatch.setattr("pql_model.workflows.leads.render_leads", lambda leads: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"):
        write_leads(home / "pql.yaml", as_of=AS_OF, output=page)

    assert page.read_text(encoding="utf-8") == "yesterday"
