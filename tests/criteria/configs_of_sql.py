"""Small configs whose files are never read."""

from __future__ import annotations

from typing import Any

from pql_model.config.schema import Config


def config_of(motion: str, signed_up: str | None = "s", **overrides: Any) -> Config:
    raw = {
        "name": "small",
        "events": [{"table": "e.csv", "columns": {"entity": "e", "event": "n", "time": "t"}}],
        "entities": {"table": "a.csv", "columns": {"entity": "e", "signed_up": signed_up}},
        "conversions": {"table": "c.csv", "columns": {"entity": "e", "time": "t"}},
        "motion": motion,
        **overrides,
    }
    return Config.model_validate(raw)
