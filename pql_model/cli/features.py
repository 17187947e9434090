"""`pql features`: the feature table as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import say


def features(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .parquet or .csv.")],
    config: ConfigOption = Path("pql.yaml"),
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", help="Everybody at risk at this date or time; default: the snapshots of training and test."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the feature table that the model reads, with a manifest beside it.

    Without `--as-of` each row is a snapshot of the training or test period, with its label. Train on it elsewhere, or
    bring the result back as a learner of your own.
    """
    with Bars(err) as bars:
        result = pql_model.write_features(config, output=output, as_of=as_of, listener=bars)
    text = (
        f"Wrote {len(result.table):,} rows with {len(result.manifest.columns):,} columns to {result.output}. Names, units "
        f"and hash are in {result.manifest_path}."
    )
    emit(result, as_json, lambda console, _: say(console, text))
