"""The leakage audit of a static table: no events, no times, one row per entity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd

from pql_model.audit.audit import audit
from pql_model.audit.finding import Finding
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.model.columns import Manifest, Typed, as_numbers, looks_like_id, trait_name, type_traits
from pql_model.sources.leak_evidence import LeakEvidence

_PREFIX = "trait."


def audit_table(frame: pd.DataFrame, outcome_column: str, allow: Iterable[str] = ()) -> list[Finding]:
    """Which columns of a table know the outcome, its identifiers and the order of its rows included.

    Parameters
    ----------
    frame
        One row per entity, in the order of the file.
    outcome_column
        The column that says who converted: 0 and 1, or false and true.
    allow
        Columns to let through.

    Returns
    -------
    list of Finding
        What is guilty (`quarantined`), to be looked at (`kept`), or no column at all (`named`: the order of the rows).

    Raises
    ------
    DataError
        If there is no such column, it is not two-valued, it holds one value only, or two columns have one name.

    Examples
    --------
    >>> import pandas as pd, pql_model
    >>> sizes = [number % 7 for number in range(400)]
    >>> table = pd.DataFrame({"id": range(400), "size": sizes, "paid": [number < 80 for number in range(400)]})
    >>> [(found.column, found.kind, found.action) for found in pql_model.audit_table(table, "paid")]
    [('(row order)', 'row_order', 'named'), ('id', 'identifier', 'quarantined')]
    """
    y = _outcome(frame, outcome_column)
    traits = [str(column) for column in frame.columns if column != outcome_column]
    table = pd.DataFrame({trait_name(str(c)): frame[c].to_numpy() for c in frame.columns if c != outcome_column})
    typed = _typed(table, traits)
    entities = np.arange(len(frame)).astype(str)
    table = table.assign(entity=entities)
    order = pd.DataFrame({"signed_up": np.nan, "position": np.arange(len(frame), dtype=float)}, index=entities)
    findings = audit(table, y, Manifest(typed.columns), typed.unused, allow, LeakEvidence(order=order))
    return [replace(found, column=unquote_plus(found.column.removeprefix(_PREFIX))) for found in findings]


def _typed(table: pd.DataFrame, traits: list[str]) -> Typed:
    """As in a training: what is named like an identifier is no column of a model, whatever it holds."""
    ids = [trait for trait in traits if looks_like_id(trait)]
    typed = type_traits(table, [trait for trait in traits if trait not in ids])
    return Typed(typed.columns, {**typed.unused, **dict.fromkeys(ids, "its name says that it identifies")})


def _outcome(frame: pd.DataFrame, name: str) -> np.ndarray:
    columns = [str(column) for column in frame.columns]
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise DataError(f"The table has columns of the same name: {listed(repeated)}", remedy="rename them")
    if name not in columns:
        close = nearest(name, columns)
        raise DataError(
            f"The table has no column `{name}`" + did_you_mean(close),
            received=name,
            allowed=columns,
            remedy="name the column that says who converted",
        )
    numbers = as_numbers(frame[name])
    if np.isnan(numbers).any() or not np.isin(numbers, (0, 1)).all():
        raise DataError(
            f"`{name}` does not say of every row whether it converted",
            received=", ".join(map(str, frame[name].unique()[:5])),
            allowed="0 and 1, or false and true",
            remedy="write it so",
        )
    if len(np.unique(numbers)) < 2:
        raise DataError(
            f"`{name}` holds one value only",
            received=numbers[0] if len(numbers) else "an empty table",
            allowed="rows that converted and rows that did not",
            remedy="give a table with both",
        )
    return np.asarray(numbers == 1)
