"""The scoring pipeline: everyone at risk at one instant, scored by a registered model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model import windows
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import check_names, definition_features, meets
from pql_model.decide.policy import Rule, expected_conversions
from pql_model.errors import DataError
from pql_model.explain.scored import scored_rows
from pql_model.explain.words import AGE
from pql_model.features.table import feature_table
from pql_model.model.columns import trait_name
from pql_model.model.estimate import Estimate
from pql_model.pipelines.prepare import features_of
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Registered, Tracking
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.coverage import newest_event
from pql_model.sources.read import read_sources
from pql_model.sources.workbench import open_workbench
from pql_model.whole import write_whole


@dataclass(frozen=True)
class ScoreResult:
    """Scored rows, where they were written, and who was not scored and why."""

    rows: pd.DataFrame
    output: Path
    model: Registered
    rule: Rule
    as_of: int
    not_scored: dict[str, int]
    expected: Estimate
    seconds: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The object that `pql score --json` prints."""
        return {
            "rows": len(self.rows),
            "pql": int(self.rows["is_pql"].sum()),
            "newly_qualified": int(self.rows["newly_qualified"].sum()),
            "output": str(self.output),
            "model": {"name": self.model.name, "version": self.model.version},
            "as_of": windows.iso(self.as_of),
            "rule": self.rule.words,
            "not_scored": self.not_scored,
            "expected_conversions": self.expected.as_json(),
            "seconds": self.seconds,
        }


def score(
    config: Config | str | Path, *, as_of: str | None = None, output: str | Path | None = None,
    model: str = "champion", listener: Listener | None = None,
) -> ScoreResult:  # fmt: skip
    """Score everyone at risk at `as_of` and write the rows.

    Parameters
    ----------
    as_of
        A date or ISO time; default: the newest event of the data.
    output
        A `.parquet` or `.csv` file; default `scores.parquet` beside the config. Who qualified in the file that is
        there already is not newly qualified.
    model
        `champion`, `challenger` or a version number.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    DataError
        If `as_of` is no time, or `output` neither a `.parquet` nor a `.csv` file.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2, promote="force")
    >>> rows = score(folder / "pql.yaml", as_of="2025-11-20").rows
    >>> bool(rows["probability"].between(0, 1).all()), int(rows["is_pql"].sum()) <= 25
    (True, True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / "scores.parquet"
    asked = instant_of(as_of) if as_of is not None else None
    before = _qualified_before(path)
    stages = Stages(listener)
    with stages("load model"):
        registered = Tracking(config).get(model)
    fitted = registered.model
    with open_workbench() as con:
        with stages("read"):
            sources = read_sources(con, config)
            instant = asked if asked is not None else newest_event(sources.events.table)
            grid = con.create_table("scoring_grid", scoring_grid(config, sources, instant))
            at_risk = grid.filter(grid.reason.isnull())
            left = grid.filter(grid.reason.notnull()).reason.value_counts(name="rows").to_pyarrow().to_pylist()
        with stages("features"):
            wanted = [*features_of(fitted.manifest), *definition_features(config.definition), AGE]
            features = list(dict.fromkeys(wanted))
            traits = {trait: trait_name(trait) for trait in sources.entities.traits}
            check_names(config.definition, [f.event for f in features], list(traits))
            table = feature_table(sources, at_risk, features, traits, stages.listener.share)
    with stages("score"):
        rows = scored_rows(fitted, table)
        rule = Rule(**fitted.facts["rule"])
        rows["is_pql"] = rule.qualify(rows["probability"].to_numpy())
        rows["meets_definition"] = meets(config.definition, table) if config.definition else None
        rows["newly_qualified"] = rows["is_pql"] & ~rows["entity"].isin(before)
        rows["model_version"] = registered.version
        rows["as_of"] = pd.to_datetime(rows["as_of"].to_numpy(np.int64), unit="us", utc=True)
        rows["scored_at"] = pd.Timestamp(windows.to_datetime(windows.now()))
        rows = rows[[*_ORDER]].sort_values(["probability", "entity"], ascending=[False, True], ignore_index=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda at: (rows.to_csv if path.suffix == ".csv" else rows.to_parquet)(at, index=False))
    not_scored = {row["reason"]: row["rows"] for row in sorted(left, key=lambda row: -row["rows"])}
    learnt_from = fitted.facts["train"].get("converting_entities")
    expected = expected_conversions(rows.loc[rows["is_pql"], "probability"].to_numpy(), learnt_from)
    return ScoreResult(rows, path, registered, rule, instant, not_scored, expected, stages.seconds)


_ORDER = (
    "entity", "as_of", "probability", "score", "is_pql", "usage", "fit", "timing", "reasons", "meets_definition",
    "newly_qualified", "model_version", "feature_set", "scored_at",
)  # fmt: skip


def instant_of(as_of: str) -> int:
    """The instant that `--as-of` names.

    Raises
    ------
    DataError
        If it is no time.
    """
    try:
        return windows.parse_instant(as_of)
    except ValueError as error:
        raise DataError(
            "`as_of` is not a time", received=as_of, allowed="a date 2026-06-30 or a time 2026-06-30T12:00:00Z"
        ) from error


def _qualified_before(path: Path) -> list[str]:
    """Who qualified in the file that will be replaced. What is no file of scores is not overwritten."""
    if path.suffix not in (".parquet", ".csv"):
        raise DataError(
            "Scores are written as parquet or csv", received=path, allowed="a file that ends in .parquet or .csv"
        )
    if not path.exists():
        return []
    columns = ["entity", "is_pql"]
    try:
        before = (
            pd.read_csv(path, usecols=columns, dtype={"entity": str})
            if path.suffix == ".csv"
            else pd.read_parquet(path, columns=columns)
        )
    except (OSError, ValueError, LookupError) as error:  # pyarrow's and pandas' errors about content are among them
        raise DataError(
            f"The file to write exists and holds no scores: {error}",
            received=path,
            remedy="name another with `--output`",
        ) from error
    return before.loc[before["is_pql"].astype(bool), "entity"].astype(str).tolist()


if __name__ == "__main__":
    from pql_model.cli.app import main

    main(["score", *sys.argv[1:]])
