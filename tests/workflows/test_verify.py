import json

import pandas as pd
import pytest

from pql_model.config.load import load_config
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.score_log.row_diff import NUMBERS, SAME
from pql_model.serve.engine import ScoringEngine
from pql_model.time import parse_instant
from pql_model.workflows import verify as pipeline
from pql_model.workflows.verify import verify

AS_OF = "2025-11-20"


@pytest.fixture(scope="module")
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


@pytest.fixture
def requests(monkeypatch):
    """What is sent, as it is sent."""
    sent = []
    honest = pipeline.in_process

    def listening(version, model):
        ask = honest(version, model)
        return lambda requests: sent.extend(requests) or ask(requests)

    monkeypatch.setattr(pipeline, "in_process", listening)
    return sent


def test_every_path_gives_the_numbers_of_the_batch(config):
    result = verify(config, as_of=AS_OF, model="1")
    assert 10 < result.rows < 200  # all there are
    assert [path.path for path in result.paths] == ["pyfunc", "in process"]
    for path in result.paths:
        assert path.largest == dict.fromkeys(NUMBERS, 0.0)
        assert path.different == dict.fromkeys((*NUMBERS, *SAME), 0)
        assert path.rows == result.rows
    assert result.same
    payload = json.loads(json.dumps(result.to_dict()))
    assert (payload["same"], payload["snapshots"], payload["as_of"]) == (True, "at_risk", AS_OF)


def test_without_as_of_snapshots_are_sampled_from_training_and_test(trained, config, requests):
    result = verify(config, model="1", rows=60)
    frame, split = trained.prepared.snapshots.frame, trained.prepared.split
    rows = frame[split.train | split.test]
    known = {(row.entity, row.as_of) for row in rows.itertuples()}
    asked = {(request["entity"], pd.Timestamp(request["as_of"], tz="UTC").value // 1000) for request in requests}

    assert result.same
    assert result.to_dict()["snapshots"] == "training"
    assert len(asked) == 60
    assert asked < known
    ages = {pd.Timestamp(r["as_of"], tz="UTC") - pd.Timestamp(r["signed_up"]).tz_convert("UTC") for r in requests}
    assert {age.days for age in ages} == {7, 14}
    later = [any(event["time"] >= request["as_of"] for event in request["events"]) for request in requests]
    assert sum(later) > 20

    verify(config, model="1", rows=60)
    drawn = [(request["entity"], request["as_of"]) for request in requests]
    assert drawn[:60] == drawn[60:]


def test_a_difference_in_the_engine_is_reported(config, monkeypatch):
    honest = ScoringEngine.score

    def tampered(self, raw, now):
        answer = honest(self, raw, now)
        answer.row["probability"] += 1e-6
        answer.row["reasons"] = answer.row["reasons"][:1]
        return answer

    monkeypatch.setattr(ScoringEngine, "score", tampered)
    result = verify(config, as_of=AS_OF, model="1", rows=5)
    pyfunc, engine = result.paths
    assert pyfunc.same
    assert not result.same
    assert engine.largest["probability"] == pytest.approx(1e-6)
    assert (engine.different["reasons"], engine.different["probability"], engine.different["band"]) == (5, 5, 0)


def test_a_difference_in_the_pyfunc_is_reported(config, monkeypatch):
    monkeypatch.setattr(
        pipeline.Tracking,
        "predict",
        lambda self, registered, table: (
            pipeline.decided_rows(
                registered.model,
                table.iloc[::-1],
                pipeline.Decider.of_facts(registered.model.facts),
            ).rows
        ),
    )
    result = verify(config, as_of=AS_OF, model="1", rows=20)
    assert result.paths[0].different["probability"] > 10
    assert result.paths[1].same


def test_nobody_at_risk_is_an_error(config):
    with pytest.raises(NotEnoughDataError, match="Nobody is at risk"):
        verify(config, as_of="2030-01-01", model="1")


def test_an_instant_after_observed_until_is_refused(config):
    """A service is sent the events after that end; the batch does not know them."""
    ended = load_config(config).model_copy(update={"observed_until": parse_instant("2025-11-19")})
    with pytest.raises(DataError, match=r"The data end before this instant.*2025-11-20.*until 2025-11-19"):
        verify(ended, as_of=AS_OF, model="1")


def test_a_running_service_is_compared_too(config, monkeypatch):
    monkeypatch.setattr(
        pipeline,
        "over_http",
        lambda url, key, version: lambda requests: [{"error": {"message": f"{key} {version}"}}] * len(requests),
    )
    result = verify(config, url="http://there", key="k", as_of=AS_OF, model="1", rows=3)
    assert [path.path for path in result.paths] == ["pyfunc", "in process", "http://there"]
    assert result.paths[2].refused == 3
    assert result.paths[2].first_refusal.endswith(": k 1")
    assert not result.same


def test_an_invalid_url_is_refused_before_the_data_are_read(config):
    with pytest.raises(DataError, match="not the URL of a service"):
        verify(config, url="there:3000", model="1")
