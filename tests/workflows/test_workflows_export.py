import json

import pytest

from pql_model import export
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.serve.bundle import load_bundle


@pytest.fixture
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


def test_a_bundle_describes_its_model(config, tmp_path):
    result = export(config, output=tmp_path / "boards", model="1")
    payload, about = result.to_dict(), result.bundle.about

    assert payload["output"] == str(tmp_path / "boards")
    assert payload["bytes"] == sum(path.stat().st_size for path in (tmp_path / "boards").rglob("*") if path.is_file())
    assert payload["digest"] == load_bundle(tmp_path / "boards").digest
    assert (about["name"], about["version"], about["entity"], about["motion"], about["horizon"]) == (
        "nimbus-boards",
        "1",
        "account",
        "trial",
        "30d",
    )
    assert about["trained_on"]["entities"] > about["trained_on"]["converting_entities"] > 0
    assert about["trained_on"]["to"] < about["tested_on"]["from"]
    assert json.loads(json.dumps(payload)) == payload


def test_criteria_metrics_and_report_come_from_the_run(config, tmp_path):
    bundle = export(config, output=tmp_path / "boards", model="1").bundle

    assert "<!doctype html>" in bundle.report[:100].lower()
    assert "recommended" in json.dumps(bundle.criteria)
    assert "roc_auc" in json.dumps(bundle.metrics)


def test_a_bundle_contains_no_customer_rows(config, tmp_path):
    export(config, output=tmp_path / "boards", model="1")

    assert not any(
        "acc-0" in path.read_text(encoding="utf-8") for path in (tmp_path / "boards").rglob("*") if path.is_file()
    )


def test_an_unknown_model_is_refused(config, tmp_path):
    with pytest.raises(ModelNotFoundError, match="There is no 99 of the model `nimbus-boards`"):
        export(config, output=tmp_path / "boards", model="99")
    assert not (tmp_path / "boards").exists()


def test_a_folder_with_other_files_is_left_unchanged(config, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match="holds something other than a bundle"):
        export(config, output=tmp_path, model="1")
