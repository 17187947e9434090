"""`pql criteria list` and `pql report`: the criteria and the growth report of a training, read back.

Nothing is recomputed: a report shows what was true when the model was trained.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.criteria.export import criteria_yaml
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.page.document import write_page
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.report.explorer import Mode, explorer_data
from pql_model.report.page import file_name, render_page
from pql_model.workflows.growth import BITS, CRITERIA, EXPLORER, GROWTH, REPORT, with_sql


@dataclass(frozen=True)
class CriteriaList:
    """Criteria, definitions and behaviours of one model version, as they were found when it was trained."""

    product: str
    model: dict[str, Any]
    results: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql criteria list --json` prints."""
        return {**self.results, "model": self.model}

    def to_yaml(self) -> str:
        """The criteria as YAML that can be loaded as `definition:`."""
        return criteria_yaml(self.results, self.product)


@dataclass(frozen=True)
class ReportResult:
    """The path of a report, and its model."""

    path: Path
    model: dict[str, Any]
    explorer: str

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql report --json` prints."""
        size = self.path.stat().st_size
        return {"output": str(self.path), "bytes": size, "explorer": self.explorer, "model": self.model}


def list_criteria(config: Config | str | Path, *, model: str | None = None) -> CriteriaList:
    """List the criteria that a training found.

    Parameters
    ----------
    model
        `champion`, `challenger` or a version number; default: the champion, or the newest version where none is.

    Raises
    ------
    ModelNotFoundError
        If nothing was trained yet.
    DataError
        If the files of that version are missing.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> found = list_criteria(folder / "pql.yaml")
    >>> found.to_dict()["rows"], found.to_yaml().splitlines()[0][:26]
    ('as of day 14 of the trial', '# Criteria of nimbus-board')
    """
    config = config if isinstance(config, Config) else load_config(config)
    tracking = Tracking(config)
    registered = _choose_version(tracking, model)
    return CriteriaList(config.name, _describe(registered), json.loads(run_file(tracking, registered, CRITERIA)))


def write_report(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    model: str | None = None,
    explorer: Mode = "rows",
) -> ReportResult:
    """Write the growth report of a training.

    Parameters
    ----------
    output
        An HTML file; default: `growth_report-with-account-data.html` beside the config, or `growth_report.html` where it can be
        shared.
    explorer
        What the explorer computes from: `rows`, one row per account without names, which answers any rule exactly and should stay
        inside the company; `counts` of combinations, in which small groups are merged, to share; or `off`.

    Raises
    ------
    ModelNotFoundError
        If nothing was trained yet.
    DataError
        If the files of that version are missing, or `output` is not an `.html` file.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=300)
    >>> write_report(folder / "pql.yaml", output="report.pdf")
    Traceback (most recent call last):
    pql_model.errors.DataError: The growth report is an HTML file...
    """
    if output is not None and Path(output).suffix not in (".html", ".htm"):
        raise DataError("The growth report is an HTML file", received=output, allowed="a name that ends in .html")
    config = config if isinstance(config, Config) else load_config(config)
    tracking = Tracking(config)
    registered = _choose_version(tracking, model)
    growth = json.loads(run_file(tracking, registered, GROWTH))
    growth["model"]["version"] = registered.version
    explorer_file = json.loads(run_file(tracking, registered, EXPLORER))
    data = explorer_file["data"] if explorer == "counts" else {"mode": "off"}
    if explorer == "rows":
        bits = pd.read_parquet(io.BytesIO(run_file(tracking, registered, BITS)))
        data = with_sql(explorer_data(bits, explorer_file["offered"], "rows"), explorer_file["data"].get("sql"))
    path = Path(output) if output is not None else config.home / file_name(data, Path(REPORT).stem)
    write_page(path, render_page(growth, data))
    return ReportResult(path, _describe(registered), explorer)


def _choose_version(tracking: Tracking, model: str | None) -> RegisteredModel:
    if model is not None:
        return tracking.load(model)
    champion = tracking.load_if_registered("champion")
    if champion is not None:
        return champion
    versions = tracking.versions()
    if not versions:
        raise ModelNotFoundError(
            "Nothing was trained yet",
            received=tracking.name,
            remedy="train with `pql train`; `pql criteria test FILE` needs no model",
        )
    return tracking.load(max((version.version for version in versions), key=int))


def run_file(tracking: Tracking, registered: RegisteredModel, name: str) -> bytes:
    """Read a file of the run that trained a model."""
    content = tracking.read_file(registered.run_id, name)
    if content is None:
        raise DataError(
            f"The run of version {registered.version} has no `{name}`",
            received=f"run {registered.run_id}",
            remedy="restore the files of the run, or train again",
        )
    return content


def _describe(registered: RegisteredModel) -> dict[str, Any]:
    return {"name": registered.name, "version": registered.version, "verdict": registered.model.facts.get("verdict")}
