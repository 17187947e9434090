"""`pql criteria hubspot`: a file, and nothing else."""

import json

import pytest
from worlds import product

from pql_model.cli.app import main
from pql_model.errors import DataError
from pql_model.workflows.criteria_hubspot import criteria_hubspot

IN_FORCE = {"all": [{"event": "login", "at_least": 2}]}


@pytest.fixture
def config(tmp_path):
    accounts = [{"account": "a", "signed_up": "2026-01-01", "size": "1-10"}]
    events = [{"account": "a", "event": "login", "time": "2026-01-02"}]
    return product(tmp_path, accounts, events, [], definition=IN_FORCE)


def test_the_command_writes_the_draft_beside_the_config(config, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["criteria", "hubspot", "-c", str(config.home / "pql.yaml"), "--json"])
    payload = json.loads(capsys.readouterr().out)
    written = json.loads((config.home / "hubspot_list.json").read_text(encoding="utf-8"))

    assert payload["output"] == str(config.home / "hubspot_list.json")
    assert payload["definition"]["conditions"][0]["event"] == "login"
    assert payload["list"] == written["list"]
    assert written["feeds"] == {"pql_login_count_ever": {"feature": "login.count.ever"}}


def test_the_text_names_the_properties(config, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["criteria", "hubspot", "-c", str(config.home / "pql.yaml"), "-o", str(config.home / "new" / "list.json")])
    text = " ".join(capsys.readouterr().out.split())

    assert (config.home / "new" / "list.json").exists()
    assert "Nothing was sent." in text
    assert "pql_login_count_ever" in text


def test_unknown_events_and_other_file_names_are_refused(config, tmp_path):
    with pytest.raises(DataError, match=r"The draft of a list is JSON.*Allowed: a file name that ends in \.json"):
        criteria_hubspot(config, output=tmp_path / "list.yaml")
    (tmp_path / "rule.yaml").write_text("all: [{event: logins, at_least: 1}]")
    with pytest.raises(DataError, match="did you mean `login`"):
        criteria_hubspot(config, definition=tmp_path / "rule.yaml")
    assert not (config.home / "hubspot_list.json").exists()
