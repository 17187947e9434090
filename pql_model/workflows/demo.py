"""`pql demo`: a simulated product with a known truth, run through the ordinary workflows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.audit.audit import quarantined
from pql_model.config.load import load_config
from pql_model.demo.compare import TruthComparison, compare
from pql_model.demo.world import make_world, write_world
from pql_model.features.trait_columns import trait_name
from pql_model.model.train import DEFAULT_TRIALS
from pql_model.progress import Listener, Silent
from pql_model.time import DAY, iso
from pql_model.workflows.growth import REPORT
from pql_model.workflows.leads import LeadsResult, write_leads
from pql_model.workflows.score import ScoreResult, score
from pql_model.workflows.train import TrainResult, train

SCORED_DAYS_BEFORE_END = 24
"""By the end of the demo's data its last trials are over, so it scores at an earlier day, a week after the last sign-up."""


@dataclass(frozen=True)
class DemoResult:
    """The folder of a demo, its training, scores and leads, and how they compare with the truth."""

    folder: Path
    trained: TrainResult
    scored: ScoreResult
    leads: LeadsResult
    comparison: TruthComparison
    truth: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql demo --json` prints."""
        planted = {k: v for k, v in self.truth.items() if k != "probabilities"}
        return {
            "dir": str(self.folder),
            "train": self.trained.to_dict(),
            "report": str(self.trained.folder / REPORT),
            "scores": str(self.scored.output),
            "score": self.scored.to_dict(),
            "leads": self.leads.to_dict(),
            "truth": {**planted, "comparison": self.comparison.to_dict()},
        }


def make_demo(folder: str | Path, accounts: int = 4000, seed: int = 7) -> Path:
    """Write the demo's data, config and truth into a folder.

    Examples
    --------
    >>> import tempfile
    >>> sorted(path.name for path in make_demo(tempfile.mkdtemp(), accounts=100).iterdir())
    ['accounts.csv', 'events.parquet', 'pql.yaml', 'subscriptions.csv', 'truth.json']
    """
    path = Path(folder)
    write_world(make_world(accounts, seed), path)
    return path


def demo(
    folder: str | Path = "pql-demo",
    *,
    accounts: int = 4000,
    seed: int = 7,
    trials: int = DEFAULT_TRIALS,
    listener: Listener | None = None,
) -> DemoResult:
    """Simulate a product, train on it, score it, and compare the results with the planted truth."""
    listener = listener if listener is not None else Silent()
    listener.stage("make data")
    path = make_demo(folder, accounts, seed)
    config = load_config(path / "pql.yaml")
    trained = train(config, trials=trials, listener=listener)
    end = trained.prepared.sources.observed_until
    model = trained.registered.version
    as_of = iso(end - end % DAY - SCORED_DAYS_BEFORE_END * DAY)
    scored = score(config, as_of=as_of, model=model, listener=listener)
    leads = write_leads(config, as_of=as_of, model=model, listener=listener)
    truth = json.loads((path / "truth.json").read_text(encoding="utf-8"))
    predictions = pd.read_parquet(trained.folder / "test_predictions.parquet")
    traits = {trait_name(trait): trait for trait in trained.prepared.sources.traits}
    leaks = [traits.get(column, column) for column in quarantined(trained.prepared.findings)]
    set_aside = trained.prepared.sources.events.by_reason()
    criteria = [c["conditions"][0] for c in trained.findings.to_dict()["criteria"]]
    comparison = compare(truth, predictions, list(trained.importance["behaviour"]), leaks, set_aside, criteria)
    return DemoResult(path, trained, scored, leads, comparison, truth)
