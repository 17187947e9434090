"""The growth report of a training: one object of all its numbers, and the files made from it."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.config.load import dump_config
from pql_model.config.schema import Config
from pql_model.criteria.export import criteria_yaml
from pql_model.evaluation.evaluate import Evaluation
from pql_model.evaluation.verdict import Verdict
from pql_model.model.artifact import REFIT, FittedModel
from pql_model.page.document import write_page
from pql_model.registry.registered_models import CHAMPION
from pql_model.registry.tracking import Tracking
from pql_model.report.explorer import explorer_data
from pql_model.report.explorer_sql import explorer_sql
from pql_model.report.findings import Findings
from pql_model.report.growth import growth_object
from pql_model.report.health import health_lines
from pql_model.report.offered import explorer_bits, offered_criteria
from pql_model.report.page import render_page
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.schema_probe import probe_schema
from pql_model.workflows.prepare import TrainingData

REPORT = "growth_report.html"
CRITERIA = "criteria.json"
_VERSIONS = ("lightgbm", "scikit-learn", "numpy")
"""Packages whose versions the model card of the report lists."""
GROWTH, EXPLORER, BITS = "growth.json", "explorer.json", "explorer_rows.parquet"


def build_growth_report(
    config: Config,
    data: TrainingData,
    model: FittedModel,
    evaluation: Evaluation,
    verdict: Verdict,
    findings: Findings,
    before: dict[str, Any] | None,
) -> dict[str, Any]:
    """Collect every number of the growth report; `before` is that of the champion so far."""
    calibration = evaluation.calibration_over_time
    made_at = time.iso(time.now() // time.SECOND * time.SECOND)
    set_aside = data.sources.events.by_reason()
    capacity = config.policy.capacity if config.policy is not None else None
    return growth_object(
        findings,
        product={
            "product": config.name,
            "entity": config.entity,
            "motion": config.motion,
            "horizon_days": int(config.horizon.days) if config.horizon.days.is_integer() else config.horizon.days,
            "made_at": made_at,
            "owner": config.owner,
            "config_digest": hashlib.sha256(dump_config(config).encode()).hexdigest()[:12],
        },
        model={
            "name": config.name,
            "version": None,
            "verdict": verdict.name,
            "verdict_sentence": verdict.sentence,
            "roc_auc": evaluation.test["roc_auc"].to_dict(6),
            "trained_at": made_at,
            "served": _served(model),
        },
        reliability=evaluation.reliability,
        months=calibration.months,
        health=health_lines(
            data.findings,
            set_aside,
            data.sources.events.rows_read,
            data.sources.warnings,
            calibration.sentence if calibration.moved else None,
        ),
        facts={
            "seed": config.seed,
            "set_aside": set_aside,
            "leakage": [f.to_dict() for f in data.findings],
            "features": len(model.manifest.columns),
            "versions": {name: version(name) for name in _VERSIONS},
        },
        leads_a_week=capacity.per_week if capacity is not None else None,
        before=before,
    )


def champion_growth(tracking: Tracking) -> dict[str, Any] | None:
    """Read the growth object of the champion; None without one, or where the files of its run are gone."""
    champion = next((version for version in tracking.versions() if CHAMPION in version.aliases), None)
    content = tracking.read_file(champion.run_id, GROWTH) if champion is not None else None
    if champion is None or content is None:
        return None
    growth: dict[str, Any] = json.loads(content)
    growth["model"]["version"] = champion.version
    return growth


def _served(model: FittedModel) -> dict[str, Any] | None:
    """The rows that the served model has learnt from, where it was refitted."""
    refit = model.facts.get(REFIT)
    return {key: refit[key] for key in ("rows", "entities", "conversions", "from", "to")} if refit else None


def rule_statement(config: Config, findings: Findings) -> dict[str, Any] | None:
    """Write the SQL of the explorer's rules; see `explorer_sql`."""
    with open_session() as con:
        return explorer_sql(config, offered_criteria(findings), probe_schema(con, config))


def write_growth_files(folder: Path, findings: Findings, growth: dict[str, Any], sql: dict[str, Any] | None) -> None:
    """Write the criteria, the report and its data into a run's folder.

    The report of the run holds counts and no rows: whoever can open the artifacts or the service can read it, and no `pql forget`
    reaches the copies that they make.
    """
    payload = findings.to_dict()
    _write(folder / CRITERIA, json.dumps(payload, ensure_ascii=False, indent=1))
    best = findings.results.recommended
    if best is not None:
        _write(folder / "criteria.yaml", criteria_yaml(payload, growth["product"]))
    criteria, bits = offered_criteria(findings), explorer_bits(findings)
    explorer = with_sql(explorer_data(bits, criteria, "counts"), sql)
    bits.to_parquet(folder / BITS, index=False)
    _write(folder / GROWTH, json.dumps(growth, ensure_ascii=False, indent=1))
    _write(folder / EXPLORER, json.dumps({"offered": criteria, "data": explorer}, ensure_ascii=False))
    write_page(folder / REPORT, render_page(growth, explorer))


def with_sql(explorer: dict[str, Any], sql: dict[str, Any] | None) -> dict[str, Any]:
    """The explorer's data with the SQL of its rules, where there are any."""
    return explorer if explorer["mode"] == "off" else {**explorer, "sql": sql}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
