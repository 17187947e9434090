import json

import pytest

from pql_model.config.load import load_definition
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.workflows.report import list_criteria, write_report


@pytest.fixture
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


def test_the_criteria_are_those_that_the_training_found(trained, config):
    payload = list_criteria(config, model="1").to_dict()
    assert payload["criteria"] == json.loads(json.dumps(trained.findings.to_dict()))["criteria"]
    assert payload["model"]["version"] == "1"


def test_the_yaml_loads_back(trained, config, tmp_path):
    result = list_criteria(config, model="1")
    best = trained.findings.results.recommended
    (tmp_path / "criteria.yaml").write_text(result.to_yaml(), encoding="utf-8")
    assert best is not None
    assert load_definition(tmp_path / "criteria.yaml") == best.definition


def test_the_report_can_be_written_again_with_the_version(trained, config, tmp_path):
    written = write_report(config, output=tmp_path / "r.html", model="1")
    assert written.to_dict()["bytes"] == len((tmp_path / "r.html").read_bytes())
    again = write_report(config, output=tmp_path / "s.html", model="1")
    assert again.path.read_bytes() == written.path.read_bytes()


def test_the_report_inside_the_company_holds_rows_and_says_so_in_its_name_and_on_its_page(trained, config, tmp_path):
    written = write_report(config, model="1")
    page = written.path.read_text(encoding="utf-8")
    assert written.path.name == "growth_report-with-account-data.html"
    assert "do not forward" in page.lower()
    assert not [name for name in trained.findings.outcomes.entity if name in page]
    written.path.unlink()


def test_the_report_to_share_holds_counts_as_that_of_the_run_does(trained, config, tmp_path):
    shared = write_report(config, model="1", explorer="counts")
    assert shared.path.name == "growth_report.html"
    for page in (
        shared.path.read_text(encoding="utf-8"),
        (trained.folder / "growth_report.html").read_text(encoding="utf-8"),
    ):
        assert "do not forward" not in page.lower()
        assert '"mode":"counts"' in page.replace(" ", "")
    shared.path.unlink()


def test_a_report_without_the_explorer_is_smaller(trained, config, tmp_path):
    sizes = [
        write_report(config, output=tmp_path / f"{mode}.html", model="1", explorer=mode).to_dict()["bytes"]
        for mode in ("off", "counts")
    ]
    assert sizes[0] < sizes[1]


def test_a_report_needs_a_training(tmp_path, with_store):
    import pql_model

    folder = with_store(tmp_path / "empty")
    pql_model.make_demo(folder, accounts=300)
    with pytest.raises(ModelNotFoundError, match="Nothing was trained yet"):
        write_report(folder / "pql.yaml")


def test_a_report_must_be_an_html_file(trained, config, tmp_path):
    with pytest.raises(DataError, match="is an HTML file"):
        write_report(config, output=tmp_path / "report.pdf")


def test_missing_files_of_a_run_are_an_error(trained, config, monkeypatch):
    from pql_model.registry.tracking import Tracking

    monkeypatch.setattr(Tracking, "read_file", lambda *_: None)
    with pytest.raises(DataError, match=r"has no `criteria\.json`"):
        list_criteria(config, model="1")
