"""Leakage audit of a static table with one row per entity, without events or times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd

from pql_model.audit.audit import audit
from pql_model.audit.finding import Finding
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.model.columns import Manifest, Typed, looks_like_id, type_traits
from pql_model.sources.leak_evidence import LeakEvidence

_PREFIX = "trait."


def audit_table(frame: pd.DataFrame, outcome_column: str, allow: Iterable[str] = ()) -> list[Finding]:
    """Find the columns of a table that know the outcome, including identifiers and the row order.

    Parameters
    ----------
    frame
        One row per entity, in the order of the file.
    outcome_column
        Column with the outcome: 0 and 1, or false and true.
    allow
        Columns to let through.

    Returns
    -------
    list of Finding
        Guilty columns (`quarantined`), columns worth a look (`kept`), and the row order (`named`).

    Raises
    ------
    DataError
        If the outcome column is missing or does not hold exactly two values, or if two columns share a name.

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
    """As in training: a column named like an identifier is never a model column, whatever it holds."""
    ids = [trait for trait in traits if looks_like_id(trait)]
    typed = type_traits(table, [trait for trait in traits if trait not in ids])
    return Typed(typed.columns, {**typed.unused, **dict.fromkeys(ids, "its name suggests an identifier")})


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
            remedy="name the column with the outcome",
        )
    numbers = as_numbers(frame[name])
    if np.isnan(numbers).any() or not np.isin(numbers, (0, 1)).all():
        raise DataError(
            f"`{name}` does not give an outcome for every row",
            received=", ".join(map(str, frame[name].unique()[:5])),
            allowed="0 and 1, or false and true",
            remedy="recode the column",
        )
    if len(np.unique(numbers)) < 2:
        raise DataError(
            f"`{name}` holds a single value",
            received=numbers[0] if len(numbers) else "an empty table",
            allowed="rows that converted and rows that did not",
            remedy="pass a table with both",
        )
    return np.asarray(numbers == 1)
