"""`pql check`: what the data hold and what is wrong with them; trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.model.split import describe
from pql_model.pipelines.prepare import Prepared, prepare
from pql_model.progress import Listener, Stages
from pql_model.sources.coverage import weeks
from pql_model.sources.workbench import open_workbench
from pql_model.windows import iso


@dataclass(frozen=True)
class CheckResult:
    """What `check` found."""

    prepared: Prepared
    events: int
    entities: int
    conversions: int
    weeks: list[dict[str, Any]]
    seconds: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The object that `pql check --json` prints."""
        data = self.prepared
        sources, frame = data.sources, data.snapshots.frame
        return {
            "events": self.events,
            "entities": self.entities,
            "conversions": self.conversions,
            "rows_read": sources.events.rows_read,
            "set_aside": sources.events.by_reason(),
            "set_aside_by_table": {
                **sources.events.set_aside,
                "entities": sources.entities.set_aside,
                "conversions": sources.conversions.set_aside,
            },
            "observed_until": iso(sources.observed_until),
            "snapshots": {
                "train": describe(frame, data.split.train),
                "test": describe(frame, data.split.test),
                "left_out": {**data.snapshots.left_out, **data.split.left_out},
            },
            "leakage": [finding.as_json() for finding in data.findings],
            "traits_not_used": data.typed.unused,
            "events_offered": data.offered.words,
            "features": len(data.manifest.columns),
            "weeks": self.weeks,
            "warnings": list(sources.warnings),
            "seconds": self.seconds,
        }


def check(config: Config | str | Path, *, listener: Listener | None = None) -> CheckResult:
    """Read everything, count what cannot be used by reason, and audit for leaks.

    Raises
    ------
    ConfigError, DataError
        If the config or the data cannot be used.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> found = check(folder / "pql.yaml").as_json()
    >>> found["set_aside"]["bot"], sorted(leak["column"] for leak in found["leakage"])
    (48, ['trait.account_manager', 'trait.lifetime_logins'])
    """
    config = config if isinstance(config, Config) else load_config(config)
    stages = Stages(listener)
    with open_workbench() as con:
        data = prepare(con, config, stages)
        counted = [
            int(table.count().to_pyarrow().as_py())
            for table in (data.sources.events.table, data.sources.entities.table, data.sources.conversions.table)
        ]
        by_week = weeks(data.sources.events.table)
    return CheckResult(data, counted[0], counted[1], counted[2], by_week, stages.seconds)
