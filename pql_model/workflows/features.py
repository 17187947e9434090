"""`pql features`: the feature table of the model as a file, with its manifest beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model import time
from pql_model.atomic import atomic_write, atomic_write_text
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.features.spec import Feature, parse_feature
from pql_model.features.table import feature_table
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.progress import Listener, Stages
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources
from pql_model.workflows.extensions import with_features
from pql_model.workflows.known_outcomes import read_for_training
from pql_model.workflows.prepare import TrainingData, features_of, prepare_from, trait_names

_KINDS = (".parquet", ".csv")


@dataclass(frozen=True)
class FeatureTable:
    """A feature table that was written.

    Attributes
    ----------
    table
        entity, as_of, then, of training snapshots, converted and split (`train`, `test` or `left_out`), then the
        model's columns.
    manifest
        The model's columns, in order.
    output, manifest_path
        Paths of the table and of its manifest.
    """

    table: pd.DataFrame
    manifest: Manifest
    output: Path
    manifest_path: Path
    as_of: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql features --json` prints."""
        return {
            "rows": len(self.table),
            "columns": len(self.manifest.columns),
            "as_of": time.iso(self.as_of) if self.as_of is not None else None,
            "hash": self.manifest.hash,
            "output": str(self.output),
            "manifest": str(self.manifest_path),
        }


def write_features(
    config: Config | str | Path,
    *,
    output: str | Path,
    as_of: InstantLike | None = None,
    features: Sequence[Feature | Mapping[str, Any]] = (),
    listener: Listener | None = None,
) -> FeatureTable:
    """Write the feature table: the training snapshots with their labels, or everybody at risk at one instant.

    The columns are those a training would give the model: without uninformative ones, and without those that the leakage audit
    quarantines.

    Parameters
    ----------
    config : Config, str or Path
        A config or the path of a `pql.yaml`.
    output : str or Path
        A `.parquet` or `.csv` file. The manifest (names, words, kinds, units, hash) is written beside it, as
        `<name>.manifest.json`.
    as_of : str, date, datetime or Timestamp, optional
        A date or time: write everybody at risk then. Default: the snapshots that are trained and tested on.
    features : sequence of Feature or mapping, optional
        Features of your own, as `with_features` takes them.
    listener : Listener, optional
        Receives progress.

    Returns
    -------
    FeatureTable
        The table and its path.

    Raises
    ------
    ConfigError, DataError
        If the config or the data cannot be used, or `output` holds something else.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> written = write_features(folder / "pql.yaml", output=folder / "features.parquet")
    >>> list(written.table.columns[:4]), written.manifest_path.name
    (['entity', 'as_of', 'converted', 'split'], 'features.manifest.json')
    """
    config = with_features(config, features)
    path = Path(output)
    manifest_path = path.with_suffix(".manifest.json")
    _check_output(path, manifest_path)
    instant = read_optional_instant(as_of)
    stages = Stages(listener)
    with open_session() as con:
        sources, _ = read_for_training(con, config, stages)
        data = prepare_from(con, config, sources, stages)
        table = _labelled(data) if instant is None else _at_risk(con, config, sources, data.manifest, instant, stages)
    with stages("write"):
        about = {"as_of": time.iso(instant) if instant is not None else None, "rows": len(table)}
        text = json.dumps({**about, **_described(data.manifest)}, ensure_ascii=False, indent=1)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(manifest_path, text)
        atomic_write(path, lambda at: (table.to_csv if path.suffix == ".csv" else table.to_parquet)(at, index=False))
    return FeatureTable(table, data.manifest, path, manifest_path, instant)


def _labelled(data: TrainingData) -> pd.DataFrame:
    frame, split = data.snapshots.frame, data.split
    part = np.where(split.train, "train", np.where(split.test, "test", "left_out"))
    keys = {**_keys(frame), "converted": data.converted, "split": part}
    return pd.concat([pd.DataFrame(keys), data.table[data.manifest.names].reset_index(drop=True)], axis=1)


def _at_risk(
    con: Connection, config: Config, sources: Sources, manifest: Manifest, instant: int, stages: Stages
) -> pd.DataFrame:
    with stages("features at risk"):
        grid = con.create_table("features_grid", scoring_grid(config, sources, instant))
        at_risk = grid.filter(grid.reason.isnull())
        traits = trait_names(sources.traits)
        table = feature_table(sources, at_risk, features_of(manifest), traits, stages.listener.share)
    columns = manifest.conform(table)[manifest.names].reset_index(drop=True)
    return pd.concat([pd.DataFrame(_keys(table)), columns], axis=1)


def _keys(frame: pd.DataFrame) -> dict[str, Any]:
    as_of = pd.to_datetime(frame["as_of"].to_numpy(np.int64), unit="us", utc=True)
    return {"entity": frame["entity"].to_numpy(), "as_of": as_of}


def _described(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest with a unit for each column."""
    raw = manifest.to_dict()
    units = [_unit(column) for column in manifest.columns]
    return {**raw, "columns": [{**column, "unit": unit} for column, unit in zip(raw["columns"], units, strict=True)]}


def _unit(column: ModelColumn) -> str | None:
    if column.kind != "feature":
        return None
    feature = parse_feature(column.name)
    return feature.value if feature.rule.unit == "of the value" else feature.rule.unit


def _check_output(path: Path, manifest_path: Path) -> None:
    if path.suffix not in _KINDS:
        raise DataError(
            "Features are written as parquet or csv", received=path, allowed="a file that ends in .parquet or .csv"
        )
    if path.exists() and not manifest_path.exists():
        raise DataError(
            "The file to write exists and was not written by `pql features`: there is no manifest beside it",
            received=path,
            remedy="name another with `--output`",
        )
