"""Score everyone at risk at one instant with a registered model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from pql_model import time
from pql_model.activate.outbox import Run
from pql_model.atomic import atomic_write
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import dump_config, load_config
from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import Summary, summarise
from pql_model.decide.near_miss_list import check_list_name, write_near_misses
from pql_model.decide.policy import PolicyRule
from pql_model.decide.rows import NAMES, DecidedRows, decided_rows
from pql_model.decide.state import RunState, previous_run
from pql_model.decide.state_file import read_runs, state_path
from pql_model.decide.suggest import count_next_steps
from pql_model.errors import DataError, listed
from pql_model.explain.reason_text import AGE
from pql_model.features.table import feature_table
from pql_model.features.trait_columns import trait_name
from pql_model.file_lock import file_lock
from pql_model.model.artifact import FittedModel
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.score_log.log_schema import log_table
from pql_model.score_log.store import append_scores
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.coverage import newest_event
from pql_model.sources.duckdb_session import count_by, fetch_scalar, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.workflows.prepare import contacts_of, features_of, refuse_missing
from pql_model.workflows.remember import remember_run

_LOGGED_AT_ONCE = 50_000
_DECIDING, _READING = ("policy", "definition"), ("exclude", "resolution")
_WAITING = "Another scoring run in this folder is in progress; waiting for it."


@dataclass(frozen=True)
class ScoreResult:
    """Scored rows, where they were written, and how many entities were not scored and why.

    Attributes
    ----------
    summary
        Bands, expected conversions, suppressed rows and rows not to call.
    next_steps
        Criterion -> rows it is the next step of, the most frequent first.
    log
        File or table of the score log with the same rows; None without a score log.
    notes
        Remarks on this run, one sentence each.
    """

    rows: pd.DataFrame
    output: Path
    model: RegisteredModel
    rule: PolicyRule
    as_of: int
    not_scored: dict[str, int]
    summary: Summary
    next_steps: dict[str, int]
    log: str | None
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql score --json` prints."""
        return {
            "rows": len(self.rows),
            "pql": int(self.rows["is_pql"].sum()),
            "newly_qualified": int(self.rows["newly_qualified"].sum()),
            "output": str(self.output),
            "score_log": self.log,
            "model": {"name": self.model.name, "version": self.model.version},
            "as_of": time.iso(self.as_of),
            "rule": self.rule.text,
            "not_scored": self.not_scored,
            **self.summary.to_dict(),
            "next_steps": {
                "rows": sum(self.next_steps.values()),
                "criteria": [{"criterion": text, "rows": rows} for text, rows in self.next_steps.items()],
            },
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def score(
    config: Config | str | Path,
    *,
    as_of: InstantLike | None = None,
    output: str | Path | None = None,
    model: str = "champion",
    near_misses: str | Path | None = None,
    listener: Listener | None = None,
) -> ScoreResult:
    """Score everyone at risk at `as_of` and write the rows.

    Parameters
    ----------
    as_of
        A date or time: a text, a `date`, a `datetime` or a `pandas.Timestamp`; default: the newest event in the data.
    output
        A `.parquet` or `.csv` file; default `scores.parquet` beside the config. `newly_qualified` is relative to the last
        run of this product, remembered in `.pql/` beside the config, whatever file that run wrote.
    model
        `champion`, `challenger` or a version number.
    near_misses
        A `.csv` file for those who lack one criterion of the definition, nearest first; default: it is not written.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    DataError
        If `as_of` is not a time, or `output` is neither a `.parquet` nor a `.csv` file, or
        `near_misses` is not a `.csv` file.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> rows = score(folder / "pql.yaml", as_of="2025-11-20").rows
    >>> bool(rows["probability"].between(0, 1).all()), int(rows["is_pql"].sum()) <= 25
    (True, True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / "scores.parquet"
    requested = read_optional_instant(as_of)
    memory = state_path(config.home, config.name)
    _refuse_another_file(path)
    if near_misses is not None:
        check_list_name(Path(near_misses))
    stages = Stages(listener)
    with stages("load model"):
        tracking = Tracking(config)
        registered = tracking.load(model)
        fitted_model, decider = registered.model, Decider.of_facts(registered.model.facts)
        in_force = tracking.champion() in (None, registered.version)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config)
            newest = newest_event(sources.events.table)
            instant = requested if requested is not None else newest
            grid = con.create_table("scoring_grid", scoring_grid(config, sources, instant))
            at_risk = grid.filter(grid.reason.isnull())
            not_at_risk = count_by(grid)
        with stages("features"):
            features = list(dict.fromkeys([*features_of(fitted_model.manifest), *decider.features, AGE]))
            traits = {trait: trait_name(trait) for trait in sources.traits}
            refuse_missing(decider, [*(feature.name for feature in features), *traits.values()])
            table = feature_table(sources, at_risk, features, traits, stages.listener.share)
            contacts = contacts_of(config, sources, at_risk)
            earlier = _last_with_somebody(config, sources, instant) if table.empty else None
    with stages("score"), file_lock(memory.with_suffix(".lock"), lambda: stages.listener.say(_WAITING)):
        runs = read_runs(memory)
        before = previous_run(runs, instant)
        decided = decided_rows(
            fitted_model,
            table,
            decider,
            as_of=instant,
            before=before if before is not None else RunState(),
            contacts=contacts,
        )
        rows = _with_origin(decided, registered, instant)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda at: (rows.to_csv if path.suffix == ".csv" else rows.to_parquet)(at, index=False))
        if near_misses is not None:
            count = write_near_misses(Path(near_misses), rows)
            stages.listener.say(f"Wrote {near_misses}: {count:,} who lack one criterion of the definition.")
        # After the rows: a run killed between the two writes may alert an entity twice, but forgets none.
        remember = in_force and instant <= time.now()
        if remember and before is not None and decided.decisions.state is not None:
            states = [before, decided.decisions.state]
            remember_run(config, runs, states, _run_record(config, registered, decider, rows, instant, path), rows)
    # Written last, so that the log has no rows of a run that failed.
    log = append_scores(config, _log_tables(registered, table, rows))
    not_scored = dict(sorted(not_at_risk.items(), key=lambda reason: -reason[1]))
    probability = decided.rows["probability"].to_numpy()
    summary = summarise(decider, decided.decisions, probability, fitted_model.level_error, decided.values)
    notes = (
        *_memory_notes(instant, before is None, in_force),
        *_data_notes(config, fitted_model, instant, newest),
        *_nobody_notes(rows, not_scored, earlier),
    )
    for note in notes:
        stages.listener.say(note)
    next_steps = count_next_steps(decided.suggestions)
    return ScoreResult(
        rows, path, registered, decider.rule, instant, not_scored, summary, next_steps, log, notes, stages.seconds
    )


def _with_origin(decided: DecidedRows, registered: RegisteredModel, instant: int) -> pd.DataFrame:
    """Add model, instant and time of scoring; sort by probability, highest first."""
    rows = decided.rows.assign(
        model_version=registered.version,
        as_of=pd.to_datetime(np.full(len(decided.rows), instant), unit="us", utc=True),
        scored_at=pd.Timestamp(time.to_datetime(time.now())),
    )
    return rows[[*NAMES]].sort_values(["probability", "entity"], ascending=[False, True], ignore_index=True)


def _run_record(
    config: Config, registered: RegisteredModel, decider: Decider, rows: pd.DataFrame, instant: int, path: Path
) -> Run:
    scored_at = rows["scored_at"].iloc[0].isoformat() if len(rows) else time.iso(time.now())
    targets = tuple(target.name for target in config.sync)
    return Run(instant, str(path.resolve()), scored_at, registered.version, decider.cool_down, targets)


def _log_tables(registered: RegisteredModel, table: pd.DataFrame, rows: pd.DataFrame) -> Iterator[pa.Table]:
    """Rows with the model's inputs, in chunks, so that the matrix of a million accounts is not copied as a whole."""
    place = pd.Index(table["entity"]).get_indexer(rows["entity"])
    for start in range(0, len(rows), _LOGGED_AT_ONCE):
        chunk = rows[start : start + _LOGGED_AT_ONCE]
        inputs = registered.model.manifest.matrix(table.iloc[place[start : start + _LOGGED_AT_ONCE]])
        yield log_table(chunk, list(inputs), "score", [registered.name] * len(chunk))


def _last_with_somebody(config: Config, sources: Sources, instant: int) -> int | None:
    """A day before an instant on which the newest trial has reached its first landmark; None if it is not before."""
    signed_up = fetch_scalar(sources.entities.table.signed_up.max(where=~sources.entities.table.excluded))
    if signed_up is None or not config.schedule.at_days:
        return None
    reached = -(-(int(signed_up) + config.schedule.at_days[0] * time.DAY) // time.DAY) * time.DAY
    return reached if reached < instant else None


def _nobody_notes(rows: pd.DataFrame, not_scored: dict[str, int], earlier: int | None) -> Iterator[str]:
    """Say why there are no rows, and when there were some."""
    if rows.empty:
        reasons = listed(f"{count:,} {reason.replace('_', ' ')}" for reason, count in not_scored.items())
        way_out = (
            "" if earlier is None else f" On {time.iso(earlier)} the newest trial was: `--as-of {time.iso(earlier)}`."
        )
        yield f"Nobody is at risk at this instant: {reasons or 'there are no entities'}.{way_out}"


def _memory_notes(instant: int, has_previous: bool, in_force: bool) -> Iterator[str]:
    """Explain why the next run will not build on this one."""
    if has_previous:
        yield "This instant is earlier than that of the last scoring run: decided as a first run, and not remembered."
    elif not in_force:
        yield "Scored with a model other than the champion: its decisions are not remembered for the next run."
    elif instant > time.now():  # remembered, it would make every run until then an earlier one
        yield "This instant lies in the future: the decisions are not remembered for the next run."


def _data_notes(config: Config, model: FittedModel, instant: int, newest: int) -> Iterator[str]:
    """Explain why decisions may differ from the config."""
    gap = max([time.DAY, *(2 * table.covers.us for table in config.events if table.covers is not None)])
    if instant - newest > gap:
        yield (
            f"The newest event is of {time.iso(newest)}, {(instant - newest) / time.DAY:,.0f} days before this "
            "instant: accounts active since then look idle."
        )
    trained_config, current_config = (yaml.safe_load(text) for text in (model.facts["config"], dump_config(config)))
    deciding, reading = (
        " and ".join(f"`{key}:`" for key in keys if trained_config.get(key) != current_config.get(key))
        for keys in (_DECIDING, _READING)
    )
    if deciding:
        yield f"The config's {deciding} changed since this model was trained; the model decides as it was trained."
    if reading:
        yield (
            f"The config's {reading} changed since this model was trained: this run uses the new value, a service of this "
            "model the old one. Train again."
        )


def _refuse_another_file(path: Path) -> None:
    """Do not overwrite a file that does not hold scores."""
    if path.suffix not in (".parquet", ".csv"):
        raise DataError(
            "Scores are written as parquet or csv", received=path, allowed="a file name that ends in .parquet or .csv"
        )
    if not path.exists():
        return
    columns = ["entity", "is_pql"]
    try:
        if path.suffix == ".csv":
            pd.read_csv(path, usecols=columns, dtype={"entity": str}, nrows=1)
        else:
            pd.read_parquet(path, columns=columns)
    except (OSError, ValueError, LookupError) as error:  # pyarrow's and pandas' errors about content are among them
        raise DataError(
            f"The output file exists and does not hold scores: {error}",
            received=path,
            remedy="name another with `--output`",
        ) from error
