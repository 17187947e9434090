import json

import pandas as pd
import pytest

from pql_model.workflows.demo import demo


@pytest.fixture(scope="module")
def result(tmp_path_factory, with_store):
    return demo(with_store(tmp_path_factory.mktemp("demo") / "here"), accounts=400, trials=1)


@pytest.fixture(scope="module")
def payload(result):
    return json.loads(json.dumps(result.to_dict(), allow_nan=False))


def test_the_json_has_every_field_of_the_contract(result, payload):
    assert {"dir", "train", "report", "scores", "leads", "truth"} <= set(payload)
    assert payload["dir"] == str(result.folder)
    assert payload["train"]["run_id"] == result.trained.registered.run_id
    assert (result.folder / payload["scores"]).exists()
    assert (result.folder / payload["report"]).exists()
    assert (result.folder / "leads.html").exists()
    assert payload["leads"]["rows"] == payload["score"]["rows"]


def test_the_scores_come_from_the_trained_model_whether_promoted_or_not(result, payload):
    rows = pd.read_parquet(payload["scores"])
    assert set(rows["model_version"]) == {result.trained.registered.version}
    assert len(rows) == payload["score"]["rows"] > 0


def test_planted_and_found_results_are_compared(payload):
    lines = {line["what"]: line for line in payload["truth"]["comparison"]}
    assert lines["unusable rows, by reason"]["agrees"]
    assert lines["columns that know the outcome"]["agrees"]
    assert "probabilities" not in payload["truth"]
    assert payload["truth"]["leaking_columns"]
