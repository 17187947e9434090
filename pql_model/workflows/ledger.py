"""The outcome ledger of a product: what was said, what was done, and what came of it, rebuilt from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pql_model import time
from pql_model.activate.outbox import read_deliveries
from pql_model.atomic import atomic_write
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.errors import DataError, LearnerError
from pql_model.ledger.build import Ledger, LedgerParts, assemble, said_by
from pql_model.ledger.log import NEEDED, read_log_batches, read_log_files
from pql_model.ledger.schema import SAID
from pql_model.progress import Listener, Stages
from pql_model.registry.connection import has_store
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.score_log.store import log_batches, log_paths, log_table_of
from pql_model.sources.aliases import resolve_entities
from pql_model.sources.duckdb_session import Connection, fetch_row, open_session
from pql_model.sources.feedback import read_feedback
from pql_model.sources.id_columns import with_one_spelling
from pql_model.sources.read import Sources, read_sources
from pql_model.sources.stages import read_stages
from pql_model.workflows.ledger_replay import replay_scores

Table = Any


@dataclass(frozen=True)
class LedgerResult:
    """The ledger as a file, and what it holds."""

    output: Path
    rows: dict[str, int]
    set_aside: dict[str, int]
    totals: dict[str, int]
    until: int
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql ledger --json` prints."""
        return {
            "output": str(self.output),
            "rows": sum(self.rows.values()),
            "by_source": self.rows,
            **self.totals,
            "set_aside": self.set_aside,
            "outcomes_until": time.iso(self.until),
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }


def write_ledger(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    as_of: InstantLike | None = None,
    replay: bool = True,
    listener: Listener | None = None,
) -> LedgerResult:
    """Write the outcome ledger as a Parquet file.

    Parameters
    ----------
    output
        A `.parquet` file; default `ledger.parquet` beside the config.
    as_of
        Build it as of this instant: later scores, feedback and outcomes do not exist. Default: everything that is known.
    replay
        Compute what the champion would have said where nothing was logged.

    Raises
    ------
    DataError
        If a table or the score log cannot be read, or `output` is not a `.parquet` file.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> ledger = write_ledger(folder / "pql.yaml").to_dict()
    >>> list(ledger["by_source"]), 0 < ledger["final"] <= ledger["rows"]
    (['replayed'], True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / "ledger.parquet"
    if path.suffix != ".parquet":
        raise DataError("The ledger is written as parquet", received=path, allowed="a file name that ends in .parquet")
    instant = read_optional_instant(as_of)
    stages = Stages(listener)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config, may_lack_conversions=True)
        ledger = build_ledger(con, config, sources, stages, as_of=instant, replay=replay)
        with stages("write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, lambda at: con.to_parquet(ledger.table, at, compression="zstd"))
            t = ledger.table
            totals = fetch_row(
                t.aggregate(
                    entities=t.entity.nunique(),
                    known=t.count(where=t.known),
                    final=t.count(where=t.final),
                    converted=t.count(where=t.converted),
                )
            )
    return LedgerResult(
        path,
        ledger.counts["rows"],
        ledger.counts["set_aside"],
        {name: int(count) for name, count in totals.items()},
        ledger.until,
        ledger.warnings,
        stages.seconds,
    )


def build_ledger(
    con: Connection,
    config: Config,
    sources: Sources,
    stages: Stages,
    *,
    as_of: int | None = None,
    replay: bool = True,
    champion: RegisteredModel | None = None,
) -> Ledger:
    """Build the outcome ledger in a session, from the score log, the feedback, the outbox and today's data.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data, read into the session. They may lack conversions.
    stages : Stages
        Times the work and receives progress.
    as_of : int, optional
        Build it as of this instant (microseconds): later scores, feedback and outcomes do not exist.
    replay : bool, optional
        Compute what the champion would have said where nothing was logged.
    champion : RegisteredModel, optional
        The model that is replayed, for a look at the past; default: the champion of today.

    Raises
    ------
    DataError
        If the score log, the outbox, or the tables of feedback or stages cannot be read.
    """
    with stages("read log"):
        said = _said(con, config)
        said = said if as_of is None else said_by(said, as_of)
        feedback, reached = read_feedback(con, config, sources), read_stages(con, config, sources)
    versions, in_force, notes = _models(con, config, said, replay=replay and champion is None)
    champion = in_force if champion is None else champion
    learnt_until = {name: until for name, m in versions.items() if (until := m.model.learnt_until) is not None}
    if champion is not None:
        with stages("replay"):
            last = as_of if as_of is not None else time.now()
            replayed = replay_scores(con, config, sources, champion, _runs(config, said, learnt_until), last, stages)
            said = said.union(replayed) if replayed is not None else said
    entities = sources.entities.table.select("entity", "excluded")
    policy = config.policy
    parts = LedgerParts(
        product=config.name,
        horizon=config.horizon.us,
        outcomes_until=sources.observed_until,
        as_of=as_of,
        said=said,
        entities=entities,
        conversions=sources.conversions.table,
        resolve=lambda table: _as_today(config, sources, table),
        feedback=feedback.table if feedback is not None else None,
        sent=_sent(con, config, sources),
        stages=reached.table if reached is not None else None,
        hold_out={version: Decider.of_facts(model.model.facts).hold_out for version, model in versions.items()},
        default_hold_out=policy.hold_out if policy is not None else 0.0,
        learnt_until=learnt_until,
    )
    with stages("ledger"):
        ledger = assemble(con, parts, stages.listener.share)
    tables = [part for part in (feedback, reached) if part is not None]
    lost = [f"Rows of {part.source} that are not used: {_counts(part.set_aside)}." for part in tables if part.set_aside]
    learnt = ledger.counts["set_aside"].get("learnt_from", 0)
    hindsight = (
        [f"{learnt:,} logged scores do not count: their model had already learnt from outcomes after them."]
        if learnt
        else []
    )
    back = ledger.counts["set_aside"].get("looked_back", 0)
    if back:
        hindsight.append(
            f"{back:,} logged scores do not count: they were made again after the scores of a later instant, and what was said "
            "in time counts."
        )
    warnings = (*notes, *(warning for part in tables for warning in part.warnings), *lost, *hindsight)
    return replace(ledger, warnings=warnings)


def _counts(set_aside: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {reason}" for reason, n in set_aside.items())


def _said(con: Connection, config: Config) -> Table:
    """The score log of the config; empty where there is none, or nothing was logged yet."""
    if log_table_of(config) is not None:
        return read_log_batches(con, log_batches(config, SAID.names, NEEDED))
    return read_log_files(con, log_paths(config))


def _runs(config: Config, said: Table, learnt_until: Mapping[str, int]) -> list[int]:
    """Instants of the logged runs of `pql score` whose model had not learnt from what came after."""
    scored = said.filter((said["source"] == "score") & (said.model_name == config.name))
    runs = scored.filter(scored.as_of.notnull()).select("as_of", "model_version").distinct().to_pyarrow().to_pylist()
    return [int(run["as_of"]) for run in runs if run["as_of"] >= learnt_until.get(run["model_version"], run["as_of"])]


def _models(
    con: Connection, config: Config, said: Table, replay: bool
) -> tuple[dict[str, RegisteredModel], RegisteredModel | None, list[str]]:
    """The logged versions that are in the registry, the champion if it is to be replayed, and what cannot be loaded."""
    logged = said.filter(said.model_name == config.name).select("model_version").distinct()
    names = sorted(str(v) for v in logged.to_pyarrow()["model_version"].to_pylist() if v is not None)
    if not (names or replay) or not has_store(config):
        return {}, None, []
    tracking, versions, notes = Tracking(config), {}, []
    for name in names:
        try:
            registered = tracking.load_if_registered(name) if name.isdigit() else None
        except (DataError, LearnerError) as error:
            notes.append(f"Version {name} cannot be loaded; its logged scores are taken as they are: {error}")
            continue
        if registered is not None:
            versions[name] = registered
    champion = tracking.champion() if replay else None
    if champion is None:
        return versions, None, notes
    try:
        return versions, versions.get(champion) or tracking.load_if_registered(champion), notes
    except (DataError, LearnerError) as error:
        return versions, None, [*notes, f"Nothing is replayed, because the champion cannot be loaded: {error}"]


def _as_today(config: Config, sources: Sources, table: Table) -> Table:
    """Bring the ids of logged entities to those of today's data: one spelling, and merged users resolved."""
    return resolve_entities(with_one_spelling(table, config.normalise), sources.people.aliases, config)


def _sent(con: Connection, config: Config, sources: Sources) -> Table:
    """Who was sent when by `pql sync`, under today's ids."""
    deliveries = read_deliveries(config.home, config.name)
    columns = {
        "entity": pa.array([entity for entity, _ in deliveries], pa.string()),
        "time": pa.array([at for _, at in deliveries], pa.int64()),
    }
    return _as_today(config, sources, con.create_table("deliveries", pa.table(columns), overwrite=True))
