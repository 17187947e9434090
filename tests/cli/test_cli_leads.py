import json
import shutil

import pytest

from pql_model.workflows.score import score


@pytest.fixture(scope="module")
def scored_config(trained, tmp_path_factory):
    home = tmp_path_factory.mktemp("cli") / "demo"
    shutil.copytree(trained.folder.parent.parent, home, ignore=shutil.ignore_patterns("score_log", ".pql"))
    score(home / "pql.yaml", as_of="2025-11-20")
    return home / "pql.yaml"


def test_leads_prints_one_json_object(run, scored_config, tmp_path):
    code, out, _ = run("leads", "-c", scored_config, "--as-of", "2025-11-20", "-o", tmp_path / "x.html", "--json")
    payload = json.loads(out)

    assert code == 0
    assert payload["output"] == str(tmp_path / "x.html")
    assert payload["new"] > 0


def test_leads_says_what_to_do_and_that_the_page_is_internal(run, scored_config):
    code, out, _ = run("leads", "-c", scored_config, "--as-of", "2025-11-20")
    text = " ".join(out.split())

    assert code == 0
    assert "new leads to call today" in text
    assert "It holds personal data: do not forward it." in text
    assert (scored_config.parent / "leads.html").exists()


def test_scores_that_are_too_old_are_an_error_of_the_data(run, scored_config):
    code, out, err = run("leads", "-c", scored_config, "--json")

    assert code == 2
    assert "older than the newest event" in json.loads(out)["error"]["message"]
    assert "Fix:" in err
