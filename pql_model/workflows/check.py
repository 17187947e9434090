"""`pql check`: count usable and unusable rows and audit the data. Trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.audit.finding import Finding
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import NotEnoughDataError
from pql_model.model.split import describe
from pql_model.payload import select_attributes
from pql_model.progress import Listener, Stages
from pql_model.sources.conversions import no_conversions_error
from pql_model.sources.coverage import weekly_counts
from pql_model.sources.crm_tables import CrmTable
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.events import EXPECTED
from pql_model.sources.feedback import read_feedback
from pql_model.sources.read import Sources, read_sources
from pql_model.sources.stages import read_stages
from pql_model.time import iso
from pql_model.workflows.known_outcomes import missing_outcomes, with_warning
from pql_model.workflows.prepare import TrainingData, audit_entities, prepare_from


@dataclass(frozen=True)
class CheckResult:
    """Counts, audit and, where training is not possible, the reason.

    Attributes
    ----------
    sources
        The tables as they were read.
    prepared
        The snapshots and features of a training, or None where training is not possible.
    findings, traits_not_used
        The leakage audit, and the traits that are not used, with the reason.
    error
        Why training is not possible, or None.
    outcomes
        The feedback and the stages, where the config has them.
    """

    sources: Sources
    prepared: TrainingData | None
    findings: tuple[Finding, ...]
    traits_not_used: dict[str, str]
    error: NotEnoughDataError | None
    events: int
    entities: int
    conversions: int
    weeks: list[dict[str, Any]]
    seconds: dict[str, float]
    outcomes: tuple[CrmTable, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql check --json` prints, with `error` where training is not possible."""
        sources = self.sources
        payload = {
            **select_attributes(self, "events", "entities", "conversions"),
            "rows_read": sources.events.rows_read,
            "rows_added": sources.events.rows_added,
            "set_aside": self._set_aside(),
            "set_aside_by_table": {
                **sources.events.set_aside,
                "entities": sources.entities.set_aside,
                "conversions": sources.conversions.set_aside,
                **sources.more_set_aside,
                **{part.key: part.set_aside for part in self.outcomes},
            },
            "observed_until": iso(sources.observed_until),
            **self._of_training(),
            **select_attributes(self, "traits_not_used", "weeks", "seconds", leakage="findings"),
            "warnings": [*sources.warnings, *(warning for part in self.outcomes for warning in part.warnings)],
        }
        return {**payload, "error": self.error.to_dict()} if self.error is not None else payload

    def _set_aside(self) -> dict[str, int]:
        """Events by reason, and rows that are not meant to count, of all tables."""
        sources = self.sources
        others = (sources.entities.set_aside, sources.conversions.set_aside)
        counts = sources.events.by_reason()
        for reason in EXPECTED:
            if count := sum(table.get(reason, 0) for table in others):
                counts[reason] = counts.get(reason, 0) + count
        return counts

    def _of_training(self) -> dict[str, Any]:
        if self.prepared is None:
            return {"snapshots": None, "events_offered": None, "features": None}
        data, frame = self.prepared, self.prepared.snapshots.frame
        return {
            "snapshots": {
                "train": describe(frame, data.split.train),
                "test": describe(frame, data.split.test),
                "left_out": {**data.snapshots.left_out, **data.split.left_out},
            },
            "events_offered": data.offered.text,
            "features": len(data.manifest.columns),
        }


def check(config: Config | str | Path, *, listener: Listener | None = None) -> CheckResult:
    """Read everything, count what cannot be used by reason, and audit for leaks.

    Where there are too few data to train on (no conversions, one class, too short a history), the result still has the
    counts and the part of the audit that needs no snapshots, and `error` says why.

    Raises
    ------
    ConfigError, DataError
        If the config or the data cannot be used.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> found = check(folder / "pql.yaml").to_dict()
    >>> found["set_aside"]["bot"], sorted(leak["column"] for leak in found["leakage"])
    (48, ['trait.account_manager', 'trait.lifetime_logins'])
    """
    config = config if isinstance(config, Config) else load_config(config)
    stages = Stages(listener)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config, may_lack_conversions=True)
            sources = with_warning(sources, missing_outcomes(sources, config))
            outcomes = (read_feedback(con, config, sources), read_stages(con, config, sources))
        events, entities, conversions = (
            int(table.count().to_pyarrow().as_py())
            for table in (sources.events.table, sources.entities.table, sources.conversions.table)
        )
        by_week = weekly_counts(sources.events.table)
        prepared, error = None, no_conversions_error(config.conversions.table, sources.conversions)
        if error is None:
            try:
                prepared = prepare_from(con, config, sources, stages)
            except NotEnoughDataError as lacking:
                error = lacking
        if prepared is not None:
            findings, unused = prepared.findings, prepared.typed.unused
        else:
            with stages("audit"):
                leaks, typed = audit_entities(con, config, sources)
            findings, unused = tuple(leaks), typed.unused
    return CheckResult(
        sources,
        prepared,
        findings,
        unused,
        error,
        events,
        entities,
        conversions,
        by_week,
        stages.seconds,
        tuple(part for part in outcomes if part is not None),
    )
