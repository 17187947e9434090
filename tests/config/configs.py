"""Two valid files, and the errors of others."""

from __future__ import annotations

import pytest

from pql_model.config.load import parse_config
from pql_model.errors import ConfigError

EXAMPLE = """\
name: nimbus-boards            # names the MLflow experiment and the registered model
entity: account                # account | user
connection: duckdb://

events:
  - table: events.parquet
    columns: {entity: workspace, user: person, event: action, time: occurred, id: insert_id, known_at: loaded_at}
    values: {megabytes: size_mb}
  - table: lessons.csv
    event: lesson_watched
    columns: {entity: student_id, time: date_watched}
    values: {minutes: minutes_watched}
  - table: weekly_usage.csv
    columns: {entity: portal, time: week}
    counts: {email_sent: ACTIONS_EMAIL, deal_edited: ACTIONS_DEALS}
    users: {email_sent: USERS_EMAIL}
    covers: 7d

entities:
  table: workspaces.csv
  columns: {entity: workspace, signed_up: created}
  traits: [company_size, email_kind, region]

conversions:
  table: subscriptions.csv
  columns: {entity: workspace, time: paid_at, value: mrr}

motion: trial
snapshots: {at_days: [3, 7, 14]}
horizon: 30d
windows: {first: [1d, 7d, 14d], last: [1d, 7d, 14d, 28d]}
observed_until: 2026-06-30
exclude: {entities: {email_domain: [acme.com]}, users: [u_internal_1], bots: true}
definition:
  all: [{event: Teammate Invited, at_least: 2, within: first 7d}]
policy: {capacity: {leads: 50, per: 7d}}
seed: 7
"""

SMALL = """\
name: shop
events: [{table: e.csv, columns: {entity: a, event: b, time: c}}]
entities: {table: w.csv, columns: {entity: a, signed_up: s}}
conversions: {table: c.csv, columns: {entity: a, time: t}}
motion: trial
"""


def faults(text):
    """Path and line of every error, in the order of the file."""
    with pytest.raises(ConfigError, match=r"pql\.yaml has \d+ error") as caught:
        parse_config(text)
    return [(fault.path, fault.line) for fault in caught.value.faults]


def fault(text):
    """The message of the only error."""
    with pytest.raises(ConfigError, match=r"pql\.yaml has 1 error") as caught:
        parse_config(text)
    return caught.value.faults[0].message
