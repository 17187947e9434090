import json
from pathlib import Path

import pandas as pd
import pytest

from pql_model.config.load import load_config


def test_a_training_leaves_files_that_other_tools_can_read(trained):
    payload = trained.to_dict()["files"]
    assert load_config(payload["config"]).name == "nimbus-boards"
    assert json.loads(Path(payload["features"]).read_text()) == trained.registered.model.manifest.to_dict()
    assert [leak["action"] for leak in json.loads(Path(payload["leakage"]).read_text())] == [
        "quarantined",
        "quarantined",
    ]
    rows = trained.to_dict()["snapshots"]["test"]["rows"]
    assert pd.read_csv(payload["behaviours"])["share"].sum() == pytest.approx(1)
    assert pd.read_csv(payload["months"])["rows"].sum() == pd.read_csv(payload["reliability"])["n"].sum() == rows


def test_expected_conversions_are_written_beside_the_predictions(trained):
    payload = trained.to_dict()
    assert json.loads(Path(payload["files"]["expected_vs_observed"]).read_text()) == payload["calibration"]
    assert (trained.folder / "expected_observed.png").read_bytes().startswith(b"\x89PNG")
    assert "supported" not in payload["files"]  # the model can be used


def test_the_model_card_has_the_verdict_and_the_leaks(trained):
    card = (trained.folder / "model_card.md").read_text()
    assert card.startswith("# Model card: nimbus-boards\n")
    assert f"**Verdict: {trained.verdict.name}.**" in card
    assert "`trait.lifetime_logins`" in card
    assert "nan" not in card
