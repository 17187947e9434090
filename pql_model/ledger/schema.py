"""The columns of the outcome ledger: one row per entity, instant and model version."""

from __future__ import annotations

import pyarrow as pa

_INSTANT = pa.timestamp("us", "UTC")

SOURCES = ("score", "service", "replayed")
"""Where a row comes from: a logged run, the service's log, or computed afterwards because nothing was logged."""
MEANINGS = ("contacted", "accepted", "rejected", "won")
"""What a disposition of sales can mean."""

SAID = pa.schema(
    [
        pa.field("entity", pa.string(), nullable=False),
        pa.field("as_of", _INSTANT, nullable=False),
        pa.field("scored_at", _INSTANT, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("model_name", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("feature_set", pa.string(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        ("score", pa.float64()),
        ("band", pa.string()),
        ("is_pql", pa.bool_()),
        ("usage", pa.float64()),
        ("fit", pa.float64()),
        ("newly_qualified", pa.bool_()),
        ("suppressed", pa.string()),
        ("meets_definition", pa.bool_()),
        ("meets_in_force", pa.bool_()),
        ("expected_value", pa.float64()),
    ]
)
"""The scored row, as it was logged or replayed."""

DONE = pa.schema(
    [
        pa.field("held_out", pa.bool_(), nullable=False),
        ("sent_at", _INSTANT),
        ("contacted_at", _INSTANT),
        ("accepted_at", _INSTANT),
        ("rejected_at", _INSTANT),
        ("rejected_reason", pa.string()),
        ("won_at", _INSTANT),
        ("owner", pa.string()),
    ]
)
"""Hold-out, first delivery by `pql sync`, and the first feedback of each meaning, at or after `as_of`."""

CAME = pa.schema(
    [
        pa.field("known", pa.bool_(), nullable=False),
        pa.field("final", pa.bool_(), nullable=False),
        ("converted", pa.bool_()),
        ("converted_at", _INSTANT),
        ("value", pa.float64()),
    ]
)
"""The outcome: null where the entity is not in today's data (`known`), `converted` null until it is `final`."""

LEDGER_SCHEMA = pa.schema([*SAID, *DONE, *CAME])
"""All columns, in order. Instants are UTC, in microseconds."""
KEY = ("entity", "as_of", "model_version")
"""No two rows of the ledger are alike in these."""

STAGES_SCHEMA = pa.schema(
    [
        pa.field("entity", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("at", _INSTANT, nullable=False),
    ]
)
"""The first time each entity reached each stage."""
