import json

import pandas as pd

from pql_model.workflows.growth import BITS, CRITERIA, EXPLORER, GROWTH, REPORT


def test_a_training_leaves_the_report_and_its_data(trained):
    files = {path.name for path in trained.folder.iterdir()}
    assert {REPORT, CRITERIA, GROWTH, EXPLORER, BITS} <= files
    payload = trained.to_dict()
    assert payload["report"] == str(trained.folder / REPORT)
    assert payload["files"]["test_predictions"].endswith("test_predictions.parquet")


def test_the_report_is_in_mlflow_too(trained):
    from pql_model.config.load import load_config
    from pql_model.registry.tracking import Tracking

    tracking = Tracking(load_config(trained.folder.parent.parent / "pql.yaml"))
    assert tracking.read_file(trained.registered.run_id, REPORT) == (trained.folder / REPORT).read_bytes()
    assert tracking.read_file(trained.registered.run_id, "nothing.txt") is None


def test_criteria_and_growth_say_the_same(trained):
    criteria = json.loads((trained.folder / CRITERIA).read_text(encoding="utf-8"))
    growth = json.loads((trained.folder / GROWTH).read_text(encoding="utf-8"))
    assert growth["criteria"] == criteria["criteria"]
    assert growth["base"] == criteria["base"]
    assert growth["in_force"]["verdict"] == criteria["in_force"]["verdict"]


def test_the_shareable_files_contain_no_account_names(trained):
    names = [*trained.findings.outcomes.entity[:50], "acc-0"]
    for name in (REPORT, GROWTH, EXPLORER, CRITERIA):
        text = (trained.folder / name).read_text(encoding="utf-8")
        assert not [account for account in names if account in text], name


def test_the_bits_are_those_of_the_criteria_rows(trained):
    bits = pd.read_parquet(trained.folder / BITS)
    findings = trained.findings
    assert len(bits) == int((findings.earlier | findings.later).sum())
    assert (bits["period"] == "later").sum() == findings.results.later.rows
    assert bits["in_force"][bits["period"] == "later"].sum() == findings.results.in_force.verdict.later.qualified
    for criterion in findings.results.criteria:
        assert bits[criterion.id][bits["period"] == "later"].sum() == criterion.later.qualified
