"""The leakage audit: find columns and events that know the outcome, before anything is fitted.

The audit reads training rows only, one per entity, and judges each column on its own: a behaviour against the outcome of
its row; a trait, which is the same in all rows of an entity, against whether any of them converted. It also uses evidence
from the sources: event times around conversions, the order of the file, and changes between two extracts. Guilty columns
are quarantined and named with their figure; `allow:` in the config lets a column back in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pql_model.audit.columns import AuditRows, judge_feature, judge_trait, judge_unused
from pql_model.audit.events import audit_events, audit_values
from pql_model.audit.finding import Finding, action_for, quarantined
from pql_model.audit.order import judge_key, judge_row_order
from pql_model.features.trait_columns import trait_name
from pql_model.model.columns import Manifest
from pql_model.sources.leak_evidence import LeakEvidence
from pql_model.sources.trait_changes import TraitChanges
from pql_model.statistics.univariate_auc import corrected_z, odds_ratio

__all__ = ["Finding", "audit", "audit_changes", "quarantined"]

_NO_EVIDENCE = LeakEvidence()
_LEAST_CHANGE_ODDS, _LEAST_CHANGED = 1.5, 0.01


def audit(
    table: pd.DataFrame,
    converted: np.ndarray,
    manifest: Manifest,
    unused: dict[str, str],
    allow: Iterable[str],
    evidence: LeakEvidence = _NO_EVIDENCE,
    copies: Mapping[str, Sequence[str]] | None = None,
) -> list[Finding]:
    """Judge every column of the training rows, every event and every value of an event.

    Parameters
    ----------
    table
        Feature table of the training rows, with `entity` and, where there is one, `as_of`.
    converted
        Outcomes of these rows, bool, (rows,).
    manifest
        The columns a model would read.
    unused
        Traits that are left out for another reason, with that reason; they are named too if they know the outcome.
    allow
        Columns, traits or events to let through.
    evidence
        Evidence from the sources.
    copies
        Feature of the manifest -> features with the same values, which share its fate.
    """
    allowed = set(allow)
    first = ~table["entity"].duplicated().to_numpy()
    ever = pd.Series(converted).groupby(table["entity"].to_numpy()).transform("any").to_numpy(bool)
    time, order = _signup_and_position(table.loc[first, "entity"], evidence)
    tried = len(manifest.columns) + len(unused) + (order is not None) + (evidence.key is not None)
    rows = AuditRows(table[first], ever[first], time, order, tried, allowed)
    found: list[Finding | None] = [judge_row_order(order, rows.y, time, tried)] if order is not None else []
    found += [judge_key(evidence.key, rows.table["entity"], rows.y, time, tried)] if evidence.key is not None else []
    for column in manifest.columns:
        if column.kind == "feature":
            found.append(judge_feature(column, rows, converted[first]))
        else:
            found.append(judge_trait(column, rows))
    found += [judge_unused(trait, why, rows) for trait, why in unused.items()]
    findings = [finding for finding in found if finding is not None]
    findings = _merge_changes(findings, audit_changes(evidence.trait_changes, allowed))
    findings = [_with_copies(finding, copies or {}) for finding in findings]
    columns = [
        name for c in manifest.columns if c.kind == "feature" for name in (c.name, *(copies or {}).get(c.name, ()))
    ]
    of_events = audit_events(evidence.event_timing, columns, allowed)
    guilty = {finding.column for finding in of_events if finding.action == "quarantined"}
    levels = [level for level in evidence.value_timing if level.event not in guilty]
    return findings + of_events + audit_values(levels, evidence.event_timing, columns, allowed)


def _with_copies(finding: Finding, copies: Mapping[str, Sequence[str]]) -> Finding:
    same = copies.get(finding.column, ())
    return replace(finding, columns=(finding.column, *same)) if same and finding.action == "quarantined" else finding


def _signup_and_position(entities: pd.Series, evidence: LeakEvidence) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Sign-up time and row position of each entity, or None if unknown."""
    if evidence.order is None:
        return None, None
    known = evidence.order.reindex(entities.to_numpy())
    time, order = (known[name].to_numpy(float) for name in ("signed_up", "position"))
    return (None if np.isnan(time).all() else time), (None if np.isnan(order).all() else order)


def audit_changes(changes: Sequence[TraitChanges], allowed: Collection[str]) -> list[Finding]:
    """Judge traits that differ between two extracts: quarantined if the change follows the outcome, otherwise named."""
    z = corrected_z(len(changes))
    findings = []
    for c in changes:
        if not c.converters or not c.others:
            continue
        yes, no = c.converters_changed / c.converters, c.others_changed / c.others
        ratio = odds_ratio(
            c.converters_changed, c.others_changed, c.converters - c.converters_changed, c.others - c.others_changed, z
        )
        reason = f"changed between the two extracts for {yes:.1%} of those who converted and {no:.1%} of the others"
        name = trait_name(c.trait)
        if ratio.low > _LEAST_CHANGE_ODDS:
            action = action_for(allowed, (name, c.trait))
            findings.append(
                Finding(
                    name,
                    "changes_between_extracts",
                    reason + ": it follows the outcome",
                    0.5 + abs(yes - no) / 2,
                    action,
                )
            )
        elif c.converters_changed + c.others_changed >= _LEAST_CHANGED * (c.converters + c.others):
            reason += ": the current value may differ from the value at as_of"
            findings.append(Finding(name, "changes_between_extracts", reason, None, "kept"))
    return findings


def _merge_changes(findings: list[Finding], changed: Sequence[Finding]) -> list[Finding]:
    """Keep one finding per column: the more serious one and, between equals, the one about changes."""
    heavy = {finding.column for finding in findings if finding.action != "kept"}
    changed = [finding for finding in changed if finding.column not in heavy]
    replaced = {finding.column for finding in changed}
    return [finding for finding in findings if finding.column not in replaced] + list(changed)
