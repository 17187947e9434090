"""Compare every path to a score with the batch: registered model, engine and running service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model import time
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.explain.reason_text import AGE
from pql_model.features.table import feature_table
from pql_model.model.split import out_of_time
from pql_model.payload import select_attributes
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Tracking
from pql_model.score_log.row_diff import RowDiff, compare_rows
from pql_model.serve.request_builder import entity_requests
from pql_model.serve.scoring_clients import Request, ScoringClient, in_process, over_http
from pql_model.snapshots.grid import scoring_grid
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.workflows.prepare import contacts_of, features_of, trait_names

_PER_PROGRESS_UPDATE = 100


@dataclass(frozen=True)
class VerifyResult:
    """Differences between each path and the batch.

    Attributes
    ----------
    as_of
        The instant of the snapshots; None for snapshots of the training and test sets.
    paths
        One comparison for each path: the registered pyfunc, the engine in this process, the service if a URL was given.
    """

    as_of: int | None
    rows: int
    paths: tuple[RowDiff, ...]

    @property
    def same(self) -> bool:
        return all(path.same for path in self.paths)

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql verify --json` prints."""
        return {
            "snapshots": "training" if self.as_of is None else "at_risk",
            "as_of": time.iso(self.as_of) if self.as_of is not None else None,
            **select_attributes(self, "rows", "same", "paths"),
        }


def verify(
    config: Config | str | Path,
    *,
    url: str | None = None,
    key: str | None = None,
    rows: int = 200,
    as_of: InstantLike | None = None,
    model: str = "champion",
    listener: Listener | None = None,
) -> VerifyResult:
    """Send snapshots through every path to a score and compare each number with the batch.

    The pyfunc gets their features. The engine and the service get their raw events from today's data, including
    those after the snapshot.

    Parameters
    ----------
    url
        URL of a running service to check as well, such as `http://127.0.0.1:3000`.
    key
        API key of the service.
    rows
        Number of snapshots to sample, with the config's seed.
    as_of
        Sample from entities at risk at this date or time; default: from the snapshots of the training and test sets, as
        `pql train` would take them from today's data.
    model
        `champion`, `challenger` or a version number; must be the version of the service.

    Raises
    ------
    NotEnoughDataError
        If nobody is at risk at `as_of`.
    DataError
        If the service does not answer or serves another version, or if `as_of` is after the config's `observed_until`.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> result = pql_model.verify(folder / "pql.yaml")
    >>> result.rows, [path.path for path in result.paths], result.same
    (200, ['pyfunc', 'in process'], True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    instant = read_optional_instant(as_of)
    stages = Stages(listener)
    tracking = Tracking(config)
    registered = tracking.load(model)
    fitted_model, version = registered.model, registered.version
    decider = Decider.of_facts(fitted_model.facts)
    clients = {"in process": in_process(version, fitted_model)}
    if url is not None:
        clients[url] = over_http(url, key, version)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config)
            population = _trained_on(con, config, sources) if instant is None else _at_risk(config, sources, instant)
            sample = population.sample(min(rows, len(population)), random_state=config.seed)
            snapshots = con.create_table("verified_snapshots", sample)
        with stages("batch"):
            features = list(dict.fromkeys([*features_of(fitted_model.manifest), *decider.features, AGE]))
            traits = trait_names(sources.traits)
            table = feature_table(sources, snapshots, features, traits, stages.listener.share)
            features_only = decided_rows(fitted_model, table, decider).rows.to_dict("records")
            contacts = contacts_of(config, sources, snapshots)
            batch = decided_rows(fitted_model, table, decider, contacts=contacts).rows.to_dict("records")
            requests: list[Request] = list(entity_requests(sources, snapshots))
    with stages("pyfunc"):
        paths = [compare_rows("pyfunc", features_only, tracking.predict(registered, table).to_dict("records"))]
    for path, client in clients.items():
        with stages(path):
            paths.append(compare_rows(path, batch, _answers(client, requests, stages.listener)))
    return VerifyResult(instant, len(batch), tuple(paths))


def _trained_on(con: Connection, config: Config, sources: Sources) -> pd.DataFrame:
    frame = label_snapshots(con, config, sources).frame
    split = out_of_time(frame, config.horizon, config.motion)
    snapshots: pd.DataFrame = frame.loc[split.train | split.test, ["entity", "as_of", "signed_up"]]
    return snapshots


def _at_risk(config: Config, sources: Sources, instant: int) -> pd.DataFrame:
    end = config.observed_until
    if end is not None and instant > end:  # the batch reads no later events, the service is sent all of them
        raise DataError(
            "The data end before this instant",
            received=time.iso(instant),
            allowed=f"until {time.iso(end)}, the `observed_until` of the config",
            remedy="choose an earlier instant, or remove `observed_until` from the config",
        )
    grid = scoring_grid(config, sources, instant)
    frame: pd.DataFrame = grid.filter(grid.reason.isnull()).order_by("entity").drop("reason").to_pandas()
    if frame.empty:
        raise NotEnoughDataError(
            "Nobody is at risk at this instant", received=time.iso(instant), remedy="choose another with `--as-of`"
        )
    return frame.assign(signed_up=frame["signed_up"].astype("Int64"))


def _answers(client: ScoringClient, requests: list[Request], listener: Listener) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for start in range(0, len(requests), _PER_PROGRESS_UPDATE):
        answers += client(requests[start : start + _PER_PROGRESS_UPDATE])
        listener.share(len(answers) / len(requests))
    return answers
