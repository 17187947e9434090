import json

import pandas as pd
import pytest

from pql_model.pipelines.demo import demo


@pytest.fixture(scope="module")
def result(tmp_path_factory, with_store):
    return demo(with_store(tmp_path_factory.mktemp("demo") / "here"), accounts=400, trials=1)


@pytest.fixture(scope="module")
def told(result):
    return json.loads(json.dumps(result.as_json(), allow_nan=False))


def test_the_json_has_every_field_of_the_contract(result, told):
    assert {"dir", "train", "report", "scores", "truth"} <= set(told)
    assert told["dir"] == str(result.folder)
    assert told["train"]["run_id"] == result.trained.registered.run_id
    assert (result.folder / told["scores"]).exists()
    assert (result.folder / told["report"]).exists()


def test_the_scores_are_of_the_model_that_was_trained_whether_promoted_or_not(result, told):
    rows = pd.read_parquet(told["scores"])
    assert set(rows["model_version"]) == {result.trained.registered.version}
    assert len(rows) == told["score"]["rows"] > 0


def test_what_was_planted_stands_beside_what_was_found(told):
    lines = {line["what"]: line for line in told["truth"]["comparison"]}
    assert lines["unusable rows, by reason"]["agrees"]
    assert lines["columns that know the outcome"]["agrees"]
    assert "probabilities" not in told["truth"]
    assert told["truth"]["leaking_columns"]
