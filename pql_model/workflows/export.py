"""Export a registered model with its criteria and report as a bundle for the service."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.model.artifact import REFIT
from pql_model.registry.tracking import Tracking
from pql_model.serve.bundle import Bundle, load_bundle, write_bundle
from pql_model.workflows.growth import CRITERIA, REPORT
from pql_model.workflows.report import run_file
from pql_model.workflows.run_files import METRICS


@dataclass(frozen=True)
class ExportResult:
    """The bundle, as read back from disk."""

    bundle: Bundle

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql export --json` prints."""
        path = self.bundle.path
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return {"output": str(path), "bytes": size, "digest": self.bundle.digest, "model": self.bundle.about}


def export(config: Config | str | Path, *, output: str | Path | None = None, model: str = "champion") -> ExportResult:
    """Write a registered model as a bundle.

    Parameters
    ----------
    output
        A folder; default: `models/<name>` beside the config. An existing bundle in it is replaced.
    model
        `champion`, `challenger` or a version number.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    DataError
        If the run of that version lacks the files of a bundle, or the folder holds something else.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> export(folder / "pql.yaml").bundle.name
    'nimbus-boards'
    """
    config = config if isinstance(config, Config) else load_config(config)
    tracking = Tracking(config)
    registered = tracking.load(model)
    files = {name: run_file(tracking, registered, name) for name in (CRITERIA, METRICS, REPORT)}
    facts = registered.model.facts
    about = {
        "name": registered.name,
        "version": registered.version,
        "run_id": registered.run_id,
        "verdict": facts.get("verdict"),
        "entity": facts["entity"],
        "motion": facts["motion"],
        "horizon": facts["horizon"],
        "trained_on": facts["train"],
        "tested_on": facts["test"],
        "refitted_on": facts.get(REFIT),
        "exported_at": time.iso(time.now() // time.SECOND * time.SECOND),
    }
    folder = Path(output) if output is not None else config.home / "models" / config.name
    criteria, metrics = (json.loads(files[name]) for name in (CRITERIA, METRICS))
    write_bundle(folder, replace(registered.model, tested=None), about, criteria, metrics, files[REPORT].decode())
    return ExportResult(load_bundle(folder))
