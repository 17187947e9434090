"""The fuzz that can be run for hours, for a moment: it finds nothing, and it would see what is wrong."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from pql_model.features.online import OnlineFeatures
from pql_model.serve.engine import ScoringEngine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def judge(bundle):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        fuzz = importlib.import_module("fuzz")
    return fuzz.Judge(bundle.path), fuzz.Maker


def test_wild_bodies_are_scored_or_refused(judge):
    asked, maker = judge
    making = maker(asked, seed=3)
    bodies = [making.body() for _ in range(300)]

    assert [(asked.fault(*body), body) for body in bodies if asked.fault(*body) is not None] == []
    assert asked.unchanged()
    assert min(asked.became[f"/score {status}"] for status in (200, 400, 422)) > 50


def test_wrong_answers_are_detected(judge, monkeypatch):
    asked, maker = judge
    making = maker(asked, seed=4)
    bodies = [body for body in (making.body() for _ in range(60)) if body[0] == "/score"]
    honest = ScoringEngine.score

    def tampered(probability):
        def score(self, raw, now):
            answer = honest(self, raw, now)
            answer.row["probability"] = probability
            return answer

        return score

    for probability, fault in ((2.0, "no probability"), (float("nan"), "status 500")):
        monkeypatch.setattr(ScoringEngine, "score", tampered(probability))
        assert {asked.fault(*body) for body in bodies} == {fault, None}
    monkeypatch.setattr(ScoringEngine, "score", honest)
    monkeypatch.setattr(OnlineFeatures, "compute", shifted(OnlineFeatures.compute))
    assert "the oracle says" in " ".join(filter(None, (asked.fault(*body) for body in bodies)))


def shifted(compute):
    return lambda self, events, signed_up, as_of: compute(self, events, signed_up, as_of + 1)
