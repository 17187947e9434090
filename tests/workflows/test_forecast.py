"""`pql forecast` on files: nothing of the future is used, and every field of the contract is there."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from worlds import at, product

from pql_model.errors import DataError, ModelNotFoundError
from pql_model.time import DAY
from pql_model.workflows.forecast import _model_at, forecast

START, AS_OF = at("2026-01-01"), at("2026-05-01")


def small_product(home, until=None, seed=4):
    """150 days; three sign-ups a day, of which one in five pays within three weeks. Rows at or after `until` are left out."""
    rng = np.random.default_rng(seed)
    accounts, events, paid = [], [], []
    for k in range(450):
        signed_up = int(START + k * DAY / 3)
        pays, wait = rng.random() < 0.2, int(rng.uniform(1, 21) * DAY)
        name = f"a{k:03}"
        if until is None or signed_up < until:
            accounts.append({"account": name, "signed_up": signed_up})
            events.append({"account": name, "event": "opened", "time": signed_up + 1000})
            if pays and (until is None or signed_up + wait < until):
                paid.append({"account": name, "time": signed_up + wait, "value": 10 + k % 7})
    return product(home, accounts, events, paid, observed_until="2026-07-01" if until is None else "2026-05-01")


def test_the_future_changes_nothing(tmp_path):
    for name in ("all", "past"):
        (tmp_path / name).mkdir()
    full = forecast(small_product(tmp_path / "all"), as_of="2026-05-01", weeks=4).to_dict()
    cut = forecast(small_product(tmp_path / "past", until=AS_OF), as_of="2026-05-01", weeks=4).to_dict()
    for payload in (full, cut):
        del payload["seconds"], payload["files"]
    assert full == cut


def test_the_json_has_every_field_of_the_contract(tmp_path):
    result = forecast(small_product(tmp_path), as_of="2026-05-01", weeks=3)
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {"as_of", "conversions", "value", "weeks"} <= set(payload)
    assert (payload["as_of"], payload["until"]) == ("2026-05-01", "2026-05-22")
    for of in (payload, *payload["weeks"]):
        for key in ("conversions", "value", "sign_ups"):
            assert of[key]["low"] <= of[key]["value"] <= of[key]["high"]
    assert [week["from"] for week in payload["weeks"]] == ["2026-05-01", "2026-05-08", "2026-05-15"]
    assert payload["conversions"]["value"] == pytest.approx(12.6, rel=0.4)
    assert payload["model"] is None
    assert payload["at_risk"]["method"] == "age"
    assert "There is no champion" in payload["notes"][0]
    assert (tmp_path / "forecast.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_model_that_has_not_seen_the_outcomes_is_compared_at_past_dates(trained, tmp_path):
    home = trained.folder.parent.parent
    result = forecast(home / "pql.yaml", as_of="2025-12-20", weeks=2, model="1", output=tmp_path / "f.png")
    assert result.comparison.dates >= 3
    assert 0 < result.scored < result.at_risk
    assert result.model.version == "1"
    early = forecast(home / "pql.yaml", as_of="2025-05-01", weeks=2, model="1", output=tmp_path / "f.png")
    assert early.model is None
    assert any("has learnt from outcomes after this instant" in note for note in early.notes)


def test_no_model_scores_that_has_learnt_from_outcomes_after_the_instant():
    tested = SimpleNamespace(learnt_until=10)
    refitted = SimpleNamespace(learnt_until=20, held_back=tested)
    assert [_model_at(refitted, at) for at in (9, 10, 19, 20)] == [None, tested, tested, refitted]
    unknown = SimpleNamespace(learnt_until=None)
    unknown.held_back = unknown
    assert _model_at(unknown, 99) is None


def test_sign_ups_that_stopped_are_said(tmp_path):
    config = small_product(tmp_path)
    notes = {day: " ".join(forecast(config, as_of=day, weeks=2).notes) for day in ("2026-05-01", "2026-06-15")}
    assert "Nobody has signed up since" not in notes["2026-05-01"]
    assert "Nobody has signed up since 2026-05-30" in notes["2026-06-15"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"as_of": "2027-01-01"}, DataError, "begins where the data end, or before"),
        ({"as_of": "2025-12-31"}, DataError, "Nobody had signed up before 2025-12-31"),
        ({"weeks": 0}, DataError, "Allowed: 1 to 26"),
        ({"weeks": 27}, DataError, "Allowed: 1 to 26"),
        ({"output": "f.svg"}, DataError, "written as png"),
        ({"model": "3"}, ModelNotFoundError, "There is no 3 of the model"),
    ],
)
def test_bad_input_is_refused(tmp_path, with_store, options, error, words):
    config = small_product(with_store(tmp_path))
    with pytest.raises(error, match=words):
        forecast(config, **options)
