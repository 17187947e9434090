"""`pql feedback`: what sales did with the alerts, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pql_model import time
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.bands import Bands
from pql_model.decide.decider import DEFAULTS
from pql_model.errors import ModelNotFoundError
from pql_model.model.columns import Manifest
from pql_model.outreach.alerts import alerted_leads
from pql_model.outreach.feedback_summary import FeedbackSummary, sentences, summarise_feedback
from pql_model.outreach.logged_runs import logged_runs
from pql_model.outreach.rejected_traits import RejectedTraits, answered_leads, are_enough, rejected_traits
from pql_model.outreach.score_reasons import LOGGED, leading_behaviours
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Tracking
from pql_model.score_log.store import log_batches, log_paths
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.workflows.ledger import build_ledger
from pql_model.workflows.prepare import features_at, features_of


@dataclass(frozen=True)
class FeedbackResult:
    """What sales did with the alerts.

    Attributes
    ----------
    as_of
        The instant up to which answers are known.
    sentences
        What sales did, the most important first.
    runs
        Runs of `pql score` that count, and the others by reason.
    """

    summary: FeedbackSummary
    sentences: tuple[str, ...]
    as_of: int
    runs: dict[str, int]
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql feedback --json` prints."""
        return {
            "as_of": time.iso(self.as_of),
            "sentences": list(self.sentences),
            **self.summary.to_dict(),
            "runs": self.runs,
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def feedback(
    config: Config | str | Path, *, as_of: InstantLike | None = None, listener: Listener | None = None
) -> FeedbackResult:
    """Summarise what sales did with the alerts: acceptance by group, reasons, delays, and what rejected leads share.

    Nothing of it enters the label of the model.

    Parameters
    ----------
    as_of
        Summarise what was known at this date or time; default: everything that is known.

    Raises
    ------
    DataError
        If `as_of` is not a time, or the score log or the feedback cannot be read.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=300)
    >>> pql_model.feedback(folder / "pql.yaml").sentences
    ('What sales did is not known: the config has no `feedback:`.',)
    """
    config = config if isinstance(config, Config) else load_config(config)
    requested = read_optional_instant(as_of)
    settings = config.policy if config.policy is not None else DEFAULTS
    stages = Stages(listener)
    notes: list[str] = []
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config, may_lack_conversions=True)
        ledger = build_ledger(con, config, sources, stages, as_of=requested, replay=False)
        with stages("answers"):
            until = requested if requested is not None else time.now()
            runs = logged_runs(ledger.table, config.horizon.us)
            leads = alerted_leads(ledger.table, ledger.feedback, runs, until)
            leads = leads.assign(reason=leading_behaviours(_logged_reasons(config), leads))
        with stages("rejected leads"):
            traits = _rejected_traits(con, config, sources, leads, notes)
    summary = summarise_feedback(leads, traits, Bands.of(settings.bands).names, until)
    return FeedbackResult(
        summary,
        sentences(summary, config.feedback is not None),
        until,
        {"used": len(runs.used), **runs.set_aside},
        (*ledger.warnings, *notes),
        stages.seconds,
    )


def _logged_reasons(config: Config) -> Iterator[pa.Table]:
    """The reasons of the logged scores, part by part."""
    yield from log_batches(config, LOGGED, LOGGED)
    for path in log_paths(config):
        yield pq.read_table(path, columns=list(LOGGED))


def _rejected_traits(
    con: Connection, config: Config, sources: Sources, leads: pd.DataFrame, notes: list[str]
) -> RejectedTraits:
    """Look for what rejected leads share, in the columns of the champion as of the alert."""
    answered = answered_leads(leads)
    if not are_enough(answered):
        return RejectedTraits((), len(answered), enough=False)
    try:
        model = Tracking(config).load("champion").model
    except ModelNotFoundError as error:
        notes.append(f"What rejected leads share is not looked for: {error}")
        return RejectedTraits((), len(answered), enough=False)
    signed_up = sources.entities.table.select("entity", "signed_up").to_pandas()
    known = answered.assign(entity=answered["entity"].astype(str)).merge(signed_up, on="entity")
    table = features_at(con, config, sources, features_of(model.manifest), known)
    columns = [column for column in model.manifest.columns if column.name in table.columns]
    return rejected_traits(known, Manifest(tuple(columns)).conform(table), columns, known["signed_up"].to_numpy(float))
