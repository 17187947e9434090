"""`pql monitor`: did the scores come true, are the data healthy, does the model still fit, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.monitoring.advice import Advice, advise
from pql_model.monitoring.data_health import data_findings
from pql_model.monitoring.finding import DATA_KINDS, Finding, in_order
from pql_model.monitoring.last_look import Changes, Look, look_before, look_path, read_looks, write_look
from pql_model.monitoring.ledger_rows import outcome_sums, qualified_counts
from pql_model.monitoring.monitor_page import MonitorPage, render_monitor
from pql_model.monitoring.realised import Realised, realised_results
from pql_model.page.document import write_page
from pql_model.payload import select_attributes, to_payload
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.sources.coverage import newest_event
from pql_model.sources.data_end import refuse_after_end
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY, iso
from pql_model.workflows.ledger import build_ledger
from pql_model.workflows.model_health import ModelHealth, judge_model, labelled_snapshots
from pql_model.workflows.model_then import ModelThen, learnt_from_newest, model_then

PAGE = "monitor.html"
TRAININGS = ("recalibrate", "retrain")
"""Remedies that a training carries out: `pql train --refit`, and `pql train`."""


@dataclass(frozen=True)
class MonitorResult:
    """One look at a product: what came true, what was found, and the advice.

    Attributes
    ----------
    as_of
        Microseconds; nothing later is used.
    realised
        Results of past scores with a final outcome; None where there are none.
    changes
        What is new and what has gone since the last look.
    newer_outcomes
        Whether outcomes have become final that no version has learnt from: without them a training gives the same again.
    """

    as_of: int
    model: RegisteredModel
    realised: Realised | None
    health: ModelHealth
    findings: tuple[Finding, ...]
    advice: Advice
    changes: Changes
    counts: Mapping[str, Any]
    newer_outcomes: bool
    notes: tuple[str, ...]
    path: Path
    seconds: dict[str, float]

    @property
    def severity(self) -> str:
        """`act` if anything must be done, `watch` if anything was found, else `none`."""
        return "act" if self.advice.acts else "watch" if self.findings else "none"

    @property
    def training(self) -> str | None:
        """`recalibrate` or `retrain` where a training is advised and there is something new to learn from; else None."""
        return self.advice.remedy if self.advice.remedy in TRAININGS and self.newer_outcomes else None

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql monitor --json` prints."""
        health = self.health
        return {
            "as_of": iso(self.as_of),
            "model": {"name": self.model.name, "version": self.model.version},
            "realised": to_payload(self.realised) if self.realised is not None else None,
            "findings": [finding.to_dict() for finding in self.findings],
            **self.advice.to_dict(),
            "words": self.advice.headline,
            "severity": self.severity,
            "estimate": to_payload(health.early),
            "judged": {"rows": health.rows, "final": health.final},
            "ranking": to_payload(health.ranking),
            "baselines": to_payload(health.rivals),
            **select_attributes(health, "definitions"),
            "changes": self.changes.to_dict(),
            "ledger": to_payload(self.counts),
            "newer_outcomes": self.newer_outcomes,
            "training": self.training,
            "notes": list(self.notes),
            "output": str(self.path),
            "seconds": self.seconds,
        }


def monitor(
    config: Config | str | Path,
    *,
    as_of: InstantLike | None = None,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> MonitorResult:
    """Look at past scores, the data and the model, and say what to do.

    Writes a page, and logs its figures to MLflow. Nothing that happened or arrived at or after `as_of` is used: outcomes are
    those that were final then, and the model is that of then where the registry has it.

    Parameters
    ----------
    as_of
        A date or time: a text, a `date`, a `datetime` or a `pandas.Timestamp`; default: the end of the data.
    output
        An `.html` file; default `monitor.html` beside the config.

    Raises
    ------
    ModelNotFoundError
        If there is no champion.
    DataError
        If `as_of` is not a time, precedes the data, or lies in the future or more than a horizon after their end, or `output` is
        not an `.html` file.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> result = pql_model.monitor(folder / "pql.yaml")
    >>> result.advice.remedy in {"keep", "watch", "recalibrate", "retrain", "fix_tracking", "stop"}
    True
    """
    if output is not None and Path(output).suffix not in (".html", ".htm"):
        raise DataError("The page of the monitor is an HTML file", received=output, allowed="a name that ends in .html")
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / PAGE
    requested = read_optional_instant(as_of)
    stages = Stages(listener)
    tracking = Tracking(config)
    champion = tracking.load("champion")  # without a model, the data are not read
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config, may_lack_conversions=True, known_before=requested)
            newest = newest_event(sources.events.table)
        instant = sources.observed_until
        if requested is not None:
            refuse_after_end(requested, _latest(config, sources), "A look is taken")
            instant = requested
        then = model_then(tracking, champion, config, instant)
        ledger = build_ledger(con, config, sources, stages, as_of=requested, champion=then.registered)
        with stages("realised"):
            final = ledger.table.filter(ledger.table.final)
            realised = realised_results(lambda by: outcome_sums(final, by), qualified_counts(final))
        with stages("data health"):
            in_data = data_findings(
                sources,
                config,
                instant,
                learnt_until=then.new_from,
                traits=_traits(then.registered),
            )
        with stages("model health"):
            labelled = labelled_snapshots(con, config, sources)
            health = judge_model(con, config, sources, tracking, then, ledger.table, labelled)
    findings = in_order([*in_data, *_beside(health.findings, in_data)])
    advice = advise(findings, health.hopeless, _quiet(health, realised))
    newer = not labelled.empty and int(labelled["as_of"].max()) > learnt_from_newest(tracking).to
    with stages("write"):
        memory = look_path(config.home, config.name)
        look = Look.of(instant, advice, findings)
        latest = max(time.now(), sources.observed_until)
        changes = Changes.between(look_before(read_looks(memory, latest), instant), look)
        notes = (*_notes(then, health, instant, newest), *ledger.warnings)
        page = MonitorPage(
            config.name,
            f"{config.entity}s",
            instant,
            config.horizon.text,
            then.registered.version,
            advice,
            findings,
            changes,
            realised,
            health.early,
            health.ranking,
            health.definitions,
            notes,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_page(path, render_monitor(page))
        tracking.log_monitoring(
            instant, _metrics(realised, health, findings), {"advice": advice.remedy, "as_of": iso(instant)}
        )
        write_look(memory, look, latest)
    for note in notes:
        stages.listener.say(note)
    return MonitorResult(
        instant,
        then.registered,
        realised,
        health,
        findings,
        advice,
        changes,
        ledger.counts,
        newer,
        notes,
        path,
        stages.seconds,
    )


def _latest(config: Config, sources: Sources) -> int:
    """The latest instant of a look: rows that are late by up to a horizon are looked for, and not those of the future."""
    return max(sources.observed_until, min(time.now(), sources.observed_until + config.horizon.us))


def _beside(of_model: Sequence[Finding], in_data: Sequence[Finding]) -> list[Finding]:
    """Leave out what the data say already: a conversion rate that fell because first payments stopped."""
    kinds = {finding.kind for finding in in_data} - set(DATA_KINDS)
    return [finding for finding in of_model if finding.kind not in kinds]


def _traits(model: RegisteredModel) -> list[str]:
    """The traits that the model reads."""
    return [c.name.removeprefix("trait.") for c in model.model.manifest.columns if c.kind != "feature"]


def _quiet(health: ModelHealth, realised: Realised | None) -> str:
    """What it rests on that nothing was found."""
    if realised is None:
        return "Nothing has changed beyond chance; no outcome of a past score is final yet."
    if not health.final:
        return "Nothing has changed beyond chance; no outcome that the model has not learnt from is final yet."
    early = health.early is not None and health.early.departs
    later = (
        " An estimate of those that are not final departs from the scores, by less than makes a finding."
        if early
        else ""
    )
    return f"Nothing has changed beyond chance, on {health.final:,} final outcomes of {health.rows}.{_off_level(realised.total.ratio)}{later}"


def _off_level(ratio: Estimate) -> str:
    """Say where conversions are surely not those promised, although the model knows its own level no better.

    >>> _off_level(Estimate(1.3, 1.1, 1.53))
    ' Conversions came at 1.3 times the promise (1.1 to 1.5), which is no change: the model does not know its level better than that.'
    >>> _off_level(Estimate(1.1, 0.9, 1.3))
    ''
    """
    if not (ratio.low > 1 or ratio.high < 1):  # unknown too
        return ""
    times = " to ".join(f"{number:.2g}" for number in (ratio.low, ratio.high))
    return (
        f" Conversions came at {ratio.value:.2g} times the promise ({times}), which is no change: the model does not know its level "
        "better than that."
    )


def _notes(then: ModelThen, health: ModelHealth, instant: int, newest: int) -> Iterator[str]:
    """What a reader must know to read the figures."""
    if then.note is not None:
        yield then.note
    if not health.final:
        yield (
            "No outcome that the model has not learnt from is final yet: its level and its ranking are judged once one "
            f"horizon has passed since {iso(then.new_from)}, the end of the outcomes that it knows."
        )
    elif health.ranking is None:
        yield "Fewer than 20 entities have converted since the training: the ranking is not judged yet."
    if instant - newest > 2 * DAY:
        yield f"The newest event is of {iso(newest)}, {(instant - newest) / DAY:,.0f} days before this look."


def _metrics(realised: Realised | None, health: ModelHealth, findings: tuple[Finding, ...]) -> dict[str, float]:
    """Figures for MLflow's charts."""
    metrics = {
        "monitor/findings": float(len(findings)),
        "monitor/findings_to_act_on": float(sum(finding.severity == "act" for finding in findings)),
    }
    if realised is not None:
        total = realised.total
        metrics |= {
            "monitor/entities": float(total.entities),
            "monitor/predicted_rate": total.predicted,
            "monitor/observed_rate": total.observed.value,
            "monitor/observed_over_predicted": total.ratio.value,
            "monitor/pql_precision": realised.pql.precision.value,
            "monitor/pql_lift": realised.pql.lift.value,
        }
    if health.early is not None:
        metrics["monitor/estimated_observed_over_predicted"] = health.early.ratio.value
    if health.ranking is not None:
        metrics["monitor/roc_auc"] = health.ranking.roc_auc.value
    return metrics
