import json
from pathlib import Path

import pandas as pd
import pytest

from pql_model.config.load import load_config


def test_a_training_leaves_files_that_can_be_read_without_us(trained):
    told = trained.as_json()["files"]
    assert load_config(told["config"]).name == "nimbus-boards"
    assert json.loads(Path(told["features"]).read_text()) == trained.registered.model.manifest.as_json()
    assert [leak["action"] for leak in json.loads(Path(told["leakage"]).read_text())] == ["quarantined", "quarantined"]
    rows = trained.as_json()["snapshots"]["test"]["rows"]
    assert pd.read_csv(told["behaviours"])["share"].sum() == pytest.approx(1)
    assert pd.read_csv(told["months"])["rows"].sum() == pd.read_csv(told["reliability"])["n"].sum() == rows


def test_what_was_promised_lies_beside_the_predictions(trained):
    told = trained.as_json()
    assert json.loads(Path(told["files"]["promises"]).read_text()) == told["calibration"]
    assert (trained.folder / "expected_observed.png").read_bytes().startswith(b"\x89PNG")
    assert "supported" not in told["files"]  # the model can be used


def test_the_card_says_the_verdict_and_the_leaks(trained):
    card = (trained.folder / "model_card.md").read_text()
    assert card.startswith("# Model card: nimbus-boards\n")
    assert f"**Verdict: {trained.verdict.name}.**" in card
    assert "`trait.lifetime_logins`" in card
    assert "nan" not in card
