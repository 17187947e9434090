"""`pql simulate`: a policy replayed day by day on the past, beside the present one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pql_model import time
from pql_model.atomic import atomic_write
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config, load_policy, parse_config
from pql_model.config.policy_settings import Policy
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import Columns
from pql_model.decide.build import check_policy, policy_features, policy_parts
from pql_model.decide.decider import Decider
from pql_model.decide.simulation import Scored, Simulation, Wins, count_wins, simulate
from pql_model.errors import DataError
from pql_model.evaluation.plots import plot_simulation
from pql_model.explain.reason_text import AGE
from pql_model.features.catalogue import event_names
from pql_model.features.spec import Feature
from pql_model.features.table import feature_table
from pql_model.model.artifact import FittedModel
from pql_model.model.split import out_of_time
from pql_model.payload import to_payload
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Tracking
from pql_model.snapshots.grid import scoring_grid
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.coverage import newest_event
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.time import DAY, DURATION_HELP, Duration
from pql_model.workflows.prepare import features_of, trait_names

_AT_ONCE = 3_000_000
"""Entities times instants whose features are computed at once."""
MOST_RUNS = 1_000
"""Of one simulation."""


@dataclass(frozen=True)
class SimulatedPolicy:
    """What a policy would have done, and what came of it."""

    simulation: Simulation
    wins: Wins

    def to_dict(self) -> dict[str, Any]:
        run, wins = self.simulation, self.wins
        waits = {"p50": run.wait_days(0.5), "p95": run.wait_days(0.95)}
        return {
            "rule": run.text,
            "days": [day.to_dict() for day in run.days],
            "alerts": len(run.alerts),
            "most_in_period": run.most_in_period,
            "wait_days": to_payload(waits, 3),
            "wins": wins.wins.to_dict(3),
            "win_rate": wins.rate.to_dict(6),
            "final_alerts": wins.final,
            "pending_alerts": wins.pending,
            "never_alerted": len(run.never_alerted),
            "paid_unalerted": wins.paid_unalerted,
            "by_weekday": to_payload(run.by_weekday, 3),
        }


@dataclass(frozen=True)
class SimulationResult:
    """A simulated policy, the present one beside it if it is another, and the file of the plot, if there is anything to plot."""

    policy: SimulatedPolicy
    present: SimulatedPolicy | None
    from_: int
    to: int
    every: Duration
    plot: Path | None
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql simulate --json` prints."""
        return {
            **self.policy.to_dict(),
            "from": time.iso(self.from_),
            "to": time.iso(self.to),
            "every": str(self.every),
            "present": self.present.to_dict() if self.present is not None else None,
            "files": {"plot": str(self.plot) if self.plot is not None else None},
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def simulate_policy(
    config: Config | str | Path,
    policy: Policy | str | Path | None = None,
    *,
    from_: InstantLike | None = None,
    to: InstantLike | None = None,
    every: str = "1d",
    model: str = "champion",
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> SimulationResult:
    """Replay a policy on the past, run after run, as scoring would have.

    Everybody at risk is scored at each instant from what was known then, by the model that has not learnt from its test
    period. Thresholds are set on the test period, as training sets them.

    Parameters
    ----------
    policy
        A policy, or a YAML file with one, bare or under `policy:`; default: the present one, that of the model.
    from_, to
        First and last instant; default: the start of the test period, and the last instant whose outcomes are final.
    every
        Time between runs.
    model
        `champion`, `challenger` or a version number.
    output
        A `.png` file for the plot; default `simulation.png` beside the config.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    DataError
        If the instants are out of order, or outside the data.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> weekly = Policy.model_validate({"capacity": {"leads": 5, "per": "7d"}})
    >>> result = pql_model.simulate_policy(folder / "pql.yaml", weekly)
    >>> result.policy.simulation.most_in_period <= 5
    True
    """
    config = config if isinstance(config, Config) else load_config(config)
    proposed = policy if isinstance(policy, Policy) or policy is None else load_policy(policy)
    path = Path(output) if output is not None else config.home / "simulation.png"
    if path.suffix != ".png":
        raise DataError("The plot is written as png", received=path, allowed="a file name that ends in .png")
    step = _step(every)
    first, last = read_optional_instant(from_, "from"), read_optional_instant(to, "to")
    stages = Stages(listener)
    with stages("load model"):
        fitted = Tracking(config).load(model).model
        trained_config = parse_config(fitted.facts["config"])
    policies = [trained_config.policy] if proposed is None else [proposed, trained_config.policy]
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config)
            instants = _instants(first, last, step, fitted, config, sources)
            for policy_ in policies:
                changed = config.model_copy(update={"policy": policy_})
                check_policy(changed, event_names(sources.events.table), sources.traits)
        with stages("thresholds"):
            deciders = _deciders(con, config, sources, fitted, policies)
        with stages("score"):
            runs = list(_score(con, config, sources, fitted.held_back, deciders, instants, stages))
        paid = sources.conversions.table.select("entity", "time").to_pandas()
    with stages("simulate"):
        converted_at = dict(zip(paid["entity"].astype(str), paid["time"].tolist(), strict=True))
        simulated = [
            SimulatedPolicy(run, count_wins(run, converted_at, config.horizon.us, sources.observed_until))
            for run in (simulate(decider, runs, decider.rule.per) for decider in deciders)
        ]
        chosen, present = simulated[0], simulated[1] if proposed is not None else None
        drawn = {"this policy": chosen.to_dict(), **({"the present one": present.to_dict()} if present else {})}
        plot = path if any(run.entity for run in runs) else None  # an empty one would replace an earlier one
        if plot is not None:
            plot.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(plot, lambda at: plot_simulation(drawn, at))
    notes = tuple(_notes(fitted, runs, policies, simulated))
    return SimulationResult(chosen, present, instants[0], instants[-1], step, plot, notes, stages.seconds)


def _step(every: str) -> Duration:
    try:
        return Duration.parse(every)
    except ValueError:
        raise DataError("`every` is not a time", received=every, allowed=DURATION_HELP) from None


def _instants(
    first: int | None, last: int | None, step: Duration, model: FittedModel, config: Config, sources: Sources
) -> list[int]:
    """The runs: by default from the test period on, at midnight, as long as outcomes are final."""
    newest = newest_event(sources.events.table)
    start = first if first is not None else -(-int(model.facts["test_start"]) // DAY) * DAY
    end = last if last is not None else sources.observed_until - config.horizon.us
    runs = list(range(start, min(end, newest) + 1, step.us))
    if not runs or end > newest + DAY:
        raise DataError(
            "A policy is simulated from a first to a later last instant, within the data",
            received=f"from {time.iso(start)} to {time.iso(end)}",
            allowed=f"at the latest {time.iso(newest)}, the newest event",
            remedy="name them with `--from` and `--to`",
        )
    if len(runs) > MOST_RUNS:
        raise DataError(
            "Too many runs to simulate",
            received=f"{len(runs):,}",
            allowed=f"at most {MOST_RUNS:,}",
            remedy="take a longer `--every`, or less time",
        )
    return runs


def _deciders(
    con: Connection, config: Config, sources: Sources, model: FittedModel, policies: Sequence[Policy | None]
) -> list[Decider]:
    """One decider a policy, with thresholds from the test period, as training sets them."""
    decider, tested = Decider.of_facts(model.facts), model.held_back
    snapshots = label_snapshots(con, config, sources)
    split = out_of_time(snapshots.frame, config.horizon, config.motion)
    later = (snapshots.frame["as_of"] >= split.test_start).to_numpy()
    features = [*_features(tested, decider), *(f for policy in policies for f in policy_features(policy))]
    rows = snapshots.table.filter(snapshots.table.as_of >= split.test_start)
    table = feature_table(sources, rows, list(dict.fromkeys(features)), trait_names(sources.traits))
    test = split.test[later]
    frame, table = snapshots.frame[later][test], table[test].reset_index(drop=True)
    probability = tested.probability(table)
    return [
        replace(decider, **policy_parts(config, policy, decider.recommended, frame, table, probability))
        for policy in policies
    ]


def _score(
    con: Connection,
    config: Config,
    sources: Sources,
    model: FittedModel,
    deciders: Sequence[Decider],
    instants: Sequence[int],
    stages: Stages,
) -> Iterator[Scored]:
    """Score everybody at risk at each instant."""
    conditions = [condition for decider in deciders for condition in decider.conditions]
    features = list(dict.fromkeys(feature for decider in deciders for feature in _features(model, decider)))
    entities = int(sources.entities.table.count().execute())
    at_once = max(1, _AT_ONCE // max(1, entities))
    for start in range(0, len(instants), at_once):
        part = instants[start : start + at_once]
        grid = con.create_table("simulated_grid", scoring_grid(config, sources, *part), overwrite=True)
        table = feature_table(sources, grid.filter(grid.reason.isnull()), features, trait_names(sources.traits))
        probability, of_instant = model.probability(table), table.groupby("as_of").indices
        for as_of in part:
            place = of_instant.get(as_of, np.empty(0, np.int64))
            rows = table.iloc[place]
            entity = rows["entity"].astype(str).tolist()
            yield Scored(as_of, entity, probability[place], Columns.of_table(rows, conditions))
        stages.listener.share((start + len(part)) / len(instants))


def _features(model: FittedModel, decider: Decider) -> list[Feature]:
    return [*features_of(model.manifest), *decider.features, AGE]


def _notes(
    model: FittedModel, runs: Sequence[Scored], policies: Sequence[Policy | None], simulated: Sequence[SimulatedPolicy]
) -> Iterator[str]:
    """Say what flatters the figures, or that there are none."""
    test_start = int(model.facts["test_start"])
    if not any(run.entity for run in runs):
        yield "Nobody was at risk in any of these runs."
    if runs[0].as_of < test_start:
        yield (
            f"The model has learnt from snapshots before {time.iso(test_start)}: the wins of the days before are better "
            "than they would have been."
        )
    if any(policy is not None and policy.precision is not None for policy in policies):
        yield "The threshold of a `precision` policy was chosen by the outcomes of the test period: its wins are flattered."
    if pending := max(policy.wins.pending for policy in simulated):
        yield f"{pending:,} alerts have no final outcome yet and are left out of the wins."
